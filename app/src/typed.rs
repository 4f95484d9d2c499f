//! What was typed into a plain form that is answered with a fault. It comes back in the address beside the fault, as the
//! fault itself does. Names and limits only: nothing secret may pass through here.

use leptos::{prelude::*, server::ServerActionError, server_fn::ServerFn};
use leptos_router::hooks::use_query_map;

fn parameter(field: &str) -> String {
    format!("typed.{field}")
}

/// What a refused plain form of `S` held in `field`; empty on every other page.
pub fn typed<S: ServerFn>(field: &str) -> String {
    typed_or::<S>(field, "")
}

/// The same, with `default` on every other page.
pub fn typed_or<S: ServerFn>(field: &str, default: &str) -> String {
    // What an older refusal left in the address is not shown beside the answer of another form.
    let refused = use_context::<ServerActionError>().is_some_and(|error| error.path() == S::PATH);
    let text = refused.then(|| use_query_map().with_untracked(|query| query.get(&parameter(field)))).flatten();
    text.unwrap_or_else(|| default.to_owned())
}

/// Passes the answer of `S` on; a plain form that is refused is led back to its page with what was typed.
#[cfg(feature = "ssr")]
pub(crate) fn keep_typed<S, T>(
    answer: Result<T, crate::error::AppError>,
    fields: &[(&str, &str)],
) -> Result<T, crate::error::AppError>
where
    S: ServerFn<Error = crate::error::AppError>,
{
    use leptos::server_fn::error::ServerFnUrlError;

    let page = match (&answer, crate::ssr::Request::current()) {
        (Err(_), Ok(request)) if request.is_form() => request.header("referer"),
        _ => None,
    };
    // Faults and texts of earlier refusals are in the query of the page: only its path is kept.
    if let (Err(error), Some(page)) = (&answer, page)
        && let Ok(mut url) =
            ServerFnUrlError::new(S::PATH, error.clone()).to_url(page.split(['?', '#']).next().unwrap_or_default())
    {
        for (field, text) in fields {
            url.query_pairs_mut().append_pair(&parameter(field), text);
        }
        leptos_axum::redirect(&format!("{}?{}", url.path(), url.query().unwrap_or_default()));
    }
    answer
}

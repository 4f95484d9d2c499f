//! What a server function may be sent. Leptos reads any body as a form and leaves out what it does not know at the top
//! level; here both are refused, for every function alike. The fields inside `input[…]` are refused by their structs.

use axum::{
    Json,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::error::AdminError;
use leptos::server_fn::error::SERVER_FN_ERROR_HEADER;

use crate::error::AppError;

/// What forms and our own scripts send.
const FORM: &str = "application/x-www-form-urlencoded";

/// Functions without an argument. All others have the one argument `input`.
const WITHOUT_INPUT: [&str; 25] = [
    "/admin/fn/account/factor-cancel",
    "/admin/fn/account/factor-off",
    "/admin/fn/account/factor-start",
    "/admin/fn/account/get",
    "/admin/fn/account/sessions-end",
    "/admin/fn/administrators/list",
    "/admin/fn/aliases/auto",
    "/admin/fn/aliases/list",
    "/admin/fn/backends/list",
    "/admin/fn/help/facts",
    "/admin/fn/live/now",
    "/admin/fn/network/get",
    "/admin/fn/network/tls",
    "/admin/fn/network/tls-remove",
    "/admin/fn/playground/facts",
    "/admin/fn/pulls/clear",
    "/admin/fn/pulls/list",
    "/admin/fn/session/current",
    "/admin/fn/session/logout",
    "/admin/fn/settings/get",
    "/admin/fn/settings/logo-remove",
    "/admin/fn/settings/redis-status",
    "/admin/fn/setup/found",
    "/admin/fn/setup/state",
    "/admin/fn/upgrade/get",
];

/// Refuses a body that is no form, and fields that the function at `path` does not have. `fields` is the query of a GET
/// and the body of anything else.
pub(super) fn check(
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    query: &str,
    body: &[u8],
) -> Result<(), Box<Response>> {
    let fields = if *method == Method::GET {
        query.as_bytes()
    } else {
        let mut types = headers.get_all(header::CONTENT_TYPE).iter();
        if !matches!((types.next(), types.next()), (Some(kind), None) if is_form(kind)) {
            let message = format!("send the fields as {FORM}");
            return Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
        if !query.is_empty() {
            return Err(refuse(
                StatusCode::BAD_REQUEST,
                "unknown field in the address: fields belong in the body".into(),
            ));
        }
        body
    };
    let input = !WITHOUT_INPUT.contains(&path);
    let unknown = url::form_urlencoded::parse(fields).find(|(name, _)| !(input && is_input(name)));
    match unknown {
        None => Ok(()),
        Some((name, _)) => {
            let name: String = name.chars().take(40).collect();
            Err(refuse(StatusCode::BAD_REQUEST, format!("unknown field {name:?}")))
        }
    }
}

fn is_form(kind: &HeaderValue) -> bool {
    let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case(FORM)
}

/// `input[name]`, or deeper: the argument's own structs refuse what they do not know.
fn is_input(field: &str) -> bool {
    field.strip_prefix("input[").is_some_and(|name| name.ends_with(']') && !name.starts_with(']'))
}

fn refuse(status: StatusCode, message: String) -> Box<Response> {
    let error = AppError(AdminError::invalid("input", message));
    let mut response = (status, Json(error)).into_response();
    response.headers_mut().insert(SERVER_FN_ERROR_HEADER, HeaderValue::from_static("input"));
    Box::new(response)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use leptos::server_fn::axum::server_fn_paths;

    use super::*;

    fn status(path: &str, kinds: &[&'static str], query: &str, body: &str) -> u16 {
        let mut headers = HeaderMap::new();
        for kind in kinds {
            headers.append(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        check(&Method::POST, path, &headers, query, body.as_bytes())
            .err()
            .map_or(200, |refusal| refusal.status().as_u16())
    }

    #[test]
    fn functions_without_an_argument_exist() {
        let paths: BTreeSet<&str> = server_fn_paths().map(|(path, _)| path).collect();
        for path in WITHOUT_INPUT {
            assert!(paths.contains(path), "{path} is no server function");
        }
    }

    #[test]
    fn only_forms_are_read() {
        let add = |kinds: &[&'static str]| status("/admin/fn/users/add", kinds, "", "input[name]=a");
        assert_eq!(add(&[FORM]), 200);
        assert_eq!(add(&["Application/X-WWW-Form-URLencoded; charset=UTF-8"]), 200);
        for kinds in [
            &[][..],
            &["text/plain"],
            &["application/json"],
            &["multipart/form-data; boundary=x"],
            &[FORM, FORM],
            &["x"],
        ] {
            assert_eq!(add(kinds), 415, "{kinds:?}");
        }
    }

    #[test]
    fn fields_outside_of_the_input_are_refused() {
        let add = |body: &str| status("/admin/fn/users/add", &[FORM], "", body);
        assert_eq!(add("input%5Bname%5D=a"), 200);
        assert_eq!(add("input[policy][models]=a"), 200);
        for body in ["input[name]=a&x=1", "name=a", "input=a", "input[name", "input[]=a", "input[name]=a&=1"] {
            assert_eq!(add(body), 400, "{body}");
        }
        assert_eq!(status("/admin/fn/users/add", &[FORM], "x=1", "input[name]=a"), 400);
        assert_eq!(status("/admin/fn/session/logout", &[FORM], "", ""), 200);
        assert_eq!(status("/admin/fn/session/logout", &[FORM], "", "input[name]=a"), 400);
    }
}

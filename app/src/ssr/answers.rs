//! Answers to plain forms on their way to the page that shows them: in memory, for the browser that sent the form, once.
//! A cookie names the answer. Nothing of it is in an address, because whoever writes a link could write it too.

use std::{
    borrow::Cow,
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    body::{Bytes, to_bytes},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
};
use domain::{
    auto::SaveAuto,
    backend::Timeouts,
    error::AdminError,
    network::SaveNetwork,
    policy::PolicyInput,
    pull::{KeepCopies, StartPull},
    settings::SaveSettings,
    upgrade::StartUpgrade,
    user::SetUsersEnabled,
};
use leptos::{nonce::Nonce, server_fn::error::SERVER_FN_ERROR_HEADER};
use url::Url;

use super::cookie;
use crate::{answer::Answer, error::AppError, session::confirm_path};

/// Names the answer that waits for its page.
const COOKIE: &str = "op_answer";
/// The same for the page that asks for the password again, while the answer of the form that needs it still waits.
const CONFIRM_COOKIE: &str = "op_confirm_answer";
const CONFIRM_PAGE: &str = "/admin/confirm";
/// How long an answer waits.
const VALID: Duration = Duration::from_secs(300);
/// Answers that wait at most; the oldest go.
const MOST: usize = 256;
/// More than any answer has, in bytes.
const MAX_BODY: usize = 64 * 1024;
/// Longest text of a field that comes back, in bytes.
const MAX_TYPED: usize = 4096;

/// Functions whose value the next page shows. Never one that answers with a secret.
const SHOWN: [&str; 9] = [
    "/admin/fn/backends/test",
    "/admin/fn/models/copy",
    "/admin/fn/models/delete",
    "/admin/fn/models/keep",
    "/admin/fn/network/save",
    "/admin/fn/settings/redis",
    "/admin/fn/settings/reset",
    "/admin/fn/settings/save",
    "/admin/fn/users/switch",
];

/// Fields of small forms that come back as they were typed. None of them is a secret.
const KEPT: [&str; 24] = [
    "id",
    "user_id",
    "version",
    "status",
    "enabled",
    "role",
    "name",
    "url",
    "user",
    "key",
    "names",
    "parallel",
    "weight",
    "priority",
    "draining",
    "force",
    "label",
    "note",
    "overlap",
    "until",
    "targets",
    "model",
    "destination",
    "everywhere",
];

/// Whether a field comes back as it was typed; a field that nobody listed does not.
fn is_kept(field: &str) -> bool {
    let large = [
        &SaveSettings::FIELDS[..],
        &SaveNetwork::FIELDS,
        &PolicyInput::FIELDS,
        &Timeouts::FIELDS,
        &StartPull::FIELDS,
        &KeepCopies::FIELDS,
        &SaveAuto::FIELDS,
    ];
    let unkept = [&SaveSettings::UNKEPT[..], &SaveNetwork::UNKEPT];
    let within = |lists: &[&[&str]]| lists.iter().any(|list| list.contains(&field));
    let boxes = [StartUpgrade::BOXES, SetUsersEnabled::BOXES].iter().chain(&SaveAuto::ROWS);
    let boxes = boxes.into_iter().any(|boxes| field.starts_with(boxes));
    KEPT.contains(&field) || boxes || within(&large) && !within(&unkept)
}

struct Waiting {
    id: String,
    until: Instant,
    answer: Answer,
}

/// All answers that wait; cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Answers(Arc<Mutex<VecDeque<Waiting>>>);

impl Answers {
    fn put(&self, answer: Answer, now: Instant) -> String {
        let id = Nonce::new().to_string();
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|other| now < other.until);
        while waiting.len() >= MOST {
            waiting.pop_front();
        }
        waiting.push_back(Waiting { id: id.clone(), until: now + VALID, answer });
        id
    }

    /// The answer of this name, if it waits for `page`; it waits no longer then.
    fn take(&self, id: &str, page: &str, now: Instant) -> Option<Answer> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|other| now < other.until);
        let at = waiting.iter().position(|other| other.id == id && other.answer.page == page)?;
        waiting.remove(at).map(|found| found.answer)
    }

    /// The answer that the browser's cookie names.
    pub fn take_for(&self, headers: &HeaderMap, page: &str) -> Option<Answer> {
        self.take(cookie::read(headers, cookie_of(page))?, page, Instant::now())
    }

    /// Leads from the answer of a server function to the page, which shows what there is to show.
    pub async fn lead(&self, form: &Form, response: Response) -> Response {
        let (mut parts, body) = response.into_parts();
        let failed = parts.headers.contains_key(SERVER_FN_ERROR_HEADER);
        let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
        let to = clean(&parts.headers.remove(header::LOCATION).as_ref().and_then(text).unwrap_or_default());
        let mut led = Redirect::to(&to).into_response();
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            led.headers_mut().append(header::SET_COOKIE, cookie.clone());
        }
        if let Some(site_data) = parts.headers.remove("clear-site-data") {
            led.headers_mut().insert("clear-site-data", site_data);
        }
        let body = to_bytes(body, MAX_BODY).await.unwrap_or_else(|_| Bytes::new());
        let outcome = if failed {
            let unknown = || AppError::internal("the form could not be answered; the gateway's log says why");
            Some(Err(serde_json::from_slice(&body).unwrap_or_else(|_| unknown())))
        } else if SHOWN.contains(&form.function.as_str()) {
            String::from_utf8(body.to_vec()).ok().map(Ok)
        } else {
            None
        };
        if let Some(outcome) = outcome {
            let page = to.split('?').next().unwrap_or_default().to_owned();
            // What was typed waits while the password is asked for.
            if outcome == Err(AppError(AdminError::NeedsPassword))
                && let Ok(confirm) = HeaderValue::from_str(&confirm_path(&to))
            {
                led.headers_mut().insert(header::LOCATION, confirm);
            }
            let waits_for = page.clone();
            let answer = Answer { function: form.function.clone(), page, outcome, typed: form.typed.clone() };
            let id = self.put(answer, Instant::now());
            if let Some(cookie) = cookie::set(cookie_of(&waits_for), &id) {
                led.headers_mut().append(header::SET_COOKIE, cookie);
            }
        }
        led
    }
}

/// The cookie that names the answer for a page.
pub(super) fn cookie_of(page: &str) -> &'static str {
    if page == CONFIRM_PAGE { CONFIRM_COOKIE } else { COOKIE }
}

/// A plain form as it came.
pub(super) struct Form {
    function: String,
    typed: BTreeMap<String, String>,
}

impl Form {
    /// `pairs` are the fields with their names, still within `input[…]`.
    pub fn new<'a>(function: &str, pairs: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>) -> Self {
        let typed = pairs.filter_map(|(field, text)| {
            let field = field.strip_prefix("input[")?.strip_suffix(']')?.to_owned();
            // Addresses may hold a password before the `@`.
            let secret = field.ends_with("url") && text.contains('@');
            let kept = is_kept(&field) && !secret && text.len() <= MAX_TYPED;
            kept.then(|| (field, text.into_owned()))
        });
        Self { function: function.to_owned(), typed: typed.collect() }
    }
}

/// Path and query of an address of the app, without what Leptos puts there about an error. Anything else is the app's
/// first page.
pub(super) fn clean(address: &str) -> String {
    const HOME: &str = "/admin";
    let base = || Url::parse("http://base.invalid");
    let Ok(url) = base().and_then(|base| base.join(address)) else { return HOME.to_owned() };
    let path = url.path();
    if path != HOME && !path.starts_with("/admin/") || path.starts_with("/admin/fn/") {
        return HOME.to_owned();
    }
    let created = address.starts_with('/') && url.query() == Some("created=1");
    let query: Vec<&str> = url
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty() && !is_error(pair) && (created || *pair != "created=1"))
        .collect();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
}

/// The query holds what Leptos would show as an error, whoever wrote it.
pub(super) fn has_error(query: &str) -> bool {
    query.split('&').any(is_error)
}

fn is_error(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or_default();
    url::form_urlencoded::parse(name.as_bytes()).next().is_some_and(|(name, _)| name.starts_with("__"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(page: &str) -> Answer {
        let outcome = Err(AppError(AdminError::Busy));
        Answer { function: "/admin/fn/users/add".into(), page: page.into(), outcome, typed: BTreeMap::new() }
    }

    #[test]
    fn an_answer_is_shown_once_by_its_page_to_its_browser_within_five_minutes() {
        let (answers, now) = (Answers::default(), Instant::now());
        let id = answers.put(answer("/admin/users"), now);
        assert!(answers.take("other", "/admin/users", now).is_none());
        assert!(answers.take(&id, "/admin/backends", now).is_none());
        assert!(answers.take(&id, "/admin/users", now).is_some());
        assert!(answers.take(&id, "/admin/users", now).is_none());
        let id = answers.put(answer("/admin/users"), now);
        assert!(answers.take(&id, "/admin/users", now + VALID).is_none());
    }

    #[test]
    fn no_more_than_so_many_answers_wait() {
        let (answers, now) = (Answers::default(), Instant::now());
        let first = answers.put(answer("/admin"), now);
        for _ in 0..MOST {
            answers.put(answer("/admin"), now);
        }
        assert_eq!(answers.0.lock().unwrap().len(), MOST);
        assert!(answers.take(&first, "/admin", now).is_none());
    }

    #[test]
    fn secrets_do_not_come_back() {
        let body =
            b"input[name]=a&input[password]=p&input[token]=t&input[redis_url]=redis://:p@h&input[url]=http://h&x=1\
            &input[redis_password]=p&input[confirm]=yes&input[private_key]=p&input[num_ctx]=1&input[hsts_days]=1\
            &input[backends][id-1]=true&input[other][id-1]=x&input[force]=true";
        let form = Form::new("/admin/fn/x", url::form_urlencoded::parse(body));
        let kept: Vec<&str> = form.typed.keys().map(String::as_str).collect();
        assert_eq!(kept, ["backends][id-1", "force", "hsts_days", "name", "num_ctx", "url"]);
    }

    #[test]
    fn a_form_leads_to_a_page_of_the_app_without_an_error_in_the_address() {
        for (from, to) in [
            ("http://h:1/admin/login?next=/admin/users&__path=x&__err=y", "/admin/login?next=/admin/users"),
            ("http://h:1/admin/users/abc?created=1", "/admin/users/abc"),
            ("/admin/users/abc?created=1", "/admin/users/abc?created=1"),
            ("http://h:1/admin?%5F_err=y", "/admin"),
            ("https://evil.test/elsewhere", "/admin"),
            ("http://h:1/admin/fn/users/add", "/admin"),
            ("//evil.test/x", "/admin"),
            ("", "/admin"),
        ] {
            assert_eq!(clean(from), to, "{from}");
        }
    }
}

//! What the app serves, as a closed list: a new page or server function has to be written down here, with its method.

use std::collections::BTreeSet;

use axum::http::Method;
use leptos::server_fn::axum::server_fn_paths;

use super::gate::OPEN_FUNCTIONS;
use crate::App;

/// Server functions that answer GET. They must change nothing: GET passes the origin check.
const READS: [&str; 27] = [
    "/admin/fn/account/get",
    "/admin/fn/administrators/list",
    "/admin/fn/aliases/auto",
    "/admin/fn/aliases/list",
    "/admin/fn/audit/list",
    "/admin/fn/backends/get",
    "/admin/fn/backends/history",
    "/admin/fn/backends/list",
    "/admin/fn/find",
    "/admin/fn/help/facts",
    "/admin/fn/live/now",
    "/admin/fn/models/page",
    "/admin/fn/network/get",
    "/admin/fn/network/tls",
    "/admin/fn/playground/facts",
    "/admin/fn/pulls/list",
    "/admin/fn/requests/get",
    "/admin/fn/requests/list",
    "/admin/fn/session/current",
    "/admin/fn/settings/get",
    "/admin/fn/settings/redis-status",
    "/admin/fn/setup/found",
    "/admin/fn/setup/state",
    "/admin/fn/upgrade/get",
    "/admin/fn/usage/page",
    "/admin/fn/users/get",
    "/admin/fn/users/list",
];

#[test]
fn only_reads_answer_get_and_all_else_is_post() {
    let (reads, writes): (Vec<_>, Vec<_>) = server_fn_paths().partition(|(_, method)| *method == Method::GET);
    let reads: BTreeSet<&str> = reads.into_iter().map(|(path, _)| path).collect();
    assert_eq!(reads, BTreeSet::from(READS));
    assert!(!writes.is_empty());
    for (path, method) in writes {
        assert_eq!(method, Method::POST, "{path}");
        assert!(path.starts_with("/admin/fn/"), "{path}");
    }
}

#[test]
fn what_is_open_without_a_session_exists() {
    let paths: BTreeSet<&str> = server_fn_paths().map(|(path, _)| path).collect();
    for open in OPEN_FUNCTIONS {
        assert!(paths.contains(open), "{open} is open but is no server function");
    }
}

#[tokio::test]
async fn the_pages_are_these() {
    let pages: BTreeSet<String> =
        leptos_axum::generate_route_list(App).iter().map(|route| route.path().to_owned()).collect();
    let expected = [
        "/admin",
        "/admin/audit",
        "/admin/account",
        "/admin/administrators",
        "/admin/aliases",
        "/admin/backends",
        "/admin/backends/upgrade",
        "/admin/backends/{id}",
        "/admin/backends/{id}/history",
        "/admin/confirm",
        "/admin/help",
        "/admin/login",
        "/admin/login/code",
        "/admin/models",
        "/admin/network",
        "/admin/playground",
        "/admin/pulls",
        "/admin/requests",
        "/admin/requests/{id}",
        "/admin/settings",
        "/admin/setup",
        "/admin/usage",
        "/admin/users",
        "/admin/users/{id}",
    ];
    assert_eq!(pages, expected.into_iter().map(str::to_owned).collect());
}

/// What an action is called in the audit log is written down for every function that could be refused.
#[test]
fn everything_that_changes_something_has_words_for_the_audit_log() {
    for (path, method) in server_fn_paths() {
        assert_eq!(control::audit_words(path).is_some(), method == Method::POST, "{path}");
    }
}

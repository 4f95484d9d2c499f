//! What each role may do: every server function and page with every role, against the column of the written list.

use domain::admin::Role;
use reqwest::header;

use crate::{
    admin::{Admin, PASSWORD, create, home_with_admin},
    harness::{Server, until},
    ways_in::{CLOSED, CLOSED_PAGES},
};

async fn signed_in(server: &Server, role: Role) -> Admin {
    Admin::sign_in_as(server, role.as_str(), PASSWORD).await
}

/// The status and the kind of error.
async fn call(server: &Server, admin: &Admin, method: &str, path: &str, fields: &[(&str, &str)]) -> (u16, String) {
    let request = if method == "GET" {
        admin
            .get(server, &format!("/admin/fn/{path}?{}", crate::admin::form(fields)))
            .header("sec-fetch-site", "same-origin")
    } else {
        admin.post(server, path, fields)
    };
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let body: serde_json::Value = answer.json().await.unwrap_or_default();
    (status, body["kind"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn every_function_is_refused_to_lesser_roles_and_to_no_others() {
    let home = home_with_admin();
    Role::ALL.iter().for_each(|role| create(&home, role.as_str(), PASSWORD, role.as_str()));
    let server = home.start();
    for role in Role::ALL {
        let mut admin = signed_in(&server, role).await;
        for (method, path, least, fields) in CLOSED {
            let (status, kind) = call(&server, &admin, method, path, fields).await;
            let refused = status == 403 && kind == "forbidden";
            assert_eq!(refused, role < least, "{path} for {role}: {status} {kind}");
            // Anything else but this: it was let in, and then its sample was right or wrong.
            assert!(
                ![401, 404, 415, 500, 503].contains(&status) || kind == "not_found",
                "{path} for {role}: {status} {kind}"
            );
            if path == "session/logout" {
                admin = signed_in(&server, role).await;
            }
        }
    }
    server.stop();
}

#[tokio::test]
async fn every_page_can_be_read_by_every_role_and_offers_what_the_role_may_do() {
    let home = home_with_admin();
    Role::ALL.iter().for_each(|role| create(&home, role.as_str(), PASSWORD, role.as_str()));
    home.ok(&["user", "add", "ada"]);
    home.ok(&["backend", "add", "--name", "gpu", "--url", "http://127.0.0.1:9"]);
    let first = |nouns: &str| home.json(&[nouns, "list"])[0]["id"].as_str().unwrap().to_owned();
    let (user, backend) = (first("user"), first("backend"));
    let address = |page: &str| page.replace("{id}", if page.starts_with("/admin/backends") { &backend } else { &user });
    let server = home.start();
    /// A page, the words of its buttons, and the least role for them.
    const OFFERS: [(&str, &str, Role); 11] = [
        ("/admin/aliases", "Add alias", Role::Operator),
        ("/admin/backends/{id}", "Test now", Role::Operator),
        ("/admin/backends", "Add backend", Role::Operator),
        ("/admin/backends", "Test now", Role::Operator),
        ("/admin/users", "Add user", Role::Operator),
        ("/admin/users", "Remove user", Role::Operator),
        ("/admin/users/{id}", "Create key", Role::Operator),
        ("/admin/network", "Save network settings", Role::Owner),
        ("/admin/network", "Make certificate", Role::Owner),
        ("/admin/settings", "Save settings", Role::Owner),
        ("/admin/administrators", "Add administrator", Role::Owner),
    ];
    for role in Role::ALL {
        let admin = signed_in(&server, role).await;
        for page in CLOSED_PAGES {
            // There is no request yet, and the page says so.
            let status = if page == "/admin/requests/{id}" { 404 } else { 200 };
            assert_eq!(admin.status(&server, &address(page)).await, status, "{page} for {role}");
        }
        for stream in [
            "/admin/live",
            "/admin/audit/export?format=csv",
            "/admin/requests/live",
            "/admin/requests/export?format=csv",
            "/admin/usage/export?format=csv&from=1&to=2",
        ] {
            assert_eq!(admin.status(&server, stream).await, 200, "{stream} for {role}");
        }
        for (page, words, least) in OFFERS {
            let page = address(page);
            let html = admin.get(&server, &page).header(header::ACCEPT, "text/html").send().await.unwrap();
            let html = html.text().await.unwrap();
            assert_eq!(html.contains(words), role >= least, "{words:?} on {page} for {role}");
            assert_eq!(html.contains("Your role is"), role < least, "{page} says why to {role}");
        }
    }
    server.stop();
}

#[tokio::test]
async fn a_disabled_or_demoted_administrator_is_out_at_once_and_so_is_the_open_stream() {
    let home = home_with_admin();
    create(&home, "second", PASSWORD, "owner");
    let server = home.start();
    for change in [&["admin", "role", "second", "viewer"][..], &["admin", "disable", "second"]] {
        let second = Admin::sign_in_as(&server, "second", PASSWORD).await;
        let mut stream = second.get(&server, "/admin/live").send().await.unwrap();
        assert!(stream.chunk().await.unwrap().is_some());
        home.ok(change);
        assert_eq!(second.status(&server, "/admin/users").await, 303, "{change:?}");
        assert_eq!(second.status(&server, "/admin/fn/users/list").await, 401, "{change:?}");
        while stream.chunk().await.unwrap().is_some() {}
    }
    let rows = home.json(&["admin", "list"]);
    assert_eq!((&rows[1]["role"], &rows[1]["enabled"]), (&"viewer".into(), &false.into()));
    // Nothing is left to do but what leaves an owner.
    for refused in
        [&["admin", "remove", "root"][..], &["admin", "disable", "root"], &["admin", "role", "root", "viewer"]]
    {
        let outcome = home.run(refused);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(outcome.stderr.contains("last enabled owner"), "{outcome:?}");
    }
    assert_eq!(home.run(&["admin", "role", "root", "king"]).code, Some(64));
    home.ok(&["admin", "remove", "second"]);
    assert_eq!(home.names(&["admin", "list"]), ["root"]);
    server.stop();
}

#[tokio::test]
async fn after_a_restart_dangerous_changes_ask_for_the_password_and_a_plain_form_leads_there_and_back() {
    let home = home_with_admin();
    let server = home.start();
    let admin = Admin::sign_in(&server).await;
    server.stop();
    let server = home.start();
    let fields = [("name", "the new one"), ("password", "another fine phrase"), ("role", "operator")];
    assert_eq!(call(&server, &admin, "POST", "administrators/add", &fields).await, (403, "needs_password".into()));

    let page = "/admin/administrators";
    let plain = |function: &'static str, fields: &[(&str, &str)], from: String| {
        admin.post(&server, function, fields).header(header::ACCEPT, "text/html").header(header::REFERER, from)
    };
    let led = plain("administrators/add", &fields, server.url(page)).send().await.unwrap();
    let confirm = led.headers()[header::LOCATION].to_str().unwrap().to_owned();
    assert_eq!((led.status().as_u16(), confirm.as_str()), (303, "/admin/confirm?next=/admin/administrators"));
    let answer = crate::admin::cookie(&led, "op_answer").unwrap();

    let wrong = plain("session/confirm", &[("password", "a wrong guess")], server.url(&confirm)).send().await.unwrap();
    assert_eq!(wrong.headers()[header::LOCATION], confirm.as_str());
    let right = plain("session/confirm", &[("password", PASSWORD)], server.url(&confirm)).send().await.unwrap();
    assert_eq!(right.headers()[header::LOCATION], page);
    let back = admin.get(&server, page).header(header::COOKIE, answer).send().await.unwrap().text().await.unwrap();
    assert!(back.contains("the new one") && !back.contains("another fine phrase"), "what was typed, but for secrets");
    let done = plain("administrators/add", &fields, server.url(page)).send().await.unwrap();
    assert_eq!(done.headers()[header::LOCATION], page);
    assert_eq!(home.names(&["admin", "list"]), ["root", "the new one"]);
    let log = until("it is written", || Some(server.log()));
    assert!(!log.contains("another fine phrase"));
    server.stop();
}

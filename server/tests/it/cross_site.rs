//! What a signed-in administrator's browser could be made to send by a page of somebody else: every combination of the
//! headers by which we tell, the bodies a form or a script can send, and the methods.

use reqwest::{Method, header};

use crate::{
    admin::{Admin, form, home_with_admin, server_functions},
    harness::{Server, http},
};

const SITES: [Option<&str>; 5] = [None, Some("none"), Some("cross-site"), Some("same-site"), Some("same-origin")];
const KINDS: [&str; 4] =
    ["application/x-www-form-urlencoded", "text/plain", "application/json", "multipart/form-data; boundary=limit"];

/// The argument in the form that `kind` announces.
fn body(kind: &str, name: &str) -> String {
    match kind {
        "application/json" => serde_json::json!({ "input": { "name": name } }).to_string(),
        "multipart/form-data; boundary=limit" => {
            format!("--limit\r\ncontent-disposition: form-data; name=\"input[name]\"\r\n\r\n{name}\r\n--limit--\r\n")
        }
        _ => form(&[("name", name)]),
    }
}

async fn users(server: &Server, admin: &Admin) -> Vec<String> {
    let answer = admin.get(server, "/admin/fn/users/list?input[search]=").send().await.unwrap().text().await.unwrap();
    let page: serde_json::Value = serde_json::from_str(&answer).unwrap();
    page["users"].as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap().to_owned()).collect()
}

/// T17.
#[tokio::test]
async fn only_our_own_pages_change_anything() {
    let home = home_with_admin();
    let server = home.start();
    let admin = Admin::sign_in(&server).await;
    let own = format!("http://{}", server.address);
    let other_port = format!("http://{}:1", server.address.ip());
    let other_scheme = format!("https://{}", server.address);
    let origins = [None, Some("null"), Some("http://evil.test"), Some(&*other_port), Some(&*other_scheme), Some(&*own)];
    let mut expected = Vec::new();
    let mut sent = 0;
    for origin in origins {
        for site in SITES {
            for kind in KINDS {
                for method in [Method::GET, Method::POST] {
                    let name = format!("user {sent}");
                    sent += 1;
                    let path = if method == Method::GET {
                        format!("/admin/fn/users/add?{}", form(&[("name", &name)]))
                    } else {
                        "/admin/fn/users/add".to_owned()
                    };
                    let mut request = http()
                        .request(method.clone(), server.url(&path))
                        .header(header::COOKIE, &admin.cookie)
                        .header(header::CONTENT_TYPE, kind)
                        .body(body(kind, &name));
                    for (header, value) in [("origin", origin), ("sec-fetch-site", site)] {
                        if let Some(value) = value {
                            request = request.header(header, value);
                        }
                    }
                    let status = request.send().await.unwrap().status().as_u16();
                    let what = format!("{method} {kind}, origin {origin:?}, site {site:?}: {status}");
                    let ours = site == Some("same-origin") || (site.is_none() && origin == Some(&*own));
                    if method == Method::GET {
                        assert!(!(200..300).contains(&status) && status < 500, "{what}");
                    } else if !ours {
                        assert_eq!(status, 403, "{what}");
                    } else if kind == KINDS[0] {
                        assert_eq!(status, 200, "{what}");
                        expected.push(name);
                    } else {
                        assert!(status < 500, "{what}");
                        // A body of another kind may be understood or not; it is our own page's.
                        if status == 200 {
                            expected.push(name);
                        }
                    }
                }
            }
        }
    }
    assert_eq!(sent, 240);
    assert!(!expected.is_empty());
    let mut found = users(&server, &admin).await;
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    server.stop();
}

#[tokio::test]
async fn no_function_that_changes_anything_answers_a_page_from_elsewhere() {
    let home = home_with_admin();
    let server = home.start();
    let admin = Admin::sign_in(&server).await;
    let before = home.names(&["user", "list"]);
    let functions = server_functions();
    assert!(functions.iter().any(|(method, _)| method == "POST"));
    for (method, path) in functions {
        for (site, origin) in [("cross-site", "http://evil.test"), ("same-site", "http://127.0.0.1:1")] {
            let request = http()
                .request(method.parse().unwrap(), server.url(&path))
                .header(header::COOKIE, &admin.cookie)
                .header(header::CONTENT_TYPE, KINDS[0])
                .header("sec-fetch-site", site)
                .header(header::ORIGIN, origin);
            let answer = request.send().await.unwrap();
            if method == "POST" {
                assert_eq!(answer.status(), 403, "{path}");
            }
            // What is only read may be asked for, but the asking page is never shown the answer.
            assert!(answer.headers().get(header::ACCESS_CONTROL_ALLOW_ORIGIN).is_none(), "{path}");
            assert_eq!(answer.headers()["cross-origin-resource-policy"], "same-origin", "{path}");
        }
    }
    assert_eq!(admin.status(&server, "/admin/fn/session/current").await, 200, "still signed in");
    assert_eq!(home.names(&["user", "list"]), before);
    server.stop();
}

//! Every server function of the app refuses what it does not know: other encodings than a form, and unknown fields at any
//! level. The list is the app's own, so a new function cannot be forgotten.

use reqwest::{Method, RequestBuilder, header};

use crate::{
    admin::{Admin, PASSWORD, create, form, home_with_admin, server_functions},
    harness::{Server, http},
    ways_in::CLOSED,
};

const FORM: &str = "application/x-www-form-urlencoded";

/// A call with these fields, in the query of a GET and else in the body.
fn call(server: &Server, admin: &Admin, method: &str, path: &str, fields: &str, kind: &str) -> RequestBuilder {
    let request = if method == "GET" {
        http().get(server.url(&format!("{path}?{fields}")))
    } else {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        http().request(method, server.url(path)).header(header::CONTENT_TYPE, kind).body(fields.to_owned())
    };
    request.header("sec-fetch-site", "same-origin").header(header::COOKIE, &admin.cookie)
}

/// T15.
#[tokio::test]
async fn no_function_takes_a_field_it_does_not_know() {
    let home = home_with_admin();
    let server = home.start();
    let admin = Admin::sign_in(&server).await;
    let functions = server_functions();
    assert!(functions.len() > 20, "{functions:?}");
    for (method, path) in &functions {
        for fields in ["extra=1", "input%5Bno_such_field%5D=1", "input[no_such_field]=1", "input[name][x]=1&extra[0]=1"]
        {
            let answer = call(&server, &admin, method, path, fields, FORM).send().await.unwrap();
            let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
            assert!(status == 400 && text.contains("unknown field"), "{method} {path} with {fields}: {status} {text}");
        }
    }
    server.stop();
}

/// T15.
#[tokio::test]
async fn nobody_is_promoted_by_a_field_that_a_form_does_not_have() {
    let home = home_with_admin();
    create(&home, "viewer", PASSWORD, "viewer");
    let server = home.start();
    let admin = Admin::sign_in(&server).await;
    let before = home.json(&["admin", "list"]);
    for (method, path, _, sample) in CLOSED.iter().filter(|(method, ..)| *method == "POST") {
        for extra in ["role", "is_admin", "status", "hash", "password_hash", "allowed_routes", "created_at", "id"] {
            if sample.iter().any(|(field, _)| *field == extra) || *path == "keys/status" && extra == "status" {
                continue;
            }
            let fields = form(&[*sample, &[(extra, "owner")]].concat());
            let answer = call(&server, &admin, method, &format!("/admin/fn/{path}"), &fields, FORM);
            let answer = answer.send().await.unwrap();
            assert_eq!(answer.status(), 400, "{path} with {extra}");
        }
    }
    let now = home.json(&["admin", "list"]);
    let told = |rows: &[serde_json::Value]| {
        rows.iter().map(|row| (row["name"].clone(), row["role"].clone(), row["enabled"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(told(&now), told(&before));
    server.stop();
}

#[tokio::test]
async fn no_function_takes_anything_but_a_form() {
    let home = home_with_admin();
    let server = home.start();
    let admin = Admin::sign_in(&server).await;
    for (method, path) in server_functions().iter().filter(|(method, _)| method != "GET") {
        for kind in ["text/plain", "application/json", "multipart/form-data; boundary=x", ""] {
            let answer = call(&server, &admin, method, path, "input[name]=a", kind).send().await.unwrap();
            assert_eq!(answer.status(), 415, "{path} as {kind:?}");
        }
    }
    assert_eq!(admin.status(&server, "/admin/users").await, 200, "signing out was refused too");
    server.stop();
}

#[tokio::test]
async fn an_address_cannot_bring_an_error_of_its_own() {
    let home = home_with_admin();
    let server = home.start();
    let forged = "/admin/login?next=/admin/users&__path=%2Fadmin%2Ffn%2Fsession%2Flogin&__err=eyJraW5kIjoiYnVzeSJ9";
    for address in [forged, &forged.replace("__err", "%5F_err").replace("__path", "_%5fpath")] {
        let answer = http().get(server.url(address)).send().await.unwrap();
        assert!(answer.status().is_redirection(), "{}", answer.status());
        assert_eq!(answer.headers()["location"], "/admin/login?next=/admin/users");
    }
    server.stop();
}

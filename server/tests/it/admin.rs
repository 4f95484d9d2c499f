//! An administrator over HTTP, as the pages' forms are: signing in and calling server functions.

use reqwest::{RequestBuilder, header};
use url::form_urlencoded::Serializer;

use crate::harness::{Home, Server, http};

pub const NAME: &str = "root";
pub const PASSWORD: &str = "correct horse battery";

/// A home whose server has the administrator [`NAME`].
pub fn home_with_admin() -> Home {
    Home::new().with("ADMIN_USER", NAME).with("ADMIN_PASSWORD", PASSWORD)
}

/// The fields of a server function's one argument, as a form sends them.
pub fn form(fields: &[(&str, &str)]) -> String {
    let mut form = Serializer::new(String::new());
    for (name, value) in fields {
        form.append_pair(&format!("input[{name}]"), value);
    }
    form.finish()
}

/// A call of a server function by nobody, from our own origin.
pub fn post(server: &Server, function: &str, fields: &[(&str, &str)]) -> RequestBuilder {
    http()
        .post(server.url(&format!("/admin/fn/{function}")))
        .header("sec-fetch-site", "same-origin")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(form(fields))
}

/// Method and path of every server function of the app.
pub fn server_functions() -> Vec<(String, String)> {
    // Named so that the app is linked, and its functions with it.
    let _app = app::App;
    let paths = leptos::server_fn::axum::server_fn_paths();
    paths.map(|(path, method)| (method.to_string(), path.to_owned())).collect()
}

/// A cookie that an answer sets, as `name=value`.
pub fn cookie(answer: &reqwest::Response, name: &str) -> Option<String> {
    let all = answer.headers().get_all(header::SET_COOKIE).iter();
    let pairs = all.filter_map(|line| line.to_str().ok()?.split(';').next());
    pairs.filter(|pair| pair.starts_with(&format!("{name}="))).map(str::to_owned).next()
}

/// Creates one more administrator on the command line.
pub fn create(home: &Home, name: &str, password: &str, role: &str) {
    let created =
        home.run_with(&format!("{password}\n"), &["admin", "create", name, "--role", role, "--password-stdin"]);
    assert_eq!(created.code, Some(0), "{created:?}");
}

/// A session.
pub struct Admin {
    /// The whole `Cookie` header.
    pub cookie: String,
}

impl Admin {
    pub async fn sign_in(server: &Server) -> Self {
        Self::sign_in_with(server, PASSWORD).await
    }

    pub async fn sign_in_with(server: &Server, password: &str) -> Self {
        Self::sign_in_as(server, NAME, password).await
    }

    pub async fn sign_in_as(server: &Server, name: &str, password: &str) -> Self {
        let answer = post(server, "session/login", &[("name", name), ("password", password)]).send().await.unwrap();
        let session = cookie(&answer, "op_session");
        Self { cookie: session.unwrap_or_else(|| panic!("no session: {}", answer.status())) }
    }

    /// The secret in the cookie.
    pub fn token(&self) -> &str {
        self.cookie.split_once('=').unwrap().1
    }

    pub fn post(&self, server: &Server, function: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        post(server, function, fields).header(header::COOKIE, &self.cookie)
    }

    pub fn get(&self, server: &Server, path: &str) -> RequestBuilder {
        http().get(server.url(path)).header(header::COOKIE, &self.cookie)
    }

    /// A call that must succeed; what it answered.
    pub async fn call(&self, server: &Server, function: &str, fields: &[(&str, &str)]) -> serde_json::Value {
        let answer = self.post(server, function, fields).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{function}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// The status of a page.
    pub async fn status(&self, server: &Server, path: &str) -> u16 {
        self.get(server, path).send().await.unwrap().status().as_u16()
    }
}

//! The event stream of the dashboard, opened with a session made through the login form.

use reqwest::header;

use crate::{
    admin::Admin,
    harness::{Home, Server, http},
};

const PASSWORD: &str = "correct horse battery";

async fn login(server: &Server) -> String {
    let answer = http()
        .post(server.url("/admin/fn/session/login"))
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "application/x-www-form-urlencoded")
        .body("input[name]=root&input[password]=correct+horse+battery")
        .send()
        .await
        .unwrap();
    let cookie = answer.headers().get(header::SET_COOKIE).unwrap_or_else(|| panic!("no session: {}", answer.status()));
    cookie.to_str().unwrap().split(';').next().unwrap().to_owned()
}

/// Reads events until one satisfies `wanted`.
pub async fn event(
    stream: &mut reqwest::Response,
    text: &mut String,
    mut wanted: impl FnMut(&serde_json::Value) -> bool,
) {
    loop {
        while let Some((event, rest)) = text.split_once("\n\n") {
            let data = event.lines().find_map(|line| line.strip_prefix("data: "));
            let found = data.is_some_and(|data| wanted(&serde_json::from_str(data).unwrap()));
            *text = rest.to_owned();
            if found {
                return;
            }
        }
        let chunk = stream.chunk().await.unwrap().expect("the stream ended");
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
}

#[tokio::test]
async fn changes_are_seen_and_the_session_s_end_is_the_stream_s() {
    let home = Home::new().with("ADMIN_USER", "root").with("ADMIN_PASSWORD", PASSWORD);
    let server = home.start();
    let cookie = login(&server).await;
    let mut stream = http().get(server.url("/admin/live")).header("cookie", &cookie).send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    event(&mut stream, &mut text, |status| status["backends"].as_array().unwrap().is_empty()).await;
    home.ok(&["backend", "add", "--name", "gpu", "--url", "http://127.0.0.1:9"]);
    event(&mut stream, &mut text, |status| status["backends"][0]["name"] == "gpu").await;

    let signed_out = http()
        .post(server.url("/admin/fn/session/logout"))
        .header("cookie", &cookie)
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "application/x-www-form-urlencoded")
        .send()
        .await
        .unwrap();
    assert!(signed_out.status().is_success() || signed_out.status().is_redirection(), "{}", signed_out.status());
    while stream.chunk().await.unwrap().is_some() {}
    server.stop();
}

/// The body of the second stream ends by itself; the first one, of an address that stays admitted, goes on.
#[tokio::test]
async fn an_address_that_is_denied_from_now_on_loses_its_stream_at_once() {
    let home =
        Home::new().with("ADMIN_USER", "root").with("ADMIN_PASSWORD", PASSWORD).with("TRUSTED_PROXIES", "127.0.0.1");
    let server = home.start();
    let admin = Admin::sign_in(&server).await;
    let open = async |from: &str| {
        let request = admin.get(&server, "/admin/live").header("x-forwarded-for", from);
        let mut stream = request.send().await.unwrap();
        assert_eq!(stream.status(), 200, "{from}");
        assert!(stream.chunk().await.unwrap().is_some());
        stream
    };
    let (mut stays, mut goes) = (open("192.0.2.7").await, open("192.0.2.66").await);
    admin.call(&server, "network/save", &[("admin_denied_ips", "192.0.2.66")]).await;
    while goes.chunk().await.unwrap().is_some() {}
    home.ok(&["backend", "add", "--name", "gpu", "--url", "http://127.0.0.1:9"]);
    event(&mut stays, &mut String::new(), |status| status["backends"][0]["name"] == "gpu").await;
    server.stop();
}

#[tokio::test]
async fn open_streams_do_not_hold_the_end_up() {
    let home = Home::new().with("ADMIN_USER", "root").with("ADMIN_PASSWORD", PASSWORD).with("DRAIN_SECONDS", "3600");
    let server = home.start();
    let cookie = login(&server).await;
    let mut stream = http().get(server.url("/admin/live")).header("cookie", &cookie).send().await.unwrap();
    assert!(stream.chunk().await.unwrap().is_some());
    server.stop();
    while let Ok(Some(_)) = stream.chunk().await {}
}

//! Two gateways on one database: what is done on one holds on the other within seconds.

use crate::{
    admin::Admin,
    harness::{Server, until, until_listed},
    server::SurrealServer,
    support::{ask, home_on, ollama, until_answered},
};

/// The fields of the settings page as a browser without JavaScript would send them back.
async fn settings(admin: &Admin, server: &Server) -> Vec<(String, String)> {
    let page = admin.get(server, "/admin/settings").send().await.unwrap().text().await.unwrap();
    let attribute = |tag: &str, name: &str| {
        let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
        Some(rest.split('"').next()?.replace("&amp;", "&"))
    };
    // The frame has forms of its own.
    let (_, form) = page.split_once("/admin/fn/settings/save").expect("the form is on its page");
    let form = form.split("</form>").next().unwrap_or_default();
    let inputs = form.split("<input").skip(1).filter_map(|rest| rest.split_once('>').map(|(tag, _)| tag));
    inputs
        .filter(|tag| !tag.contains("type=\"checkbox\"") || tag.contains(" checked"))
        .filter_map(|tag| {
            let name = attribute(tag, "name")?.strip_prefix("input[")?.strip_suffix(']')?.to_owned();
            Some((name, attribute(tag, "value").unwrap_or_default()))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_settings_of_one_gateway_hold_on_the_other() {
    let database = SurrealServer::start();
    let ollama = ollama().await;
    let (one_home, two_home) = (home_on(&database), home_on(&database));
    let one = one_home.start();
    let two = two_home.start();
    one_home.ok(&["backend", "add", "--name", "gpu", "--url", &ollama.base()]);
    one_home.ok(&["user", "add", "ada"]);
    let key = one_home.ok(&["key", "create", "--user", "ada", "--name", "laptop"]);
    until_listed(&one, &key, "llama3.2").await;
    until_answered(&two, &key, "llama3.2", 200).await;
    // A session of one is one of the other.
    let admin = Admin::sign_in(&one).await;
    until("the session is known", || (two_home.names(&["user", "list"]) == ["ada"]).then_some(()));

    let mut fields = settings(&admin, &one).await;
    assert!(fields.iter().any(|(name, _)| name == "requests"), "{fields:?}");
    for (name, value) in &mut fields {
        match name.as_str() {
            "requests" => *value = "1".to_owned(),
            "minutes" => *value = "600".to_owned(),
            _ => {}
        }
    }
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    admin.call(&one, "settings/save", &fields).await;
    // One an hour is used up at once.
    until_answered(&two, &key, "llama3.2", 429).await;
    two_home.ok(&["key", "limit", &key[..15], "--requests", "100000", "--minutes", "1"]);
    until_answered(&one, &key, "llama3.2", 200).await;

    assert_eq!(ask(&two, &key, "llama3.2").await, 200);
    one_home.ok(&["key", "revoke", &key[..15]]);
    assert_eq!(ask(&one, &key, "llama3.2").await, 401, "refused from the moment the command returned");
    until_answered(&two, &key, "llama3.2", 401).await;
    for server in [one, two] {
        assert!(!server.log().contains("ERROR"), "{}", server.log());
        server.stop();
    }
}

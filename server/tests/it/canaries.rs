//! Secrets that the program makes itself, or is started with: of the set-up, of signing in, of the second factor, keys of
//! the installation. Looked for in everything a person, a log collector or a backup could read (T14).

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{Response, header};

use crate::{
    admin::{Admin, cookie, post},
    harness::{Home, Server},
    second_factor::code,
    secrets::Seen,
    sessions::{contains, files},
};

const PASSWORD: &str = "canary admin password";
const OLD_KEY: &str = "canary-old-secret-key-0123456789abcdef";
const NEW_KEY: &str = "canary-new-secret-key-0123456789abcdef";
const DATABASE: &str = "canary-database-password";
/// Never secret: shows that this test can see what is there.
const VISIBLE: &str = "canary-that-may-be-seen";

fn folder(seen: &mut Seen, home: &Home, state: &str) {
    for (number, bytes) in files(&home.data()).into_iter().enumerate() {
        seen.0.insert(format!("{state}, file {number} of the data folder"), bytes);
    }
}

async fn second(server: &Server, ticket: &str, code: &str) -> Response {
    post(server, "session/code", &[("code", code)]).header(header::COOKIE, ticket).send().await.unwrap()
}

#[tokio::test]
async fn no_secret_of_set_up_or_signing_in_is_anywhere_once_it_was_told() {
    let home = Home::new().with("LOG_LEVEL", "trace").with("LOG_FORMAT", "json");
    let mut server = home.start();
    let line = server.line();
    let link = line.rsplit(' ').next().unwrap().to_owned();
    let (_, token) = link.split_once("token=").unwrap();
    let mut seen = Seen::default();
    let opened = crate::harness::http().get(&link).send().await.unwrap();
    let setup = cookie(&opened, "op_setup").unwrap();
    seen.keep("the link", opened).await;
    let fields = [("name", "root"), ("password", PASSWORD)];
    let made = post(&server, "setup/admin", &fields).header(header::COOKIE, &setup).send().await.unwrap();
    let admin = Admin { cookie: cookie(&made, "op_session").unwrap() };
    let first_device = cookie(&made, "op_device");
    seen.keep("setup/admin", made).await;
    let user = admin.call(&server, "users/add", &[("name", VISIBLE)]).await["id"].as_str().unwrap().to_owned();

    // What is shown once, to be written down, is not kept here.
    let factor = admin.call(&server, "account/factor-start", &[]).await;
    let totp = factor["secret"].as_str().unwrap().to_owned();
    let codes = admin.call(&server, "account/factor-confirm", &[("code", &code(&totp, 0))]).await;
    let recovery: Vec<String> =
        codes["codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()).collect();
    let answer = post(&server, "session/login", &[("name", "root"), ("password", PASSWORD)]).send().await.unwrap();
    let ticket = cookie(&answer, "op_ticket").unwrap();
    seen.keep("session/login", answer).await;
    seen.keep("session/code, wrong", second(&server, &ticket, "000000").await).await;
    let answer = second(&server, &ticket, &code(&totp, 1)).await;
    let (session, device) = (cookie(&answer, "op_session").unwrap(), cookie(&answer, "op_device").unwrap());
    seen.keep("session/code", answer).await;
    let known = post(&server, "session/login", &[("name", "root"), ("password", "canary wrong password")]);
    seen.keep("a known device", known.header(header::COOKIE, &device).send().await.unwrap()).await;
    let answer = post(&server, "session/login", &[("name", "root"), ("password", PASSWORD)]).send().await.unwrap();
    let ticket_two = cookie(&answer, "op_ticket").unwrap();
    seen.keep("session/code, recovery", second(&server, &ticket_two, &recovery[3]).await).await;
    seen.documents(&server, &Admin { cookie: session.clone() }, &user).await;

    let installation = std::fs::read(home.data().join("secret.key")).unwrap();
    assert!(installation.len() >= 32, "a key was made");
    let check = home.run(&["check"]);
    seen.0.insert("check".into(), format!("{check:?}").into_bytes());
    let backup = home.run_with("a long passphrase for it\n", &["backup", "canary.backup", "--passphrase-stdin"]);
    assert_eq!(backup.code, Some(0), "{backup:?}");
    seen.0.insert("a backup file".into(), std::fs::read(home.path().join("canary.backup")).unwrap());
    folder(&mut seen, &home, "running");
    let log = server.log();
    server.stop();
    folder(&mut seen, &home, "stopped");
    seen.0.insert("standard error".into(), log.into_bytes());
    // But for the file it is kept in.
    seen.0.retain(|_, bytes| *bytes != installation);
    assert!(!seen.0.values().any(|bytes| contains(bytes, &installation)), "secret.key");
    assert!(seen.0.values().any(|bytes| contains(bytes, VISIBLE.as_bytes())), "it can see");

    let value = |cookie: &str| cookie.split_once('=').unwrap().1.to_owned();
    let mut secrets = vec![
        ("the set-up's token", token.to_owned()),
        ("the set-up's cookie", value(&setup)),
        ("the password", PASSWORD.to_owned()),
        ("a session", value(&session)),
        ("the first session", value(&admin.cookie)),
        ("a ticket", value(&ticket)),
        ("a ticket that was used", value(&ticket_two)),
        ("a device", value(&device)),
        ("the secret of the second factor", totp.clone()),
        ("the same without blanks", totp.replace(' ', "")),
        ("secret.key in hex", installation.iter().map(|byte| format!("{byte:02x}")).collect()),
        ("secret.key in base64", STANDARD.encode(&installation).trim_end_matches('=').to_owned()),
    ];
    secrets.extend(first_device.map(|device| ("the first device", value(&device))));
    for code in recovery {
        secrets.push(("a recovery code", code.replace('-', "")));
        secrets.push(("a recovery code", code));
    }
    assert!(secrets.iter().all(|(_, secret)| secret.len() > 7), "too short to be looked for");
    seen.assert_without(&secrets);
}

#[tokio::test]
async fn no_key_of_the_installation_is_anywhere_while_one_takes_over_from_the_other() {
    let home = Home::new().with("LOG_LEVEL", "trace").with("ADMIN_USER", "root").with("ADMIN_PASSWORD", PASSWORD);
    let home = home.with("SECRET_KEY", OLD_KEY);
    let server = home.start();
    home.ok(&["user", "add", VISIBLE]);
    home.run_with(
        "canary-token\n",
        &["backend", "add", "--name", "gpu", "--url", "http://127.0.0.1:9", "--token-stdin"],
    );
    server.stop();
    let home = home.with("SECRET_KEY", NEW_KEY).with("SECRET_KEY_PREVIOUS", OLD_KEY);
    let server = home.start();
    let admin = Admin::sign_in_with(&server, PASSWORD).await;
    let mut seen = Seen::default();
    seen.documents(&server, &admin, "000000000000").await;
    let check = home.run(&["check"]);
    seen.0.insert("check".into(), format!("{check:?}").into_bytes());
    folder(&mut seen, &home, "running");
    seen.0.insert("standard error".into(), server.log().into_bytes());
    server.stop();
    folder(&mut seen, &home, "stopped");
    assert!(seen.0["/admin/users"].windows(VISIBLE.len()).any(|bytes| bytes == VISIBLE.as_bytes()), "it can see");
    seen.assert_without(&[("SECRET_KEY_PREVIOUS", OLD_KEY.to_owned()), ("SECRET_KEY", NEW_KEY.to_owned())]);
}

#[test]
fn the_password_of_a_database_server_is_in_no_message() {
    let mut seen = Seen::default();
    for (place, address) in [
        ("nobody listens", format!("ws://root:{DATABASE}@127.0.0.1:9/fortress/fortress")),
        ("no such form", format!("ws://root:{DATABASE}@127.0.0.1:9/a b/c?x#y")),
        ("no such scheme", format!("mysql://root:{DATABASE}@127.0.0.1:9/x")),
        ("no such host", format!("ws://root:{DATABASE}@no-such-host.invalid/fortress/fortress")),
    ] {
        let home = Home::new().with("DATABASE_URL", &address).with("LOG_LEVEL", "trace");
        for arguments in [&["check"][..], &["serve"], &["user", "list"]] {
            let outcome = home.run(arguments);
            assert!(arguments == ["check"] || outcome.code != Some(0), "{place}: {outcome:?}");
            seen.0.entry(place.to_owned()).or_default().extend(format!("{outcome:?}").into_bytes());
        }
    }
    assert!(seen.0.values().all(|said| said.len() > 100), "it said something");
    seen.assert_without(&[("the password of DATABASE_URL", DATABASE.to_owned())]);
}

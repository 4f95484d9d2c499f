//! Signing in with a second factor over HTTP: two steps, codes that count once, nothing before both.

use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Response, header};
use sha1::Sha1;

use crate::{
    admin::{Admin, NAME, PASSWORD, cookie, home_with_admin, post},
    harness::Server,
    sessions::{contains, files},
};

/// The code that an app with this secret shows `steps` after now.
pub fn code(secret: &str, steps: u64) -> String {
    let bits: String = secret
        .chars()
        .filter(|letter| !letter.is_whitespace())
        .map(|letter| format!("{:05b}", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(letter).unwrap()))
        .collect();
    let key: Vec<u8> = bits
        .as_bytes()
        .chunks_exact(8)
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 30 + steps;
    let mut mac = Hmac::<Sha1>::new_from_slice(&key).unwrap();
    mac.update(&now.to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let at = usize::from(hash[19] & 15);
    let number = u32::from_be_bytes(hash[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

async fn password(server: &Server) -> Response {
    post(server, "session/login", &[("name", NAME), ("password", PASSWORD)]).send().await.unwrap()
}

async fn second(server: &Server, ticket: &str, code: &str) -> Response {
    post(server, "session/code", &[("code", code)]).header(header::COOKIE, ticket).send().await.unwrap()
}

#[tokio::test]
async fn with_a_second_factor_nothing_opens_before_both_and_each_code_opens_once() {
    let home = home_with_admin();
    let server = home.start();
    let admin = Admin::sign_in(&server).await;
    let setup = admin.call(&server, "account/factor-start", &[]).await;
    let secret = setup["secret"].as_str().unwrap().to_owned();
    assert!(setup["uri"].as_str().unwrap().starts_with("otpauth://totp/"));
    assert!(setup["picture"].as_str().unwrap().contains("<svg"));
    let used = code(&secret, 0);
    let codes = admin.call(&server, "account/factor-confirm", &[("code", &used)]).await;
    let recovery: Vec<&str> = codes["codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect();
    assert_eq!(recovery.len(), 8);

    let first = password(&server).await;
    assert!(cookie(&first, "op_session").is_none() && cookie(&first, "op_device").is_none());
    let ticket = cookie(&first, "op_ticket").unwrap();
    let bearer = Admin { cookie: ticket.replace("op_ticket", "op_session") };
    assert_eq!(bearer.status(&server, "/admin/users").await, 303, "a ticket is no session");
    for wrong in [used.as_str(), "000000", "", "abcd-efgh-ijkl-mnop"] {
        let refused = second(&server, &ticket, wrong).await;
        assert_eq!(refused.status(), 401, "{wrong}");
        assert!(cookie(&refused, "op_session").is_none(), "{wrong}");
    }
    let opened = second(&server, &ticket, &code(&secret, 1)).await;
    let session = Admin { cookie: cookie(&opened, "op_session").unwrap() };
    assert_eq!(session.status(&server, "/admin/users").await, 200);
    assert_eq!(second(&server, &ticket, &code(&secret, 1)).await.status(), 401, "neither ticket nor code count again");

    for again in [true, false] {
        let ticket = cookie(&password(&server).await, "op_ticket").unwrap();
        let opened = second(&server, &ticket, recovery[2]).await;
        assert_eq!(opened.status().is_success(), again, "a recovery code opens once");
    }
    for text in [secret.replace(' ', ""), recovery[5].to_owned(), recovery[5].replace('-', "")] {
        assert!(!files(&home.data()).iter().any(|bytes| contains(bytes, text.as_bytes())), "stored as it is: {text}");
        assert!(!server.log().contains(&text));
    }
    home.ok(&["admin", "reset-totp", NAME]);
    Admin::sign_in(&server).await;
    server.stop();
}

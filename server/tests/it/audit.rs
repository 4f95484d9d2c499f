//! The audit log from outside: what is refused, what survives, what a stranger cannot fill, and the whole log as a file.

use std::{
    collections::BTreeSet,
    io::Write,
    process::{Command, Stdio},
};

use domain::audit::{AuditActor, AuditEntry, AuditOutcome};
use reqwest::{Method, header};
use serde_json::Value;
use store::{Store, StoreConfig};

use crate::{
    admin::{Admin, NAME, PASSWORD, form, home_with_admin, post},
    harness::{Home, Server, http, until},
};

const VIEWER: &str = "the viewer";
const PHRASE: &str = "another fine phrase";

/// Newest first.
fn log(home: &Home) -> Vec<Value> {
    home.json(&["audit", "list", "--limit", "100000"])
}

fn text<'v>(row: &'v Value, path: &str) -> &'v str {
    row.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// Actor, action and reason of what was refused.
fn refused(home: &Home) -> BTreeSet<(String, String, String)> {
    let rows = log(home).into_iter().filter(|row| row["outcome"] == "refused");
    rows.map(|row| ["/actor/name", "/action", "/reason"].map(|path| text(&row, path).to_owned()).into()).collect()
}

#[track_caller]
fn assert_refused(home: &Home, actor: &str, action: &str, reason: &str) {
    let found = refused(home);
    assert!(found.contains(&(actor.into(), action.into(), reason.into())), "{actor}, {action}, {reason}: {found:#?}");
}

async fn viewer(server: &Server, owner: &Admin) -> Admin {
    let fields = [("name", VIEWER), ("password", PHRASE), ("role", "viewer")];
    owner.call(server, "administrators/add", &fields).await;
    let answer = post(server, "session/login", &[("name", VIEWER), ("password", PHRASE)]).send().await.unwrap();
    let cookies: Vec<&str> =
        answer.headers().get_all(header::SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect();
    let session = cookies.iter().find(|cookie| cookie.starts_with("op_session=")).unwrap();
    Admin { cookie: session.split(';').next().unwrap().to_owned() }
}

/// Names and values of a form.
type Fields<'a> = &'a [(&'a str, &'a str)];

#[tokio::test]
async fn what_is_refused_has_a_row_that_repeats_nothing_of_the_request() {
    let home = home_with_admin();
    let server = home.start();
    let owner = Admin::sign_in(&server).await;
    let viewer = viewer(&server, &owner).await;
    // A missing right, by script and by plain form.
    for accept in ["application/json", "text/html"] {
        let call = viewer.post(&server, "users/add", &[("name", "canary")]).header(header::ACCEPT, accept);
        call.header(header::REFERER, server.url("/admin/users")).send().await.unwrap();
    }
    let right = "your role is viewer: this needs the role operator";
    assert_refused(&home, VIEWER, "user added", right);
    let row = log(&home).into_iter().find(|row| text(row, "/reason") == right).unwrap();
    assert_eq!((text(&row, "/actor/role"), text(&row, "/actor/address")), ("viewer", "127.0.0.1"));
    // Values that are not accepted, things that are not there, fields that nobody knows.
    let calls: [(&str, Fields, &str, &str); 4] = [
        ("users/add", &[("name", "canary\u{202e}")], "user added", "a value was not accepted: name"),
        ("users/remove", &[("id", "canarycanary")], "user removed", "user not found"),
        ("users/add", &[("name", "x"), ("canary", "canary")], "user added", "a value was not accepted: input"),
        (
            "keys/status",
            &[("id", "canary"), ("status", "revoked")],
            "key status changed",
            "a value was not accepted: input",
        ),
    ];
    for (function, fields, action, reason) in calls {
        assert!(owner.post(&server, function, fields).send().await.unwrap().status().is_client_error(), "{function}");
        assert_refused(&home, NAME, action, reason);
    }
    let odd = owner.post(&server, "users/remove", &[]).body("canary=1").send().await.unwrap();
    assert_eq!(odd.status(), 400);
    assert_refused(&home, NAME, "user removed", "a value was not accepted: input");
    // What is no form, what is too large for one, and what only reads and yet is not for everybody.
    let odd = owner.post(&server, "users/policy", &[]).header(header::CONTENT_TYPE, "application/json").body("{}");
    assert_eq!(odd.send().await.unwrap().status(), 415);
    assert_refused(&home, NAME, "user policy changed", "a value was not accepted: input");
    let large = "canary".repeat(20_000);
    let too_large = "a form of the admin pages has at most 64 KiB";
    for (call, actor) in
        [(owner.post(&server, "keys/policy", &[]), NAME), (post(&server, "keys/policy", &[]), "not signed in")]
    {
        assert_eq!(call.body(large.clone()).send().await.unwrap().status(), 413);
        assert_refused(&home, actor, "key policy changed", too_large);
    }
    assert_eq!(viewer.status(&server, "/admin/fn/setup/found").await, 403);
    assert_refused(&home, VIEWER, "admin pages opened", right);
    // Nobody's requests: without a session, from another site, for another name, with an old link.
    post(&server, "keys/create", &[("name", "canary")]).send().await.unwrap();
    assert_refused(&home, "not signed in", "key created", "not signed in");
    let foreign = owner.post(&server, "backends/remove", &[("id", "canary")]);
    let foreign = http()
        .post(server.url("/admin/fn/backends/remove"))
        .header("sec-fetch-site", "cross-site")
        .body(foreign.build().unwrap().body().and_then(|body| body.as_bytes()).unwrap_or_default().to_vec());
    assert_eq!(foreign.send().await.unwrap().status(), 403);
    assert_refused(&home, "not signed in", "backend removed", "this form was sent from another site");
    let host = http().get(server.url("/admin/canary")).header(header::HOST, "canary.evil.test").send().await.unwrap();
    assert_eq!(host.status(), 421);
    let name = "a host name that the admin pages are not offered under";
    assert_refused(&home, "not signed in", "admin pages opened", name);
    http().get(server.url("/admin/setup?token=canary")).send().await.unwrap();
    assert_refused(&home, "not signed in", "set-up link opened", "the set-up is done: sign in instead");
    http().get(server.url("/admin/audit/export?format=csv&text=canary")).send().await.unwrap();
    assert_refused(&home, "not signed in", "audit log exported", "not signed in");
    // And the command line.
    assert_eq!(home.run(&["backend", "remove", "canary"]).code, Some(1));
    assert_refused(&home, "command line", "backend removed", "backend not found");
    let log = serde_json::to_string(&log(&home)).unwrap();
    assert!(!log.contains("canary"), "{log}");
    server.stop();
}

#[tokio::test]
async fn failed_sign_ins_and_the_lock_out_are_told_by_account_and_address() {
    let home = home_with_admin();
    let server = home.start();
    for _ in 0..7 {
        let guess = post(&server, "session/login", &[("name", "ROOT"), ("password", "canary guess")]);
        assert_eq!(guess.send().await.unwrap().status(), 401);
    }
    assert_refused(&home, NAME, "signed in", "wrong name or password");
    assert_refused(&home, NAME, "signed in", "too many attempts");
    let log = serde_json::to_string(&log(&home)).unwrap();
    assert!(!log.contains("canary") && log.contains("127.0.0.1"), "{log}");
    server.stop();
    let other = home_with_admin();
    let server = other.start();
    let mistaken = post(&server, "session/login", &[("name", "canary password"), ("password", "x")]);
    assert_eq!(mistaken.send().await.unwrap().status(), 401);
    assert_refused(&other, "unknown account", "signed in", "wrong name or password");
    server.stop();
}

#[tokio::test]
async fn addresses_that_the_lists_keep_out_are_told() {
    let home = home_with_admin().with("ADMIN_DENIED_IPS", "127.0.0.1");
    let server = home.start();
    assert_eq!(http().get(server.url("/admin/users")).send().await.unwrap().status(), 403);
    let reason = "an address that the lists keep out of the admin pages";
    assert_refused(&home, "not signed in", "admin pages opened", reason);
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_refusals_of_strangers_are_a_few_rows_and_every_one_is_counted() {
    const FLOOD: u64 = 10_000;
    let home = home_with_admin();
    let server = home.start();
    let client = http();
    let functions = ["users/add", "keys/create", "settings/save", "no/such/function", "network/save"];
    let callers = (0..20u64).map(|caller| {
        let (client, server) = (client.clone(), &server);
        async move {
            for number in 0..FLOOD / 20 {
                let function = functions[((caller + number) % 5) as usize];
                let url = server.url(&format!("/admin/fn/{function}?{caller}={number}"));
                let call = client.post(url).header("sec-fetch-site", "same-origin");
                let call = call.header(header::USER_AGENT, format!("canary {caller} {number}"));
                assert_eq!(call.send().await.unwrap().status(), 401);
            }
        }
    });
    futures_util::future::join_all(callers).await;
    server.stop();
    let rows: Vec<Value> = log(&home).into_iter().filter(|row| row["outcome"] == "refused").collect();
    assert_eq!(rows.iter().map(|row| row["count"].as_u64().unwrap()).sum::<u64>(), FLOOD);
    // One at once and one at the end, of each minute that the flood took.
    assert!(rows.len() <= 5 * 2 * 10, "{} rows", rows.len());
    assert!(!serde_json::to_string(&rows).unwrap().contains("canary"));
}

#[tokio::test]
async fn what_was_answered_is_in_the_log_even_if_the_power_fails_then() {
    let home = home_with_admin();
    let server = home.start();
    let admin = Admin::sign_in(&server).await;
    let user = admin.call(&server, "users/add", &[("name", "ada")]).await;
    let fields = [("id", user["id"].as_str().unwrap()), ("enabled", "false")];
    admin.call(&server, "users/enabled", &fields).await;
    server.kill();
    let newest = log(&home).remove(0);
    assert_eq!((text(&newest, "/action"), text(&newest, "/actor/name")), ("user switched", NAME));
    assert_eq!(text(&newest, "/actor/address"), "127.0.0.1");
    let field = serde_json::json!({ "field": "enabled", "before": "yes", "after": "no" });
    assert_eq!(newest.pointer("/changes/0/fields/0"), Some(&field));
}

/// Begins like a formula in a spreadsheet.
const FORMULAS: [&str; 8] = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\0x", "a,\"b\"\r\nc"];

/// A log with `count` rows of this reason.
fn filled(count: u64, reason: &str) -> Home {
    let home = home_with_admin();
    home.ok(&["user", "add", "ada"]);
    let address = format!("surrealkv://{}", home.data().join("db").display());
    let fill = async {
        let store = Store::open(&StoreConfig { address }).await.unwrap();
        let entry = |number: u64| AuditEntry {
            id: format!("{number:012}"),
            at: 1_700_000_000_000 + number,
            actor: AuditActor { name: FORMULAS[(number % 8) as usize].into(), id: None, role: None, address: None },
            action: "user added".into(),
            outcome: AuditOutcome::Done,
            reason: Some(reason.to_owned()),
            count: 1,
            changes: Vec::new(),
        };
        for start in (0..count).step_by(500) {
            store.append_audit((start..count.min(start + 500)).map(entry).collect()).await.unwrap();
        }
        store.close().await.unwrap();
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(fill);
        });
    });
    home
}

/// What Python's own reader makes of it: number of records, and the cells of the column `actor` that are not ours.
fn python(csv: &[u8]) -> Vec<String> {
    const PROGRAM: &str = "import csv,io,json,sys\n\
        rows=list(csv.reader(io.TextIOWrapper(sys.stdin.buffer,encoding='utf-8',newline=''),strict=True))\n\
        print(json.dumps([len(rows),sorted({len(r) for r in rows}),sorted({r[1] for r in rows[1:]})]))";
    let mut child =
        Command::new("python3").args(["-c", PROGRAM]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(csv).unwrap();
    let output = child.wait_with_output().unwrap();
    let (records, columns, actors): (usize, Vec<usize>, Vec<String>) = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(columns, [10], "every record is whole");
    [vec![records.to_string()], actors].concat()
}

/// T19.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_thousand_rows_are_streamed_and_no_cell_is_a_formula() {
    const COUNT: u64 = 20_000;
    let home = filled(COUNT, &"x".repeat(2_000));
    let server = home.start();
    let admin = Admin::sign_in(&server).await;
    // It is read as it is sent: with the session, what is not read yet ends.
    let mut broken = admin.get(&server, "/admin/audit/export?format=csv").send().await.unwrap();
    let mut received = broken.chunk().await.unwrap().unwrap().len();
    admin.call(&server, "session/logout", &[]).await;
    let ended = loop {
        match broken.chunk().await {
            Ok(Some(chunk)) => received += chunk.len(),
            ended => break ended,
        }
    };
    assert!(ended.is_err() && received < 30_000_000, "{received} bytes, and then {ended:?}");

    let admin = Admin::sign_in(&server).await;
    let mut answer = admin.get(&server, "/admin/audit/export?format=csv").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let header = |name: header::HeaderName| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header(header::CONTENT_TYPE), "text/csv; charset=utf-8; header=present");
    let name = header(header::CONTENT_DISPOSITION);
    assert!(name.starts_with("attachment; filename=\"audit-20") && name.ends_with(".csv\""), "{name}");
    assert_eq!(header(header::CACHE_CONTROL), "no-store");
    assert!(answer.headers().get(header::CONTENT_LENGTH).is_none(), "it is sent as it is read");
    let mut csv = Vec::new();
    while let Some(chunk) = answer.chunk().await.unwrap() {
        csv.extend_from_slice(&chunk);
    }
    assert!(csv.len() > 40_000_000, "{} bytes", csv.len());

    let read = python(&csv);
    let others = home.json(&["audit", "list", "--since", "1d"]).len() as u64;
    // The line of names; and this export is noted once it has begun.
    let records: u64 = read[0].parse().unwrap();
    assert!((COUNT + 3..=COUNT + 1 + others).contains(&records), "{records}");
    for formula in &FORMULAS[..7] {
        assert!(read.contains(&format!("'{formula}")), "{formula:?}: {read:?}");
    }
    assert!(read.contains(&FORMULAS[7].to_owned()), "{read:?}");
    assert!(read[1..].iter().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\0'])), "{read:?}");

    // The filter of the page counts here too, and the command line writes the same.
    let filtered = "/admin/audit/export?format=jsonl&actor=command%20line&text=ADA&from=1d";
    let lines = admin.get(&server, filtered).send().await.unwrap().text().await.unwrap();
    assert_eq!(lines.lines().count(), 1, "{lines}");
    assert_eq!(text(&serde_json::from_str(&lines).unwrap(), "/action"), "user added");
    for query in ["", "format=xml", "format=csv&odd=1", "format=csv&from=yesterday", "format=csv&outcome=maybe"] {
        assert_eq!(admin.status(&server, &format!("/admin/audit/export?{query}")).await, 400, "{query}");
    }
    server.stop();
}

#[tokio::test]
async fn the_command_line_reads_the_log_of_a_running_and_of_a_stopped_gateway() {
    let home = filled(1_100, "a page");
    home.ok(&["user", "add", "eve"]);
    assert_eq!(home.run(&["user", "add", "ADA"]).code, Some(64));
    let check = |state: &str| {
        // More than a page, over the socket and without.
        let many = home.ok(&["audit", "export", "--format", "jsonl", "--text", "a page"]);
        assert_eq!(many.lines().count(), 1_100, "{state}");
        let list = home.ok(&["audit", "list"]);
        let refused = "user added REFUSED: a value was not accepted: name";
        let found = list.lines().find(|line| line.ends_with(refused));
        assert!(found.is_some_and(|line| line.contains("  command line  ")), "{state}: {list}");
        assert_eq!(home.json(&["audit", "list", "--refused"]).len(), 1, "{state}");
        assert_eq!(home.json(&["audit", "list", "--actor", "COMMAND line", "--text", "eve"]).len(), 1, "{state}");
        assert_eq!(home.json(&["audit", "list", "--limit", "2"]).len(), 2, "{state}");
        assert!(home.json(&["audit", "list", "--since", "2100-01-01"]).is_empty(), "{state}");
        assert_eq!(home.json(&["audit", "list", "--until", "0m"]).len(), home.json(&["audit", "list"]).len());
        let bad = home.run(&["audit", "list", "--since", "yesterday"]);
        assert_eq!((bad.code, bad.stderr.contains("from: give a time as")), (Some(64), true), "{bad:?}");
        let csv = home.ok(&["audit", "export", "--format", "csv", "--refused"]);
        assert_eq!(csv.lines().count(), 2, "{state}: {csv}");
    };
    check("stopped");
    let server = home.start();
    check("running");
    server.stop();
    assert_eq!(Home::new().run(&["audit", "list"]).code, Some(1), "there is no gateway to ask");
}

#[tokio::test]
async fn the_export_is_on_no_public_listener_and_for_no_stranger() {
    let home = home_with_admin().with("ADMIN_LISTEN", "localhost:0");
    let mut server = home.start();
    let line = server.line();
    let admin =
        line.strip_prefix("The admin pages are at http://").and_then(|rest| rest.strip_suffix("/admin")).unwrap();
    let path = "/admin/audit/export?format=csv";
    assert_eq!(http().get(server.url(path)).send().await.unwrap().status(), 404);
    let stranger =
        |accept: &'static str| http().get(format!("http://{admin}{path}")).header(header::ACCEPT, accept).send();
    assert_eq!(stranger("*/*").await.unwrap().status(), 401);
    let led = stranger("text/html").await.unwrap();
    assert_eq!(
        (led.status().as_u16(), led.headers()[header::LOCATION].to_str().unwrap()),
        (303, "/admin/login?next=/admin/audit")
    );
    let login = http()
        .request(Method::POST, format!("http://{admin}/admin/fn/session/login"))
        .header("sec-fetch-site", "same-origin")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(form(&[("name", NAME), ("password", PASSWORD)]));
    let cookie = login.send().await.unwrap().headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
    let cookie = cookie.split(';').next().unwrap();
    let export = http().get(format!("http://{admin}{path}")).header(header::COOKIE, cookie).send().await.unwrap();
    assert_eq!(export.status(), 200);
    assert!(export.text().await.unwrap().contains("signed in"));
    until("the export has its own row", || {
        log(&home).iter().any(|row| text(row, "/action") == "audit log exported").then_some(())
    });
    server.stop();
}

/// T09: what stands in the log is who called, as the last proxy that is trusted tells it, and not what a client claims.
#[tokio::test]
async fn behind_trusted_proxies_the_log_names_the_caller_and_never_what_he_claims() {
    let home = home_with_admin().with("TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8");
    let server = home.start();
    let hops = "203.0.113.66, 198.51.100.7, 10.0.0.3";
    let login = post(&server, "session/login", &[("name", NAME), ("password", "a wrong guess")]);
    login.header("x-forwarded-for", hops).send().await.unwrap();
    let admin = Admin::sign_in(&server).await;
    let add = admin.post(&server, "users/add", &[("name", "somebody")]).header("x-forwarded-for", hops);
    assert_eq!(add.send().await.unwrap().status(), 200);
    let row = |action: &str| until(action, || log(&home).into_iter().find(|row| text(row, "/action") == action));
    for action in ["user added", "signed in"] {
        let expected = if action == "user added" { "198.51.100.7" } else { "127.0.0.1" };
        assert_eq!(text(&row(action), "/actor/address"), expected, "{action}");
    }
    let failed = until("the failed one", || log(&home).into_iter().find(|row| row["outcome"] == "refused"));
    assert_eq!(text(&failed, "/actor/address"), "198.51.100.7", "{failed}");
    server.stop();
    // Whom nobody trusts claims in vain.
    let home = home_with_admin();
    let server = home.start();
    let admin = Admin::sign_in(&server).await;
    let add = admin.post(&server, "users/add", &[("name", "somebody")]).header("x-forwarded-for", hops);
    assert_eq!(add.send().await.unwrap().status(), 200);
    let row = log(&home).into_iter().find(|row| text(row, "/action") == "user added").unwrap();
    assert_eq!(text(&row, "/actor/address"), "127.0.0.1");
    server.stop();
}

//! Servers that cannot be used: one line that says what to look at, and never a password.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    thread,
};

use store::{Store, StoreConfig};
use surrealdb::{engine::any, opt::auth::Root};

use crate::{
    server::{PASSWORD_IN_ADDRESS, SurrealServer, USER},
    support::own_config,
};

async fn fault(address: String) -> String {
    let fault = Store::open(&StoreConfig { address }).await.err().expect("it was to be refused").to_string();
    assert!(!fault.contains('\n') && !fault.contains("p@ss") && !fault.contains("hunter2"), "{fault}");
    fault
}

/// Answers whatever comes with `answer`, and goes on reading.
fn impostor(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer);
                let _ = stream.write_all(answer);
                while stream.read(&mut buffer).is_ok_and(|count| count > 0) {}
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_or_user_is_said() {
    let own = own_config().address;
    let (_, host) = own.rsplit_once('@').unwrap();
    for wrong in ["root:hunter2", "nobody:hunter2"] {
        let fault = fault(format!("ws://{wrong}@{host}")).await;
        assert!(fault.contains("refuses the user name or the password of DATABASE_URL"), "{fault}");
    }
    let fault = fault(format!("ws://{host}")).await;
    assert!(fault.contains("user") && fault.contains("DATABASE_URL"), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_database_server_is_said() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = fault(format!("ws://root:hunter2@{closed}")).await;
    assert!(refused.contains("refused") && refused.contains(&closed.to_string()), "{refused}");
    let web = impostor(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    let other = fault(format!("ws://root:hunter2@{web}")).await;
    assert!(other.contains("is it a SurrealDB server"), "{other}");
    let mute = impostor(b"");
    let silent = fault(format!("ws://root:hunter2@{mute}")).await;
    assert!(silent.contains("no answer within"), "{silent}");
    let unknown = fault("ws://root:hunter2@no-such-host.invalid:8000".into()).await;
    assert!(unknown.contains("no-such-host.invalid"), "{unknown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_where_there_is_none_is_said() {
    let server = SurrealServer::start();
    let fault = fault(format!("wss://{USER}:{PASSWORD_IN_ADDRESS}@{}", server.address())).await;
    assert!(fault.contains("is it ws:// there"), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_a_namespace_or_a_database_get_in_there_and_nowhere_else() {
    let server = SurrealServer::start();
    let db = any::connect(format!("ws://{}", server.address())).await.unwrap();
    db.signin(Root { username: USER.into(), password: "p@ss:w/rd#1".into() }).await.unwrap();
    let users = "DEFINE NAMESPACE team; USE NS team; DEFINE DATABASE gate;
        DEFINE USER ann ON NAMESPACE PASSWORD 'hunter2' ROLES OWNER;
        USE NS team DB gate; DEFINE USER bob ON DATABASE PASSWORD 'hunter2' ROLES OWNER;
        DEFINE USER eve ON DATABASE PASSWORD 'hunter2' ROLES VIEWER;";
    db.query(users).await.unwrap().check().unwrap();
    let address = |user: &str, path: &str| format!("ws://{user}:hunter2@{}{path}", server.address());
    for (user, path) in [("bob", "/team/gate"), ("ann", "/team/gate"), ("ann", "/team/another")] {
        let store = Store::open(&StoreConfig { address: address(user, path) }).await.unwrap();
        assert_eq!(store.load().await.unwrap().revision, 0, "{user} {path}");
    }
    for (user, path) in [("bob", "/team/another"), ("bob", "/wrong/gate"), ("ann", "/wrong/gate"), ("bob", "")] {
        let fault = fault(address(user, path)).await;
        assert!(fault.contains("refuses the user name or the password"), "{user} {path}: {fault}");
    }
    // The server would take this one's writes without doing them.
    let fault = fault(address("eve", "/team/gate")).await;
    assert!(fault.contains("may only read"), "{fault}");
}

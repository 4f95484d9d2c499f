//! Which backend a request goes to, seen from outside: warm before cold, priorities, drained backends, and what callers
//! with the permission are told of it.

use domain::{balance::Balance, policy::Policy, usage::Choice};
use testkit::FakeOllama;

use crate::rig::{Rig, read};

const CHAT: &str = r#"{"model":"llama3.2","messages":[{"role":"user","content":"hi"}],"stream":false}"#;

async fn fleet<const N: usize>() -> [FakeOllama; N] {
    let mut fakes = Vec::new();
    for _ in 0..N {
        fakes.push(FakeOllama::builder().models(["llama3.2", "qwen3"]).start().await);
    }
    fakes.try_into().unwrap_or_else(|_| panic!("as many as were made"))
}

fn counts(fakes: &[FakeOllama]) -> Vec<usize> {
    fakes.iter().map(|fake| fake.inference_requests().len()).collect()
}

#[tokio::test]
async fn what_a_look_found_loaded_is_where_requests_go() {
    let fakes: [FakeOllama; 3] = fleet().await;
    fakes[1].set(|script| script.loaded.push("llama3.2:latest".into()));
    let mut rig = Rig::start(&fakes.each_ref()).await;
    for _ in 0..6 {
        let answer = rig.post("/api/chat", CHAT).await;
        assert_eq!((answer.status, answer.header("x-fortress-warm")), (200, Some("true")), "{answer:?}");
        assert_eq!(answer.header("x-fortress-backend"), None, "the fleet is not everybody's business");
        let record = rig.record().await;
        assert_eq!((record.warm, record.error), (Some(true), None));
        let choice = Choice { balance: Balance::WarmFirst, of: 3, ready: 3, by_priority: false, desperate: false };
        assert_eq!(record.choice, Some(choice));
    }
    assert_eq!(counts(&fakes), [0, 6, 0]);
}

#[tokio::test]
async fn a_record_keeps_among_whom_its_backend_was_chosen() {
    let fakes: [FakeOllama; 3] = fleet().await;
    let mut rig = Rig::with(&fakes.each_ref(), |plan| {
        plan.settings.balance = Balance::RoundRobin;
        plan.preferred = Some(2);
    })
    .await;
    rig.post("/api/chat", CHAT).await;
    let choice = Choice { balance: Balance::RoundRobin, of: 3, ready: 3, by_priority: true, desperate: false };
    assert_eq!(rig.record().await.choice, Some(choice));
    fakes[2].refuse_connections().await;
    assert_eq!(rig.post("/api/chat", CHAT).await.status, 200);
    let record = rig.record().await;
    let choice = Choice { ready: 2, by_priority: false, ..choice };
    assert_eq!((record.choice, record.retries), (Some(choice), 1), "who was tried before is not counted");
    rig.get("/api/tags").await;
    assert_eq!(rig.record().await.choice, None, "the gateway answered itself");
}

#[tokio::test]
async fn an_answer_makes_its_backend_warm() {
    let fakes: [FakeOllama; 3] = fleet().await;
    let mut rig = Rig::start(&fakes.each_ref()).await;
    assert_eq!(rig.post("/api/chat", CHAT).await.header("x-fortress-warm"), Some("false"));
    assert_eq!(rig.record().await.warm, Some(false));
    for _ in 0..5 {
        assert_eq!(rig.post("/api/chat", CHAT).await.header("x-fortress-warm"), Some("true"));
    }
    let mut counts = counts(&fakes);
    counts.sort_unstable();
    assert_eq!(counts, [0, 0, 6]);
}

#[tokio::test]
async fn the_next_look_knows_who_pushed_a_model_out() {
    let fakes: [FakeOllama; 1] = fleet().await;
    let mut rig = Rig::start(&fakes.each_ref()).await;
    rig.post("/api/chat", CHAT).await;
    rig.record().await;
    // It has room for one.
    rig.post("/api/chat", CHAT.replace("llama3.2", "qwen3")).await;
    rig.record().await;
    fakes[0].set(|script| script.loaded.retain(|model| model.contains("qwen3")));
    rig.gateway.refresh(None).await;
    rig.post("/api/chat", CHAT).await;
    let record = rig.record().await;
    assert_eq!((record.warm, record.evicted_by.map(|key| key.to_string())), (Some(false), Some("keykeykeykey".into())));
}

#[tokio::test]
async fn a_drained_backend_gets_nothing_new_and_keeps_what_it_has() {
    let held = FakeOllama::builder().models(["llama3.2"]).chunks(2).held().start().await;
    let other = FakeOllama::builder().models(["llama3.2"]).start().await;
    let mut rig = Rig::with(&[&held], |_| ()).await;
    let running = tokio::spawn(read(rig.keyed("POST", "/api/chat").body(CHAT)));
    held.wait_for(|seen| seen.inference().count() == 1).await;
    rig.change(|plan| {
        plan.draining = vec![0];
        plan.backends.push(other.url());
    });
    rig.gateway.refresh(None).await;
    for _ in 0..4 {
        assert_eq!(rig.post("/api/chat", CHAT).await.status, 200);
    }
    held.release_all();
    assert_eq!(running.await.unwrap().status, 200);
    assert_eq!((held.inference_requests().len(), other.inference_requests().len()), (1, 4));
    rig.change(|plan| plan.draining = vec![0, 1]);
    let refused = rig.post("/api/chat", CHAT).await;
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert!(refused.header("retry-after").is_some());
}

#[tokio::test]
async fn keys_with_the_permission_see_where_and_why_and_others_do_not() {
    let fakes: [FakeOllama; 2] = fleet().await;
    let rig = Rig::with(&fakes.each_ref(), |plan| {
        plan.policy = Policy { topology: true, ..Policy::default() };
    })
    .await;
    let answer = read(rig.keyed("POST", "/api/chat").header("x-fortress-explain", "1").body(CHAT)).await;
    let name = answer.header("x-fortress-backend").unwrap().to_owned();
    let why = answer.header("x-fortress-why").unwrap();
    assert!(why.starts_with("warm-first: ") && why.contains(&format!("{name}: chosen, cold")), "{why}");
    assert!(why.contains("b0") && why.contains("b1") && why.len() <= 2048, "{why}");
    assert_eq!(rig.post("/api/chat", CHAT).await.header("x-fortress-why"), None, "nobody asked");
    let other = rig.request("POST", "/api/chat").bearer_auth(crate::rig::second_key()).body(CHAT);
    let other = read(other.header("x-fortress-explain", "1")).await;
    assert_eq!((other.header("x-fortress-backend"), other.header("x-fortress-why")), (None, None));
}

#[tokio::test]
async fn sessions_stay_together_where_affinity_is_set() {
    let fakes: [FakeOllama; 4] = fleet().await;
    let rig = Rig::with(&fakes.each_ref(), |plan| plan.settings.balance = Balance::Affinity).await;
    for _ in 0..8 {
        rig.post("/api/chat", CHAT).await;
    }
    let mut one = counts(&fakes);
    one.sort_unstable();
    assert_eq!(one, [0, 0, 0, 8], "the same beginning of a conversation");
    for session in 0..40 {
        let session = session.to_string();
        read(rig.keyed("POST", "/api/chat").header("x-fortress-session", session).body(CHAT)).await;
    }
    assert!(counts(&fakes).iter().all(|count| *count > 0), "{:?}", counts(&fakes));
}

#[tokio::test]
async fn a_conversation_that_grows_stays_where_it_began() {
    let fakes: [FakeOllama; 4] = fleet().await;
    let rig = Rig::with(&fakes.each_ref(), |plan| plan.settings.balance = Balance::Affinity).await;
    let turn = |messages: &str| format!(r#"{{"model":"llama3.2","stream":false,"messages":[{messages}]}}"#);
    let first = r#"{"role":"user","content":"why is the sky blue?"}"#;
    let second = r#"{"role":"assistant","content":"it scatters"},{"role":"user","content":"and at night?"}"#;
    rig.post("/api/chat", turn(first)).await;
    rig.post("/api/chat", turn(&format!("{first},{second}"))).await;
    rig.post("/v1/chat/completions", turn(&format!("{first}, {second}, {second}"))).await;
    assert!(counts(&fakes).contains(&3), "{:?}", counts(&fakes));
}

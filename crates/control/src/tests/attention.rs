//! What the live status says needs attention, from the fleet, the store and the limits as they really are.

use domain::{
    backend::SetBackendDraining,
    policy::{PolicyInput, SetPolicy},
    upgrade::UpgradeAnswer,
};
use testkit::FakeOllama;

use super::{
    upgrade::{say, start},
    *,
};

fn told(bench: &Bench, actor: &Actor) -> Vec<String> {
    bench.control.live(actor).borrow().attention.iter().map(|item| item.text.clone()).collect()
}

/// A status is made once a second, so this may take as long.
async fn until_told(bench: &Bench, actor: &Actor, expected: &[&str]) {
    until(async || told(bench, actor) == expected).await;
}

#[tokio::test]
async fn the_fleets_troubles_are_told_and_gone_with_their_reasons() {
    let (one, two) =
        (FakeOllama::builder().models(["a"]).start().await, FakeOllama::builder().models(["b"]).start().await);
    let bench = bench().await;
    let actor = bench.admin().await;
    let id = bench.control.add_backend(&actor, add("gpu-1", &one.base(), "")).await.unwrap().id;
    bench.control.add_backend(&actor, add("gpu-2", &two.base(), "")).await.unwrap();
    until_told(&bench, &actor, &[]).await;

    one.refuse_connections().await;
    bench.gateway.refresh(None).await;
    let down = "gpu-1 does not answer: connection refused: nothing listens at this port. Is Ollama running there? Calls for \
                a:latest get 503.";
    until_told(&bench, &actor, &[down]).await;
    one.accept_connections().await;
    bench.gateway.refresh(None).await;
    until_told(&bench, &actor, &[]).await;

    let drain = async |draining| {
        let input = SetBackendDraining { id: id.clone(), draining };
        bench.control.set_backend_draining(&actor, input).await.unwrap();
    };
    drain(true).await;
    until_told(&bench, &actor, &["gpu-1 is drained: it gets nothing new until it is taken back."]).await;
    drain(false).await;
    until_told(&bench, &actor, &[]).await;

    bench.control.start_upgrade(&actor, start(&[&id], true)).await.unwrap();
    bench.control.answer_upgrade(&actor, say(UpgradeAnswer::Pause)).await.unwrap();
    until_told(&bench, &actor, &["The rolling upgrade is paused before gpu-1 goes on."]).await;
    bench.control.answer_upgrade(&actor, say(UpgradeAnswer::StopRejoin)).await.unwrap();
    until_told(&bench, &actor, &[]).await;
}

#[tokio::test]
async fn who_is_at_a_limit_is_told_until_the_limit_is_raised() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let user = bench.user(&actor, "ada").await;
    let key = bench.key(&actor, &user, "laptop").await.view.id;
    bench.key(&actor, &user, "phone").await;
    let day = |tokens: &str| PolicyInput { tokens_per_day: tokens.into(), ..Default::default() };
    let of_key = async |tokens: &str| {
        bench.control.set_key_policy(&actor, SetPolicy::new(key.clone(), day(tokens))).await.unwrap();
    };
    let of_user = async |tokens: &str| {
        bench.control.set_user_policy(&actor, SetPolicy::new(user.clone(), day(tokens))).await.unwrap();
    };
    of_key("1000").await;
    policies::use_up(&bench, &user, &key, Now::read().wall, 1_000, 0).await;
    // What was used before is told to the gateway with the next change.
    of_user("1000").await;
    let texts = [
        "Key laptop of ada is at its limit of 1,000 tokens a day: calls get 429.",
        "User ada is at its limit of 1,000 tokens a day: calls get 429.",
    ];
    until_told(&bench, &actor, &texts).await;
    of_key("1001").await;
    until_told(&bench, &actor, &texts[1..]).await;
    of_user("").await;
    until_told(&bench, &actor, &[]).await;
}

//! What the command palette finds.

use domain::{
    alias::SaveAlias,
    find::{Find, Found, MAX_TEXT, MOST, MOST_OF_KIND},
    user::UserRef,
};
use testkit::FakeOllama;

use super::*;
use crate::FoundPlace;

fn places() -> Vec<FoundPlace> {
    let place = |kind, title, detail, href: &str| FoundPlace { kind, title, detail, href: href.to_owned() };
    vec![
        place("Page", "Dashboard", "", "/admin"),
        place("Page", "Backends", "", "/admin/backends"),
        place("Setting", "Stall time-out (seconds)", "Backends", "/admin/settings#stall_timeout_s"),
    ]
}

fn find(bench: &Bench, actor: &Actor, text: &str) -> Vec<Found> {
    bench.control.find_anything(actor, &Find { text: text.into() }, &places())
}

fn kinds_and_titles(found: &[Found]) -> Vec<(&str, &str)> {
    found.iter().map(|found| (found.kind.as_str(), found.title.as_str())).collect()
}

#[tokio::test]
async fn what_is_configured_and_the_places_are_found_by_parts_of_their_names() {
    let bench = bench().await;
    let actor = &bench.admin().await;
    let fake = FakeOllama::builder().models(["phi4"]).start().await;
    let backend = bench.control.add_backend(actor, add("west rack", &fake.base(), "")).await.unwrap();
    bench.user(actor, "Western Union").await;
    let id = bench.user(actor, "west gone").await;
    bench.control.remove_user(actor, UserRef { id }).await.unwrap();
    let (note, version) = (String::new(), String::new());
    let alias = SaveAlias { name: "west".into(), targets: "a".into(), note, version };
    bench.control.add_alias(actor, alias).await.unwrap();

    let found = find(&bench, actor, " WEST ");
    let titles = kinds_and_titles(&found);
    assert_eq!(titles, [("User", "Western Union"), ("Backend", "west rack"), ("Alias", "west")], "not who was removed");
    assert_eq!(found[1].href, format!("/admin/backends/{}", backend.id));
    assert_eq!(kinds_and_titles(&find(&bench, actor, "union west")), [("User", "Western Union")], "in any order");
    let backends = find(&bench, actor, "backends");
    let titles = kinds_and_titles(&backends);
    assert_eq!(
        titles,
        [("Page", "Backends"), ("Setting", "Stall time-out (seconds)")],
        "a title before what it is about"
    );
    assert_eq!(kinds_and_titles(&find(&bench, actor, "")), [("Page", "Dashboard"), ("Page", "Backends")]);
    assert!(find(&bench, actor, "nothing at all").is_empty());
}

#[tokio::test]
async fn a_model_is_found_once_and_its_address_holds_its_name() {
    let bench = bench().await;
    let actor = &bench.admin().await;
    let one = FakeOllama::builder().models(["Llama3.2", "qwen3:4b"]).start().await;
    let two = FakeOllama::builder().models(["llama3.2"]).start().await;
    for (name, fake) in [("one", &one), ("two", &two)] {
        bench.control.add_backend(actor, add(name, &fake.base(), "")).await.unwrap();
    }
    let found = find(&bench, actor, "llama");
    assert_eq!(kinds_and_titles(&found), [("Model", "llama3.2:latest")]);
    assert_eq!(found[0].href, "/admin/models?model=llama3.2%3Alatest");
}

#[tokio::test]
async fn an_answer_is_bounded_and_so_is_what_is_asked() {
    let bench = bench().await;
    let actor = &bench.admin().await;
    for number in 0..MOST_OF_KIND + 3 {
        bench.user(actor, &format!("many {number}")).await;
    }
    let found = find(&bench, actor, "many");
    assert_eq!(found.len(), MOST_OF_KIND);
    let kinds = ["A", "B", "C", "D", "E"];
    let place = |kind| FoundPlace { kind, title: "many", detail: "", href: "/admin".to_owned() };
    let crowd: Vec<FoundPlace> =
        kinds.into_iter().flat_map(|kind| (0..MOST_OF_KIND).map(move |_| place(kind))).collect();
    assert!(crowd.len() > MOST);
    let found = bench.control.find_anything(actor, &Find { text: "many".into() }, &crowd);
    assert_eq!(found.len(), MOST, "of all kinds together");
    assert!(find(&bench, actor, &"m".repeat(MAX_TEXT + 1)).is_empty());
}

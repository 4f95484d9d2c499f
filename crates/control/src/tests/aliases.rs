//! Aliases: what is saved, refused and told, and how they reach the gateway.

use domain::{
    alias::{AliasRef, AliasView, SaveAlias, TargetState},
    auto::{AutoView, SaveAuto},
    find::Find,
};
use store::row::{AliasRow, Op};
use testkit::FakeOllama;

use super::*;
use crate::{
    by::By,
    command::{Command, Reply},
    state::State,
};

fn save(name: &str, targets: &str) -> SaveAlias {
    SaveAlias { name: name.into(), targets: targets.into(), note: "for work".into(), version: String::new() }
}

fn again(alias: &AliasView, targets: &str) -> SaveAlias {
    SaveAlias { version: alias.version.clone(), ..save(&alias.name, targets) }
}

fn states(alias: &AliasView) -> Vec<(&str, TargetState)> {
    alias.models.iter().map(|target| (target.model.as_str(), target.state)).collect()
}

#[tokio::test]
async fn an_alias_is_in_the_gateway_when_its_save_is_answered() {
    let fake = FakeOllama::builder().models(["llama3.2:3b", "phi4"]).start().await;
    let bench = bench().await;
    let actor = bench.admin().await;
    bench.control.add_backend(&actor, add("gpu", &fake.base(), "")).await.unwrap();
    let fast = bench.control.add_alias(&actor, save("FAST:latest", "gone\nllama3.2:3b")).await.unwrap();
    assert_eq!((fast.name.as_str(), fast.note.as_str(), fast.shadows), ("fast", "for work", false));
    assert_eq!(states(&fast), [("gone", TargetState::Missing), ("llama3.2:3b", TargetState::Next)]);
    let by_way = bench.control.add_alias(&actor, save("phi4", "fast, library/Phi4-mini")).await.unwrap();
    assert!(by_way.shadows, "backends have a model of this name");
    let models: Vec<&str> = by_way.models.iter().map(|target| target.model.as_str()).collect();
    assert_eq!(models, ["gone", "llama3.2:3b", "library/Phi4-mini"], "what the other one leads to");

    let fast = bench.control.edit_alias(&actor, again(&fast, "phi4:14b")).await.unwrap();
    assert_eq!(fast.targets, ["phi4:14b"]);
    assert_eq!(states(&bench.control.aliases(&actor)[1])[0].0, "phi4:14b", "also for those that lead there");
    let gone = AliasRef { name: "Fast".into(), version: fast.version };
    bench.control.remove_alias(&actor, gone.clone()).await.unwrap();
    assert_eq!(bench.control.remove_alias(&actor, gone).await, Err(AdminError::NotFound { what: "alias".into() }));
    assert!(bench.gateway.alias_targets("fast").is_empty());
    assert_eq!(bench.control.aliases(&actor).len(), 1);
}

#[tokio::test]
async fn of_two_who_change_the_same_alias_the_second_is_told_and_nothing_is_lost() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let shown = bench.control.add_alias(&actor, save("fast", "a")).await.unwrap();
    let first = bench.control.edit_alias(&actor, again(&shown, "b")).await.unwrap();
    let second = bench.control.edit_alias(&actor, again(&shown, "c")).await;
    assert!(matches!(second, Err(AdminError::Conflict { .. })), "{second:?}");
    let stale = AliasRef { name: "fast".into(), version: shown.version.clone() };
    assert!(matches!(bench.control.remove_alias(&actor, stale).await, Err(AdminError::Conflict { .. })));
    assert_eq!(bench.control.aliases(&actor)[0].targets, ["b"]);
    assert_eq!(bench.control.edit_alias(&actor, again(&first, "c")).await.unwrap().targets, ["c"]);
    // The same name made anew is another alias.
    let now = bench.control.aliases(&actor).remove(0);
    bench.control.remove_alias(&actor, AliasRef { name: "fast".into(), version: String::new() }).await.unwrap();
    until(async || Now::read().wall > now.version.split('-').next().unwrap().parse().unwrap()).await;
    bench.control.add_alias(&actor, save("fast", "d")).await.unwrap();
    assert!(matches!(bench.control.edit_alias(&actor, again(&shown, "e")).await, Err(AdminError::Conflict { .. })));
    let taken = bench.control.add_alias(&actor, save("library/FAST", "e")).await.err().unwrap();
    assert!(taken.field("name").is_some_and(|text| text.contains("already")), "{taken}");
}

#[tokio::test]
async fn circles_and_too_many_models_are_refused_with_their_names() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let control = &bench.control;
    let fault = |done: Result<AliasView, AdminError>| done.err().unwrap().field("targets").unwrap().to_owned();
    let own = fault(control.add_alias(&actor, save("a", "A:latest")).await);
    assert_eq!(own, "a cannot lead to itself");
    control.add_alias(&actor, save("a", "x\nb")).await.unwrap();
    control.add_alias(&actor, save("b", "c")).await.unwrap();
    let circle = fault(control.add_alias(&actor, save("c", "y\nA")).await);
    assert_eq!(circle, "goes round in a circle: c, then a, then b, then c");
    for group in 0..9 {
        let models: Vec<String> = (0..8).map(|model| format!("m{group}{model}")).collect();
        control.add_alias(&actor, save(&format!("g{group}"), &models.join(" "))).await.unwrap();
    }
    control.add_alias(&actor, save("all", "g0 g1 g2 g3 g4 g5 g6 g7")).await.unwrap();
    let many = fault(control.add_alias(&actor, save("more", "all g8")).await);
    assert_eq!(many, "more would lead to more than 64 models");
    let below = control.aliases(&actor).into_iter().find(|alias| alias.name == "g0").unwrap();
    let many = fault(control.edit_alias(&actor, again(&below, "m00 m01 m02 m03 m04 m05 m06 g8")).await);
    assert_eq!(many, "all would lead to more than 64 models", "what leads to the changed one counts");
}

#[tokio::test]
async fn there_is_an_end_to_aliases() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let row = |number: usize| AliasRow {
        name: format!("a{number:04}"),
        targets: vec!["m".into()],
        note: String::new(),
        changes: 1,
        created_at: 1,
    };
    let many = |_: &State| Ok(((1..domain::alias::MAX_ALIASES).map(|number| Op::PutAlias(row(number))).collect(), ()));
    bench.control.mutate(By::nobody("many"), many).await.unwrap();
    let last = bench.control.add_alias(&actor, save("last", "m")).await.unwrap();
    let over = bench.control.add_alias(&actor, save("over", "m")).await;
    assert!(matches!(over, Err(AdminError::Conflict { .. })), "{over:?}");
    bench.control.edit_alias(&actor, again(&last, "n")).await.unwrap();
}

#[tokio::test]
async fn the_command_line_makes_changes_lists_and_removes() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let run = async |command: Command| bench.control.execute(command).await;
    let set = |targets: &[&str], note: Option<&str>| Command::AliasSet {
        name: "fast".into(),
        targets: targets.iter().map(|text| (*text).to_owned()).collect(),
        note: note.map(str::to_owned),
    };
    run(set(&["a"], Some("quick"))).await.unwrap();
    let Ok(Reply::Aliases(changed)) = run(set(&["a", "b"], None)).await else { panic!() };
    assert_eq!((changed[0].targets.len(), changed[0].note.as_str()), (2, "quick"), "what is not told stays");
    let Ok(Reply::Aliases(listed)) = run(Command::AliasList).await else { panic!() };
    assert_eq!(listed, changed);
    assert_eq!(listed, bench.control.aliases(&actor));
    run(Command::AliasRemove { name: "FAST".into() }).await.unwrap();
    assert!(run(Command::AliasRemove { name: "fast".into() }).await.is_err());
}

fn auto(rows: &[(&str, &str)], on: bool, version: &str) -> SaveAuto {
    let mut input = SaveAuto { on, version: version.into(), ..SaveAuto::default() };
    for (number, (model, purposes)) in rows.iter().enumerate() {
        let row = format!("r{number}");
        input.models.insert(row.clone(), (*model).to_owned());
        input.purposes.insert(row, purposes.split(' ').map(|word| (word.to_owned(), true)).collect());
    }
    input
}

#[tokio::test]
async fn auto_is_off_at_first_and_in_the_gateway_when_its_save_is_answered() {
    let fake = FakeOllama::builder().models(["llama3.2:3b", "phi4", "auto"]).start().await;
    let bench = bench().await;
    let actor = bench.admin().await;
    let control = &bench.control;
    control.add_backend(&actor, add("gpu", &fake.base(), "")).await.unwrap();
    control.add_alias(&actor, save("fast", "phi4\nllama3.2:3b")).await.unwrap();
    let off = control.auto(&actor);
    assert!(!off.on && off.models.is_empty() && off.targets.is_empty() && off.shadows);
    assert_eq!(off.names, ["fast", "auto:latest", "llama3.2:3b", "phi4:latest"]);
    assert!(!control.playground(&actor).aliases.contains(&"auto".to_owned()));

    let on = control.save_auto(&actor, auto(&[("fast", "code general"), ("phi4", "images")], true, &off.version)).await;
    let on = on.unwrap();
    let states: Vec<_> = on.targets.iter().map(|target| (target.model.as_str(), target.state)).collect();
    assert_eq!(states, [("phi4", TargetState::Next), ("llama3.2:3b", TargetState::Standby)], "each once, by the alias");
    assert!(control.playground(&actor).aliases.contains(&"auto".to_owned()));
    let found = control.find_anything(&actor, &Find { text: "auto".into() }, &[]);
    assert!(found.iter().any(|found| found.kind == "Alias" && found.title == "auto"), "{found:?}");

    // Of two who change it the second is told.
    let stale = control.save_auto(&actor, auto(&[], true, &off.version)).await;
    assert!(matches!(stale, Err(AdminError::Conflict { .. })), "{stale:?}");
    let all = control.save_auto(&actor, auto(&[], true, &on.version)).await.unwrap();
    assert_eq!(all.targets.len(), 2, "all of the fleet but the one it hides");
    assert_ne!(all.version, on.version);
    let off = control.save_auto(&actor, auto(&[], false, "")).await.unwrap();
    assert!(!off.on && off.targets.is_empty());
    assert!(bench.gateway.alias_targets("auto").is_empty());
}

#[tokio::test]
async fn auto_and_an_alias_of_its_name_are_never_there_at_once() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let control = &bench.control;
    let fault = |done: Result<AutoView, AdminError>| done.err().unwrap().field("on").unwrap().to_owned();
    let theirs = control.add_alias(&actor, save("auto", "a")).await.unwrap();
    assert_eq!(
        fault(control.save_auto(&actor, auto(&[], true, "")).await),
        "there is an alias auto: remove that one first"
    );
    control.save_auto(&actor, auto(&[("a", "general")], false, "")).await.unwrap();
    control.remove_alias(&actor, AliasRef { name: "auto".into(), version: theirs.version }).await.unwrap();
    let leads = control.add_alias(&actor, save("fast", "a, AUTO:latest")).await.unwrap();
    assert!(fault(control.save_auto(&actor, auto(&[], true, "")).await).starts_with("the alias fast leads to auto"));
    control.edit_alias(&actor, again(&leads, "a")).await.unwrap();
    control.save_auto(&actor, auto(&[], true, "")).await.unwrap();

    let refused = control.add_alias(&actor, save("library/AUTO", "a")).await.err().unwrap();
    assert!(refused.field("name").is_some_and(|text| text.contains("picks a model for each request")), "{refused}");
    let refused = control.add_alias(&actor, save("other", "auto")).await.err().unwrap();
    assert!(refused.field("targets").is_some_and(|text| text.contains("nothing can lead to it")), "{refused}");
    control.save_auto(&actor, auto(&[], false, "")).await.unwrap();
    control.add_alias(&actor, save("auto", "a")).await.unwrap();
}

#[tokio::test]
async fn the_command_line_switches_auto_and_says_what_models_are_for() {
    let bench = bench().await;
    let run = async |on: Option<bool>, models: Option<&[&str]>| {
        let models = models.map(|models| models.iter().map(|text| (*text).to_owned()).collect());
        match bench.control.execute(Command::AutoSet { on, models }).await {
            Ok(Reply::Auto(view)) => Ok(view),
            Ok(_) => panic!("another answer"),
            Err(error) => Err(error),
        }
    };
    let told = |view: &AutoView| {
        view.models.iter().map(|row| format!("{}: {}", row.model, row.purposes.words())).collect::<Vec<_>>()
    };
    let twelve: Vec<String> = (0..12).map(|number| format!("m{number}")).collect();
    let twelve: Vec<&str> = twelve.iter().map(String::as_str).collect();
    let view = run(None, Some(&twelve)).await.unwrap();
    assert_eq!(
        view.models.iter().map(|row| row.model.as_str()).collect::<Vec<_>>(),
        twelve,
        "in the order they were given"
    );
    let view = run(None, Some(&["llama3.2", "qwen2.5-coder=code, tools"])).await.unwrap();
    assert!(!view.on, "what is not told stays");
    let view = run(Some(true), None).await.unwrap();
    assert_eq!(
        (view.on, told(&view)),
        (true, vec!["llama3.2: general".to_owned(), "qwen2.5-coder: code, tools".into()])
    );
    let Ok(Reply::Auto(shown)) = bench.control.execute(Command::AutoShow).await else { panic!() };
    assert_eq!(shown, view);
    for (models, fault) in [
        (&["a=poetry"][..], "\"poetry\" is nothing that a model is for"),
        (&["=code"], "\"=code\" names no model"),
        (&["a="], "say what a is for"),
        (&["auto"], "auto cannot pick itself"),
    ] {
        let refused = run(None, Some(models)).await.err().unwrap();
        assert!(refused.field("models").is_some_and(|text| text.starts_with(fault)), "{refused}");
    }
}

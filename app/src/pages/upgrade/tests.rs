//! What the page shows of a run, as the server renders it.

use domain::{
    id::BackendId,
    upgrade::{UpgradeEvent, UpgradePhase, UpgradePlace, UpgradeStep},
};

use super::*;
use crate::rendering::html;

fn run(phase: UpgradePhase, change: impl FnOnce(&mut UpgradeView)) -> UpgradeView {
    let id = BackendId::new("0123456789ab").unwrap();
    let step = UpgradeStep {
        phase,
        before: Some("<b>0.5".into()),
        ..UpgradeStep::new(id, "gpu-1".into(), "http://gpu-1".into(), 0)
    };
    let mut view = UpgradeView {
        id: "r".into(),
        state: UpgradeState::Running,
        by: "root".into(),
        started_at: 0,
        ended_at: None,
        version: None,
        steps: vec![step],
        change: 1,
        events: vec![UpgradeEvent { at: 0, backend: Some("gpu-1".into()), text: "<i>drained".into() }],
    };
    change(&mut view);
    view
}

fn shown(run: UpgradeView) -> String {
    html(move || {
        let (live, _) = signal(Status::default());
        let place = UpgradePlace {
            id: BackendId::new("0123456789ab").unwrap(),
            name: "gpu-1".into(),
            version: None,
            alone: vec!["<u>model".into()],
        };
        let overview = UpgradeOverview { run: Some(run), places: vec![place] };
        view! { <Overview overview live begin={action()} tell={action()} /> }
    })
}

#[test]
fn what_may_be_answered_is_a_button_and_what_backends_say_is_text() {
    let page = shown(run(UpgradePhase::HandedOver, |_| {}));
    for text in ["Under way: 0 of 1 done", "Upgrade gpu-1 now", "gpu-1 is upgraded, go on", "Pause", "Handed over"] {
        assert!(page.contains(text), "{text} is missing in {page}");
    }
    assert!(page.contains(r#"name="input[change]" value="1""#), "what is answered is told: {page}");
    assert!(page.contains("Stop and leave gpu-1 drained") && !page.contains("Begin the upgrade"), "{page}");
    assert!(!page.contains("<b>0.5") && !page.contains("<i>drained"), "{page}");
    let asked = shown(run(UpgradePhase::Verifying, |run| {
        run.state = UpgradeState::Paused;
        run.steps[0].problem = Some("gpu-1 has no <u>model any more. Is it there?".into());
    }));
    assert!(!asked.contains("?."), "{asked}");
    for text in ["Paused", "has no &lt;u&gt;model any more", "Try again", "Take gpu-1 back all the same"] {
        assert!(asked.contains(text), "{text} is missing in {asked}");
    }
    let over = shown(run(UpgradePhase::Rejoined, |run| run.state = UpgradeState::Finished));
    for text in ["Finished: 1 of 1 done", "Begin the upgrade", "Calls for &lt;u&gt;model will get 503"] {
        assert!(over.contains(text), "{text} is missing in {over}");
    }
    assert!(!over.contains("Stop"), "{over}");
}

#[test]
fn the_later_one_of_what_was_read_and_what_is_live_is_shown() {
    let of = |id: &str, change| run(UpgradePhase::Draining, |run| (run.id, run.change) = (id.into(), change));
    let (read, live) = (of("r", 3), UpgradeView { events: Vec::new(), ..of("r", 4) });
    let newer = newest(Some(&read), Some(&live)).unwrap();
    assert_eq!((newer.change, newer.events), (4, read.events.clone()));
    assert_eq!(newest(Some(&read), Some(&of("r", 2))), Some(read.clone()));
    assert_eq!(newest(Some(&read), Some(&of("other", 9))), Some(read.clone()), "it is read again");
    assert_eq!(newest(None, Some(&live)), Some(live));
}

//! The transitions of a rolling upgrade, one after another, without a fleet and without waiting.

use domain::{
    backend::{BackendState, BackendView, BreakerState, BreakerView},
    id::BackendId,
    upgrade::{UpgradeAnswer, UpgradePhase, UpgradeState, UpgradeStep, UpgradeView},
};
use gateway::Loaded;

use super::{
    run::{Act, Run, World},
    step::LONG_MS,
};

/// What becomes of a backend, or of the world, in a case.
type ToBackend = fn(&mut BackendView);
type ToWorld = fn(&mut World);

fn id(number: usize) -> BackendId {
    BackendId::new(&format!("backend{number:05}")).unwrap()
}

/// A backend that is up, with these models.
fn gpu(number: usize, models: &[&str]) -> BackendView {
    BackendView {
        state: BackendState::Up,
        version: Some("0.5.1".into()),
        models: models.iter().map(|model| (*model).to_owned()).collect(),
        ..BackendView::new(id(number), format!("gpu-{number}"), format!("http://gpu-{number}"))
    }
}

fn run(count: usize) -> Run {
    let step = |number| UpgradeStep::new(id(number), format!("gpu-{number}"), format!("http://gpu-{number}"), 0);
    Run {
        view: UpgradeView {
            id: "r".into(),
            state: UpgradeState::Running,
            by: "root".into(),
            started_at: 0,
            ended_at: None,
            version: None,
            steps: (1..=count).map(step).collect(),
            change: 0,
            events: Vec::new(),
        },
        force: false,
        before: Default::default(),
        known: Default::default(),
        claim: None,
        driver: "d".into(),
        driven_at: 0,
    }
}

/// Two backends of the same model, and the run over both.
fn pair() -> (Run, World) {
    let world = World { now: 1_000, backends: vec![gpu(1, &["m:latest"]), gpu(2, &["M"])], ..World::default() };
    (run(2), world)
}

/// Advances, and does to the backends what that asks for.
fn go(run: &mut Run, world: &mut World) -> Vec<Act> {
    let acts = run.advance(world);
    apply(&acts, world);
    acts
}

fn apply(acts: &[Act], world: &mut World) {
    for act in acts {
        let (id, draining) = match act {
            Act::Drain(id) => (id, true),
            Act::TakeBack(id) => (id, false),
        };
        world.backends.iter_mut().filter(|backend| backend.id == *id).for_each(|backend| backend.draining = draining);
    }
}

fn phase(run: &Run, number: usize) -> UpgradePhase {
    run.view.steps[number - 1].phase
}

/// As far as the hand-over of the first.
fn handed() -> (Run, World) {
    let (mut run, mut world) = pair();
    assert_eq!(go(&mut run, &mut world), [Act::Drain(id(1))]);
    world.idle = true;
    assert_eq!(go(&mut run, &mut world), []);
    assert_eq!(phase(&run, 1), UpgradePhase::HandedOver);
    world.looked = Some(world.now);
    (run, world)
}

/// As far as the look that verifies the first.
fn verifying() -> (Run, World) {
    let (mut run, mut world) = handed();
    run.answer(UpgradeAnswer::Continue, "root", &world).unwrap();
    world.looked = Some(world.now);
    assert_eq!(phase(&run, 1), UpgradePhase::Verifying);
    (run, world)
}

#[test]
fn each_backend_takes_its_turn_and_the_next_waits_for_it() {
    let (mut run, mut world) = pair();
    world.loaded = vec![Loaded { model: "m:latest".into(), keep_alive_s: -1 }];
    world.backends[0].in_flight = 2;
    assert_eq!(go(&mut run, &mut world), [Act::Drain(id(1))]);
    for _ in 0..3 {
        assert_eq!(go(&mut run, &mut world), [], "streams are waited for");
    }
    assert_eq!((phase(&run, 1), phase(&run, 2)), (UpgradePhase::Draining, UpgradePhase::Waiting));
    world.idle = true;
    go(&mut run, &mut world);
    assert_eq!(phase(&run, 1), UpgradePhase::HandedOver);
    go(&mut run, &mut world);
    assert_eq!(phase(&run, 1), UpgradePhase::HandedOver, "nothing happened to it yet");
    world.backends[0].state = BackendState::Down;
    world.looked = Some(world.now);
    go(&mut run, &mut world);
    assert!(run.view.steps[0].seen_down && phase(&run, 1) == UpgradePhase::HandedOver);
    (world.backends[0].state, world.backends[0].version) = (BackendState::Draining, Some("0.6.0".into()));
    world.now = 2_000;
    go(&mut run, &mut world);
    assert_eq!(phase(&run, 1), UpgradePhase::Verifying);
    world.looked = Some(1_999);
    go(&mut run, &mut world);
    assert_eq!(phase(&run, 1), UpgradePhase::Verifying, "a look from before says nothing");
    world.looked = Some(2_000);
    go(&mut run, &mut world);
    assert_eq!((phase(&run, 1), run.view.steps[0].cold.clone()), (UpgradePhase::Warming, vec!["m:latest".to_owned()]));
    assert_eq!(go(&mut run, &mut world), []);
    run.warmed(2_100, id(2).as_str(), "m:latest", &Ok(()));
    assert_eq!(run.view.steps[0].cold.len(), 1, "that was another one");
    run.warmed(2_100, id(1).as_str(), "m:latest", &Err("it answered 500".into()));
    assert_eq!(go(&mut run, &mut world), [Act::TakeBack(id(1))]);
    let step = &run.view.steps[0];
    assert_eq!((step.before.as_deref(), step.after.as_deref()), (Some("0.5.1"), Some("0.6.0")));
    assert!(step.notes[0].contains("could not be loaded"), "{step:?}");
    world.loaded.clear();
    assert_eq!(go(&mut run, &mut world), [Act::Drain(id(2))]);
    go(&mut run, &mut world);
    run.answer(UpgradeAnswer::Continue, "root", &world).unwrap();
    assert_eq!(go(&mut run, &mut world), [Act::TakeBack(id(2))], "nothing was loaded there");
    go(&mut run, &mut world);
    assert_eq!((run.view.state, run.view.ended_at), (UpgradeState::Finished, Some(2_000)));
    let stored: Run = serde_json::from_str(&serde_json::to_string(&run).unwrap()).unwrap();
    assert_eq!(stored, run, "it is stored whole");
    assert!(run.answer(UpgradeAnswer::Continue, "root", &world).unwrap_err().contains("no rolling upgrade"));
}

#[test]
fn a_turn_begins_with_what_is_loaded_at_that_moment() {
    let (mut run, mut world) = pair();
    world.unseen = true;
    assert_eq!(go(&mut run, &mut world), []);
    assert_eq!((phase(&run, 1), &run.view.steps[0].waits), (UpgradePhase::Waiting, &None));
}

#[test]
fn a_turn_begins_only_while_every_model_is_served_elsewhere() {
    let cases: [(ToBackend, &str); 5] = [
        (|other| other.state = BackendState::Down, "gpu-2, which has m:latest too"),
        (
            |other| other.breakers = vec![BreakerView { model: Some("m".into()), state: BreakerState::Open, until: 9 }],
            "gpu-2",
        ),
        (|other| other.enabled = false, "no other backend has m:latest"),
        (|other| other.draining = true, "no other backend has m:latest"),
        (|other| other.models.clear(), "no other backend has m:latest"),
    ];
    for (change, why) in cases {
        let (mut run, mut world) = pair();
        change(&mut world.backends[1]);
        assert_eq!(go(&mut run, &mut world), []);
        let waits = run.view.steps[0].waits.clone().unwrap();
        assert!(waits.contains(why), "{waits}");
        let events = run.view.events.len();
        go(&mut run, &mut world);
        assert_eq!(run.view.events.len(), events, "said once");
        let mut forced = Run { force: true, ..run.clone() };
        let begins = forced.advance(&world) == [Act::Drain(id(1))];
        assert_eq!(begins, why.starts_with("no other"), "force is for models that are nowhere else: {why}");
        run.answer(UpgradeAnswer::Continue, "root", &world).unwrap();
        assert_eq!(go(&mut run, &mut world), [Act::Drain(id(1))], "whoever says so has it begin");
    }
    // One that serves nobody takes nothing away.
    let (mut run, mut world) = pair();
    (world.backends[0].state, world.backends[1].state) = (BackendState::Down, BackendState::Down);
    assert_eq!(go(&mut run, &mut world), [Act::Drain(id(1))]);
}

#[test]
fn a_drain_that_takes_long_is_told_once_and_cuts_nothing() {
    let (mut run, mut world) = pair();
    world.backends[0].in_flight = 1;
    go(&mut run, &mut world);
    for late in [LONG_MS - 1, LONG_MS, LONG_MS * 5] {
        world.now = 1_000 + late;
        assert_eq!(go(&mut run, &mut world), []);
        assert_eq!(run.view.steps[0].overdue, late >= LONG_MS);
    }
    let told = run.view.events.iter().filter(|event| event.text.contains("streams are never cut")).count();
    assert_eq!((told, phase(&run, 1)), (1, UpgradePhase::Draining));
    let refused = run.answer(UpgradeAnswer::Continue, "root", &world).unwrap_err();
    assert!(refused.contains("gpu-1 still drains, 1 left"), "{refused}");
}

#[test]
fn what_is_missing_afterwards_pauses_until_somebody_answers() {
    let cases: [(Option<&str>, ToBackend, &str); 6] = [
        (Some("0.6.0"), |gpu| gpu.version = Some("0.5.9".into()), "gpu-1 runs 0.5.9, not 0.6.0"),
        (Some("0.6.0"), |gpu| gpu.version = None, "does not say what it runs"),
        (None, |gpu| gpu.version = Some("0.5.0".into()), "which is older than 0.5.1"),
        (None, |gpu| gpu.models.clear(), "gpu-1 has no m:latest any more"),
        (Some("9.9"), |gpu| gpu.models.clear(), "not 9.9, and has no m:latest"),
        (None, |gpu| gpu.state = BackendState::Down, "gpu-1 does not answer"),
    ];
    for (wanted, change, problem) in cases {
        let (mut run, mut world) = verifying();
        run.view.version = wanted.map(str::to_owned);
        change(&mut world.backends[0]);
        go(&mut run, &mut world);
        if world.backends[0].state == BackendState::Down {
            assert_eq!(run.view.state, UpgradeState::Running, "it may still be starting");
            world.now += 60_000;
            go(&mut run, &mut world);
        }
        let told = run.view.steps[0].problem.clone().unwrap();
        assert!(told.contains(problem), "{told}");
        assert_eq!((run.view.state, go(&mut run, &mut world)), (UpgradeState::Paused, vec![]));

        let mut again = run.clone();
        again.answer(UpgradeAnswer::Retry, "root", &world).unwrap();
        assert_eq!((again.view.state, &again.view.steps[0].problem), (UpgradeState::Running, &None));
        let mut good = world.clone();
        (good.backends[0].version, good.now) = (wanted.or(Some("0.5.1")).map(str::to_owned), world.now + 1);
        (good.backends[0].models, good.backends[0].state) = (vec!["m".into()], BackendState::Draining);
        good.looked = Some(good.now);
        assert_eq!(again.advance(&good), [Act::TakeBack(id(1))]);

        let mut anyway = run.clone();
        assert_eq!(anyway.answer(UpgradeAnswer::Rejoin, "root", &world).unwrap(), [Act::TakeBack(id(1))]);
        assert_eq!(phase(&anyway, 1), UpgradePhase::Rejoined);
        assert!(anyway.view.steps[0].notes[0].contains(problem));

        for (answer, acts, left) in [
            (UpgradeAnswer::StopRejoin, vec![Act::TakeBack(id(1))], UpgradePhase::Skipped),
            (UpgradeAnswer::StopDrained, vec![], UpgradePhase::LeftDrained),
        ] {
            let mut stopped = run.clone();
            assert_eq!(stopped.answer(answer, "root", &world).unwrap(), acts);
            assert_eq!((phase(&stopped, 1), phase(&stopped, 2)), (left, UpgradePhase::Waiting));
            assert_eq!((stopped.view.state, stopped.advance(&world)), (UpgradeState::Stopped, vec![]));
        }
    }
}

#[test]
fn a_pause_holds_everything_and_its_end_only_ends_the_pause() {
    let (mut run, mut world) = handed();
    run.answer(UpgradeAnswer::Pause, "root", &world).unwrap();
    world.backends[0].version = Some("0.6.0".into());
    assert_eq!(go(&mut run, &mut world), []);
    for answer in [UpgradeAnswer::Pause, UpgradeAnswer::Retry, UpgradeAnswer::Rejoin] {
        assert!(run.answer(answer, "root", &world).is_err(), "{answer:?}");
    }
    run.answer(UpgradeAnswer::Continue, "root", &world).unwrap();
    assert_eq!((run.view.state, phase(&run, 1)), (UpgradeState::Running, UpgradePhase::HandedOver));
    go(&mut run, &mut world);
    assert_eq!(phase(&run, 1), UpgradePhase::Verifying, "it sees the other version by itself");
    for answer in [UpgradeAnswer::Continue, UpgradeAnswer::Retry, UpgradeAnswer::Rejoin] {
        assert!(run.answer(answer, "root", &world).is_err(), "{answer:?}");
    }
}

#[test]
fn what_was_drained_before_stays_drained() {
    let (mut run, mut world) = pair();
    world.backends[0].draining = true;
    world.idle = true;
    assert_eq!(go(&mut run, &mut world), []);
    assert_eq!(phase(&run, 1), UpgradePhase::Draining);
    let mut stopped = run.clone();
    assert!(stopped.answer(UpgradeAnswer::StopDrained, "root", &world).is_err());
    assert_eq!(stopped.answer(UpgradeAnswer::StopRejoin, "root", &world).unwrap(), []);
    go(&mut run, &mut world);
    run.answer(UpgradeAnswer::Continue, "root", &world).unwrap();
    world.looked = Some(world.now);
    assert_eq!(go(&mut run, &mut world), []);
    assert_eq!(phase(&run, 1), UpgradePhase::Rejoined);
    assert!(run.view.steps[0].notes[0].contains("stays drained"));
}

#[test]
fn who_is_gone_or_done_already_is_skipped_with_a_note() {
    let cases: [(ToWorld, &str, bool); 3] = [
        (|world| drop(world.backends.remove(0)), "removed", false),
        (|world| world.backends[0].enabled = false, "disabled", true),
        (|world| world.backends[0].draining = false, "took it back", false),
    ];
    for (change, why, back) in cases {
        let (mut run, mut world) = handed();
        change(&mut world);
        let acts = go(&mut run, &mut world);
        assert_eq!(acts, if back { vec![Act::TakeBack(id(1))] } else { vec![] }, "{why}");
        assert_eq!(phase(&run, 1), UpgradePhase::Skipped);
        assert!(run.view.steps[0].notes[0].contains(why), "{:?}", run.view.steps[0]);
    }
    let (mut run, mut world) = pair();
    run.view.version = Some("0.5.1".into());
    world.backends[1].version = Some("0.5.0".into());
    go(&mut run, &mut world);
    assert_eq!(phase(&run, 1), UpgradePhase::Skipped);
    assert_eq!(go(&mut run, &mut world), [Act::Drain(id(2))]);
}

#[test]
fn a_command_upgrades_a_backend_once_and_its_exit_code_decides() {
    let (mut run, mut world) = handed();
    let gpu = id(1);
    assert!(run.claim(id(2).as_str(), "me", 1).is_err() && run.ran(gpu.as_str(), "me", Some(0), 1).is_err());
    run.claim(gpu.as_str(), "me", 1).unwrap();
    assert!(run.claim(gpu.as_str(), "other", 1).is_err(), "another follower");
    assert!(run.ran(gpu.as_str(), "other", Some(0), 1).is_err(), "it says nothing for this one");
    world.backends[0].version = Some("0.6.0".into());
    go(&mut run, &mut world);
    assert_eq!(phase(&run, 1), UpgradePhase::HandedOver, "the command is not over");
    let mut paused = run.clone();
    paused.answer(UpgradeAnswer::Pause, "root", &world).unwrap();
    paused.ran(gpu.as_str(), "me", Some(0), 2).unwrap();
    assert_eq!((paused.view.state, phase(&paused, 1)), (UpgradeState::Paused, UpgradePhase::Verifying));
    for (code, told) in [(Some(3), "with exit code 3"), (None, "by a signal")] {
        let mut failed = run.clone();
        failed.ran(gpu.as_str(), "me", code, 2).unwrap();
        assert!(failed.view.steps[0].problem.as_ref().unwrap().contains(told));
        assert!(failed.ran(gpu.as_str(), "me", Some(0), 2).is_err() && failed.claim(gpu.as_str(), "me", 2).is_err());
        let mut by_hand = failed.clone();
        by_hand.answer(UpgradeAnswer::Continue, "root", &world).unwrap();
        assert_eq!(phase(&by_hand, 1), UpgradePhase::Verifying);
        failed.answer(UpgradeAnswer::Retry, "root", &world).unwrap();
        failed.claim(gpu.as_str(), "other", 3).unwrap();
        failed.ran(gpu.as_str(), "other", Some(0), 4).unwrap();
        assert_eq!(phase(&failed, 1), UpgradePhase::Verifying);
    }
}

#[test]
fn what_was_under_way_in_a_backup_waits_for_somebody() {
    let (mut run, _) = handed();
    let restored = |run: &Run| {
        let text = serde_json::to_string(run).unwrap();
        let op = super::held_back(&[(super::SETTING.to_owned(), text)])?;
        let store::row::Op::PutSetting(_, text) = op else { panic!("something else is written") };
        Run::read(&text)
    };
    let held = restored(&run).unwrap();
    assert_eq!((held.view.state, phase(&held, 1)), (UpgradeState::Paused, UpgradePhase::HandedOver));
    run.view.state = UpgradeState::Finished;
    assert_eq!(restored(&run), None, "nothing is to be held back");
}

/// Of `gpu-2` nothing is known but that it is there, as after a restart of this process.
fn forget(world: &mut World, state: BackendState) {
    let two = &mut world.backends[1];
    (two.state, two.models, two.version) = (state, Vec::new(), None);
}

#[test]
fn after_a_restart_only_a_finished_look_says_that_a_backend_went_away() {
    let (mut run, mut world) = handed();
    let stays = |run: &mut Run, world: &mut World, why: &str| {
        go(run, world);
        assert!(!run.view.steps[0].seen_down && phase(run, 1) == UpgradePhase::HandedOver, "{why}");
    };
    world.looked = None;
    for state in [BackendState::Unknown, BackendState::Down, BackendState::Draining] {
        world.backends[0].state = state;
        stays(&mut run, &mut world, "nobody has looked at it since");
    }
    world.backends[0].state = BackendState::Down;
    world.looked = Some(world.now - 1);
    stays(&mut run, &mut world, "that was before the hand-over");
    (world.looked, world.unsure) = (Some(world.now), vec![id(1)]);
    stays(&mut run, &mut world, "one look that failed proves nothing");
    world.unsure.clear();
    go(&mut run, &mut world);
    assert!(run.view.steps[0].seen_down);
}

#[test]
fn what_backends_had_outlives_a_restart() {
    // Nobody has looked at the other one yet.
    let (mut run, mut world) = pair();
    forget(&mut world, BackendState::Unknown);
    run.force = true;
    assert_eq!(go(&mut run, &mut world), [], "not looked at is not fine");
    // It had the model, and it is down: that is not the same as a model that nobody else has.
    let (mut run, mut world) = pair();
    (run.force, world.unseen) = (true, true);
    assert_eq!(go(&mut run, &mut world), []);
    world.unseen = false;
    let mut stored: Run = serde_json::from_str(&serde_json::to_string(&run).unwrap()).unwrap();
    forget(&mut world, BackendState::Down);
    assert_eq!(go(&mut stored, &mut world), []);
    let waits = stored.view.steps[0].waits.clone().unwrap();
    assert!(waits.contains("gpu-2, which has m:latest too"), "{waits}");
    // What it had is asked back of it after its own turn.
    let mut own = stored.clone();
    own.view.steps.remove(0);
    assert_eq!(go(&mut own, &mut world), [Act::Drain(id(2))]);
    world.idle = true;
    go(&mut own, &mut world);
    own.answer(UpgradeAnswer::Continue, "root", &world).unwrap();
    let two = &mut world.backends[1];
    (two.state, two.version) = (BackendState::Draining, Some("0.1.0".into()));
    (world.looked, world.unsure) = (Some(world.now), vec![id(2)]);
    go(&mut own, &mut world);
    assert_eq!(own.view.state, UpgradeState::Running, "the last look failed");
    world.unsure.clear();
    go(&mut own, &mut world);
    let problem = own.view.steps[0].problem.clone().unwrap();
    assert!(problem.contains("older than 0.5.1") && problem.contains("no M any more"), "{problem}");
    // Runs of before did not keep it.
    let mut old = serde_json::to_value(&stored).unwrap();
    old.as_object_mut().unwrap().retain(|name, _| name != "known" && name != "claim");
    assert_eq!(serde_json::from_value::<Run>(old).unwrap().known, Default::default());
}

#[test]
fn what_speaks_another_language_takes_no_ollamas_place() {
    let (mut run, mut world) = pair();
    world.foreign = vec![id(2)];
    assert_eq!(go(&mut run, &mut world), []);
    assert!(run.view.steps[0].waits.as_ref().unwrap().contains("no other backend has m:latest"));
    world.foreign = vec![id(1), id(2)];
    assert_eq!(go(&mut run, &mut world), [Act::Drain(id(1))], "two of the same kind do");
    let (mut run, mut world) = pair();
    world.unsure = vec![id(2)];
    assert_eq!(go(&mut run, &mut world), [], "its last look failed");
    world.unsure = vec![id(1)];
    assert_eq!(go(&mut run, &mut world), [], "whether it serves is not known");
}

#[test]
fn a_command_whose_follower_is_gone_is_run_again_if_somebody_says_so() {
    let (mut run, mut world) = handed();
    let gpu = id(1);
    run.claim(gpu.as_str(), "me", 1).unwrap();
    let refused = run.answer(UpgradeAnswer::Retry, "root", &world).unwrap_err();
    assert!(refused.contains("a command upgrades gpu-1 now"), "{refused}");
    assert!(run.holds(gpu.as_str(), "me") && !run.holds(gpu.as_str(), "other"));
    world.lost = true;
    go(&mut run, &mut world);
    assert!(run.view.steps[0].problem.as_ref().unwrap().contains("went away"), "{run:?}");
    // It was not gone after all.
    let mut back = run.clone();
    back.claim(gpu.as_str(), "me", 2).unwrap();
    assert_eq!((back.view.state, &back.view.steps[0].problem), (UpgradeState::Running, &None));
    let mut ended = run.clone();
    assert!(ended.ran(gpu.as_str(), "other", Some(0), 2).is_err());
    ended.ran(gpu.as_str(), "me", Some(0), 2).unwrap();
    assert_eq!((ended.view.state, phase(&ended, 1)), (UpgradeState::Running, UpgradePhase::Verifying));
    // It is.
    world.lost = false;
    run.answer(UpgradeAnswer::Retry, "root", &world).unwrap();
    run.claim(gpu.as_str(), "other", 3).unwrap();
    assert!(run.ran(gpu.as_str(), "me", Some(0), 4).is_err(), "its turn is over");
    run.ran(gpu.as_str(), "other", Some(0), 4).unwrap();
    assert_eq!(phase(&run, 1), UpgradePhase::Verifying);
}

#[test]
fn the_end_says_what_became_of_the_versions() {
    let ends = |versions: [(Option<&str>, Option<&str>); 2]| {
        let (mut run, mut world) = pair();
        for (step, (before, after)) in run.view.steps.iter_mut().zip(versions) {
            (step.before, step.after) = (before.map(str::to_owned), after.map(str::to_owned));
            step.phase = UpgradePhase::Rejoined;
        }
        go(&mut run, &mut world);
        run.view.events.last().unwrap().text.clone()
    };
    let new = (Some("0.5.1"), Some("0.6.0"));
    assert_eq!(ends([new, new]), "finished: 2 of 2 backends upgraded");
    assert_eq!(ends([new, (Some("1.0"), Some("1.0.0"))]), "finished: 2 of 2 backends done, version unchanged on gpu-2");
    assert_eq!(
        ends([(Some("1"), Some("1")), (None, None)]),
        "finished: 2 of 2 backends done, version unchanged on gpu-1, version not known of gpu-2"
    );
}

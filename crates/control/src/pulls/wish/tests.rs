//! The rule of wishes, case by case, without a fleet and without waiting.

use domain::id::PullId;

use super::*;

fn id(number: usize) -> BackendId {
    BackendId::new(&format!("backend{number:05}")).unwrap()
}

fn gpu(number: usize, state: BackendState, models: &[&str]) -> BackendView {
    BackendView {
        state,
        models: models.iter().map(|model| (*model).to_owned()).collect(),
        enabled: state != BackendState::Disabled,
        ..BackendView::new(id(number), format!("gpu-{number}"), format!("http://gpu-{number}"))
    }
}

fn up(number: usize, models: &[&str]) -> BackendView {
    gpu(number, BackendState::Up, models)
}

fn asked(model: &str, backend: usize, kept: bool) -> Asked {
    Asked {
        id: PullId::new("pull00000001").unwrap(),
        model: model.into(),
        backend: id(backend),
        backend_name: format!("gpu-{backend}"),
        by: "root".into(),
        asked_at: 1,
        kept,
    }
}

struct World {
    backends: Vec<BackendView>,
    foreign: Vec<BackendId>,
    queue: Vec<Asked>,
    pauses: Pauses,
    now: Instant,
}

impl World {
    fn of(backends: Vec<BackendView>) -> Self {
        Self { backends, foreign: Vec::new(), queue: Vec::new(), pauses: Pauses::default(), now: Instant::now() }
    }

    fn judge(&self, copies: u32, only: &[usize]) -> Judged {
        let wish = Wish { model: "Qwen3".into(), copies, backends: only.iter().map(|number| id(*number)).collect() };
        let Self { backends, foreign, queue, pauses, now } = self;
        Fleet::new(backends, foreign, queue, pauses, *now).judge(&wish)
    }
}

#[test]
fn the_next_copy_goes_where_the_fewest_models_are() {
    let world = World::of(vec![up(1, &["qwen3:latest"]), up(2, &["a", "b"]), up(3, &["a"]), up(4, &["b"])]);
    let judged = world.judge(1, &[]);
    assert_eq!((judged.on, judged.next, judged.short), (vec!["gpu-1".to_owned()], None, None));
    let judged = world.judge(2, &[]);
    assert_eq!((judged.next, judged.short.as_deref()), (Some(id(3)), Some("next is gpu-3")));
    assert_eq!(world.judge(2, &[1, 2]).next, Some(id(2)), "only these may have it");
    let judged = world.judge(2, &[1]);
    assert_eq!((judged.next, judged.short.as_deref()), (None, Some("no further backend may have it")));
}

#[test]
fn one_pull_at_a_time_and_what_comes_counts() {
    let mut world = World::of(vec![up(1, &[]), up(2, &[]), up(3, &[])]);
    world.queue = vec![asked("qwen3:latest", 1, true)];
    let judged = world.judge(1, &[]);
    assert_eq!((judged.coming, judged.next), (vec!["gpu-1".to_owned()], None));
    assert_eq!(judged.short.as_deref(), Some("on its way to gpu-1"));
    let judged = world.judge(2, &[]);
    assert_eq!(judged.next, None, "another is under way for a wish");
    assert_eq!(judged.short.as_deref(), Some("next is gpu-2, once qwen3:latest is on gpu-1"));
    world.queue = vec![asked("other", 1, false)];
    assert_eq!(world.judge(2, &[]).next, Some(id(2)), "somebody's pull keeps that one backend busy and no other");
    assert_eq!(
        world.judge(1, &[1]).short.as_deref(),
        Some("no other backend can take it now: gpu-1 pulls other first")
    );
}

#[test]
fn who_is_away_is_not_chosen_and_keeps_what_it_has() {
    let states = [BackendState::Down, BackendState::Draining, BackendState::Disabled];
    for state in states {
        assert_eq!(World::of(vec![gpu(1, state, &[])]).judge(1, &[]).next, None, "{state:?}");
    }
    for state in [BackendState::Down, BackendState::Draining] {
        let judged = World::of(vec![gpu(1, state, &["qwen3:latest"]), up(2, &[])]).judge(1, &[]);
        assert_eq!((judged.on.len(), judged.next), (1, None), "{state:?}: a reboot is no reason for a download");
    }
    let judged = World::of(vec![gpu(1, BackendState::Disabled, &["qwen3:latest"]), up(2, &[])]).judge(1, &[]);
    assert_eq!(judged.next, Some(id(2)), "nobody reaches what is disabled");
    let judged = World::of(vec![gpu(1, BackendState::Unknown, &[]), up(2, &[])]).judge(1, &[]);
    assert_eq!(
        (judged.next, judged.short.as_deref()),
        (None, Some("the backends are being looked at")),
        "the other may have it"
    );
    let mut world = World::of(vec![up(1, &[]), gpu(2, BackendState::Down, &[])]);
    world.foreign = vec![id(1)];
    let judged = world.judge(1, &[]);
    let short = "no other backend can take it now: gpu-1 speaks OpenAI's API only, which pulls nothing; gpu-2 is down";
    assert_eq!((judged.next, judged.short.as_deref()), (None, Some(short)));
}

#[test]
fn a_backend_that_never_told_its_models_may_have_it() {
    let judged = World::of(vec![gpu(1, BackendState::Down, &[]), up(2, &[])]).judge(1, &[]);
    assert_eq!(judged.next, None, "the gateway has just started, and gpu-1 with it");
    assert_eq!(judged.short.as_deref(), Some("gpu-1 is down and has not told its models yet"));
    let judged = World::of(vec![gpu(1, BackendState::Down, &["a"]), up(2, &[])]).judge(1, &[]);
    assert_eq!(judged.next, Some(id(2)));
}

#[test]
fn what_fails_everywhere_is_not_tried_everywhere() {
    let mut world = World::of((1..=9).map(|number| up(number, &[])).collect());
    for number in 1..=TRIED {
        let next = world.judge(1, &[]).next.unwrap();
        assert_eq!(next, id(number));
        world.pauses.failed("qwen3", &next, "pull model manifest: file does not exist", world.now);
    }
    let judged = world.judge(1, &[]);
    assert_eq!(judged.next, None);
    assert!(judged.short.unwrap().starts_with("it failed on 3 backends"));
    world.now = world.pauses.next(world.now).unwrap();
    assert!(world.judge(1, &[]).next.is_some(), "it is tried again when a pause is over");
}

#[test]
fn where_it_failed_is_left_alone_longer_and_longer_up_to_an_hour() {
    let mut world = World::of(vec![up(1, &[]), up(2, &["a"])]);
    let (start, mut pauses) = (world.now, Vec::new());
    for _ in 0..9 {
        assert_eq!(world.judge(1, &[1]).next, Some(id(1)));
        world.pauses.failed("qwen3", &id(1), "it answered 500", world.now);
        assert_eq!(world.judge(1, &[1]).next, None);
        assert_eq!(world.judge(1, &[]).next, Some(id(2)), "another is tried meanwhile");
        let until = world.pauses.next(world.now).unwrap();
        pauses.push(until.duration_since(world.now).as_secs());
        world.now = until;
    }
    assert_eq!(pauses, [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
    world.pauses.failed("qwen3", &id(1), "it answered 500", start);
    world.now = start;
    let short = world.judge(1, &[1]).short.unwrap();
    assert_eq!(
        short,
        "no other backend can take it now: gpu-1 failed (it answered 500) and is tried again in 1 h 0 min"
    );
    world.pauses.forget("QWEN3:latest", Some(&id(2)));
    assert_eq!(world.judge(1, &[1]).next, None);
    world.pauses.forget("QWEN3:latest", Some(&id(1)));
    assert_eq!(world.judge(1, &[1]).next, Some(id(1)));
    world.pauses.cancelled("qwen3", &id(1), "root", start);
    assert!(world.judge(1, &[1]).short.unwrap().contains("cancelled by root"));
    world.pauses.forget("qwen3", None);
    assert_eq!(world.judge(1, &[1]).next, Some(id(1)));
}

#[test]
fn the_audit_log_is_told_which_wish_changed() {
    let text = |wishes: &[Wish]| match op(wishes).unwrap() {
        Op::PutSetting(_, text) => text,
        _ => panic!("another row"),
    };
    let wish = |model: &str, copies| Wish { model: model.into(), copies, backends: Vec::new() };
    let before = text(&[wish("a", 1), wish("b", 2)]);
    let fields = told(Some(&before), &text(&[wish("A:latest", 3), wish("c", 1)]));
    let fields: Vec<_> = fields.iter().map(|f| (f.before.as_deref(), f.after.as_deref())).collect();
    let expected = [(Some("1 backend"), Some("3 backends")), (Some("2 backends"), None), (None, Some("1 backend"))];
    assert!(expected.iter().all(|change| fields.contains(change)) && fields.len() == 3, "{fields:?}");
    assert_eq!(told(Some(&before), &before), []);
}

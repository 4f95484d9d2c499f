//! Following the log of requests: nothing twice, nothing lost but by a reader that is too slow, and that is told.

use domain::{
    endpoint::Endpoint,
    id::{BackendId, KeyId},
    key::{KeyStatus, SetKeyStatus},
    usage::{
        UsageRecord,
        asked::{AskLog, FOLLOWED, LogNews},
    },
};

use super::*;

struct Known {
    bench: Bench,
    actor: Actor,
    user: UserId,
    keys: Vec<KeyId>,
    now: u64,
}

async fn known() -> Known {
    let bench = bench().await;
    let actor = bench.admin().await;
    let user = bench.user(&actor, "ann").await;
    let mut keys = Vec::new();
    for name in ["laptop", "ci"] {
        keys.push(bench.key(&actor, &user, name).await.view.id);
    }
    Known { bench, actor, user, keys, now: Now::read().wall }
}

impl Known {
    fn record(&self, id: u64, key: usize) -> UsageRecord {
        UsageRecord::new(id, self.now, self.user.clone(), self.keys[key].clone(), Endpoint::Chat)
    }

    /// Accounted, as the writer tells it.
    fn tell(&self, records: &[UsageRecord]) {
        self.bench.control.0.usage.tail.tell(records);
    }

    /// Written down.
    async fn write(&self, records: &[UsageRecord]) {
        self.bench.control.0.store.append_usage(records).await.unwrap();
        self.bench.control.0.usage.tail.settle(records.len());
    }

    fn follow(&self, asked: &AskLog) -> LogTail {
        self.bench.control.follow_log(&self.actor, asked).unwrap()
    }
}

fn ids(news: &LogNews) -> Vec<u64> {
    news.rows.iter().map(|row| u64::from_str_radix(&row.request, 16).unwrap()).collect()
}

#[tokio::test]
async fn a_reader_has_what_was_before_it_when_that_is_written_and_all_that_comes_after() {
    let known = known().await;
    let before = [known.record(1, 0), known.record(2, 0)];
    known.tell(&before);
    let mut tail = known.follow(&AskLog::default());
    let after = [known.record(3, 0)];
    known.tell(&after);
    let news = tail.next().await.unwrap();
    assert_eq!((ids(&news), news.whole, news.missed), (vec![3], false, 0));
    known.write(&before).await;
    let news = tail.next().await.unwrap();
    assert_eq!((ids(&news), news.whole, news.missed), (vec![2, 1], true, 0));
    // Nothing was told that is not written: the newest are there at once.
    known.write(&after).await;
    let news = known.follow(&AskLog::default()).next().await.unwrap();
    assert_eq!((ids(&news), news.whole), (vec![3, 2, 1], true));
    // One that is given up and called again loses nothing.
    known.tell(&[known.record(4, 0)]);
    let given_up = tokio::time::timeout(Duration::ZERO, tail.next()).await.ok().flatten();
    let news = match given_up {
        // A second had passed already.
        Some(news) => news,
        None => tail.next().await.unwrap(),
    };
    assert_eq!(ids(&news), [4]);
}

#[tokio::test]
async fn a_slow_reader_is_told_how_many_it_missed_and_holds_nobody_up() {
    let known = known().await;
    let mut tail = known.follow(&AskLog::default());
    assert!(tail.next().await.unwrap().whole);
    for hand in 0..100 {
        known.tell(&(0..10).map(|n| known.record(hand * 10 + n, 0)).collect::<Vec<_>>());
    }
    let (mut missed, mut newest) = (0, Vec::new());
    while newest.first() != Some(&999) {
        let news = tail.next().await.unwrap();
        assert!(news.rows.len() <= FOLLOWED);
        missed += news.missed;
        newest = ids(&news);
    }
    assert_eq!(missed, 360, "of a hundred hands sixty-four are kept");
}

#[tokio::test]
async fn a_reader_hears_only_of_what_it_asked_for() {
    let known = known().await;
    let mut tail = known.follow(&AskLog { key: "CI".into(), status: "4xx".into(), ..AskLog::default() });
    assert!(tail.next().await.unwrap().whole);
    let refused = |id, key| UsageRecord { status: 429, ..known.record(id, key) };
    known.tell(&[known.record(1, 1), refused(2, 0), refused(3, 1)]);
    assert_eq!(ids(&tail.next().await.unwrap()), [3]);
}

#[tokio::test]
async fn names_are_taken_for_what_they_mean_or_refused_beside_their_field() {
    let known = known().await;
    let control = &known.bench.control;
    let asked = |user: &str, key: &str| AskLog { user: user.into(), key: key.into(), ..AskLog::default() };
    let query = control.log_query(&asked("ANN", "laptop")).unwrap();
    assert_eq!((query.user, query.key), (known.user.to_string(), known.keys[0].to_string()));
    let bob = known.bench.user(&known.actor, "bob").await;
    let other = known.bench.key(&known.actor, &bob, "laptop").await.view.id;
    let fault = |asked: &AskLog, field: &str| {
        let error = control.log_query(asked).unwrap_err();
        error.field(field).unwrap_or_else(|| panic!("{error}")).to_owned()
    };
    assert!(fault(&asked("", "laptop"), "key").contains("say whose"));
    assert_eq!(control.log_query(&asked("bob", "laptop")).unwrap().key, other.as_str());
    assert_eq!(control.log_query(&asked("", other.as_str())).unwrap().key, other.as_str());
    // Of two of a name the one that works is meant, and one that is gone where there is no other.
    control.set_key_status(&known.actor, SetKeyStatus { id: other.clone(), status: KeyStatus::Revoked }).await.unwrap();
    assert_eq!(control.log_query(&asked("", "laptop")).unwrap().key, known.keys[0].as_str());
    assert_eq!(control.log_query(&asked("bob", "laptop")).unwrap().key, other.as_str());
    let all = AskLog {
        user: "nobody".into(),
        key: "nothing".into(),
        backend: "nowhere".into(),
        status: "teapot".into(),
        from: "yesterday".into(),
        ..AskLog::default()
    };
    for field in ["user", "key", "backend", "status", "from"] {
        fault(&all, field);
    }
    // What left no name is asked for by its id.
    let gone = BackendId::new("goneGoneGone").unwrap();
    let asked = AskLog { backend: gone.to_string(), ..AskLog::default() };
    assert_eq!(control.log_query(&asked).unwrap().backend, gone.as_str());
}

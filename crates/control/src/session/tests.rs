//! The table of sessions alone, with the time as an argument.

use super::*;

fn admin() -> AdminId {
    AdminId::new("aaaaaaaaaaaa").unwrap()
}

fn row(number: u8, now: Now) -> SessionRow {
    SessionRow {
        token_hash: [number; 32],
        admin: admin(),
        created_at: now.wall,
        last_seen_at: now.wall,
        address: "127.0.0.1".into(),
        user_agent: String::new(),
    }
}

fn table(now: Now) -> Sessions {
    let sessions = Sessions::default();
    sessions.follow(&[row(1, now)], now);
    sessions
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_session_ends_after_thirty_idle_minutes() {
    let now = Now::read();
    let sessions = table(now);
    assert!(sessions.touch(&[1; 32], now.plus(MINUTE * 29)).is_some());
    assert!(sessions.touch(&[1; 32], now.plus(MINUTE * 58)).is_some(), "use keeps it");
    assert!(!sessions.is_live(&[1; 32], now.plus(MINUTE * 88)));
    assert!(sessions.touch(&[1; 32], now.plus(MINUTE * 88)).is_none());
}

#[test]
fn a_session_ends_after_twelve_hours_of_use() {
    let now = Now::read();
    let sessions = table(now);
    for minutes in (20..720).step_by(20) {
        assert!(sessions.touch(&[1; 32], now.plus(MINUTE * minutes)).is_some(), "{minutes}");
    }
    assert!(sessions.touch(&[1; 32], now.plus(MINUTE * 720)).is_none());
}

#[test]
fn use_through_another_gateway_keeps_a_session_as_long_as_use_here() {
    let now = Now::read();
    let sessions = table(now);
    let used = SessionRow { last_seen_at: now.plus(MINUTE * 29).wall, ..row(1, now) };
    sessions.follow(&[used], now.plus(MINUTE * 40));
    assert!(sessions.is_live(&[1; 32], now.plus(MINUTE * 58)));
    assert!(!sessions.is_live(&[1; 32], now.plus(MINUTE * 59)), "counted from its use, not from when that was read");
}

#[test]
fn turning_the_wall_clock_back_revives_nothing() {
    let now = Now::read();
    let sessions = table(now);
    let back = Now { wall: now.wall - 3_600_000, instant: now.instant + IDLE };
    assert!(sessions.touch(&[1; 32], back).is_none());
}

#[test]
fn asking_whether_a_session_is_live_does_not_keep_it_alive() {
    let now = Now::read();
    let sessions = table(now);
    assert!(sessions.is_live(&[1; 32], now.plus(MINUTE * 29)));
    assert!(!sessions.is_live(&[1; 32], now.plus(MINUTE * 31)));
}

#[test]
fn the_last_use_is_written_at_most_once_a_minute() {
    let now = Now::read();
    let sessions = table(now);
    sessions.touch(&[1; 32], now.plus(MINUTE / 2));
    assert!(sessions.to_write(false).is_empty());
    assert_eq!(sessions.to_write(true).len(), 1);
    sessions.touch(&[1; 32], now.plus(MINUTE));
    let due = sessions.to_write(false);
    assert_eq!(due.len(), 1);
    sessions.follow(&due, now.plus(MINUTE));
    assert!(sessions.to_write(false).is_empty());
}

#[test]
fn a_session_whose_row_vanished_ends_and_one_in_memory_stays() {
    let now = Now::read();
    let sessions = table(now);
    sessions.begin_in_memory(row(2, now), now);
    sessions.follow(&[], now);
    assert!(!sessions.is_live(&[1; 32], now));
    assert!(sessions.is_live(&[2; 32], now));
    assert_eq!(sessions.to_write(false).len(), 1);
}

#[test]
fn a_sixth_session_ends_the_oldest() {
    let now = Now::read();
    let rows: Vec<SessionRow> = (1..=5).map(|number| row(number, now.plus(MINUTE * u32::from(number)))).collect();
    assert_eq!(surplus(&rows, &admin()), [[1; 32]]);
    assert_eq!(surplus(&rows[..4], &admin()), Vec::<Hash>::new());
}

#[test]
fn a_sixth_session_in_memory_says_that_one_ended_for_it() {
    let now = Now::read();
    let sessions = Sessions::default();
    let ended: Vec<usize> = (1..=6)
        .map(|number| sessions.begin_in_memory(row(number, now.plus(MINUTE / 60 * u32::from(number))), now))
        .collect();
    assert_eq!(ended, [0, 0, 0, 0, 0, 1]);
    assert!(!sessions.is_live(&[1; 32], now) && sessions.is_live(&[6; 32], now));
}

#[test]
fn lapsed_sessions_are_named_until_their_rows_are_gone() {
    let now = Now::read();
    let sessions = table(now);
    assert!(sessions.lapse(now).is_empty());
    assert_eq!(sessions.lapse(now.plus(IDLE)), [[1; 32]]);
    assert_eq!(sessions.lapse(now.plus(IDLE)), [[1; 32]], "the row may not have been deleted");
    sessions.follow(&[], now.plus(IDLE));
    assert!(sessions.lapse(now.plus(IDLE)).is_empty());
}

#[test]
fn a_row_that_could_not_be_deleted_revives_nothing() {
    let now = Now::read();
    let sessions = table(now);
    sessions.end(|row| row.token_hash == [1; 32]);
    sessions.follow(&[row(1, now), row(2, now)], now);
    assert!(!sessions.is_live(&[1; 32], now));
    assert!(sessions.is_live(&[2; 32], now));
}

#[test]
fn a_password_is_fresh_for_ten_minutes_in_its_session_only() {
    let now = Now::read();
    let sessions = Sessions::default();
    sessions.follow(&[row(1, now), row(2, now)], now);
    assert!(!sessions.is_fresh(&[1; 32], now), "a session that was only read was not signed in here");
    sessions.password_given(&[1; 32], now);
    assert!(sessions.is_fresh(&[1; 32], now.plus(MINUTE * 10 - Duration::from_millis(1))));
    assert!(!sessions.is_fresh(&[1; 32], now.plus(MINUTE * 10)));
    assert!(!sessions.is_fresh(&[2; 32], now));
    sessions.follow(&[row(1, now)], now);
    assert!(sessions.is_fresh(&[1; 32], now), "following the database does not ask again");
}

#[test]
fn only_valid_sessions_are_listed_the_last_used_first() {
    let now = Now::read();
    let sessions = Sessions::default();
    sessions.follow(&[row(1, now), row(2, now), row(3, now.plus(MINUTE))], now);
    sessions.touch(&[2; 32], now.plus(MINUTE * 29));
    let listed = |at: Now| sessions.of(&admin(), at).iter().map(|row| row.token_hash[0]).collect::<Vec<_>>();
    assert_eq!(listed(now.plus(MINUTE * 29)), [2, 3, 1]);
    assert_eq!(listed(now.plus(MINUTE * 40)), [2]);
    assert_ne!(public_id(&[1; 32]), public_id(&[2; 32]));
}

use super::*;

/// 2026-11-22T07:05:00Z.
const NOW: u64 = 1_795_331_100_000;

fn asked(pairs: &[(&str, &str)]) -> AskUsage {
    pairs.iter().fold(AskUsage::default(), |asked, (name, value)| asked.with(name, value))
}

fn faults(pairs: &[(&str, &str)]) -> Vec<String> {
    match read(&asked(pairs), NOW) {
        Err(AdminError::Invalid { fields }) => fields.into_iter().map(|fault| fault.field).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_range_is_so_many_whole_steps_that_end_now() {
    for (range, step, count) in [
        ("", Step::Day, 7),
        ("24h", Step::Hour, 24),
        ("7d", Step::Day, 7),
        ("30d", Step::Day, 30),
        ("90d", Step::Day, 90),
        ("12m", Step::Week, 52),
    ] {
        let query = read(&asked(&[("range", range)]), NOW).unwrap();
        let borders = zone::borders(&TimeZone::UTC, query.step, query.from, query.to).unwrap();
        assert_eq!((query.step, query.to), (step, NOW + 1), "{range}");
        assert!((count..=count + 1).contains(&(borders.len() - 1)), "{range}: {}", borders.len());
        assert!(step == Step::Week || borders.len() - 1 == count, "{range}: {}", borders.len());
    }
}

#[test]
fn days_are_the_viewers_and_win_over_the_range() {
    let pairs = [("range", "12m"), ("from", "2026-11-01"), ("to", "2026-11-02"), ("zone", "Europe/Berlin")];
    let query = read(&asked(&pairs), NOW).unwrap();
    assert_eq!((query.to - query.from, query.step), (2 * DAY, Step::Hour));
    assert_eq!(query.from % DAY, 23 * HOUR, "midnight in Berlin");
    // From a day on: until now. A day alone as the end: that day.
    assert_eq!(read(&asked(&[("from", "2026-11-01")]), NOW).unwrap().to, NOW + 1);
    let query = read(&asked(&[("to", "2026-11-01")]), NOW).unwrap();
    assert_eq!(query.to - query.from, DAY);
    // As links of programs have it.
    let query = read(&asked(&[("from", "1000"), ("to", "9000"), ("step", "week")]), NOW).unwrap();
    assert_eq!((query.from, query.to, query.step), (1_000, 9_000, Step::Week));
}

#[test]
fn every_fault_is_told_with_its_field_and_all_of_them_at_once() {
    let odd = AskUsage::FIELDS.map(|name| (name, "☹"));
    assert_eq!(
        faults(&odd),
        ["zone", "range", "from", "to", "step", "by", "user", "key", "backend", "endpoint", "outcome"]
    );
    assert_eq!(faults(&[("step", "hour"), ("range", "12m")]), ["to"]);
    assert_eq!(faults(&[("from", "2026-11-02"), ("to", "2026-11-01")]), ["to"]);
    assert_eq!(faults(&[("from", "2027-01-01")]), ["to"], "it has not come yet");
}

#[test]
fn more_than_can_be_chosen_from_is_not_offered() {
    let many = |count: usize| bounded((0..count).map(|at| choice(&format!("id {at}"), "name")));
    assert_eq!((many(CHOICES).len(), many(CHOICES + 1).len()), (CHOICES, 0));
}

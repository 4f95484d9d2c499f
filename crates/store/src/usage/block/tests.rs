//! What is encoded is decoded, whatever it is, and nothing damaged ends the program.

use proptest::prelude::*;

use super::*;
use crate::usage::rollup::{self, Rows};

fn any_id() -> impl Strategy<Value = String> {
    prop_oneof!["[0-9A-Za-z]{12}", Just("000000000001".to_owned()), Just("000000000002".to_owned())]
}

fn any_histogram() -> impl Strategy<Value = Vec<u32>> {
    // Without empty buckets at the end, as they are made.
    proptest::collection::vec(prop_oneof![Just(0_u32), any::<u32>()], 0..20).prop_map(|mut histogram| {
        while histogram.last() == Some(&0) {
            histogram.pop();
        }
        histogram
    })
}

prop_compose! {
    pub fn any_row()(
        slot in 0_u64..3_000_000,
        (user, key, backend) in (any_id(), any_id(), proptest::option::of(any_id())),
        model in proptest::option::of("[a-z]{1,9}"),
        (endpoint, outcome, failed) in (0..Endpoint::ALL.len(), 0_u8..5, any::<bool>()),
        sums in proptest::array::uniform10(any::<u64>()),
        last_at in 0_u64..900_000,
        (total, other) in (any_histogram(), any_histogram()),
    ) -> RollupRow {
        let [requests, errors, bytes_in, bytes_out, prompt_tokens, completion_tokens, load_us, gpu_us, queue_us, cold] = sums;
        RollupRow {
            at: slot * SLOT,
            user: UserId::new(&user).unwrap(),
            key: KeyId::new(&key).unwrap(),
            model,
            backend: backend.map(|id| BackendId::new(&id).unwrap()),
            endpoint: Endpoint::ALL[endpoint],
            outcome: Outcome::from_code(outcome).unwrap(),
            failed,
            requests, errors, bytes_in, bytes_out, prompt_tokens, completion_tokens, load_us, gpu_us, queue_us, cold,
            last_at: slot * SLOT + last_at,
            warm_ttft_histogram: total.iter().map(|count| count / 3).collect::<Vec<_>>(),
            cold_ttft_histogram: Vec::new(),
            ttft_histogram: total.iter().map(|count| count / 3).collect(),
            total_histogram: other,
        }
    }
}

fn trimmed(mut row: RollupRow) -> RollupRow {
    for histogram in [&mut row.warm_ttft_histogram, &mut row.ttft_histogram] {
        while histogram.last() == Some(&0) {
            histogram.pop();
        }
    }
    row
}

fn decode(block: &[u8], range: (u64, u64), filter: &UsageFilter) -> Result<Vec<RollupRow>, StoreError> {
    let mut rows = Vec::new();
    visit(block, range, filter, &mut |sum| rows.push(rollup::of_sum(sum).unwrap()))?;
    Ok(rows)
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(rows in proptest::collection::vec(any_row(), 0..30)) {
        let block = encode(&rows.iter().collect::<Vec<_>>()).unwrap();
        let expected: Vec<_> = rows.into_iter().map(trimmed).collect();
        prop_assert_eq!(decode(&block, (0, u64::MAX), &UsageFilter::default()).unwrap(), expected);
    }

    #[test]
    fn a_filter_takes_what_it_means(rows in proptest::collection::vec(any_row(), 1..30), pick in any::<u8>(), at in any::<prop::sample::Index>()) {
        let rows: Vec<_> = rows.into_iter().map(trimmed).collect();
        let row = at.get(&rows).clone();
        let given = |bit: u8| pick >> bit & 1 == 1;
        let filter = UsageFilter {
            user: given(0).then(|| row.user.clone()),
            key: given(1).then(|| row.key.clone()),
            model: given(2).then(|| row.model.clone()),
            backend: row.backend.clone().filter(|_| given(3)),
            endpoint: given(4).then_some(row.endpoint),
            outcome: given(5).then_some(row.outcome),
            failed: given(6),
        };
        let to = if given(7) { row.at + 1 } else { u64::MAX };
        let expected: Vec<_> = rows.iter().filter(|row| {
            row.at < to
                && filter.user.as_ref().is_none_or(|user| *user == row.user)
                && filter.key.as_ref().is_none_or(|key| *key == row.key)
                && filter.model.as_ref().is_none_or(|model| *model == row.model)
                && filter.backend.as_ref().is_none_or(|id| row.backend.as_ref() == Some(id))
                && filter.endpoint.is_none_or(|endpoint| endpoint == row.endpoint)
                && filter.outcome.is_none_or(|outcome| outcome == row.outcome)
                && (!filter.failed || row.failed || row.outcome == Outcome::UpstreamFailed)
        }).cloned().collect();
        let block = encode(&rows.iter().collect::<Vec<_>>()).unwrap();
        prop_assert_eq!(decode(&block, (0, to), &filter).unwrap(), expected);
    }

    #[test]
    fn damaged_blocks_are_errors_and_never_panics(
        rows in proptest::collection::vec(any_row(), 1..5),
        at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>(),
    ) {
        let mut block = encode(&rows.iter().collect::<Vec<_>>()).unwrap();
        prop_assert!(decode(&block[..cut.index(block.len())], (0, u64::MAX), &UsageFilter::default()).is_err());
        let at = at.index(block.len());
        block[at] = byte;
        // A changed number may make another row; only the absence of a panic is claimed.
        let _ = visit(&block, (0, u64::MAX), &UsageFilter::default(), &mut |_| ());
        let _ = rollup::add_block(&mut Rows::new(), &block, rollup::DAY);
    }
}

#[test]
fn an_unknown_form_is_refused() {
    assert!(decode(&[9, 0, 0], (0, 1), &UsageFilter::default()).is_err());
    assert!(decode(&[], (0, 1), &UsageFilter::default()).is_err());
}

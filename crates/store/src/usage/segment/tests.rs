//! Blocks against the records they hold, of this form and of all earlier ones, and against what is no block.

use proptest::prelude::*;

use super::*;

fn any_id() -> impl Strategy<Value = String> {
    prop_oneof!["[0-9A-Za-z]{12}", Just("000000000001".to_owned()), Just("000000000002".to_owned())]
}

prop_compose! {
    fn any_record()(
        (request_id, at, status) in any::<(u64, u64, u16)>(),
        (estimated, unresolved) in any::<(bool, bool)>(),
        (user, key, backend) in (any_id(), any_id(), proptest::option::of(any_id())),
        model in proptest::option::of(".{0,40}"),
        (endpoint, outcome) in (0..Endpoint::ALL.len(), 0_u8..5),
        (bytes_in, bytes_out) in any::<(u64, u64)>(),
        (prompt_tokens, completion_tokens, ttft_us) in any::<(Option<u64>, Option<u64>, Option<u64>)>(),
        (queue_us, load_us, gpu_us, total_us) in any::<(u64, u64, u64, u64)>(),
        (warm, retries, evictor) in (any::<Option<bool>>(), 0_u8..3, proptest::option::of(any_id())),
        choice in proptest::option::of((0..Balance::ALL.len(), 1_u16..4, 0_u16..4, any::<bool>(), any::<bool>())),
        address in proptest::option::of(prop_oneof![Just(IpAddr::from([10, 0, 0, 1])), any::<IpAddr>()]),
        via in proptest::option::of(prop_oneof![Just("asked for as fast".to_owned()), ".{0,40}"]),
        error in proptest::option::of(prop_oneof![Just("no backend".to_owned()), ".{0,40}"]),
    ) -> UsageRecord {
        UsageRecord {
            request_id, at, status, bytes_in, bytes_out, prompt_tokens, completion_tokens, ttft_us,
            queue_us, load_us, gpu_us, total_us, model, unresolved,
            user: UserId::new(&user).unwrap(),
            key: KeyId::new(&key).unwrap(),
            backend: backend.map(|id| BackendId::new(&id).unwrap()),
            endpoint: Endpoint::ALL[endpoint],
            outcome: Outcome::from_code(outcome).unwrap(),
            tokens_estimated: estimated,
            warm,
            retries,
            evicted_by: evictor.map(|id| KeyId::new(&id).unwrap()),
            choice: choice.map(|(balance, of, ready, by_priority, desperate)| Choice {
                balance: Balance::ALL[balance], of, ready, by_priority, desperate,
            }),
            via: via.map(String::into_boxed_str),
            error: error.map(String::into_boxed_str),
            address,
            streamed: false,
        }
    }
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(records in proptest::collection::vec(any_record(), 0..40)) {
        prop_assert_eq!(decode(&encode(&records).unwrap()).unwrap(), records);
    }

    #[test]
    fn damaged_blocks_are_errors_and_never_panics(
        records in proptest::collection::vec(any_record(), 1..5),
        at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>(),
    ) {
        let mut block = encode(&records).unwrap();
        prop_assert!(decode(&block[..cut.index(block.len())]).is_err());
        let at = at.index(block.len());
        block[at] = byte;
        // A changed number may decode to another record; only the absence of a panic is claimed.
        let _ = decode(&block);
    }
}

#[test]
fn an_unknown_form_is_refused() {
    let fault = decode(&[LED + 1, 0, 0]).err().unwrap().to_string();
    assert!(fault.contains("unknown form"), "{fault}");
    assert!(decode(&[]).is_err());
}

#[test]
fn blocks_of_earlier_forms_stay_readable() {
    let of = |id: &str| (UserId::new(id).unwrap(), KeyId::new(id).unwrap());
    let (user, key) = of("000000000001");
    let record = UsageRecord { model: Some("a".into()), ..UsageRecord::new(7, 9, user, key, Endpoint::Chat) };
    let mut block = encode(std::slice::from_ref(&record)).unwrap();
    // The sixth form is the seventh without ways to models: two empty lists.
    assert_eq!([block.pop(), block.pop()], [Some(0), Some(0)]);
    block[0] = ADDRESSED;
    assert_eq!(decode(&block).unwrap(), std::slice::from_ref(&record));
    // The fifth form is the sixth without addresses: no address, and one that is none.
    assert_eq!([block.pop(), block.pop(), block.pop()], [Some(0), Some(1), Some(0)]);
    block[0] = TOLD;
    assert_eq!(decode(&block).unwrap(), std::slice::from_ref(&record));
    // The fourth form is the fifth without choices and errors: no kinds of choices, one that is none, no errors twice.
    assert_eq!([block.pop(), block.pop()], [Some(0), Some(0)]);
    assert_eq!([block.pop(), block.pop(), block.pop()], [Some(0), Some(1), Some(0)]);
    block[0] = PLACED;
    assert_eq!(decode(&block).unwrap(), std::slice::from_ref(&record));
    // The third form is the fourth without where it was sent: one that is not known, and two empty lists.
    assert_eq!([block.pop(), block.pop(), block.pop(), block.pop()], [Some(0), Some(0), Some(0), Some(1)]);
    block[0] = TIMED;
    assert_eq!(decode(&block).unwrap(), std::slice::from_ref(&record));
    // The second form is the third without the list of times: one byte that says 1, and one time of 0.
    assert_eq!((block.pop(), block.pop()), (Some(0), Some(1)));
    block[0] = MARKED;
    assert_eq!(decode(&block).unwrap(), std::slice::from_ref(&record));
    // The first form is the second without the list of marks, which is empty here: one byte that says 0.
    assert_eq!(block.pop(), Some(0));
    block[0] = COLUMNS;
    assert_eq!(decode(&block).unwrap(), [record]);
}

#[test]
fn filters_list_what_is_there_up_to_their_bound() {
    assert_eq!(distinct([3, 1, 3, 2].into_iter()), Some(vec![1, 2, 3]));
    assert_eq!(distinct(0..=FILTER_VALUES), None);
}

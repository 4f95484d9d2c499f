//! However a backend's bytes are cut, the client towards backends reads the same response out of them: head, chunks and
//! end. The first byte says how long the pieces are.
#![no_main]

use gateway::inside::read_response;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((step, bytes)) = data.split_first() else { return };
    let read = |size: usize| read_response(&bytes.chunks(size.max(1)).collect::<Vec<_>>());
    let whole = read(bytes.len());
    for size in [1, usize::from(*step)] {
        let cut = read(size);
        match (&whole, &cut) {
            // In which words it is refused may depend on how much of it had come.
            (Err(_), Err(_)) => {}
            _ => assert_eq!(cut, whole, "in pieces of {size}"),
        }
    }
    if let Ok((status, body, _)) = whole {
        assert!((200..600).contains(&status), "{status} is no final status");
        assert!(body.len() <= bytes.len());
    }
});

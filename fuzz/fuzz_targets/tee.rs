//! However a stream is cut, the listener hears the same. The first byte picks dialect and form, the second how long the
//! pieces are.
#![no_main]

use domain::endpoint::Endpoint;
use gateway::inside::{Form, Listener};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [kind, step, stream @ ..] = data else { return };
    let kinds = [
        (Endpoint::Chat, Form::Ndjson),
        (Endpoint::Generate, Form::Ndjson),
        (Endpoint::OpenAiChat, Form::Sse),
        (Endpoint::OpenAiResponses, Form::Sse),
        (Endpoint::AnthropicMessages, Form::Sse),
        (Endpoint::Chat, Form::Whole),
        (Endpoint::OpenAiChat, Form::Whole),
        (Endpoint::Embed, Form::Whole),
    ];
    let (endpoint, form) = kinds[usize::from(*kind) % kinds.len()];
    let hear = |size: usize| {
        let mut listener = Listener::new(endpoint, form);
        stream.chunks(size.max(1)).for_each(|piece| listener.feed(piece));
        listener.finish()
    };
    let whole = hear(stream.len());
    for size in [1, usize::from(*step)] {
        assert_eq!(hear(size), whole, "in pieces of {size}");
    }
});

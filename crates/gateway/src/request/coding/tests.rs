//! Frames as encoders write them, and as those write them who want to do harm.

use proptest::prelude::*;
use zstd_safe::{CCtx, CParameter, compress_bound};

use super::*;
use crate::request::{BodyBudget, budget::SMALL};

const LIMIT: usize = 1 << 20;

fn compressed(bytes: &[u8], parameters: &[CParameter]) -> Vec<u8> {
    let mut context = CCtx::create();
    for &parameter in parameters {
        context.set_parameter(parameter).unwrap();
    }
    let mut frame = Vec::with_capacity(compress_bound(bytes.len()));
    context.compress2(&mut frame, bytes).unwrap();
    frame
}

fn frame(bytes: &[u8]) -> Vec<u8> {
    compressed(bytes, &[])
}

/// A frame without a size that repeats one byte in blocks of 128 KiB, four bytes each.
fn repeated(blocks: usize, window: u8) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, window];
    for block in 1..=blocks {
        let header = (0x20000 << 3 | 1 << 1 | u32::from(block == blocks)).to_le_bytes();
        frame.extend_from_slice(&[header[0], header[1], header[2], b' ']);
    }
    frame
}

/// Windows of 1 MiB, 8 MiB, 16 MiB and 2 TiB, as headers of frames have them.
const MIB: u8 = 10 << 3;
const LARGEST: u8 = 13 << 3;
const LARGER: u8 = 14 << 3;
const HUGE: u8 = 31 << 3;

fn skippable(length: usize) -> Vec<u8> {
    let mut frame = vec![0x5a, 0x2a, 0x4d, 0x18];
    frame.extend_from_slice(&u32::try_from(length).unwrap().to_le_bytes());
    frame.resize(frame.len() + length, b'x');
    frame
}

async fn decoded(body: impl Into<Bytes>, limit: usize) -> Result<Bytes, Error> {
    let budget = BodyBudget::default();
    let decoded = decode(body.into(), budget.share(64 << 20), limit).await.map(|body| {
        assert_eq!(budget.used(), if body.bytes.len() <= SMALL { 0 } else { body.bytes.len() });
        body.bytes
    });
    assert_eq!(budget.used(), 0);
    decoded
}

async fn refused(body: impl Into<Bytes>) -> String {
    match decoded(body, LIMIT).await {
        Err(Error::BadRequest(message)) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_coding_once_is_taken_and_nothing_else() {
    let of = |lines: &[&'static str]| {
        let header = |&line| (header::CONTENT_ENCODING, http::HeaderValue::from_static(line));
        Coding::of(&lines.iter().map(header).collect())
    };
    for plain in [&[][..], &[""], &["identity"], &["Identity, IDENTITY"], &["identity", ""]] {
        assert_eq!(of(plain), Ok(Coding::Identity), "{plain:?}");
    }
    for zstd in [&["zstd"][..], &["ZSTD"], &[" zstd "], &["identity, zstd"], &["zstd", "identity"]] {
        assert_eq!(of(zstd), Ok(Coding::Zstd), "{zstd:?}");
    }
    for other in [
        &["gzip"][..],
        &["br"],
        &["deflate"],
        &["zstd, zstd"],
        &["zstd", "zstd"],
        &["zstd, gzip"],
        &["x"],
        &["zstd;q=1"],
    ] {
        assert_eq!(of(other), Err(Error::Encoding), "{other:?}");
    }
}

#[tokio::test]
async fn frames_of_every_shape_are_decoded() {
    let body: Vec<u8> = (0..LIMIT).map(|at| (at * at / 1_000) as u8).collect();
    for parameters in [
        &[][..],
        &[CParameter::ContentSizeFlag(false)],
        &[CParameter::ChecksumFlag(true)],
        &[CParameter::WindowLog(10), CParameter::ContentSizeFlag(false)],
        &[CParameter::WindowLog(WINDOW_LOG)],
    ] {
        for length in [0, 1, FIRST, SHORT, QUICK - 1, QUICK, QUICK + 1, LIMIT] {
            let frame = compressed(&body[..length], parameters);
            assert_eq!(decoded(frame, LIMIT).await.as_deref(), Ok(&body[..length]), "{parameters:?} {length}");
        }
    }
    assert_eq!(decoded(Bytes::new(), LIMIT).await, Ok(Bytes::new()), "no frame is no body");
}

#[tokio::test]
async fn frames_one_after_another_are_one_body() {
    let many: Vec<u8> = (0..10_000).flat_map(|_| frame(b"x")).collect();
    assert!(many.len() > SHORT);
    assert_eq!(decoded(many, LIMIT).await.as_deref(), Ok("x".repeat(10_000).as_bytes()));
    let mixed = [skippable(0), frame(b"a"), skippable(100_000), frame(b""), frame(b"b"), skippable(7)].concat();
    assert_eq!(decoded(mixed, LIMIT).await.as_deref(), Ok(&b"ab"[..]));
    assert_eq!(decoded(skippable(SHORT), LIMIT).await, Ok(Bytes::new()));
}

#[tokio::test]
async fn a_bomb_is_refused_where_it_passes_the_limit() {
    // A gigabyte out of 32 KiB, once in one frame and once in many, and thousandfold out of little.
    let one = repeated(8_192, MIB);
    assert!(one.len() < 33 << 10);
    let many = repeated(1, MIB).repeat(8_192);
    let small = repeated(250, MIB);
    assert!(small.len() < 1_024);
    for bomb in [one, many, small] {
        assert_eq!(decoded(bomb.clone(), LIMIT).await, Err(Error::BodyTooLarge { limit: LIMIT }));
        let budget = BodyBudget::default();
        let mut decoder = Decoder::new(bomb.into(), budget.share(64 << 20), LIMIT).unwrap();
        assert_eq!(decoder.run(usize::MAX), Err(Error::BodyTooLarge { limit: LIMIT }));
        assert!(decoder.output.capacity() <= LIMIT + 1, "{}", decoder.output.capacity());
        assert!(decoder.context.sizeof() <= MEMORY);
    }
    // One that says what it is is not begun.
    let honest = frame(&vec![0; LIMIT + 1]);
    let begun = Decoder::new(honest.into(), BodyBudget::default().share(64 << 20), LIMIT).err();
    assert_eq!(begun, Some(Error::BodyTooLarge { limit: LIMIT }));
    let exact = repeated(LIMIT / 0x20000, MIB);
    assert_eq!(decoded(exact, LIMIT).await.map(|body| body.len()), Ok(LIMIT), "the limit itself is none too many");
}

#[tokio::test]
async fn what_is_decoded_together_stays_in_the_budget() {
    let budget = BodyBudget::default();
    let all = 4 << 20;
    let mut other = budget.share(all);
    other.resize(all - LIMIT / 2).unwrap();
    let bomb = Bytes::from(repeated(8, MIB));
    assert_eq!(decode(bomb.clone(), budget.share(all), LIMIT).await.err(), Some(Error::Crowded));
    assert_eq!(budget.used(), all - LIMIT / 2, "who was refused holds nothing");
    drop(other);
    assert_eq!(decode(bomb, budget.share(all), LIMIT).await.map(|body| body.bytes.len()).ok(), Some(LIMIT));
}

#[tokio::test]
async fn one_largest_body_is_decoded_whatever_is_configured() {
    let noise = (0..16 << 20).scan(1_u64, |state, _| {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Some((*state >> 56) as u8)
    });
    let noise: Vec<u8> = noise.collect();
    let body = compressed(&noise, &[CParameter::WindowLog(WINDOW_LOG), CParameter::CompressionLevel(1)]);
    let limit = body.len().max(noise.len());
    let budget = BodyBudget::default();
    let share = budget.share(2 * limit + Coding::Zstd.memory());
    assert!(decode(body.into(), share, limit).await.is_ok_and(|body| body.bytes == noise));
}

#[tokio::test]
async fn windows_are_at_most_eight_mebibytes() {
    assert_eq!(decoded(repeated(2, LARGEST), LIMIT).await.map(|body| body.len()), Ok(2 * 0x20000));
    for window in [LARGER, HUGE] {
        assert!(refused(repeated(2, window)).await.ends_with("frame requires too much memory for decoding"));
    }
}

#[tokio::test]
async fn what_is_no_whole_zstd_is_a_bad_request() {
    let good = compressed("twelve bytes, again and again ".repeat(9_000).as_bytes(), &[CParameter::ChecksumFlag(true)]);
    for length in 1..good.len() {
        let message = refused(good[..length].to_vec()).await;
        assert_eq!(message, "the request body ends in the middle of a zstd frame", "{length}");
    }
    for (bytes, fault) in [
        (b"{\"model\":\"llama3.2\"}".to_vec(), "unknown frame descriptor"),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00".to_vec(), "unknown frame descriptor"),
        // A frame of zstd 0.7, from before the format was settled.
        (b"\x27\xb5\x2f\xfd\x00\x00\x00\x00".to_vec(), "unknown frame descriptor"),
        ([good.clone(), b"garbage".to_vec()].concat(), "unknown frame descriptor"),
        ([good.clone(), vec![0; 100_000]].concat(), "unknown frame descriptor"),
        // Of a dictionary that nobody has.
        (b"\x28\xb5\x2f\xfd\x21\x07\x01\x09\x00\x00x".to_vec(), "dictionary mismatch"),
    ] {
        let message = refused(bytes.clone()).await;
        assert_eq!(message, format!("the request body is not valid zstd: {fault}"), "{bytes:02x?}");
    }
    // A last byte that is not the checksum's.
    let mut torn = good;
    *torn.last_mut().unwrap() ^= 1;
    assert!(refused(torn).await.contains("checksum"));
    // An end that could be the beginning of another frame.
    assert_eq!(
        refused([frame(b"x"), vec![0x28, 0xb5]].concat()).await,
        "the request body ends in the middle of a zstd frame"
    );
}

proptest! {
    #[test]
    fn any_body_at_any_level_comes_out_as_it_was(
        pieces in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..64), 1_usize..500), 0..12),
        level in -7_i32..=22,
        sized in any::<bool>(),
        checked in any::<bool>(),
    ) {
        let body: Vec<u8> = pieces.iter().flat_map(|(piece, times)| piece.repeat(*times)).collect();
        let parameters = [
            CParameter::CompressionLevel(level),
            CParameter::ContentSizeFlag(sized),
            CParameter::ChecksumFlag(checked),
            CParameter::WindowLog(17),
        ];
        let budget = BodyBudget::default();
        let mut decoder = Decoder::new(compressed(&body, &parameters).into(), budget.share(64 << 20), LIMIT).unwrap();
        while !decoder.run(decoder.output.len() + 1_000).unwrap() {}
        let decoded = decoder.finish().unwrap().bytes;
        prop_assert_eq!(&decoded[..], &body[..]);
    }

    #[test]
    fn no_bytes_make_the_decoder_fail_or_pass_its_limit(
        mut bytes in prop::collection::vec(any::<u8>(), 0..300),
        like in prop_oneof![Just(None), (0_usize..3).prop_map(Some)],
        at in any::<prop::sample::Index>(),
    ) {
        // Half of them are good frames with a piece of noise in them.
        if let Some(which) = like {
            let mut frame = [frame(&bytes.repeat(9)), repeated(20, MIB), [skippable(9), frame(&bytes)].concat()][which].clone();
            let at = at.index(frame.len());
            for (byte, noise) in frame[at..].iter_mut().zip(bytes.iter().take(4)) {
                *byte ^= noise;
            }
            bytes = frame;
        }
        let budget = BodyBudget::default();
        if let Ok(mut decoder) = Decoder::new(bytes.into(), budget.share(64 << 20), LIMIT) {
            let _ = decoder.run(usize::MAX);
            prop_assert!(decoder.output.capacity() <= LIMIT + 1);
            prop_assert!(decoder.context.sizeof() <= MEMORY);
        }
    }
}

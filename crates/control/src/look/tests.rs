//! Titles, colours and images: what is taken, what is refused, and what becomes of it.

use super::{colour::luminance, image::Kind, *};
use crate::tests::bench;

/// A PNG's frame: header and end, which is all that is looked at.
pub(super) fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bytes.extend(width.to_be_bytes().into_iter().chain(height.to_be_bytes()));
    bytes.extend(b"\x08\x06\0\0\0crc.\0\0\0\0IEND\xae\x42\x60\x82");
    bytes
}

fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = b"\xff\xd8\xff\xe0\0\x04JF\xff\xff\xc4\0\x03x\xff\xc2\0\x0b\x08".to_vec();
    bytes.extend(height.to_be_bytes().into_iter().chain(width.to_be_bytes()));
    bytes.extend(b"\x01\x01\x11\0\xff\xda\0\x02\xff\xd9");
    bytes
}

fn webp(form: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut bytes = b"RIFF".to_vec();
    let length = u32::try_from(body.len()).unwrap();
    bytes.extend((length + 12).to_le_bytes());
    bytes.extend(b"WEBP");
    bytes.extend(form);
    bytes.extend(length.to_le_bytes());
    bytes.extend(body);
    bytes
}

fn read(bytes: &[u8]) -> Result<(Kind, u32, u32), String> {
    Image::read(bytes).map(|image| (image.kind, image.width, image.height))
}

#[test]
fn images_are_known_by_their_first_bytes_and_the_sizes_in_their_headers() {
    assert_eq!(read(&png(512, 128)), Ok((Kind::Png, 512, 128)));
    assert_eq!(read(&jpeg(300, 40)), Ok((Kind::Jpeg, 300, 40)));
    let lossy = webp(b"VP8 ", b"\x10\0\0\x9d\x01\x2a\x20\x40\x30\0..");
    assert_eq!(read(&lossy), Ok((Kind::WebP, 32, 48)), "the two highest bits are a scale");
    let bits: u32 = 63 | 31 << 14;
    let lossless = webp(b"VP8L", &[&[0x2f][..], &bits.to_le_bytes()].concat());
    assert_eq!(read(&lossless), Ok((Kind::WebP, 64, 32)));
    let extended = webp(b"VP8X", b"\x10\0\0\0\xff\x01\0\x7f\0\0");
    assert_eq!(read(&extended), Ok((Kind::WebP, 512, 128)));
}

#[test]
fn what_is_no_such_image_or_too_small_or_too_large_is_refused() {
    for (bytes, words) in [
        (&b"<svg xmlns='http://www.w3.org/2000/svg'/>"[..], "SVG"),
        (b"\xef\xbb\xbf\n<?xml version='1.0'?><svg/>", "SVG"),
        (b"<html><script>", "SVG"),
        (b"GIF89a\x40\0\x40\0", "PNG, JPEG or WebP"),
        (b"", "PNG, JPEG or WebP"),
        (&png(64, 64)[..30], "cut short"),
        (&[png(64, 64), b"<script>".to_vec()].concat(), "cut short"),
        (&jpeg(64, 64)[..20], "cut short"),
        (b"\xff\xd8\xff\xda\0\x02\xff\xd9", "cut short"),
        (b"\xff\xd8\xff\xe0\0\0\0\0\0\0", "cut short"),
        (&webp(b"VP8X", b"\x10\0\0\0\xff\x01\0\x7f\0\0")[..29], "cut short"),
        (&webp(b"NONE", b"0123456789012345"), "cut short"),
        (&png(15, 64), "15 × 64"),
        (&png(64, 1_025), "64 × 1025"),
        (&png(u32::MAX, u32::MAX), "must be 16 to 1024 pixels"),
    ] {
        let fault = read(bytes).unwrap_err();
        assert!(fault.contains(words), "{fault}");
    }
    assert!(read(&png(16, 1_024)).is_ok());
}

#[test]
fn every_file_cut_anywhere_is_refused_and_none_panics() {
    for whole in [png(64, 64), jpeg(64, 64), webp(b"VP8X", b"\x10\0\0\0\xff\x01\0\x7f\0\0")] {
        for end in 0..whole.len() {
            let _ = read(&whole[..end]);
        }
        assert!(read(&whole[..whole.len() / 2]).is_err());
    }
}

#[test]
fn a_file_comes_in_either_base64_with_lines_and_as_an_address() {
    let bytes = [0xfb, 0xff, 0xfe, 0x01];
    for text in ["+//+AQ==", "-__-AQ", " +//+\r\nAQ== ", "data:image/png;base64,+//+AQ=="] {
        assert_eq!(decode(text).unwrap(), bytes, "{text}");
    }
    for text in ["", "data:image/png,abc", "data:;base64,", "no base64!"] {
        assert!(decode(text).is_err(), "{text}");
    }
}

#[test]
fn titles_are_of_any_script_and_bounded() {
    for (text, kept) in [(" Rechenzentrum Köln ", "Rechenzentrum Köln"), ("研究所 🦙", "研究所 🦙"), ("مختبر", "مختبر")]
    {
        assert_eq!(check_title(text).as_deref(), Ok(kept));
    }
    assert!(check_title(&"é".repeat(60)).is_ok());
    for bad in ["", " ", &"é".repeat(61), "a\nb", "a\u{202e}b"] {
        assert!(check_title(bad).is_err(), "{bad:?}");
    }
}

fn contrast(left: f64, right: f64) -> f64 {
    (left.max(right) + 0.05) / (left.min(right) + 0.05)
}

fn rgb(text: &str) -> [u8; 3] {
    [1, 3, 5].map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
}

#[test]
fn every_accent_can_be_read_and_seen_on_both_grounds() {
    // The darkest ground of the light theme and the lightest of the dark one, a little beyond.
    let (light_ground, dark_ground) = (luminance([0xdd; 3]), luminance([0x36; 3]));
    let steps = [0, 51, 102, 128, 153, 204, 255];
    for number in 0..steps.len().pow(3) {
        let [red, green, blue] = [1, 7, 49].map(|place| steps[number / place % steps.len()]);
        let chosen = format!("#{red:02x}{green:02x}{blue:02x}");
        let accent = Accent::of(&chosen).unwrap();
        for (shade, ground) in [(&accent.light, light_ground), (&accent.dark, dark_ground)] {
            let own = luminance(rgb(&shade.colour));
            assert!(contrast(own, luminance(rgb(shade.content))) >= 4.5, "{chosen}: text on {shade:?}");
            assert!(contrast(own, ground) >= 3.0, "{chosen}: {shade:?} on its ground");
        }
        let kept = |shade: &Shade| shade.colour == chosen;
        assert_eq!(accent.words() == "Shown as it is.", kept(&accent.light) && kept(&accent.dark), "{chosen}");
    }
    let yellow = Accent::of("#ffd400").unwrap();
    assert!(yellow.dark.colour == "#ffd400" && yellow.words().contains("on light ground"), "{yellow:?}");
    let navy = Accent::of("#00205b").unwrap();
    assert!(navy.light.colour == "#00205b" && navy.words().contains("on dark ground"), "{navy:?}");
}

#[test]
fn colours_are_six_hexadecimal_digits_or_none() {
    assert_eq!(check_accent(" #3366CC "), Ok("#3366cc".into()));
    assert_eq!(check_accent("None"), Ok("none".into()));
    for bad in ["", "3366cc", "#36c", "#3366cg", "#+3+6+c", "blue", "#3366cc;}body{", "#ééé"] {
        assert!(check_accent(bad).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn a_logo_is_kept_served_under_its_hash_and_removed() {
    let bench = bench().await;
    let (control, owner) = (&bench.control, bench.admin().await);
    assert_eq!(control.look(), Look::default());
    let save = |bytes: Vec<u8>| control.save_logo(&owner, SaveLogo { logo: STANDARD.encode(bytes) });
    save(png(512, 128)).await.unwrap();
    let first = control.look().logo.unwrap();
    assert_eq!((first.width, first.height), (512, 128));
    let file = first.address.strip_prefix("/admin/logo/").unwrap();
    assert!(file.len() == 16 + 4 && file.ends_with(".png"), "{file}");
    assert_eq!(control.logo(file), Some(("image/png", png(512, 128))));

    let fault = save(b"<svg/>".to_vec()).await.unwrap_err();
    assert!(fault.field("logo").is_some_and(|text| text.contains("SVG")), "{fault}");
    let large = [&png(64, 64)[..33], &vec![0; MAX_LOGO], &png(64, 64)[33..]].concat();
    let fault = save(large).await.unwrap_err();
    assert!(fault.field("logo").is_some_and(|text| text.contains("at most 256 KB")), "{fault}");
    assert_eq!(control.look().logo.as_ref(), Some(&first), "what is refused changes nothing");

    save(jpeg(40, 40)).await.unwrap();
    let second = control.look().logo.unwrap();
    assert_ne!(first.address, second.address);
    assert_eq!(control.logo(file), None, "only the one in force");
    control.remove_logo(&owner).await.unwrap();
    assert_eq!(control.look().logo, None);
    assert_eq!(control.logo(second.address.strip_prefix("/admin/logo/").unwrap()), None);
}

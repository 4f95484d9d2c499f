//! The accent: one colour that an administrator chooses, made darker for light grounds and lighter for dark ones as far as it
//! takes to be told from them and to carry text, by WCAG's measure.

use domain::network::NONE;

/// Up to here white text on it has a contrast of 4.5 to 1, and it has one of 3 to 1 to every ground of the light theme.
const DARK_ENOUGH: f64 = 0.183;
/// From here on black text on it has one of 4.5 to 1 also while a pointer darkens it, and it one of 3 to 1 to the dark grounds.
const LIGHT_ENOUGH: f64 = 0.222;

/// A colour and that of text on it, as `#rrggbb`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shade {
    pub colour: String,
    pub content: &'static str,
}

/// How an accent is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accent {
    chosen: String,
    /// On light ground.
    pub light: Shade,
    /// On dark ground.
    pub dark: Shade,
}

type Rgb = [u8; 3];

/// The colour in the spelling that is kept, or what is wrong with it.
pub(crate) fn check(text: &str) -> Result<String, String> {
    let text = text.trim().to_ascii_lowercase();
    if text == NONE || parse(&text).is_some() {
        return Ok(text);
    }
    Err("must be a colour like #3366cc, or none".into())
}

fn parse(text: &str) -> Option<Rgb> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let part = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
    Some([part(0)?, part(2)?, part(4)?])
}

fn write([red, green, blue]: Rgb) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// WCAG's relative luminance.
pub(super) fn luminance(colour: Rgb) -> f64 {
    let [red, green, blue] = colour.map(|part| {
        let part = f64::from(part) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/// The first of the colours on the way from `from` to `to` that `fits`; `to` itself is the last.
fn nearest(from: Rgb, to: Rgb, fits: impl Fn(f64) -> bool) -> Rgb {
    let at = |step: u32| {
        let mix = |from: u8, to: u8| (u32::from(from) * (255 - step) + u32::from(to) * step) / 255;
        [0, 1, 2].map(|part| u8::try_from(mix(from[part], to[part])).unwrap_or(to[part]))
    };
    (0..=255).map(at).find(|colour| fits(luminance(*colour))).unwrap_or(to)
}

impl Accent {
    /// `None` where `text` is no colour.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let chosen = parse(text)?;
        let light = nearest(chosen, [0; 3], |luminance| luminance <= DARK_ENOUGH);
        let dark = nearest(chosen, [255; 3], |luminance| luminance >= LIGHT_ENOUGH);
        Some(Self {
            chosen: write(chosen),
            light: Shade { colour: write(light), content: "#ffffff" },
            dark: Shade { colour: write(dark), content: "#000000" },
        })
    }

    /// Says what became of the chosen colour.
    pub(crate) fn words(&self) -> String {
        let Self { chosen, light, dark } = self;
        match (light.colour == *chosen, dark.colour == *chosen) {
            (true, true) => "Shown as it is.".to_owned(),
            (true, false) => format!("Shown as {} on dark ground, where it could not be read.", dark.colour),
            (false, true) => format!("Shown as {} on light ground, where it could not be read.", light.colour),
            (false, false) => format!(
                "Shown as {} on light ground and as {} on dark ground, so that it can be read.",
                light.colour, dark.colour
            ),
        }
    }
}

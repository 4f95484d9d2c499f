//! How the pages look where an administrator has a say: title, accent and logo, each checked here. How they are drawn is the
//! app's business.

mod colour;
mod image;

use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::DecodePaddingMode,
    engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD},
};
use domain::{
    error::AdminError,
    look::{Logo, Look, MAX_LOGO, MAX_TITLE, PRODUCT, SaveLogo},
    network::NONE,
    settings::Sourced,
};
use sha2::{Digest, Sha256};
use store::row::Op;

pub(crate) use colour::check as check_accent;
pub use colour::{Accent, Shade};
use image::Image;

use crate::{Actor, Control, EnvironmentSettings, name, settings::sourced, state::State};

pub(crate) const TITLE: &str = "product_title";
pub(crate) const ACCENT: &str = "accent";
pub(crate) const LOGO: &str = "logo";

/// Where logos are served; behind it stands a file name with the content's hash.
const LOGOS: &str = "/admin/logo/";
/// Both alphabets are read as this one, with padding or without.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A title as it is kept, or what is wrong with it.
pub(crate) fn check_title(text: &str) -> Result<String, String> {
    let title = name::check(TITLE, text).map_err(|fault| fault.message.replace("give a name", "give a title"))?;
    if title.chars().count() > MAX_TITLE {
        return Err(format!("must be at most {MAX_TITLE} characters"));
    }
    Ok(title)
}

pub(crate) fn title(state: &State, environment: &EnvironmentSettings) -> Sourced<String> {
    let saved = state.setting(TITLE).map(str::to_owned);
    sourced(saved, environment.product_title.clone(), PRODUCT.to_owned())
}

/// `#rrggbb`, `none` for the product's own although the environment names one, or empty.
pub(crate) fn accent(state: &State, environment: &EnvironmentSettings) -> Sourced<String> {
    let saved = state.setting(ACCENT).map(str::to_owned);
    sourced(saved, environment.accent.clone(), String::new())
}

/// The accent in force as it is drawn; `None` for the product's own colours.
fn shades(state: &State, environment: &EnvironmentSettings) -> Option<Accent> {
    let text = accent(state, environment).value;
    if text.is_empty() || text == NONE { None } else { Accent::of(&text) }
}

/// How the accent is shown, in words; empty where there is none.
pub(crate) fn accent_words(state: &State, environment: &EnvironmentSettings) -> String {
    shades(state, environment).map(|accent| accent.words()).unwrap_or_default()
}

/// A stored logo: what it is, and its bytes in base64.
struct Stored<'a> {
    file: &'a str,
    width: u32,
    height: u32,
    content: &'a str,
}

impl<'a> Stored<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(4, ' ');
        let (file, width, height) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { file, width: width.parse().ok()?, height: height.parse().ok()?, content: parts.next()? })
    }

    fn write(image: &Image, bytes: &[u8]) -> String {
        let hash: String = Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let Image { kind, width, height } = image;
        format!("{hash}.{} {width} {height} {}", kind.ending(), STANDARD.encode(bytes))
    }
}

pub(crate) fn logo(state: &State) -> Option<Logo> {
    let Stored { file, width, height, .. } = Stored::read(state.setting(LOGO)?)?;
    Some(Logo { address: format!("{LOGOS}{file}"), width, height })
}

/// A stored logo for the audit log, `None` if it cannot be read.
pub(crate) fn told(text: &str) -> Option<String> {
    let stored = Stored::read(text)?;
    Some(format!("{}, {} × {} pixels", stored.file, stored.width, stored.height))
}

/// The bytes of a file as a form sends them.
fn decode(text: &str) -> Result<Vec<u8>, &'static str> {
    let text = text.trim();
    let text = match text.strip_prefix("data:") {
        Some(address) => address.split_once(";base64,").ok_or("must be in base64")?.1,
        None => text,
    };
    if text.is_empty() {
        return Err("choose an image");
    }
    let plain: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).map(url_safe).collect();
    LENIENT.decode(plain).map_err(|_| "must be a file in base64")
}

fn url_safe(byte: u8) -> u8 {
    match byte {
        b'+' => b'-',
        b'/' => b'_',
        byte => byte,
    }
}

impl Control {
    /// Title and logo in force, for every page, signed in or not.
    pub fn look(&self) -> Look {
        let state = self.state();
        Look { title: title(&state, &self.0.environment).value, logo: logo(&state) }
    }

    /// The accent in force; `None` for the product's own colours.
    pub fn accent(&self) -> Option<Accent> {
        shades(&self.state(), &self.0.environment)
    }

    /// The logo in force with its content type, if it is the one that `file` names.
    pub fn logo(&self, file: &str) -> Option<(&'static str, Vec<u8>)> {
        let state = self.state();
        let stored = Stored::read(state.setting(LOGO)?).filter(|stored| stored.file == file)?;
        let bytes = STANDARD.decode(stored.content).ok()?;
        Some((Image::read(&bytes).ok()?.kind.media_type(), bytes))
    }

    pub async fn save_logo(&self, actor: &Actor, input: SaveLogo) -> Result<(), AdminError> {
        self.mutate(actor.owns("logo saved")?, |_| {
            let invalid = |message: String| AdminError::invalid("logo", message);
            let bytes = decode(&input.logo).map_err(|message| invalid(message.to_owned()))?;
            if bytes.len() > MAX_LOGO {
                return Err(invalid(format!(
                    "must be at most {} KB; this one has {} bytes",
                    MAX_LOGO / 1_000,
                    bytes.len()
                )));
            }
            let image = Image::read(&bytes).map_err(invalid)?;
            Ok((vec![Op::PutSetting(LOGO.into(), Stored::write(&image, &bytes))], ()))
        })
        .await
    }

    /// Back to none.
    pub async fn remove_logo(&self, actor: &Actor) -> Result<(), AdminError> {
        self.mutate(actor.owns("logo removed")?, |state| {
            let stored = state.setting(LOGO).map(|_| Op::DeleteSetting(LOGO.into()));
            Ok((stored.into_iter().collect(), ()))
        })
        .await
    }
}

/// A file that is taken as a logo.
#[cfg(test)]
pub(crate) fn tests_logo() -> String {
    STANDARD.encode(tests::png(64, 64))
}

#[cfg(test)]
#[path = "look/tests.rs"]
mod tests;

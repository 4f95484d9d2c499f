//! How the pages look where an administrator has a say: the product's title, its logo and its accent. What may be chosen is
//! checked in `control`.

use serde::{Deserialize, Serialize};

/// What the product is called until an administrator calls it something else.
pub const PRODUCT: &str = "Ollama Proxy Fortress";
/// Most characters of a title.
pub const MAX_TITLE: usize = 60;
/// Largest logo, in bytes.
pub const MAX_LOGO: usize = 256_000;
/// Least and most pixels of either side of a logo.
pub const MIN_SIDE: u32 = 16;
pub const MAX_SIDE: u32 = 1_024;

/// A logo in force. Its address has its content's hash in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logo {
    pub address: String,
    pub width: u32,
    pub height: u32,
}

/// Title and logo, as every page shows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    pub title: String,
    pub logo: Option<Logo>,
}

impl Default for Look {
    fn default() -> Self {
        Self { title: PRODUCT.to_owned(), logo: None }
    }
}

/// Uploads a logo.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SaveLogo {
    /// The file in base64, also as a `data:` address.
    pub logo: String,
}

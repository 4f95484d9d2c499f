//! What can be asked of the backends that have a model, and what each of them made of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{id::BackendId, upgrade::StartUpgrade};

/// Boxes of the backends that are meant, by [`StartUpgrade::box_of`]; one that is not ticked is not sent.
pub type Boxes = BTreeMap<String, bool>;

/// How the names of boxes begin in a form, within `input[…]`.
pub const BOXES: &str = StartUpgrade::BOXES;

/// The name of a backend's box.
pub fn box_of(id: &BackendId) -> String {
    StartUpgrade::box_of(id)
}

/// What is to be done to a model's place in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// Load it, for as long as the backend keeps models by itself.
    Load,
    /// Load it and keep it.
    Pin,
    Unload,
}

impl Keep {
    /// As it is written in forms.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Pin => "pin",
            Self::Unload => "unload",
        }
    }
}

/// Has backends load a model or let go of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeepModel {
    pub model: String,
    pub act: Keep,
    #[serde(default)]
    pub backends: Boxes,
    /// All backends that have it.
    #[serde(default)]
    pub everywhere: bool,
}

/// Has backends give a model another name beside its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopyModel {
    pub model: String,
    pub destination: String,
    #[serde(default)]
    pub backends: Boxes,
    #[serde(default)]
    pub everywhere: bool,
}

/// Has backends delete a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeleteModel {
    pub model: String,
    /// The name once more, so that nobody deletes another than he thinks.
    pub retyped: String,
    #[serde(default)]
    pub backends: Boxes,
    #[serde(default)]
    pub everywhere: bool,
}

impl CopyModel {
    /// What faults stand beside.
    pub const FIELDS: [&str; 2] = ["backends", "destination"];
}

impl DeleteModel {
    /// What faults stand beside.
    pub const FIELDS: [&str; 2] = ["backends", "retyped"];
}

/// What one backend made of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Its name.
    pub backend: String,
    pub ok: bool,
    /// In words, without full stop.
    pub text: String,
}

/// What came of an action, backend by backend, in the fleet's order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acted {
    pub model: String,
    pub outcomes: Vec<Outcome>,
}

/// Ids of the backends that are ticked, as they came.
pub fn ticked(boxes: &Boxes) -> impl Iterator<Item = &str> {
    boxes.iter().filter(|(_, ticked)| **ticked).map(|(name, _)| StartUpgrade::id_of(name))
}

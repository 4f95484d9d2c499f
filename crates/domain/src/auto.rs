//! The model `auto`: a name whose model is picked anew for each request, by rules that can be told in a sentence. Which models
//! there are and what a request holds is the gateway's business; the order that follows is decided here.

mod input;

pub use input::{Checked, PurposeBoxes, SaveAuto};
use serde::{Deserialize, Serialize};

use crate::alias::TargetState;

/// What clients ask for.
pub const NAME: &str = "auto";
/// Most models that are listed for it.
pub const MAX_MODELS: usize = 32;

/// Words that make a message one about code, beside a code fence.
pub const CODE_WORDS: [&str; 21] = [
    "algorithm",
    "bash",
    "code",
    "coding",
    "compile",
    "compiler",
    "css",
    "debug",
    "function",
    "golang",
    "html",
    "java",
    "javascript",
    "python",
    "refactor",
    "regex",
    "rust",
    "sql",
    "stacktrace",
    "traceback",
    "typescript",
];
/// Begins and ends a block of code.
const FENCE: &str = "```";

/// A message is about code: it has a code fence, or one of [`CODE_WORDS`] as a word of its own.
pub fn is_about_code(text: &str) -> bool {
    let is_word = |word: &str| CODE_WORDS.iter().any(|known| known.eq_ignore_ascii_case(word));
    text.contains(FENCE) || text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(is_word)
}

/// What a model is for, as an administrator says it. The last three count beside what backends tell of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purposes {
    pub general: bool,
    pub code: bool,
    pub images: bool,
    pub tools: bool,
    pub embeddings: bool,
}

impl Default for Purposes {
    fn default() -> Self {
        Self { general: true, code: false, images: false, tools: false, embeddings: false }
    }
}

impl Purposes {
    /// As pages, commands and logs call them, in their order.
    pub const WORDS: [&str; 5] = ["general", "code", "images", "tools", "embeddings"];

    pub fn of(boxes: [bool; 5]) -> Self {
        let [general, code, images, tools, embeddings] = boxes;
        Self { general, code, images, tools, embeddings }
    }

    pub fn boxes(self) -> [bool; 5] {
        let Self { general, code, images, tools, embeddings } = self;
        [general, code, images, tools, embeddings]
    }

    /// `general, code`.
    pub fn words(self) -> String {
        let ticked = Self::WORDS.into_iter().zip(self.boxes()).filter_map(|(word, is)| is.then_some(word));
        ticked.collect::<Vec<_>>().join(", ")
    }
}

/// One model that may be picked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutoModel {
    /// A model or an alias, as it was written.
    pub model: String,
    pub purposes: Purposes,
}

/// All that administrators decide of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Auto {
    pub on: bool,
    /// In the order in which they are preferred. None for every model of the fleet, loaded ones first, then by name.
    pub models: Vec<AutoModel>,
}

/// What is known of a model's abilities.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abilities {
    pub text: bool,
    pub images: bool,
    pub tools: bool,
    pub embeddings: bool,
}

impl Abilities {
    /// From what a backend's list says of it. A list without capabilities is an older server's, or of another make: such a
    /// model reads and writes text, unless it is of a family that only embeds.
    pub fn told<'a>(capabilities: impl IntoIterator<Item = &'a str>, family: &str) -> Self {
        let (mut told, mut any) = (Self::default(), false);
        for capability in capabilities {
            any = true;
            match capability {
                "completion" => told.text = true,
                "vision" => told.images = true,
                "tools" => told.tools = true,
                "embedding" => told.embeddings = true,
                _ => {}
            }
        }
        if !any {
            told.embeddings = family.contains("bert");
            told.text = !told.embeddings;
        }
        told
    }

    /// All that either has.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            text: self.text || other.text,
            images: self.images || other.images,
            tools: self.tools || other.tools,
            embeddings: self.embeddings || other.embeddings,
        }
    }

    /// With what an administrator ticked.
    #[must_use]
    pub fn with(self, purposes: Purposes) -> Self {
        let Purposes { images, tools, embeddings, .. } = purposes;
        self.or(Self { images, tools, embeddings, text: false })
    }

    /// `text, images`.
    pub fn words(self) -> String {
        let all =
            [("text", self.text), ("images", self.images), ("tools", self.tools), ("embeddings", self.embeddings)];
        all.into_iter().filter_map(|(word, is)| is.then_some(word)).collect::<Vec<_>>().join(", ")
    }
}

/// What a request asks of a model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    pub embeddings: bool,
    pub images: bool,
    pub tools: bool,
    /// The last message of the user is about code.
    pub code: bool,
}

/// A model among which one is picked.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub purposes: Purposes,
    pub can: Abilities,
    pub warm: bool,
}

impl Wanted {
    fn fits(self, can: Abilities) -> bool {
        if self.embeddings {
            return can.embeddings;
        }
        can.text && (can.images || !self.images) && (can.tools || !self.tools)
    }

    /// Places of those among `entries` that can answer, the best first: those marked for code where the message is about
    /// code, otherwise those for general use; then in the order they came. Where nobody `ordered` them, loaded ones first.
    pub fn rank(self, entries: &[Entry], ordered: bool) -> Vec<usize> {
        let mut places: Vec<usize> = (0..entries.len()).filter(|at| self.fits(entries[*at].can)).collect();
        // A stable sort: what is equal stays in its order.
        places.sort_by_key(|at| {
            let Entry { purposes, warm, .. } = entries[*at];
            let unmarked = if self.is_code() { !purposes.code } else { !purposes.general };
            (!self.embeddings && unmarked, !ordered && !warm)
        });
        places
    }

    fn is_code(self) -> bool {
        self.code && !self.embeddings
    }

    /// Why the first of [`Wanted::rank`] is the first, without naming any model and without full stop.
    pub fn reason(self, first: Entry, ordered: bool) -> String {
        let mut found = Vec::new();
        let mut marks = Vec::new();
        if self.embeddings {
            marks.push("make embeddings");
        } else {
            for (is, what, mark) in [
                (self.images, "image in the request", "see images"),
                (self.tools, "tools in the request", "use tools"),
                (self.code, "code in the last message", "are for code"),
            ] {
                if is {
                    found.push(what);
                    if mark != "are for code" || first.purposes.code {
                        marks.push(mark);
                    }
                }
            }
            if !self.code && marks.is_empty() && first.purposes.general {
                marks.push("are for general use");
            }
        }
        let begun = if found.is_empty() { String::new() } else { format!("{}, ", found.join(" and ")) };
        let among = if marks.is_empty() {
            "of all models".into()
        } else {
            format!("of the models that {}", marks.join(" and "))
        };
        let how = if ordered || first.warm { "first" } else { "first by name" };
        let heat = if !ordered && first.warm { ", loaded" } else { "" };
        format!("{begun}{how} {among}{heat}")
    }

    /// What no model could do, for whoever asked; without full stop.
    pub fn wanting(self) -> &'static str {
        match self {
            Self { embeddings: true, .. } => "make embeddings",
            Self { images: true, tools: true, .. } => "see the image and use the tools of this request",
            Self { images: true, .. } => "see the image in this request",
            Self { tools: true, .. } => "use the tools of this request",
            _ => "answer in text",
        }
    }
}

/// One model as the page shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutoTarget {
    pub model: String,
    pub state: TargetState,
    /// Why, in a few words without full stop: `on gpu-1, loaded there`.
    pub why: String,
    /// What it can do, as far as is known: `text, images`. Empty where no backend has it.
    pub can: String,
}

/// What is saved, and what it leads to at this moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutoView {
    pub on: bool,
    pub models: Vec<AutoModel>,
    /// Stands for all that is stored: changes with every save.
    pub version: String,
    /// In the order of a plain question; of a large fleet the first of them.
    pub targets: Vec<AutoTarget>,
    /// Models beyond those.
    pub more: usize,
    /// Backends have a model of this name, which nobody reaches by it while `auto` is on.
    pub shadows: bool,
    /// Names that may be given: aliases and models of the fleet; of a large one the first of them.
    pub names: Vec<String>,
}

#[cfg(test)]
mod tests;

//! `auto`: the arguments. What models are for is read by the control plane, so that faults sound as they do in the pages.

use clap::Subcommand;
use control::command::Command;

#[derive(Subcommand)]
pub enum Auto {
    /// Show whether it is on, and the models it picks from as they stand now.
    Show,
    /// Let clients ask for the model auto.
    On,
    /// Answer requests for auto like those for a model that nobody has.
    Off,
    /// Say which models it picks from, the preferred one first; with none, all models of the fleet.
    Models {
        /// A model or an alias, or with what it is for: qwen2.5-coder=code,tools. The words are general (where none is given),
        /// code, images, tools, embeddings.
        #[arg(value_name = "MODEL[=FOR,FOR]")]
        models: Vec<String>,
    },
}

impl From<Auto> for Command {
    fn from(auto: Auto) -> Self {
        match auto {
            Auto::Show => Self::AutoShow,
            Auto::On => Self::AutoSet { on: Some(true), models: None },
            Auto::Off => Self::AutoSet { on: Some(false), models: None },
            Auto::Models { models } => Self::AutoSet { on: None, models: Some(models) },
        }
    }
}

//! `alias`: the arguments. Judging names is the control plane's, so that faults sound as they do in the pages.

use clap::Subcommand;
use control::command::Command;

#[derive(Subcommand)]
pub enum Alias {
    /// List aliases with what each leads to now.
    List,
    /// Make an alias, or give the one that is there other models.
    Set {
        /// What clients ask for, for example fast.
        name: String,
        /// Models or other aliases, the one to be tried first first.
        #[arg(required = true, value_name = "MODEL")]
        models: Vec<String>,
        /// What it is for; stays as it is where this is not given.
        #[arg(long)]
        note: Option<String>,
    },
    /// Forget an alias; the models stay.
    Remove { name: String },
}

impl From<Alias> for Command {
    fn from(alias: Alias) -> Self {
        match alias {
            Alias::List => Self::AliasList,
            Alias::Set { name, models: targets, note } => Self::AliasSet { name, targets, note },
            Alias::Remove { name } => Self::AliasRemove { name },
        }
    }
}

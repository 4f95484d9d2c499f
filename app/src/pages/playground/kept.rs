//! The conversation of this tab while another page is shown: in memory, for whoever held it, and gone with the document.
//! Nothing is written to the browser's storage, where the next person at this machine would find it.

use std::cell::RefCell;

use leptos::prelude::*;

use super::{
    conversation::{Chat, SIDES, Turn},
    options::Typed,
    pictures::Picture,
};

struct Kept {
    /// Id of the account that held it.
    who: String,
    models: [String; SIDES],
    both: bool,
    system: String,
    options: Typed,
    turns: Vec<Turn>,
    before: Vec<Turn>,
    prompt: String,
    pictures: Vec<Picture>,
}

thread_local! {
    static KEPT: RefCell<Option<Kept>> = const { RefCell::new(None) };
}

/// Keeps what `chat` holds, unless it is nothing, as on a server always. Its answers are over by now.
pub(super) fn keep(chat: Chat, who: String) {
    let held = || {
        Some(Kept {
            who,
            models: [chat.models[0].try_get_untracked()?, chat.models[1].try_get_untracked()?],
            both: chat.both.try_get_untracked()?,
            system: chat.system.try_get_untracked()?,
            options: chat.options.try_get_untracked()?,
            turns: chat.turns.try_get_untracked()?,
            before: chat.before.try_get_untracked()?,
            prompt: chat.prompt.try_get_untracked()?,
            pictures: chat.pictures.try_get_untracked()?,
        })
    };
    let is_something = |kept: &Kept| !(kept.turns.is_empty() && kept.prompt.is_empty() && kept.pictures.is_empty());
    if let Some(kept) = held().filter(is_something) {
        KEPT.set(Some(kept));
    }
}

/// Puts what was kept for `who` into `chat`, once. A model that was asked for in the address stays; what somebody else held
/// is dropped.
pub(super) fn take(chat: Chat, who: &str) {
    let Some(kept) = KEPT.take().filter(|kept| kept.who == who) else { return };
    let Kept { models: [first, second], both, system, options, turns, before, prompt, pictures, .. } = kept;
    let asked = !chat.models[0].with_untracked(String::is_empty);
    if !asked {
        chat.models[0].set(first);
    }
    chat.models[1].set(second);
    chat.both.set(both);
    chat.system.set(system);
    chat.options.set(options);
    chat.replace(turns);
    chat.before.set(before);
    chat.prompt.set(prompt);
    chat.pictures.set(pictures);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_comes_back_once_and_only_to_whoever_held_it() {
        let begin = |model: &str| Chat::new(model.into());
        let held = || {
            Owner::new().with(|| {
                let chat = begin("a");
                chat.prompt.set("half a thought".into());
                chat.system.set("be brief".into());
                keep(chat, "ada".into());
            });
        };
        Owner::new().with(|| {
            held();
            let other = begin("");
            take(other, "bob");
            assert_eq!(other.prompt.get_untracked(), "");
            take(other, "ada");
            assert_eq!(other.prompt.get_untracked(), "", "it is gone once somebody else came");
            held();
            let again = begin("");
            take(again, "ada");
            assert_eq!(
                (again.prompt.get_untracked(), again.models[0].get_untracked()),
                ("half a thought".into(), "a".into())
            );
            let asked = begin("b");
            keep(again, "ada".into());
            take(asked, "ada");
            assert_eq!(
                (asked.system.get_untracked(), asked.models[0].get_untracked()),
                ("be brief".into(), "b".into())
            );
            keep(begin("a"), "ada".into());
            let empty = begin("");
            take(empty, "ada");
            assert_eq!(empty.models[0].get_untracked(), "", "nothing is kept of nothing");
        });
    }
}

//! Dangerous changes ask for the password again. Every action of a form watches for that answer, keeps what it sent, and
//! can send it again; the frame of the pages has the one dialog that asks. Without scripts a page asks instead.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use domain::error::AdminError;
use leptos::prelude::*;

use super::action::AnyAction;
use crate::error::AppError;

type Again = Arc<dyn Fn() + Send + Sync>;

/// The question for the password, and what to do once it is answered.
#[derive(Clone, Copy)]
pub struct Reentry {
    again: StoredValue<Option<Again>>,
    asked: RwSignal<bool>,
}

/// Belongs at the root of the app.
pub fn provide() {
    provide_context(Reentry { again: StoredValue::new(None), asked: RwSignal::new(false) });
}

impl Reentry {
    /// Whether the question is open, to be tracked by the dialog.
    pub fn is_asked(self) -> bool {
        self.asked.get()
    }

    /// The password was right: does what waited for it.
    pub fn go_on(self) {
        let again = self.again.try_update_value(Option::take).flatten();
        self.asked.set(false);
        if let Some(again) = again {
            again();
        }
    }

    /// Nobody wants to answer: nothing is done.
    pub fn give_up(self) {
        self.again.set_value(None);
        self.asked.set(false);
    }
}

/// Asks for the password when `action` is answered so, and sends the same again afterwards.
pub(super) fn watch(action: AnyAction) {
    let Some(reentry) = use_context::<Reentry>() else { return };
    let (version, value) = (action.version(), action.value());
    let asks = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&asks);
    Effect::new(move |_| {
        if version.get() == 0 {
            return;
        }
        let needs = value.with_untracked(|value| matches!(value, Some(Err(AppError(AdminError::NeedsPassword)))));
        if !needs {
            // It may hold a secret.
            action.take_sent();
            asked.store(false, Ordering::Relaxed);
            return;
        }
        let again: Again = Arc::new(move || {
            if let Some(fields) = action.take_sent() {
                action.send_text(fields);
            }
        });
        asked.store(true, Ordering::Relaxed);
        reentry.again.set_value(Some(again));
        reentry.asked.set(true);
    });
    on_cleanup(move || {
        // What waited is gone, and the question with it.
        if asks.load(Ordering::Relaxed) {
            let _ = reentry.asked.try_set(false);
        }
    });
}

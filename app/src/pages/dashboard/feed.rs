//! The live status, followed from the first on.

use std::sync::Arc;

use domain::live::LiveStatus;
use leptos::prelude::*;

use crate::pages::stream::{Connection, listen};

const ADDRESS: &str = "/admin/live";

/// The latest status, and whether later ones will come.
#[derive(Clone, Copy)]
pub(in crate::pages) struct Feed {
    pub status: ReadSignal<LiveStatus>,
    pub connection: ReadSignal<Connection>,
}

/// Follows the live status from `first` on, as long as the component lives.
pub(in crate::pages) fn follow(first: LiveStatus) -> Feed {
    follow_at(first, ADDRESS.to_owned())
}

/// The same of the stream at `address`.
pub(in crate::pages) fn follow_at(first: LiveStatus, address: String) -> Feed {
    let (status, set_status) = signal(first);
    let heard = move |text: String| {
        if let Ok(status) = serde_json::from_str(&text) {
            set_status.try_set(status);
        }
    };
    let connection = listen(Signal::stored(Some(address)), Arc::new(heard));
    Feed { status, connection }
}

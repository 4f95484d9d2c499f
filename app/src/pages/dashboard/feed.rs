//! The live status, followed. Each page reads of it what it shows, by a type of its own: what is not in there costs the
//! page nothing.

use std::sync::Arc;

use leptos::prelude::*;
use serde::de::DeserializeOwned;

use crate::{
    decode::decode,
    pages::stream::{Connection, listen},
};

/// The latest status as `T` has it, and whether later ones will come.
pub(in crate::pages) struct Feed<T: Send + Sync + 'static> {
    pub status: ReadSignal<T>,
    pub connection: ReadSignal<Connection>,
}

/// Follows the live status from `first` on, as long as the component lives.
pub(in crate::pages) fn follow<T: DeserializeOwned + Send + Sync>(first: T) -> Feed<T> {
    follow_at(first, "/admin/live".to_owned())
}

/// The same of the stream at `address`.
pub(in crate::pages) fn follow_at<T: DeserializeOwned + Send + Sync>(first: T, address: String) -> Feed<T> {
    let (status, set_status) = signal(first);
    let heard = move |text: String| {
        if let Ok(status) = decode(&text) {
            set_status.try_set(status);
        }
    };
    let connection = listen(Signal::stored(Some(address)), Arc::new(heard));
    Feed { status, connection }
}

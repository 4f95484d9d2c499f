//! New requests on top of the list as they end, while the address says so.

use std::{cmp::Reverse, sync::Arc};

use domain::usage::{
    asked::{AskLog, FOLLOWED, LogNews, LogView},
    log::LogRow,
};
use leptos::prelude::*;

use super::{Asked, HERE, address, pairs};
use crate::{
    components::badge::Badge,
    decode::decode,
    pages::stream::{Connection, listen},
};

/// The list as it grows.
#[derive(Clone, Copy)]
pub(super) struct Tail {
    pub rows: Memo<Vec<LogRow>>,
    /// Requests that came too fast to be told.
    pub missed: ReadSignal<u64>,
}

/// New ones would come on top of what is asked for.
fn grows(log: &AskLog) -> bool {
    log.after.is_empty() && log.to.is_empty()
}

/// The rows as they were read, and what the stream adds to them.
pub(super) fn follow(asked: Memo<Asked>, view: Memo<LogView>, told: RwSignal<Connection>) -> Tail {
    // `None` until the stream tells something: before that the list is as it was read.
    let grown = RwSignal::new(None::<Vec<LogRow>>);
    let (missed, set_missed) = signal(0);
    let stream = Memo::new(move |_| {
        let read = view.with(|view| view.kept_days > 0);
        asked.with(|Asked { log, live }| {
            let query = pairs(log);
            (*live && read && grows(log))
                .then(|| format!("{HERE}/live{}{query}", if query.is_empty() { "" } else { "?" }))
        })
    });
    let log = Memo::new(move |_| asked.with(|asked| asked.log.clone()));
    Effect::new(move |_| {
        view.track();
        log.track();
        grown.set(None);
        set_missed.set(0);
    });
    let heard = move |text: String| {
        let Ok(news) = decode::<LogNews>(&text) else { return };
        set_missed.try_update(|missed| *missed += news.missed);
        grown.try_update(|grown| {
            let rows = grown.get_or_insert_with(|| view.with_untracked(|view| view.page.rows.clone()));
            add(rows, news);
        });
    };
    let connection = listen(stream.into(), Arc::new(heard));
    Effect::new(move |_| told.set(connection.get()));
    let rows = Memo::new(move |_| grown.get().unwrap_or_else(|| view.with(|view| view.page.rows.clone())));
    Tail { rows, missed }
}

/// Begins to follow, or ends it, and says how it stands. Where no script runs nothing can be followed.
#[component]
pub(super) fn LiveSwitch(asked: Memo<Asked>, connection: RwSignal<Connection>) -> impl IntoView {
    let live = move || asked.with(|Asked { log, live }| *live && grows(log));
    let offered = move || asked.with(|asked| grows(&asked.log));
    let to = move || asked.with(|Asked { log, live }| address(log, !live));
    let look = move || match connection.get() {
        Connection::Still | Connection::Opening => ("Connecting", "status status-neutral"),
        Connection::Open => ("Live", "status status-success"),
        Connection::Lost => ("Reconnecting", "status status-warning"),
    };
    view! {
        <span role="status" class="self-center noscript:hidden" class:hidden=move || !live()><Badge look=Signal::derive(look) /></span>
        <a href=to class="btn btn-sm noscript:hidden" class:hidden=move || !offered()>{move || if live() { "Stop following" } else { "Follow live" }}</a>
    }
    .into_any()
}

/// Puts the news into their places.
pub(super) fn add(rows: &mut Vec<LogRow>, news: LogNews) {
    if let Some(last) = news.rows.last().filter(|_| news.whole) {
        // After a pause there may be more between these and those below than was told.
        rows.retain(|row| row.at >= last.at);
    }
    for row in news.rows {
        if !rows.iter().any(|known| known.at == row.at && known.request == row.request) {
            rows.push(row);
        }
    }
    rows.sort_by(|one, other| {
        (Reverse(one.at), Reverse(&one.request)).cmp(&(Reverse(other.at), Reverse(&other.request)))
    });
    rows.truncate(FOLLOWED);
}

//! Of the database: whether it can be written, for how long, and what it has lost.

use domain::{
    live::Attention,
    words::{number, plural},
};
use store::Room;

use super::{Facts, Place, ended, item};

/// Below this a disk is nearly full, however large it is.
const LEAST: u64 = 1 << 30;
/// Below this it is where it is also less than a twentieth of the disk.
const LITTLE: u64 = 10 << 30;

pub(super) fn told(facts: &Facts<'_>) -> Vec<Attention> {
    let read_only = facts.live.read_only.as_deref().map(read_only);
    // Whoever knows that it is full need not hear that it soon is.
    let room = facts.room.filter(|room| read_only.is_none() && nearly_full(*room)).map(nearly);
    read_only.into_iter().chain(room).chain(dropped(facts.live.usage_dropped)).collect()
}

fn read_only(why: &str) -> Attention {
    let text = format!(
        "The store cannot be written: {} Requests are still answered; changes are refused and usage is not recorded.",
        ended(why)
    );
    item("read-only", true, text, ("/admin/help", "What to do"))
}

fn nearly_full(room: Room) -> bool {
    room.free < LEAST || room.free < LITTLE && room.free < room.total / 20
}

fn nearly(room: Room) -> Attention {
    let text = format!(
        "The disk of the data folder is nearly full: {} of {} are free. Once it is full, changes are refused and usage is \
         not recorded.",
        size(room.free),
        size(room.total)
    );
    const PLACE: Place = ("/admin/settings", "Keep usage for a shorter time");
    item("room", false, text, PLACE)
}

fn dropped(records: u64) -> Option<Attention> {
    (records > 0).then(|| {
        let text = format!(
            "{} dropped since the start: the store was too slow. What is shown of usage is too low.",
            plural(records, "usage record")
        );
        item("dropped", false, text, ("/admin/usage", "See usage"))
    })
}

/// Bytes in whole units of 1024.
fn size(bytes: u64) -> String {
    match bytes >> 30 {
        0 => format!("{} MiB", number(bytes >> 20)),
        gigabytes => format!("{} GiB", number(gigabytes)),
    }
}

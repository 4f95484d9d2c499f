//! The places of the app that can be found: pages, sections of the help, settings. On the server, so that the browser fetches
//! no list of them.

use control::FoundPlace;
use domain::settings::guide::{GROUPS, SETTINGS};

use crate::pages::{help::SECTIONS, layout::PAGES};

/// There only where a password is stored.
const SOMETIMES: &str = "redis_forget_password";

/// By their kinds, pages first.
pub fn places() -> Vec<FoundPlace> {
    let page = |(href, title, _): &(&'static str, &'static str, _)| FoundPlace {
        kind: "Page",
        title,
        detail: "",
        href: (*href).to_owned(),
    };
    let setting = SETTINGS.iter().filter(|setting| setting.name != SOMETIMES).map(|setting| {
        let group = GROUPS.iter().find(|group| group.id == setting.group).map_or("", |group| group.title);
        FoundPlace {
            kind: "Setting",
            title: setting.label,
            detail: group,
            href: format!("/admin/settings#{}", setting.name),
        }
    });
    let section = |(id, title): &(&'static str, &'static str)| FoundPlace {
        kind: "Help",
        title,
        detail: "",
        href: format!("/admin/help#{id}"),
    };
    PAGES.iter().map(page).chain(setting).chain(SECTIONS.iter().map(section)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_place_is_there_once_and_leads_into_the_app() {
        let places = places();
        let addresses: BTreeSet<&str> = places.iter().map(|place| place.href.as_str()).collect();
        assert_eq!(addresses.len(), places.len());
        assert!(addresses.iter().all(|address| address.starts_with("/admin")));
        assert_eq!(places.iter().filter(|place| place.kind == "Page").count(), PAGES.len());
        assert!(addresses.contains("/admin/settings#queue_max") && addresses.contains("/admin/help#keys"));
    }
}

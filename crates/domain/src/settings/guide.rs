//! What the Settings page calls each of its fields, what it says of them, and the groups they stand in. The page shows it and
//! whoever searches for a setting searches in it; values and their bounds are not here.

/// Fields that belong together, under a heading that `#id` in the page's address leads to.
#[derive(Debug, PartialEq, Eq)]
pub struct Group {
    pub id: &'static str,
    pub title: &'static str,
}

/// One field of [`super::SaveSettings`]. Its name is its id on the page, too.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    pub name: &'static str,
    /// The id of its group.
    pub group: &'static str,
    pub label: &'static str,
    pub hint: &'static str,
}

const fn group(id: &'static str, title: &'static str) -> Group {
    Group { id, title }
}

const fn setting(name: &'static str, group: &'static str, label: &'static str, hint: &'static str) -> Setting {
    Setting { name, group, label, hint }
}

/// In the page's order.
pub const GROUPS: [Group; 8] = [
    group("default-limit", "Default limit"),
    group("choosing", "Choosing a backend"),
    group("redis", "Redis"),
    group("time-outs", "Backends"),
    group("protection", "Endpoint protection"),
    group("bodies", "Requests and addresses"),
    group("records", "Usage"),
    group("look", "Look"),
];

/// In the page's order.
pub const SETTINGS: [Setting; 29] = [
    setting("requests", "default-limit", "Requests", "For keys without a limit of their own. 0: no limit."),
    setting(
        "minutes",
        "default-limit",
        "Window (Minutes)",
        "At most that many requests are admitted in every interval of this length.",
    ),
    setting("balance", "choosing", "Strategy", "By which a backend is chosen among those that have the model."),
    setting(
        "queue_max",
        "choosing",
        "Requests that may wait",
        "When every backend with the model has all it takes, further requests wait, fairly between keys. 0: they are answered 503 at once.",
    ),
    setting(
        "queue_seconds",
        "choosing",
        "Longest wait (seconds)",
        "Then a request that waits is answered 503 and may come again.",
    ),
    setting(
        "redis_host",
        "redis",
        "Redis host",
        "For limits and lock-outs shared by several gateways; one gateway needs none. Empty: no Redis.",
    ),
    setting("redis_port", "redis", "Redis port", "Empty is 6379."),
    setting("redis_user", "redis", "Redis user", "Empty is Redis's user default."),
    setting("redis_password", "redis", "Redis password", "Kept sealed, and never shown again."),
    setting("redis_database", "redis", "Redis database", "Its number. Empty is 0."),
    setting("redis_tls", "redis", "Redis over TLS", "Whether Redis is spoken to over TLS."),
    setting("redis_forget_password", "redis", "Forget the stored Redis password", "The next save forgets it."),
    setting("redis_url", "redis", "Or one Redis address", "In place of the single fields: rediss:// for TLS."),
    setting(
        "redis_ca",
        "redis",
        "Authority for Redis over TLS (optional)",
        "Certificates in PEM. With any here, one of them must have signed Redis\u{2019}s; without, one of those this machine trusts. To go without although the environment names some, type none.",
    ),
    setting(
        "replicas",
        "redis",
        "Gateways that share the limits",
        "While Redis cannot be reached each admits its part of every limit. 1: each admits the whole limit.",
    ),
    setting(
        "catalogue_interval_s",
        "time-outs",
        "Catalogue interval (seconds)",
        "Pause between two readings of the backends' models.",
    ),
    setting(
        "connect_timeout_s",
        "time-outs",
        "Connect time-out (seconds)",
        "Longest wait for a connection to a backend.",
    ),
    setting(
        "first_byte_timeout_s",
        "time-outs",
        "First byte time-out (seconds)",
        "Longest wait for the first byte of an answer. A cold model takes minutes.",
    ),
    setting("stall_timeout_s", "time-outs", "Stall time-out (seconds)", "Longest silence within an answer."),
    setting("class_inference", "protection", "Who may use models", "Within the models and limits of each key."),
    setting("class_catalogue", "protection", "Who may list models", "A key sees only models it may use."),
    setting(
        "class_management",
        "protection",
        "Who may change models",
        "The permission is given to a key or a user, on the user's page.",
    ),
    setting(
        "max_body_mb",
        "bodies",
        "Largest request body (MB)",
        "Pictures travel inside requests. 1 MB is 1,000,000 bytes.",
    ),
    setting(
        "body_memory_mb",
        "bodies",
        "Memory for request bodies (MB)",
        "All bodies being received or sent on take no more together; a request that does not fit is answered 503 and may come again. At least twice the largest body.",
    ),
    setting(
        "usage_days",
        "records",
        "Days that requests are kept",
        "Single requests that are older are deleted, at most an hour later. Their sums stay.",
    ),
    setting(
        "rollup_days",
        "records",
        "Days that sums are kept",
        "Older sums of requests, tokens and times are deleted. At least 30: budgets of a month are filled from them.",
    ),
    setting(
        "public_url",
        "bodies",
        "Public URL",
        "Origins these pages may be used from, separated by commas. Empty: whatever address the browser uses.",
    ),
    setting(
        "product_title",
        "look",
        "Product title",
        "What these pages are called, in any script, at most 60 characters. Pages that are open show it once they are loaded again.",
    ),
    setting(
        "accent",
        "look",
        "Accent colour",
        "For buttons, marks and charts of the light and the dark theme, like #3366cc. Made darker or lighter where it could not be read. To go without although the environment names one, type none.",
    ),
];

/// What is searched for in [`MAX_QUERY`] characters is found with fewer.
pub const MAX_QUERY: usize = 100;

/// Whether every word of `query` is in one of `texts`, in upper or lower case. No words are in everything.
pub fn matches(query: &str, texts: &[&str]) -> bool {
    query.split_whitespace().all(|word| {
        let word = word.to_ascii_lowercase();
        texts.iter().any(|text| text.to_ascii_lowercase().contains(&word))
    })
}

impl Setting {
    /// The field of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }

    /// Whether `query` finds it: by its label, its explanation, its group or its name.
    pub fn matches(&self, query: &str) -> bool {
        let group = GROUPS.iter().find(|group| group.id == self.group).map_or("", |group| group.title);
        matches(query, &[self.label, self.hint, self.name, group])
    }
}

impl Group {
    /// The settings in it, in order.
    pub fn settings(&self) -> impl Iterator<Item = &'static Setting> {
        let id = self.id;
        SETTINGS.iter().filter(move |setting| setting.group == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::SaveSettings;

    #[test]
    fn every_field_that_people_fill_in_is_explained_in_a_group() {
        assert_eq!(SETTINGS.map(|setting| setting.name), SaveSettings::FIELDS);
        for setting in &SETTINGS {
            assert!(GROUPS.iter().any(|group| group.id == setting.group), "{setting:?}");
            assert!(!setting.label.is_empty() && setting.hint.ends_with('.'), "{setting:?}");
            assert_eq!(Setting::named(setting.name), Some(setting));
            assert!(GROUPS.iter().all(|group| group.id != setting.name), "{setting:?}: ids are there once");
        }
        assert!(GROUPS.iter().all(|group| group.settings().next().is_some()));
    }

    #[test]
    fn a_setting_is_found_by_its_label_explanation_name_and_group_in_any_case() {
        let found = |query: &str| -> Vec<&str> {
            SETTINGS.iter().filter(|setting| setting.matches(query)).map(|setting| setting.name).collect()
        };
        assert_eq!(found("STALL"), ["stall_timeout_s"]);
        assert_eq!(found("cold minutes"), ["first_byte_timeout_s"]);
        assert_eq!(found("usage_days"), ["usage_days"]);
        assert_eq!(found("endpoint protection"), ["class_inference", "class_catalogue", "class_management"]);
        assert_eq!(found("  ").len(), SETTINGS.len());
        assert!(found("no such thing").is_empty());
    }
}

//! The options that say what a key or a user is held to, the same for all commands that take them. Reading the values is
//! the control plane's, so that faults sound as they do in the pages.

use clap::Args;
use domain::{
    backend::Timeouts,
    policy::{PolicyEdit, PolicyInput},
};

/// What a backend's share of the work is made of.
const SHARE: [&str; 3] = ["parallel", "weight", "priority"];

/// Each as on the page; an empty value ('') takes the restriction away.
#[derive(Args, Default)]
pub struct PolicyOptions {
    /// Most requests running at once, streaming included.
    #[arg(long, value_name = "N")]
    concurrent: Option<String>,
    /// Most prompt and answer tokens in every 60 seconds.
    #[arg(long, value_name = "N")]
    tokens_per_minute: Option<String>,
    /// Most tokens in a day of UTC.
    #[arg(long, value_name = "N")]
    tokens_per_day: Option<String>,
    /// Most tokens in a month of UTC.
    #[arg(long, value_name = "N")]
    tokens_per_month: Option<String>,
    /// Most seconds that backends work in a day of UTC; what runs reserves the mean of what earlier requests took.
    #[arg(long, value_name = "N")]
    gpu_seconds_per_day: Option<String>,
    /// When it ends: 2026-12-31, 2026-12-31T23:59 (UTC), or from now on like 30d or 12h.
    #[arg(long, value_name = "DATE")]
    expires: Option<String>,
    /// The models it may use and see, patterns with * among them: 'llama3.2, qwen3:*'.
    #[arg(long, value_name = "LIST")]
    models: Option<String>,
    /// It may pull, push, create, copy and delete models: yes or no.
    #[arg(long, value_name = "yes|no")]
    allow_management: Option<String>,
    /// It may see which backend answers, and why that one: yes or no.
    #[arg(long, value_name = "yes|no")]
    allow_topology: Option<String>,
    /// Largest num_ctx a request may ask for; one that asks for none gets the backend's own.
    #[arg(long, value_name = "N")]
    num_ctx: Option<String>,
    /// Most tokens of one answer, also of requests that name no number.
    #[arg(long, value_name = "N")]
    num_predict: Option<String>,
    /// Longest keep_alive a request may ask for (seconds, or a time like 5m); one that asks for none gets the backend's
    /// own.
    #[arg(long, value_name = "TIME")]
    keep_alive: Option<String>,
    /// Addresses and networks it may be used from: '10.0.0.0/8, ::1'.
    #[arg(long, value_name = "LIST")]
    networks: Option<String>,
}

/// The option behind a field of a policy or a backend's share, for messages; other names stay as they are.
pub fn option_of(field: &str) -> String {
    match field {
        "expires_at" => "--expires".to_owned(),
        "management" => "--allow-management".to_owned(),
        "holders" => "--update".to_owned(),
        "topology" => "--allow-topology".to_owned(),
        "keep_alive_s" => "--keep-alive".to_owned(),
        "backends" => "--backend".to_owned(),
        "all" | "force" | "label" | "note" | "overlap" | "version" => format!("--{field}"),
        field if Timeouts::FIELDS.contains(&field) => {
            format!("--{}", field.trim_end_matches("_s").replace('_', "-"))
        }
        field if PolicyInput::FIELDS.contains(&field) || SHARE.contains(&field) => {
            format!("--{}", field.replace('_', "-"))
        }
        field => field.to_owned(),
    }
}

impl From<PolicyOptions> for PolicyEdit {
    fn from(options: PolicyOptions) -> Self {
        Self {
            concurrent: options.concurrent,
            tokens_per_minute: options.tokens_per_minute,
            tokens_per_day: options.tokens_per_day,
            tokens_per_month: options.tokens_per_month,
            gpu_seconds_per_day: options.gpu_seconds_per_day,
            expires_at: options.expires,
            models: options.models,
            management: options.allow_management,
            topology: options.allow_topology,
            num_ctx: options.num_ctx,
            num_predict: options.num_predict,
            keep_alive_s: options.keep_alive,
            networks: options.networks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        policy: PolicyOptions,
    }

    #[test]
    fn every_field_of_a_policy_has_an_option_and_faults_name_it() {
        let command = Line::command();
        let known: Vec<String> =
            command.get_arguments().filter_map(|arg| arg.get_long()).map(|long| format!("--{long}")).collect();
        assert_eq!(PolicyInput::FIELDS.len(), known.iter().filter(|long| *long != "--help").count());
        for field in PolicyInput::FIELDS {
            assert!(known.contains(&option_of(field)), "{field}: {}", option_of(field));
        }
        assert_eq!((option_of("name").as_str(), option_of("parallel").as_str()), ("name", "--parallel"));
        let line = Line::try_parse_from(["line", "--keep-alive", "5m"]).unwrap();
        assert_eq!(PolicyEdit::from(line.policy).keep_alive_s.as_deref(), Some("5m"));
    }
}

//! The arguments, and what each asks of the control plane. Names follow the pages.

use std::io::{self, Read};

use clap::{Args, Parser, Subcommand, ValueEnum};
use control::command::Command;
use domain::{admin::Role, remarks::RemarksEdit};

use super::{
    Failure, alias::Alias, audit::Audit, auto::Auto, backend::Backend, backup::BackupArguments, fleet::Fleet,
    model::Model, password, policy::PolicyOptions, restore::RestoreArguments, secrets::Secrets,
};

/// Longest secret taken from standard input.
const MAX_STDIN: u64 = 16 * 1024;

/// The one door in front of your Ollama servers.
#[derive(Parser)]
#[command(name = "ollama-fortress", version, about, subcommand_required = false)]
pub struct Arguments {
    /// Print arrays of objects with the field names of the pages.
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

#[derive(Subcommand)]
pub enum Verb {
    /// Run the gateway and its admin pages (the default).
    Serve,
    /// Validate the configuration and print it, secrets hidden; exits 64 with every fault named.
    Check,
    /// The log of what was done and refused in the admin pages and on the command line.
    #[command(subcommand)]
    Audit(Audit),
    /// The backends together.
    #[command(subcommand)]
    Fleet(Fleet),
    /// Write everything into one file that a passphrase protects, while the server runs or is stopped.
    Backup(BackupArguments),
    /// Bring a backup back into a stopped gateway; what is there now is kept beside it.
    Restore(RestoreArguments),
    #[command(flatten)]
    Ask(Box<Ask>),
}

/// Commands that work on a running server and on a stopped one.
#[derive(Subcommand)]
pub enum Ask {
    /// Administrators.
    #[command(subcommand)]
    Admin(Admin),
    /// Aliases: names that stand for models.
    #[command(subcommand)]
    Alias(Alias),
    /// The model auto: a name whose model is picked for each request.
    #[command(subcommand)]
    Auto(Auto),
    /// Backends: the Ollama servers behind the gateway.
    #[command(subcommand)]
    Backend(Backend),
    /// Models: pulling them to backends, and keeping them there.
    #[command(subcommand)]
    Model(Model),
    /// Users: the owners of API keys.
    #[command(subcommand)]
    User(User),
    /// API keys.
    #[command(subcommand)]
    Key(Key),
    /// The key that seals what is secret in the database.
    #[command(subcommand)]
    Secrets(Secrets),
    /// What was saved in the admin pages.
    #[command(subcommand)]
    Settings(Settings),
}

#[derive(Subcommand)]
pub enum Settings {
    /// Forget saved settings, so that environment and defaults count again. The way back in when the Network page
    /// locked you out.
    Reset {
        /// What was saved on the Network page, or everything that was saved.
        #[arg(value_enum, default_value = "network")]
        what: Reset,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Reset {
    Network,
    All,
}

#[derive(Subcommand)]
pub enum Admin {
    /// Create an administrator.
    Create {
        #[command(flatten)]
        credentials: Credentials,
        /// What they may do.
        #[arg(long, value_enum, default_value = "owner")]
        role: AdminRole,
    },
    /// List administrators.
    List,
    /// Change what an administrator may do; ends their sessions.
    Role {
        /// Name or id.
        name: String,
        #[arg(value_enum)]
        role: AdminRole,
    },
    /// Let an administrator sign in again.
    Enable {
        /// Name or id.
        name: String,
    },
    /// Let an administrator sign in no more; ends their sessions.
    Disable {
        /// Name or id.
        name: String,
    },
    /// Remove an administrator; ends their sessions.
    Remove {
        /// Name or id.
        name: String,
    },
    /// Turn off a second factor that is lost: the password alone signs in then.
    ResetTotp {
        /// Name or id.
        name: String,
    },
    /// Set a new password; ends the administrator's sessions.
    ResetPassword(Credentials),
}

/// The roles, each able to do what those before it can.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AdminRole {
    /// Reads every page.
    Viewer,
    /// Runs backends, users and keys.
    Operator,
    /// Does everything.
    Owner,
}

impl From<AdminRole> for Role {
    fn from(role: AdminRole) -> Self {
        match role {
            AdminRole::Viewer => Self::Viewer,
            AdminRole::Operator => Self::Operator,
            AdminRole::Owner => Self::Owner,
        }
    }
}

#[derive(Args)]
pub struct Credentials {
    /// The administrator's name.
    #[arg(required_unless_present = "named", conflicts_with = "named")]
    name: Option<String>,
    /// The same, as an option.
    #[arg(long = "name", value_name = "NAME", id = "named")]
    named: Option<String>,
    /// Read the password from standard input instead of asking for it.
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Subcommand)]
pub enum User {
    /// Add a user.
    Add {
        name: String,
        #[command(flatten)]
        policy: PolicyOptions,
    },
    /// Change what all keys of a user together are held to; what is not named stays.
    Policy {
        /// Name or id.
        user: String,
        /// Take away everything that is not named.
        #[arg(long)]
        clear: bool,
        #[command(flatten)]
        policy: PolicyOptions,
    },
    /// List users.
    List,
    /// Change what is written down about a user; what is not named stays, an empty value ('') takes it away.
    Note {
        /// Name or id.
        user: String,
        #[command(flatten)]
        remarks: RemarkOptions,
    },
    /// Accept its keys again.
    Enable {
        /// Name or id.
        user: String,
    },
    /// Refuse all its keys until it is enabled again.
    Disable {
        /// Name or id.
        user: String,
    },
    /// Remove it and revoke all its keys; its usage is kept.
    Remove {
        /// Name or id.
        user: String,
    },
}

#[derive(Subcommand)]
pub enum Key {
    /// Create a key and print it, this once, alone on standard output.
    Create {
        /// Name or id of the user it belongs to.
        #[arg(long)]
        user: String,
        /// What the key is for.
        #[arg(long)]
        name: String,
        #[command(flatten)]
        limit: OwnLimit,
        #[command(flatten)]
        policy: PolicyOptions,
    },
    /// Change what a key may use beside its request limit; what is not named stays.
    Policy {
        /// op_<id>
        key: String,
        /// Take away everything that is not named.
        #[arg(long)]
        clear: bool,
        #[command(flatten)]
        policy: PolicyOptions,
    },
    /// List keys.
    List {
        /// Only those of this user (name or id).
        #[arg(long)]
        user: Option<String>,
    },
    /// Change what is written down about a key; what is not named stays, an empty value ('') takes it away.
    Note {
        /// op_<id>
        key: String,
        #[command(flatten)]
        remarks: RemarkOptions,
    },
    /// Make a key in place of this one and print it, this once, alone on standard output; the old one works on for a while.
    Rotate {
        /// op_<id>
        key: String,
        /// How long the old key still works: none, or a time like 24h or 7d, or a date like 2026-12-31T23:59 (UTC).
        #[arg(long, value_name = "TIME", default_value = "24h")]
        overlap: String,
        /// When the new key expires, as in key policy, '' for never; else when the old one would have.
        #[arg(long, value_name = "DATE")]
        expires: Option<String>,
    },
    /// Refuse the key until it is enabled again.
    Disable {
        /// op_<id>
        key: String,
    },
    /// Accept a disabled key again.
    Enable {
        /// op_<id>
        key: String,
    },
    /// Refuse the key for ever.
    Revoke {
        /// op_<id>
        key: String,
    },
    /// Give the key a limit of its own; without numbers, the default limit applies again.
    Limit {
        /// op_<id>
        key: String,
        #[command(flatten)]
        limit: OwnLimit,
    },
}

/// What administrators write down for each other.
#[derive(Args)]
#[group(required = true, multiple = true)]
pub struct RemarkOptions {
    /// A few words, at most 60 characters.
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// At most 1,000 characters, of several lines where wanted.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

impl From<RemarkOptions> for RemarksEdit {
    fn from(RemarkOptions { label, note }: RemarkOptions) -> Self {
        Self { label, note }
    }
}

/// At most `requests` in every `minutes`; both or neither.
#[derive(Args)]
pub struct OwnLimit {
    /// Requests in every window.
    #[arg(long, requires = "minutes")]
    requests: Option<u32>,
    /// Length of the window.
    #[arg(long, requires = "requests")]
    minutes: Option<u32>,
}

impl Ask {
    /// Reads what has to be read (a password, a token) and says what is asked.
    pub fn into_command(self) -> Result<Command, Failure> {
        Ok(match self {
            Self::Admin(Admin::Create { credentials, role }) => {
                let (name, password) = credentials.read()?;
                Command::AdminCreate { name, password, role: Some(role.into()) }
            }
            Self::Admin(Admin::List) => Command::AdminList,
            Self::Admin(Admin::Role { name, role }) => Command::AdminSetRole { name, role: role.into() },
            Self::Admin(Admin::Enable { name }) => Command::AdminSetEnabled { name, enabled: true },
            Self::Admin(Admin::Disable { name }) => Command::AdminSetEnabled { name, enabled: false },
            Self::Admin(Admin::Remove { name }) => Command::AdminRemove { name },
            Self::Admin(Admin::ResetTotp { name }) => Command::AdminResetTotp { name },
            Self::Admin(Admin::ResetPassword(credentials)) => {
                let (name, password) = credentials.read()?;
                Command::AdminResetPassword { name, password }
            }
            Self::Alias(alias) => alias.into(),
            Self::Auto(auto) => auto.into(),
            Self::Backend(backend) => backend.into_command()?,
            Self::Model(model) => model.into_command(),
            Self::User(User::Add { name, policy }) => Command::UserAdd { name, policy: policy.into() },
            Self::User(User::Policy { user, clear, policy }) => {
                Command::UserPolicy { user, clear, edit: policy.into() }
            }
            Self::User(User::List) => Command::UserList,
            Self::User(User::Note { user, remarks }) => Command::UserRemarks { user, edit: remarks.into() },
            Self::User(User::Enable { user }) => Command::UserSetEnabled { user, enabled: true },
            Self::User(User::Disable { user }) => Command::UserSetEnabled { user, enabled: false },
            Self::User(User::Remove { user }) => Command::UserRemove { user },
            Self::Key(Key::Create { user, name, limit: OwnLimit { requests, minutes }, policy }) => {
                Command::KeyCreate { user, name, requests, minutes, policy: policy.into() }
            }
            Self::Key(Key::Policy { key, clear, policy }) => Command::KeyPolicy { key, clear, edit: policy.into() },
            Self::Key(Key::List { user }) => Command::KeyList { user },
            Self::Key(Key::Note { key, remarks }) => Command::KeyRemarks { key, edit: remarks.into() },
            Self::Key(Key::Rotate { key, overlap, expires }) => {
                Command::KeyRotate { key, overlap, expires_at: expires }
            }
            Self::Key(Key::Enable { key }) => Command::KeySetEnabled { key, enabled: true },
            Self::Key(Key::Disable { key }) => Command::KeySetEnabled { key, enabled: false },
            Self::Key(Key::Revoke { key }) => Command::KeyRevoke { key },
            Self::Secrets(secrets) => secrets.into(),
            Self::Settings(Settings::Reset { what }) => Command::SettingsReset { all: what == Reset::All },
            Self::Key(Key::Limit { key, limit }) => {
                Command::KeyLimit { key, requests: limit.requests, minutes: limit.minutes }
            }
        })
    }
}

impl Credentials {
    fn read(self) -> Result<(String, String), Failure> {
        let name = self.name.or(self.named).unwrap_or_default();
        let password = if self.password_stdin { secret_from_stdin("password")? } else { password::prompt()? };
        Ok((name, password))
    }
}

/// All of standard input without its last line break, so that `echo` and a file of one line both work.
pub fn secret_from_stdin(what: &str) -> Result<String, Failure> {
    let mut text = String::new();
    io::stdin()
        .take(MAX_STDIN)
        .read_to_string(&mut text)
        .map_err(|error| Failure::new(format_args!("cannot read the {what} from standard input: {error}")))?;
    if text.len() as u64 == MAX_STDIN {
        return Err(Failure::usage(format_args!("the {what} on standard input is too long")));
    }
    let secret = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if secret.is_empty() {
        return Err(Failure::usage(format_args!("no {what} on standard input")));
    }
    Ok(secret.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::error::ErrorKind> {
        Arguments::try_parse_from(line.split(' ')).map_err(|error| error.kind())
    }

    fn command(line: &str) -> serde_json::Value {
        let Some(Verb::Ask(ask)) = parse(line).unwrap().verb else { panic!("{line}") };
        serde_json::to_value(ask.into_command().unwrap()).unwrap()
    }

    #[test]
    fn the_definition_is_consistent() {
        <Arguments as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn serve_is_the_default() {
        assert!(parse("f").unwrap().verb.is_none());
        assert!(matches!(parse("f serve").unwrap().verb, Some(Verb::Serve)));
    }

    #[test]
    fn json_may_stand_anywhere() {
        assert!(parse("f --json user list").unwrap().json);
        assert!(parse("f user list --json").unwrap().json);
    }

    #[test]
    fn commands_are_the_ones_of_control() {
        assert_eq!(command("f user add ada")["command"], "user_add");
        assert_eq!(command("f admin role ada viewer")["role"], "viewer");
        assert_eq!(command("f admin disable ada")["enabled"], false);
        assert_eq!(command("f admin reset-totp ada")["command"], "admin_reset_totp");
        assert_eq!(command("f backend add --name b --url http://x")["token"], serde_json::Value::Null);
        assert_eq!(command("f backend disable b")["enabled"], false);
        let edit = command("f backend edit b --parallel auto --weight 3 --priority 0");
        assert_eq!((&edit["share"]["parallel"], &edit["share"]["priority"]), (&"auto".into(), &"0".into()));
        assert_eq!((&edit["name"], &edit["forget_token"]), (&serde_json::Value::Null, &false.into()));
        assert_eq!(command("f backend drain b --wait --timeout 5")["draining"], true);
        assert_eq!(command("f backend undrain b")["draining"], false);
        assert_eq!(command("f key create --user u --name n --requests 5 --minutes 2")["requests"], 5);
        assert_eq!(command("f key limit op_0123456789ab")["command"], "key_limit");
        let policy = command("f key policy op_x --concurrent 2 --models a,b* --allow-management yes --expires 30d");
        assert_eq!((&policy["clear"], &policy["edit"]["concurrent"]), (&false.into(), &"2".into()));
        assert_eq!((&policy["edit"]["models"], &policy["edit"]["management"]), (&"a,b*".into(), &"yes".into()));
        assert_eq!(
            (&policy["edit"]["expires_at"], &policy["edit"]["networks"]),
            (&"30d".into(), &serde_json::Value::Null)
        );
        let alias = command("f alias set fast llama3.2:3b phi4 --note quick");
        assert_eq!(alias["targets"], serde_json::json!(["llama3.2:3b", "phi4"]));
        assert_eq!((&alias["command"], &alias["note"]), (&"alias_set".into(), &"quick".into()));
        assert_eq!(command("f alias remove fast")["name"], "fast");
        assert_eq!(command("f auto on"), serde_json::json!({"command": "auto_set", "on": true, "models": null}));
        let models = command("f auto models llama3.2 qwen2.5-coder=code,tools");
        assert_eq!(models["models"], serde_json::json!(["llama3.2", "qwen2.5-coder=code,tools"]));
        assert_eq!(command("f auto models")["models"], serde_json::json!([]));
        assert_eq!(command("f user policy ada --clear")["clear"], true);
        assert_eq!(command("f key rotate op_x")["overlap"], "24h");
        let rotate = command("f key rotate op_x --overlap none --expires 90d");
        assert_eq!((&rotate["overlap"], &rotate["expires_at"]), (&"none".into(), &"90d".into()));
        let note = command("f key note op_x --label a");
        assert_eq!((&note["edit"]["label"], &note["edit"]["note"]), (&"a".into(), &serde_json::Value::Null));
        assert_eq!(command("f user note ada --note b")["edit"]["note"], "b");
        assert_eq!(command("f key revoke op_0123456789ab")["key"], "op_0123456789ab");
        assert_eq!(command("f settings reset")["all"], false);
        assert_eq!(command("f settings reset all")["all"], true);
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        use clap::error::ErrorKind::{ArgumentConflict, MissingRequiredArgument};
        assert_eq!(parse("f backend edit b --token-stdin --forget-token").err(), Some(ArgumentConflict));
        assert_eq!(parse("f backend drain b --timeout 5").err(), Some(MissingRequiredArgument));
        assert_eq!(parse("f user note ada").err(), Some(MissingRequiredArgument));
        assert_eq!(parse("f alias set fast").err(), Some(MissingRequiredArgument));
    }

    #[test]
    fn a_limit_is_both_numbers_or_none() {
        use clap::error::ErrorKind::MissingRequiredArgument;
        assert_eq!(parse("f key create --user u --name n --requests 5").err(), Some(MissingRequiredArgument));
        assert_eq!(parse("f key limit op_x --minutes 5").err(), Some(MissingRequiredArgument));
    }
}

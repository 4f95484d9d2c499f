//! The words for every action, whichever way it is asked for: one table for the server functions, one for the command line.
//! A change that is done says the same words, in the `By` of its use case; a test compares them.

use crate::{Rotation, command::Command};

pub(crate) const SIGNED_IN: &str = "signed in";
/// Below it are the server functions.
const FUNCTIONS: &str = "/admin/fn/";
/// Words for whatever else was asked for.
const PAGES: &str = "admin pages opened";

/// Server functions that change or try something, by their path under `/admin/fn/`.
pub(crate) const CALLS: &[(&str, &str)] = &[
    ("account/factor-cancel", "second factor given up"),
    ("account/factor-confirm", "second factor turned on"),
    ("account/factor-off", "second factor turned off"),
    ("account/factor-start", "second factor begun"),
    ("account/password", "own password changed"),
    ("account/session-end", "own session ended"),
    ("account/sessions-end", "other own sessions ended"),
    ("administrators/add", "administrator created"),
    ("administrators/enabled", "administrator switched"),
    ("administrators/factor-off", "second factor turned off for somebody"),
    ("administrators/password", "password reset"),
    ("administrators/remove", "administrator removed"),
    ("administrators/role", "administrator's role changed"),
    ("administrators/session-end", "session ended"),
    ("administrators/sessions-end", "sessions ended"),
    ("aliases/add", "alias added"),
    ("aliases/auto-save", "auto changed"),
    ("aliases/edit", "alias changed"),
    ("aliases/remove", "alias removed"),
    ("backends/add", "backend added"),
    ("backends/draining", "backend drained or taken back"),
    ("backends/edit", "backend changed"),
    ("backends/enabled", "backend switched"),
    ("backends/probe", "address tried"),
    ("backends/remove", "backend removed"),
    ("backends/test", "backend tried"),
    ("keys/create", "key created"),
    ("keys/limit", "key limit changed"),
    ("keys/policy", "key policy changed"),
    ("keys/remarks", "key notes changed"),
    ("keys/rotate", "key rotated"),
    ("keys/status", "key status changed"),
    ("models/copy", "copy of a model sent"),
    ("models/delete", "deletion of a model sent"),
    ("models/keep", "load or unload of a model sent"),
    ("network/save", "network settings saved"),
    ("network/tls-make", "TLS certificate made"),
    ("network/tls-remove", "TLS certificate removed"),
    ("network/tls-save", "TLS certificate saved"),
    ("pulls/cancel", "model pull cancelled"),
    ("pulls/clear", "ended pulls cleared"),
    ("pulls/keep", "model kept available"),
    ("pulls/retry", "model pull begun"),
    ("pulls/start", "model pull begun"),
    ("session/code", SIGNED_IN),
    ("session/confirm", "password given again"),
    ("session/login", SIGNED_IN),
    ("session/logout", "signed out"),
    ("settings/logo", "logo saved"),
    ("settings/logo-remove", "logo removed"),
    ("settings/redis", "Redis tried"),
    ("settings/reset", "setting reset"),
    ("settings/save", "settings saved"),
    ("setup/admin", "first administrator created"),
    ("setup/backend", "backend added"),
    ("setup/key", "key created"),
    ("upgrade/answer", "fleet upgrade answered"),
    ("upgrade/start", "fleet upgrade begun"),
    ("users/add", "user added"),
    ("users/enabled", "user switched"),
    ("users/policy", "user policy changed"),
    ("users/remarks", "user notes changed"),
    ("users/remove", "user removed"),
    ("users/switch", "users switched"),
];

/// Words for what a path of the admin plane does; never anything of the path itself.
pub(super) fn of_path(path: &str) -> &'static str {
    match path {
        "/admin/setup" => "set-up link opened",
        "/metrics" => "metrics read",
        super::EXPORT_PATH => super::EXPORTED,
        super::LOG_EXPORT_PATH => super::LOG_EXPORTED,
        "/admin/usage/export" => "usage exported",
        "/admin/playground/chat" | "/admin/playground/embed" => "playground used",
        _ => of_function(path).unwrap_or(PAGES),
    }
}

/// Words for the server function at `path`; `None` for those that only read, and for what is none.
pub fn of_function(path: &str) -> Option<&'static str> {
    let function = path.strip_prefix(FUNCTIONS)?;
    CALLS.iter().find(|(known, _)| *known == function).map(|(_, words)| *words)
}

/// Words for a command; `None` for those that only read.
pub(crate) fn of_command(command: &Command) -> Option<&'static str> {
    Some(match command {
        Command::AdminCreate { .. } => "administrator created",
        Command::AdminResetPassword { .. } => "password reset",
        Command::AdminSetRole { .. } => "administrator's role changed",
        Command::AdminSetEnabled { .. } => "administrator switched",
        Command::AdminRemove { .. } => "administrator removed",
        Command::AdminResetTotp { .. } => "second factor turned off for somebody",
        Command::AliasSet { .. } => "alias changed",
        Command::AliasRemove { .. } => "alias removed",
        Command::AutoSet { .. } => "auto changed",
        Command::BackendAdd { .. } => "backend added",
        Command::BackendEdit { .. } => "backend changed",
        Command::BackendSetDraining { .. } => "backend drained or taken back",
        Command::SecretsRotate { rotation: Rotation::ForgetOld } => "old secrets forgotten",
        Command::SecretsRotate { rotation: Rotation::Prepare } => "new secret prepared",
        Command::SecretsRotate { rotation: Rotation::Rotate } => "secrets rotated",
        Command::Backup { .. } => "backup made",
        Command::BackendSetEnabled { .. } => "backend switched",
        Command::BackendRemove { .. } => "backend removed",
        Command::UserAdd { .. } => "user added",
        Command::UserPolicy { .. } => "user policy changed",
        Command::UserRemarks { .. } => "user notes changed",
        Command::UserSetEnabled { .. } => "user switched",
        Command::UserRemove { .. } => "user removed",
        Command::KeyCreate { .. } => "key created",
        Command::KeyPolicy { .. } => "key policy changed",
        Command::KeyRemarks { .. } => "key notes changed",
        Command::KeyRotate { .. } => "key rotated",
        Command::KeySetEnabled { .. } | Command::KeyRevoke { .. } => "key status changed",
        Command::KeyLimit { .. } => "key limit changed",
        Command::SettingsReset { .. } => "settings reset",
        Command::FleetUpgradeStart { .. } => "fleet upgrade begun",
        Command::FleetUpgradeAnswer { .. } | Command::FleetUpgradeClaim { .. } | Command::FleetUpgradeRan { .. } => {
            "fleet upgrade answered"
        }
        Command::ModelPull { .. } => "model pull begun",
        Command::ModelCancel { .. } => "model pull cancelled",
        Command::ModelKeep { .. } => "model kept available",
        Command::AdminList
        | Command::AliasList
        | Command::AutoShow
        | Command::BackendList
        | Command::UserList
        | Command::KeyList { .. }
        | Command::FleetUpgrade
        | Command::ModelPulls
        | Command::ModelKept
        | Command::AuditRead { .. } => return None,
    })
}

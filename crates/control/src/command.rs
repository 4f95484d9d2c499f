//! What the command line asks, over the Unix socket of a running server or of a store it opened itself. The same use
//! cases as the pages: whoever may open the socket or the data folder is trusted with all of them.

mod fleet;

use domain::{
    admin::{AddAdmin, AdminRef, AdminView, Role, SetAdminEnabled, SetAdminPassword, SetAdminRole},
    alias::{AliasRef, AliasView},
    audit::{AuditPage, ReadAudit},
    auto::AutoView,
    backend::{
        AddBackend, BackendRef, BackendView, EditBackend, SetBackendDraining, Share, ShareEdit, Timeouts, TimeoutsEdit,
    },
    error::AdminError,
    id::{BackendId, ID_LENGTH, KeyId},
    key::{CreateKey, CreatedKey, KEY_PREFIX, KeyStatus, KeyView, RotateKey, SetKeyLimit, SetKeyStatus},
    policy::{Policy, PolicyEdit, PolicyInput},
    pull::{PullView, WishView},
    remarks::RemarksEdit,
    upgrade::{AnswerUpgrade, StartUpgrade, UpgradeAnswer, UpgradeView},
    user::{AddUser, SetUserEnabled, UserRef, UserView},
};
use serde::{Deserialize, Serialize};

use crate::{Actor, Control, Rotation, RotationReport, audit::actions::of_command, backup::BackupSummary, fault};

/// One request of the command line. Backends and users are named by name or id, keys by `op_<id>` or the bare id.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    AdminCreate {
        name: String,
        password: String,
        /// An owner, unless told.
        #[serde(default)]
        role: Option<Role>,
    },
    AdminList,
    AdminSetRole {
        name: String,
        role: Role,
    },
    AdminSetEnabled {
        name: String,
        enabled: bool,
    },
    AdminRemove {
        name: String,
    },
    AdminResetTotp {
        name: String,
    },
    AdminResetPassword {
        name: String,
        password: String,
    },
    AliasList,
    /// Makes it, or changes the one that is there, and its note where one is told.
    AliasSet {
        name: String,
        targets: Vec<String>,
        note: Option<String>,
    },
    AliasRemove {
        name: String,
    },
    AutoShow,
    /// What is not told stays as it is. A model is `NAME`, or `NAME=code,tools` with what it is for.
    AutoSet {
        on: Option<bool>,
        models: Option<Vec<String>>,
    },
    /// Stores it without reaching it.
    BackendAdd {
        name: String,
        url: String,
        token: Option<String>,
        #[serde(default)]
        share: ShareEdit,
        #[serde(default)]
        timeouts: TimeoutsEdit,
    },
    /// Changes what is named without reaching it.
    BackendEdit {
        backend: String,
        name: Option<String>,
        url: Option<String>,
        token: Option<String>,
        forget_token: bool,
        share: ShareEdit,
        #[serde(default)]
        timeouts: TimeoutsEdit,
    },
    BackendList,
    BackendSetDraining {
        backend: String,
        draining: bool,
    },
    BackendSetEnabled {
        backend: String,
        enabled: bool,
    },
    BackendRemove {
        backend: String,
    },
    /// The rolling upgrade that is under way, or the last one.
    FleetUpgrade,
    /// Begins one: of these backends, or of all that are enabled where none is named.
    FleetUpgradeStart {
        backends: Vec<String>,
        version: String,
        force: bool,
    },
    /// To the change that was looked at, as [`AnswerUpgrade`] has it.
    FleetUpgradeAnswer {
        #[serde(default)]
        change: u64,
        answer: UpgradeAnswer,
    },
    /// The command line upgrades the backend that is handed over by a command of its own, or still does: without a word for
    /// a while it counts as gone.
    FleetUpgradeClaim {
        backend: BackendId,
        /// Tells this follower from others.
        #[serde(default)]
        owner: String,
    },
    /// That command ended.
    FleetUpgradeRan {
        backend: BackendId,
        #[serde(default)]
        owner: String,
        code: Option<i32>,
    },
    /// Has a model pulled to these backends, to all, to those that have it, or to the only one there is.
    ModelPull {
        model: String,
        backends: Vec<String>,
        all: bool,
        #[serde(default)]
        update: bool,
    },
    /// Models on their way, and those that arrived or failed.
    ModelPulls,
    ModelCancel {
        id: String,
    },
    /// Keeps a model on so many backends, of these where some are named; 0 ends it.
    ModelKeep {
        model: String,
        copies: u32,
        backends: Vec<String>,
    },
    /// The models that are kept.
    ModelKept,
    UserAdd {
        name: String,
        #[serde(default)]
        policy: PolicyEdit,
    },
    UserList,
    /// Changes what the edit names; with `clear` nothing else stays.
    UserPolicy {
        user: String,
        clear: bool,
        edit: PolicyEdit,
    },
    /// Changes what the edit names.
    UserRemarks {
        user: String,
        edit: RemarksEdit,
    },
    UserSetEnabled {
        user: String,
        enabled: bool,
    },
    UserRemove {
        user: String,
    },
    KeyCreate {
        user: String,
        name: String,
        requests: Option<u32>,
        minutes: Option<u32>,
        #[serde(default)]
        policy: PolicyEdit,
    },
    /// As `UserPolicy`.
    KeyPolicy {
        key: String,
        clear: bool,
        edit: PolicyEdit,
    },
    KeyList {
        user: Option<String>,
    },
    /// As `UserRemarks`.
    KeyRemarks {
        key: String,
        edit: RemarksEdit,
    },
    /// Makes a key in place of another, as [`RotateKey`] has it.
    KeyRotate {
        key: String,
        overlap: String,
        expires_at: Option<String>,
    },
    KeySetEnabled {
        key: String,
        enabled: bool,
    },
    KeyRevoke {
        key: String,
    },
    /// Another key for what is sealed at rest.
    SecretsRotate {
        rotation: Rotation,
    },
    /// Answered with the file itself: [`Control::execute`] refuses it, [`Control::backup`] is the way.
    Backup {
        passphrase: String,
        usage: bool,
    },
    /// Forgets what was saved on the Network page, or everything saved in the admin pages' settings.
    SettingsReset {
        all: bool,
    },
    /// A page of the audit log. `export` says that all of it is written out, which is noted.
    AuditRead {
        filter: ReadAudit,
        limit: u32,
        #[serde(default)]
        export: bool,
    },
    /// Both numbers, or neither to go back to the default limit.
    KeyLimit {
        key: String,
        requests: Option<u32>,
        minutes: Option<u32>,
    },
}

/// Most bytes of a command as JSON, its line break included. Far more than the longest values that are accepted need.
pub const MAX_COMMAND: usize = 64 * 1024;

impl Command {
    /// Carrying it out may be the first thing ever done with a data folder. Everything else speaks of what is there
    /// already, and must not make a folder where there is none.
    pub fn may_come_first(&self) -> bool {
        matches!(self, Self::AdminCreate { .. } | Self::BackendAdd { .. } | Self::UserAdd { .. })
    }
}

/// The answer to a [`Command`].
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "reply", content = "value", rename_all = "snake_case")]
pub enum Reply {
    Done,
    Admins(Vec<AdminView>),
    Aliases(Vec<AliasView>),
    Auto(Box<AutoView>),
    Backends(Vec<BackendView>),
    Users(Vec<UserView>),
    Keys(Vec<KeyView>),
    CreatedKey(Box<CreatedKey>),
    Audit(AuditPage),
    Rotated(RotationReport),
    BackedUp(BackupSummary),
    /// None where there was never one.
    Upgrade(Option<Box<UpgradeView>>),
    Pulls(Vec<PullView>),
    Kept(Vec<WishView>),
}

impl Control {
    /// Carries out one command; it is in force when this returns. What is refused is noted in the audit log.
    pub async fn execute(&self, command: Command) -> Result<Reply, AdminError> {
        let actor = Actor::command_line()?;
        let action = of_command(&command);
        let done = self.carry_out(&actor, command).await;
        if let (Err(error), Some(action)) = (&done, action) {
            self.note_refused(&actor, action, error);
        }
        done
    }

    async fn carry_out(&self, actor: &Actor, command: Command) -> Result<Reply, AdminError> {
        match command {
            Command::AdminCreate { name, password, role } => {
                let input = AddAdmin { name, password, role: role.unwrap_or(Role::Owner) };
                self.add_administrator(actor, input).await?;
                Ok(Reply::Done)
            }
            Command::AdminResetPassword { name, password } => {
                let id = self.administrator_called(&name)?;
                self.set_administrator_password(actor, SetAdminPassword { id, password }).await?;
                Ok(Reply::Done)
            }
            Command::AdminList => Ok(Reply::Admins(self.administrators(actor))),
            Command::AdminSetRole { name, role } => {
                let id = self.administrator_called(&name)?;
                Ok(Reply::Admins(vec![self.set_administrator_role(actor, SetAdminRole { id, role }).await?]))
            }
            Command::AdminSetEnabled { name, enabled } => {
                let id = self.administrator_called(&name)?;
                let input = SetAdminEnabled { id, enabled };
                Ok(Reply::Admins(vec![self.set_administrator_enabled(actor, input).await?]))
            }
            Command::AdminRemove { name } => {
                let id = self.administrator_called(&name)?;
                self.remove_administrator(actor, AdminRef { id }).await.map(|()| Reply::Done)
            }
            Command::AdminResetTotp { name } => {
                let id = self.administrator_called(&name)?;
                Ok(Reply::Admins(vec![self.reset_second_factor(actor, AdminRef { id }).await?]))
            }
            Command::AliasList => Ok(Reply::Aliases(self.aliases(actor))),
            Command::AliasSet { name, targets, note } => {
                Ok(Reply::Aliases(vec![self.set_alias(actor, &name, &targets, note).await?]))
            }
            Command::AliasRemove { name } => {
                self.remove_alias(actor, AliasRef::named(name)).await.map(|()| Reply::Done)
            }
            Command::AutoShow => Ok(Reply::Auto(Box::new(self.auto(actor)))),
            Command::AutoSet { on, models } => Ok(Reply::Auto(Box::new(self.set_auto(actor, on, models).await?))),
            Command::BackendAdd { name, url, token, share, timeouts } => {
                let [parallel, weight, priority] = share.apply(Share::default());
                let [connect_timeout_s, first_byte_timeout_s, stall_timeout_s] = timeouts.apply(Timeouts::default());
                let input = AddBackend {
                    name,
                    url,
                    token: token.unwrap_or_default(),
                    parallel,
                    weight,
                    priority,
                    connect_timeout_s,
                    first_byte_timeout_s,
                    stall_timeout_s,
                };
                let id = self.store_backend(actor, &input).await?;
                Ok(Reply::Backends(vec![self.backend_view(&id)?]))
            }
            Command::BackendEdit { backend, name, url, token, forget_token, share, timeouts } => {
                let before = self.backend_view(&self.backend_called(&backend)?)?;
                let [parallel, weight, priority] = share.apply(Share::from(&before));
                let [connect_timeout_s, first_byte_timeout_s, stall_timeout_s] = timeouts.apply(before.timeouts);
                let input = EditBackend {
                    name: name.unwrap_or_else(|| before.name.clone()),
                    url: url.unwrap_or_else(|| before.url.clone()),
                    token: token.unwrap_or_default(),
                    clear_token: forget_token,
                    parallel,
                    weight,
                    priority,
                    connect_timeout_s,
                    first_byte_timeout_s,
                    stall_timeout_s,
                    id: before.id,
                };
                Ok(Reply::Backends(vec![self.change_backend(actor, input).await?]))
            }
            Command::BackendSetDraining { backend, draining } => {
                let input = SetBackendDraining { id: self.backend_called(&backend)?, draining };
                Ok(Reply::Backends(vec![self.set_backend_draining(actor, input).await?]))
            }
            Command::BackendList => Ok(Reply::Backends(self.backends(actor))),
            Command::BackendSetEnabled { backend, enabled } => {
                let id = self.backend_called(&backend)?;
                Ok(Reply::Backends(vec![self.switch_backend(actor, &id, enabled).await?]))
            }
            Command::BackendRemove { backend } => {
                let id = self.backend_called(&backend)?;
                self.remove_backend(actor, BackendRef { id }).await?;
                Ok(Reply::Done)
            }
            Command::FleetUpgrade => Ok(Reply::Upgrade(self.upgrade(actor).map(Box::new))),
            Command::FleetUpgradeStart { backends, version, force } => {
                let backends = self.upgraded(&backends)?;
                let input = StartUpgrade { backends, version, force };
                Ok(Reply::Upgrade(Some(Box::new(self.start_upgrade(actor, input).await?))))
            }
            Command::FleetUpgradeAnswer { change, answer } => {
                let input = AnswerUpgrade { run: String::new(), backend: String::new(), change, answer };
                Ok(Reply::Upgrade(Some(Box::new(self.answer_upgrade(actor, input).await?))))
            }
            Command::FleetUpgradeClaim { backend, owner } => {
                Ok(Reply::Upgrade(Some(Box::new(self.claim_upgrade(actor, &backend, &owner).await?))))
            }
            Command::FleetUpgradeRan { backend, owner, code } => {
                Ok(Reply::Upgrade(Some(Box::new(self.upgrade_ran(actor, &backend, &owner, code).await?))))
            }
            Command::ModelPull { model, backends, all, update } => {
                self.pull_called(actor, model, &backends, all, update).await
            }
            Command::ModelPulls => Ok(Reply::Pulls(self.pull_overview(actor).pulls)),
            Command::ModelCancel { id } => self.cancel_called(actor, &id).await,
            Command::ModelKeep { model, copies, backends } => self.keep_called(actor, model, copies, &backends).await,
            Command::ModelKept => Ok(Reply::Kept(self.pull_overview(actor).wishes)),
            Command::UserAdd { name, policy } => {
                let input = AddUser { name, policy: policy.apply(PolicyInput::default()) };
                Ok(Reply::Users(vec![self.add_user(actor, input).await?]))
            }
            Command::UserPolicy { user, clear, edit } => {
                let id = self.user_called(&user)?;
                Ok(Reply::Users(vec![self.edit_user_policy(actor, &id, |before| edited(&edit, clear, before)).await?]))
            }
            Command::UserList => Ok(Reply::Users(self.users(actor))),
            Command::UserRemarks { user, edit } => {
                let id = self.user_called(&user)?;
                Ok(Reply::Users(vec![self.edit_user_remarks(actor, &id, None, |before| edit.apply(before)).await?]))
            }
            Command::UserSetEnabled { user, enabled } => {
                let id = self.user_called(&user)?;
                Ok(Reply::Users(vec![self.set_user_enabled(actor, SetUserEnabled { id, enabled }).await?]))
            }
            Command::UserRemove { user } => {
                let id = self.user_called(&user)?;
                self.remove_user(actor, UserRef { id }).await?;
                Ok(Reply::Done)
            }
            Command::KeyCreate { user, name, requests, minutes, policy } => {
                let user_id = self.user_called(&user)?;
                let (requests, minutes) = (typed(requests), typed(minutes));
                let policy = policy.apply(PolicyInput::default());
                let input = CreateKey { user_id, name, requests, minutes, policy };
                Ok(Reply::CreatedKey(Box::new(self.create_key(actor, input).await?)))
            }
            Command::KeyPolicy { key, clear, edit } => {
                let id = key_id(&key)?;
                Ok(Reply::Keys(vec![self.edit_key_policy(actor, &id, |before| edited(&edit, clear, before)).await?]))
            }
            Command::KeyRemarks { key, edit } => {
                let id = key_id(&key)?;
                Ok(Reply::Keys(vec![self.edit_key_remarks(actor, &id, None, |before| edit.apply(before)).await?]))
            }
            Command::KeyRotate { key, overlap, expires_at } => {
                let input = RotateKey { id: key_id(&key)?, overlap, until: String::new(), expires_at };
                Ok(Reply::CreatedKey(Box::new(self.rotate_key(actor, input).await?)))
            }
            Command::KeyList { user } => Ok(Reply::Keys(self.keys(user.as_deref())?)),
            Command::KeySetEnabled { key, enabled } => {
                let status = if enabled { KeyStatus::Active } else { KeyStatus::Disabled };
                let input = SetKeyStatus { id: key_id(&key)?, status };
                Ok(Reply::Keys(vec![self.set_key_status(actor, input).await?]))
            }
            Command::KeyRevoke { key } => {
                let input = SetKeyStatus { id: key_id(&key)?, status: KeyStatus::Revoked };
                Ok(Reply::Keys(vec![self.set_key_status(actor, input).await?]))
            }
            Command::SecretsRotate { rotation } => Ok(Reply::Rotated(self.rotate_secrets(actor, rotation).await?)),
            Command::Backup { .. } => Err(fault::conflict("a backup is sent, not answered")),
            Command::SettingsReset { all } => {
                self.reset_settings(actor, all).await?;
                Ok(Reply::Done)
            }
            Command::AuditRead { filter, export: true, .. } => {
                Ok(Reply::Audit(self.export_audit(actor, &filter).await?))
            }
            Command::AuditRead { filter, limit, export: false } => {
                Ok(Reply::Audit(self.read_audit(&filter, limit as usize).await?))
            }
            Command::KeyLimit { key, requests, minutes } => {
                let input = SetKeyLimit { id: key_id(&key)?, requests: typed(requests), minutes: typed(minutes) };
                Ok(Reply::Keys(vec![self.set_key_limit(actor, input).await?]))
            }
        }
    }

    /// Keys of one user or of all, revoked ones included, oldest first.
    fn keys(&self, user: Option<&str>) -> Result<Vec<KeyView>, AdminError> {
        let user = user.map(|text| self.user_called(text)).transpose()?;
        let state = self.state();
        let wanted = state.rows.keys.iter().filter(|key| user.as_ref().is_none_or(|user| key.user == *user));
        Ok(wanted.map(|key| self.key_view(&state, key)).collect())
    }
}

fn edited(edit: &PolicyEdit, clear: bool, before: &Policy) -> PolicyInput {
    let before = if clear { PolicyInput::default() } else { PolicyInput::from(before) };
    edit.clone().apply(before)
}

/// A number as a form would send it.
fn typed(number: Option<u32>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

/// Takes `op_<id>` or the bare id. Whole keys are refused, and what was given is never repeated: it may be a secret.
fn key_id(text: &str) -> Result<KeyId, AdminError> {
    let bare = text.trim().strip_prefix(KEY_PREFIX).unwrap_or(text.trim());
    if bare.len() > ID_LENGTH {
        let message = "give only op_ and the 12 characters after it, not the whole key: it is a secret";
        return Err(AdminError::invalid("key", message));
    }
    KeyId::new(bare).map_err(|_| AdminError::invalid("key", "give op_ and the 12 characters after it"))
}

#[cfg(test)]
#[path = "command/tests.rs"]
mod tests;

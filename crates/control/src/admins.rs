//! Administrators: list, create, role, switch, password, lost second factors, removal. There is always an owner who can
//! sign in, and nobody changes what they may do themselves.

use domain::{
    admin::{
        AddAdmin, AdminRef, AdminView, Role, SessionRef, SessionView, SetAdminEnabled, SetAdminPassword, SetAdminRole,
    },
    error::AdminError,
    id::AdminId,
};
use store::row::{AdminRow, Op, SessionRow};
use zeroize::Zeroizing;

use crate::{
    Actor, Control, by::By, check, clock::Now, fault, login::ended, name, password::Verdict, secrets::random,
    session::public_id, state::State,
};

/// Somebody who could undo everything is left.
fn keeps_an_owner(admins: &[AdminRow]) -> bool {
    admins.iter().any(|row| row.role == Role::Owner && row.enabled)
}

impl Control {
    /// All of them, oldest first. Names and roles for everybody; sessions, last use and second factor for owners.
    pub fn administrators(&self, actor: &Actor) -> Vec<AdminView> {
        let state = self.state();
        state.rows.admins.iter().map(|row| self.admin_view(row, actor)).collect()
    }

    pub async fn add_administrator(&self, actor: &Actor, input: AddAdmin) -> Result<AdminView, AdminError> {
        let by = self.owns_now(actor, "administrator created")?;
        let password = Zeroizing::new(input.password);
        let row = AdminRow { role: input.role, ..self.new_admin("name", &input.name, "password", &password).await? };
        self.mutate(by, |state| {
            if state.rows.admins.iter().any(|known| name::same(&known.name, &row.name)) {
                return Err(fault::conflict("an administrator of this name exists"));
            }
            if state.rows.admins.is_empty() && row.role != Role::Owner {
                return Err(AdminError::invalid("role", "the first administrator must be an owner"));
            }
            Ok((vec![Op::PutAdmin(row.clone())], ()))
        })
        .await?;
        Ok(self.admin_view(&row, actor))
    }

    pub async fn set_administrator_role(&self, actor: &Actor, input: SetAdminRole) -> Result<AdminView, AdminError> {
        let by = self.owns_now(actor, "administrator's role changed")?;
        self.change_administrator(actor, by, &input.id, |row| AdminRow { role: input.role, ..row.clone() }).await
    }

    /// A disabled administrator cannot sign in; its sessions end.
    pub async fn set_administrator_enabled(
        &self,
        actor: &Actor,
        input: SetAdminEnabled,
    ) -> Result<AdminView, AdminError> {
        let by = self.owns_now(actor, "administrator switched")?;
        self.change_administrator(actor, by, &input.id, |row| AdminRow { enabled: input.enabled, ..row.clone() }).await
    }

    /// Sets a new password for somebody else and ends all sessions of that administrator.
    pub async fn set_administrator_password(
        &self,
        actor: &Actor,
        input: SetAdminPassword,
    ) -> Result<AdminView, AdminError> {
        let by = self.owns_now(actor, "password reset")?;
        let password = Zeroizing::new(input.password);
        let name = self.administrator(&input.id)?.name;
        check::account("name", &name, "password", &password).map_err(|fields| AdminError::Invalid { fields })?;
        let password_hash = self.0.hasher.hash(&password).await?;
        let change = |row: &AdminRow| AdminRow { password_hash: password_hash.clone(), ..row.clone() };
        let view = self.change_administrator(actor, by, &input.id, change).await?;
        self.forget_tries(&view.name).await;
        Ok(view)
    }

    /// Turns off a second factor whose phone is lost; the password alone signs in again.
    pub async fn reset_second_factor(&self, actor: &Actor, input: AdminRef) -> Result<AdminView, AdminError> {
        let by = self.owns_now(actor, "second factor turned off for somebody")?;
        self.change_administrator(actor, by, &input.id, |row| AdminRow { totp: None, ..row.clone() }).await
    }

    pub async fn remove_administrator(&self, actor: &Actor, input: AdminRef) -> Result<(), AdminError> {
        let by = self.owns_now(actor, "administrator removed")?;
        not_self(actor, &input.id)?;
        self.mutate(by, |state| {
            let row = found(state, &input.id)?;
            let left: Vec<AdminRow> = state.rows.admins.iter().filter(|other| other.id != row.id).cloned().collect();
            check_owner(state, &left)?;
            let mut ops = ended(state, |session| session.admin == row.id);
            ops.push(Op::DeleteAdmin(row.id.clone()));
            Ok((ops, ()))
        })
        .await?;
        self.0.sessions.end(|session| session.admin == input.id);
        Ok(())
    }

    /// What to tell an operator whose `ADMIN_USER` and `ADMIN_PASSWORD` are not the account they seem to be: they make the
    /// first administrator and change none. Costs a password hash.
    pub async fn unused_credentials(&self, user: &str, password: &str) -> Option<String> {
        let state = self.state();
        let admins = &state.rows.admins;
        let Some(row) = name::find(admins.iter(), user, |row| &row.name) else {
            return (!admins.is_empty()).then(|| {
                "ADMIN_USER and ADMIN_PASSWORD are not used: there are administrators already, and none of this name. \
                 `ollama-fortress admin create NAME` makes one more"
                    .into()
            });
        };
        let verdict = self.0.hasher.verify(password, Some(&row.password_hash)).await;
        (verdict == Ok(Verdict::Wrong)).then(|| {
            format!(
                "ADMIN_PASSWORD is not the password of the administrator {0:?}, who exists already, and is not used. \
                 `ollama-fortress admin reset-password {0}` changes it, and so does the Account page",
                row.name
            )
        })
    }

    /// Ends one session of whomever.
    pub async fn end_session_of_any(&self, actor: &Actor, input: SessionRef) -> Result<(), AdminError> {
        let by = self.owns_now(actor, "session ended")?;
        let hash = self.session_called(&input.id, |_| true)?;
        self.end_sessions_of(by, |row| row.token_hash == hash).await
    }

    /// Ends all sessions of an administrator, but for the one that asks.
    pub async fn end_sessions(&self, actor: &Actor, input: AdminRef) -> Result<(), AdminError> {
        let by = self.owns_now(actor, "sessions ended")?;
        self.administrator(&input.id)?;
        self.end_sessions_of(by, |row| row.admin == input.id && row.token_hash != actor.token_hash).await
    }

    /// The token's hash of an open session that `which` holds for.
    pub(crate) fn session_called(&self, id: &str, which: impl Fn(&SessionRow) -> bool) -> Result<[u8; 32], AdminError> {
        let (state, now) = (self.state(), Now::read());
        let open = state.rows.admins.iter().flat_map(|admin| self.0.sessions.of(&admin.id, now));
        let mut found = open.filter(|row| which(row) && public_id(&row.token_hash) == id);
        found.next().map(|row| row.token_hash).ok_or_else(|| fault::not_found("session"))
    }

    /// By id or name; the id wins. For the command line.
    pub(crate) fn administrator_called(&self, text: &str) -> Result<AdminId, AdminError> {
        let (state, text) = (self.state(), text.trim());
        let rows = &state.rows.admins;
        let by_id = rows.iter().find(|row| row.id.as_str() == text);
        let found = by_id.or_else(|| name::find(rows.iter(), text, |row| &row.name));
        found.map(|row| row.id.clone()).ok_or_else(|| fault::not_found("administrator"))
    }

    fn administrator(&self, id: &AdminId) -> Result<AdminRow, AdminError> {
        found(&self.state(), id).cloned()
    }

    /// Changes somebody else and ends their sessions: whoever was signed in signs in again to what they now may do.
    async fn change_administrator(
        &self,
        actor: &Actor,
        by: By,
        id: &AdminId,
        change: impl Fn(&AdminRow) -> AdminRow,
    ) -> Result<AdminView, AdminError> {
        not_self(actor, id)?;
        let changed = self
            .mutate(by, |state| {
                let row = found(state, id)?;
                let changed = change(row);
                if changed == *row {
                    return Ok((Vec::new(), None));
                }
                let after: Vec<AdminRow> = state
                    .rows
                    .admins
                    .iter()
                    .map(|other| if other.id == *id { &changed } else { other })
                    .cloned()
                    .collect();
                check_owner(state, &after)?;
                let mut ops = ended(state, |session| session.admin == *id);
                ops.push(Op::PutAdmin(changed.clone()));
                Ok((ops, Some(())))
            })
            .await?;
        if changed.is_some() {
            self.0.sessions.end(|session| session.admin == *id);
        }
        Ok(self.admin_view(&self.administrator(id)?, actor))
    }

    fn admin_view(&self, row: &AdminRow, actor: &Actor) -> AdminView {
        let told = actor.view.role == Role::Owner;
        let sessions = if told { self.session_views(&row.id, actor) } else { Vec::new() };
        let seen = sessions.iter().map(|session| session.last_seen_at).chain(row.signed_in_at).max();
        AdminView {
            id: row.id.clone(),
            name: row.name.clone(),
            role: row.role,
            enabled: row.enabled,
            second_factor: told.then_some(row.totp.is_some()),
            last_seen_at: seen.filter(|_| told),
            created_at: row.created_at,
            sessions,
        }
    }

    pub(crate) fn session_views(&self, admin: &AdminId, actor: &Actor) -> Vec<SessionView> {
        let rows = self.0.sessions.of(admin, Now::read()).into_iter();
        rows.map(|row| SessionView {
            id: public_id(&row.token_hash),
            address: row.address,
            user_agent: row.user_agent,
            created_at: row.created_at,
            last_seen_at: row.last_seen_at,
            current: row.token_hash == actor.token_hash,
        })
        .collect()
    }

    /// A checked and hashed administrator that is not stored yet. Faults name the fields as the caller calls them.
    pub(crate) async fn new_admin(
        &self,
        name_field: &str,
        name: &str,
        password_field: &str,
        password: &str,
    ) -> Result<AdminRow, AdminError> {
        let name = check::new_account(name_field, name, password_field, password)
            .map_err(|fields| AdminError::Invalid { fields })?;
        let password_hash = self.0.hasher.hash(password).await?;
        let (id, created_at) = (random::id()?, Now::read().wall);
        let role = Role::Owner;
        Ok(AdminRow { id, name, password_hash, role, enabled: true, totp: None, signed_in_at: None, created_at })
    }
}

fn found<'s>(state: &'s State, id: &AdminId) -> Result<&'s AdminRow, AdminError> {
    state.admin(id).ok_or_else(|| fault::not_found("administrator"))
}

/// The command line is nobody's account.
fn not_self(actor: &Actor, id: &AdminId) -> Result<(), AdminError> {
    if actor.view.id == *id {
        return Err(fault::conflict("this is your own account: another owner has to do that"));
    }
    Ok(())
}

fn check_owner(before: &State, after: &[AdminRow]) -> Result<(), AdminError> {
    // An older fault must not make every change impossible.
    if keeps_an_owner(&before.rows.admins) && !keeps_an_owner(after) {
        return Err(fault::conflict("this is the last enabled owner: make somebody else an owner first"));
    }
    Ok(())
}

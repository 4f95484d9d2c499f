//! Signing in and out: the lock-out, the password, the session. Every refusal has the same text, so that it tells
//! nothing about which accounts exist or which are locked.

use std::net::IpAddr;

use domain::{
    admin::Role,
    error::AdminError,
    setup::{ActorView, Login},
};
use store::row::{AdminRow, Op, SessionRow};
use zeroize::Zeroizing;

use crate::{
    Actor, Client, Control, NewSession,
    by::By,
    check,
    clock::Now,
    fault, name,
    password::Verdict,
    secrets::{random, token_hash},
    session::{PER_ADMIN, surplus},
    state::State,
};

/// The one answer to every login that fails.
const REFUSED: &str = "name or password is wrong, or there were too many attempts: try again in a few minutes";
/// Written with every session that begins or is ended: session rows alone do not count the revision up, which is what
/// other gateways on the same database look at.
const SESSIONS_CHANGED: &str = "mark.sessions_changed";
/// Characters of a browser's description that are kept.
const USER_AGENT: usize = 200;

fn refused() -> AdminError {
    AdminError::LoginRefused { message: REFUSED.into() }
}

fn sessions_changed(at: u64) -> Op {
    Op::PutSetting(SESSIONS_CHANGED.into(), at.to_string())
}

fn actor(row: &AdminRow, token_hash: [u8; 32], address: IpAddr) -> Actor {
    let view = ActorView { id: row.id.clone(), name: row.name.clone(), role: row.role };
    Actor { view, token_hash, address: Some(address) }
}

/// A session that is not stored yet.
pub(crate) struct Draft {
    token: String,
    pub row: SessionRow,
    admin: AdminRow,
    address: IpAddr,
}

impl Draft {
    pub fn new(admin: &AdminRow, client: &Client, now: Now) -> Result<Self, AdminError> {
        let token = random::token()?;
        let row = SessionRow {
            token_hash: token_hash(&token),
            admin: admin.id.clone(),
            created_at: now.wall,
            last_seen_at: now.wall,
            address: client.address.to_canonical().to_string(),
            user_agent: client.user_agent.chars().filter(|letter| !letter.is_control()).take(USER_AGENT).collect(),
        };
        Ok(Self { token, row, admin: admin.clone(), address: client.address })
    }

    /// Writes that begin it and end those that are too many.
    pub fn ops(&self, state: &State) -> Vec<Op> {
        let ended = surplus(&state.rows.sessions, &self.row.admin).into_iter().map(Op::DeleteSession);
        ended.chain([Op::PutSession(self.row.clone()), sessions_changed(self.row.created_at)]).collect()
    }

    pub fn begin(self) -> NewSession {
        NewSession { token: self.token, actor: actor(&self.admin, self.row.token_hash, self.address) }
    }
}

impl Control {
    pub async fn login(&self, input: Login, client: &Client) -> Result<NewSession, AdminError> {
        let password = Zeroizing::new(input.password);
        let Some(reservation) = self.reserve_try(&input.name, client.address).await else {
            tracing::warn!(address = %client.address, "a login was refused: too many attempts");
            return Err(refused());
        };
        let state = self.state();
        let admin = name::find(state.rows.admins.iter(), &input.name, |row| &row.name);
        let verdict = match self.0.hasher.verify(&password, admin.map(|row| row.password_hash.as_str())).await {
            Ok(verdict) => verdict,
            Err(error) => {
                self.release_try(reservation).await;
                return Err(error);
            }
        };
        let (Some(admin), true) = (admin, verdict != Verdict::Wrong) else {
            tracing::warn!(address = %client.address, "a login failed");
            return Err(refused());
        };
        self.try_succeeded(reservation).await;
        let renewed = match verdict {
            Verdict::RightButWeak => self.0.hasher.hash(&password).await.ok(),
            _ => None,
        };
        self.begin_session(admin, renewed, client).await
    }

    async fn begin_session(
        &self,
        admin: &AdminRow,
        renewed: Option<String>,
        client: &Client,
    ) -> Result<NewSession, AdminError> {
        let now = Now::read();
        let draft = Draft::new(admin, client, now)?;
        let begun = self
            .mutate(By::newcomer("signed in", &admin.name, client), |state| {
                // The password may have been reset since it was looked at.
                let known = state
                    .admin(&admin.id)
                    .filter(|row| row.password_hash == admin.password_hash)
                    .ok_or_else(refused)?;
                let mut ops = draft.ops(state);
                if let Some(password_hash) = renewed.clone() {
                    ops.push(Op::PutAdmin(AdminRow { password_hash, ..known.clone() }));
                }
                Ok((ops, surplus(&state.rows.sessions, &admin.id).len()))
            })
            .await;
        let ended = match begun {
            Ok(ended) => ended,
            // An operator must be able to look at a gateway whose disk is full.
            Err(AdminError::ReadOnly { .. }) => self.0.sessions.begin_in_memory(draft.row.clone(), now),
            Err(error) => return Err(error),
        };
        if ended > 0 {
            tracing::warn!(
                admin = %admin.name,
                address = %client.address,
                "signing in ended the oldest session: an administrator has at most {PER_ADMIN} at once"
            );
        }
        Ok(draft.begin())
    }

    /// The actor behind a session cookie; touches its idle time.
    pub fn authenticate(&self, cookie: &str, client: &Client) -> Option<Actor> {
        let token_hash = token_hash(cookie);
        let id = self.0.sessions.touch(&token_hash, Now::read())?;
        let state = self.state();
        let row = state.admin(&id).filter(|row| row.enabled)?;
        Some(actor(row, token_hash, client.address))
    }

    /// The session is still valid; an open event stream asks every few seconds.
    pub fn is_live(&self, actor: &Actor) -> bool {
        self.0.sessions.is_live(&actor.token_hash, Now::read())
    }

    /// Ends here also while the store cannot be written; its row is deleted as soon as it can be.
    pub async fn logout(&self, actor: &Actor) -> Result<(), AdminError> {
        let hash = actor.token_hash;
        self.take_flash(actor);
        let result = self
            .mutate(actor.own_account("signed out"), |state| {
                let stored = state.rows.sessions.iter().any(|row| row.token_hash == hash);
                let ops = [Op::DeleteSession(hash), sessions_changed(Now::read().wall)];
                Ok((if stored { ops.into() } else { Vec::new() }, ()))
            })
            .await;
        self.0.sessions.end(|row| row.token_hash == hash);
        match result {
            Err(AdminError::ReadOnly { .. }) => Ok(()),
            result => result,
        }
    }

    /// Creates one more administrator, from the command line.
    pub(crate) async fn create_admin(&self, actor: &Actor, name: &str, password: &str) -> Result<(), AdminError> {
        let by = actor.owns("administrator created")?;
        let row = self.new_admin("name", name, "password", password).await?;
        self.mutate(by, |state| {
            if state.rows.admins.iter().any(|known| name::same(&known.name, &row.name)) {
                return Err(fault::conflict("an administrator of this name exists"));
            }
            Ok((vec![Op::PutAdmin(row.clone())], ()))
        })
        .await
    }

    /// Sets a new password and ends all sessions of that administrator.
    pub(crate) async fn reset_password(&self, actor: &Actor, name: &str, password: &str) -> Result<(), AdminError> {
        let by = actor.owns("password reset")?;
        let hash = self.new_admin("name", name, "password", password).await?.password_hash;
        let id = self
            .mutate(by, |state| {
                let known = name::find(state.rows.admins.iter(), name, |row| &row.name);
                let row = known.ok_or_else(|| fault::not_found("administrator"))?;
                let sessions = state.rows.sessions.iter().filter(|session| session.admin == row.id);
                let mut ops: Vec<Op> = sessions.map(|session| Op::DeleteSession(session.token_hash)).collect();
                ops.push(Op::PutAdmin(AdminRow { password_hash: hash.clone(), ..row.clone() }));
                Ok((ops, row.id.clone()))
            })
            .await?;
        self.0.sessions.end(|row| row.admin == id);
        self.forget_tries(name).await;
        Ok(())
    }

    /// A checked and hashed administrator that is not stored yet. Faults name the fields as the caller calls them.
    pub(crate) async fn new_admin(
        &self,
        name_field: &str,
        name: &str,
        password_field: &str,
        password: &str,
    ) -> Result<AdminRow, AdminError> {
        let name = check::account(name_field, name, password_field, password)
            .map_err(|fields| AdminError::Invalid { fields })?;
        let password_hash = self.0.hasher.hash(password).await?;
        let (id, created_at) = (random::id()?, Now::read().wall);
        Ok(AdminRow { id, name, password_hash, role: Role::Owner, enabled: true, totp: None, created_at })
    }
}

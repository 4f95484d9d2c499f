//! What every administrator may do with the own account, whatever the role: password, sessions, second factor. Also
//! giving the password again, which dangerous changes ask for.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use domain::{
    admin::{AccountView, ChangePassword, ConfirmPassword, FactorSetup, GiveCode, RecoveryCodes, SessionRef},
    error::AdminError,
};
use store::row::{AdminRow, Op, TotpRow};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::{
    Actor, Control, attempts::Guesser, by::By, check, clock::Now, devices, fault, lock::lock, login::ended,
    password::Verdict, secrets::seal::Place, state::State, totp,
};

/// The one answer to a password that is not taken again.
const WRONG: &str = "is wrong, or there were too many attempts: try again in a few minutes";
/// How long a second factor that is being set up waits for its first code.
const SETUP: Duration = Duration::from_secs(600);

/// Second factors that are being set up, by session. In memory only: nothing counts before its first code.
#[derive(Default)]
pub(crate) struct FactorSetups(Mutex<HashMap<[u8; 32], Begun>>);

/// The secret that is shown, and when that began.
type Begun = (Zeroizing<String>, Instant);

impl FactorSetups {
    fn put(&self, session: [u8; 32], secret: &str, now: Instant) {
        let waiting = &mut lock(&self.0);
        waiting.retain(|_, (_, until)| now < *until);
        waiting.insert(session, (Zeroizing::new(secret.to_owned()), now + SETUP));
    }

    fn get(&self, session: &[u8; 32], now: Instant) -> Option<Zeroizing<String>> {
        lock(&self.0).get(session).filter(|(_, until)| now < *until).map(|(secret, _)| secret.clone())
    }

    fn forget(&self, session: &[u8; 32]) -> bool {
        lock(&self.0).remove(session).is_some()
    }
}

impl Control {
    pub fn account(&self, actor: &Actor) -> Result<AccountView, AdminError> {
        let state = self.state();
        let row = own(&state, actor)?;
        Ok(AccountView {
            name: row.name.clone(),
            role: row.role,
            second_factor: row.totp.is_some(),
            recovery_codes: row.totp.as_ref().map_or(0, |totp| totp.recovery.len()),
            sessions: self.session_views(&row.id, actor),
        })
    }

    /// The owner's right to a dangerous change, for which the password was given within the last ten minutes.
    pub(crate) fn owns_now(&self, actor: &Actor, what: &'static str) -> Result<By, AdminError> {
        let by = actor.owns(what)?;
        self.fresh(actor)?;
        Ok(by)
    }

    /// The password was given within the last ten minutes. The command line has none to give.
    pub(crate) fn fresh(&self, actor: &Actor) -> Result<(), AdminError> {
        match actor.address {
            Some(_) if !self.0.sessions.is_fresh(&actor.token_hash, Now::read()) => Err(AdminError::NeedsPassword),
            _ => Ok(()),
        }
    }

    /// Takes the own password again; dangerous changes are possible for ten minutes in this session.
    pub async fn confirm_password(&self, actor: &Actor, input: ConfirmPassword) -> Result<(), AdminError> {
        self.own_password(actor, "password", Zeroizing::new(input.password)).await?;
        self.0.sessions.password_given(&actor.token_hash, Now::read());
        self.note_done(actor, "password given again");
        Ok(())
    }

    /// Changes the own password. All other sessions end, and so do all devices' acquaintances: the value of a new
    /// device cookie is returned for this one.
    pub async fn change_password(&self, actor: &Actor, input: ChangePassword) -> Result<String, AdminError> {
        let (current, password) = (Zeroizing::new(input.current), Zeroizing::new(input.password));
        check::account("name", &actor.view.name, "password", &password)
            .map_err(|fields| AdminError::Invalid { fields })?;
        let before = self.own_password(actor, "current", current).await?;
        let password_hash = self.0.hasher.hash(&password).await?;
        let others = |row: &store::row::SessionRow| row.admin == actor.view.id && row.token_hash != actor.token_hash;
        let row = self
            .mutate(actor.own_account("own password changed"), |state| {
                let row = own(state, actor)?;
                if row.password_hash != before.password_hash {
                    return Err(fault::conflict("the password was changed in the meantime: nothing was changed here"));
                }
                let row = AdminRow { password_hash: password_hash.clone(), ..row.clone() };
                let mut ops = ended(state, others);
                ops.push(Op::PutAdmin(row.clone()));
                Ok((ops, row))
            })
            .await?;
        self.0.sessions.end(others);
        let now = Now::read();
        self.0.sessions.password_given(&actor.token_hash, now);
        devices::issue(&self.0.secrets.now(), &row, None, now.wall)
    }

    /// Ends one of the own sessions.
    pub async fn end_own_session(&self, actor: &Actor, input: SessionRef) -> Result<(), AdminError> {
        let hash = self.session_called(&input.id, |row| row.admin == actor.view.id)?;
        self.end_sessions_of(actor.own_account("own session ended"), |row| row.token_hash == hash).await
    }

    /// Ends all own sessions but this one.
    pub async fn end_other_sessions(&self, actor: &Actor) -> Result<(), AdminError> {
        let others = |row: &store::row::SessionRow| row.admin == actor.view.id && row.token_hash != actor.token_hash;
        self.end_sessions_of(actor.own_account("other own sessions ended"), others).await
    }

    /// Begins to set up a second factor. It counts once a code of it was given.
    pub fn start_second_factor(&self, actor: &Actor, host: &str) -> Result<FactorSetup, AdminError> {
        self.fresh(actor)?;
        if own(&self.state(), actor)?.totp.is_some() {
            return Err(fault::conflict("a second factor is set up already: turn it off first"));
        }
        let secret = totp::new_secret()?;
        self.0.factor_setups.put(actor.token_hash, &secret, Now::read().instant);
        self.note_done(actor, "second factor begun");
        factor_setup(&secret, actor, host)
    }

    /// What is being set up in this session, for a page that is drawn again.
    pub fn second_factor_setup(&self, actor: &Actor, host: &str) -> Option<FactorSetup> {
        let secret = self.0.factor_setups.get(&actor.token_hash, Now::read().instant)?;
        factor_setup(&secret, actor, host).ok()
    }

    /// Gives up what is being set up.
    pub fn cancel_second_factor(&self, actor: &Actor) {
        if self.forget_factor_setup(actor) {
            self.note_done(actor, "second factor given up");
        }
    }

    /// Whether something was being set up.
    pub(crate) fn forget_factor_setup(&self, actor: &Actor) -> bool {
        self.0.factor_setups.forget(&actor.token_hash)
    }

    /// The first code: from here on signing in asks for one. The recovery codes are in this answer and nowhere else.
    pub async fn confirm_second_factor(&self, actor: &Actor, input: GiveCode) -> Result<RecoveryCodes, AdminError> {
        self.fresh(actor)?;
        let now = Now::read();
        let secret = self.0.factor_setups.get(&actor.token_hash, now.instant);
        let secret = secret.ok_or_else(|| fault::conflict("this took longer than ten minutes: begin again"))?;
        let step = totp::digits(&input.code).and_then(|digits| totp::check(&secret, &digits, now.wall, 0));
        let Some(step) = step else {
            return Err(AdminError::invalid(
                "code",
                "is not the code of this moment: is the clock of the phone right?",
            ));
        };
        let id = &actor.view.id;
        let (codes, recovery) = totp::new_recovery(id)?;
        self.mutate(actor.own_account("second factor turned on"), |state| {
            let row = own(state, actor)?;
            if row.totp.is_some() {
                return Err(fault::conflict("a second factor is set up already: turn it off first"));
            }
            let sealed = self.0.secrets.sealer().seal(&Place::admin_totp(id), &secret)?;
            let totp = TotpRow { sealed, last_step: step, recovery: recovery.clone() };
            Ok((vec![Op::PutAdmin(AdminRow { totp: Some(totp), ..row.clone() })], ()))
        })
        .await?;
        self.0.tickets.use_step(id, step);
        self.forget_factor_setup(actor);
        Ok(RecoveryCodes { codes })
    }

    /// The password alone signs in again.
    pub async fn stop_second_factor(&self, actor: &Actor) -> Result<(), AdminError> {
        self.fresh(actor)?;
        self.mutate(actor.own_account("second factor turned off"), |state| {
            let row = own(state, actor)?;
            let off = AdminRow { totp: None, ..row.clone() };
            Ok((if row.totp.is_some() { vec![Op::PutAdmin(off)] } else { Vec::new() }, ()))
        })
        .await
    }

    /// The own row, if `password` is right. Counted by the lock-out, on a count that nobody else can fill.
    async fn own_password(
        &self,
        actor: &Actor,
        field: &str,
        password: Zeroizing<String>,
    ) -> Result<AdminRow, AdminError> {
        let wrong = || AdminError::invalid(field, WRONG);
        let row = own(&self.state(), actor)?.clone();
        let guesser = Guesser::SignedIn(row.id.to_string());
        let Some(reservation) = self.reserve_try(&guesser).await else {
            tracing::warn!(admin = %row.name, "a password was not taken again: too many attempts");
            return Err(wrong());
        };
        match self.0.hasher.verify(&password, Some(&row.password_hash)).await {
            Ok(Verdict::Wrong) => {
                tracing::warn!(admin = %row.name, "a wrong password was given again");
                Err(wrong())
            }
            Ok(_) => {
                self.try_succeeded(reservation).await;
                Ok(row)
            }
            Err(error) => {
                self.release_try(reservation).await;
                Err(error)
            }
        }
    }
}

/// The actor's own row; the command line has none.
fn own<'s>(state: &'s State, actor: &Actor) -> Result<&'s AdminRow, AdminError> {
    state.admin(&actor.view.id).filter(|row| row.enabled).ok_or(AdminError::Unauthenticated)
}

fn factor_setup(secret: &str, actor: &Actor, host: &str) -> Result<FactorSetup, AdminError> {
    let uri = totp::uri(host, &actor.view.name, secret);
    Ok(FactorSetup { secret: totp::groups(secret, ' '), picture: totp::picture(&uri)?, uri })
}

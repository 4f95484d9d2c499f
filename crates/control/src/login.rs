//! Signing in and out: the lock-out, the password, the second factor, the session. Every refusal has the same text, so
//! that it tells nothing about which accounts exist or which are locked.

use std::net::IpAddr;

use domain::{
    admin::GiveCode,
    error::AdminError,
    setup::{ActorView, Login},
};
use store::row::{AdminRow, Op, SessionRow, TotpRow};
use zeroize::Zeroizing;

use crate::{
    Actor, Client, Control, NewSession, SignedIn,
    attempts::Guesser,
    audit::actions,
    by::By,
    clock::Now,
    devices::{self, DeviceId},
    halfway::{self, Halfway},
    name,
    password::Verdict,
    secrets::{random, seal::Place, token_hash},
    session::{PER_ADMIN, surplus},
    state::State,
    totp,
};

/// The one answer to every login that fails.
const REFUSED: &str = "name or password is wrong, or there were too many attempts: try again in a few minutes";
/// The same for the second step.
const CODE_REFUSED: &str = "the code is wrong or was used already, or there were too many attempts";
const BEGIN_AGAIN: &str = "this sign-in has lapsed or there were too many attempts: begin again";
/// Written with every session that begins or is ended: session rows alone do not count the revision up, which is what
/// other gateways on the same database look at.
const SESSIONS_CHANGED: &str = "mark.sessions_changed";
/// Characters of a browser's description that are kept.
const USER_AGENT: usize = 200;

fn refused() -> AdminError {
    AdminError::LoginRefused { message: REFUSED.into() }
}

fn code_refused() -> AdminError {
    AdminError::LoginRefused { message: CODE_REFUSED.into() }
}

pub(crate) fn sessions_changed(at: u64) -> Op {
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
    now: Now,
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
        Ok(Self { token, row, admin: admin.clone(), address: client.address, now })
    }

    /// Writes that begin it and end those that are too many.
    pub fn ops(&self, state: &State) -> Vec<Op> {
        let ended = surplus(&state.rows.sessions, &self.row.admin).into_iter().map(Op::DeleteSession);
        ended.chain([Op::PutSession(self.row.clone()), sessions_changed(self.row.created_at)]).collect()
    }
}

/// How the second factor was given.
#[derive(Clone, Copy)]
enum Factor {
    Step(u64),
    Recovery([u8; 32]),
}

impl Factor {
    /// The row after this use; `None` where it does not count.
    fn used(self, totp: &TotpRow) -> Option<TotpRow> {
        let mut totp = totp.clone();
        match self {
            Self::Step(step) if step > totp.last_step => totp.last_step = step,
            Self::Recovery(digest) => {
                let at = totp.recovery.iter().position(|known| *known == digest)?;
                totp.recovery.remove(at);
            }
            Self::Step(_) => return None,
        }
        Some(totp)
    }
}

/// Everything that a session begins with.
struct Proof {
    admin: AdminRow,
    renewed: Option<String>,
    device: Option<DeviceId>,
    factor: Option<Factor>,
}

impl Control {
    /// The first step: name and password. `device` is the cookie of an earlier sign-in. Where the account has a second
    /// factor there is no session yet, but a ticket for [`Control::sign_in_code`].
    pub async fn sign_in(&self, input: Login, client: &Client, device: Option<&str>) -> Result<SignedIn, AdminError> {
        let password = Zeroizing::new(input.password);
        let state = self.state();
        let admin = name::find(state.rows.admins.iter(), &input.name, |row| &row.name);
        let known = |cookie: &str| devices::recognise(&self.0.secrets.now(), admin, cookie, Now::read().wall);
        let device = device.and_then(known);
        let guesser = match device {
            Some(id) => Guesser::Device(id),
            None => Guesser::Stranger { account: input.name.clone(), address: client.address },
        };
        let Some(reservation) = self.reserve_try(&guesser).await else {
            tracing::warn!(address = %client.address, "a login was refused: too many attempts");
            self.refused_sign_in(&input.name, client, "too many attempts");
            return Err(refused());
        };
        let verdict = match self.0.hasher.verify(&password, admin.map(|row| row.password_hash.as_str())).await {
            Ok(verdict) => verdict,
            Err(error) => {
                self.release_try(reservation).await;
                return Err(error);
            }
        };
        let (Some(admin), true) = (admin.filter(|row| row.enabled), verdict != Verdict::Wrong) else {
            tracing::warn!(address = %client.address, "a login failed");
            self.refused_sign_in(&input.name, client, "wrong name or password");
            return Err(refused());
        };
        let renewed = match verdict {
            Verdict::RightButWeak => self.0.hasher.hash(&password).await.ok(),
            _ => None,
        };
        if admin.totp.is_some() {
            let ticket = random::token()?;
            let halfway = Halfway {
                admin: admin.id.clone(),
                password_hash: admin.password_hash.clone(),
                renewed,
                guesser,
                device,
                reservation: Some(reservation),
            };
            self.0.tickets.put(&ticket, halfway, halfway::until(Now::read().instant));
            return Ok(SignedIn::NeedsCode { ticket });
        }
        self.try_succeeded(reservation).await;
        let proof = Proof { admin: admin.clone(), renewed, device, factor: None };
        self.begin_session(proof, client).await.map(SignedIn::In)
    }

    /// The second step: a code of the app or a recovery code, for the sign-in that `ticket` stands for. A wrong code is
    /// a failed try like a wrong password.
    pub async fn sign_in_code(
        &self,
        ticket: Option<&str>,
        input: GiveCode,
        client: &Client,
    ) -> Result<NewSession, AdminError> {
        let begin_again = || AdminError::LoginRefused { message: BEGIN_AGAIN.into() };
        let code = Zeroizing::new(input.code);
        let now = Now::read();
        let taken = ticket.and_then(|ticket| Some((ticket, self.0.tickets.take(ticket, now.instant)?)));
        let Some((ticket, (mut halfway, until))) = taken else { return Err(begin_again()) };
        let reservation = match halfway.reservation.take() {
            Some(reservation) => reservation,
            None => self.reserve_try(&halfway.guesser).await.ok_or_else(begin_again)?,
        };
        let state = self.state();
        let admin = state.admin(&halfway.admin).filter(|row| row.enabled && row.password_hash == halfway.password_hash);
        let Some(admin) = admin else { return Err(begin_again()) };
        let begun = match admin.totp.as_ref().and_then(|totp| self.factor(admin, totp, &code, now)) {
            Some(factor) => {
                let (renewed, device) = (halfway.renewed.clone(), halfway.device);
                let proof = Proof { admin: admin.clone(), renewed, device, factor: Some(factor) };
                self.begin_session(proof, client).await
            }
            None => Err(code_refused()),
        };
        match begun {
            Ok(session) => {
                self.try_succeeded(reservation).await;
                Ok(session)
            }
            Err(AdminError::LoginRefused { .. }) => {
                tracing::warn!(address = %client.address, "a login failed at its second factor");
                self.refused_sign_in(&admin.name, client, "the code was wrong or used");
                self.0.tickets.put(ticket, halfway, until);
                Err(code_refused())
            }
            Err(error) => {
                self.release_try(reservation).await;
                Err(error)
            }
        }
    }

    /// What a code is of the second factor of `admin`; `None` where it is nothing or was used.
    fn factor(&self, admin: &AdminRow, totp: &TotpRow, code: &str, now: Now) -> Option<Factor> {
        let Some(digits) = totp::digits(code) else {
            let digest = totp::recovery_digest(&admin.id, code)?;
            return totp.recovery.contains(&digest).then_some(Factor::Recovery(digest));
        };
        let secret = self.0.secrets.sealer().open(&Place::admin_totp(&admin.id), &totp.sealed)?;
        let step = totp::check(&secret, &digits, now.wall, totp.last_step)?;
        self.0.tickets.use_step(&admin.id, step).then_some(Factor::Step(step))
    }

    async fn begin_session(&self, proof: Proof, client: &Client) -> Result<NewSession, AdminError> {
        let Proof { admin, renewed, device, factor } = proof;
        let now = Now::read();
        let draft = Draft::new(&admin, client, now)?;
        let admin_of = |state: &State| {
            // The password may have been reset since it was looked at, and the second factor set up or used.
            let known = state.admin(&admin.id).filter(|row| row.enabled && row.password_hash == admin.password_hash)?;
            let totp = match (&known.totp, factor) {
                (None, None) => None,
                (Some(totp), Some(factor)) => Some(factor.used(totp)?),
                _ => return None,
            };
            let password_hash = renewed.clone().unwrap_or_else(|| known.password_hash.clone());
            Some(AdminRow { password_hash, totp, signed_in_at: Some(now.wall), ..known.clone() })
        };
        let begun = self
            .mutate(By::of("signed in", &admin, client), |state| {
                let row = admin_of(state).ok_or_else(refused)?;
                let mut ops = draft.ops(state);
                ops.push(Op::PutAdmin(row.clone()));
                Ok((ops, (row, surplus(&state.rows.sessions, &admin.id).len())))
            })
            .await;
        let (row, ended) = match begun {
            Ok(begun) => begun,
            // An operator must be able to look at a gateway whose disk is full. A recovery code could not be crossed out.
            Err(AdminError::ReadOnly { .. }) if !matches!(factor, Some(Factor::Recovery(_))) => {
                self.note_unsaved(&By::of(actions::SIGNED_IN, &admin, client));
                (admin, self.0.sessions.begin_in_memory(draft.row.clone(), now))
            }
            Err(error) => return Err(error),
        };
        if ended > 0 {
            tracing::warn!(
                admin = %row.name,
                address = %client.address,
                "signing in ended the oldest session: an administrator has at most {PER_ADMIN} at once"
            );
        }
        self.begin(Draft { admin: row, ..draft }, device)
    }

    /// A session that is stored now. The device is known from here on.
    pub(crate) fn begin(&self, draft: Draft, device: Option<DeviceId>) -> Result<NewSession, AdminError> {
        self.0.sessions.password_given(&draft.row.token_hash, draft.now);
        let device = devices::issue(&self.0.secrets.now(), &draft.admin, device, draft.now.wall)?;
        Ok(NewSession { token: draft.token, device, actor: actor(&draft.admin, draft.row.token_hash, draft.address) })
    }

    /// The actor behind a session cookie; touches its idle time.
    pub fn authenticate(&self, cookie: &str, client: &Client) -> Option<Actor> {
        let token_hash = token_hash(cookie);
        let id = self.0.sessions.touch(&token_hash, Now::read())?;
        let state = self.state();
        let row = state.admin(&id).filter(|row| row.enabled)?;
        Some(actor(row, token_hash, client.address))
    }

    /// The session is still valid, and its address not kept out of the admin pages meanwhile; an open event stream asks
    /// every few seconds.
    pub fn is_live(&self, actor: &Actor) -> bool {
        let admitted = actor.address.is_none_or(|address| self.doors().admin.admits(address));
        admitted && self.0.sessions.is_live(&actor.token_hash, Now::read())
    }

    /// Ends here also while the store cannot be written; its row is deleted as soon as it can be.
    pub async fn logout(&self, actor: &Actor) -> Result<(), AdminError> {
        let hash = actor.token_hash;
        self.take_flash(actor);
        self.take_codes(actor);
        self.forget_factor_setup(actor);
        self.end_sessions_of(actor.own_account("signed out"), |row| row.token_hash == hash).await
    }

    /// Ends sessions at once, whether or not their rows can be deleted now.
    pub(crate) async fn end_sessions_of(&self, by: By, which: impl Fn(&SessionRow) -> bool) -> Result<(), AdminError> {
        let result = self.mutate(by.clone(), |state| Ok((ended(state, &which), ()))).await;
        self.0.sessions.end(which);
        let unsaved = matches!(result, Err(AdminError::ReadOnly { .. }));
        // Sessions that began meanwhile have no rows that could be in the way.
        if unsaved || self.0.store.read_only().is_some() {
            self.note_unsaved(&by);
        }
        if unsaved { Ok(()) } else { result }
    }
}

/// Writes that end sessions; none where there is none.
pub(crate) fn ended(state: &State, which: impl Fn(&SessionRow) -> bool) -> Vec<Op> {
    let rows = state.rows.sessions.iter().filter(|row| which(row));
    let mut ops: Vec<Op> = rows.map(|row| Op::DeleteSession(row.token_hash)).collect();
    if !ops.is_empty() {
        ops.push(sessions_changed(Now::read().wall));
    }
    ops
}

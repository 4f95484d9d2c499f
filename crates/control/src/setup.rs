//! The first run: the one-time link, the first administrator, the first backend and the first key.

use std::{sync::Mutex, time::Duration};

use domain::{
    backend::{ProbeReport, ProbeResult},
    error::{AdminError, FieldError},
    key::CreateKey,
    setup::{CreateFirstAdmin, CreateFirstKey, FoundBackends, SetupResult, SetupStep},
};
use futures_util::future::join_all;
use gateway::snapshot::BackendToken;
use store::row::Op;
use tokio::time::Instant;
use url::Url;
use zeroize::Zeroizing;

use crate::{
    Actor, Client, Control, NewSession, SetupSession,
    backends::place,
    by::By,
    clock::Now,
    fault,
    lock::lock,
    login::Draft,
    name,
    secrets::{random, same_hash, token_hash},
    settings::{self, origins},
};

/// How long the link is valid, and the cookie it is traded for.
const VALID: Duration = Duration::from_secs(3600);
/// Where an Ollama on this machine listens.
const LOCAL_OLLAMA: &str = "http://127.0.0.1:11434";
/// Bound of one look at an address.
const PROBE: Duration = Duration::from_secs(5);

/// A hashed token and when it lapses.
type Pass = Option<([u8; 32], Instant)>;

/// The link's token and the cookie, one of each at a time, in memory only.
#[derive(Default)]
pub(crate) struct SetupPasses(Mutex<Passes>);

#[derive(Default)]
struct Passes {
    link: Pass,
    cookie: Pass,
    /// The page of the set-up has yet to ask which backend to use, even where the environment named some.
    ask_for_backend: bool,
}

impl SetupPasses {
    /// Puts a new token in the place of an earlier one.
    fn issue(&self, token: &str, now: Instant) {
        lock(&self.0).link = Some((token_hash(token), now + VALID));
    }

    /// Takes the token if it is the valid one, and admits `cookie` instead.
    fn redeem(&self, token: &str, cookie: &str, now: Instant) -> bool {
        let mut passes = lock(&self.0);
        if !fits(&passes.link, token, now) {
            return false;
        }
        *passes = Passes { cookie: Some((token_hash(cookie), now + VALID)), ..Passes::default() };
        true
    }

    fn admits(&self, cookie: &str, now: Instant) -> bool {
        fits(&lock(&self.0).cookie, cookie, now)
    }

    /// The administrator exists: no link is valid any more, and the backend is the next thing to ask for.
    fn next_backend(&self) {
        *lock(&self.0) = Passes { ask_for_backend: true, ..Passes::default() };
    }

    /// A backend was chosen.
    pub(crate) fn backend_chosen(&self) {
        lock(&self.0).ask_for_backend = false;
    }

    fn asks_for_backend(&self) -> bool {
        lock(&self.0).ask_for_backend
    }
}

fn fits(pass: &Pass, token: &str, now: Instant) -> bool {
    pass.as_ref().is_some_and(|(hash, until)| now < *until && same_hash(hash, &token_hash(token)))
}

impl Control {
    /// A fresh set-up token if no administrator exists; replaces an earlier one. Valid for one hour and one use.
    pub fn new_setup_token(&self) -> Option<String> {
        if !self.state().rows.admins.is_empty() {
            return None;
        }
        // Only the operating system's random numbers can fail here; the log has it then.
        let token = random::token().ok()?;
        self.0.setup.issue(&token, Now::read().instant);
        Some(token)
    }

    /// Trades the link's token for the value of the set-up cookie.
    pub fn redeem_setup_token(&self, token: &str) -> Result<String, AdminError> {
        let cookie = random::token()?;
        let open = self.state().rows.admins.is_empty();
        if open && self.0.setup.redeem(token, &cookie, Now::read().instant) {
            return Ok(cookie);
        }
        let message = if open {
            "this set-up link was used already or is older than an hour: restart the gateway for a new one"
        } else {
            "the set-up is done: sign in instead"
        };
        Err(AdminError::Forbidden { message: message.into() })
    }

    /// Checks the set-up cookie.
    pub fn setup_session(&self, cookie: &str) -> Option<SetupSession> {
        let open = self.state().rows.admins.is_empty();
        (open && self.0.setup.admits(cookie, Now::read().instant)).then_some(SetupSession(()))
    }

    /// Where the set-up stands for this visitor. Once an administrator exists, a visitor who is not signed in has
    /// nothing to set up: `Done`.
    pub fn setup_step(&self, setup: Option<&SetupSession>, actor: Option<&Actor>) -> SetupStep {
        let state = self.state();
        match (state.rows.admins.is_empty(), setup, actor) {
            (true, None, _) => SetupStep::NeedsLink,
            (true, Some(_), _) => SetupStep::Admin,
            (false, _, None) => SetupStep::Done,
            (false, _, Some(_)) if state.rows.backends.is_empty() => SetupStep::Backend,
            (false, _, Some(_)) if !state.rows.keys.is_empty() => SetupStep::Done,
            (false, _, Some(_)) if self.0.setup.asks_for_backend() => SetupStep::Backend,
            (false, _, Some(_)) => SetupStep::Key,
        }
    }

    /// Goes on with the backends there are, which the environment named.
    pub fn keep_backends(&self, actor: &Actor) -> Result<(), AdminError> {
        actor.operates("backends kept")?;
        self.0.setup.backend_chosen();
        Ok(())
    }

    /// Creates the first administrator, signs it in, and keeps `origin` as the allowed origin if none is configured.
    pub async fn create_first_admin(
        &self,
        _setup: &SetupSession,
        input: CreateFirstAdmin,
        client: &Client,
        origin: Option<&str>,
    ) -> Result<NewSession, AdminError> {
        let password = Zeroizing::new(input.password);
        let admin = self.new_admin("name", &input.name, "password", &password).await?;
        let draft = Draft::new(&admin, client, Now::read())?;
        let origin = origin.and_then(|text| origins::parse(text).ok()).filter(|origin| !origins::is_loopback(origin));
        self.mutate(By::of("first administrator created", &admin, client), |state| {
            if !state.rows.admins.is_empty() {
                return Err(fault::conflict("an administrator exists already: sign in instead"));
            }
            let mut ops = vec![Op::PutAdmin(admin.clone())];
            ops.extend(draft.ops(state));
            let configured = self.0.environment.public_url.is_some() || state.setting(settings::PUBLIC_URL).is_some();
            if let (Some(origin), false) = (&origin, configured) {
                ops.push(Op::PutSetting(settings::PUBLIC_URL.into(), origin.clone()));
            }
            Ok((ops, ()))
        })
        .await?;
        self.0.setup.next_backend();
        self.begin(draft, None)
    }

    /// Looks at this machine's Ollama, at `OLLAMA_SERVERS` and at the backends that are configured, all at once.
    pub async fn find_backends(&self, actor: &Actor) -> Result<FoundBackends, AdminError> {
        actor.operates("addresses tried")?;
        let mut places: Vec<(Url, Option<BackendToken>)> = Vec::new();
        let mut add = |url: Url, token: Option<BackendToken>| {
            if !places.iter().any(|(known, _)| place::same(known, &url)) {
                places.push((url, token));
            }
        };
        for row in &self.state().rows.backends {
            // One that cannot be read, which is in the log, must not hide the others.
            if let (Ok(url), Ok(token)) = (Url::parse(&row.url), self.backend_token(row)) {
                add(url, token);
            }
        }
        let local = gateway::probe::normalise_url(LOCAL_OLLAMA).ok();
        local.into_iter().chain(self.0.ollama_servers.iter().cloned()).for_each(|url| add(url, None));
        let looks = places.iter().map(|(url, token)| async move {
            let look = tokio::time::timeout(PROBE, self.0.gateway.probe(url, token.as_ref()));
            ProbeReport { url: shown(url), result: look.await.unwrap_or(ProbeResult::TimedOut) }
        });
        Ok(FoundBackends { reports: join_all(looks).await })
    }

    /// The first user and its key in one action; a user of that name is taken as it is.
    pub async fn create_first_key(&self, actor: &Actor, input: CreateFirstKey) -> Result<SetupResult, AdminError> {
        let checks = [name::check("user", &input.user), name::check("key", &input.key)];
        let fields: Vec<FieldError> = checks.into_iter().filter_map(Result::err).collect();
        if !fields.is_empty() {
            return Err(AdminError::Invalid { fields });
        }
        let user_id = self.user_named(actor, &input.user).await?;
        let key = CreateKey {
            user_id,
            name: input.key,
            requests: String::new(),
            minutes: String::new(),
            policy: Default::default(),
        };
        let key = self.create_key(actor, key).await.map_err(|error| match error {
            AdminError::Invalid { mut fields } => {
                fields.iter_mut().filter(|fault| fault.field == "name").for_each(|fault| fault.field = "key".into());
                AdminError::Invalid { fields }
            }
            other => other,
        })?;
        Ok(SetupResult { key, model: self.sample_model() })
    }

    /// A model the fleet has, for examples: one that chats, where there is one.
    pub(crate) fn sample_model(&self) -> Option<String> {
        let backends = self.0.gateway.live().backends;
        let models = || {
            let models = backends.iter().filter(|backend| backend.enabled).flat_map(|backend| &backend.models);
            models.filter(|model| is_plain(model))
        };
        models().find(|model| !is_embedding(model)).or_else(|| models().next()).cloned()
    }
}

/// How addresses are stored and shown.
pub(crate) fn shown(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

/// Backends choose their names, and examples are pasted into shells: nothing there may be more than a name.
fn is_plain(model: &str) -> bool {
    model.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-:/@".contains(&byte))
}

fn is_embedding(model: &str) -> bool {
    let model = model.to_lowercase();
    ["embed", "bert", "minilm"].iter().any(|mark| model.contains(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_is_good_for_one_use_and_one_hour() {
        let (passes, now) = (SetupPasses::default(), Instant::now());
        passes.issue("link", now);
        assert!(!passes.redeem("other", "cookie", now));
        assert!(!passes.redeem("link", "cookie", now + VALID));
        assert!(passes.redeem("link", "cookie", now));
        assert!(!passes.redeem("link", "cookie", now), "used");
        assert!(passes.admits("cookie", now) && !passes.admits("link", now));
        assert!(!passes.admits("cookie", now + VALID));
    }

    #[test]
    fn examples_never_hold_a_name_that_a_shell_or_a_program_would_run() {
        for name in ["llama3.2:latest", "hf.co/bartowski/Llama-3.2_1B-GGUF:Q4_K_M", "gemma@sha256"] {
            assert!(is_plain(name), "{name}");
        }
        for name in ["x'; touch pwned; '", "x\"+evil()+\"", "$(evil)", "`evil`", "a b", "x\\", "é\u{202e}"] {
            assert!(!is_plain(name), "{name}");
        }
    }

    #[test]
    fn a_new_link_replaces_the_old_one() {
        let (passes, now) = (SetupPasses::default(), Instant::now());
        passes.issue("first", now);
        passes.issue("second", now);
        assert!(!passes.redeem("first", "cookie", now));
        assert!(passes.redeem("second", "cookie", now));
    }
}

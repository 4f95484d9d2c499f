//! Backends: which servers the fleet has. What is known of them now comes from the gateway's catalogue.

mod page;
pub(crate) mod place;

use std::time::Duration;

use domain::{
    backend::{
        AddBackend, BackendRef, BackendState, BackendView, EditBackend, ProbeAddress, ProbeReport, SetBackendDraining,
        SetBackendEnabled, Share, Timeouts,
    },
    error::{AdminError, FieldError},
    id::BackendId,
};
use gateway::snapshot::BackendToken;
use store::row::{BackendRow, Op};
use url::Url;

use crate::{
    Actor, Control, Inner,
    clock::Now,
    doors, fault, name,
    secrets::{random, seal::Place},
    settings,
    setup::shown,
    state::State,
};

/// How long an answer waits for the first look at a backend.
const FIRST_LOOK: Duration = Duration::from_secs(3);
/// Most characters of a backend's token.
const MAX_TOKEN: usize = 4_096;

/// The checked fields of a form.
struct Form {
    name: String,
    url: Url,
    /// `None` where nothing was typed.
    token: Option<BackendToken>,
    share: Share,
    timeouts: Timeouts,
}

impl Form {
    /// `share` is bound, weight and priority; `timeouts` are in the order of [`Timeouts::FIELDS`].
    fn check([name, url, token]: [&str; 3], share: [&str; 3], timeouts: [&str; 3]) -> Result<Self, AdminError> {
        let mut fields = Vec::new();
        let name = name::check("name", name).map_err(|fault| fields.push(fault));
        let url = check_url(url).map_err(|fault| fields.push(fault));
        let token = check_token(token).map_err(|fault| fields.push(fault));
        let [parallel, weight, priority] = share;
        let share = Share::from_fields(parallel, weight, priority).map_err(|faults| fields.extend(faults));
        let timeouts = Timeouts::from_fields(timeouts).map_err(|faults| fields.extend(faults));
        match (name, url, token, share, timeouts) {
            (Ok(name), Ok(url), Ok(token), Ok(share), Ok(timeouts)) => Ok(Self { name, url, token, share, timeouts }),
            _ => Err(AdminError::Invalid { fields }),
        }
    }

    /// Name and address must be nobody else's, and the address not the gateway's own. What a backend has already it may
    /// keep: a row of an older version must not stand in the way of changing something else.
    fn check_fits(&self, inner: &Inner, state: &State, own: Option<&BackendRow>) -> Result<(), AdminError> {
        let mut fields = Vec::new();
        let others = || state.rows.backends.iter().filter(|row| own.is_none_or(|own| own.id != row.id));
        let new_name = own.is_none_or(|row| !name::same(&row.name, &self.name));
        // Commands of upgrades are given the name, and would take it for an option.
        if new_name && self.name.starts_with('-') {
            fields.push(FieldError::new("name", "must not begin with a hyphen"));
        }
        if new_name && others().any(|row| name::same(&row.name, &self.name)) {
            fields.push(FieldError::new("name", "another backend has this name"));
        }
        if own.is_none_or(|row| !leads_to(row, &self.url)) {
            if let Some(row) = others().find(|row| leads_to(row, &self.url)) {
                fields.push(FieldError::new("url", format!("the backend {} has this address: {}", row.name, row.url)));
            }
            fields.extend(check_foreign(inner, state, &self.url).err());
        }
        if fields.is_empty() { Ok(()) } else { Err(AdminError::Invalid { fields }) }
    }
}

/// The row's address and `url` are the same server's.
pub(crate) fn leads_to(row: &BackendRow, url: &Url) -> bool {
    Url::parse(&row.url).is_ok_and(|known| place::same(&known, url))
}

/// Refuses the gateway's own address, by which it would send requests round in circles, and its Redis.
fn check_foreign(inner: &Inner, state: &State, url: &Url) -> Result<(), FieldError> {
    let settings = settings::view(state, &inner.environment);
    place::check_foreign(url, &inner.listens, settings.public_url.value.split(','))
        .and_then(|()| place::check_not_redis(url, &settings.redis_url.value))
        .map_err(|message| FieldError::new("url", message))
}

fn check_url(text: &str) -> Result<Url, FieldError> {
    gateway::probe::normalise_url(text).map_err(|message| FieldError::new("url", message))
}

fn check_token(text: &str) -> Result<Option<BackendToken>, FieldError> {
    let token = text.trim();
    if token.len() > MAX_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(FieldError::new(
            "token",
            format!("must be at most {MAX_TOKEN} visible ASCII characters without blanks"),
        ));
    }
    Ok((!token.is_empty()).then(|| BackendToken(token.to_owned())))
}

impl Control {
    pub fn backends(&self, _actor: &Actor) -> Vec<BackendView> {
        let live = self.0.gateway.live().backends;
        self.state().rows.backends.iter().map(|row| view(row, &live)).collect()
    }

    pub async fn add_backend(&self, actor: &Actor, input: AddBackend) -> Result<BackendView, AdminError> {
        let id = self.store_backend(actor, &input).await?;
        self.look_at(&id).await
    }

    /// Refuses an address outside the networks that backends may be in, unless the backend has it already.
    async fn check_place(&self, url: &Url, own: Option<&BackendId>) -> Result<(), AdminError> {
        let state = self.state();
        if own.is_some_and(|id| state.backend(id).is_ok_and(|row| leads_to(row, url))) {
            return Ok(());
        }
        let networks = doors::backend_networks(&state, &self.0.environment.network);
        let checked = gateway::probe::check_networks(url, &networks).await;
        checked.map_err(|message| AdminError::invalid("url", message))
    }

    /// Stores it without reaching it.
    pub(crate) async fn store_backend(&self, actor: &Actor, input: &AddBackend) -> Result<BackendId, AdminError> {
        let by = actor.operates("backend added")?;
        let share = [&*input.parallel, &*input.weight, &*input.priority];
        let form = Form::check([&input.name, &input.url, &input.token], share, input.timeouts())?;
        self.check_place(&form.url, None).await?;
        let id: BackendId = random::id()?;
        self.mutate(by, |state| {
            form.check_fits(&self.0, state, None)?;
            // Sealed here and not before: the key may change until the write's turn comes.
            let sealed_token = self.seal_token(&id, form.token.as_ref())?;
            let (name, url, created_at) = (form.name.clone(), shown(&form.url), Now::read().wall);
            let Share { parallel, weight, priority } = form.share;
            let row = BackendRow {
                id: id.clone(),
                name,
                url,
                enabled: true,
                sealed_token,
                parallel,
                weight,
                priority,
                draining: false,
                timeouts: form.timeouts,
                created_at,
            };
            Ok((vec![Op::PutBackend(row)], ()))
        })
        .await?;
        self.0.setup.backend_chosen();
        Ok(id)
    }

    pub async fn edit_backend(&self, actor: &Actor, input: EditBackend) -> Result<BackendView, AdminError> {
        let id = input.id.clone();
        self.change_backend(actor, input).await?;
        self.look_at(&id).await
    }

    /// Changes it without reaching it.
    pub(crate) async fn change_backend(&self, actor: &Actor, input: EditBackend) -> Result<BackendView, AdminError> {
        let by = actor.operates("backend changed")?;
        let share = [&*input.parallel, &*input.weight, &*input.priority];
        let form = Form::check([&input.name, &input.url, &input.token], share, input.timeouts())?;
        self.check_place(&form.url, Some(&input.id)).await?;
        self.mutate(by, |state| {
            let row = state.backend(&input.id)?;
            let sealed = self.seal_token(&input.id, form.token.as_ref())?;
            form.check_fits(&self.0, state, Some(row))?;
            let keeps = sealed.is_none() && !input.clear_token && row.sealed_token.is_some();
            // A stored token goes to the server it was given for and to no other.
            if keeps && Url::parse(&row.url).ok().map(|url| url.origin()) != Some(form.url.origin()) {
                let message = "the address is another server's: give the token again, or remove it";
                return Err(AdminError::invalid("token", message));
            }
            let sealed_token = if keeps { row.sealed_token.clone() } else { sealed };
            let (name, url) = (form.name.clone(), shown(&form.url));
            let Share { parallel, weight, priority } = form.share;
            let timeouts = form.timeouts;
            let changed = BackendRow { name, url, sealed_token, parallel, weight, priority, timeouts, ..row.clone() };
            Ok((vec![Op::PutBackend(changed)], ()))
        })
        .await?;
        self.backend_view(&input.id)
    }

    /// A drained backend finishes what it has and gets nothing new, also after a restart, until it is taken back.
    pub async fn set_backend_draining(
        &self,
        actor: &Actor,
        input: SetBackendDraining,
    ) -> Result<BackendView, AdminError> {
        let SetBackendDraining { id, draining } = input;
        self.mutate(actor.operates("backend drained or taken back")?, |state| {
            let row = state.backend(&id)?;
            let changed = (row.draining != draining).then(|| BackendRow { draining, ..row.clone() });
            Ok((changed.map(Op::PutBackend).into_iter().collect(), ()))
        })
        .await?;
        self.backend_view(&id)
    }

    pub async fn set_backend_enabled(
        &self,
        actor: &Actor,
        input: SetBackendEnabled,
    ) -> Result<BackendView, AdminError> {
        let view = self.switch_backend(actor, &input.id, input.enabled).await?;
        if input.enabled { self.look_at(&input.id).await } else { Ok(view) }
    }

    /// Switches it without reaching it.
    pub(crate) async fn switch_backend(
        &self,
        actor: &Actor,
        id: &BackendId,
        enabled: bool,
    ) -> Result<BackendView, AdminError> {
        self.mutate(actor.operates("backend switched")?, |state| {
            let row = state.backend(id)?;
            let changed = (row.enabled != enabled).then(|| BackendRow { enabled, ..row.clone() });
            Ok((changed.map(Op::PutBackend).into_iter().collect(), ()))
        })
        .await?;
        self.backend_view(id)
    }

    pub async fn remove_backend(&self, actor: &Actor, input: BackendRef) -> Result<(), AdminError> {
        self.mutate(actor.operates("backend removed")?, |state| {
            state.backend(&input.id)?;
            Ok((vec![Op::DeleteBackend(input.id.clone())], ()))
        })
        .await
    }

    /// Looks at a stored backend now, with its stored token.
    pub async fn test_backend(&self, actor: &Actor, input: BackendRef) -> Result<ProbeReport, AdminError> {
        actor.operates("backend tried")?;
        let state = self.state();
        let row = state.backend(&input.id)?;
        let token = self.backend_token(row)?;
        let url = Url::parse(&row.url).map_err(|error| fault::internal("a stored address cannot be read", &error))?;
        self.note_done(actor, "backend tried");
        let result = self.0.gateway.probe(&url, token.as_ref()).await;
        if row.enabled {
            // What the test found should show in the list too.
            self.look_at(&input.id).await?;
        }
        Ok(ProbeReport { url: shown(&url), result })
    }

    /// Looks at an address that is not stored yet.
    pub async fn probe_address(&self, actor: &Actor, input: ProbeAddress) -> Result<ProbeReport, AdminError> {
        actor.operates("address tried")?;
        let invalid = |fault| AdminError::Invalid { fields: vec![fault] };
        let url = check_url(&input.url).map_err(invalid)?;
        let token = check_token(&input.token).map_err(invalid)?;
        check_foreign(&self.0, &self.state(), &url).map_err(invalid)?;
        self.note_done(actor, "address tried");
        let result = self.0.gateway.probe(&url, token.as_ref()).await;
        Ok(ProbeReport { url: shown(&url), result })
    }

    pub(crate) fn backend_view(&self, id: &BackendId) -> Result<BackendView, AdminError> {
        let state = self.state();
        Ok(view(state.backend(id)?, &self.0.gateway.live().backends))
    }

    /// The stored token of a backend, opened.
    pub(crate) fn backend_token(&self, row: &BackendRow) -> Result<Option<BackendToken>, AdminError> {
        let Some(sealed) = &row.sealed_token else { return Ok(None) };
        let opened = self.0.secrets.sealer().open(&Place::backend_token(&row.id), sealed);
        let token = opened.ok_or_else(|| fault::internal("a stored token cannot be opened", &row.id))?;
        Ok(Some(BackendToken(token.as_str().to_owned())))
    }

    fn seal_token(&self, id: &BackendId, token: Option<&BackendToken>) -> Result<Option<Vec<u8>>, AdminError> {
        token.map(|token| self.0.secrets.sealer().seal(&Place::backend_token(id), &token.0)).transpose()
    }

    /// Waits a little for the catalogue's look, so that the answer shows the backend's state.
    async fn look_at(&self, id: &BackendId) -> Result<BackendView, AdminError> {
        if tokio::time::timeout(FIRST_LOOK, self.0.gateway.refresh(Some(id.clone()))).await.is_err() {
            tracing::debug!(backend = %id, "the first look takes long; the catalogue goes on");
        }
        self.backend_view(id)
    }
}

/// What is stored, and what the gateway knows beside it.
pub(crate) fn view(row: &BackendRow, live: &[BackendView]) -> BackendView {
    let known = live.iter().find(|view| view.id == row.id);
    let state = match known {
        _ if !row.enabled => BackendState::Disabled,
        Some(view) if view.state == BackendState::Up && row.draining => BackendState::Draining,
        Some(view) => view.state,
        None => BackendState::Unknown,
    };
    let known = known.cloned();
    let known = known.unwrap_or_else(|| BackendView::new(row.id.clone(), row.name.clone(), row.url.clone()));
    BackendView {
        name: row.name.clone(),
        url: row.url.clone(),
        enabled: row.enabled,
        has_token: row.sealed_token.is_some(),
        created_at: row.created_at,
        parallel: row.parallel,
        weight: row.weight,
        priority: row.priority,
        draining: row.draining,
        timeouts: row.timeouts,
        state,
        ..known
    }
}

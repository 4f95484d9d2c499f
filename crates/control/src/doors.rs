//! Who may come in, as the Network page saves it: default < environment < saved, checked whole before anything is
//! written. Looking at connections and requests is the listener's business.

use std::{
    net::IpAddr,
    ops::Deref,
    sync::{Arc, OnceLock},
};

use arc_swap::ArcSwap;
use domain::{
    error::{AdminError, FieldError},
    network::{AddressRules, NONE, NetworkView, Networks, SaveNetwork},
    settings::Sourced,
};
use sha2::{Digest, Sha256};
use store::row::Op;
use tokio::sync::watch;

use crate::{
    Actor, Client, Control,
    settings::{origins, sourced},
    state::State,
};

/// What every saved setting of this page begins with.
pub(crate) const PREFIX: &str = "network.";
/// Settings that are not settings but marks of the store; no reset takes them away.
const MARK: &str = "mark.";
/// Two years: what lists of browsers ask for.
const MAX_HSTS_DAYS: u32 = 730;

/// The lists as the environment gives them, each in one spelling; `None` where it is silent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkEnvironment {
    pub allowed_ips: Option<String>,
    pub denied_ips: Option<String>,
    pub admin_allowed_ips: Option<String>,
    pub admin_denied_ips: Option<String>,
    pub cors_origins: Option<String>,
    pub backend_networks: Option<String>,
    pub hsts_days: Option<String>,
}

/// What the listener obeys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Doors {
    pub api: AddressRules,
    pub admin: AddressRules,
    /// Web origins whose scripts may call the API, spelled as browsers send them.
    pub cors: Vec<String>,
    /// Days of `Strict-Transport-Security` on answers over TLS; `None` sends none.
    pub hsts_days: Option<u32>,
}

/// The doors in force, and what the listener told about itself.
#[derive(Default)]
pub(crate) struct InForce {
    doors: ArcSwap<Doors>,
    /// Tells answers that still run to look whether they may go on.
    moved: watch::Sender<()>,
    /// Port of the API where the admin pages have a listener of their own.
    api_port: OnceLock<u16>,
}

impl InForce {
    pub fn follow(&self, state: &State, environment: &NetworkEnvironment) {
        let doors = doors(state, environment);
        if **self.doors.load() != doors {
            self.doors.store(Arc::new(doors));
            self.moved.send_replace(());
        }
    }

    /// The address of the API, for pages that are at another one. `host` is their Host header.
    pub fn api_address(&self, scheme: &str, host: &str) -> Option<String> {
        let port = self.api_port.get()?;
        let behind = host.rfind(']').unwrap_or(0);
        let name = host[behind..].rfind(':').map_or(host, |colon| &host[..behind + colon]);
        Some(format!("{scheme}://{name}:{port}"))
    }
}

/// One list of the page.
struct List {
    name: &'static str,
    check: fn(&str) -> Result<String, String>,
    environment: fn(&NetworkEnvironment) -> &Option<String>,
    typed: fn(&SaveNetwork) -> &str,
}

const ALLOWED: List = List::new("allowed_ips", check_networks, |from| &from.allowed_ips, |input| &input.allowed_ips);
const DENIED: List = List::new("denied_ips", check_networks, |from| &from.denied_ips, |input| &input.denied_ips);
const ADMIN_ALLOWED: List =
    List::new("admin_allowed_ips", check_networks, |from| &from.admin_allowed_ips, |input| &input.admin_allowed_ips);
const ADMIN_DENIED: List =
    List::new("admin_denied_ips", check_networks, |from| &from.admin_denied_ips, |input| &input.admin_denied_ips);
const CORS: List =
    List::new("cors_origins", check_cors_origins, |from| &from.cors_origins, |input| &input.cors_origins);
const BACKENDS: List =
    List::new("backend_networks", check_networks, |from| &from.backend_networks, |input| &input.backend_networks);
/// No list, but a text as they are.
const HSTS: List = List::new("hsts_days", check_hsts_days, |from| &from.hsts_days, |input| &input.hsts_days);
const LISTS: [&List; 7] = [&ALLOWED, &DENIED, &ADMIN_ALLOWED, &ADMIN_DENIED, &CORS, &BACKENDS, &HSTS];

impl List {
    const fn new(
        name: &'static str,
        check: fn(&str) -> Result<String, String>,
        environment: fn(&NetworkEnvironment) -> &Option<String>,
        typed: fn(&SaveNetwork) -> &str,
    ) -> Self {
        Self { name, check, environment, typed }
    }

    fn setting(&self) -> String {
        format!("{PREFIX}{}", self.name)
    }

    fn view(&self, state: &State, environment: &NetworkEnvironment) -> Sourced<String> {
        let saved = state.setting(&self.setting()).map(str::to_owned);
        sourced(saved, (self.environment)(environment).clone(), String::new())
    }

    /// Only what was checked is stored; a value of another version that this one cannot read counts as none.
    fn networks(&self, state: &State, environment: &NetworkEnvironment) -> Networks {
        let text = self.view(state, environment).value;
        match Networks::parse(if text == NONE { "" } else { &text }) {
            Ok(networks) => networks,
            Err(error) => {
                tracing::error!(list = self.name, error, "a stored list cannot be read; it counts as empty");
                Networks::default()
            }
        }
    }

    /// What a save writes: `None` for nothing, `Some(None)` to forget the saved value.
    fn plan(
        &self,
        state: &State,
        environment: &NetworkEnvironment,
        typed: &str,
    ) -> Result<Option<Option<String>>, FieldError> {
        let saved = state.setting(&self.setting());
        let value = match typed.trim() {
            "" => return Ok(saved.map(|_| None)),
            NONE => NONE.to_owned(),
            text => (self.check)(text).map_err(|message| FieldError::new(self.name, message))?,
        };
        // The page shows what is in force; sending that back must not turn the environment's value into a saved one.
        let same = self.view(state, environment).value == value;
        Ok((!same).then_some(Some(value)))
    }
}

/// A list of addresses and networks in one spelling; the error is a sentence.
pub fn check_networks(text: &str) -> Result<String, String> {
    Networks::parse(text).map(|networks| networks.to_string())
}

/// A list of web origins as browsers send them, browser extensions' among them, one a line.
pub fn check_cors_origins(text: &str) -> Result<String, String> {
    let mut found: Vec<String> = Vec::new();
    for item in text.split([',', ' ', '\t', '\r', '\n']).filter(|item| !item.is_empty()) {
        // A URL may have a star in its host; browsers never send one.
        let origin = extension(item).or_else(|| origins::parse(item).ok()).filter(|_| !item.contains('*'));
        let Some(origin) = origin else {
            return Err(format!(
                "{item:?} is no origin like https://app.example.com; every origin is listed by itself, * is none"
            ));
        };
        if !found.contains(&origin) {
            found.push(origin);
        }
    }
    Ok(found.join("\n"))
}

/// Days for which browsers keep to TLS.
pub fn check_hsts_days(text: &str) -> Result<String, String> {
    let days = text.trim().parse().ok().filter(|days: &u32| *days <= MAX_HSTS_DAYS);
    days.map(|days| days.to_string()).ok_or_else(|| format!("must be a whole number of days from 0 to {MAX_HSTS_DAYS}"))
}

/// The origin of a browser extension or a desktop app's web view.
fn extension(item: &str) -> Option<String> {
    let (scheme, name) = item.trim_end_matches('/').split_once("://")?;
    let known = ["chrome-extension", "moz-extension", "safari-web-extension", "tauri", "app"].contains(&scheme);
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    (known && plain).then(|| format!("{scheme}://{name}"))
}

fn rules(state: &State, environment: &NetworkEnvironment, [allowed, denied]: [&List; 2]) -> AddressRules {
    AddressRules { allowed: allowed.networks(state, environment), denied: denied.networks(state, environment) }
}

/// Who may call the API.
pub(crate) fn api(state: &State, environment: &NetworkEnvironment) -> AddressRules {
    rules(state, environment, [&ALLOWED, &DENIED])
}

fn doors(state: &State, environment: &NetworkEnvironment) -> Doors {
    let cors = CORS.view(state, environment).value;
    Doors {
        api: api(state, environment),
        admin: rules(state, environment, [&ADMIN_ALLOWED, &ADMIN_DENIED]),
        hsts_days: HSTS.view(state, environment).value.parse().ok(),
        cors: cors.lines().filter(|line| *line != NONE).map(str::to_owned).collect(),
    }
}

/// Where backends may be; empty is everywhere.
pub(crate) fn backend_networks(state: &State, environment: &NetworkEnvironment) -> Networks {
    BACKENDS.networks(state, environment)
}

fn view(state: &State, environment: &NetworkEnvironment, own: IpAddr) -> NetworkView {
    let of = |list: &List| list.view(state, environment);
    let mut digest = Sha256::new();
    for list in LISTS {
        digest.update(of(list).value);
        digest.update([u8::from(state.setting(&list.setting()).is_some())]);
    }
    NetworkView {
        allowed_ips: of(&ALLOWED),
        denied_ips: of(&DENIED),
        admin_allowed_ips: of(&ADMIN_ALLOWED),
        admin_denied_ips: of(&ADMIN_DENIED),
        cors_origins: of(&CORS),
        backend_networks: of(&BACKENDS),
        hsts_days: of(&HSTS),
        your_address: own.to_canonical().to_string(),
        version: digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// What a save writes, or every fault of it.
fn plan(
    state: &State,
    environment: &NetworkEnvironment,
    input: &SaveNetwork,
    own: IpAddr,
) -> Result<Vec<Op>, AdminError> {
    if !input.version.is_empty() && input.version != view(state, environment, own).version {
        return Err(AdminError::Conflict {
            message: "the lists were changed in the meantime, and nothing was saved: look at them, then save again"
                .into(),
        });
    }
    let (mut ops, mut faults) = (Vec::new(), Vec::new());
    for list in LISTS {
        match list.plan(state, environment, (list.typed)(input)) {
            Ok(None) => {}
            Ok(Some(Some(value))) => ops.push(Op::PutSetting(list.setting(), value)),
            Ok(Some(None)) => ops.push(Op::DeleteSetting(list.setting())),
            Err(fault) => faults.push(fault),
        }
    }
    if !faults.is_empty() {
        return Err(AdminError::Invalid { fields: faults });
    }
    if input.confirm.is_empty() && !doors(&state.after(ops.clone(), 0), environment).admin.admits(own) {
        let own = own.to_canonical();
        return Err(AdminError::invalid(
            "confirm",
            format!("nothing was saved: these lists keep your own address {own} out of the admin pages"),
        ));
    }
    Ok(ops)
}

impl Control {
    /// What the listener has to obey; changes in the same moment as the rest of the configuration.
    pub fn doors(&self) -> impl Deref<Target = Arc<Doors>> {
        self.0.doors.doors.load()
    }

    /// Tells of every change of the doors.
    pub fn doors_moved(&self) -> watch::Receiver<()> {
        self.0.doors.moved.subscribe()
    }

    /// Whether anybody could sign in.
    pub fn has_administrator(&self) -> bool {
        !self.state().rows.admins.is_empty()
    }

    /// Tells that the API is at another port than the admin pages. Counts once.
    pub fn api_listens_on(&self, port: u16) {
        // A second call would come from a second listener, and there is none.
        let _ = self.0.doors.api_port.set(port);
    }

    pub fn network(&self, _actor: &Actor, client: &Client) -> NetworkView {
        view(&self.state(), &self.0.environment.network, client.address)
    }

    /// All or nothing; faults name their fields. A save that keeps the administrator's own address out of the admin
    /// pages is a fault of `confirm` until that is given.
    pub async fn save_network(
        &self,
        actor: &Actor,
        client: &Client,
        input: SaveNetwork,
    ) -> Result<NetworkView, AdminError> {
        self.mutate(actor.owns("network settings saved")?, |state| {
            let ops = plan(state, &self.0.environment.network, &input, client.address)?;
            if !ops.is_empty() {
                self.fresh(actor)?;
            }
            Ok((ops, ()))
        })
        .await?;
        Ok(self.network(actor, client))
    }

    /// Forgets saved settings, so that environment and defaults count again: those of the Network page, or all.
    pub(crate) async fn reset_settings(&self, actor: &Actor, all: bool) -> Result<(), AdminError> {
        self.mutate(actor.owns("settings reset")?, |state| {
            let names = state.rows.settings.iter().map(|(name, _)| name);
            let gone = names.filter(|name| if all { !name.starts_with(MARK) } else { name.starts_with(PREFIX) });
            Ok((gone.cloned().map(Op::DeleteSetting).collect(), ()))
        })
        .await
    }
}

#[cfg(test)]
#[path = "doors/tests.rs"]
mod tests;

//! Everything that is sealed in the database, and sealing it anew. Whoever seals something new adds it here, or it would
//! be lost with the root it was sealed with.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::error::AdminError;
use store::row::{AdminRow, BackendRow, Op, TotpRow};

use super::{
    CHECK, PEPPER, Secrets,
    seal::{Place, Sealer},
};
use crate::{fault, settings::REDIS_PASSWORD, state::State, tls};

/// Settings whose values are sealed, by [`Place::setting`].
pub(crate) const SEALED_SETTINGS: &[&str] = &[REDIS_PASSWORD, tls::KEY];

/// One sealed value: what people call it, where it is, and how it is written back.
struct Sealed {
    name: String,
    place: Place,
    bytes: Option<Vec<u8>>,
    put: Box<dyn Fn(Vec<u8>) -> Op>,
}

fn all(state: &State) -> Vec<Sealed> {
    let backends = state.rows.backends.iter().filter_map(|row| {
        let (bytes, owned) = (row.sealed_token.clone()?, row.clone());
        let name = format!("the token of the backend {}", row.name);
        let put = move |sealed| Op::PutBackend(BackendRow { sealed_token: Some(sealed), ..owned.clone() });
        Some(Sealed { name, place: Place::backend_token(&row.id), bytes: Some(bytes), put: Box::new(put) })
    });
    let admins = state.rows.admins.iter().filter_map(|row| {
        let (totp, owned) = (row.totp.clone()?, row.clone());
        let (name, bytes) = (format!("the second factor of {}", row.name), totp.sealed.clone());
        let put = move |sealed| {
            let totp = Some(TotpRow { sealed, ..totp.clone() });
            Op::PutAdmin(AdminRow { totp, ..owned.clone() })
        };
        Some(Sealed { name, place: Place::admin_totp(&row.id), bytes: Some(bytes), put: Box::new(put) })
    });
    let settings = SEALED_SETTINGS.iter().filter_map(|name| {
        let bytes = STANDARD.decode(state.setting(name)?).ok();
        let put = |sealed: Vec<u8>| Op::PutSetting((*name).to_owned(), STANDARD.encode(sealed));
        let (place, told) = (Place::setting(name), format!("the setting {name}"));
        Some(Sealed { name: told, place, bytes, put: Box::new(put) })
    });
    backends.chain(admins).chain(settings).collect()
}

/// The writes that seal everything with `to`, and how many values that are. Refuses where one cannot be opened: it would
/// be lost for good.
pub(crate) fn everything(state: &State, from: &Sealer, to: &Secrets) -> Result<(Vec<Op>, usize), AdminError> {
    let sealer = to.sealer();
    let mut ops = seal(all(state), from, &sealer)?;
    let count = ops.len();
    ops.push(Op::PutSetting(CHECK.into(), to.check_value().into()));
    ops.push(Op::PutSetting(PEPPER.into(), to.sealed_pepper()?));
    Ok((ops, count))
}

/// The same for what an older root than the one of `secrets` still seals.
pub(crate) fn leftovers(state: &State, secrets: &Secrets) -> Result<Vec<Op>, AdminError> {
    let sealer: Arc<Sealer> = secrets.sealer();
    let old = all(state).into_iter().filter(|sealed| {
        let bytes = sealed.bytes.as_deref().unwrap_or_default();
        !sealer.is_newest(&sealed.place, bytes)
    });
    seal(old.collect(), &sealer, &sealer)
}

fn seal(values: Vec<Sealed>, from: &Sealer, to: &Sealer) -> Result<Vec<Op>, AdminError> {
    let mut ops = Vec::with_capacity(values.len() + 2);
    for Sealed { name, place, bytes, put } in values {
        let opened = bytes.and_then(|bytes| from.open(&place, &bytes)).ok_or_else(|| {
            fault::conflict(format!("{name} cannot be opened with the present key: set it anew or remove it first"))
        })?;
        ops.push(put(to.seal(&place, &opened)?));
    }
    Ok(ops)
}

//! `secrets rotate`: another root for what is sealed at rest, while API keys go on working. The pepper that their hashes
//! depend on cannot change under them; it is kept, sealed by the root like everything else.

use domain::error::AdminError;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::{reseal, ring::Source};
use crate::{Actor, Control, fault};

/// One at a time.
static ROTATING: Mutex<()> = Mutex::const_new(());

/// What `secrets rotate` is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rotation {
    /// Make a new key where none is waiting, and seal everything with it.
    Rotate,
    /// Only make a new key and put it into the key file, for the other gateways of a shared database.
    Prepare,
    /// Forget the old keys.
    ForgetOld,
}

/// What was done, and what is left to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationReport {
    /// `key file` or `SECRET_KEY`.
    pub secret: String,
    /// Values that were sealed anew.
    pub resealed: usize,
    /// Old keys that were forgotten.
    pub forgotten: usize,
    /// In one sentence.
    pub next: String,
}

const SET_BOTH: &str = "the key comes from SECRET_KEY: set SECRET_KEY to a new value and SECRET_KEY_PREVIOUS to the \
                        present one, on every gateway that shares the database, restart them, and run this again";

impl Control {
    pub async fn rotate_secrets(&self, actor: &Actor, rotation: Rotation) -> Result<RotationReport, AdminError> {
        let _one = ROTATING.lock().await;
        match rotation {
            Rotation::Rotate => self.rotate(actor).await,
            Rotation::Prepare => self.prepare(actor),
            Rotation::ForgetOld => self.forget_old(actor).await,
        }
    }

    fn report(&self, resealed: usize, forgotten: usize, next: String) -> RotationReport {
        let secret = match self.0.secrets.source() {
            Source::File => "key file",
            Source::Environment => "SECRET_KEY",
        };
        RotationReport { secret: secret.into(), resealed, forgotten, next }
    }

    fn prepare(&self, actor: &Actor) -> Result<RotationReport, AdminError> {
        let by = actor.owns("new secret prepared")?;
        let ring = &self.0.secrets;
        if ring.source() == Source::Environment {
            return Err(fault::conflict(SET_BOTH));
        }
        self.check_writable()?;
        if !ring.is_behind() {
            ring.prepare()?;
            self.note_done(actor, by.what);
        }
        let file = ring.key_file();
        let next = format!(
            "a new key is in {}: copy the file to every gateway that shares the database, then run `ollama-fortress \
             secrets rotate`",
            file.display()
        );
        Ok(self.report(0, 0, next))
    }

    async fn rotate(&self, actor: &Actor) -> Result<RotationReport, AdminError> {
        let by = actor.owns("secrets rotated")?;
        let ring = &self.0.secrets;
        self.check_writable()?;
        match ring.source() {
            Source::Environment if !ring.is_behind() => return Err(fault::conflict(SET_BOTH)),
            Source::File if !ring.is_behind() && self.0.store.is_remote() => {
                return Err(fault::conflict(
                    "other gateways may share this database, and each has its own key file: run `ollama-fortress secrets \
                     rotate --prepare`, copy secret.key to all of them, then run this again",
                ));
            }
            // The file before the database: whenever this is killed, the key of the database is in the file. One that an
            // interrupted rotation left there is used now.
            Source::File if !ring.is_behind() => ring.prepare()?,
            _ => {}
        }
        let resealed = self
            .mutate(by, |state| {
                let newest = ring.newest().ok_or_else(|| fault::internal("there is no key", &"empty ring"))?;
                if state.setting(super::CHECK) == Some(newest.check_value()) {
                    // Another gateway has done it meanwhile.
                    return Ok((Vec::new(), 0));
                }
                reseal::everything(state, &ring.sealer(), &newest)
            })
            .await?;
        let next = match ring.source() {
            Source::File => {
                "API keys go on working; make a new backup, then run `ollama-fortress secrets rotate \
                             --forget-old`"
            }
            Source::Environment => {
                "API keys go on working; make a new backup; SECRET_KEY_PREVIOUS can be removed once \
                                    `ollama-fortress secrets rotate --forget-old` agrees"
            }
        };
        Ok(self.report(resealed, 0, next.into()))
    }

    async fn forget_old(&self, actor: &Actor) -> Result<RotationReport, AdminError> {
        let by = actor.owns("old secrets forgotten")?;
        let what = by.what;
        let ring = &self.0.secrets;
        if ring.is_behind() {
            return Err(fault::conflict(
                "everything is still sealed with the old key: run `ollama-fortress secrets rotate` first",
            ));
        }
        self.check_writable()?;
        // What was sealed at the very moment of the rotation.
        let resealed = self
            .mutate(by, |state| {
                let ops = reseal::leftovers(state, &ring.now())?;
                let count = ops.len();
                Ok((ops, count))
            })
            .await?;
        let forgotten = ring.forget()?;
        // A change of the database has told it already.
        if resealed == 0 && forgotten > 0 {
            self.note_done(actor, what);
        }
        let next = match (ring.source(), forgotten) {
            (_, 0) => "there was no old key",
            (Source::File, _) => "nothing needs the old keys, and the key file holds only the new one",
            (Source::Environment, _) => "nothing needs SECRET_KEY_PREVIOUS any more: remove it on every gateway",
        };
        Ok(self.report(resealed, forgotten, next.into()))
    }

    fn check_writable(&self) -> Result<(), AdminError> {
        self.0.store.read_only().map_or(Ok(()), |why| Err(fault::read_only(&why)))
    }
}

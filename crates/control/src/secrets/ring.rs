//! The roots a gateway has, the newest first, and the subkeys of the one that the database is sealed with. Which that is
//! says the database; it changes with `rotate`, here or on another gateway.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use arc_swap::ArcSwap;
use domain::error::AdminError;

use super::{CHECK, PEPPER, Secrets, check_of, root, root::Root, seal::Sealer};
use crate::{ControlConfig, OpenError, fault, lock::lock, state::State};

/// Where the roots come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The key file in the data folder.
    File,
    /// `SECRET_KEY` and `SECRET_KEY_PREVIOUS`.
    Environment,
}

pub(crate) struct Keyring {
    source: Source,
    data_dir: PathBuf,
    roots: Mutex<Vec<Root>>,
    in_force: ArcSwap<Secrets>,
    /// What `in_force` was made of.
    made_of: Mutex<(Option<String>, Option<String>)>,
}

/// What to say where no root fits.
pub(crate) const STRANGER: &str = "SECRET_KEY (or the key file in the data folder) is not the one this database was made with: \
                        nothing was changed; give the old one";

impl Keyring {
    /// The roots of the configuration. Fails if none of them is the one that the database belongs to.
    pub fn find(config: &ControlConfig, state: &State) -> Result<Self, OpenError> {
        let secret_key = config.secret_key.as_deref();
        let source = if secret_key.is_some() { Source::Environment } else { Source::File };
        let previous = config.secret_key_previous.as_deref();
        let roots = Root::find(secret_key, previous, &config.data_dir, state.setting(CHECK).is_none())?;
        let secrets = pick(&roots, state.setting(CHECK), state.setting(PEPPER));
        let secrets = secrets.ok_or_else(|| OpenError::Secret(STRANGER.into()))?;
        let ring = Self {
            source,
            data_dir: config.data_dir.clone(),
            roots: Mutex::new(roots),
            in_force: ArcSwap::from_pointee(secrets),
            made_of: Mutex::new(made_of(state)),
        };
        if ring.source == Source::Environment && ring.is_behind() {
            tracing::warn!(
                "the secrets in the database are still sealed with SECRET_KEY_PREVIOUS: `ollama-fortress secrets rotate` \
                 seals them with SECRET_KEY"
            );
        }
        Ok(ring)
    }

    /// Takes the subkeys of the root that the database is sealed with now. `false` if there is no such root: then
    /// nothing of this state can be opened.
    pub fn follow(&self, state: &State) -> bool {
        let mut made = lock(&self.made_of);
        let now = made_of(state);
        // A database that no root has marked yet takes the one in force.
        if *made == now || now.0.is_none() {
            return true;
        }
        let mut roots = lock(&self.roots);
        let mut picked = pick(&roots, state.setting(CHECK), state.setting(PEPPER));
        if picked.is_none()
            && self.source == Source::File
            && let Ok(Some(read)) = root::read(&self.data_dir)
        {
            // Another gateway rotated, and its key file was copied here meanwhile.
            *roots = read;
            picked = pick(&roots, state.setting(CHECK), state.setting(PEPPER));
        }
        let Some(secrets) = picked else { return false };
        self.in_force.store(Arc::new(secrets));
        *made = now;
        true
    }

    /// The subkeys in force.
    pub fn now(&self) -> Arc<Secrets> {
        self.in_force.load_full()
    }

    /// Seals with the root in force, and opens what any root sealed.
    pub fn sealer(&self) -> Arc<Sealer> {
        self.now().sealer()
    }

    pub fn hash_key(&self, key: &str) -> [u8; 32] {
        self.now().hash_key(key)
    }

    pub fn source(&self) -> Source {
        self.source
    }

    pub fn key_file(&self) -> PathBuf {
        root::path(&self.data_dir)
    }

    /// All roots, for a backup.
    pub fn roots(&self) -> (Vec<Root>, Source) {
        (lock(&self.roots).clone(), self.source)
    }

    /// The newest root is not the one in force.
    pub fn is_behind(&self) -> bool {
        let newest = lock(&self.roots).first().map(check_of);
        newest.is_some_and(|check| check != self.now().check_value())
    }

    /// The subkeys of the newest root with the pepper in force, for sealing everything with them.
    pub fn newest(&self) -> Option<Secrets> {
        let roots = lock(&self.roots);
        let pepper = self.now().pepper();
        roots.first().map(|root| Secrets::derive(root).with_pepper(pepper).with_older(roots.iter().skip(1)))
    }

    /// Makes a root and puts it before the others into the key file. It is used from the next rotation on.
    pub fn prepare(&self) -> Result<(), AdminError> {
        let mut roots = lock(&self.roots);
        let fresh = Root::random().map_err(|error| fault::internal("no random numbers", &error))?;
        let both: Vec<Root> = [fresh].into_iter().chain(roots.iter().cloned()).collect();
        self.write(&both)?;
        *roots = both;
        Ok(())
    }

    /// Leaves only the root in force in the key file, and says how many others there were.
    pub fn forget(&self) -> Result<usize, AdminError> {
        let mut roots = lock(&self.roots);
        let secrets = self.now();
        let kept: Vec<Root> = roots.iter().filter(|root| check_of(root) == secrets.check_value()).cloned().collect();
        let gone = roots.len() - kept.len();
        if gone > 0 && self.source == Source::File {
            self.write(&kept)?;
            *roots = kept;
        }
        Ok(gone)
    }

    fn write(&self, roots: &[Root]) -> Result<(), AdminError> {
        root::write(&self.data_dir, roots).map_err(|error| {
            let path = self.key_file();
            fault::conflict(format!("the key file {} cannot be written: {error}", path.display()))
        })
    }
}

fn made_of(state: &State) -> (Option<String>, Option<String>) {
    let text = |name| state.setting(name).map(str::to_owned);
    (text(CHECK), text(PEPPER))
}

/// The subkeys of the root that fits `check`, or of the first one where there is nothing to fit.
fn pick(roots: &[Root], check: Option<&str>, pepper: Option<&str>) -> Option<Secrets> {
    let at = match check {
        None => 0,
        Some(check) => roots.iter().position(|root| check_of(root) == check)?,
    };
    let others = roots.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, root)| root);
    let secrets = Secrets::derive(roots.get(at)?).with_older(others);
    match pepper {
        None => Some(secrets),
        Some(sealed) => secrets.open_pepper(sealed).map(|pepper| secrets.with_pepper(pepper)),
    }
}

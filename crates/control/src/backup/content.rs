//! The inside of a backup: items, each behind its length. First the manifest, then the rows of all tables, then their
//! counts. Sealing is the business of `envelope`, what rows mean that of `store`.

use std::{collections::BTreeMap, io::BufRead};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use store::dump::{Cell, Page};
use zeroize::{Zeroize, Zeroizing};

use super::{BackupError, BackupSummary, envelope::Opening};
use crate::secrets::{CHECK, check_of, ring::Source, root::Root};

/// Longest item that is believed; pages are far smaller.
const MAX_ITEM: usize = 256 << 20;

/// New kinds go to the end: their order is their code.
#[derive(Serialize, Deserialize)]
pub(crate) enum Item {
    Begin(Manifest),
    Rows(Page),
    /// Rows by table; nothing comes behind it.
    End(BTreeMap<String, u64>),
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub revision: u64,
    pub usage: bool,
    /// The root secrets of the gateway, base64: without them no API key and no sealed value would work elsewhere.
    pub roots: Vec<String>,
    /// They came from `SECRET_KEY`.
    pub from_environment: bool,
}

impl Drop for Manifest {
    fn drop(&mut self) {
        self.roots.zeroize();
    }
}

impl Manifest {
    pub fn new(revision: u64, usage: bool, roots: &[Root], source: Source) -> Self {
        let roots = roots.iter().map(|root| STANDARD.encode(root.bytes())).collect();
        Self { revision, usage, roots, from_environment: source == Source::Environment }
    }

    pub fn roots(&self) -> Option<Vec<Root>> {
        self.roots.iter().map(|text| STANDARD.decode(text).ok().map(Root::of_bytes)).collect()
    }

    /// The root that the database in the backup is sealed with.
    pub fn root_of(&self, check: &str) -> Option<Root> {
        self.roots()?.into_iter().find(|root| check_of(root) == check)
    }
}

/// An item with its length before it.
pub(crate) fn encode(item: &Item) -> Result<Zeroizing<Vec<u8>>, BackupError> {
    let bytes = postcard::to_stdvec(item).map_err(|error| BackupError::Other(error.to_string()))?;
    let bytes = Zeroizing::new(bytes);
    let length = u32::try_from(bytes.len()).ok().filter(|length| *length as usize <= MAX_ITEM);
    let length = length.ok_or_else(|| BackupError::Other("a row is too large".into()))?;
    Ok(Zeroizing::new([&length.to_be_bytes(), bytes.as_slice()].concat()))
}

/// Reads items in order and holds them to what the manifest and the end say.
pub(crate) struct Items<R> {
    opening: Opening<R>,
    pub manifest: Manifest,
    counts: BTreeMap<String, u64>,
    /// The value that tells which root the database belongs to, once its row came by.
    pub check: Option<String>,
    ended: bool,
}

impl<R: BufRead> Items<R> {
    pub fn begin(mut opening: Opening<R>) -> Result<Self, BackupError> {
        match next_item(&mut opening)? {
            Some(Item::Begin(manifest)) => {
                Ok(Self { opening, manifest, counts: BTreeMap::new(), check: None, ended: false })
            }
            _ => Err(BackupError::Damaged),
        }
    }

    /// The next rows, `None` behind the last ones, when everything was there.
    pub fn next_page(&mut self) -> Result<Option<Page>, BackupError> {
        if self.ended {
            return Ok(None);
        }
        match next_item(&mut self.opening)? {
            Some(Item::Rows(page)) => {
                *self.counts.entry(page.table.clone()).or_default() += page.rows.len() as u64;
                if page.table == "setting" {
                    self.check = check_in(&page).or(self.check.take());
                }
                Ok(Some(page))
            }
            Some(Item::End(counts)) if counts == self.counts => {
                self.ended = true;
                // The stream must end here, and with a chunk that was sealed as the last.
                if self.opening.read_whole(&mut [0])? {
                    return Err(BackupError::Damaged);
                }
                Ok(None)
            }
            _ => Err(BackupError::Damaged),
        }
    }

    /// What is in it; complete only behind the last page.
    pub fn summary(&self, bytes: u64) -> BackupSummary {
        BackupSummary {
            made_at: self.opening.head.made_at,
            product: self.opening.head.product.clone(),
            schema: self.opening.head.schema,
            revision: self.manifest.revision,
            usage: self.manifest.usage,
            secret: source_name(self.manifest.from_environment).into(),
            rows: self.counts.clone(),
            bytes,
        }
    }

    pub fn schema(&self) -> u64 {
        self.opening.head.schema
    }
}

pub(crate) fn source_name(from_environment: bool) -> &'static str {
    if from_environment { "SECRET_KEY" } else { "key file" }
}

/// The check value, if it is among these settings.
pub(crate) fn check_in(page: &Page) -> Option<String> {
    let (_, row) = page.rows.iter().find(|(key, _)| *key == Cell::Text(CHECK.into()))?;
    let Cell::Map(members) = row else { return None };
    members.iter().find_map(|(name, cell)| match cell {
        Cell::Text(text) if name == "text" => Some(text.clone()),
        _ => None,
    })
}

fn next_item<R: BufRead>(opening: &mut Opening<R>) -> Result<Option<Item>, BackupError> {
    let mut length = [0; 4];
    if !opening.read_whole(&mut length)? {
        return Ok(None);
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > MAX_ITEM {
        return Err(BackupError::Damaged);
    }
    let mut bytes = Zeroizing::new(vec![0; length]);
    if !opening.read_whole(&mut bytes)? && length > 0 {
        return Err(BackupError::Damaged);
    }
    postcard::from_bytes(&bytes).map(Some).map_err(|_| BackupError::Damaged)
}

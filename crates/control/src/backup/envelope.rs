//! The outside of a backup file: a head that anybody can read, and behind it chunks that only the passphrase opens. Each
//! chunk is sealed under its number, the last one as the last, and all of them under the head (the STREAM construction),
//! so that no byte can be changed, left out, added or moved without being noticed. Memory does not grow with the file.
//! What is inside is the business of `content`.

use std::io::{self, BufRead, Read};

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine, engine::general_purpose::STANDARD};
use chacha20poly1305::{
    ChaCha20Poly1305, Key, Nonce,
    aead::{Aead, KeyInit, Payload},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::BackupError;

/// First bytes of every backup.
pub(crate) const MAGIC: &[u8] = b"ollama-fortress backup\n";
/// The form described in docs/backup.md. A released form is never changed: add the next one.
const FORMAT: u16 = 1;
/// Bytes of a chunk before it is sealed; only the last one may be shorter.
pub(crate) const CHUNK: usize = 64 * 1024;
const TAG: usize = 16;
const SALT: usize = 16;
const PREFIX: usize = 7;
/// Longest head that is believed.
const MAX_HEAD: usize = 4096;

/// What can be read without the passphrase; its bytes are part of every chunk's seal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Head {
    pub schema: u64,
    /// Version of the program that made it.
    pub product: String,
    /// Unix milliseconds.
    pub made_at: u64,
    pub argon2id: Cost,
    /// Base64.
    salt: String,
    nonce: String,
}

/// What deriving the key costs.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Cost {
    pub memory_kib: u32,
    pub rounds: u32,
    pub lanes: u32,
}

/// Half a second and 64 MiB, the same as for passwords.
pub(crate) const COST: Cost = Cost { memory_kib: 64 * 1024, rounds: 3, lanes: 1 };
/// More than this no backup asks for: a file must not be able to take the machine's memory.
const MOST: Cost = Cost { memory_kib: 1024 * 1024, rounds: 20, lanes: 16 };

/// The cipher of one file.
struct Cipher {
    cipher: ChaCha20Poly1305,
    prefix: [u8; PREFIX],
    head: [u8; 32],
    next: u32,
}

impl Cipher {
    fn new(head: &Head, bytes: &[u8], passphrase: &str) -> Result<Self, BackupError> {
        let field = |text: &str| STANDARD.decode(text).ok();
        let salt = field(&head.salt).filter(|salt| salt.len() == SALT).ok_or(BackupError::Damaged)?;
        let prefix = field(&head.nonce).and_then(|nonce| nonce.try_into().ok()).ok_or(BackupError::Damaged)?;
        let Cost { memory_kib, rounds, lanes } = head.argon2id;
        if memory_kib > MOST.memory_kib || rounds > MOST.rounds || lanes > MOST.lanes {
            return Err(BackupError::Damaged);
        }
        let params = Params::new(memory_kib, rounds, lanes, Some(32)).map_err(|_| BackupError::Damaged)?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.as_bytes(), &salt, key.as_mut_slice())
            .map_err(|error| BackupError::Other(format!("the key cannot be derived: {error}")))?;
        let cipher = ChaCha20Poly1305::new(&Key::from(*key));
        Ok(Self { cipher, prefix, head: Sha256::digest(bytes).into(), next: 0 })
    }

    fn nonce(&mut self, last: bool) -> Result<Nonce, BackupError> {
        let mut nonce = [0; 12];
        nonce[..PREFIX].copy_from_slice(&self.prefix);
        nonce[PREFIX..11].copy_from_slice(&self.next.to_be_bytes());
        nonce[11] = u8::from(last);
        self.next = self.next.checked_add(1).ok_or_else(|| BackupError::Other("the backup is too large".into()))?;
        Ok(Nonce::from(nonce))
    }
}

/// Seals a stream.
pub(crate) struct Sealing {
    cipher: Cipher,
    waiting: Zeroizing<Vec<u8>>,
}

impl Sealing {
    /// The writer and the bytes that the file begins with. Takes half a second of computing.
    pub fn begin(schema: u64, made_at: u64, cost: Cost, passphrase: &str) -> Result<(Self, Vec<u8>), BackupError> {
        let mut random = [0; SALT + PREFIX];
        getrandom::fill(&mut random).map_err(|error| BackupError::Other(format!("no random numbers: {error}")))?;
        let head = Head {
            schema,
            product: env!("CARGO_PKG_VERSION").into(),
            made_at,
            argon2id: cost,
            salt: STANDARD.encode(&random[..SALT]),
            nonce: STANDARD.encode(&random[SALT..]),
        };
        let text = serde_json::to_vec(&head).map_err(|error| BackupError::Other(error.to_string()))?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend(FORMAT.to_be_bytes());
        bytes.extend((text.len() as u32).to_be_bytes());
        bytes.extend(text);
        let cipher = Cipher::new(&head, &bytes, passphrase)?;
        Ok((Self { cipher, waiting: Zeroizing::default() }, bytes))
    }

    /// Takes bytes and gives the chunks that are full.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<u8>, BackupError> {
        self.waiting.extend_from_slice(bytes);
        let mut out = Vec::new();
        // Something stays back, because the last chunk is sealed as the last.
        while self.waiting.len() > CHUNK {
            let rest = Zeroizing::new(self.waiting.split_off(CHUNK));
            let chunk = std::mem::replace(&mut self.waiting, rest);
            out.extend(self.seal(&chunk, false)?);
        }
        Ok(out)
    }

    /// The last chunk.
    pub fn finish(mut self) -> Result<Vec<u8>, BackupError> {
        let chunk = std::mem::take(&mut *self.waiting);
        self.seal(&Zeroizing::new(chunk), true)
    }

    fn seal(&mut self, chunk: &[u8], last: bool) -> Result<Vec<u8>, BackupError> {
        let nonce = self.cipher.nonce(last)?;
        let payload = Payload { msg: chunk, aad: &self.cipher.head };
        self.cipher.cipher.encrypt(&nonce, payload).map_err(|_| BackupError::Other("sealing failed".into()))
    }
}

/// Opens a stream. As a reader it gives only what was proven to be what was written; reading to the end proves that
/// nothing is missing.
pub(crate) struct Opening<R> {
    pub head: Head,
    source: R,
    cipher: Cipher,
    open: Zeroizing<Vec<u8>>,
    at: usize,
    ended: bool,
}

impl<R: BufRead> Opening<R> {
    /// Reads the head and derives the key. A wrong passphrase shows at the first chunk.
    pub fn begin(mut source: R, passphrase: &str) -> Result<Self, BackupError> {
        let mut start = [0; MAGIC.len() + 6];
        let got = fill(&mut source, &mut start)?;
        if got < MAGIC.len() || &start[..MAGIC.len()] != MAGIC {
            return Err(BackupError::NoBackup);
        }
        if got < start.len() {
            return Err(BackupError::Damaged);
        }
        let (format, length) = (&start[MAGIC.len()..MAGIC.len() + 2], &start[MAGIC.len() + 2..]);
        if format != FORMAT.to_be_bytes() {
            return Err(BackupError::NewerFormat);
        }
        let length = length.iter().fold(0, |sum: usize, byte| sum << 8 | usize::from(*byte));
        if length > MAX_HEAD {
            return Err(BackupError::Damaged);
        }
        let mut text = vec![0; length];
        if fill(&mut source, &mut text)? < length {
            return Err(BackupError::Damaged);
        }
        let head: Head = serde_json::from_slice(&text).map_err(|_| BackupError::Damaged)?;
        let known = store::restore::known_schema();
        if head.schema > known {
            return Err(BackupError::Newer { found: head.schema, known });
        }
        let cipher = Cipher::new(&head, &[start.as_slice(), &text].concat(), passphrase)?;
        let mut opening = Self { head, source, cipher, open: Zeroizing::default(), at: 0, ended: false };
        match opening.next_chunk() {
            Err(BackupError::Damaged) => Err(BackupError::Passphrase),
            opened => opened.map(|()| opening),
        }
    }

    fn next_chunk(&mut self) -> Result<(), BackupError> {
        let mut chunk = vec![0; CHUNK + TAG];
        let got = fill(&mut self.source, &mut chunk)?;
        chunk.truncate(got);
        let last = self.source.fill_buf().map_err(BackupError::Read)?.is_empty();
        let nonce = self.cipher.nonce(last)?;
        let payload = Payload { msg: chunk.as_slice(), aad: &self.cipher.head };
        let open = self.cipher.cipher.decrypt(&nonce, payload).map_err(|_| BackupError::Damaged)?;
        (self.open, self.at, self.ended) = (Zeroizing::new(open), 0, last);
        Ok(())
    }

    /// Reads exactly as much as there is room; `false` at the end of the stream, which must not be in the middle.
    pub fn read_whole(&mut self, room: &mut [u8]) -> Result<bool, BackupError> {
        let mut done = 0;
        while done < room.len() {
            if self.at == self.open.len() {
                if self.ended {
                    return if done == 0 { Ok(false) } else { Err(BackupError::Damaged) };
                }
                self.next_chunk()?;
                continue;
            }
            let count = (self.open.len() - self.at).min(room.len() - done);
            room[done..done + count].copy_from_slice(&self.open[self.at..self.at + count]);
            (self.at, done) = (self.at + count, done + count);
        }
        Ok(true)
    }
}

/// Reads until `room` is full or nothing comes any more.
fn fill(source: &mut impl Read, room: &mut [u8]) -> Result<usize, BackupError> {
    let mut done = 0;
    while done < room.len() {
        match source.read(&mut room[done..]) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(BackupError::Read(error)),
        }
    }
    Ok(done)
}

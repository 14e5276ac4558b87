//! One entry with its evidence: C2SP tlog-proof, offline and self-contained.
//!
//! The proof says where the entry is and under which signed root. It does not carry the entry, and the extra data in it is
//! authenticated by nothing.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::VerifyingKey;

use crate::hash::{Hash, leaf_hash};
use crate::merkle::{self, MerkleError, Nodes};
use crate::note::{self, Checkpoint, NoteError};

/// First line of every proof.
const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// Longest audit path: one sibling for every bit of a 64-bit index.
const MAX_PATH: usize = 64;

/// Most bytes of extra data: a proof is a detached signature, not a container.
pub const MAX_EXTRA_BYTES: usize = 64 * 1024;

/// A proof that an entry is in a ledger, under a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Position of the entry.
    pub index: u64,
    /// Anything the application wants to send along. Authenticated by nothing.
    pub extra: Option<Vec<u8>>,
    /// The audit path, sibling of the leaf first.
    pub path: Vec<Hash>,
    /// The signed checkpoint, verbatim.
    pub checkpoint: String,
}

/// Why a proof was not made, or does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProofError {
    /// Not a tlog-proof.
    Format,
    /// The checkpoint in it was not accepted.
    Note(NoteError),
    /// The path does not lead from the entry to the checkpoint's root.
    Merkle(MerkleError),
}

impl ProofError {
    /// The stable code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Format => "proof_format",
            Self::Note(error) => error.code(),
            Self::Merkle(error) => error.code(),
        }
    }
}

impl fmt::Display for ProofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format => f.write_str("not a tlog-proof"),
            Self::Note(error) => fmt::Display::fmt(error, f),
            Self::Merkle(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl core::error::Error for ProofError {}

impl From<NoteError> for ProofError {
    fn from(error: NoteError) -> Self {
        Self::Note(error)
    }
}

impl From<MerkleError> for ProofError {
    fn from(error: MerkleError) -> Self {
        Self::Merkle(error)
    }
}

impl Proof {
    /// Makes the proof for the entry at `index` under a signed checkpoint of the same ledger.
    ///
    /// # Errors
    /// When the checkpoint does not parse or does not reach the entry, or a tree hash is missing.
    pub fn new(index: u64, checkpoint: &str, nodes: &mut Nodes<'_>) -> Result<Self, ProofError> {
        let (head, _) = note::parse(checkpoint)?;
        let path = merkle::inclusion_proof(head.size, index, nodes)?;
        Ok(Self { index, extra: None, path, checkpoint: String::from(checkpoint) })
    }

    /// Reads a proof. The checkpoint must be one in form; its signature is judged by [`Self::verify`].
    ///
    /// # Errors
    /// [`ProofError::Format`] or [`ProofError::Note`].
    pub fn parse(text: &str) -> Result<Self, ProofError> {
        let (head, checkpoint) = text.split_once("\n\n").ok_or(ProofError::Format)?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(ProofError::Format);
        }
        let extra = match lines.next_if(|line| line.starts_with("extra ")).and_then(|line| line.strip_prefix("extra ")) {
            None => None,
            Some(encoded) => Some(BASE64.decode(encoded).map_err(|_| ProofError::Format)?),
        };
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).and_then(note::decimal);
        let path = lines.take(MAX_PATH.saturating_add(1)).map(note::decode_hash).collect::<Option<Vec<_>>>();
        let (Some(index), Some(path)) = (index, path) else { return Err(ProofError::Format) };
        if path.len() > MAX_PATH || extra.as_ref().is_some_and(|extra| extra.len() > MAX_EXTRA_BYTES) {
            return Err(ProofError::Format);
        }
        note::parse(checkpoint)?;
        Ok(Self { index, extra, path, checkpoint: String::from(checkpoint) })
    }

    /// Checks that these stored bytes are the entry at [`Self::index`] of the ledger `name`, under a checkpoint signed
    /// with `key`; answers that checkpoint.
    ///
    /// # Errors
    /// [`ProofError::Note`] when the checkpoint is not by this key or of this ledger, [`ProofError::Merkle`] when the
    /// path does not lead from the bytes to its root.
    pub fn verify(&self, entry: &[u8], key: &VerifyingKey, name: &str) -> Result<Checkpoint, ProofError> {
        let checkpoint = note::verify(&self.checkpoint, key, name)?;
        merkle::verify_inclusion(&leaf_hash(entry), self.index, checkpoint.size, &self.path, &checkpoint.root)?;
        Ok(checkpoint)
    }
}

impl fmt::Display for Proof {
    /// The text to store as `.tlog-proof`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", BASE64.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{}", BASE64.encode(hash)))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

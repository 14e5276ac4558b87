//! A world to try a side effect in: host stores in memory that follow the rules of the real ones, a clock that stands where a vector puts it,
//! and bytes that are as unpredictable as a vector's name. Nothing in it reaches a ledger or a file.
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use enact_flow::artifact::{FileGrant, HttpGrant};
use enact_store::Fold;
use enact_store::stage::{Stage, StageError, Staged};
use enact_wasm::Host;
use serde::{Deserialize, Serialize};

use crate::error::{EngineError, Result};
use crate::later::{Later, Message, Requested, handed_over, messages};
use crate::reach::Beyond;
use crate::reach::script::Script;
pub use crate::reach::script::{Octets, PeerAnswer, PeerResponse};
use crate::sources::{Sources, time_text};
use crate::world::World;

/// 2026-01-01T00:00:00Z: a vector that says nothing of time happens then.
const NOON: i64 = 1_767_225_600_000_000;

/// What the host stores hold before a call. Values are texts, as a module puts them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scenery {
    /// Registries: store, key, value.
    pub registry: BTreeMap<String, BTreeMap<String, String>>,
    /// Tables: store, key, value; every document has version 1.
    pub table: BTreeMap<String, BTreeMap<String, String>>,
    /// Logs: store, records.
    pub log: BTreeMap<String, Vec<String>>,
    /// What peers answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<PeerAnswer>,
    /// What folders hold: path as modules write it, content.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, Octets>,
    /// What the clock says first, in microseconds since 1970; each question is a microsecond later.
    pub clock: Option<i64>,
}

/// Stores that a vector has set up.
pub struct Rehearsal {
    fold: Fold,
    sources: Scripted,
    began: i64,
    staged: Staged,
    outside: Option<Script>,
}

impl Rehearsal {
    /// Puts the scenery up. `name` decides the random bytes.
    ///
    /// # Errors
    /// [`EngineError::Vectors`] for a scenery that no run can have left, such as a key that is too long.
    pub fn new(name: &str, scenery: &Scenery) -> Result<Self> {
        let mut fold = Fold::new();
        let wrong = |detail: String| EngineError::Vectors { what: name.to_owned(), detail };
        let staged = {
            let mut stage = Stage::new(&mut fold);
            put_up(&mut stage, scenery).map_err(|e| match e {
                StageError::Invalid(detail) | StageError::Unavailable(detail) => wrong(detail),
            })?;
            stage.finish()?
        };
        fold.apply(&staged.writes)?;
        let began = scenery.clock.unwrap_or(NOON);
        let clock = AtomicI64::new(began);
        let sources = Scripted { clock, seed: enact_core::hash::sha256(name.as_bytes()), drawn: AtomicU64::new(0) };
        Ok(Self { fold, began, sources, staged: Staged::default(), outside: None })
    }

    /// The same with the peers and folders of the scenery, as far as rows of a binding would let a module reach them. Without any row there
    /// is nothing outside.
    ///
    /// # Errors
    /// [`EngineError::Vectors`] for rows that cannot be sealed and for peers and files that no run could meet.
    pub fn reaching(mut self, name: &str, scenery: &Scenery, http: &[HttpGrant], files: &[FileGrant]) -> Result<Self> {
        let wrong = |detail: String| EngineError::Vectors { what: name.to_owned(), detail };
        let script = Script::new(http, files, &scenery.peers, &scenery.files).map_err(wrong)?;
        self.outside = (!http.is_empty() || !files.is_empty()).then_some(script);
        Ok(self)
    }

    /// What the folders hold.
    pub fn into_files(self) -> BTreeMap<String, Vec<u8>> {
        self.outside.map(Script::into_files).unwrap_or_default()
    }

    /// Calls `act` with a host that is bound to `store`, and the microsecond at which this began.
    pub fn with<T>(&mut self, store: &str, act: impl FnOnce(&mut dyn Host, i64) -> T) -> T {
        let mut stage = Stage::new(&mut self.fold);
        // A rehearsal is no run, and what it asks for is never started.
        let at = time_text(self.began);
        let later = Later::new("rehearsal", &at, 0, 0, None);
        let outside = self.outside.as_mut().map(|script| -> &mut dyn Beyond { script });
        let given = act(&mut World { stage: &mut stage, store, sources: &self.sources, outside, later }, self.began);
        self.staged = stage.staged().clone();
        given
    }

    /// What the last call handed over for later: workflows and messages.
    ///
    /// # Errors
    /// [`EngineError::Internal`].
    pub fn later(&self) -> Result<(Vec<Requested>, Vec<Message>)> {
        Ok((handed_over(&self.staged)?, messages(&self.staged)?))
    }
}

fn put_up(stage: &mut Stage<'_, Fold>, scenery: &Scenery) -> Result<(), StageError> {
    for (store, rows) in &scenery.registry {
        for (key, value) in rows {
            stage.register(store, key, value)?;
        }
    }
    for (store, rows) in &scenery.table {
        for (key, value) in rows {
            stage.put(store, key, value, None)?;
        }
    }
    for (store, records) in &scenery.log {
        for record in records {
            stage.append(store, record)?;
        }
    }
    Ok(())
}

/// A clock and a source of bytes that say the same every time.
struct Scripted {
    clock: AtomicI64,
    seed: [u8; 32],
    drawn: AtomicU64,
}

impl Sources for Scripted {
    fn now_micros(&self) -> i64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    fn fill(&self, bytes: &mut [u8]) -> bool {
        let nth = self.drawn.fetch_add(1, Ordering::Relaxed);
        let mut text = self.seed.to_vec();
        text.extend_from_slice(&nth.to_le_bytes());
        let digest = enact_core::hash::sha256(&text);
        for (chunk, block) in bytes.chunks_mut(32).zip(0_u64..) {
            let block = enact_core::hash::sha256(&[digest.as_slice(), &block.to_le_bytes()].concat());
            chunk.iter_mut().zip(block).for_each(|(to, from)| *to = from);
        }
        true
    }
}

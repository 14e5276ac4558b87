//! Roots of the derived state: one Merkle tree per space, and the record that states them.
//!
//! A root is the tree of RFC 6962 over the rows of a space in the byte order of their keys. Whoever keeps the rows feeds them; this
//! module reads no state and does not judge the record.

use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::builtin;
use super::field::ENGINE_PREFIX;
use crate::canonical;
use crate::entry::{Kind, Record};
use crate::hash::{Alg, Digest, Hash, leaf_hash};
use crate::merkle::{self, Frontier, MerkleError};
use crate::state::Space;

/// The root of every space.
pub type Roots = BTreeMap<Space, Hash>;

/// The leaf of a row: over `canonical([space, key, value])`, where the value is the stored canonical JSON.
#[must_use]
pub fn row_leaf(space: Space, key: &str, value: &str) -> Hash {
    // Text always has canonical bytes.
    let key = canonical::to_bytes(key).unwrap_or_default();
    let mut bytes = format!("[\"{}\",", space.as_str()).into_bytes();
    bytes.extend_from_slice(&key);
    bytes.push(b',');
    bytes.extend_from_slice(value.as_bytes());
    bytes.push(b']');
    leaf_hash(&bytes)
}

/// The root over rows in the order of their keys.
pub fn root<'a>(space: Space, rows: impl IntoIterator<Item = (&'a str, &'a str)>) -> Hash {
    let mut tree = Frontier::new();
    for (key, value) in rows {
        tree.push(row_leaf(space, key, value));
    }
    tree.root()
}

/// That a row is in a space: enough to check it against a root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowProof {
    /// Position in the order of keys.
    pub index: u64,
    /// Rows in the space.
    pub size: u64,
    /// Audit path, sibling first.
    pub path: Vec<Hash>,
}

/// The proof for the row of a key; nothing when there is no such row.
pub fn prove<'a>(space: Space, rows: impl IntoIterator<Item = (&'a str, &'a str)>, key: &str) -> Option<RowProof> {
    let (mut leaves, mut at) = (Vec::new(), None);
    for (nth, value) in rows {
        if nth == key {
            at = Some(leaves.len());
        }
        leaves.push(row_leaf(space, nth, value));
    }
    let (index, size) = (u64::try_from(at?).ok()?, u64::try_from(leaves.len()).ok()?);
    let path = merkle::inclusion_proof(size, index, &mut merkle::from_leaves(&leaves)).ok()?;
    Some(RowProof { index, size, path })
}

/// Checks that a row is in the space with this root.
///
/// # Errors
/// Those of [`merkle::verify_inclusion`].
pub fn verify(space: Space, key: &str, value: &str, proof: &RowProof, root: &Hash) -> Result<(), MerkleError> {
    merkle::verify_inclusion(&row_leaf(space, key, value), proof.index, proof.size, &proof.path, root)
}

/// The record in which an engine states the roots after the first `size` entries. `prev` is the last record about this size.
#[must_use]
pub fn record(engine: &Digest, size: u64, roots: &Roots, prev: Option<Digest>) -> Record {
    let named = |(space, root): (&Space, &Hash)| (space.as_str().to_owned(), Value::String(format!("{}", Digest::sha256(*root))));
    let mut payload = Map::new();
    payload.insert("roots".to_owned(), Value::Object(roots.iter().map(named).collect()));
    payload.insert("size".to_owned(), Value::from(size));
    Record {
        kind: Kind::Receipt,
        type_: builtin::STATE.to_owned(),
        action: builtin::SNAPSHOT.to_owned(),
        subject: format!("State:{size}"),
        actor: format!("{ENGINE_PREFIX}{engine}"),
        seat: None,
        scope: None,
        auth: None,
        refs: prev.map(|prev| ("prev".to_owned(), prev)).into_iter().collect(),
        consumes: Vec::new(),
        version: None,
        postings: None,
        payload: Value::Object(payload),
        sig: None,
    }
}

/// The size and the roots that a record states; nothing when it is not such a record.
#[must_use]
pub fn read(record: &Record) -> Option<(u64, Roots)> {
    let size = record.payload.get("size").and_then(Value::as_u64)?;
    let roots = record.payload.get("roots").and_then(parse)?;
    (record.type_ == builtin::STATE && record.action == builtin::SNAPSHOT).then_some((size, roots))
}

/// Whether a value is one SHA-256 digest for each space.
pub(super) fn are_roots(value: &Value) -> bool {
    parse(value).is_some()
}

fn parse(value: &Value) -> Option<Roots> {
    let object = value.as_object().filter(|object| object.len() == Space::ALL.len())?;
    let root = |space: Space| {
        let digest: Digest = object.get(space.as_str())?.as_str()?.parse().ok()?;
        (digest.alg == Alg::Sha256).then_some((space, digest.bytes))
    };
    Space::ALL.into_iter().map(root).collect()
}

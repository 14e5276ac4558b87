//! The Merkle tree of RFC 6962 §2.1: roots, inclusion and consistency proofs, made and verified.
//!
//! A ledger keeps only the frontier, the roots of the full subtrees along its right edge: appending and asking for the
//! root cost O(log n) and memory stays flat. Proofs read inner nodes from whoever kept the leaves. Storing a tree is not
//! the business of this module.

use alloc::vec::Vec;
use core::fmt;

use crate::hash::{Hash, node_hash, sha256};

/// The right edge of a tree: everything needed to append to it and to state its root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

/// Why a proof was not made, or does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MerkleError {
    /// The leaf or the smaller tree lies outside the tree.
    OutOfRange {
        /// Leaf index or size asked for.
        asked: u64,
        /// Size of the tree.
        size: u64,
    },
    /// The source has no hash for this subtree.
    NodeMissing {
        /// Height of the subtree; 0 is a leaf.
        level: u32,
        /// Position among the subtrees of this height.
        index: u64,
    },
    /// The proof has more or fewer hashes than a tree of this size needs.
    ProofLength {
        /// Hashes in the proof.
        got: usize,
    },
    /// The proof leads to another root.
    RootMismatch,
    /// The bytes are not an encoded frontier.
    Encoding,
}

impl MerkleError {
    /// The stable code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::OutOfRange { .. } => "merkle_out_of_range",
            Self::NodeMissing { .. } => "merkle_node_missing",
            Self::ProofLength { .. } => "merkle_proof_length",
            Self::RootMismatch => "merkle_root_mismatch",
            Self::Encoding => "merkle_encoding",
        }
    }
}

impl fmt::Display for MerkleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { asked, size } => write!(f, "{asked} is outside a tree of {size} leaves"),
            Self::NodeMissing { level, index } => write!(f, "no hash for subtree {index} of height {level}"),
            Self::ProofLength { got } => write!(f, "a proof of {got} hashes does not fit a tree of this size"),
            Self::RootMismatch => f.write_str("the proof leads to another root"),
            Self::Encoding => f.write_str("not an encoded frontier"),
        }
    }
}

impl core::error::Error for MerkleError {}

impl Frontier {
    /// The tree without leaves.
    #[must_use]
    pub const fn new() -> Self {
        Self { size: 0, peaks: Vec::new() }
    }

    /// Leaves so far.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Roots of the full subtrees, tallest first; one per set bit of the size.
    #[must_use]
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Appends a leaf hash. Amortised one inner hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        // Each trailing one bit of the size is a full subtree that the new node completes into one twice as tall.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.peaks.push(node);
        // A tree of 2^64 leaves cannot be built; the entry layer stops at 2^53.
        self.size = self.size.saturating_add(1);
    }

    /// The root of the tree; of the empty tree, the hash of nothing (RFC 6962 §2.1).
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return sha256(b"") };
        peaks.fold(*last, |right, left| node_hash(left, &right))
    }

    /// Size as eight big-endian bytes, then the peaks.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::from(self.size.to_be_bytes());
        bytes.extend(self.peaks.iter().flatten());
        bytes
    }

    /// The inverse of [`Self::to_bytes`].
    ///
    /// # Errors
    /// [`MerkleError::Encoding`] when the number of peaks does not belong to the size.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MerkleError> {
        let (size, rest) = bytes.split_first_chunk::<8>().ok_or(MerkleError::Encoding)?;
        let size = u64::from_be_bytes(*size);
        let (peaks, tail) = rest.as_chunks::<32>();
        if !tail.is_empty() || u32::try_from(peaks.len()) != Ok(size.count_ones()) {
            return Err(MerkleError::Encoding);
        }
        Ok(Self { size, peaks: peaks.to_vec() })
    }
}

/// Where a proof takes its hashes from: the root of the full subtree of `2^level` leaves that starts at leaf
/// `index * 2^level`, or nothing if it is not known.
pub type Nodes<'a> = dyn FnMut(u32, u64) -> Option<Hash> + 'a;

/// A source of subtree roots over all leaf hashes in memory. Costs O(2^level) per subtree; a store that keeps inner nodes
/// answers faster.
pub fn from_leaves(leaves: &[Hash]) -> impl FnMut(u32, u64) -> Option<Hash> + '_ {
    |level, index| {
        let width = usize::try_from(1_u64.checked_shl(level)?).ok()?;
        let start = usize::try_from(index).ok()?.checked_mul(width)?;
        let mut tree = Frontier::new();
        for leaf in leaves.get(start..start.checked_add(width)?)? {
            tree.push(*leaf);
        }
        Some(tree.root())
    }
}

/// The audit path of a leaf, sibling first (RFC 6962 §2.1.1).
///
/// # Errors
/// [`MerkleError::OutOfRange`] when there is no such leaf, [`MerkleError::NodeMissing`] when the source has a gap.
pub fn inclusion_proof(size: u64, index: u64, nodes: &mut Nodes<'_>) -> Result<Vec<Hash>, MerkleError> {
    if index >= size {
        return Err(MerkleError::OutOfRange { asked: index, size });
    }
    let (mut start, mut end, mut path) = (0, size, Vec::new());
    while let Some(middle) = split(start, end) {
        if index < middle {
            path.push(subtree(middle, end, nodes)?);
            end = middle;
        } else {
            path.push(subtree(start, middle, nodes)?);
            start = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree of `old` leaves is a prefix of the tree of `new` leaves (RFC 6962 §2.1.2). Empty when `old` is
/// zero or equal to `new`.
///
/// # Errors
/// [`MerkleError::OutOfRange`] when `old` exceeds `new`, [`MerkleError::NodeMissing`] when the source has a gap.
pub fn consistency_proof(old: u64, new: u64, nodes: &mut Nodes<'_>) -> Result<Vec<Hash>, MerkleError> {
    if old > new {
        return Err(MerkleError::OutOfRange { asked: old, size: new });
    }
    let mut path = Vec::new();
    if old == 0 || old == new {
        return Ok(path);
    }
    let (mut start, mut end) = (0, new);
    while let Some(middle) = split(start, end) {
        if end == old {
            break;
        }
        if old <= middle {
            path.push(subtree(middle, end, nodes)?);
            end = middle;
        } else {
            path.push(subtree(start, middle, nodes)?);
            start = middle;
        }
    }
    // The old tree's own root is known to the verifier and left out; any other last subtree is not.
    if start > 0 {
        path.push(subtree(start, end, nodes)?);
    }
    path.reverse();
    Ok(path)
}

/// Checks that `leaf` is at `index` of the tree of `size` leaves with this root (RFC 9162 §2.1.3.2).
///
/// # Errors
/// [`MerkleError::OutOfRange`], [`MerkleError::ProofLength`] or [`MerkleError::RootMismatch`].
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> Result<(), MerkleError> {
    let wrong_length = MerkleError::ProofLength { got: path.len() };
    if index >= size {
        return Err(MerkleError::OutOfRange { asked: index, size });
    }
    let (mut node_index, mut last_index) = (index, size.saturating_sub(1));
    let mut node = *leaf;
    for sibling in path {
        if last_index == 0 {
            return Err(wrong_length);
        }
        if node_index & 1 == 1 || node_index == last_index {
            node = node_hash(sibling, &node);
            // On the right edge the levels without a sibling are skipped.
            while node_index & 1 == 0 && node_index != 0 {
                node_index >>= 1;
                last_index >>= 1;
            }
        } else {
            node = node_hash(&node, sibling);
        }
        node_index >>= 1;
        last_index >>= 1;
    }
    if last_index != 0 {
        return Err(wrong_length);
    }
    if node == *root { Ok(()) } else { Err(MerkleError::RootMismatch) }
}

/// Checks that the tree of `old` leaves with `old_root` is a prefix of the tree of `new` leaves with `new_root`
/// (RFC 9162 §2.1.4.2). The empty tree is a prefix of every tree and needs an empty proof.
///
/// # Errors
/// [`MerkleError::OutOfRange`], [`MerkleError::ProofLength`] or [`MerkleError::RootMismatch`].
pub fn verify_consistency(old: u64, old_root: &Hash, new: u64, new_root: &Hash, path: &[Hash]) -> Result<(), MerkleError> {
    let wrong_length = MerkleError::ProofLength { got: path.len() };
    if old > new {
        return Err(MerkleError::OutOfRange { asked: old, size: new });
    }
    if old == 0 || old == new {
        let same = if old == 0 { *old_root == sha256(b"") } else { old_root == new_root };
        return match (path.is_empty(), same) {
            (false, _) => Err(wrong_length),
            (true, false) => Err(MerkleError::RootMismatch),
            (true, true) => Ok(()),
        };
    }
    let (mut node_index, mut last_index) = (old.saturating_sub(1), new.saturating_sub(1));
    while node_index & 1 == 1 {
        node_index >>= 1;
        last_index >>= 1;
    }
    // A full old tree is a node of the new one, and the proof starts right at it.
    let (first, rest) = match (old.is_power_of_two(), path.split_first()) {
        (true, _) => (*old_root, path),
        (false, Some((first, rest))) => (*first, rest),
        (false, None) => return Err(wrong_length),
    };
    let (mut old_node, mut new_node) = (first, first);
    for sibling in rest {
        if last_index == 0 {
            return Err(wrong_length);
        }
        if node_index & 1 == 1 || node_index == last_index {
            old_node = node_hash(sibling, &old_node);
            new_node = node_hash(sibling, &new_node);
            while node_index & 1 == 0 && node_index != 0 {
                node_index >>= 1;
                last_index >>= 1;
            }
        } else {
            new_node = node_hash(&new_node, sibling);
        }
        node_index >>= 1;
        last_index >>= 1;
    }
    if last_index != 0 {
        return Err(wrong_length);
    }
    if old_node == *old_root && new_node == *new_root { Ok(()) } else { Err(MerkleError::RootMismatch) }
}

/// Where RFC 6962 divides the leaves `start..end`: after the largest power of two smaller than their number. Nothing for a
/// single leaf.
fn split(start: u64, end: u64) -> Option<u64> {
    let last = end.checked_sub(start)?.checked_sub(1)?;
    start.checked_add(1_u64.checked_shl(last.checked_ilog2()?)?)
}

/// The root of the leaves `start..end`, put together from full subtrees.
fn subtree(start: u64, end: u64, nodes: &mut Nodes<'_>) -> Result<Hash, MerkleError> {
    let (mut lefts, mut start) = (Vec::new(), start);
    loop {
        let width = end.saturating_sub(start);
        if width.is_power_of_two() {
            let level = width.trailing_zeros();
            let index = start >> level;
            let mut root = nodes(level, index).ok_or(MerkleError::NodeMissing { level, index })?;
            while let Some(left) = lefts.pop() {
                root = node_hash(&left, &root);
            }
            return Ok(root);
        }
        let Some(middle) = split(start, end) else {
            return Err(MerkleError::OutOfRange { asked: start, size: end });
        };
        lefts.push(subtree(start, middle, nodes)?);
        start = middle;
    }
}

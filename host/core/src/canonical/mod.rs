//! Canonical bytes: RFC 8785 (JSON Canonicalization Scheme), written and accepted.
//!
//! A writer refuses what the scheme cannot carry faithfully; a reader accepts only bytes that are already canonical and
//! never repairs them. This is not a general JSON library: parsing is `serde_json`'s, only the canonical form is ours.

mod error;
mod read;
mod strict;
mod write;

pub use error::{CanonicalError, CanonicalKind};
pub(crate) use read::same;
pub use read::{admit_payload, check, parse};
pub(crate) use strict::{Known, Text, read};
pub use write::to_bytes;
pub(crate) use write::write_to;

/// The largest integer magnitude a document may hold: 2^53 - 1, the last one a double and all its neighbours represent
/// exactly (RFC 8785 §3.2.2.3, RFC 7493 §2.2). 2^53 and 2^53 + 1 would otherwise be written as the same bytes.
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Deepest nesting a canonical document may have. The parser stops at 127; staying below it means that whatever was
/// written can be read.
pub const MAX_DEPTH: usize = 120;

/// Deepest nesting an admitted payload may have. Documents that embed a payload (entry, trace, transcript) need room
/// above it to stay within [`MAX_DEPTH`].
pub const MAX_PAYLOAD_DEPTH: usize = 64;

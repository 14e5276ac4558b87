//! Why a value has no canonical bytes, or bytes are not canonical. Facts only; the wording is for people, the code is for
//! programs.

use alloc::string::String;
use core::fmt;

/// A refusal of the canonical form: what is wrong ([`CanonicalKind`]) and where (an RFC 6901 pointer).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanonicalError {
    /// What is wrong.
    pub kind: CanonicalKind,
    /// Where: an RFC 6901 JSON pointer, empty for the whole document.
    pub pointer: String,
}

/// The ways in which a value or its bytes can fail to be canonical.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CanonicalKind {
    /// The bytes are not JSON. One-based position as the parser counts it.
    Syntax {
        /// Line of the first offending byte.
        line: usize,
        /// Column of the first offending byte.
        column: usize,
    },
    /// The same member name twice in one object; a lenient parser would keep the last one.
    DuplicateKey,
    /// A number beyond ±(2^53 − 1); such amounts travel as decimal strings.
    NumberRange,
    /// NaN or an infinity, which JSON does not have; a lenient writer would say `null`.
    NotFinite,
    /// Nested deeper than the limit.
    Depth {
        /// The limit that applied.
        limit: usize,
    },
    /// A map key that is not text.
    KeyNotText,
    /// JSON, but not its canonical spelling (order, spacing, escapes, number format).
    NotCanonical {
        /// First byte that differs from the canonical spelling.
        offset: usize,
    },
    /// A type refused to serialise itself.
    Unserialisable,
}

impl CanonicalError {
    /// A refusal at the document's root; [`Self::within`] moves it down as the recursion unwinds.
    pub(super) const fn new(kind: CanonicalKind) -> Self {
        Self { kind, pointer: String::new() }
    }

    /// The same refusal seen from one level further up, where the offending part is called `segment`.
    pub(super) fn within(mut self, segment: &str) -> Self {
        let mut pointer = String::from("/");
        for c in segment.chars() {
            match c {
                '~' => pointer.push_str("~0"),
                '/' => pointer.push_str("~1"),
                c => pointer.push(c),
            }
        }
        pointer.push_str(&self.pointer);
        self.pointer = pointer;
        self
    }

    /// The stable code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self.kind {
            CanonicalKind::Syntax { .. } => "canonical_syntax",
            CanonicalKind::DuplicateKey => "canonical_duplicate_key",
            CanonicalKind::NumberRange => "canonical_number_range",
            CanonicalKind::NotFinite => "canonical_not_finite",
            CanonicalKind::Depth { .. } => "canonical_depth",
            CanonicalKind::KeyNotText => "canonical_key_not_text",
            CanonicalKind::NotCanonical { .. } => "canonical_form",
            CanonicalKind::Unserialisable => "canonical_unserialisable",
        }
    }
}

impl fmt::Display for CanonicalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            CanonicalKind::Syntax { line, column } => write!(f, "not JSON at line {line} column {column}")?,
            CanonicalKind::DuplicateKey => f.write_str("duplicate member")?,
            CanonicalKind::NumberRange => {
                write!(f, "number beyond ±{}: write it as a string", super::MAX_SAFE_INTEGER)?;
            }
            CanonicalKind::NotFinite => f.write_str("NaN or infinity: JSON has neither")?,
            CanonicalKind::Depth { limit } => write!(f, "nested deeper than {limit}")?,
            CanonicalKind::KeyNotText => f.write_str("a member name that is not text")?,
            CanonicalKind::NotCanonical { offset } => write!(f, "not canonical from byte {offset} on")?,
            CanonicalKind::Unserialisable => f.write_str("the value does not serialise")?,
        }
        if self.pointer.is_empty() { Ok(()) } else { write!(f, " at `{}`", self.pointer) }
    }
}

impl core::error::Error for CanonicalError {}

impl serde::ser::Error for CanonicalError {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::new(CanonicalKind::Unserialisable)
    }
}

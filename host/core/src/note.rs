//! Checkpoints: C2SP tlog-checkpoint as an Ed25519 signed note, so that existing transparency tools can read ours.
//!
//! Only a checkpoint is evidence; the hash chain is a local tripwire. Keys come in as arguments: nothing here makes,
//! keeps or trusts one. Cosignatures of others are carried and ignored, as the note format demands.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use crate::hash::{Hash, sha256};

/// Most bytes a key name or a ledger's name may have: long enough for any URL-like name, short enough for a line.
pub const MAX_NAME_BYTES: usize = 255;

/// Most bytes a note may have. Sixteen signatures must be accepted (C2SP signed-note) and a post-quantum one takes 5 kB.
pub const MAX_NOTE_BYTES: usize = 128 * 1024;

/// Most signature lines that are looked at.
pub const MAX_SIGNATURES: usize = 64;

/// Signature type of plain Ed25519 in C2SP signed-note.
const ED25519_TYPE: u8 = 0x01;

/// What starts a signature line: an em dash and a space.
const SIGNATURE_MARK: &str = "— ";

/// A signed statement "this ledger has this many entries under this root".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The ledger's name.
    pub origin: String,
    /// Leaves in the tree.
    pub size: u64,
    /// Merkle root over them.
    pub root: Hash,
    /// Extension lines, opaque.
    pub extensions: Vec<String>,
}

/// A note taken apart, nothing verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The signed text, with its final newline.
    pub text: String,
    /// The signature lines in their order.
    pub signatures: Vec<NoteSignature>,
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// Name of the key.
    pub name: String,
    /// Short identifier of the key: a hint, not a strong hash.
    pub key_id: u32,
    /// The signature, whose shape depends on the key.
    pub bytes: Vec<u8>,
}

/// Why a note was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoteError {
    /// More than [`MAX_NOTE_BYTES`] or [`MAX_SIGNATURES`].
    TooLarge,
    /// Not text, signatures and the blank line between them.
    Format,
    /// The text is no checkpoint.
    Checkpoint,
    /// Not a verifier key of an Ed25519 note key.
    Key,
    /// Signed by nobody we know.
    Unsigned,
    /// Names our key, and the signature does not hold.
    Signature,
    /// A checkpoint of another ledger.
    Origin,
}

impl NoteError {
    /// The stable code of this refusal.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "note_too_large",
            Self::Format => "note_format",
            Self::Checkpoint => "note_checkpoint",
            Self::Key => "note_key",
            Self::Unsigned => "note_unsigned",
            Self::Signature => "note_signature",
            Self::Origin => "note_origin",
        }
    }
}

impl fmt::Display for NoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the note is larger than 128 KiB or has more than 64 signatures",
            Self::Format => "not a signed note",
            Self::Checkpoint => "the note is not a checkpoint",
            Self::Key => "not the verifier key of an Ed25519 note key",
            Self::Unsigned => "no signature by a known key",
            Self::Signature => "the signature does not hold",
            Self::Origin => "a checkpoint of another ledger",
        })
    }
}

impl core::error::Error for NoteError {}

/// Whether a text can name a key and a ledger: not empty, at most [`MAX_NAME_BYTES`], no Unicode spaces, no `+`, no
/// control characters (C2SP signed-note; the same rule for origins keeps both usable as each other).
#[must_use]
pub fn is_name(text: &str) -> bool {
    let fits = (1..=MAX_NAME_BYTES).contains(&text.len());
    fits && !text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

/// Signs a checkpoint with a key named like the ledger. The origin is one that [`is_name`] accepts; a note over any other
/// is refused by every reader.
#[must_use]
pub fn sign(origin: &str, size: u64, root: &Hash, key: &SigningKey) -> String {
    let text = Checkpoint { origin: String::from(origin), size, root: *root, extensions: Vec::new() }.to_string();
    let mut signed = Vec::from(key_id(origin, &key.verifying_key()).to_be_bytes());
    signed.extend(key.sign(text.as_bytes()).to_bytes());
    format!("{text}\n{SIGNATURE_MARK}{origin} {}\n", BASE64.encode(signed))
}

/// Takes a signed checkpoint apart without believing it.
///
/// # Errors
/// [`NoteError::TooLarge`], [`NoteError::Format`] or [`NoteError::Checkpoint`].
pub fn parse(note: &str) -> Result<(Checkpoint, Note), NoteError> {
    let note = Note::parse(note)?;
    let checkpoint = Checkpoint::parse(&note.text)?;
    Ok((checkpoint, note))
}

/// Reads a checkpoint of the ledger `name` signed with `key` under that name.
///
/// # Errors
/// Those of [`parse`], [`NoteError::Unsigned`] without a signature by this key, [`NoteError::Signature`] if any such
/// signature does not hold, [`NoteError::Origin`] if it speaks of another ledger.
pub fn verify(note: &str, key: &VerifyingKey, name: &str) -> Result<Checkpoint, NoteError> {
    let note = Note::parse(note)?;
    note.verify(key, name)?;
    let checkpoint = Checkpoint::parse(&note.text)?;
    if checkpoint.origin == name { Ok(checkpoint) } else { Err(NoteError::Origin) }
}

/// The verifier key text of C2SP signed-note: `name+hash+base64(type ‖ key)`.
#[must_use]
pub fn encode_key(name: &str, key: &VerifyingKey) -> String {
    let mut typed = Vec::from([ED25519_TYPE]);
    typed.extend(key.to_bytes());
    format!("{name}+{:08x}+{}", key_id(name, key), BASE64.encode(typed))
}

/// Reads a verifier key text: the name and the key.
///
/// # Errors
/// [`NoteError::Key`] when the text is malformed, not Ed25519, or its hash belongs to another key.
pub fn decode_key(text: &str) -> Result<(String, VerifyingKey), NoteError> {
    let (name, rest) = text.split_once('+').ok_or(NoteError::Key)?;
    let (id, encoded) = rest.split_once('+').ok_or(NoteError::Key)?;
    let typed = BASE64.decode(encoded).map_err(|_| NoteError::Key)?;
    let Some((&ED25519_TYPE, key)) = typed.split_first() else { return Err(NoteError::Key) };
    let key = key.try_into().map_err(|_| NoteError::Key)?;
    let key = VerifyingKey::from_bytes(key).map_err(|_| NoteError::Key)?;
    if !is_name(name) || id != format!("{:08x}", key_id(name, &key)) {
        return Err(NoteError::Key);
    }
    Ok((String::from(name), key))
}

/// The short identifier of a named key: `SHA-256(name ‖ \n ‖ type ‖ key)[:4]`.
#[must_use]
pub fn key_id(name: &str, key: &VerifyingKey) -> u32 {
    let mut named = Vec::from(name.as_bytes());
    named.extend([b'\n', ED25519_TYPE]);
    named.extend(key.to_bytes());
    let [a, b, c, d, ..] = sha256(&named);
    u32::from_be_bytes([a, b, c, d])
}

impl Checkpoint {
    /// Reads the text of a checkpoint (C2SP tlog-checkpoint): origin, size, root, extension lines.
    ///
    /// # Errors
    /// [`NoteError::Checkpoint`] for any other text, including a second spelling of the same checkpoint.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let mut lines = text.strip_suffix('\n').ok_or(NoteError::Checkpoint)?.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(NoteError::Checkpoint);
        };
        let size: u64 = decimal(size).ok_or(NoteError::Checkpoint)?;
        let root = decode_hash(root).ok_or(NoteError::Checkpoint)?;
        let extensions: Vec<String> = lines.map(String::from).collect();
        if origin.is_empty() || extensions.iter().any(String::is_empty) {
            return Err(NoteError::Checkpoint);
        }
        Ok(Self { origin: String::from(origin), size, root, extensions })
    }
}

impl fmt::Display for Checkpoint {
    /// The text that is signed, with its final newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, BASE64.encode(self.root))?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl Note {
    /// Takes a note apart: text, blank line, signature lines.
    ///
    /// # Errors
    /// [`NoteError::TooLarge`] or [`NoteError::Format`].
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        if note.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLarge);
        }
        if note.bytes().any(|b| b < 0x20 && b != b'\n') {
            return Err(NoteError::Format);
        }
        let (text, signatures) = note.rsplit_once("\n\n").ok_or(NoteError::Format)?;
        let signatures = signatures.strip_suffix('\n').ok_or(NoteError::Format)?;
        if signatures.split('\n').count() > MAX_SIGNATURES {
            return Err(NoteError::TooLarge);
        }
        let signatures = signatures.split('\n').map(NoteSignature::parse).collect::<Option<Vec<_>>>();
        Ok(Self { text: format!("{text}\n"), signatures: signatures.ok_or(NoteError::Format)? })
    }

    /// Whether the key of this name signed the text. Signatures by other keys are ignored.
    ///
    /// # Errors
    /// [`NoteError::Unsigned`] without one, [`NoteError::Signature`] if any of them does not hold.
    pub fn verify(&self, key: &VerifyingKey, name: &str) -> Result<(), NoteError> {
        let id = key_id(name, key);
        let mut ours = self.signatures.iter().filter(|s| s.name == name && s.key_id == id).peekable();
        if ours.peek().is_none() {
            return Err(NoteError::Unsigned);
        }
        ours.try_for_each(|line| {
            let signature = Signature::from_slice(&line.bytes).map_err(|_| NoteError::Signature)?;
            // Strict: refuses the keys and encodings under which one text has several valid signatures.
            key.verify_strict(self.text.as_bytes(), &signature).map_err(|_| NoteError::Signature)
        })
    }
}

impl NoteSignature {
    fn parse(line: &str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix(SIGNATURE_MARK)?.split_once(' ')?;
        let signed = BASE64.decode(encoded).ok()?;
        let (id, bytes) = signed.split_first_chunk::<4>()?;
        if !is_name(name) || bytes.is_empty() {
            return None;
        }
        Some(Self { name: String::from(name), key_id: u32::from_be_bytes(*id), bytes: bytes.to_vec() })
    }
}

/// A hash as it stands on a line of a checkpoint or a proof.
pub(crate) fn decode_hash(line: &str) -> Option<Hash> {
    BASE64.decode(line).ok()?.try_into().ok()
}

/// A number in its only spelling: no sign, no leading zeros.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    text.parse::<u64>().ok().filter(|number| number.to_string() == text)
}

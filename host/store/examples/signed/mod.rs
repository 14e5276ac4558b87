//! A ledger with a key of its own, as every appending process has one.
use std::path::PathBuf;

use ed25519_dalek::SigningKey;
use enact_core::entry::Head;
use enact_core::note;
use enact_store::{OpenOptions, Store};

/// Its name.
pub(crate) const ORIGIN: &str = "bench";

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// Makes it.
pub(crate) fn create(path: PathBuf) -> Store {
    Store::open(&OpenOptions::new(path).create(ORIGIN, note::encode_key(ORIGIN, &key().verifying_key()))).unwrap()
}

/// Signs its head.
pub(crate) fn sign(head: &Head) -> String {
    note::sign(ORIGIN, head.size, &head.root(), &key())
}

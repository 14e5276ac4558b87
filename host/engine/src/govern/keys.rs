//! Keys of actors that speak from this workspace: files under `keys/actors/`, readable by their owner only, never in the ledger.
use std::fs::File;

use ed25519_dalek::SigningKey;
use enact_core::govern::key_text;

use crate::error::{EngineError, Result};
use crate::workspace::{Workspace, random_hex};

/// Where they lie.
const FOLDER: &str = "keys/actors";

/// The part of an actor's id that names its key file.
fn file(actor: &str) -> Result<String> {
    let id = actor.strip_prefix("Actor:").unwrap_or_default();
    let fits = !id.is_empty() && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'@'));
    if fits && !id.starts_with('.') { Ok(format!("{FOLDER}/{id}.key")) } else { Err(EngineError::ActorName { actor: actor.to_owned() }) }
}

/// The id with its prefix: `alice` and `Actor:alice` are the same actor.
pub(crate) fn actor_id(name: &str) -> Result<String> {
    let id = if name.starts_with("Actor:") { name.to_owned() } else { format!("Actor:{name}") };
    file(&id).map(|_| id)
}

/// A key on its way into the ledger; [`Fresh::settle`] says what becomes of it.
pub(crate) struct Fresh<'a> {
    workspace: &'a Workspace,
    actor: String,
    /// Where it lies until then.
    file: String,
    /// Made for this attempt; one that was there before is left alone.
    made: bool,
    pub(crate) key: SigningKey,
    /// No other process of this workspace makes or removes keys of actors meanwhile.
    _held: File,
}

/// The key of an actor that is about to be made known. A key that is there already stays, and is the one.
pub(crate) fn create<'a>(workspace: &'a Workspace, actor: &str) -> Result<Fresh<'a>> {
    fresh(workspace, actor, file(actor)?)
}

/// Makes another key beside the present one, which it replaces once the ledger knows it.
pub(crate) fn create_next<'a>(workspace: &'a Workspace, actor: &str) -> Result<Fresh<'a>> {
    // A name of its own: what an interrupted attempt has left is nobody's key.
    let next = format!("{}.{}.next", file(actor)?, random_hex(4)?);
    fresh(workspace, actor, next)
}

fn fresh<'a>(workspace: &'a Workspace, actor: &str, file: String) -> Result<Fresh<'a>> {
    let held = workspace.held(FOLDER)?;
    let made = workspace.new_secret(&file)?;
    let key = SigningKey::from_bytes(&workspace.read_secret(&file)?);
    Ok(Fresh { workspace, actor: actor.to_owned(), file, made, key, _held: held })
}

impl Fresh<'_> {
    /// After the proposal: in its place where the ledger holds it, gone where it was made in vain. Of an answer that got lost `registered` knows
    /// more: whether the ledger holds this key now. Where nobody can tell, all files stay as they are.
    pub(crate) fn settle<T>(self, proposed: Result<T>, registered: impl Fn(&str) -> Result<bool>) -> Result<T> {
        let known = proposed.as_ref().map_or_else(|_| registered(&public(&self.key)).ok(), |_| Some(true));
        let place = file(&self.actor)?;
        match known {
            Some(true) if self.file != place => self.workspace.rename(&self.file, &place)?,
            Some(false) if self.made => drop(self.workspace.remove(&self.file)),
            _ => {}
        }
        proposed
    }
}

/// The key of an actor.
pub(crate) fn load(workspace: &Workspace, actor: &str) -> Result<SigningKey> {
    let file = file(actor)?;
    if !workspace.has(&file) {
        return Err(EngineError::NoActorKey { actor: actor.to_owned(), file });
    }
    Ok(SigningKey::from_bytes(&workspace.read_secret(&file)?))
}

/// The public half as the ledger stores it.
pub(crate) fn public(key: &SigningKey) -> String {
    key_text(&key.verifying_key())
}

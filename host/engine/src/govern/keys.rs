//! Keys of actors that speak from this workspace: files under `keys/actors/`, readable by their owner only, never in the ledger.
use ed25519_dalek::SigningKey;
use enact_core::govern::key_text;

use crate::error::{EngineError, Result};
use crate::workspace::Workspace;

/// The part of an actor's id that names its key file.
fn file(actor: &str) -> Result<String> {
    let id = actor.strip_prefix("Actor:").unwrap_or_default();
    let fits = !id.is_empty() && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'@'));
    if fits && !id.starts_with('.') { Ok(format!("keys/actors/{id}.key")) } else { Err(EngineError::ActorName { actor: actor.to_owned() }) }
}

/// The id with its prefix: `alice` and `Actor:alice` are the same actor.
pub(crate) fn actor_id(name: &str) -> Result<String> {
    let id = if name.starts_with("Actor:") { name.to_owned() } else { format!("Actor:{name}") };
    file(&id).map(|_| id)
}

/// Makes a key for an actor and answers its public half. A key that is there already stays.
pub(crate) fn create(workspace: &Workspace, actor: &str) -> Result<SigningKey> {
    let file = file(actor)?;
    if workspace.has(&file) {
        return load(workspace, actor);
    }
    workspace.write_actor_key(&file)?;
    load(workspace, actor)
}

/// Makes another key beside the present one; [`promote`] puts it in its place once the ledger knows it.
pub(crate) fn create_next(workspace: &Workspace, actor: &str) -> Result<SigningKey> {
    let next = format!("{}.next", file(actor)?);
    workspace.write_actor_key(&next)?;
    Ok(SigningKey::from_bytes(&workspace.read_secret(&next)?))
}

/// Puts the next key in the place of the present one.
pub(crate) fn promote(workspace: &Workspace, actor: &str) -> Result<()> {
    let file = file(actor)?;
    workspace.rename(&format!("{file}.next"), &file)
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

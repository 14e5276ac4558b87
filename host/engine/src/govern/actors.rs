//! Actors from this workspace: their keys are made here, what they may do is said in the ledger.
use ed25519_dalek::SigningKey;
use enact_core::entry::Record;
use enact_core::govern::row::{ActorRow, SystemRow};
use enact_core::govern::{builtin, sign};
use enact_core::hash::Digest;
use enact_core::state::{Space, StateView as _};
use enact_flow::snapshot::Snapshot;
use enact_store::TxView as _;
use serde_json::json;

use super::keys;
use super::proposal::{Proposed, row};
use super::propose::Appended;
use crate::engine::Engine;
use crate::error::{EngineError, Result};

/// What an actor can be granted.
#[derive(Debug, Clone, Copy)]
pub enum Held<'a> {
    /// A role.
    Role(&'a str),
    /// A seat, and the subject that is its charter.
    Seat(&'a str, Option<&'a str>),
}

impl Engine {
    /// The founding: the first actor, signed with its own key, with the roles from which all others come.
    pub fn found(&self, actor: &str, roles: &[String]) -> Result<Appended> {
        let actor = keys::actor_id(actor)?;
        // Asked here as well, since a key would be left behind that nobody knows.
        if let Some(text) = self.store().reader()?.moment(None)?.get(Space::System, "founded")? {
            return Err(EngineError::Founded { by: row::<SystemRow>(&text, "system", "founded")?.actor });
        }
        let fresh = keys::create(self.workspace(), &actor)?;
        let payload = json!({"key": keys::public(&fresh.key), "roles": roles});
        let proposed = self.propose_signed(&actor, Some(&fresh.key), &[Proposed::of("ACTOR", "ACTOR.FOUND", &actor, payload)]);
        self.settle_key(fresh, &actor, proposed)
    }

    /// Keeps a key that the ledger holds, and no other.
    fn settle_key<T>(&self, fresh: keys::Fresh<'_>, actor: &str, proposed: Result<T>) -> Result<T> {
        fresh.settle(proposed, |key| Ok(self.actor_row(actor)?.is_some_and(|row| row.key.as_deref() == Some(key))))
    }

    fn actor_row(&self, actor: &str) -> Result<Option<ActorRow>> {
        let found = self.store().reader()?.state(Space::Actor, actor)?;
        found.map(|(_, text)| row(&text, "actor", actor)).transpose()
    }

    /// The private key that this workspace holds for an actor.
    pub(crate) fn actor_key(&self, actor: &str) -> Result<SigningKey> {
        keys::load(self.workspace(), &keys::actor_id(actor)?)
    }

    /// Registers an actor with a new key of this workspace, or with a public key that was made elsewhere, and grants it roles.
    pub fn register(&self, by: &str, actor: &str, key: Option<&str>, roles: &[String], scope: Option<&str>) -> Result<Appended> {
        let actor = keys::actor_id(actor)?;
        let fresh = if key.is_none() { Some(keys::create(self.workspace(), &actor)?) } else { None };
        let public = fresh.as_ref().map(|fresh| keys::public(&fresh.key)).or_else(|| key.map(str::to_owned)).unwrap_or_default();
        let mut batch = vec![Proposed::of("ACTOR", "ACTOR.REGISTER", &actor, json!({"key": public}))];
        batch.extend(roles.iter().map(|role| Proposed::of("ACTOR", "ACTOR.GRANT", &actor, granted(Held::Role(role), scope))));
        let proposed = self.propose(by, &batch);
        match fresh {
            Some(fresh) => self.settle_key(fresh, &actor, proposed),
            None => proposed,
        }
    }

    /// Grants a role or a seat.
    pub fn grant(&self, by: &str, actor: &str, held: Held<'_>, scope: Option<&str>) -> Result<Appended> {
        let actor = keys::actor_id(actor)?;
        self.propose(by, &[Proposed::of("ACTOR", "ACTOR.GRANT", &actor, granted(held, scope))])
    }

    /// Takes a role or a seat back, exactly as it was granted.
    pub fn withdraw(&self, by: &str, actor: &str, held: Held<'_>, scope: Option<&str>) -> Result<Appended> {
        let actor = keys::actor_id(actor)?;
        self.propose(by, &[Proposed::of("ACTOR", "ACTOR.WITHDRAW", &actor, granted(held, scope))])
    }

    /// Gives an actor another key. The present one is replaced on disk once the ledger holds the new one.
    pub fn rotate(&self, by: &str, actor: &str) -> Result<Appended> {
        let actor = keys::actor_id(actor)?;
        let next = keys::create_next(self.workspace(), &actor)?;
        let proposed = self.propose(by, &[Proposed::of("ACTOR", "ACTOR.ROTATE", &actor, json!({"key": keys::public(&next.key)}))]);
        self.settle_key(next, &actor, proposed)
    }

    /// Says something about an actor that needs a reason: `ACTOR.REVOKE`, `ACTOR.SUSPEND`, `ACTOR.RESUME`.
    pub fn about_actor(&self, by: &str, actor: &str, action: &str, reason: &str) -> Result<Appended> {
        let actor = keys::actor_id(actor)?;
        self.propose(by, &[Proposed::of("ACTOR", action, &actor, json!({"reason": reason}))])
    }

    /// Proposes that the snapshot which this workspace sealed be the one in force.
    pub fn propose_protocol(&self, by: &str) -> Result<Appended> {
        let payload = json!({"snapshot": self.snapshot().hash()});
        self.propose(by, &[Proposed::of(builtin::PROTOCOL, "PROTOCOL.PROPOSE", builtin::PROTOCOL_SUBJECT, payload)])
    }

    /// Ratifies a proposed snapshot; it is in force from the next entry on.
    pub fn ratify_protocol(&self, by: &str, proposal: Digest) -> Result<Appended> {
        let row = self.subject_state(builtin::PROTOCOL_SUBJECT, None)?.row;
        let open = row.open.iter().find(|open| open.record == proposal);
        let payload = open.map_or_else(|| json!({"snapshot": self.snapshot().hash()}), |open| json!(open.kept));
        let mut proposed = Proposed::of(builtin::PROTOCOL, "PROTOCOL.RATIFY", builtin::PROTOCOL_SUBJECT, payload);
        proposed.refs.insert("proposal".to_owned(), proposal);
        self.propose(by, &[proposed])
    }

    /// The snapshot in force, as it was sealed.
    pub fn snapshot_in_force(&self) -> Result<Snapshot> {
        let mut reader = self.store().reader()?;
        let moment = reader.moment(None)?;
        let hash = self.in_force(&moment)?.to_string();
        if self.snapshot().hash() == hash {
            return Ok(self.snapshot().clone());
        }
        let bytes = moment.snapshot(&hash)?.ok_or_else(|| EngineError::NoSnapshot { snapshot: hash.clone() })?;
        stored(&hash, &bytes)
    }

    /// A snapshot that this ledger stores.
    pub fn stored_snapshot(&self, hash: &str) -> Result<Snapshot> {
        let bytes = self.store().reader()?.snapshot(hash)?.ok_or_else(|| EngineError::NoSnapshot { snapshot: hash.to_owned() })?;
        stored(hash, &bytes)
    }

    /// Signs complete records with an actor's key, for someone else to propose.
    pub fn sign_record(&self, actor: &str, record: Record) -> Result<Record> {
        let key = keys::load(self.workspace(), &keys::actor_id(actor)?)?;
        sign(record, &self.workspace().config().origin, &key).map_err(|e| EngineError::PayloadValue { detail: e.to_string() })
    }
}

/// Reads a stored snapshot. What is stored was sealed once, so nothing but alteration keeps it from being read.
pub(super) fn stored(hash: &str, bytes: &[u8]) -> Result<Snapshot> {
    let altered = |code, detail| EngineError::Altered { what: format!("snapshot `{hash}`"), code, detail };
    let snapshot = Snapshot::from_lock(bytes).map_err(|problem| altered("snapshot_altered", problem.detail))?;
    if snapshot.hash() == hash { Ok(snapshot) } else { Err(altered("snapshot_hash", format!("it is `{}`", snapshot.hash()))) }
}

fn granted(held: Held<'_>, scope: Option<&str>) -> serde_json::Value {
    let mut payload = match held {
        Held::Role(role) => json!({"role": role}),
        Held::Seat(seat, None) => json!({"seat": seat}),
        Held::Seat(seat, Some(charter)) => json!({"seat": seat, "charter": charter}),
    };
    if let Some(scope) = scope {
        payload["scope"] = json!(scope);
    }
    payload
}

//! What a binding lets a module do: written into the `RB_` artifact and sealed, or not at all.
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::bound::{COMPONENT, REFUSED};
use crate::error::{EngineError, Result};
use crate::workspace::Workspace;

/// A row of a binding, as it is to be.
#[derive(Debug, Clone, Default)]
pub struct Grant {
    /// The `RB_`.
    pub binding: String,
    /// The capability that is bound.
    pub capability: String,
    /// The module that serves it; the one that does already, without it.
    pub module: Option<String>,
    /// Interfaces to grant beside those that are.
    pub interfaces: Vec<String>,
    /// Stores by entity, beside those that are named.
    pub stores: BTreeMap<String, String>,
    /// Limits by name (`fuel`, `memory_bytes`, `output_bytes`, `host_calls`, `wall_ms`), beside those that are set.
    pub limits: BTreeMap<String, u64>,
}

/// What changed; the stable shape of `enact module grant --json`.
#[derive(Debug, Clone, Serialize)]
pub struct Granted {
    /// The `RB_`.
    pub binding: String,
    /// The capability.
    pub capability: String,
    /// The row before; null when there was none.
    pub before: Value,
    /// The row now.
    pub after: Value,
    /// The snapshot that was sealed.
    pub snapshot: String,
}

impl Workspace {
    /// Binds a capability to a module and grants it interfaces.
    ///
    /// # Errors
    /// [`EngineError::NoArtifact`], [`EngineError::NoModule`], and whatever keeps the protocol from being sealed; nothing is changed then.
    pub fn grant(&self, grant: &Grant) -> Result<Granted> {
        if let Some(module) = &grant.module
            && !self.module_names()?.contains_key(module)
        {
            return Err(EngineError::NoModule { name: module.clone() });
        }
        self.change(&grant.binding, &grant.capability, |row| {
            if let Some(module) = &grant.module {
                row.insert("host".to_owned(), json!(COMPONENT));
                row.insert("module".to_owned(), json!(module));
            }
            if !grant.interfaces.is_empty() {
                let mut grants = names(row.get("grants"));
                grants.extend(grant.interfaces.iter().filter(|name| !grants.contains(name)).cloned().collect::<Vec<_>>());
                row.insert("grants".to_owned(), json!(grants));
            }
            merge(row, "stores", grant.stores.iter().map(|(entity, store)| (entity.clone(), json!(store))));
            merge(row, "limits", grant.limits.iter().map(|(name, limit)| (name.clone(), json!(limit))));
        })
    }

    /// Takes interfaces back; without any, the capability is refused from now on.
    ///
    /// # Errors
    /// As [`Workspace::grant`].
    pub fn revoke(&self, binding: &str, capability: &str, interfaces: &[String]) -> Result<Granted> {
        self.change(binding, capability, |row| {
            if interfaces.is_empty() {
                *row = Map::from_iter([("host".to_owned(), json!(REFUSED))]);
                return;
            }
            let left: Vec<String> = names(row.get("grants")).into_iter().filter(|name| !interfaces.contains(name)).collect();
            if left.is_empty() {
                row.remove("grants");
            } else {
                row.insert("grants".to_owned(), json!(left));
            }
        })
    }

    /// Writes a row of a binding and seals; what was there is put back when that does not hold.
    fn change(&self, binding: &str, capability: &str, act: impl FnOnce(&mut Map<String, Value>)) -> Result<Granted> {
        let unknown = || EngineError::NoArtifact { code: binding.to_owned() };
        let files = self.artifact_files()?;
        let (_, bytes) = files.iter().find(|(code, _)| code == binding && code.starts_with("RB_")).ok_or_else(unknown)?;
        let shape = |detail: String| EngineError::Json { what: binding.to_owned(), detail };
        let mut artifact: Value = serde_json::from_slice(bytes).map_err(|e| shape(e.to_string()))?;
        let rows = artifact.get_mut("bindings").and_then(Value::as_object_mut).ok_or_else(|| shape("it has no `bindings`".to_owned()))?;
        let before = rows.get(capability).cloned().unwrap_or(Value::Null);
        let mut row = before.as_object().cloned().unwrap_or_default();
        act(&mut row);
        let after = Value::Object(row);
        rows.insert(capability.to_owned(), after.clone());
        let text = serde_json::to_vec_pretty(&artifact).map_err(|e| shape(e.to_string()))?;
        self.write_artifact(binding, &text)?;
        let sealed = self.seal().inspect_err(|_| {
            // The artifact that was sealed before is put back: a protocol that does not seal is nobody's.
            let _ = self.write_artifact(binding, bytes);
        })?;
        let (binding, capability) = (binding.to_owned(), capability.to_owned());
        Ok(Granted { binding, capability, before, after, snapshot: sealed.hash().to_owned() })
    }
}

fn names(value: Option<&Value>) -> Vec<String> {
    let list = value.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

fn merge(row: &mut Map<String, Value>, member: &str, with: impl Iterator<Item = (String, Value)>) {
    let mut with = with.peekable();
    if with.peek().is_none() {
        return;
    }
    let mut all = row.get(member).and_then(Value::as_object).cloned().unwrap_or_default();
    all.extend(with);
    row.insert(member.to_owned(), Value::Object(all));
}

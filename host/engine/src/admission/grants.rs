//! What a binding lets a module do: written into the `RB_` artifact and sealed, or not at all.
use std::collections::BTreeMap;

use enact_flow::artifact::{FileGrant, HttpGrant, OutboxGrant, WorkflowGrant};
use enact_wasm::Kind;
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
    /// Peers, beside those that are reached; with each the interface `http`. Of a peer that is there, methods are added
    /// and nothing else is changed.
    pub http: Vec<HttpGrant>,
    /// Folders, beside those that are reached; with each the interface `files`. One of the same name is replaced.
    pub files: Vec<FileGrant>,
    /// Workflows that may be asked for, beside those that may; with each the interface `workflow`. One of the same name is replaced.
    pub workflow: Vec<WorkflowGrant>,
    /// To whom it may write, beside those to whom it may; with each the interface `outbox`. Addresses from one sender are one row.
    pub outbox: Vec<OutboxGrant>,
}

/// What is to be taken back of a row of a binding.
#[derive(Debug, Clone, Default)]
pub struct Revocation {
    /// The `RB_`.
    pub binding: String,
    /// The capability that is bound.
    pub capability: String,
    /// Interfaces, with all their rows.
    pub interfaces: Vec<String>,
    /// Methods of peers; a peer without any left is reached no more.
    pub http: Vec<HttpGrant>,
    /// Folders by name.
    pub files: Vec<String>,
    /// Workflows by code.
    pub workflow: Vec<String>,
    /// Addresses to whom it may write no more, with their sender.
    pub outbox: Vec<OutboxGrant>,
}

impl Revocation {
    fn is_everything(&self) -> bool {
        self.interfaces.is_empty() && self.http.is_empty() && self.files.is_empty() && self.workflow.is_empty() && self.outbox.is_empty()
    }
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
    /// [`EngineError::NoArtifact`], [`EngineError::NoModule`], [`EngineError::ModuleWorld`], [`EngineError::GrantDiffers`], and whatever keeps the protocol from being sealed; nothing is changed then.
    pub fn grant(&self, grant: &Grant) -> Result<Granted> {
        if let Some(module) = &grant.module {
            self.serves(module, &grant.capability)?;
        }
        self.change(&grant.binding, &grant.capability, |row| {
            if let Some(module) = &grant.module {
                row.insert("host".to_owned(), json!(COMPONENT));
                row.insert("module".to_owned(), json!(module));
            }
            let mut grants = names(row.get("grants"));
            let reached = [
                ("http", grant.http.is_empty()),
                ("files", grant.files.is_empty()),
                ("workflow", grant.workflow.is_empty()),
                ("outbox", grant.outbox.is_empty()),
            ];
            let reached = reached.into_iter().filter(|(_, none)| !none).map(|(name, _)| name.to_owned());
            for name in grant.interfaces.iter().cloned().chain(reached) {
                if !grants.contains(&name) {
                    grants.push(name);
                }
            }
            put(row, "grants", &grants);
            let (mut http, mut files) = (rows::<HttpGrant>(row, "http")?, rows::<FileGrant>(row, "files")?);
            for new in &grant.http {
                match http.iter_mut().find(|old| same_peer(old, new)) {
                    Some(old) => add_methods(old, new)?,
                    None => http.push(new.clone()),
                }
            }
            for new in &grant.files {
                files.retain(|old| old.name != new.name);
                files.push(new.clone());
            }
            put(row, "http", &http);
            put(row, "files", &files);
            let mut workflow = rows::<WorkflowGrant>(row, "workflow")?;
            for new in &grant.workflow {
                workflow.retain(|old| old.workflow != new.workflow);
                workflow.push(new.clone());
            }
            put(row, "workflow", &workflow);
            let mut outbox = rows::<OutboxGrant>(row, "outbox")?;
            for new in &grant.outbox {
                match outbox.iter_mut().find(|old| old.from == new.from) {
                    Some(old) => old.to.extend(new.to.iter().cloned()),
                    None => outbox.push(new.clone()),
                }
            }
            put(row, "outbox", &outbox);
            merge(row, "stores", grant.stores.iter().map(|(entity, store)| (entity.clone(), json!(store))));
            merge(row, "limits", grant.limits.iter().map(|(name, limit)| (name.clone(), json!(limit))));
            Ok(())
        })
    }

    /// Whether a module of that name is here and is of the world that a capability is called in: another would never answer.
    fn serves(&self, module: &str, capability: &str) -> Result<()> {
        let names = self.module_names()?;
        let digest = names.get(module).ok_or_else(|| EngineError::NoModule { name: module.to_owned() })?;
        let world = enact_wasm::inspect(&self.module_bytes(digest)?).kind;
        let needed = if capability.starts_with("CS_") { Kind::SideEffect } else { Kind::Transform }.name();
        if world == needed {
            return Ok(());
        }
        Err(EngineError::ModuleWorld { name: module.to_owned(), world: world.to_owned(), capability: capability.to_owned() })
    }

    /// Takes interfaces, peers, folders and workflows back; without any, the capability is refused from now on. With its last row an interface goes too.
    ///
    /// # Errors
    /// As [`Workspace::grant`]; [`EngineError::NoGrant`] for what is not granted.
    pub fn revoke(&self, revocation: &Revocation) -> Result<Granted> {
        let Revocation { binding, capability, interfaces, .. } = revocation;
        self.change(binding, capability, |row| {
            if revocation.is_everything() {
                *row = Map::from_iter([("host".to_owned(), json!(REFUSED))]);
                return Ok(());
            }
            let granted = names(row.get("grants"));
            if let Some(gone) = interfaces.iter().find(|name| !granted.contains(name)) {
                return Err(EngineError::NoGrant { row: format!("the interface `{gone}`") });
            }
            let (mut http, mut files) = (rows::<HttpGrant>(row, "http")?, rows::<FileGrant>(row, "files")?);
            for gone in &revocation.http {
                take_methods(&mut http, gone)?;
            }
            for gone in &revocation.files {
                let at = files.iter().position(|row| row.name == *gone);
                files.remove(at.ok_or_else(|| EngineError::NoGrant { row: format!("the folder `{gone}`") })?);
            }
            let mut workflow = rows::<WorkflowGrant>(row, "workflow")?;
            for gone in &revocation.workflow {
                let at = workflow.iter().position(|row| row.workflow == *gone);
                workflow.remove(at.ok_or_else(|| EngineError::NoGrant { row: format!("the workflow `{gone}`") })?);
            }
            let mut outbox = rows::<OutboxGrant>(row, "outbox")?;
            for gone in &revocation.outbox {
                let found = outbox.iter_mut().find(|row| row.from == gone.from && gone.to.is_subset(&row.to));
                let named = || format!("writing to {} from {}", gone.to.iter().cloned().collect::<Vec<_>>().join(","), gone.from);
                found.ok_or_else(|| EngineError::NoGrant { row: named() })?.to.retain(|to| !gone.to.contains(to));
                outbox.retain(|row| !row.to.is_empty());
            }
            let mut over: Vec<&str> = interfaces.iter().map(String::as_str).collect();
            // An interface that reaches nothing any more is not left granted.
            over.extend((!revocation.http.is_empty() && http.is_empty()).then_some("http"));
            over.extend((!revocation.files.is_empty() && files.is_empty()).then_some("files"));
            over.extend((!revocation.workflow.is_empty() && workflow.is_empty()).then_some("workflow"));
            over.extend((!revocation.outbox.is_empty() && outbox.is_empty()).then_some("outbox"));
            let left: Vec<String> = granted.into_iter().filter(|name| !over.contains(&name.as_str())).collect();
            put(row, "grants", &left);
            put(row, "http", if over.contains(&"http") { &[] } else { http.as_slice() });
            put(row, "files", if over.contains(&"files") { &[] } else { files.as_slice() });
            put(row, "workflow", if over.contains(&"workflow") { &[] } else { workflow.as_slice() });
            put(row, "outbox", if over.contains(&"outbox") { &[] } else { outbox.as_slice() });
            Ok(())
        })
    }

    /// Writes a row of a binding and seals; what was there is put back when that does not hold.
    fn change(&self, binding: &str, capability: &str, act: impl FnOnce(&mut Map<String, Value>) -> Result<()>) -> Result<Granted> {
        let unknown = || EngineError::NoArtifact { code: binding.to_owned() };
        let files = self.artifact_files()?;
        let (_, bytes) = files.iter().find(|(code, _)| code == binding && code.starts_with("RB_")).ok_or_else(unknown)?;
        let shape = |detail: String| EngineError::Json { what: binding.to_owned(), detail };
        let mut artifact: Value = serde_json::from_slice(bytes).map_err(|e| shape(e.to_string()))?;
        let rows = artifact.get_mut("bindings").and_then(Value::as_object_mut).ok_or_else(|| shape("it has no `bindings`".to_owned()))?;
        let before = rows.get(capability).cloned().unwrap_or(Value::Null);
        let mut row = before.as_object().cloned().unwrap_or_default();
        act(&mut row)?;
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

/// Rows are of one peer when all that says where they lead is the same.
fn same_peer(a: &HttpGrant, b: &HttpGrant) -> bool {
    (&a.scheme, &a.host, a.port, &a.path_prefix) == (&b.scheme, &b.host, b.port, &b.path_prefix)
}

/// Adds what may be asked of a peer that is there. What else its row says stays: a word that was left out takes nothing back.
fn add_methods(old: &mut HttpGrant, new: &HttpGrant) -> Result<()> {
    let HttpGrant { scheme, host, port, path_prefix, private, timeout_ms, headers, .. } = new;
    let differs = |name: &'static str| {
        let row = format!("{scheme}://{host}:{port}{path_prefix}");
        Err(EngineError::GrantDiffers { row, name })
    };
    if *private && !old.private {
        return differs("private");
    }
    if timeout_ms.is_some() && *timeout_ms != old.timeout_ms {
        return differs("timeout_ms");
    }
    if !headers.is_empty() && *headers != old.headers {
        return differs("headers");
    }
    old.methods.extend(new.methods.iter().cloned());
    Ok(())
}

fn take_methods(rows: &mut Vec<HttpGrant>, gone: &HttpGrant) -> Result<()> {
    let found = rows.iter_mut().find(|row| same_peer(row, gone) && gone.methods.is_subset(&row.methods));
    let HttpGrant { scheme, host, port, path_prefix, methods, .. } = gone;
    let named = || format!("{} {scheme}://{host}:{port}{path_prefix}", methods.iter().cloned().collect::<Vec<_>>().join(","));
    let row = found.ok_or_else(|| EngineError::NoGrant { row: named() })?;
    row.methods.retain(|method| !gone.methods.contains(method));
    rows.retain(|row| !row.methods.is_empty());
    Ok(())
}

/// The rows of an interface as they stand in the artifact.
fn rows<T: serde::de::DeserializeOwned>(row: &Map<String, Value>, member: &str) -> Result<Vec<T>> {
    let found = row.get(member).cloned().unwrap_or_else(|| json!([]));
    serde_json::from_value(found).map_err(|e| EngineError::Json { what: format!("the rows of `{member}`"), detail: e.to_string() })
}

/// Writes a list, or nothing for an empty one.
fn put<T: Serialize>(row: &mut Map<String, Value>, member: &str, list: &[T]) {
    if list.is_empty() {
        row.remove(member);
    } else {
        row.insert(member.to_owned(), json!(list));
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

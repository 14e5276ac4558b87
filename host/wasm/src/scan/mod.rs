//! Walks a component once, without compiling it: measures it against the bounds of a profile and notes what it exports and imports.
//!
//! The walk itself never recurses and never allocates more than the file is long. Whether the component is *valid* is asked last.
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "the parser's enums grow with every proposal; what is not named here is refused, or ignored because it is not executed"
)]

mod component;
mod core;
mod depth;
mod rule;

use std::collections::BTreeSet;

use wasmparser::{Encoding, Parser, Payload, Validator};

pub(crate) use rule::{INTERFACE, Rule, hint, is_bound};

use crate::config::FEATURES;
use crate::error::Refusal;
use crate::import::{INTERFACES, PACKAGE, TYPES, VERSION};
use crate::limits::{Bounds, Profile, REFUSALS_MAX};
use crate::module::Kind;
use crate::wasi;

/// What a walk found.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// The world, when it exports exactly one of the two interfaces.
    pub(crate) kind: Option<Kind>,
    /// Names of the root's imports, in file order.
    pub(crate) imports: Vec<String>,
    /// Names of the root's exports, in file order.
    pub(crate) exports: Vec<String>,
    /// Where the first start function of a core module stands.
    pub(crate) start: Option<usize>,
    /// Import entries of the core modules.
    pub(crate) inner_imports: usize,
    /// In the order of the rules, then of the file.
    pub(crate) refusals: Vec<Refusal>,
}

impl Facts {
    /// The interfaces that a binding must grant, sorted, in the short form of a grant.
    pub(crate) fn grants(&self) -> Vec<String> {
        let mut names: BTreeSet<&str> = self.imports.iter().filter_map(|name| interface(name)).filter(|name| *name != TYPES).collect();
        if self.imports.iter().any(|name| wasi::is_interface(name)) {
            names.insert(wasi::GRANT);
        }
        names.into_iter().map(str::to_owned).collect()
    }

    /// The imports that are WASI's, in file order.
    pub(crate) fn wasi(&self) -> Vec<String> {
        self.imports.iter().filter(|name| wasi::is_interface(name)).cloned().collect()
    }
}

/// The interface of this package that `name` names in full.
pub(crate) fn interface(name: &str) -> Option<&str> {
    name.strip_prefix(PACKAGE)?.strip_suffix(VERSION)
}

/// The facts of a module that breaks no rule, or the first rule it breaks.
pub(crate) fn admissible(bytes: &[u8], profile: Profile) -> Result<Facts, Refusal> {
    let mut facts = scan(bytes, profile);
    if facts.refusals.is_empty() { Ok(facts) } else { Err(facts.refusals.swap_remove(0)) }
}

/// Walks `bytes`. Never fails: what is wrong is a refusal.
pub(crate) fn scan(bytes: &[u8], profile: Profile) -> Facts {
    let mut walk =
        Walk { bounds: profile.bounds(), profile, counts: Counts::default(), facts: Facts::default(), found: Vec::new(), level: 0 };
    walk.expansion_reset();
    if walk.header(bytes) && walk.payloads(bytes) {
        walk.world();
        if walk.found.is_empty() {
            walk.validate(bytes);
        }
    }
    let mut found = walk.found;
    found.sort_by_key(|(rule, _)| *rule);
    let refusals = found.into_iter().map(|(rule, found)| Refusal { code: rule.code(), detail: found.detail, at: found.at }).collect();
    Facts { refusals, ..walk.facts }
}

/// Totals over the whole file.
#[derive(Debug, Default)]
struct Counts {
    component_types: usize,
    expansion: u64,
    modules: usize,
    instances: usize,
    functions: usize,
    types: usize,
    memories: usize,
    memory_bytes: u64,
    tables: usize,
    globals: usize,
    data_segments: usize,
    element_segments: usize,
    elements: u64,
    externs: usize,
}

struct Found {
    detail: String,
    at: Option<usize>,
}

/// The state of one walk.
struct Walk {
    bounds: &'static Bounds,
    profile: Profile,
    counts: Counts,
    facts: Facts,
    found: Vec<(Rule, Found)>,
    /// Components around the current place; 0 is the root.
    level: usize,
}

impl Walk {
    fn expansion_reset(&mut self) {
        self.counts.expansion = 1;
    }

    /// Notes a refusal; more than the report has room for are not kept.
    fn refuse(&mut self, rule: Rule, at: Option<usize>, detail: String) {
        let known = self.found.iter().any(|(known, _)| *known == rule);
        // One of each kind is enough to say no; imports are all listed, because a person wants to see them.
        if self.found.len() < REFUSALS_MAX && (!known || matches!(rule, Rule::Import | Rule::Impure)) {
            self.found.push((rule, Found { detail, at }));
        }
    }

    /// Refuses what is over its bound.
    fn bound<N: PartialOrd + std::fmt::Display>(&mut self, rule: Rule, at: usize, what: &str, got: N, max: N) {
        if got > max {
            self.refuse(rule, Some(at), format!("{what}: {got} of {max}"));
        }
    }

    fn name(&mut self, at: usize, name: &str) {
        self.bound(Rule::Name, at, "bytes of a name", name.len(), self.bounds.name_bytes);
    }

    /// Counts names at a boundary: imports, exports, aliases, arguments.
    fn externs(&mut self, at: usize, added: usize) {
        self.counts.externs = self.counts.externs.saturating_add(added);
        self.bound(Rule::Externs, at, "imports, exports, aliases and arguments", self.counts.externs, self.bounds.externs);
    }

    fn header(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > self.bounds.size_bytes {
            self.refuse(Rule::Size, None, format!("file: {} of {} bytes", bytes.len(), self.bounds.size_bytes));
            return false;
        }
        if !Parser::is_component(bytes) {
            let what = if Parser::is_core_wasm(bytes) { "a core module" } else { "no WebAssembly" };
            self.refuse(Rule::NotAComponent, Some(0), format!("the file is {what}, a component is needed"));
            return false;
        }
        true
    }

    /// Walks all sections; `false` when it could not get to the end.
    fn payloads(&mut self, bytes: &[u8]) -> bool {
        let mut parser = Parser::new(0);
        parser.set_features(FEATURES);
        // The encoding of each open module or component, innermost last.
        let mut open: Vec<Encoding> = Vec::new();
        for payload in parser.parse_all(bytes) {
            let result = payload.and_then(|payload| {
                match &payload {
                    Payload::Version { encoding, .. } => open.push(*encoding),
                    Payload::End(_) => {
                        open.pop();
                    }
                    _ => {}
                }
                self.level = open.iter().filter(|encoding| **encoding == Encoding::Component).count().saturating_sub(1);
                self.payload(bytes, payload)
            });
            match result {
                Ok(true) => {}
                Ok(false) => return false,
                Err(e) => {
                    self.refuse(Rule::Malformed, Some(e.offset()), e.message().to_owned());
                    return false;
                }
            }
        }
        true
    }

    /// One section; `Ok(false)` ends the walk because going on would not be safe.
    fn payload(&mut self, bytes: &[u8], payload: Payload<'_>) -> wasmparser::Result<bool> {
        match payload {
            Payload::ComponentSection { unchecked_range, .. } => {
                let level = self.level.saturating_add(1);
                self.bound(Rule::Nesting, unchecked_range.start, "components within components", level, self.bounds.nesting);
                return Ok(level <= self.bounds.nesting);
            }
            Payload::ComponentTypeSection(section) => {
                let range = section.range();
                let content = bytes.get(range.clone()).unwrap_or_default();
                if !depth::within(content, self.bounds.type_nesting)? {
                    self.refuse(Rule::TypeNesting, Some(range.start), format!("types within types: over {}", self.bounds.type_nesting));
                    return Ok(false);
                }
                self.component_types(section)?;
            }
            Payload::ModuleSection { unchecked_range, .. } => {
                self.counts.modules = self.counts.modules.saturating_add(1);
                self.bound(Rule::Modules, unchecked_range.start, "core modules", self.counts.modules, self.bounds.modules);
            }
            Payload::UnknownSection { id, range, .. } => {
                self.refuse(Rule::Malformed, Some(range.start), format!("unknown section {id}"));
            }
            other => {
                if let Some(other) = self.component_payload(other)? {
                    self.core_payload(other)?;
                }
            }
        }
        Ok(true)
    }

    /// The exact world: one export, and no import that the world does not have.
    fn world(&mut self) {
        let exports: Vec<Option<&str>> = self.facts.exports.iter().map(|name| interface(name)).collect();
        self.facts.kind = match exports.as_slice() {
            [Some("transform")] => Some(Kind::Transform),
            [Some("side-effect")] => Some(Kind::SideEffect),
            _ => None,
        };
        if self.facts.kind.is_none() {
            let exports = self.facts.exports.join("`, `");
            let wanted = format!("exactly one of `{PACKAGE}transform{VERSION}` and `{PACKAGE}side-effect{VERSION}` is needed");
            self.refuse(Rule::Export, None, format!("exports `{exports}`, {wanted}"));
        }
        for name in std::mem::take(&mut self.facts.imports) {
            let known = interface(&name).is_some_and(|short| short == TYPES || INTERFACES.contains(&short)) || wasi::is_interface(&name);
            if !known {
                self.refuse(Rule::Import, None, format!("import `{name}` is not part of the world"));
            } else if self.facts.kind == Some(Kind::Transform) {
                self.refuse(Rule::Impure, None, format!("a transform imports `{name}`, nothing is allowed"));
            }
            self.facts.imports.push(name);
        }
        // Toolchains for WASI initialise their libraries in one; it is held to the limits of the call.
        let allowed = self.facts.kind == Some(Kind::SideEffect) && self.facts.imports.iter().any(|name| wasi::is_interface(name));
        if let Some(at) = self.facts.start.filter(|_| !allowed) {
            self.refuse(Rule::Start, Some(at), "a core module has a start function".to_owned());
        }
    }

    fn validate(&mut self, bytes: &[u8]) {
        if let Err(e) = Validator::new_with_features(FEATURES).validate_all(bytes) {
            self.refuse(Rule::Invalid, Some(e.offset()), e.message().to_owned());
        }
    }
}

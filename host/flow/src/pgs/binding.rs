//! Published runtime bindings: paths become stores, runtime classes become the component host, transforms are bound from the catalogue.

use super::Importer;
use super::source::{Source, flat, native_code, put, text};
use crate::Map;
use crate::problem::Level;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::{Value, json};

/// The environment that all published bindings belong to.
const ENVIRONMENT: &str = "published";

/// The class of host that runs components.
const HOST_COMPONENT: &str = "component";

/// The folder that every published path begins with; here a store has a name, not a place.
const ROOT: &str = "{{module_data_root}}/";

impl Importer<'_> {
    pub(super) fn binding(&mut self, source: &Source) {
        let mut bindings = Map::new();
        for (name, bound) in source.core.get("bindings").and_then(Value::as_object).into_iter().flatten() {
            let code = native_code(name);
            if !self.artifacts.contains_key(&code) {
                let detail = format!("`{code}` is not part of the import, so its binding is left out");
                self.report(Level::Note, "binding_left_out", &source.code, name, detail);
                continue;
            }
            let native = self.bound(source, &code, bound);
            bindings.insert(code, native);
        }
        for code in self.atoms() {
            match self.catalog.get(&code) {
                Some(module) => {
                    bindings.insert(code, json!({ "host": HOST_COMPONENT, "module": module }));
                }
                None => self.report(Level::Warning, "no_module", &source.code, "bindings", format!("no module serves `{code}`")),
            }
        }
        bindings.extend(self.drawing_bindings());
        let artifact = json!({
            "code": source.code, "summary": source.summary(), "environment": ENVIRONMENT, "parameters": [], "bindings": bindings,
        });
        self.emit(&source.code, artifact);
    }

    fn atoms(&self) -> Vec<String> {
        let transforms = self.artifacts.iter().filter(|(code, artifact)| code.starts_with("CT_") && artifact.get("steps").is_none());
        transforms.map(|(code, _)| code.clone()).collect()
    }

    fn bound(&mut self, source: &Source, code: &str, bound: &Value) -> Value {
        let known = |host: &str| self.tables.classes.contains_key(host);
        let host = match text(bound, "host") {
            Some(host) if !known(host) => host.to_owned(),
            _ => HOST_COMPONENT.to_owned(),
        };
        let imports = self.artifacts.get(code).and_then(|effect| effect.get("imports")).cloned().unwrap_or_else(|| json!([]));
        let mut native = json!({ "host": host, "grants": imports, "stores": self.stores(source, code, bound, &imports) });
        match self.catalog.get(code) {
            Some(module) => put(&mut native, "module", module.as_str()),
            None => self.report(Level::Warning, "no_module", &source.code, "bindings", format!("no module serves `{code}`")),
        }
        native
    }

    /// The one path of the policy for every entity, else the paths of the storage structure, else what the class writes to by itself.
    fn stores(&mut self, source: &Source, code: &str, bound: &Value, imports: &Value) -> Map {
        let mut stores = Map::new();
        if let Some(path) = bound.get("policy").and_then(|policy| text(policy, "path")) {
            stores.insert("*".to_owned(), json!(path.strip_prefix(ROOT).unwrap_or(path)));
            return stores;
        }
        if bound.get("config").is_some() {
            let detail = format!("`{code}` is configured by `config`, which is not read; it has no store");
            self.report(Level::Warning, "unbound_store", &source.code, code, detail);
            return stores;
        }
        let structure = text(&source.core, "storage_structure").and_then(|name| self.structures.get(flat(name)));
        for (entity, store) in
            structure.and_then(|structure| structure.get("entity_stores")).and_then(Value::as_object).into_iter().flatten()
        {
            if let Some(path) = text(store, "path") {
                stores.insert(entity.clone(), json!(path.strip_prefix(ROOT).unwrap_or(path)));
            }
        }
        let default = self.tables.classes.values().find(|class| class.store.is_some() && json!(class.imports) == *imports);
        if let (true, Some(store)) = (structure.is_none() || bound.get("policy").is_some(), default.and_then(|class| class.store.clone())) {
            stores.insert("*".to_owned(), json!(store));
        }
        stores
    }
}

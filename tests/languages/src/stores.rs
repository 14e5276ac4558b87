//! Stores in memory that answer a side effect, filled from the `state` of a vector.
use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use enact_wasm::{Answer, Document, Fault, Host, Request};
use serde_json::Value;

/// What the stores hold, by store and key.
#[derive(Debug, Default)]
pub(crate) struct Stores {
    registry: BTreeMap<(String, String), String>,
    table: BTreeMap<(String, String), Document>,
}

impl Stores {
    /// From `{ "registry": { STORE: { KEY: TEXT } }, "table": … }`.
    pub(crate) fn from_state(state: &Value) -> Result<Self> {
        let mut stores = Self::default();
        for (interface, named) in state.as_object().into_iter().flatten() {
            for (store, held) in named.as_object().context("stores are an object")? {
                for (key, value) in held.as_object().context("a store is an object")? {
                    let at = (store.clone(), key.clone());
                    let value = value.as_str().context("what a store holds is text")?.to_owned();
                    if interface == "registry" {
                        stores.registry.insert(at, value);
                    } else {
                        stores.table.insert(at, Document { version: 1, value });
                    }
                }
            }
        }
        Ok(stores)
    }
}

impl Host for Stores {
    fn call(&mut self, request: &Request) -> Answer {
        let at = |store: &str, key: &str| (store.to_owned(), key.to_owned());
        match request {
            Request::RegistryRegister { store, key, value } => {
                let existing = self.registry.get(&at(store, key)).cloned();
                self.registry.entry(at(store, key)).or_insert_with(|| value.clone());
                Answer::Existing(existing)
            }
            Request::RegistryLookup { store, key } => Answer::Existing(self.registry.get(&at(store, key)).cloned()),
            Request::TableGet { store, key } => Answer::Document(self.table.get(&at(store, key)).cloned()),
            other @ (Request::RegistryRetire { .. }
            | Request::RegistryCount { .. }
            | Request::TablePut { .. }
            | Request::TableRemove { .. }
            | Request::TableList { .. }
            | Request::LogAppend { .. }
            | Request::LogRead { .. }
            | Request::ClockNow
            | Request::RandomBytes { .. }
            | Request::RandomUnique) => Answer::Fault(Fault::Unavailable(format!("{other:?}"))),
        }
    }
}

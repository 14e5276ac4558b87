//! What a side effect may ask of the host during one call. Every method is one host call, and the host records its answer.
//!
//! Only what a handler really calls becomes an import of its module, so a module's imports state its needs.

use alloc::string::String;
use alloc::vec::Vec;

use serde::de::DeserializeOwned;

#[cfg(target_arch = "wasm32")]
use crate::imports::Imports as Backend;
#[cfg(not(target_arch = "wasm32"))]
use crate::memory::MemoryHost as Backend;
use crate::{Call, Document, Expect, Fault, Files, Http, Outbox, Workflows};

/// One call and the host behind it.
#[derive(Debug)]
pub struct Context<'a> {
    backend: &'a mut Backend,
    store: &'a str,
    idempotency_key: &'a str,
}

impl<'a> Context<'a> {
    /// The context of `call`. The macros call this; a test calls it with a [`MemoryHost`](crate::MemoryHost).
    pub const fn new(backend: &'a mut Backend, call: &Call<'a>) -> Self {
        Self { backend, store: call.store, idempotency_key: call.idempotency_key }
    }

    /// The store that the binding gives this step; empty when it gives none.
    #[must_use]
    pub const fn store(&self) -> &'a str {
        self.store
    }

    /// Equal for every attempt at this step of this run: hand it to peers that can drop duplicates.
    #[must_use]
    pub const fn idempotency_key(&self) -> &'a str {
        self.idempotency_key
    }

    /// Insert-once keys of the bound store.
    pub const fn registry(&mut self) -> Registry<'_> {
        Registry { backend: self.backend, store: self.store }
    }

    /// Versioned documents of the bound store.
    pub const fn table(&mut self) -> Table<'_> {
        Table { backend: self.backend, store: self.store }
    }

    /// Append-only records of the bound store.
    pub const fn log(&mut self) -> Log<'_> {
        Log { backend: self.backend, store: self.store }
    }

    /// The host's clock.
    pub const fn clock(&mut self) -> Clock<'_> {
        Clock { backend: self.backend }
    }

    /// The host's randomness.
    pub const fn random(&mut self) -> Random<'_> {
        Random { backend: self.backend }
    }

    /// Reads a stored value back. Anything else than what `T` describes is [`Fault::Damaged`], never a guess.
    ///
    /// # Errors
    /// [`Fault::Damaged`].
    pub fn decode<T: DeserializeOwned>(stored: &str) -> Result<T, Fault> {
        serde_json::from_str(stored).map_err(|_| Fault::Damaged)
    }
}

/// Insert-once keys.
#[derive(Debug)]
pub struct Registry<'a> {
    backend: &'a mut Backend,
    store: &'a str,
}

impl Registry<'_> {
    /// Takes `key` if it is free. Answers the value that already holds it, or `None` when it is now ours.
    ///
    /// # Errors
    /// Whatever the host answers instead.
    pub fn register(&mut self, key: &str, value: &str) -> Result<Option<String>, Fault> {
        self.backend.registry_register(self.store, key, value)
    }

    /// The value of a live key.
    ///
    /// # Errors
    /// Whatever the host answers instead.
    pub fn lookup(&mut self, key: &str) -> Result<Option<String>, Fault> {
        self.backend.registry_lookup(self.store, key)
    }

    /// Frees a key; `false` when it was not taken.
    ///
    /// # Errors
    /// Whatever the host answers instead.
    pub fn retire(&mut self, key: &str) -> Result<bool, Fault> {
        self.backend.registry_retire(self.store, key)
    }

    /// Number of live keys. It conflicts with every concurrent write to the store.
    ///
    /// # Errors
    /// Whatever the host answers instead.
    pub fn count(&mut self) -> Result<u64, Fault> {
        self.backend.registry_count(self.store)
    }
}

/// Versioned documents.
#[derive(Debug)]
pub struct Table<'a> {
    backend: &'a mut Backend,
    store: &'a str,
}

impl Table<'_> {
    /// The document under `key`.
    ///
    /// # Errors
    /// Whatever the host answers instead.
    pub fn get(&mut self, key: &str) -> Result<Option<Document>, Fault> {
        self.backend.table_get(self.store, key)
    }

    /// Writes, if `expect` holds. Answers the new version, or `None` when it did not hold and nothing was written.
    ///
    /// # Errors
    /// Whatever the host answers instead.
    pub fn put(&mut self, key: &str, value: &str, expect: Expect) -> Result<Option<u64>, Fault> {
        self.backend.table_put(self.store, key, value, expect)
    }

    /// Removes, if `expect` holds; `false` when nothing was removed.
    ///
    /// # Errors
    /// Whatever the host answers instead.
    pub fn remove(&mut self, key: &str, expect: Expect) -> Result<bool, Fault> {
        self.backend.table_remove(self.store, key, expect)
    }

    /// At most `limit` documents in key order, after the key `after`. It conflicts with every concurrent write to the store.
    ///
    /// # Errors
    /// Whatever the host answers instead.
    pub fn list(&mut self, after: Option<&str>, limit: u32) -> Result<Vec<(String, Document)>, Fault> {
        self.backend.table_list(self.store, after, limit)
    }
}

/// Append-only records.
#[derive(Debug)]
pub struct Log<'a> {
    backend: &'a mut Backend,
    store: &'a str,
}

impl Log<'_> {
    /// Adds a record. It has a position only once the run has committed, so none is answered.
    ///
    /// # Errors
    /// Whatever the host answers instead.
    pub fn append(&mut self, value: &str) -> Result<(), Fault> {
        self.backend.log_append(self.store, value)
    }

    /// At most `limit` records from position `from`; 0 is the first. It conflicts with every concurrent write to the store.
    ///
    /// # Errors
    /// Whatever the host answers instead.
    pub fn read(&mut self, from: u64, limit: u32) -> Result<Vec<String>, Fault> {
        self.backend.log_read(self.store, from, limit)
    }
}

/// The host's clock.
#[derive(Debug)]
pub struct Clock<'a> {
    backend: &'a mut Backend,
}

impl Clock<'_> {
    /// UTC, RFC 3339 with six fractional digits and no offset: `2026-01-02T03:04:05.678901`.
    ///
    /// # Errors
    /// Whatever the host answers instead.
    pub fn now(&mut self) -> Result<String, Fault> {
        self.backend.clock_now()
    }
}

/// The host's randomness.
#[derive(Debug)]
pub struct Random<'a> {
    backend: &'a mut Backend,
}

impl Random<'_> {
    /// Unpredictable bytes.
    ///
    /// # Errors
    /// Whatever the host answers instead.
    pub fn bytes(&mut self, len: u32) -> Result<Vec<u8>, Fault> {
        self.backend.random_bytes(len)
    }

    /// 16 bytes that no other call is given: an identifier, not a secret.
    ///
    /// # Errors
    /// Whatever the host answers instead.
    pub fn unique(&mut self) -> Result<Vec<u8>, Fault> {
        self.backend.random_unique()
    }
}

impl Context<'_> {
    /// Peers by HTTP, those that the binding's rows name.
    pub const fn http(&mut self) -> Http<'_> {
        Http { backend: self.backend }
    }

    /// Files, of the folders that the binding's rows name.
    pub const fn files(&mut self) -> Files<'_> {
        Files { backend: self.backend }
    }

    /// Other workflows, those that the binding's rows name: each in a run of its own, later.
    pub const fn workflow(&mut self) -> Workflows<'_> {
        Workflows { backend: self.backend }
    }

    /// Messages to those whom the binding's rows name.
    pub const fn outbox(&mut self) -> Outbox<'_> {
        Outbox { backend: self.backend }
    }
}

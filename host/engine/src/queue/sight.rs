//! What a worker looks at in a row: one moment of the ledger with the rules in force, and rows that were read in it.
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use enact_core::hash::Digest;
use enact_core::state::{Space, StateView};
use enact_store::{Moment, Reader, StoreError, TxView};

use crate::engine::Engine;
use crate::error::Result;
use crate::govern::Ruled;

/// Rows of one moment, by space and key.
type Rows = RefCell<HashMap<(Space, String), Option<String>>>;

/// A reader with the moment that it holds.
pub(super) struct Sight {
    pub(super) reader: Reader,
    rows: Rows,
    ruled: Option<(Arc<Ruled>, Digest)>,
    /// When the moment began, microseconds; `None` when none is held.
    since: Option<u64>,
}

impl Sight {
    pub(super) fn new(reader: Reader) -> Self {
        Self { reader, rows: Rows::default(), ruled: None, since: None }
    }

    /// Lets go of the moment: a log grows behind it.
    pub(super) fn close(&mut self) -> Result<()> {
        self.since = None;
        self.ruled = None;
        self.rows.borrow_mut().clear();
        Ok(self.reader.end()?)
    }

    /// Holds a moment that began at most so many microseconds ago.
    pub(super) fn fresh(&mut self, now: u64, age: u64) -> Result<()> {
        if self.since.is_some_and(|since| since <= now && now - since < age) {
            return Ok(());
        }
        self.close()?;
        self.reader.begin()?;
        self.since = Some(now);
        Ok(())
    }

    /// The rules in force in this moment.
    pub(super) fn ruled(&mut self, engine: &Engine) -> Result<(Arc<Ruled>, Digest)> {
        if let Some((ruled, protocol)) = &self.ruled {
            return Ok((Arc::clone(ruled), *protocol));
        }
        let (ruled, protocol) = {
            let look = self.look()?;
            let protocol = engine.in_force(&look)?;
            (engine.rules(&protocol, &look)?, protocol)
        };
        self.ruled = Some((Arc::clone(&ruled), protocol));
        Ok((ruled, protocol))
    }

    /// The state in this moment.
    pub(super) fn look(&mut self) -> Result<Look<'_>> {
        Ok(Look { moment: self.reader.moment(None)?, rows: &self.rows })
    }
}

/// The state in one moment; each row is read once.
pub(super) struct Look<'s> {
    moment: Moment<'s>,
    rows: &'s Rows,
}

impl StateView for Look<'_> {
    type Error = StoreError;

    fn get(&self, space: Space, key: &str) -> Result<Option<String>, StoreError> {
        let mut rows = self.rows.borrow_mut();
        let key = (space, key.to_owned());
        if let Some(row) = rows.get(&key) {
            return Ok(row.clone());
        }
        let row = self.moment.get(space, &key.1)?;
        rows.insert(key, row.clone());
        Ok(row)
    }
}

impl TxView for Look<'_> {
    fn snapshot(&self, hash: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.moment.snapshot(hash)
    }
}

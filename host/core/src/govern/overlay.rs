//! The state as a batch of records leaves it, over the view of the state before.
//!
//! Rows are read once, parsed once and shared; what changes stays here until the whole batch is judged. Nothing is written.

use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::judge::JudgeError;
use super::row::{ActorRow, AssetRow, BalanceRow, ConsumedRow, SubjectRow, SystemRow};
use crate::canonical;
use crate::state::{Put, Space, StateDelta, StateView};

/// A row that was looked at.
struct Slot<T> {
    row: Option<Rc<T>>,
    written: bool,
}

/// First size of the buffer in which rows are written; most rows are shorter.
const ROW_CAPACITY: usize = 512;

/// The rows of one space.
type Rows<T> = BTreeMap<String, Slot<T>>;

/// The view, and what the batch has changed so far.
pub(super) struct Overlay<'v, V: ?Sized> {
    view: &'v V,
    actors: Rows<ActorRow>,
    assets: Rows<AssetRow>,
    balances: Rows<BalanceRow>,
    consumed: Rows<ConsumedRow>,
    subjects: Rows<SubjectRow>,
    system: Rows<SystemRow>,
}

macro_rules! rows {
    ($($read:ident $write:ident $field:ident $row:ident $space:ident $doc:literal)*) => {$(
        #[doc = $doc]
        pub(super) fn $read(&mut self, key: &str) -> Result<Option<Rc<$row>>, JudgeError<V::Error>> {
            read(self.view, &mut self.$field, Space::$space, key)
        }

        /// Writes such a row.
        pub(super) fn $write(&mut self, key: &str, row: $row) {
            self.$field.insert(key.to_owned(), Slot { row: Some(Rc::new(row)), written: true });
        }
    )*};
}

impl<'v, V: StateView + ?Sized> Overlay<'v, V> {
    pub(super) fn new(view: &'v V) -> Self {
        Self {
            view,
            actors: Rows::new(),
            assets: Rows::new(),
            balances: Rows::new(),
            consumed: Rows::new(),
            subjects: Rows::new(),
            system: Rows::new(),
        }
    }

    rows! {
        actor put_actor actors ActorRow Actor "An actor by its id."
        asset put_asset assets AssetRow Asset "Totals of an asset or lot."
        balance put_balance balances BalanceRow Balance "Totals of an account in an asset."
        consumed put_consumed consumed ConsumedRow Consumed "A key that was used up."
        subject put_subject subjects SubjectRow Subject "Where a subject stands."
        system put_system system SystemRow System "The founding or the protocol in force."
    }

    /// Whether a subject has a record. Its row is not read for that.
    pub(super) fn has_subject(&self, key: &str) -> Result<bool, JudgeError<V::Error>> {
        match self.subjects.get(key) {
            Some(slot) => Ok(slot.row.is_some()),
            None => Ok(self.view.get(Space::Subject, key).map_err(JudgeError::View)?.is_some()),
        }
    }

    /// Everything that was written, in the order of space and key.
    pub(super) fn delta(self) -> Result<StateDelta, JudgeError<V::Error>> {
        // One buffer for all rows: a row then costs one allocation of exactly its length.
        let (mut puts, mut buffer) = (Vec::new(), Vec::with_capacity(ROW_CAPACITY));
        write(&mut puts, &mut buffer, Space::Actor, self.actors)?;
        write(&mut puts, &mut buffer, Space::Asset, self.assets)?;
        write(&mut puts, &mut buffer, Space::Balance, self.balances)?;
        write(&mut puts, &mut buffer, Space::Consumed, self.consumed)?;
        write(&mut puts, &mut buffer, Space::Subject, self.subjects)?;
        write(&mut puts, &mut buffer, Space::System, self.system)?;
        Ok(StateDelta { puts })
    }
}

fn read<T: DeserializeOwned, V: StateView + ?Sized>(
    view: &V,
    rows: &mut Rows<T>,
    space: Space,
    key: &str,
) -> Result<Option<Rc<T>>, JudgeError<V::Error>> {
    if let Some(slot) = rows.get(key) {
        return Ok(slot.row.clone());
    }
    let row = match view.get(space, key).map_err(JudgeError::View)? {
        Some(text) => {
            let row = serde_json::from_str(&text).map_err(|_| JudgeError::Row { space, key: key.to_owned() })?;
            Some(Rc::new(row))
        }
        None => None,
    };
    rows.insert(key.to_owned(), Slot { row: row.clone(), written: false });
    Ok(row)
}

fn write<T: Serialize, E>(puts: &mut Vec<Put>, buffer: &mut Vec<u8>, space: Space, rows: Rows<T>) -> Result<(), JudgeError<E>> {
    for (key, slot) in rows {
        let Some(row) = slot.row.filter(|_| slot.written) else { continue };
        buffer.clear();
        let written = canonical::write_to(buffer, &*row).ok().and_then(|()| core::str::from_utf8(buffer).ok());
        let Some(value) = written else { return Err(JudgeError::Row { space, key }) };
        puts.push(Put { space, key, value: value.to_owned() });
    }
    Ok(())
}

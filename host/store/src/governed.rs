//! Appending what is governed: a batch of drafts in one durable transaction, each judged against the state that the earlier ones leave.
//! Nothing is decided here: a [`Judge`] decides, and its rows are kept with the entry.

use enact_core::entry::{Draft, Head, Record, Sealed};
use enact_core::state::{StateDelta, StateView};

use crate::apart::Ticket;
use crate::batch::{Batch, Beside, Judged, NO_UNIT, Tx};
use crate::error::StoreError;
use crate::model::Committed;
use crate::refusals::RefusedProposal;
use crate::writer::Writer;

/// What a judge sees of the transaction: the state that all entries before leave, earlier ones of the batch included.
pub trait TxView: StateView<Error = StoreError> {
    /// A sealed protocol snapshot by its hash.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    fn snapshot(&self, hash: &str) -> Result<Option<Vec<u8>>, StoreError>;
}

/// Who decides what becomes an entry. Called while others wait, mostly inside the transaction, so it must not wait for anything. What it
/// says of a batch may be thrown away and asked again.
pub trait Judge {
    /// Why a draft did not become an entry.
    type Refused;

    /// Seals the draft as the entry after `head`, with the rows that it writes in the order of space and key; or refuses it. The draft
    /// carries the time that the entry gets.
    ///
    /// # Errors
    /// Whatever kept it from deciding. Nothing of the whole batch is stored then.
    fn judge(&mut self, view: &dyn TxView, head: &Head, draft: &Draft) -> Result<Result<(Sealed, StateDelta), Self::Refused>, StoreError>;

    /// What is kept of a refusal, in the same transaction. Nothing, unless the judge says otherwise.
    fn keep(&self, _refused: &Self::Refused) -> Option<RefusedProposal> {
        None
    }
}

impl Writer {
    /// Appends a batch in one durable transaction and stores the checkpoint that `sign` makes of the new head with it.
    ///
    /// The answers are in the order of the batch. A draft that is refused leaves no trace among the entries and rows. `now` is the clock as
    /// in [`Writer::append`]; every draft is given the later of it and the head's time.
    ///
    /// # Errors
    /// Whatever the judge answers, [`StoreError::Judged`] when its answer cannot be stored, or as [`Writer::append`]. Nothing of the batch
    /// is in the ledger then, and nothing is when the judge panics.
    pub fn append_governed<J: Judge + ?Sized>(
        &mut self,
        drafts: &mut [Draft],
        now: &str,
        judge: &mut J,
        sign: &dyn Fn(&Head) -> String,
    ) -> Result<Vec<Result<Committed, J::Refused>>, StoreError> {
        self.finish(&mut Drafts { drafts, judge }, now, sign)
    }

    /// As [`Writer::append_governed`], but does not wait: the next batch may be judged on this one before it is durable.
    ///
    /// # Errors
    /// As [`Writer::append_governed`]; what keeps the batch from being stored is said when the ticket is settled.
    pub fn start_governed<J: Judge + ?Sized>(
        &mut self,
        drafts: &mut [Draft],
        now: &str,
        judge: &mut J,
        sign: &dyn Fn(&Head) -> String,
    ) -> Result<Ticket<J::Refused>, StoreError> {
        self.start(&mut Drafts { drafts, judge }, &[], now, sign)
    }
}

/// Drafts and who judges them.
struct Drafts<'a, J: ?Sized> {
    drafts: &'a mut [Draft],
    judge: &'a mut J,
}

impl<J: Judge + ?Sized> Batch for Drafts<'_, J> {
    type Left = J::Refused;
    type Rest = ();

    fn is_apart(&self) -> bool {
        true
    }

    fn len(&self) -> usize {
        self.drafts.len()
    }

    fn records(&self, nth: usize) -> Result<&[Record], StoreError> {
        Ok(&self.drafts.get(nth).ok_or(NO_UNIT)?.records)
    }

    fn judge(&mut self, nth: usize, tx: &Tx<'_>, head: &Head, at: &str) -> Result<Judged<J::Refused>, StoreError> {
        let draft = self.drafts.get_mut(nth).ok_or(NO_UNIT)?;
        judged(self.judge, tx, head, draft, at)
    }

    fn keep(&self, left: &J::Refused) -> Option<RefusedProposal> {
        self.judge.keep(left)
    }

    fn rest(&mut self, _: usize, _: &Committed, _: &mut Beside<'_>) -> Result<(), StoreError> {
        Ok(())
    }

    fn store((): (), _: u64, _: &mut Beside<'_>) -> Result<(), StoreError> {
        Ok(())
    }
}

/// What a judge answers about a draft that was given its time, as far as it can be stored.
pub(crate) fn judged<J: Judge + ?Sized>(
    judge: &mut J,
    tx: &Tx<'_>,
    head: &Head,
    draft: &mut Draft,
    at: &str,
) -> Result<Judged<J::Refused>, StoreError> {
    at.clone_into(&mut draft.at);
    let answer = judge.judge(tx, head, draft)?;
    if let Ok((sealed, delta)) = &answer {
        follows(head, draft, sealed, delta)?;
    }
    Ok(answer)
}

/// Whether what the judge answered can be stored after the head without contradicting it.
fn follows(head: &Head, draft: &Draft, sealed: &Sealed, delta: &StateDelta) -> Result<(), StoreError> {
    let wrong = |what| Err(StoreError::Judged { seq: head.size, what });
    let next = &sealed.head;
    if sealed.seq != head.size || Some(next.size) != head.size.checked_add(1) || next.entry_hash != Some(sealed.entry_hash) {
        return wrong("it does not follow the head");
    }
    if next.check().is_err() || next.at < head.at {
        return wrong("the head after it contradicts itself");
    }
    if sealed.records.len() != draft.records.len() {
        return wrong("it has not one hash for each record");
    }
    let place = |nth: usize| delta.puts.get(nth).map(|put| (put.space, put.key.as_str()));
    if (1..delta.puts.len()).any(|nth| place(nth.saturating_sub(1)) >= place(nth)) {
        return wrong("its rows are not in the order of space and key");
    }
    Ok(())
}

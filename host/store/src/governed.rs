//! Appending what is governed: a batch of drafts in one durable transaction, each judged against the state that the earlier ones leave.
//! Nothing is decided here: a [`Judge`] decides, and its rows are kept with the entry.

use std::cell::RefCell;
use std::mem;

use enact_core::entry::{Draft, Head, Sealed};
use enact_core::state::{Space, StateDelta, StateView};
use rusqlite::{Connection, TransactionBehavior};

use crate::cache::Cache;
use crate::derived;
use crate::error::StoreError;
use crate::ledger;
use crate::model::Committed;
use crate::open;
use crate::refusals::{self, RefusedProposal};
use crate::stats::Counters;
use crate::writer::{SNAPSHOT, Writer, later};

/// What a judge sees of the transaction: the state that all entries before leave, earlier ones of the batch included.
pub trait TxView: StateView<Error = StoreError> {
    /// A sealed protocol snapshot by its hash.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    fn snapshot(&self, hash: &str) -> Result<Option<Vec<u8>>, StoreError>;
}

/// Who decides what becomes an entry. Called inside the transaction, so it must not wait for anything.
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
        if drafts.is_empty() {
            return Ok(Vec::new());
        }
        // Taken, so that a batch that comes to nothing leaves nothing behind in memory either.
        let cache = mem::take(&mut self.cache);
        let done = append(&mut self.connection, cache, drafts, now, judge, sign);
        let done = done.map_err(|e| open::at(e, &self.shared.options))?;
        self.cache = done.cache;
        let counters = &self.shared.counters;
        Counters::add(&counters.transactions, u64::from(done.durable));
        for answer in &done.answers {
            Counters::add(if answer.is_ok() { &counters.commits } else { &counters.refused }, 1);
        }
        self.checkpoint_after(done.durable);
        Ok(done.answers)
    }
}

/// What a batch came to.
struct Done<R> {
    answers: Vec<Result<Committed, R>>,
    durable: bool,
    cache: Cache,
}

/// The transaction as a judge sees it.
struct Tx<'c> {
    connection: &'c Connection,
    cache: RefCell<Cache>,
}

impl StateView for Tx<'_> {
    type Error = StoreError;

    fn get(&self, space: Space, key: &str) -> Result<Option<String>, StoreError> {
        let mut cache = self.cache.borrow_mut();
        if let Some(row) = cache.get(space, key) {
            return Ok(row);
        }
        let row = derived::present(self.connection, space, key)?.map(|(_, value)| value);
        cache.put(space, key.to_owned(), row.clone());
        Ok(row)
    }
}

impl TxView for Tx<'_> {
    fn snapshot(&self, hash: &str) -> Result<Option<Vec<u8>>, StoreError> {
        ledger::blob(self.connection, SNAPSHOT, hash)
    }
}

/// The transaction. Dropped without a commit, by an error or a panic in the judge, it is rolled back.
fn append<J: Judge + ?Sized>(
    connection: &mut Connection,
    mut cache: Cache,
    drafts: &mut [Draft],
    now: &str,
    judge: &mut J,
    sign: &dyn Fn(&Head) -> String,
) -> Result<Done<J::Refused>, StoreError> {
    // Immediate: the lock is taken before the head is read, so that no other process can append in between.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut head = ledger::head(&transaction)?;
    // Rows are only ever added, by entries whose numbers only ever grow. While the last one is the one we know of, no other process wrote
    // any; run receipts write none.
    let last = derived::last(&transaction)?;
    if cache.known != Some(last) {
        cache = Cache::default();
    }
    let at = later(&head.at, now);
    let tx = Tx { connection: &transaction, cache: RefCell::new(cache) };
    let mut answers = Vec::with_capacity(drafts.len());
    let mut last = last;
    let (mut appended, mut kept) = (false, false);
    for draft in drafts {
        draft.at.clone_from(&at);
        match judge.judge(&tx, &head, draft)? {
            Ok((sealed, delta)) => {
                follows(&head, &sealed, &delta)?;
                let seq = ledger::insert_entry(&transaction, &sealed)?;
                let mut cache = tx.cache.borrow_mut();
                for put in delta.puts {
                    derived::insert(&transaction, seq, &put)?;
                    cache.put(put.space, put.key, Some(put.value));
                    last = Some(seq);
                }
                let Sealed { seq, entry_hash, leaf, head: next, .. } = sealed;
                answers.push(Ok(Committed { seq, entry_hash, leaf, at: next.at.clone() }));
                head = next;
                appended = true;
            }
            Err(refused) => {
                if let Some(proposal) = judge.keep(&refused) {
                    refusals::insert(&transaction, &proposal)?;
                    kept = true;
                }
                answers.push(Err(refused));
            }
        }
    }
    let mut cache = tx.cache.into_inner();
    cache.known = Some(last);
    if !appended && !kept {
        transaction.rollback()?;
        return Ok(Done { answers, durable: false, cache });
    }
    if appended {
        ledger::set_head(&transaction, &head, &sign(&head))?;
    }
    transaction.commit()?;
    Ok(Done { answers, durable: true, cache })
}

/// Whether what the judge answered can be stored after the head without contradicting it.
fn follows(head: &Head, sealed: &Sealed, delta: &StateDelta) -> Result<(), StoreError> {
    let wrong = |what| Err(StoreError::Judged { seq: head.size, what });
    let next = &sealed.head;
    if sealed.seq != head.size || Some(next.size) != head.size.checked_add(1) || next.entry_hash != Some(sealed.entry_hash) {
        return wrong("it does not follow the head");
    }
    if next.check().is_err() || next.at < head.at {
        return wrong("the head after it contradicts itself");
    }
    let place = |nth: usize| delta.puts.get(nth).map(|put| (put.space, put.key.as_str()));
    if (1..delta.puts.len()).any(|nth| place(nth.saturating_sub(1)) >= place(nth)) {
        return wrong("its rows are not in the order of space and key");
    }
    Ok(())
}

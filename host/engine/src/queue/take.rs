//! What a worker does before it runs anything: give back what has expired, list, validate, write down what is new, take.
use std::collections::BTreeMap;

use enact_core::govern::contract;
use enact_queue::change::{By, Change};
use enact_queue::id::QueueId;
use enact_queue::item::Item;
use enact_queue::lease::{Fence as QueueFence, Lease};
use enact_queue::order::Place;
use enact_queue::status::{Event, Status};
use enact_queue::validation::Answer;
use enact_queue::worker::{Held, Taken, Told};
use enact_store::{Fence, QueueFilter, QueueItem, QueueTake};

use super::item::{Seen, about, last_line, named_contract, refused_queue, seen, stored_time};
use super::view;
use super::worker::{Driver, MOMENT_US, RECHECK_US};
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::govern::{Components, Signatures};

impl Driver<'_> {
    pub(super) fn recover(&mut self) -> Result<()> {
        let now = self.engine.queue_now();
        self.sight.close()?;
        // Asked without the lock that commits need.
        if self.sight.reader.queue_deadline()?.is_none_or(|deadline| deadline > now) {
            return Ok(());
        }
        let mut line = |event: &str, item: &QueueItem| stepped(self.engine, event, item, now).1;
        self.engine.with_writer(|writer| Ok(writer.queue_recover(now, &mut line)?)).map(drop)
    }

    pub(super) fn list(&mut self, after: Option<Place>, limit: usize) -> Result<Told> {
        let now = self.engine.queue_now();
        if after.is_none() {
            // What changes from now on is seen by who waits for it.
            self.sight.close()?;
            self.version = self.sight.reader.data_version()?;
        }
        self.sight.fresh(now, 0)?;
        self.listed.clear();
        self.looked_at.clear();
        if after.is_none() {
            self.look_for_contracts()?;
        }
        let Some(contracts) = &self.workable else {
            (self.page, self.next) = (None, None);
            return Ok(Told::Listed { pending: Vec::new(), retries: Vec::new(), next: None });
        };
        let reader = &mut self.sight.reader;
        let size = reader.head()?.size;
        let count = u64::try_from(limit).unwrap_or(u64::MAX);
        let due = reader.queue_due(Status::Failed.as_str(), contracts, now, count)?;
        let wakes = [
            reader.queue_wake()?,
            reader.queue_due_next(Status::Failed.as_str(), now)?,
            reader.queue_due_next(Status::Executed.as_str(), now)?,
        ];
        let next = wakes.into_iter().flatten().filter(|at| *at > now).min();
        self.next = next;
        let mut retries = Vec::with_capacity(due.len());
        for item in due {
            if let Ok(id) = QueueId::parse(&item.row.item) {
                retries.push(id.clone());
                self.listed.insert(id, item);
            }
        }
        let fresh = self.checked.is_none_or(|(seen, at)| seen != size || now >= at.saturating_add(RECHECK_US));
        if after.is_none() && !fresh {
            return Ok(Told::Listed { pending: Vec::new(), retries, next });
        }
        let mut from = self.page.filter(|(place, _)| Some(*place) == after).map_or(0, |(_, id)| id);
        let filter = QueueFilter { status: Some(Status::Pending.as_str().to_owned()), ..QueueFilter::default() };
        let mut pending = Vec::with_capacity(limit);
        while pending.len() < limit {
            let wanted = limit.saturating_sub(pending.len());
            let items = reader.queue_items(&filter, from, u64::try_from(wanted).unwrap_or(u64::MAX))?;
            let ended = items.len() < wanted;
            for item in items {
                from = item.id;
                if item.row.not_before <= now && (contracts.is_empty() || contracts.contains(&item.row.contract)) {
                    let place = Place { entry: item.row.seq, position: item.row.pos };
                    let id = QueueId::parse(&item.row.item).map_err(refused_queue)?;
                    pending.push((place, id.clone()));
                    self.listed.insert(id, item);
                }
            }
            if ended {
                self.checked = Some((size, now));
                break;
            }
        }
        self.page = pending.last().map(|(place, _)| (*place, from));
        Ok(Told::Listed { pending, retries, next })
    }

    /// Validates an item now; answers whether the journal says something else so far.
    pub(super) fn validate(&mut self, id: &QueueId, fence: Option<QueueFence>) -> Result<(Answer, bool)> {
        let now = self.engine.queue_now();
        self.sight.fresh(now, MOMENT_US)?;
        let (ruled, _) = self.sight.ruled(self.engine)?;
        let seen = match (fence, self.listed.remove(id)) {
            (Some(fence), _) => self.seen(&Held { id: id.clone(), fence }),
            (None, Some(stored)) => self.seen_row(stored, now).map(Some),
            (None, None) => self.see(id),
        };
        let seen = match seen {
            Ok(Some(seen)) => seen,
            Ok(None) => return Err(super::item::unknown(id.as_str())),
            Err(EngineError::Queue { code, .. }) => return Ok((not_askable(code)?, true)),
            Err(error) => return Err(error),
        };
        let contract = named_contract(&ruled.protocol, &seen.stored.row.contract)?;
        let outside = Components { engine: self.engine, modules: &ruled.modules, signatures: &Signatures::default() };
        let at = stored_time(now);
        let about = contract::Item { subject: &seen.subject, actor: self.author.actor, at: &at };
        let answer = match contract::validate(&ruled.protocol, contract, &self.sight.look()?, &outside, &about) {
            Ok(validation) => view::answer(&validation)?,
            Err(error) => {
                let error = super::item::refused_item(error);
                let EngineError::Queue { code, .. } = error else { return Err(error) };
                not_askable(code)?
            }
        };
        let changed = !seen.item.says(&answer, &seen.known);
        if fence.is_none() {
            self.looked_at.insert(id.clone(), seen);
        }
        Ok((answer, changed))
    }

    /// The item as it was validated in this pass; whether it is still so is compared when it is written.
    fn validated(&mut self, id: &QueueId) -> Result<Option<Seen>> {
        match self.looked_at.remove(id) {
            Some(seen) => Ok(Some(seen)),
            None => self.see(id),
        }
    }

    pub(super) fn mark(&mut self, answers: &[(QueueId, Answer)]) -> Result<usize> {
        let mut changes = Vec::with_capacity(answers.len());
        for (id, answer) in answers {
            if let Some(seen) = self.validated(id)?
                && let Ok(next) = seen.item.apply(&Change::Validation(answer.clone()), &seen.known)
            {
                changes.push(seen.to(&next));
            }
        }
        self.sight.close()?;
        let answers = self.engine.with_writer(|writer| Ok(writer.queue_change(&changes)?))?;
        Ok(answers.iter().filter(|answer| answer.is_ok()).count())
    }

    pub(super) fn lease(&mut self, limit: usize, deadline: u64, retries: &[(QueueId, Answer)]) -> Result<Vec<Taken>> {
        let now = self.engine.queue_now();
        // A batch is over before the next is taken.
        self.held.clear();
        let Some(contracts) = self.workable.clone() else { return Ok(Vec::new()) };
        let limit = self.pace.next(now, limit);
        self.sight.fresh(now, 0)?;
        let count = u64::try_from(limit).unwrap_or(u64::MAX);
        let mut wanted = Vec::new();
        for stored in self.sight.reader.queue_due(Status::Executed.as_str(), &contracts, now, count)? {
            let seen = self.seen_row(stored, now)?;
            wanted.push((seen, Change::Resume { owner: self.owner.clone(), deadline, by: By::Automatic }));
        }
        for (id, answer) in retries {
            if let Some(seen) = self.validated(id)? {
                let (owner, answer) = (self.owner.clone(), answer.clone());
                wanted.push((seen, Change::Retry { owner, deadline, by: By::Automatic, answer }));
            }
        }
        let (changes, after) = wishes(wanted, limit);
        self.sight.close()?;
        let take = QueueTake { now, owner: &self.owner, ttl: deadline.saturating_sub(now), count, contracts: &contracts };
        let mut lines: BTreeMap<String, Item> = BTreeMap::new();
        let mut line = |event: &str, item: &QueueItem| {
            let (line, text) = stepped(self.engine, event, item, now);
            if let Some(line) = line {
                lines.insert(item.row.item.clone(), line);
            }
            text
        };
        let (answers, leased) = self.engine.with_writer(|writer| Ok(writer.queue_take(&changes, &take, &mut line)?))?;
        let mut taken = self.holding(after, answers);
        self.sight.fresh(now, 0)?;
        for stored in leased {
            let held = Held { id: QueueId::parse(&stored.row.item).map_err(refused_queue)?, fence: QueueFence(stored.row.fence) };
            let seen = match lines.remove(&stored.row.item) {
                Some(line) => {
                    let (ruled, _) = self.sight.ruled(self.engine)?;
                    about(&ruled.protocol, &self.sight.look()?, self.author.actor, stored, line, now)
                }
                None => self.seen_row(stored, now),
            };
            match seen {
                Ok(seen) => {
                    taken.push(Taken { held: held.clone(), mode: seen.known.mode, executed: seen.known.facts.executed });
                    self.held.insert(held.id, seen);
                }
                // Nothing can be said of it: its validation will say why.
                Err(EngineError::Queue { .. }) => taken.push(Taken { held, mode: enact_queue::facts::Mode::None, executed: false }),
                Err(error) => return Err(error),
            }
        }
        self.pace.took(now, taken.len());
        Ok(taken)
    }

    /// Takes these items in one transaction; what is refused is left out.
    pub(super) fn take(&mut self, wanted: Vec<(Seen, Change)>, limit: usize) -> Result<Vec<Taken>> {
        let (changes, after) = wishes(wanted, limit);
        self.sight.close()?;
        let answers = self.engine.with_writer(|writer| Ok(writer.queue_change(&changes)?))?;
        Ok(self.holding(after, answers))
    }

    /// Remembers what was taken.
    fn holding<E>(&mut self, after: Vec<Seen>, answers: Vec<Result<(), E>>) -> Vec<Taken> {
        let mut taken = Vec::with_capacity(after.len());
        for (seen, _) in after.into_iter().zip(answers).filter(|(_, answer)| answer.is_ok()) {
            let held = Held { id: seen.item.id.clone(), fence: seen.item.fence };
            taken.push(Taken { held: held.clone(), mode: seen.known.mode, executed: seen.known.facts.executed });
            self.held.insert(held.id, seen);
        }
        taken
    }

    pub(super) fn renew(&mut self, items: &[Held], deadline: u64) -> Result<Vec<QueueId>> {
        let held: Vec<Fence> = items.iter().map(|held| Fence { item: held.id.as_str().to_owned(), fence: held.fence.0 }).collect();
        let owner = &self.owner;
        self.sight.close()?;
        let answers = self.engine.with_writer(|writer| Ok(writer.queue_renew(owner, &held, deadline)?))?;
        let mut renewed = Vec::with_capacity(items.len());
        for (item, answer) in items.iter().zip(answers) {
            if answer.is_err() {
                self.forget(&item.id);
                continue;
            }
            renewed.push(item.id.clone());
            if let Some(seen) = self.held.get_mut(&item.id) {
                // No line is written for it.
                seen.item.lease.iter_mut().for_each(|lease| lease.deadline = deadline);
                seen.stored.row.lease.iter_mut().for_each(|lease| lease.deadline = deadline);
            }
        }
        Ok(renewed)
    }
}

/// Changes that take items, as many as fit, with the items after them.
fn wishes(wanted: Vec<(Seen, Change)>, limit: usize) -> (Vec<enact_store::QueueChange>, Vec<Seen>) {
    let (mut changes, mut after) = (Vec::new(), Vec::new());
    for (mut seen, change) in wanted {
        if changes.len() < limit
            && let Ok(next) = seen.item.apply(&change, &seen.known)
        {
            let change = seen.to(&next);
            seen.stored.row = change.row.clone();
            seen.item = next;
            changes.push(change);
            after.push(seen);
        }
    }
    (changes, after)
}

/// The line of a step that the store makes by itself: taking what is ready, giving back what has expired.
fn stepped(engine: &Engine, event: &str, item: &QueueItem, now: u64) -> (Option<Item>, String) {
    // The row is the one after the step; the line is the one before.
    let Some(mut line) = last_line(item).or_else(|| lost(engine, item, now)) else {
        return (None, item.line.clone().unwrap_or_default());
    };
    line.updated_us = line.updated_us.max(now);
    line.attempts = item.row.attempts;
    line.lease = item.row.lease.as_ref().map(|lease| Lease {
        owner: lease.owner.clone(),
        deadline: lease.deadline,
        fence: QueueFence(item.row.fence),
    });
    if event == enact_store::LEASED {
        (line.status, line.event, line.reason) = (Status::Executing, Event::Leased, None);
    } else {
        (line.status, line.event) = (Status::Ready, Event::LeaseLost);
        line.reason = Some(enact_queue::change::REASON_EXPIRED.to_owned());
    }
    let text = line.to_line();
    (Some(line), text)
}

/// An item whose line is gone, as the ledger knows it.
fn lost(engine: &Engine, item: &QueueItem, now: u64) -> Option<Item> {
    let mut reader = engine.store().reader().ok()?;
    let mut moment = reader.moment(None).ok()?;
    let protocol = engine.in_force(&moment).ok()?;
    let ruled = engine.rules(&protocol, &moment).ok()?;
    let stored = QueueItem { line: None, ..item.clone() };
    seen(&ruled.protocol, &mut moment, "", stored, now).ok().map(|seen| seen.item)
}

/// An answer about an item that cannot be asked about: it is not valid, and the code says why.
fn not_askable(code: &'static str) -> Result<Answer> {
    Answer::of([("item_ok", Some(code))]).map_err(refused_queue)
}

//! What a worker makes durable: executions, settlements and final failures, each with its record, its run and its lines, all or nothing.
use std::collections::BTreeMap;

use ed25519_dalek::SigningKey;
use enact_core::entry::Record;
use enact_core::govern::contract::{self, Hook};
use enact_core::govern::sign;
use enact_core::state::StateView;
use enact_queue::change::Change;
use enact_queue::id::QueueId;
use enact_queue::item::{Item, Known};
use enact_queue::retry::Failure;
use enact_queue::worker::{Ask, Held, Outcome};
use enact_store::{Fence, QueueRow, Rejection, StoreError};
use serde_json::{Map, Value, json};

use super::class;
use super::gate::{Left, Made, Step, Unit, later};
use super::item::{Seen, named_contract, refused_item, stored_time};
use super::run::{self, Ran};
use super::worker::{Driver, MOMENT_US};
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::govern::{Ruled, Signatures};

/// Who drafts and signs records about items.
pub(crate) struct Author<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) actor: &'a str,
    pub(crate) key: &'a SigningKey,
}

impl Author<'_> {
    /// A record about an item, signed.
    pub(crate) fn says<V: StateView<Error = StoreError> + ?Sized>(
        &self,
        ruled: &Ruled,
        view: &V,
        contract_code: &str,
        subject: &str,
        step: contract::Step<'_>,
        given: &Map<String, Value>,
    ) -> Result<Record> {
        let contract = named_contract(&ruled.protocol, contract_code)?;
        let at = stored_time(self.engine.queue_now());
        let about = contract::Item { subject, actor: self.actor, at: &at };
        let record = contract::draft(&ruled.protocol, contract, view, &about, step, given).map_err(refused_item)?;
        let origin = &self.engine.workspace().config().origin;
        sign(record, origin, self.key).map_err(|e| EngineError::PayloadValue { detail: e.to_string() })
    }
}

/// A unit that is ready, or what becomes of the item instead.
type Prepared = Result<Unit, Outcome>;

impl Driver<'_> {
    /// Commits executions; every item has an answer.
    pub(super) fn commit(&mut self, items: &[Held]) -> Result<Vec<(QueueId, Outcome)>> {
        let mut signed = Signatures::default();
        let mut units = Vec::with_capacity(items.len());
        for held in items {
            let Some(ran) = self.results.remove(&held.id) else {
                units.push((held.id.clone(), Err(Outcome::Conflict)));
                continue;
            };
            units.push((held.id.clone(), self.execution(held, *ran, &mut signed)?));
        }
        self.append(units, &signed)
    }

    fn execution(&mut self, held: &Held, ran: Ran, signed: &mut Signatures) -> Result<Prepared> {
        let id = Some(ran.facts.id.clone());
        let facts = ran.facts.clone();
        self.unit(held, contract::Step::Execute(&facts), &Map::new(), Some(ran), signed, |holder, seen| {
            vec![Change::Executed { holder, fact: later(id, &seen.item) }]
        })
    }

    /// Settles internally; the hook of the contract runs before.
    pub(super) fn settle(&mut self, items: &[Held]) -> Result<Vec<(QueueId, Outcome)>> {
        // In a moment that knows their executions.
        self.sight.fresh(self.engine.queue_now(), 0)?;
        let mut signed = Signatures::default();
        let mut units = Vec::with_capacity(items.len());
        for held in items {
            units.push((held.id.clone(), self.settlement(held, &mut signed)?));
        }
        self.append(units, &signed)
    }

    fn settlement(&mut self, held: &Held, signed: &mut Signatures) -> Result<Prepared> {
        let Some(seen) = self.seen(held)? else { return Ok(Err(Outcome::Fenced)) };
        let ran = match self.run_of(&seen, Hook::Settle, 1)? {
            None => None,
            Some(run::Outcome::Ran(ran)) => Some(*ran),
            Some(run::Outcome::Failed(failure)) => return Ok(Err(Outcome::Failed(failure))),
        };
        let facts = ran.as_ref().map(|ran| ran.facts.clone());
        self.unit(held, contract::Step::Settle(facts.as_ref()), &Map::new(), ran, signed, |holder, seen| {
            vec![Change::Settled { holder: Some(holder), fact: later(None, &seen.item) }]
        })
    }

    /// Writes down failures that nobody may forget, with their records; if a record is refused, at least with its line.
    pub(super) fn fail(&mut self, items: &[(Held, Failure)]) -> Result<()> {
        for (held, _) in items {
            // Looked at anew: that it is not as it was may be why it failed.
            self.held.remove(&held.id);
        }
        self.sight.fresh(self.engine.queue_now(), 0)?;
        let mut signed = Signatures::default();
        let (mut units, mut rest) = (Vec::new(), Vec::new());
        for (held, failure) in items {
            if failure.class.needs_fact()
                && let Some(seen) = self.seen(held)?
            {
                let given = self.failure_members(&seen, failure)?;
                let unit = self.unit(held, contract::Step::Fail, &given, None, &mut signed, |holder, seen| {
                    vec![Change::Fail { holder, failure: failure.clone() }, Change::FailFinal(later(None, &seen.item))]
                })?;
                if unit.is_ok() {
                    units.push((held.id.clone(), unit));
                    continue;
                }
            }
            rest.push((held.clone(), failure.clone()));
        }
        for (id, outcome) in self.append(units, &signed)? {
            let refused = items.iter().find(|(held, _)| outcome != Outcome::Done && held.id == id);
            rest.extend(refused.cloned());
        }
        let held: Vec<Held> = rest.iter().map(|(held, _)| held.clone()).collect();
        self.write_all(&Ask::Fail { items: rest }, &held).map(drop)
    }

    /// Members of a `fail` record, as far as its action declares them.
    fn failure_members(&mut self, seen: &Seen, failure: &Failure) -> Result<Map<String, Value>> {
        let (ruled, _) = self.sight.ruled(self.engine)?;
        let contract = named_contract(&ruled.protocol, &seen.stored.row.contract)?;
        let lifecycle = ruled.protocol.lifecycle(&contract.decl.record);
        let action = lifecycle.and_then(|lifecycle| lifecycle.actions.get(&contract.decl.actions.fail));
        let said = [("class", json!(failure.class.as_str())), ("reason", json!(failure.reason))];
        let declared = |(name, _): &(&str, Value)| action.is_some_and(|action| action.declares(name));
        Ok(said.into_iter().filter(declared).map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// The entry of a step with what belongs to it.
    ///
    /// The item is as this worker's own last step left it: nobody else changes what is held, and if somebody took it, the comparison inside
    /// the transaction says so.
    fn unit(
        &mut self,
        held: &Held,
        step: contract::Step<'_>,
        given: &Map<String, Value>,
        ran: Option<Ran>,
        signed: &mut Signatures,
        changes: impl FnOnce(enact_queue::lease::Holder, &Seen) -> Vec<Change>,
    ) -> Result<Prepared> {
        let now = self.engine.queue_now();
        self.sight.fresh(now, MOMENT_US)?;
        let Some(mut seen) = self.seen(held)? else { return Ok(Err(Outcome::Fenced)) };
        seen.known.now = now;
        let (ruled, protocol) = self.sight.ruled(self.engine)?;
        let record = match self.author.says(&ruled, &self.sight.look()?, &seen.stored.row.contract, &seen.subject, step, given) {
            Ok(record) => record,
            Err(EngineError::Queue { code, .. }) => return Ok(Err(refusal(code))),
            Err(error) => return Err(error),
        };
        signed.made(&self.engine.workspace().config().origin, &record, self.author.key);
        let mut records = Vec::with_capacity(2);
        let mut run = None;
        if let Some(ran) = ran {
            records.push(ran.receipt);
            run = Some(ran.run);
        }
        records.push(record);
        let mut unit = Unit::plain(self.engine.draft(records, protocol, 1));
        unit.run = run;
        unit.fence = Some(Fence { item: held.id.as_str().to_owned(), fence: held.fence.0 });
        let (mut before, mut expect) = (seen.item.clone(), seen.expect());
        for what in changes(held.holder(&self.owner), &seen) {
            let (step, next) = match Step::of(expect, &seen.subject, &before, what, seen.known) {
                Ok(step) => step,
                Err(enact_queue::refused::Refused::Fenced { .. }) => return Ok(Err(Outcome::Fenced)),
                Err(refused) => return Ok(Err(Outcome::Duplicate(refused.code().to_owned()))),
            };
            expect = enact_store::QueueExpect::Is { status: Some(step.change.row.status.clone()), fence: Some(step.change.row.fence) };
            before = next;
            unit.steps.push(step);
        }
        Ok(Ok(unit))
    }

    /// One durable transaction for all that are ready.
    fn append(&mut self, units: Vec<(QueueId, Prepared)>, signed: &Signatures) -> Result<Vec<(QueueId, Outcome)>> {
        let mut outcomes: BTreeMap<QueueId, Outcome> = BTreeMap::new();
        let (mut ids, mut ready) = (Vec::new(), Vec::new());
        let mut order = Vec::with_capacity(units.len());
        for (id, unit) in units {
            order.push(id.clone());
            match unit {
                Ok(unit) => {
                    ids.push((id, unit.steps.last().map(|step| step.change.row.clone())));
                    ready.push(unit);
                }
                Err(outcome) => {
                    outcomes.insert(id, outcome);
                }
            }
        }
        if !ready.is_empty() {
            // Nothing is to be read in this moment any more, and the log can be moved.
            self.sight.close()?;
            let mut stored = self.engine.store_units(ready, signed)?;
            for ((id, row), answer) in ids.into_iter().zip(stored.answers) {
                if let Ok(made) = &answer {
                    self.entries.insert(id.clone(), made.committed.seq);
                    self.went_on(&id, row, stored.latest.remove(id.as_str()));
                }
                outcomes.insert(id, outcome(answer));
            }
        }
        Ok(order.into_iter().filter_map(|id| outcomes.remove(&id).map(|outcome| (id, outcome))).collect())
    }

    /// Remembers an item as a step of this worker left it.
    fn went_on(&mut self, id: &QueueId, row: Option<QueueRow>, item: Option<Item>) {
        match (self.held.get_mut(id), row, item) {
            (Some(seen), Some(row), Some(item)) => {
                seen.known.facts.executed |= item.executed_us.is_some();
                (seen.stored.row, seen.item) = (row, item);
            }
            // It is looked at anew when it is needed.
            _ => drop(self.held.remove(id)),
        }
    }

    /// Writes lines without records in one transaction; what is refused is somebody else's business by now.
    pub(super) fn write_all(&mut self, ask: &Ask, items: &[Held]) -> Result<Vec<(QueueId, Outcome)>> {
        let mut outcomes = Vec::with_capacity(items.len());
        let mut changes = Vec::with_capacity(items.len());
        let mut ids = Vec::with_capacity(items.len());
        for held in items {
            let (Some(seen), Some(change)) = (self.seen(held)?, ask.change(&self.owner, held)) else {
                outcomes.push((held.id.clone(), Outcome::Fenced));
                continue;
            };
            let known = Known { now: self.engine.queue_now(), ..seen.known };
            match seen.item.apply(&change, &known) {
                Ok(next) => {
                    changes.push(super::item::change(seen.expect(), &next, &known, Vec::new()));
                    ids.push(held.id.clone());
                }
                Err(enact_queue::refused::Refused::Fenced { .. }) => outcomes.push((held.id.clone(), Outcome::Fenced)),
                Err(refused) => outcomes.push((held.id.clone(), Outcome::Duplicate(refused.code().to_owned()))),
            }
        }
        if !changes.is_empty() {
            self.sight.close()?;
            let answers = self.engine.with_writer(|writer| Ok(writer.queue_change(&changes)?))?;
            let written = |answer: Result<(), _>| if answer.is_ok() { Outcome::Done } else { Outcome::Fenced };
            outcomes.extend(ids.into_iter().zip(answers.into_iter().map(written)));
        }
        Ok(outcomes)
    }
}

fn outcome(answer: Result<Made, Left>) -> Outcome {
    match answer {
        Ok(_) => Outcome::Done,
        Err(Left::Rejected(Rejection::Queue(_))) => Outcome::Fenced,
        Err(Left::Rejected(Rejection::Conflict(_))) => Outcome::Conflict,
        Err(Left::Rejected(rejection @ Rejection::Duplicate { .. })) => Outcome::Duplicate(rejection.code().to_owned()),
        Err(Left::Rejected(rejection)) => refusal(rejection.code()),
        Err(Left::Refused(refused)) => refusal(&refused.code),
    }
}

/// What a refused record is for the item.
fn refusal(code: &str) -> Outcome {
    if class::is_duplicate(code) {
        Outcome::Duplicate(code.to_owned())
    } else if class::is_stale(code) {
        Outcome::Conflict
    } else {
        Outcome::Failed(class::of_refusal(code))
    }
}

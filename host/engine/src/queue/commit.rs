//! What a worker makes durable: executions, settlements and final failures, each with its record, its run and its lines, all or nothing.
use std::collections::BTreeMap;

use ed25519_dalek::SigningKey;
use enact_core::entry::Record;
use enact_core::govern::contract::{self, Hook};
use enact_core::govern::sign;
use enact_queue::change::Change;
use enact_queue::id::QueueId;
use enact_queue::retry::Failure;
use enact_queue::worker::{Held, Outcome};
use enact_store::{Fence, Moment, Rejection};
use serde_json::{Map, Value, json};

use super::class;
use super::gate::{Left, Step, Unit, later};
use super::item::{Seen, named_contract, refused_item, see, stored_time, unknown};
use super::run::{self, Ran};
use super::worker::Driver;
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::govern::{Appended, Ruled, Signatures};

/// Who drafts and signs records about items.
pub(crate) struct Author<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) actor: &'a str,
    pub(crate) key: &'a SigningKey,
}

impl Author<'_> {
    /// A record about an item, signed.
    pub(crate) fn says(
        &self,
        ruled: &Ruled,
        moment: &Moment<'_>,
        contract_code: &str,
        subject: &str,
        step: contract::Step<'_>,
        given: &Map<String, Value>,
    ) -> Result<Record> {
        let contract = named_contract(&ruled.protocol, contract_code)?;
        let at = stored_time(self.engine.queue_now());
        let about = contract::Item { subject, actor: self.actor, at: &at };
        let record = contract::draft(&ruled.protocol, contract, moment, &about, step, given).map_err(refused_item)?;
        let origin = &self.engine.workspace().config().origin;
        sign(record, origin, self.key).map_err(|e| EngineError::PayloadValue { detail: e.to_string() })
    }
}

/// A unit that is ready, or what becomes of the item instead.
type Prepared = Result<Unit, Outcome>;

impl Driver<'_> {
    /// Commits executions; every item has an answer.
    pub(super) fn commit(&mut self, items: &[Held]) -> Result<Vec<(QueueId, Outcome)>> {
        let mut units = Vec::with_capacity(items.len());
        for held in items {
            let Some(ran) = self.results.remove(&held.id) else {
                units.push((held.id.clone(), Err(Outcome::Conflict)));
                continue;
            };
            units.push((held.id.clone(), self.execution(held, *ran)?));
        }
        self.append(units)
    }

    fn execution(&mut self, held: &Held, ran: Ran) -> Result<Prepared> {
        let run = Some(ran.facts.id.clone());
        self.unit(held, contract::Step::Execute(&ran.facts), &Map::new(), Some(&ran), |holder, seen| {
            vec![Change::Executed { holder, fact: later(run, &seen.item) }]
        })
    }

    /// Settles internally; the hook of the contract runs before.
    pub(super) fn settle(&mut self, items: &[Held]) -> Result<Vec<(QueueId, Outcome)>> {
        let mut units = Vec::with_capacity(items.len());
        for held in items {
            units.push((held.id.clone(), self.settlement(held)?));
        }
        self.append(units)
    }

    fn settlement(&mut self, held: &Held) -> Result<Prepared> {
        let Some(seen) = self.see(&held.id)? else { return Ok(Err(Outcome::Fenced)) };
        let ran = self.engine.queue_run(&seen.stored.row.contract, Hook::Settle, &mut self.reader, &seen.subject, self.author.actor, 1)?;
        let ran = match ran {
            None => None,
            Some(run::Outcome::Ran(ran)) => Some(ran),
            Some(run::Outcome::Failed(failure)) => return Ok(Err(Outcome::Failed(failure))),
        };
        let facts = ran.as_ref().map(|ran| &ran.facts);
        self.unit(held, contract::Step::Settle(facts), &Map::new(), ran.as_deref(), |holder, seen| {
            vec![Change::Settled { holder: Some(holder), fact: later(None, &seen.item) }]
        })
    }

    /// Writes down a failure that nobody may forget, with its record; if the record is refused, at least with its line.
    pub(super) fn fail(&mut self, held: &Held, failure: &Failure, lasting: bool) -> Result<()> {
        if lasting {
            let Some(seen) = self.see(&held.id)? else { return Ok(()) };
            let given = self.failure_members(&seen, failure)?;
            let unit = self.unit(held, contract::Step::Fail, &given, None, |holder, seen| {
                vec![Change::Fail { holder, failure: failure.clone() }, Change::FailFinal(later(None, &seen.item))]
            })?;
            if unit.is_ok() {
                let answers = self.append(vec![(held.id.clone(), unit)])?;
                if answers.iter().any(|(_, outcome)| *outcome == Outcome::Done) {
                    return Ok(());
                }
            }
        }
        let Some(seen) = self.see(&held.id)? else { return Ok(()) };
        let change = Change::Fail { holder: held.holder(&self.owner), failure: failure.clone() };
        self.write(&seen, &change)
    }

    /// Members of a `fail` record, as far as its action declares them.
    fn failure_members(&mut self, seen: &Seen, failure: &Failure) -> Result<Map<String, Value>> {
        let moment = self.reader.moment(None)?;
        let protocol = self.engine.in_force(&moment)?;
        let ruled = self.engine.rules(&protocol, &moment)?;
        let contract = named_contract(&ruled.protocol, &seen.stored.row.contract)?;
        let lifecycle = ruled.protocol.lifecycle(&contract.decl.record);
        let action = lifecycle.and_then(|lifecycle| lifecycle.actions.get(&contract.decl.actions.fail));
        let said = [("class", json!(failure.class.as_str())), ("reason", json!(failure.reason))];
        let declared = |(name, _): &(&str, Value)| action.is_some_and(|action| action.declares(name));
        Ok(said.into_iter().filter(declared).map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// The entry of a step with what belongs to it.
    fn unit(
        &mut self,
        held: &Held,
        step: contract::Step<'_>,
        given: &Map<String, Value>,
        ran: Option<&Ran>,
        changes: impl FnOnce(enact_queue::lease::Holder, &Seen) -> Vec<Change>,
    ) -> Result<Prepared> {
        let (now, actor) = (self.engine.queue_now(), self.author.actor);
        let mut moment = self.reader.moment(None)?;
        let protocol = self.engine.in_force(&moment)?;
        let ruled = self.engine.rules(&protocol, &moment)?;
        let seen = see(&ruled.protocol, &mut moment, actor, held.id.as_str(), now)?.ok_or_else(|| unknown(held.id.as_str()))?;
        let record = match self.author.says(&ruled, &moment, &seen.stored.row.contract, &seen.subject, step, given) {
            Ok(record) => record,
            Err(EngineError::Queue { code, .. }) => return Ok(Err(refusal(code))),
            Err(error) => return Err(error),
        };
        drop(moment);
        let mut records: Vec<Record> = ran.map(|ran| ran.receipt.clone()).into_iter().collect();
        records.push(record);
        let mut unit = Unit::plain(self.engine.draft(records, protocol, 1));
        unit.run = ran.map(|ran| ran.run.clone());
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
    fn append(&mut self, units: Vec<(QueueId, Prepared)>) -> Result<Vec<(QueueId, Outcome)>> {
        let mut outcomes: BTreeMap<QueueId, Outcome> = BTreeMap::new();
        let (mut ids, mut ready) = (Vec::new(), Vec::new());
        let mut order = Vec::with_capacity(units.len());
        for (id, unit) in units {
            order.push(id.clone());
            match unit {
                Ok(unit) => {
                    ids.push(id);
                    ready.push(unit);
                }
                Err(outcome) => {
                    outcomes.insert(id, outcome);
                }
            }
        }
        if !ready.is_empty() {
            let answers = self.engine.append_units(ready, &Signatures::default())?;
            for (id, answer) in ids.into_iter().zip(answers) {
                self.told(&id, &answer);
                outcomes.insert(id, outcome(answer));
            }
        }
        Ok(order.into_iter().filter_map(|id| outcomes.remove(&id).map(|outcome| (id, outcome))).collect())
    }

    /// Writes a line without a record; what is refused is somebody else's business by now.
    pub(super) fn write(&mut self, seen: &Seen, change: &Change) -> Result<()> {
        let Ok(next) = seen.item.apply(change, &seen.known) else { return Ok(()) };
        let change = seen.to(&next);
        self.engine.with_writer(|writer| Ok(writer.queue_change(std::slice::from_ref(&change))?)).map(drop)
    }

    /// Lets items wait for evidence.
    pub(super) fn begin_settlement(&mut self, items: &[Held]) -> Result<Vec<(QueueId, Outcome)>> {
        let mut outcomes = Vec::with_capacity(items.len());
        for held in items {
            let Some(seen) = self.see(&held.id)? else {
                outcomes.push((held.id.clone(), Outcome::Fenced));
                continue;
            };
            let next = match seen.item.apply(&Change::BeginSettlement { holder: held.holder(&self.owner) }, &seen.known) {
                Ok(next) => next,
                Err(enact_queue::refused::Refused::Fenced { .. }) => {
                    outcomes.push((held.id.clone(), Outcome::Fenced));
                    continue;
                }
                Err(refused) => {
                    outcomes.push((held.id.clone(), Outcome::Duplicate(refused.code().to_owned())));
                    continue;
                }
            };
            let change = seen.to(&next);
            let answers = self.engine.with_writer(|writer| Ok(writer.queue_change(std::slice::from_ref(&change))?))?;
            let done = answers.iter().all(Result::is_ok);
            outcomes.push((held.id.clone(), if done { Outcome::Done } else { Outcome::Fenced }));
        }
        Ok(outcomes)
    }
}

fn outcome(answer: Result<Appended, Left>) -> Outcome {
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

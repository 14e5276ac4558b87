//! What people do with items: add, validate, start, retry, void, settle, fulfill. Each is a record under the matrix, a step that a worker
//! carries out in their place, or both; none is a way around the gate.
use enact_core::govern::contract::{self, Contract, Hook};
use enact_core::state::{Space, StateView as _};
use enact_queue::change::{By, Change};
use enact_queue::id::QueueId;
use enact_queue::refused::Refused;
use enact_queue::status::Status;
use enact_queue::validation::Answer;
use enact_queue::worker::Worker;
use enact_store::{Moment, Reader};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::commit::Author;
use super::gate::{Left, Step, Unit, later, triggers};
use super::item::{Seen, contract_of, named_contract, refused_item, refused_queue, see, stored_time, subject_of, unknown};
use super::original::{Original, original};
use super::run::Outcome;
use super::stop::StopSign;
use super::view::{self, Shown};
use super::worker::{Driver, WorkEvent, WorkOptions, WorkReport};
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::govern::{Appended, Components, Proposed, Ruled, Signatures, keys};

/// Attempts at a record whose subject moved on between reading and appending, and at an id that another was given.
const ATTEMPTS_MAX: u32 = 5;

/// What is to be queued.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// The contract; the only one of the protocol when absent.
    pub contract: Option<String>,
    /// The id; the next of the day when absent.
    pub id: Option<String>,
    /// Members of the record.
    pub payload: Map<String, Value>,
}

/// A queued item; the stable shape of `enact queue add --json`.
#[derive(Debug, Clone, Serialize)]
pub struct Added {
    /// Its id.
    pub queue_id: String,
    /// Its record.
    #[serde(flatten)]
    pub appended: Appended,
    /// Whether it may be executed now.
    pub validation: Value,
}

/// What came of a start or a retry by hand; the stable shape of `enact queue retry --json`.
#[derive(Debug, Clone, Serialize)]
pub struct Started {
    /// The item afterwards.
    pub item: Shown,
    /// What the worker did.
    pub report: WorkReport,
    /// What was done before, if it was executed already: nothing was done again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original: Option<Original>,
}

/// A proof that something has happened outside, as members of a record.
pub type Evidence = Map<String, Value>;

/// A reader with the rules in force, for one thing that somebody does.
struct Desk<'a> {
    engine: &'a Engine,
    actor: String,
    key: ed25519_dalek::SigningKey,
}

impl Engine {
    fn desk(&self, actor: &str) -> Result<Desk<'_>> {
        let actor = keys::actor_id(actor)?;
        let key = keys::load(self.workspace(), &actor)?;
        Ok(Desk { engine: self, actor, key })
    }

    pub(super) fn ruled_now(&self, reader: &mut Reader) -> Result<(std::sync::Arc<Ruled>, enact_core::hash::Digest)> {
        let moment = reader.moment(None)?;
        let protocol = self.in_force(&moment)?;
        Ok((self.rules(&protocol, &moment)?, protocol))
    }

    /// Queues an item: its record and its row in one transaction.
    ///
    /// # Errors
    /// [`EngineError::Refused`] when the judge or the queue refuses; nothing was changed.
    pub fn queue_add(&self, actor: &str, given: &Given) -> Result<Added> {
        let desk = self.desk(actor)?;
        let mut reader = self.store().reader()?;
        let mut attempt = 1;
        loop {
            let (ruled, protocol) = self.ruled_now(&mut reader)?;
            let rules = &ruled.protocol;
            let contract = chosen(&ruled, given.contract.as_deref())?;
            let mut moment = reader.moment(None)?;
            let id = match &given.id {
                Some(id) => QueueId::parse(id).map_err(refused_queue)?,
                None => free(&ruled, contract, &moment, self.queue_now())?,
            };
            let subject = subject_of(rules, contract, id.as_str())?;
            // What was executed is refused by the judge and answered with the original, below.
            if given.id.is_some()
                && moment.get(Space::Subject, &subject)?.is_some()
                && original(&ruled, contract, &mut moment, &subject, &desk.actor, self.queue_now())?.is_none()
            {
                return Err(refused_queue(Refused::Exists));
            }
            let record = desk.author().says(&ruled, &moment, contract.code(), &subject, contract::Step::Queue, &given.payload)?;
            drop(moment);
            match self.append_records(vec![record.clone()], protocol, attempt)? {
                Ok(appended) => {
                    let validation = self.queue_validate(&id, Some(&desk.actor))?;
                    return Ok(Added { queue_id: id.as_str().to_owned(), appended, validation });
                }
                // Another was given the number in the meantime.
                Err(refused) if attempt < ATTEMPTS_MAX && (refused.is_stale() || given.id.is_none() && is_taken(&refused.code)) => {
                    attempt = attempt.saturating_add(1);
                }
                Err(mut refused) => {
                    refused.original = self.queue_original(&record, contract.code(), &ruled)?.map(Box::new);
                    return Err(EngineError::Refused(Box::new(refused)));
                }
            }
        }
    }

    /// The same for a record that somebody wrote.
    pub fn queue_add_record(&self, actor: &str, proposed: &Proposed) -> Result<Added> {
        let mut reader = self.store().reader()?;
        let (ruled, _) = self.ruled_now(&mut reader)?;
        let contract = contract_of(&ruled.protocol, &proposed.type_);
        let queues = contract.filter(|contract| contract.decl.actions.queue == proposed.action);
        let contract = queues.ok_or_else(|| EngineError::Queue {
            code: "queue_contract",
            detail: format!("`{}` of `{}` queues nothing", proposed.action, proposed.type_),
            hint: Some("pass the members of the item, or a record of the contract's `queue` action"),
        })?;
        let id = proposed.subject.split_once(':').map(|(_, id)| id.to_owned());
        let given = Given { contract: Some(contract.code().to_owned()), id, payload: proposed.payload.clone() };
        if proposed.sig.is_none() {
            return self.queue_add(actor, &given);
        }
        let id = QueueId::parse(given.id.as_deref().unwrap_or_default()).map_err(refused_queue)?;
        let (records, _) = self.completed(&keys::actor_id(actor)?, None, std::slice::from_ref(proposed))?;
        let record = records.first().ok_or_else(|| EngineError::Internal { detail: "no record of a proposal".to_owned() })?;
        // As of a record that is signed here: what was carried out is answered with the original, what was only queued is there already.
        let before = self.queue_original(record, contract.code(), &ruled)?;
        if before.is_none() && reader.moment(None)?.get(Space::Subject, &record.subject)?.is_some() {
            return Err(refused_queue(Refused::Exists));
        }
        let appended = match self.propose(actor, std::slice::from_ref(proposed)) {
            Ok(appended) => appended,
            Err(EngineError::Refused(mut refused)) => {
                refused.original = self.queue_original(record, contract.code(), &ruled)?.map(Box::new);
                return Err(EngineError::Refused(refused));
            }
            Err(error) => return Err(error),
        };
        let validation = self.queue_validate(&id, None)?;
        Ok(Added { queue_id: id.as_str().to_owned(), appended, validation })
    }

    /// Whether an item may be executed now, in the documented shape. Writes nothing.
    ///
    /// # Errors
    /// `queue_unknown`, or whatever kept it from being asked.
    pub fn queue_validate(&self, id: &QueueId, actor: Option<&str>) -> Result<Value> {
        let mut reader = self.store().reader()?;
        let (ruled, _) = self.ruled_now(&mut reader)?;
        let mut moment = reader.moment(None)?;
        let seen = self.seen_or_unknown(&ruled, &mut moment, id)?;
        let answer = self.asked(&ruled, &moment, &seen, actor.unwrap_or_default())?;
        serde_json::from_str(&answer.to_json()).map_err(|e| EngineError::Internal { detail: e.to_string() })
    }

    /// Whether an item that is not queued yet could be executed as it would be queued.
    pub fn queue_preview(&self, actor: &str, given: &Given) -> Result<Value> {
        let actor = keys::actor_id(actor)?;
        let mut reader = self.store().reader()?;
        let (ruled, _) = self.ruled_now(&mut reader)?;
        let contract = chosen(&ruled, given.contract.as_deref())?;
        let moment = reader.moment(None)?;
        let now = self.queue_now();
        let id = match &given.id {
            Some(id) => QueueId::parse(id).map_err(refused_queue)?,
            None => free(&ruled, contract, &moment, now)?,
        };
        let (subject, at) = (subject_of(&ruled.protocol, contract, id.as_str())?, stored_time(now));
        let about = contract::Item { subject: &subject, actor: &actor, at: &at };
        let record =
            contract::draft(&ruled.protocol, contract, &moment, &about, contract::Step::Queue, &given.payload).map_err(refused_item)?;
        let outside = Components { engine: self, modules: &ruled.modules, signatures: &Signatures::default() };
        let validation = contract::preview(&ruled.protocol, contract, &moment, &outside, &record, &at).map_err(refused_item)?;
        serde_json::from_str(&view::answer(&validation)?.to_json()).map_err(|e| EngineError::Internal { detail: e.to_string() })
    }

    fn asked(&self, ruled: &Ruled, moment: &Moment<'_>, seen: &Seen, actor: &str) -> Result<Answer> {
        let contract = named_contract(&ruled.protocol, &seen.stored.row.contract)?;
        let outside = Components { engine: self, modules: &ruled.modules, signatures: &Signatures::default() };
        let at = stored_time(seen.known.now);
        let about = contract::Item { subject: &seen.subject, actor, at: &at };
        let validation = contract::validate(&ruled.protocol, contract, moment, &outside, &about).map_err(refused_item)?;
        view::answer(&validation)
    }

    /// The item; one that the ledger has and the queue has not is put there first.
    fn seen_or_unknown(&self, ruled: &Ruled, moment: &mut Moment<'_>, id: &QueueId) -> Result<Seen> {
        see(&ruled.protocol, moment, "", id.as_str(), self.queue_now())?.ok_or_else(|| unknown(id.as_str()))
    }

    /// Has a worker validate one item and carry it out, now. If it was carried out before, the answer is the original, and nothing is done.
    ///
    /// # Errors
    /// `queue_trigger` when the actor may not start it, `queue_not_ready`, or why the item was not taken.
    pub fn queue_start(&self, actor: &str, id: &QueueId, worker: &str) -> Result<Started> {
        self.by_hand(actor, id, worker, true, |owner, deadline, _| Ok(Change::Lease { owner, deadline }))
    }

    /// Has a worker try an item again that failed.
    ///
    /// # Errors
    /// `queue_trigger`, `queue_reason`, `queue_not_ready`, `queue_final`, or why the item was not taken.
    pub fn queue_retry(&self, actor: &str, id: &QueueId, reason: &str, worker: &str) -> Result<Started> {
        self.by_hand(actor, id, worker, false, |owner, deadline, (seen, answer)| {
            let by = By::Hand { reason: reason.to_owned() };
            if seen.known.facts.executed {
                return Ok(Change::Resume { owner, deadline, by });
            }
            Ok(Change::Retry { owner, deadline, by, answer: answer()? })
        })
    }

    fn by_hand(
        &self,
        actor: &str,
        id: &QueueId,
        worker: &str,
        starts: bool,
        change: impl FnOnce(String, u64, (&Seen, &dyn Fn() -> Result<Answer>)) -> Result<Change>,
    ) -> Result<Started> {
        let desk = self.desk(actor)?;
        let hand = self.desk(worker)?;
        let (stop, heard) = (StopSign::new(), |_: &WorkEvent| {});
        let mut driver = Driver::new(self, &hand.actor, &hand.key, self.queue_owner(&hand.actor)?, &stop, &heard)?;
        let options = WorkOptions { actor: hand.actor.clone(), once: true, ..WorkOptions::default() };
        let valid = {
            let (ruled, _) = self.ruled_now(&mut driver.sight.reader)?;
            let mut moment = driver.sight.reader.moment(None)?;
            let seen = self.seen_or_unknown(&ruled, &mut moment, id)?;
            if seen.stored.archived {
                return Err(view::archived(id.as_str()));
            }
            let contract = named_contract(&ruled.protocol, &seen.stored.row.contract)?;
            triggers(contract, &moment, &desk.actor)?;
            super::may::executes(&ruled, contract, &moment, &hand.actor)?;
            if starts && let Some(original) = original(&ruled, contract, &mut moment, &seen.subject, &desk.actor, seen.known.now)? {
                let report = WorkReport { duplicates: 1, ..WorkReport::default() };
                return Ok(Started { item: self.queue_item(id)?, report, original: Some(original) });
            }
            // What no worker has looked at yet is validated by whoever starts it.
            let pending = starts && seen.item.shown(&seen.known) == Status::Pending;
            if pending { Some(self.asked(&ruled, &moment, &seen, &hand.actor)?) } else { None }
        };
        if let Some(answer) = valid {
            answer.require().map_err(refused_queue)?;
            driver.mark(&[(id.clone(), answer)])?;
        }
        let (seen, change) = {
            let (ruled, _) = self.ruled_now(&mut driver.sight.reader)?;
            let mut moment = driver.sight.reader.moment(None)?;
            let seen = self.seen_or_unknown(&ruled, &mut moment, id)?;
            let deadline = seen.known.now.saturating_add(options.lease_us);
            let answer = || self.asked(&ruled, &moment, &seen, &hand.actor);
            let change = change(driver.owner.clone(), deadline, (&seen, &answer))?;
            seen.item.apply(&change, &seen.known).map_err(refused_queue)?;
            (seen, change)
        };
        let taken = driver.take(vec![(seen, change)], 1)?;
        if taken.is_empty() {
            return Err(EngineError::Queue {
                code: "queue_locked",
                detail: format!("somebody else took item `{id}` just now"),
                hint: Some("look at it again"),
            });
        }
        let (worker, ask) = Worker::with(driver.options(&options), self.queue_now(), taken);
        driver.drive(worker, ask, true)?;
        Ok(Started { item: self.queue_item(id)?, report: driver.report(), original: None })
    }

    /// Calls an item off, before it was carried out.
    ///
    /// # Errors
    /// `queue_trigger`, or what the judge or the queue refuses.
    pub fn queue_void(&self, actor: &str, id: &QueueId, reason: &str) -> Result<Appended> {
        if reason.trim().is_empty() {
            return Err(refused_queue(Refused::Reason));
        }
        let given = |declares: &dyn Fn(&str) -> bool| {
            declares("reason").then(|| ("reason".to_owned(), json!(reason))).into_iter().collect::<Map<_, _>>()
        };
        self.say(actor, id, contract::Step::Void, |contract| contract.decl.actions.void.clone(), given)
    }

    /// Takes items that are over out of the lists: fulfilled, voided, failed for good, and what nothing follows from any more. Their keys
    /// stay used up. Answers for each whether it was; one transaction.
    ///
    /// # Errors
    /// Whatever keeps the queue from being read or written. What is refused is answered: `queue_unknown`, `queue_status` of an item that
    /// is not over or has changed since, `queue_archived`, `queue_locked`.
    pub fn queue_archive(&self, ids: &[QueueId]) -> Result<Vec<Result<(), EngineError>>> {
        let mut reader = self.store().reader()?;
        let (ruled, _) = self.ruled_now(&mut reader)?;
        let mut moment = reader.moment(None)?;
        let mut over = Vec::with_capacity(ids.len());
        let mut answers = Vec::with_capacity(ids.len());
        for id in ids {
            answers.push(match self.is_over(&ruled, &mut moment, id) {
                Ok(status) => {
                    over.push((id.as_str().to_owned(), status));
                    Ok(())
                }
                Err(error @ EngineError::Queue { .. }) => Err(error),
                Err(error) => return Err(error),
            });
        }
        drop(moment);
        let written = self.with_writer(|writer| Ok(writer.queue_archive(&over)?))?;
        let refused =
            |refused: enact_store::QueueRefused| EngineError::Queue { code: refused.code(), detail: refused.to_string(), hint: None };
        let mut written = written.into_iter();
        for answer in answers.iter_mut().filter(|answer| answer.is_ok()) {
            *answer = written.next().map_or(Ok(()), |written| written.map_err(refused));
        }
        Ok(answers)
    }

    /// The status of the row of an item that nothing follows from any more.
    fn is_over(&self, ruled: &Ruled, moment: &mut Moment<'_>, id: &QueueId) -> Result<String> {
        let seen = self.seen_or_unknown(ruled, moment, id)?;
        if seen.stored.archived {
            return Err(view::archived(id.as_str()));
        }
        let contract = named_contract(&ruled.protocol, &seen.stored.row.contract)?;
        if super::item::is_over(contract, &seen.known) {
            return Ok(seen.stored.row.status);
        }
        Err(EngineError::Queue {
            code: "queue_status",
            detail: format!("item `{id}` is {} and not over", seen.item.shown(&seen.known).as_str()),
            hint: Some("only what is fulfilled, voided or failed for good is archived"),
        })
    }

    /// Vouches for a settlement elsewhere.
    ///
    /// # Errors
    /// What the judge or the queue refuses.
    pub fn queue_attest(&self, actor: &str, id: &QueueId, evidence: &Evidence) -> Result<Appended> {
        let given = |_: &dyn Fn(&str) -> bool| evidence.clone();
        self.say(actor, id, contract::Step::Attest, |contract| contract.decl.actions.attest.clone().unwrap_or_default(), given)
    }

    /// Records the settlement of an item that was attested; the hook of the contract runs before.
    ///
    /// # Errors
    /// What the judge or the queue refuses, or how the hook failed.
    pub fn queue_settle(&self, actor: &str, id: &QueueId) -> Result<Appended> {
        self.say_with_run(actor, id, Hook::Settle, &Map::new())
    }

    /// Confirms that what was meant has happened; the hook of the contract runs before.
    ///
    /// # Errors
    /// `queue_proof`, what the judge or the queue refuses, or how the hook failed.
    pub fn queue_fulfill(&self, actor: &str, id: &QueueId, proof: &Evidence) -> Result<Appended> {
        self.say_with_run(actor, id, Hook::Fulfill, proof)
    }

    /// A record about an item that no run belongs to.
    fn say(
        &self,
        actor: &str,
        id: &QueueId,
        step: contract::Step<'_>,
        action: impl Fn(&Contract) -> String,
        given: impl Fn(&dyn Fn(&str) -> bool) -> Map<String, Value>,
    ) -> Result<Appended> {
        let desk = self.desk(actor)?;
        let mut reader = self.store().reader()?;
        let mut attempt = 1;
        loop {
            let (ruled, protocol) = self.ruled_now(&mut reader)?;
            let mut moment = reader.moment(None)?;
            let seen = self.seen_or_unknown(&ruled, &mut moment, id)?;
            let contract = named_contract(&ruled.protocol, &seen.stored.row.contract)?;
            let lifecycle = ruled.protocol.lifecycle(&contract.decl.record);
            let action = action(contract);
            let declared = lifecycle.and_then(|lifecycle| lifecycle.actions.get(&action));
            let given = given(&|member| declared.is_some_and(|action| action.declares(member)));
            let record = desk.author().says(&ruled, &moment, contract.code(), &seen.subject, step, &given)?;
            drop(moment);
            match self.append_records(vec![record], protocol, attempt)? {
                Ok(appended) => return Ok(appended),
                Err(refused) if refused.is_stale() && attempt < ATTEMPTS_MAX => attempt = attempt.saturating_add(1),
                Err(refused) => return Err(EngineError::Refused(Box::new(refused))),
            }
        }
    }

    /// A record about an item with the run that a hook asks for, in one entry.
    fn say_with_run(&self, actor: &str, id: &QueueId, hook: Hook, given: &Map<String, Value>) -> Result<Appended> {
        let desk = self.desk(actor)?;
        let mut reader = self.store().reader()?;
        let mut attempt = 1;
        loop {
            let (ruled, protocol) = self.ruled_now(&mut reader)?;
            let seen = self.seen_or_unknown(&ruled, &mut reader.moment(None)?, id)?;
            let contract = &seen.stored.row.contract;
            let step = || {
                let fact = later(None, &seen.item);
                let what = match hook {
                    Hook::Fulfill => Change::Fulfilled(fact),
                    Hook::Execute | Hook::Settle => Change::Settled { holder: None, fact },
                };
                Step::of(seen.expect(), &seen.subject, &seen.item, what, seen.known)
            };
            let ran = match self.queue_run(contract, hook, &mut reader, (&seen.item.id, &seen.subject), &desk.actor, attempt)? {
                None => None,
                Some(Outcome::Ran(ran)) => Some(ran),
                Some(Outcome::Failed(failure)) => {
                    return Err(EngineError::Queue {
                        code: "queue_hook",
                        detail: format!("the run before it ended in `{}` ({})", failure.reason, failure.class.as_str()),
                        hint: Some("nothing was changed; mend what the reason names and do it again"),
                    });
                }
            };
            let facts = ran.as_ref().map(|ran| &ran.facts);
            let said = match hook {
                Hook::Fulfill => contract::Step::Fulfill(facts),
                Hook::Execute | Hook::Settle => contract::Step::Settle(facts),
            };
            let moment = reader.moment(None)?;
            let record = desk.author().says(&ruled, &moment, contract, &seen.subject, said, given)?;
            drop(moment);
            let Some(ran) = ran else {
                match self.append_records(vec![record], protocol, attempt)? {
                    Ok(appended) => return Ok(appended),
                    Err(refused) if refused.is_stale() && attempt < ATTEMPTS_MAX => {
                        attempt = attempt.saturating_add(1);
                        continue;
                    }
                    Err(refused) => return Err(EngineError::Refused(Box::new(refused))),
                }
            };
            let (step, _) = step().map_err(refused_queue)?;
            let mut unit = Unit::plain(self.draft(vec![ran.receipt.clone(), record], protocol, attempt));
            (unit.run, unit.steps) = (Some(ran.run.clone()), vec![step]);
            let answer = self.append_units(vec![unit], &Signatures::default())?.pop();
            match answer {
                Some(Ok(appended)) => return Ok(appended),
                Some(Err(Left::Rejected(_))) if attempt < ATTEMPTS_MAX => attempt = attempt.saturating_add(1),
                Some(Err(Left::Refused(refused))) if refused.is_stale() && attempt < ATTEMPTS_MAX => attempt = attempt.saturating_add(1),
                Some(Err(Left::Rejected(rejection))) => {
                    return Err(EngineError::Rejected { code: rejection.code(), detail: rejection.to_string() });
                }
                Some(Err(Left::Refused(refused))) => return Err(EngineError::Refused(refused)),
                None => return Err(EngineError::Internal { detail: "an entry without an answer".to_owned() }),
            }
        }
    }
}

impl Desk<'_> {
    fn author(&self) -> Author<'_> {
        Author { engine: self.engine, actor: &self.actor, key: &self.key }
    }
}

/// The contract that is meant.
fn chosen<'r>(ruled: &'r Ruled, named: Option<&str>) -> Result<&'r Contract> {
    if let Some(code) = named {
        return named_contract(&ruled.protocol, code);
    }
    let mut contracts = ruled.protocol.contracts();
    match (contracts.next(), contracts.next()) {
        (Some(only), None) => Ok(only),
        (first, _) => Err(EngineError::Queue {
            code: "queue_contract",
            detail: if first.is_some() { "there are several queue contracts" } else { "there is no queue contract" }.to_owned(),
            hint: Some("name one with `--contract QC_…`"),
        }),
    }
}

/// An id of today that nobody has: found by doubling and halving, since numbers are given in their order.
fn free(ruled: &Ruled, contract: &Contract, moment: &Moment<'_>, now: u64) -> Result<QueueId> {
    let numbered = |number: u64| QueueId::numbered(&contract.decl.prefix, now, number).map_err(refused_queue);
    let taken = |number: u64| -> Result<bool> {
        let subject = subject_of(&ruled.protocol, contract, numbered(number)?.as_str())?;
        Ok(moment.get(Space::Subject, &subject)?.is_some())
    };
    let (mut below, mut above) = (0_u64, 1_u64);
    while taken(above)? {
        (below, above) = (above, above.saturating_mul(2));
    }
    while above.saturating_sub(below) > 1 {
        let middle = below.midpoint(above);
        if taken(middle)? { below = middle } else { above = middle }
    }
    numbered(above)
}

fn is_taken(code: &str) -> bool {
    matches!(code, "lifecycle_exists" | "queue_exists")
}

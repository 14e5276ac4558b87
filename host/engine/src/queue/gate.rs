//! What records mean for the queue. Every governed append comes through here: a record about an item changes the item in the same
//! transaction or is refused, whoever says it and by which command.
use std::cell::RefCell;
use std::collections::BTreeMap;

use enact_core::entry::{Draft, Record};
use enact_core::govern::Protocol;
use enact_core::govern::contract::{ActionRole, Contract};
use enact_core::govern::row::{ActorRow, SubjectRow};
use enact_core::state::{Space, StateView as _};
use enact_queue::Map;
use enact_queue::change::{Change, Fact};
use enact_queue::facts::{Facts, Mode};
use enact_queue::id::QueueId;
use enact_queue::item::{Item, Known, Queued};
use enact_queue::order::Place;
use enact_queue::refused::Refused;
use enact_store::{Committed, Fence, Moment, QueueChange, QueueExpect, Rejection, Work, WorkRefused, WorkRun};

use super::item::{contract_of, entry_time, kept, members, see, subject_of, unlined};
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::govern::{Appended, Judging, RefusedProposal, Signatures, report, row};
use crate::report::EntryReport;
use crate::sources::time_text;

/// A record that the queue refuses, should the judge have nothing against it.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    /// Its subject.
    pub(crate) subject: String,
    /// Its action.
    pub(crate) action: String,
    /// Stable code.
    pub(crate) code: &'static str,
    /// What was found.
    pub(crate) detail: String,
    /// What to do.
    pub(crate) hint: Option<&'static str>,
}

/// The subjects that an append is about, with their rows once the judge has written them.
pub(crate) type After = RefCell<BTreeMap<String, Option<SubjectRow>>>;

/// How an item gets its next line.
#[derive(Debug, Clone)]
pub(crate) enum How {
    /// It is new.
    Queued(Queued),
    /// It is changed.
    Changed(Change),
}

/// A change of an item that is made with an entry: what is known only with the entry is filled in then.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// The item's subject.
    pub(crate) subject: String,
    /// The item before.
    pub(crate) before: Option<Item>,
    /// What happens.
    pub(crate) how: How,
    /// What is known of it before.
    pub(crate) known: Known,
    /// The change of the row. Its line is written once the entry is known.
    pub(crate) change: QueueChange,
}

impl Step {
    /// A change of an item that is there.
    pub(crate) fn of(expect: QueueExpect, subject: &str, before: &Item, what: Change, known: Known) -> Result<(Self, Item), Refused> {
        let next = before.apply(&what, &known)?;
        let change = unlined(expect, &next, &known, Vec::new());
        let step = Self { subject: subject.to_owned(), before: Some(before.clone()), how: How::Changed(what), known, change };
        Ok((step, next))
    }
}

/// One entry with what belongs to it.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    pub(crate) draft: Draft,
    pub(crate) run: Option<WorkRun>,
    pub(crate) fence: Option<Fence>,
    pub(crate) steps: Vec<Step>,
    pub(crate) stops: Vec<Stop>,
}

impl Unit {
    /// An entry that has nothing to do with the queue.
    pub(crate) fn plain(draft: Draft) -> Self {
        Self { draft, run: None, fence: None, steps: Vec::new(), stops: Vec::new() }
    }
}

/// Why a unit is not in the ledger.
#[derive(Debug)]
pub(crate) enum Left {
    /// What it was prepared on does not hold any more.
    Rejected(Rejection),
    /// The judge refused, or the queue.
    Refused(Box<RefusedProposal>),
}

/// A unit that is in the ledger.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) committed: Committed,
    pub(crate) draft: Draft,
    /// For each record the row that allowed it.
    pub(crate) decided: Vec<String>,
}

/// What became of units.
#[derive(Debug)]
pub(crate) struct Stored {
    /// In their order.
    pub(crate) answers: Vec<Result<Made, Left>>,
    /// Items by id, as their last lines leave them.
    pub(crate) latest: BTreeMap<String, Item>,
}

/// A fact that is filled in once the entry is there.
pub(crate) fn later(run: Option<String>, before: &Item) -> Fact {
    Fact { entry: 0, run, kept: before.kept.clone() }
}

impl Engine {
    /// Appends units in one durable transaction, each all or nothing, each with its lines.
    pub(crate) fn append_units(&self, units: Vec<Unit>, signatures: &Signatures) -> Result<Vec<Result<Appended, Left>>> {
        let mut appended = Vec::with_capacity(units.len());
        for answer in self.store_units(units, signatures)?.answers {
            appended.push(match answer {
                Ok(Made { committed, draft, decided }) => Ok(Appended {
                    entry: EntryReport { seq: committed.seq, hash: committed.entry_hash.to_string() },
                    at: committed.at,
                    records: report(&draft.records, decided)?,
                }),
                Err(left) => Err(left),
            });
        }
        Ok(appended)
    }

    /// The same, with items as their lines leave them.
    pub(crate) fn store_units(&self, units: Vec<Unit>, signatures: &Signatures) -> Result<Stored> {
        let now = time_text(self.now_micros());
        let mut lines = Lines::default();
        let mut stops = Vec::new();
        let mut works = Vec::with_capacity(units.len());
        for unit in units {
            stops.extend(unit.stops);
            let changes = unit.steps.iter().map(|step| step.change.clone()).collect();
            lines.expect(unit.steps);
            works.push(Work { draft: unit.draft, run: unit.run, fence: unit.fence, changes });
        }
        let after: After = RefCell::new(lines.subjects().map(|subject| (subject.to_owned(), None)).collect());
        let mut judging = Judging::new(self, signatures, works.len());
        judging.stops = &stops;
        judging.after = Some(&after);
        let mut line = |change: &QueueChange, committed: &Committed| lines.line(change, committed, &after);
        let answers = self.with_signer(|writer, sign| Ok(writer.append_work(&mut works, &now, &mut judging, &mut line, sign)?))?;
        let mut decided = judging.decided.into_iter();
        let answers = answers.into_iter().zip(works).map(|(answer, work)| match answer {
            Ok(committed) => Ok(Made { committed, draft: work.draft, decided: decided.next().unwrap_or_default() }),
            Err(WorkRefused::Refused(refused)) => {
                decided.next();
                Err(Left::Refused(Box::new(refused)))
            }
            // The judge was not asked.
            Err(WorkRefused::Rejected(rejection)) => Err(Left::Rejected(rejection)),
        });
        Ok(Stored { answers: answers.collect(), latest: lines.latest })
    }

    /// What drafts mean for the queue; `None` when none of them speaks of an item.
    pub(crate) fn gated(&self, drafts: &[Draft]) -> Result<Option<Vec<Unit>>> {
        let mut reader = None;
        let mut units = Vec::with_capacity(drafts.len());
        let mut any = false;
        for draft in drafts {
            let ruled = match self.book().known(&draft.protocol) {
                Some(ruled) => ruled,
                None => {
                    let reader = reader.get_or_insert(self.store().reader()?);
                    self.rules(&draft.protocol, &reader.moment(None)?)?
                }
            };
            let rules = &ruled.protocol;
            if !draft.records.iter().any(|record| contract_of(rules, &record.type_).is_some()) {
                units.push(Unit::plain(draft.clone()));
                continue;
            }
            any = true;
            if reader.is_none() {
                reader = Some(self.store().reader()?);
            }
            if let Some(reader) = &mut reader {
                let mut moment = reader.moment(None)?;
                units.push(self.gate(rules, &mut moment, draft.clone())?);
            }
        }
        Ok(any.then_some(units))
    }

    fn gate(&self, rules: &Protocol, moment: &mut Moment<'_>, draft: Draft) -> Result<Unit> {
        let now = self.queue_now();
        let mut unit = Unit::plain(draft);
        let mut queued = BTreeMap::new();
        let mut latest: BTreeMap<String, (Item, QueueExpect)> = BTreeMap::new();
        for record in unit.draft.records.clone() {
            let Some(contract) = contract_of(rules, &record.type_) else { continue };
            let position = queued.entry(contract.code().to_owned()).or_insert(0_u64);
            let gate = Gate { engine: self, rules, contract, record: &record, now };
            let step = match contract.role(&record.action) {
                Some(ActionRole::Queue) => {
                    let step = gate.queue(moment, *position);
                    *position = position.saturating_add(1);
                    step
                }
                role => gate.change(moment, role, &latest),
            };
            match step {
                Ok(Some((step, next))) => {
                    let expect = QueueExpect::Is { status: Some(step.change.row.status.clone()), fence: Some(step.change.row.fence) };
                    latest.insert(record.subject.clone(), (next, expect));
                    unit.steps.push(step);
                }
                Ok(None) => {}
                Err(EngineError::Queue { code, detail, hint }) => {
                    unit.stops.push(Stop { subject: record.subject.clone(), action: record.action.clone(), code, detail, hint });
                }
                Err(error) => return Err(error),
            }
        }
        if !unit.stops.is_empty() {
            // The judge is asked first, so that what was never allowed is refused in his words.
            unit.steps.clear();
        }
        Ok(unit)
    }
}

/// One record about an item.
struct Gate<'a> {
    engine: &'a Engine,
    rules: &'a Protocol,
    contract: &'a Contract,
    record: &'a Record,
    now: u64,
}

impl Gate<'_> {
    fn id(&self) -> Result<QueueId> {
        let id = self.record.subject.split_once(':').map_or("", |(_, id)| id);
        QueueId::parse(id).map_err(super::item::refused_queue)
    }

    /// A new item.
    fn queue(&self, moment: &mut Moment<'_>, position: u64) -> Result<Option<(Step, Item)>> {
        if moment.reader().queue_item(self.id()?.as_str())?.is_some() {
            return Err(super::item::refused_queue(Refused::Exists));
        }
        let lifecycle = self.rules.lifecycle(&self.contract.decl.record);
        let action = lifecycle.and_then(|lifecycle| lifecycle.actions.get(&self.record.action));
        let payload = self.record.payload.as_object().cloned().unwrap_or_default();
        let kept: Map = payload.into_iter().filter(|(name, _)| action.is_some_and(|action| action.keeps(name))).collect();
        let queued = Queued {
            id: self.id()?,
            contract: self.contract.code().to_owned(),
            kept,
            place: Place { entry: 0, position },
            not_before_us: None,
            at_us: self.now,
        };
        let item = Item::queued(queued.clone()).map_err(super::item::refused_queue)?;
        let known = Known { facts: Facts::default(), mode: Mode::None, now: self.now };
        let change = unlined(QueueExpect::Absent, &item, &known, members(&item.kept));
        let step = Step { subject: self.record.subject.clone(), before: None, how: How::Queued(queued), known, change };
        Ok(Some((step, item)))
    }

    /// A change of an item that is there.
    fn change(
        &self,
        moment: &mut Moment<'_>,
        role: Option<ActionRole>,
        latest: &BTreeMap<String, (Item, QueueExpect)>,
    ) -> Result<Option<(Step, Item)>> {
        let subject = &self.record.subject;
        if latest.contains_key(subject) {
            // Two steps of one item are two entries.
            return Err(EngineError::Queue {
                code: "queue_status",
                detail: format!("`{subject}` is spoken of twice in one entry"),
                hint: Some("propose one after the other"),
            });
        }
        let id = self.id()?;
        if *subject != subject_of(self.rules, self.contract, id.as_str())? {
            // The judge refuses it.
            return Ok(None);
        }
        let mut seen = see(self.rules, moment, &self.record.actor, id.as_str(), self.now)?;
        if seen.is_none() && self.engine.queue_adopt(self.rules, self.contract, moment, subject)? {
            // In another moment: this one was before.
            let mut reader = self.engine.store().reader()?;
            seen = see(self.rules, &mut reader.moment(None)?, &self.record.actor, id.as_str(), self.now)?;
        }
        let Some(seen) = seen else { return Ok(None) };
        if seen.stored.archived {
            return Err(EngineError::Queue {
                code: "queue_archived",
                detail: format!("item `{id}` is archived"),
                hint: Some("nothing happens to an archived item any more"),
            });
        }
        let fact = later(None, &seen.item);
        let what = match role {
            Some(ActionRole::Settle) => Change::Settled { holder: None, fact },
            Some(ActionRole::Fulfill) => Change::Fulfilled(fact),
            Some(ActionRole::Fail) => Change::FailFinal(fact),
            Some(ActionRole::Void) => {
                self.triggers(moment)?;
                let reason = self.record.payload.get("reason").and_then(serde_json::Value::as_str).map(str::to_owned);
                Change::Void { fact, reason }
            }
            // Only who holds the item executes it, and he does not come this way.
            Some(ActionRole::Execute) => {
                let refused = Refused::Fenced { named: 0, last: seen.item.fence.0 };
                return Err(super::item::refused_queue(refused));
            }
            Some(ActionRole::Queue | ActionRole::Attest) | None => {
                enact_queue::lease::unheld(seen.item.lease.as_ref(), self.now).map_err(super::item::refused_queue)?;
                return Ok(None);
            }
        };
        Step::of(seen.expect(), subject, &seen.item, what, seen.known).map(Some).map_err(super::item::refused_queue)
    }

    fn triggers(&self, moment: &Moment<'_>) -> Result<()> {
        triggers(self.contract, moment, &self.record.actor)
    }
}

/// Whether an actor may start, retry and void items under a contract.
///
/// # Errors
/// `queue_trigger` when it may not.
pub(crate) fn triggers(contract: &Contract, moment: &Moment<'_>, actor: &str) -> Result<()> {
    let text = moment.get(Space::Actor, actor)?;
    let held = text.map(|text| row::<ActorRow>(&text, "actor", actor)).transpose()?;
    let active = held.filter(|row| row.status == enact_core::govern::row::Status::Active);
    let roles: Vec<String> = active.into_iter().flat_map(|row| row.roles).map(|grant| grant.role).collect();
    if contract.triggers(roles.iter().map(String::as_str)) {
        return Ok(());
    }
    Err(EngineError::Queue {
        code: "queue_trigger",
        detail: format!("`{actor}` holds none of the roles `{}`", contract.decl.trigger.roles.join("`, `")),
        hint: Some("let somebody do it who holds one of them"),
    })
}

/// The lines of an append, made once their entries are known.
#[derive(Default)]
struct Lines {
    /// By item and event.
    steps: BTreeMap<(String, String), Step>,
    /// Items as the lines so far leave them.
    latest: BTreeMap<String, Item>,
}

impl Lines {
    fn expect(&mut self, steps: Vec<Step>) {
        for step in steps {
            self.steps.insert((step.change.row.item.clone(), step.change.event.clone()), step);
        }
    }

    fn subjects(&self) -> impl Iterator<Item = &str> {
        self.steps.values().map(|step| step.subject.as_str())
    }

    /// The line, or `None` to keep the one that the change carries.
    fn line(&mut self, change: &QueueChange, committed: &Committed, after: &After) -> Option<String> {
        let step = self.steps.get(&(change.row.item.clone(), change.event.clone()))?;
        let after = after.borrow();
        let kept = after.get(&step.subject).and_then(Option::as_ref).map(kept);
        let at = entry_time(&committed.at);
        let next = match &step.how {
            How::Queued(queued) => {
                let place = Place { entry: committed.seq, ..queued.place };
                let kept = kept.unwrap_or_else(|| queued.kept.clone());
                // The second, here and below: the item as it was expected, rather than no line.
                Item::queued(Queued { place, kept, at_us: at, ..queued.clone() }).or_else(|_| Item::queued(queued.clone())).ok()?
            }
            How::Changed(what) => {
                let before = self.latest.get(&change.row.item).or(step.before.as_ref())?;
                let expected = what;
                let mut what = what.clone();
                if let Some(fact) = fact(&mut what) {
                    fact.entry = committed.seq;
                    fact.kept = kept.unwrap_or_else(|| before.kept.clone());
                }
                let known = Known { now: step.known.now.max(at), ..step.known };
                before.apply(&what, &known).or_else(|_| before.apply(expected, &step.known)).ok()?
            }
        };
        let line = next.to_line();
        self.latest.insert(change.row.item.clone(), next);
        Some(line)
    }
}

/// The fact in a change.
fn fact(change: &mut Change) -> Option<&mut Fact> {
    match change {
        Change::Executed { fact, .. } | Change::Void { fact, .. } | Change::Settled { fact, .. } => Some(fact),
        Change::FailFinal(fact) | Change::Fulfilled(fact) => Some(fact),
        Change::Validation(_)
        | Change::Lease { .. }
        | Change::Retry { .. }
        | Change::Resume { .. }
        | Change::Renew { .. }
        | Change::Release { .. }
        | Change::Expire
        | Change::Fail { .. }
        | Change::BeginSettlement { .. }
        | Change::FailSettlement { .. } => None,
    }
}

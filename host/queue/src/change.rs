//! Changes of an item: whoever writes a journal line, whatever triggered it, asks here. The store calls this inside the transaction that
//! writes the line (and the fact, where there is one), with what it reads there.

use crate::Map;
use crate::facts::Mode;
use crate::id;
use crate::item::{Item, Known};
use crate::lease::{self, Holder, Lease};
use crate::line;
use crate::refused::Refused;
use crate::retry::{self, Class, Failure, Next};
use crate::status::{Event, Status};
use crate::time::LAST_US;
use crate::validation::Answer;
use alloc::string::String;

/// Bytes of the longest reason that somebody gives: a journal line stays a line.
pub const REASON_BYTES_MAX: usize = 1024;

/// The reason of a lease whose deadline passed.
pub const REASON_EXPIRED: &str = "expired";

/// The reason of an automatic retry.
pub const REASON_AUTOMATIC: &str = "automatic";

/// Who takes an item again after a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// A worker, because the failure goes away by itself.
    Automatic,
    /// Somebody who says why.
    Hand {
        /// Not empty, at most [`REASON_BYTES_MAX`] bytes.
        reason: String,
    },
}

/// A record of the ledger about the item, in the same commit as the line.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// Sequence number of the entry.
    pub entry: u64,
    /// The run whose receipt is in the entry, of an execution.
    pub run: Option<String>,
    /// What the item keeps after the record.
    pub kept: Map,
}

/// A change of an item.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It was validated.
    Validation(Answer),
    /// A worker takes it.
    Lease {
        /// The worker.
        owner: String,
        /// Until when, microseconds.
        deadline: u64,
    },
    /// A worker takes it again after a failure.
    Retry {
        /// The worker.
        owner: String,
        /// Until when, microseconds.
        deadline: u64,
        /// Who wants it.
        by: By,
        /// The new validation.
        answer: Answer,
    },
    /// A worker takes it again to settle it.
    Resume {
        /// The worker.
        owner: String,
        /// Until when, microseconds.
        deadline: u64,
        /// Who wants it.
        by: By,
    },
    /// The holder needs more time.
    Renew {
        /// The holder.
        holder: Holder,
        /// Until when, microseconds.
        deadline: u64,
    },
    /// The holder gives it back before it was carried out.
    Release {
        /// The holder.
        holder: Holder,
        /// Why, a word.
        reason: String,
    },
    /// The deadline has passed.
    Expire,
    /// It was carried out.
    Executed {
        /// The holder.
        holder: Holder,
        /// The record.
        fact: Fact,
    },
    /// The attempt failed.
    Fail {
        /// The holder.
        holder: Holder,
        /// What it was.
        failure: Failure,
    },
    /// The failure is final.
    FailFinal(Fact),
    /// It is called off.
    Void {
        /// The record.
        fact: Fact,
        /// What the record says, if it says why.
        reason: Option<String>,
    },
    /// Settlement begins to wait for evidence.
    BeginSettlement {
        /// The holder.
        holder: Holder,
    },
    /// The attempt to settle failed.
    FailSettlement {
        /// The holder.
        holder: Holder,
        /// What it was.
        failure: Failure,
    },
    /// It was settled: by the worker that holds it, or by somebody with evidence.
    Settled {
        /// The worker, if it was one.
        holder: Option<Holder>,
        /// The record.
        fact: Fact,
    },
    /// It was fulfilled.
    Fulfilled(Fact),
}

impl Change {
    /// The event that the line will name.
    #[must_use]
    pub fn event(&self) -> Event {
        match self {
            Self::Validation(answer) if answer.passed() => Event::Validated,
            Self::Validation(_) => Event::Rejected,
            Self::Lease { .. } => Event::Leased,
            Self::Retry { .. } => Event::Retried,
            Self::Resume { .. } => Event::Resumed,
            Self::Renew { .. } => Event::Renewed,
            Self::Release { .. } | Self::Expire => Event::LeaseLost,
            Self::Executed { .. } => Event::Executed,
            Self::Fail { .. } => Event::Failed,
            Self::FailFinal(_) => Event::FailedFinal,
            Self::Void { .. } => Event::Voided,
            Self::BeginSettlement { .. } => Event::SettlementBegun,
            Self::FailSettlement { .. } => Event::SettlementFailed,
            Self::Settled { .. } => Event::Settled,
            Self::Fulfilled(_) => Event::Fulfilled,
        }
    }

    /// Who claims to hold the item, for the changes that only its holder may make.
    const fn holder(&self) -> Option<&Holder> {
        match self {
            Self::Renew { holder, .. }
            | Self::Release { holder, .. }
            | Self::Executed { holder, .. }
            | Self::Fail { holder, .. }
            | Self::BeginSettlement { holder }
            | Self::FailSettlement { holder, .. } => Some(holder),
            Self::Settled { holder, .. } => holder.as_ref(),
            Self::Validation(_)
            | Self::Lease { .. }
            | Self::Retry { .. }
            | Self::Resume { .. }
            | Self::Expire
            | Self::FailFinal(_)
            | Self::Void { .. }
            | Self::Fulfilled(_) => None,
        }
    }
}

impl Item {
    /// The next line of the item, or why there is none. `known.facts` are those of the ledger before the change.
    ///
    /// # Errors
    /// First who may change it ([`Refused::Fenced`], [`Refused::Locked`]), then the table ([`Status::after`]), then the change itself
    /// ([`Refused::Reason`], [`Refused::Final`], [`Refused::NotReady`], [`Refused::Settlement`], [`Refused::Name`]).
    pub fn apply(&self, change: &Change, known: &Known) -> Result<Self, Refused> {
        match change.holder() {
            Some(holder) => lease::check(self.lease.as_ref(), self.fence, holder).map(|_| ())?,
            None => lease::unheld(self.lease.as_ref(), known.now)?,
        }
        let (event, from) = (change.event(), self.logged(known));
        let status = from.after(event, known.facts, known.mode.required())?;
        let now = known.now.min(LAST_US);
        let mut next = Self { status, event, reason: None, updated_us: self.updated_us.max(now), ..self.clone() };
        match change {
            Change::Validation(answer) => next.mark(answer, from)?,
            Change::Lease { owner, deadline } => next.lease(owner, *deadline, now)?,
            Change::Retry { owner, deadline, by, answer } => next.retry(owner, *deadline, by, answer, now)?,
            Change::Resume { owner, deadline, by } => next.resume(owner, *deadline, by, now)?,
            Change::Renew { holder, deadline } => {
                next.lease = Some(lease::renew(self.lease.as_ref(), self.fence, holder, (*deadline).min(LAST_US))?);
            }
            Change::Release { reason, .. } => next.give_back(id::checked(reason)?),
            Change::Expire => next.give_back(REASON_EXPIRED.into()),
            Change::Executed { fact, .. } => {
                next.executed_us = Some(now);
                next.record(fact)?;
                next.forget_failure();
                next.automatic_retries = 0;
                // The holder goes on to settle it under the same lease.
                next.lease = next.lease.take().filter(|_| known.mode.required());
            }
            Change::Fail { failure, .. } => {
                next.fail(failure, now)?;
                next.ready = false;
            }
            Change::FailFinal(fact) => {
                next.record(fact)?;
                next.not_before_us = None;
            }
            Change::Void { fact, reason } => {
                next.record(fact)?;
                next.reason = reason.as_deref().map(given).transpose()?;
                (next.ready, next.lease, next.not_before_us) = (false, None, None);
            }
            Change::BeginSettlement { .. } => {
                if known.mode != Mode::External {
                    return Err(Refused::Settlement);
                }
                next.lease = None;
            }
            Change::FailSettlement { failure, .. } => next.fail(failure, now)?,
            Change::Settled { holder, fact } => {
                // A worker has no evidence.
                if known.mode == Mode::External && holder.is_some() {
                    return Err(Refused::Settlement);
                }
                next.settled_us = Some(now);
                next.record(fact)?;
                next.forget_failure();
                next.lease = None;
            }
            Change::Fulfilled(fact) => {
                next.fulfilled_us = Some(now);
                next.record(fact)?;
            }
        }
        Ok(next)
    }

    fn mark(&mut self, answer: &Answer, from: Status) -> Result<(), Refused> {
        if from == Status::Failed {
            // Only a failure that was about to be retried becomes another one by a validation.
            if self.failure_class != Some(Class::Transient) {
                return Err(Refused::Status { event: self.event, status: from });
            }
            self.failure_class = Some(Class::Resolvable);
            self.not_before_us = None;
        } else {
            (self.failure_class, self.failure_us, self.lease) = (None, None, None);
        }
        self.say(answer);
        Ok(())
    }

    fn lease(&mut self, owner: &str, deadline: u64, now: u64) -> Result<(), Refused> {
        if !self.is_valid() {
            return Err(Refused::NotReady { reason: self.failure_reason.clone().unwrap_or_default() });
        }
        self.take(owner, deadline, now)?;
        self.attempts = self.attempts.saturating_add(1);
        Ok(())
    }

    fn retry(&mut self, owner: &str, deadline: u64, by: &By, answer: &Answer, now: u64) -> Result<(), Refused> {
        self.reason = Some(self.again(by)?);
        if self.failure_class.is_some_and(Class::is_final) {
            return Err(Refused::Final);
        }
        answer.require()?;
        self.take(owner, deadline, now)?;
        self.forget_failure();
        self.say(answer);
        self.attempts = self.attempts.saturating_add(1);
        self.last_retry_us = Some(now);
        Ok(())
    }

    fn resume(&mut self, owner: &str, deadline: u64, by: &By, now: u64) -> Result<(), Refused> {
        // After a crash there is no failure, and nothing to count.
        if *by != By::Automatic || self.failure_class.is_some() {
            self.reason = Some(self.again(by)?);
        }
        self.take(owner, deadline, now)?;
        self.forget_failure();
        Ok(())
    }

    /// The reason of another attempt, and its count.
    fn again(&mut self, by: &By) -> Result<String, Refused> {
        match by {
            By::Hand { reason } => {
                self.automatic_retries = 0;
                given(reason)
            }
            By::Automatic if self.failure_class == Some(Class::Transient) => {
                self.automatic_retries = self.automatic_retries.saturating_add(1);
                Ok(REASON_AUTOMATIC.into())
            }
            By::Automatic if self.failure_class.is_some_and(Class::is_final) => Err(Refused::Final),
            By::Automatic => Err(Refused::Reason),
        }
    }

    fn take(&mut self, owner: &str, deadline: u64, now: u64) -> Result<(), Refused> {
        let lease: Lease = lease::take(self.lease.as_ref(), self.fence, owner, now, deadline.min(LAST_US))?;
        self.fence = lease.fence;
        self.lease = Some(lease);
        Ok(())
    }

    fn give_back(&mut self, reason: String) {
        self.lease = None;
        self.reason = Some(reason);
    }

    fn fail(&mut self, failure: &Failure, now: u64) -> Result<(), Refused> {
        let (class, at) = match retry::next(failure.class, self.automatic_retries, now) {
            Next::Again { at } => (Class::Transient, Some(at.min(LAST_US))),
            Next::ByHand => (Class::Resolvable, None),
            Next::Nothing | Next::Original => (failure.class, None),
        };
        self.failure_reason = Some(id::checked(&failure.reason)?);
        (self.failure_class, self.failure_us, self.not_before_us, self.lease) = (Some(class), Some(now), at, None);
        Ok(())
    }

    fn forget_failure(&mut self) {
        (self.failure_reason, self.failure_class, self.failure_us, self.not_before_us) = (None, None, None, None);
    }

    fn say(&mut self, answer: &Answer) {
        (self.validated, self.ready) = (answer.passed(), answer.passed());
        self.validation = answer.groups().clone();
        self.failure_reason = answer.failure_reason().map(String::from);
    }

    fn record(&mut self, fact: &Fact) -> Result<(), Refused> {
        if let Some(name) = fact.kept.keys().find(|name| line::is_own(name)) {
            return Err(Refused::Name { name: name.clone() });
        }
        self.entry = fact.entry;
        self.kept.clone_from(&fact.kept);
        if fact.run.is_some() {
            self.run.clone_from(&fact.run);
        }
        Ok(())
    }
}

/// A reason as somebody gave it.
pub(crate) fn given(reason: &str) -> Result<String, Refused> {
    let reason = reason.trim();
    if reason.is_empty() || reason.len() > REASON_BYTES_MAX { Err(Refused::Reason) } else { Ok(reason.into()) }
}

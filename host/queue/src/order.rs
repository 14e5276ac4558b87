//! What is due and in which order: the same journal at the same time picks the same items.

use crate::facts::Mode;
use crate::item::{Item, Known};
use crate::retry::Class;
use crate::status::Status;
use alloc::vec::Vec;

/// Where an item was queued: entry, then position in it. Unique in a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Sequence number of the `queued` entry.
    pub entry: u64,
    /// Position of the record in the entry.
    pub position: u64,
}

/// What a worker has to do with an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// Its lease has to be written down as lost.
    Recover,
    /// It has to be validated.
    Validate,
    /// It can be taken and run.
    Run,
    /// It can be taken and run again, after a validation.
    Retry,
    /// It can be taken and settled.
    Settle,
    /// Nothing before this instant, microseconds.
    At(u64),
    /// Nothing; somebody else has to do something first.
    Nothing,
}

/// What is due for an item now.
#[must_use]
pub fn due(item: &Item, known: &Known) -> Due {
    let held = item.lease.as_ref().filter(|lease| lease.live(known.now));
    if let Some(lease) = held {
        return Due::At(lease.deadline);
    }
    let transient = item.failure_class == Some(Class::Transient);
    let due = match item.logged(known) {
        Status::Executing => return Due::Recover,
        Status::Ready if item.is_valid() => Due::Run,
        // READY without a validation that passed would wait for ever.
        Status::Pending | Status::Ready => Due::Validate,
        Status::Failed if transient && !known.facts.failed => Due::Retry,
        Status::Executed if known.mode != Mode::None && (transient || item.failure_class.is_none()) => Due::Settle,
        Status::Failed | Status::Executed | Status::Settling | Status::Settled | Status::Fulfilled | Status::Void => return Due::Nothing,
    };
    match item.not_before_us {
        Some(at) if known.now < at => Due::At(at),
        _ => due,
    }
}

/// The first `limit` items for which this is due, in the order of their places; those after `after` only.
#[must_use]
pub fn pick<'a>(items: impl IntoIterator<Item = (&'a Item, Known)>, wanted: Due, after: Option<Place>, limit: usize) -> Vec<&'a Item> {
    let wanted = |item: &Item, known: &Known| due(item, known) == wanted && after.is_none_or(|after| item.queued > after);
    let mut picked: Vec<&Item> = items.into_iter().filter(|(item, known)| wanted(item, known)).map(|(item, _)| item).collect();
    picked.sort_unstable_by(|a, b| (a.queued, &a.id).cmp(&(b.queued, &b.id)));
    picked.truncate(limit);
    picked
}

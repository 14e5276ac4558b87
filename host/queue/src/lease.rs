//! Leases: who may work on an item, until when, and under which fencing number.
//!
//! The clock decides only whether an item can be taken; whether work is accepted is decided by owner and number alone.

use crate::id;
use crate::refused::Refused;
use alloc::string::String;
use core::fmt::{Display, Formatter, Result as Written};

/// A fencing number: raised by every lease of an item, never used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence(pub u64);

impl Fence {
    /// The next number.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl Display for Fence {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        self.0.fmt(f)
    }
}

/// Who claims to hold an item: every change of a held item names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The worker; no two that live at the same time have the same name, and none is used again after a crash.
    pub owner: String,
    /// The number it was given.
    pub fence: Fence,
}

/// A lease of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The worker.
    pub owner: String,
    /// From this instant on anybody may take the item, microseconds.
    pub deadline: u64,
    /// The number.
    pub fence: Fence,
}

impl Lease {
    /// Whether the item is held.
    #[must_use]
    pub const fn live(&self, now: u64) -> bool {
        now < self.deadline
    }

    /// The holder of this lease.
    #[must_use]
    pub fn holder(&self) -> Holder {
        Holder { owner: self.owner.clone(), fence: self.fence }
    }
}

/// Takes an item: `present` is its lease, `last` the last number given out.
///
/// # Errors
/// [`Refused::Locked`] while somebody holds it, whoever asks; [`Refused::Name`] for an owner without a proper name.
pub fn take(present: Option<&Lease>, last: Fence, owner: &str, now: u64, deadline: u64) -> Result<Lease, Refused> {
    unheld(present, now)?;
    Ok(Lease { owner: id::checked(owner)?, deadline, fence: last.next() })
}

/// Gives the holder more time, never less.
///
/// # Errors
/// [`Refused::Fenced`] as [`check`].
pub fn renew(present: Option<&Lease>, last: Fence, holder: &Holder, deadline: u64) -> Result<Lease, Refused> {
    let lease = check(present, last, holder)?;
    Ok(Lease { deadline: lease.deadline.max(deadline), ..lease.clone() })
}

/// The lease, if it is the holder's: same owner and same number. Its deadline does not matter, as long as nobody has taken the item or
/// written the lease down as lost.
///
/// # Errors
/// [`Refused::Fenced`] for everybody else.
pub fn check<'a>(present: Option<&'a Lease>, last: Fence, holder: &Holder) -> Result<&'a Lease, Refused> {
    present
        .filter(|lease| lease.owner == holder.owner && lease.fence == holder.fence)
        .ok_or(Refused::Fenced { named: holder.fence.0, last: last.0 })
}

/// Passes when nobody holds the item.
///
/// # Errors
/// [`Refused::Locked`] otherwise.
pub fn unheld(present: Option<&Lease>, now: u64) -> Result<(), Refused> {
    match present {
        Some(lease) if lease.live(now) => Err(Refused::Locked { until: lease.deadline }),
        _ => Ok(()),
    }
}

//! A receipt read without a copy, borrowed from the bytes of its entry.

use alloc::vec::Vec;

use serde::Deserialize;

use super::{ExitClass, RECORD_ACTION, RECORD_TYPE};
use crate::canonical::Text;
use crate::entry::{Kind, Pairs};
use crate::hash::Digest;

/// A receipt borrowed from the bytes of its entry ([`crate::entry::EntryView::receipt`]): the members of a [`super::RunReceipt`], under the
/// same names.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "some members are read only to see that they are there and what they should be")]
pub struct ReceiptView<'a> {
    #[serde(borrow, default)]
    admission: Option<ReadAdmission<'a>>,
    #[serde(borrow)]
    binding: Text<'a>,
    engine: Digest,
    #[serde(borrow)]
    environment: Text<'a>,
    #[serde(borrow)]
    exit: ReadExit<'a>,
    #[serde(borrow)]
    fuel_used: Text<'a>,
    input: Digest,
    #[serde(borrow)]
    modules: Pairs<'a>,
    nodes: u32,
    output: Digest,
    plan: Digest,
    reads: u32,
    #[serde(borrow)]
    run: Text<'a>,
    snapshot: Digest,
    steps: u32,
    trace: Digest,
    transcript: Digest,
    #[serde(borrow)]
    workflow: Text<'a>,
    writes: u32,
}

/// The members of a [`super::Admission`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read to see that it is what it should be")]
struct ReadAdmission<'a> {
    #[serde(borrow)]
    forbids: Vec<ReadFinding<'a>>,
    #[serde(borrow)]
    requires: Vec<ReadFinding<'a>>,
}

/// The members of a [`super::AdmissionFinding`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read to see that it is what it should be")]
struct ReadFinding<'a> {
    #[serde(borrow)]
    event: Text<'a>,
    found: bool,
}

/// The members of a [`super::Exit`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadExit<'a> {
    class: ExitClass,
    #[serde(borrow, default)]
    code: Option<Text<'a>>,
    #[serde(borrow)]
    reason: Text<'a>,
}

impl ReceiptView<'_> {
    /// The run's identifier.
    #[must_use]
    pub fn run(&self) -> &str {
        self.run.as_str()
    }

    /// Code of the workflow.
    #[must_use]
    pub fn workflow(&self) -> &str {
        self.workflow.as_str()
    }

    /// Code of the runtime binding.
    #[must_use]
    pub fn binding(&self) -> &str {
        self.binding.as_str()
    }

    /// The protocol snapshot in force.
    #[must_use]
    pub const fn snapshot(&self) -> Digest {
        self.snapshot
    }

    /// `context_hash` of the payload at the start.
    #[must_use]
    pub const fn input(&self) -> Digest {
        self.input
    }

    /// `context_hash` of the payload at the exit.
    #[must_use]
    pub const fn output(&self) -> Digest {
        self.output
    }

    /// Hash of the structural trace.
    #[must_use]
    pub const fn trace(&self) -> Digest {
        self.trace
    }

    /// Hash of the recorded host calls.
    #[must_use]
    pub const fn transcript(&self) -> Digest {
        self.transcript
    }

    /// How it ended: the class.
    #[must_use]
    pub const fn class(&self) -> ExitClass {
        self.exit.class
    }

    /// How it ended: the declared reason.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.exit.reason.as_str()
    }

    /// How it ended: the stable code, when the host ended it.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.exit.code.as_ref().map(Text::as_str)
    }

    /// The modules behind the capabilities.
    pub fn modules(&self) -> impl Iterator<Item = Digest> {
        self.modules.0.iter().map(|(_, module)| *module)
    }

    /// Whether it is well formed and a record with these members is the one that carries it.
    pub(crate) fn is_carried_by(&self, kind: Kind, type_: &str, action: &str, subject: &str, actor: &str) -> bool {
        let fuel = self.fuel_used.as_str();
        let decimal = fuel.bytes().all(|b| b.is_ascii_digit()) && (fuel == "0" || !fuel.starts_with('0')) && fuel.parse::<u128>().is_ok();
        decimal
            && kind == Kind::Receipt
            && type_ == RECORD_TYPE
            && action == RECORD_ACTION
            && subject.strip_prefix("Run:").is_some_and(|run| run == self.run())
            && actor.strip_prefix("Engine:").is_some_and(|engine| self.engine.is_spelled(engine))
    }
}

//! The receipt of one run: what ran, on what, under which rules, and how it ended; everything by digest.
//!
//! It holds what a replay must reproduce and nothing a replay could not: no worker, no wall time. It is the payload of a
//! [`Kind::Receipt`] record; the entry around it adds order and time.

mod view;

use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::canonical;
use crate::entry::{Kind, Record};
use crate::error::Refusal;
use crate::hash::Digest;

pub use view::ReceiptView;

/// Type of the record that carries a receipt.
pub const RECORD_TYPE: &str = "RUN";

/// Action of the record that carries a receipt.
pub const RECORD_ACTION: &str = "RUN.RECEIPT";

/// What one run did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunReceipt {
    /// The run's identifier.
    pub run: String,
    /// Code of the workflow.
    pub workflow: String,
    /// The protocol snapshot in force.
    pub snapshot: Digest,
    /// Code of the runtime binding.
    pub binding: String,
    /// The environment the binding is for.
    pub environment: String,
    /// Everything the binding resolved.
    pub plan: Digest,
    /// The module behind each capability code.
    pub modules: BTreeMap<String, Digest>,
    /// Fingerprint of the engine that executed the modules.
    pub engine: Digest,
    /// `context_hash` of the payload at the start.
    pub input: Digest,
    /// `context_hash` of the payload at the exit.
    pub output: Digest,
    /// Hash of the structural trace.
    pub trace: Digest,
    /// Hash of the recorded host calls.
    pub transcript: Digest,
    /// What the admission found, when the workflow asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admission: Option<Admission>,
    /// How it ended.
    pub exit: Exit,
    /// Fuel used by all calls, a decimal string: it may exceed a JSON number.
    pub fuel_used: String,
    /// Nodes entered.
    pub nodes: u32,
    /// Steps dispatched.
    pub steps: u32,
    /// Reads recorded.
    pub reads: u32,
    /// Writes staged.
    pub writes: u32,
}

/// What an admission asked for, and what it found, in the order asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admission {
    /// Events that had to be there.
    pub requires: Vec<AdmissionFinding>,
    /// Events that had to be absent.
    pub forbids: Vec<AdmissionFinding>,
}

/// One question of an admission and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdmissionFinding {
    /// The event asked for.
    pub event: String,
    /// Whether it was there.
    pub found: bool,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exit {
    /// The class.
    pub class: ExitClass,
    /// The declared reason.
    pub reason: String,
    /// Stable code, when the host and not the workflow ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// The four ways a run can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ExitClass {
    /// Reached an exit of success.
    Success,
    /// Reached an exit of failure.
    Failure,
    /// Ended by the host.
    Abort,
    /// Ended by a deadline.
    Timeout,
}

impl ExitClass {
    /// The stored spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::Failure => "FAILURE",
            Self::Abort => "ABORT",
            Self::Timeout => "TIMEOUT",
        }
    }
}

impl FromStr for ExitClass {
    type Err = Refusal;
    fn from_str(text: &str) -> Result<Self, Refusal> {
        [Self::Success, Self::Failure, Self::Abort, Self::Timeout]
            .into_iter()
            .find(|class| class.as_str() == text)
            .ok_or(Refusal::Field { record: 0, field: "exit.class" })
    }
}

impl RunReceipt {
    /// The record that carries this receipt: about the run, said by the engine that executed it.
    #[must_use]
    pub fn record(&self) -> Record {
        Record {
            kind: Kind::Receipt,
            type_: RECORD_TYPE.to_owned(),
            action: RECORD_ACTION.to_owned(),
            subject: format!("Run:{}", self.run),
            actor: format!("Engine:{}", self.engine),
            seat: None,
            scope: None,
            auth: None,
            refs: BTreeMap::new(),
            consumes: Vec::new(),
            version: None,
            postings: None,
            payload: Value::Object(self.payload()),
            sig: None,
        }
    }

    /// Reads the receipt out of a record, refusing one that does not belong to it.
    ///
    /// # Errors
    /// [`Refusal::Shape`] when the payload is no receipt, [`Refusal::Field`] when the record says something else about it.
    pub fn from_record(record: &Record) -> Result<Self, Refusal> {
        let receipt: Self = Deserialize::deserialize(&record.payload).map_err(|_| Refusal::Shape)?;
        let fuel_is_decimal = receipt.fuel_used.parse::<u128>().is_ok_and(|fuel| format!("{fuel}") == receipt.fuel_used);
        if !fuel_is_decimal {
            return Err(Refusal::Field { record: 0, field: "fuel_used" });
        }
        // One spelling: an explicit null or a mismatch between payload and envelope comes out differently.
        if canonical::to_bytes(&receipt.record())? != canonical::to_bytes(record)? {
            return Err(Refusal::Field { record: 0, field: "payload" });
        }
        Ok(receipt)
    }

    /// Member by member, because a general conversion could fail and this cannot.
    fn payload(&self) -> Map<String, Value> {
        let text = |text: &str| Value::String(text.to_owned());
        let digest = |digest: &Digest| Value::String(format!("{digest}"));
        let modules = self.modules.iter().map(|(code, module)| (code.clone(), digest(module))).collect();
        let mut exit = Map::new();
        exit.insert("class".to_owned(), text(self.exit.class.as_str()));
        exit.insert("reason".to_owned(), text(&self.exit.reason));
        if let Some(code) = &self.exit.code {
            exit.insert("code".to_owned(), text(code));
        }
        let mut members = Map::new();
        if let Some(admission) = &self.admission {
            members.insert("admission".to_owned(), admission.payload());
        }
        members.extend(
            [
                ("run", text(&self.run)),
                ("workflow", text(&self.workflow)),
                ("snapshot", digest(&self.snapshot)),
                ("binding", text(&self.binding)),
                ("environment", text(&self.environment)),
                ("plan", digest(&self.plan)),
                ("modules", Value::Object(modules)),
                ("engine", digest(&self.engine)),
                ("input", digest(&self.input)),
                ("output", digest(&self.output)),
                ("trace", digest(&self.trace)),
                ("transcript", digest(&self.transcript)),
                ("exit", Value::Object(exit)),
                ("fuel_used", text(&self.fuel_used)),
                ("nodes", Value::from(self.nodes)),
                ("steps", Value::from(self.steps)),
                ("reads", Value::from(self.reads)),
                ("writes", Value::from(self.writes)),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        members
    }
}

impl Admission {
    fn payload(&self) -> Value {
        let list = |findings: &[AdmissionFinding]| {
            let finding = |finding: &AdmissionFinding| {
                let members =
                    [("event".to_owned(), Value::String(finding.event.clone())), ("found".to_owned(), Value::Bool(finding.found))];
                Value::Object(members.into_iter().collect())
            };
            Value::Array(findings.iter().map(finding).collect())
        };
        let members = [("requires".to_owned(), list(&self.requires)), ("forbids".to_owned(), list(&self.forbids))];
        Value::Object(members.into_iter().collect())
    }
}

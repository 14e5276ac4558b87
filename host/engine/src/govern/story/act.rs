//! Steps of a story that are not proposals: work on items of the queue, looking at what came of it, and verifying.
use std::fmt;
use std::num::NonZeroUsize;

use enact_wasm::Backend;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::examine::AuditOptions;
use crate::queue::{QueueId, StopSign, WorkEvent, WorkOptions, WorkReport};
use crate::verify::Against;

/// Lines of an item that a story looks at.
const LINES_MAX: u64 = 1_000;

/// One thing to do.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Act {
    /// Whether an item may be executed now: `valid`, or the reason why not.
    Validate { item: String },
    /// What is due, once: what became of it.
    Work {},
    /// One item, now, by a worker: the status that it has then.
    Start { item: String, worker: String },
    /// The same for one that failed.
    Retry { item: String, worker: String, reason: String },
    /// Calls an item off.
    Void { item: String, reason: String },
    /// Vouches for a settlement elsewhere.
    Attest { item: String, given: Map<String, Value> },
    /// Records a settlement.
    Settle { item: String },
    /// Confirms that what was meant has happened.
    Fulfill { item: String, given: Map<String, Value> },
    /// The status of an item; with a member, that.
    Show { item: String, member: Option<String> },
    /// The events in the journal of an item.
    Journal { item: String },
    /// The actions of records about these subjects, in the order of the ledger.
    Records { subjects: Vec<String> },
    /// What an account holds of an asset.
    Balance { account: String, asset: String },
    /// How many items there are, and how far they are.
    Summary {},
    /// The whole ledger, judged again from nothing.
    Verify {},
    /// Every run, executed again.
    Audit {},
}

/// What came of it.
pub(super) enum Seen {
    /// An entry.
    Appended(u64),
    /// Something was done, which is summed up so.
    Done(String),
    /// Something was looked at.
    Shown(String),
}

impl Act {
    /// Who signs; whoever only looks does not.
    pub(super) fn signs<'a>(&'a self, actor: &'a str) -> Vec<&'a str> {
        match self {
            Self::Start { worker, .. } | Self::Retry { worker, .. } => vec![actor, worker],
            Self::Work {} | Self::Void { .. } | Self::Attest { .. } | Self::Settle { .. } | Self::Fulfill { .. } => vec![actor],
            Self::Validate { .. } | Self::Show { .. } | Self::Journal { .. } | Self::Records { .. } => Vec::new(),
            Self::Balance { .. } | Self::Summary {} | Self::Verify {} | Self::Audit {} => Vec::new(),
        }
    }

    /// Does it, as this actor.
    pub(super) fn done(&self, engine: &Engine, actor: &str) -> Result<Seen> {
        let appended = |appended: crate::govern::Appended| Seen::Appended(appended.entry.seq);
        Ok(match self {
            Self::Validate { item } => {
                let answer = engine.queue_validate(&id(item)?, None)?;
                let reason = answer.get("failure_reason").and_then(Value::as_str);
                Seen::Shown(reason.unwrap_or("valid").to_owned())
            }
            Self::Work {} => {
                let options = WorkOptions { actor: actor.to_owned(), once: true, ..WorkOptions::default() };
                Seen::Done(worked(engine.work(&options, &StopSign::new(), &|_: &WorkEvent| {})?))
            }
            Self::Start { item, worker } => Seen::Done(engine.queue_start(actor, &id(item)?, worker)?.item.text("status").to_owned()),
            Self::Retry { item, worker, reason } => {
                Seen::Done(engine.queue_retry(actor, &id(item)?, reason, worker)?.item.text("status").to_owned())
            }
            Self::Void { item, reason } => appended(engine.queue_void(actor, &id(item)?, reason)?),
            Self::Attest { item, given } => appended(engine.queue_attest(actor, &id(item)?, given)?),
            Self::Settle { item } => appended(engine.queue_settle(actor, &id(item)?)?),
            Self::Fulfill { item, given } => appended(engine.queue_fulfill(actor, &id(item)?, given)?),
            Self::Show { item, member } => {
                Seen::Shown(engine.queue_item(&id(item)?)?.text(member.as_deref().unwrap_or("status")).to_owned())
            }
            Self::Journal { item } => {
                let lines = engine.queue_lines(Some(&id(item)?), 0, LINES_MAX)?;
                let events: Vec<&str> = lines.iter().filter_map(|line| line.line.get("event").and_then(Value::as_str)).collect();
                Seen::Shown(events.join(" > "))
            }
            Self::Records { subjects } => Seen::Shown(records(engine, subjects)?),
            Self::Balance { account, asset } => {
                let held = engine.balance(account)?.balances.into_iter().find(|held| held.asset == *asset);
                Seen::Shown(held.map_or_else(|| "0".to_owned(), |held| held.balance))
            }
            Self::Summary {} => Seen::Shown(summed(engine)?),
            Self::Verify {} => {
                let mut report = engine.verify(Against::default(), NonZeroUsize::MIN, |_| ())?;
                report.rebuilt(engine.rebuild(NonZeroUsize::MIN, |_| ())?);
                Seen::Shown(report.verdict.to_owned())
            }
            Self::Audit {} => {
                let options = AuditOptions { entries: None, jobs: NonZeroUsize::MIN, state: true, backends: vec![Backend::Native] };
                Seen::Shown(engine.audit(&options, |_| ())?.verdict.to_owned())
            }
        })
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Validate { item } => write!(f, "may {item} be executed?"),
            Self::Work {} => f.write_str("works, once"),
            Self::Start { item, worker } => write!(f, "has {worker} carry out {item}"),
            Self::Retry { item, worker, .. } => write!(f, "has {worker} try {item} again"),
            Self::Void { item, .. } => write!(f, "voids {item}"),
            Self::Attest { item, .. } => write!(f, "vouches for the settlement of {item}"),
            Self::Settle { item } => write!(f, "settles {item}"),
            Self::Fulfill { item, .. } => write!(f, "confirms {item}"),
            Self::Show { item, member } => write!(f, "{} of {item}", member.as_deref().unwrap_or("status")),
            Self::Journal { item } => write!(f, "the journal of {item}"),
            Self::Records { subjects } => write!(f, "the ledger about {}", subjects.join(" and ")),
            Self::Balance { account, asset } => write!(f, "{asset} of {account}"),
            Self::Summary {} => f.write_str("the queue in numbers"),
            Self::Verify {} => f.write_str("the ledger, judged again from nothing"),
            Self::Audit {} => f.write_str("every run, executed again"),
        }
    }
}

fn id(item: &str) -> Result<QueueId> {
    QueueId::parse(item).map_err(|refused| EngineError::Queue {
        code: refused.code(),
        detail: refused.to_string(),
        hint: Some(refused.hint()),
    })
}

/// Counts that are not zero, in words.
fn counted(counts: &[(u64, &str)]) -> String {
    let there: Vec<String> = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    if there.is_empty() { "nothing".to_owned() } else { there.join(", ") }
}

fn worked(report: WorkReport) -> String {
    let WorkReport { executed, settled, failed, duplicates, fenced } = report;
    counted(&[(executed, "executed"), (settled, "settled"), (failed, "failed"), (duplicates, "done before"), (fenced, "taken over")])
}

fn summed(engine: &Engine) -> Result<String> {
    let mut counts = [0_u64; 3];
    for summary in engine.queue_summary(&[], |_| {})? {
        for (count, more) in counts.iter_mut().zip([summary.queued, summary.executed, summary.fulfilled]) {
            *count = count.saturating_add(more);
        }
    }
    let [queued, executed, fulfilled] = counts;
    Ok(counted(&[(queued, "queued"), (executed, "executed"), (fulfilled, "fulfilled")]))
}

fn records(engine: &Engine, subjects: &[String]) -> Result<String> {
    let mut found = Vec::new();
    for subject in subjects {
        found.extend(engine.history(subject)?.into_iter().map(|row| (row.seq, row.action)));
    }
    // Stable: records of one entry stay as they were found.
    found.sort_by_key(|(seq, _)| *seq);
    let actions: Vec<String> = found.into_iter().map(|(_, action)| action).collect();
    Ok(actions.join(" > "))
}

//! Reading the queue: items as they are shown, counts, lines as they come. What is shown is the projection in which the ledger dominates.
use enact_core::govern::contract::Validation;
use enact_queue::id::QueueId;
use enact_queue::validation::Answer;
use enact_store::{QueueFilter, QueueItem};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

use super::item::{refused_queue, seen, unknown};
use crate::engine::Engine;
use crate::error::{EngineError, Result};

const NO_CONTRACT: &str = "queue_contract";
/// Rows read at a time.
const PAGE: u64 = 500;

/// Which items; what is `None` does not matter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In this status, as it is stored.
    pub status: Option<String>,
    /// Under this contract.
    pub contract: Option<String>,
    /// With this value of a member that is kept.
    pub kept: Option<(String, String)>,
    /// With this text in id or line.
    pub text: Option<String>,
    /// Archived ones, instead of the others.
    pub archived: bool,
    /// Changed before this time, microseconds.
    pub before_us: Option<u64>,
}

impl From<&Filter> for QueueFilter {
    fn from(filter: &Filter) -> Self {
        let Filter { status, contract, kept, text, archived, before_us } = filter.clone();
        Self { status, contract, kept, text, archived, before: before_us }
    }
}

/// An item as it is shown; the stable shape of `enact queue show --json`.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    /// The members of its line, with the status as it is now.
    #[serde(flatten)]
    pub item: serde_json::Map<String, Value>,
    /// Whether it is out of the lists.
    pub archived: bool,
    /// Why there is nothing but its row: no entry knows the item, or its contract is in force no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<RowError>,
    /// The cursor behind it in a listing.
    #[serde(skip)]
    pub number: u64,
}

impl Shown {
    /// A member as text, empty when there is none.
    #[must_use]
    pub fn text(&self, member: &str) -> &str {
        self.item.get(member).and_then(Value::as_str).unwrap_or_default()
    }
}

/// A row of the queue that follows from nothing, or a line of its journal that is none.
#[derive(Debug, Clone, Serialize)]
pub struct RowError {
    /// `queue_row`, or of a line what is wrong with it; `queue_contract` when nothing is wrong but that nothing in force says what the item means.
    pub code: &'static str,
    /// Why, in words.
    pub message: String,
}

impl RowError {
    /// What is wrong with one row alone; any other error is one of the whole reading.
    pub(crate) fn of(error: EngineError) -> Result<Self> {
        if let EngineError::Queue { code: code @ ("queue_unknown" | NO_CONTRACT), detail, .. } = error {
            return Ok(Self { code: if code == NO_CONTRACT { code } else { "queue_row" }, message: detail });
        }
        Err(error)
    }

    /// Whether what is stored is not what it should be.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        self.code != NO_CONTRACT
    }
}

/// One line of the journal; the stable shape of a line of `enact queue watch --json`.
#[derive(Debug, Clone, Serialize)]
pub struct LineReport {
    /// Its number: the cursor of a reading.
    #[serde(skip)]
    pub number: u64,
    /// The line as it is stored, to the byte.
    #[serde(skip)]
    pub text: String,
    /// Its members.
    #[serde(flatten)]
    pub line: serde_json::Map<String, Value>,
}

/// How many items there are; the stable shape of an element of `enact summary --json`.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Summary {
    /// The contract.
    pub contract: String,
    /// Values of the members asked for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by: BTreeMap<String, String>,
    /// All of them.
    pub queued: u64,
    /// Those that were executed.
    pub executed: u64,
    /// Those that were fulfilled.
    pub fulfilled: u64,
    /// How many are in each status.
    pub statuses: BTreeMap<String, u64>,
}

impl Summary {
    fn count(&mut self, status: &str, items: u64) {
        let add = |count: &mut u64| *count = count.saturating_add(items);
        add(&mut self.queued);
        if matches!(status, "EXECUTED" | "SETTLING" | "SETTLED" | "FULFILLED") {
            add(&mut self.executed);
        }
        if status == "FULFILLED" {
            add(&mut self.fulfilled);
        }
        add(self.statuses.entry(status.to_owned()).or_default());
    }
}

/// The answer of the core's validation in the queue's own form.
pub(crate) fn answer(validation: &Validation) -> Result<Answer> {
    let groups = validation.groups.iter().map(|(name, failure)| (name.as_str(), failure.as_ref().map(|failure| failure.reason.as_str())));
    Answer::of(groups).map_err(refused_queue)
}

pub(crate) fn archived(id: &str) -> EngineError {
    EngineError::Queue {
        code: "queue_archived",
        detail: format!("item `{id}` is archived"),
        hint: Some("nothing happens to an archived item any more"),
    }
}

fn members(line: &str) -> Result<serde_json::Map<String, Value>> {
    serde_json::from_str(line).map_err(|e| EngineError::Altered {
        what: "a line of the queue's journal".to_owned(),
        code: "queue_line",
        detail: e.to_string(),
    })
}

impl Engine {
    /// One item.
    ///
    /// # Errors
    /// `queue_unknown`.
    pub fn queue_item(&self, id: &QueueId) -> Result<Shown> {
        let stored = self.store().reader()?.queue_item(id.as_str())?.ok_or_else(|| unknown(id.as_str()))?;
        self.shown(vec![stored])?.pop().filter(|shown| shown.error.is_none()).ok_or_else(|| unknown(id.as_str()))
    }

    /// A page of items in the order in which they were added, after this number. A row that no entry knows is one with an error.
    pub fn queue_list(&self, filter: &Filter, after: u64, limit: u64) -> Result<Vec<Shown>> {
        let stored = self.store().reader()?.queue_items(&filter.into(), after, limit)?;
        self.shown(stored)
    }

    /// Every item of a filter, page by page.
    pub fn queue_each(&self, filter: &Filter, mut each: impl FnMut(Shown) -> Result<()>) -> Result<()> {
        let mut after = 0;
        loop {
            let page = self.queue_list(filter, after, PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.number;
            page.into_iter().try_for_each(&mut each)?;
        }
    }

    fn shown(&self, stored: Vec<QueueItem>) -> Result<Vec<Shown>> {
        let now = self.queue_now();
        let mut reader = self.store().reader()?;
        let mut moment = reader.moment(None)?;
        let protocol = self.in_force(&moment)?;
        let ruled = self.rules(&protocol, &moment)?;
        let mut shown = Vec::with_capacity(stored.len());
        for stored in stored {
            let (number, archived) = (stored.id, stored.archived);
            let named = [("queue_id", &stored.row.item), ("contract", &stored.row.contract), ("status", &stored.row.status)]
                .map(|(n, v)| (n, v.clone()));
            let (item, error) = match seen(&ruled.protocol, &mut moment, "", stored, now) {
                Ok(seen) => {
                    let mut item = seen.item.clone();
                    item.status = seen.item.shown(&seen.known);
                    (members(&item.to_line())?, None)
                }
                Err(error) => {
                    let item = named.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect();
                    (item, Some(RowError::of(error)?))
                }
            };
            shown.push(Shown { item, archived, error, number });
        }
        Ok(shown)
    }

    /// Lines of the journal after this number, of one item or all.
    pub fn queue_lines(&self, id: Option<&QueueId>, after: u64, limit: u64) -> Result<Vec<LineReport>> {
        let lines = self.store().reader()?.queue_lines(id.map(QueueId::as_str), after, limit)?;
        lines.into_iter().map(|line| Ok(LineReport { number: line.id, line: members(&line.line)?, text: line.line })).collect()
    }

    /// How many items there are, archived ones apart.
    pub fn queue_size(&self) -> Result<u64> {
        Ok(self.store().reader()?.queue_counts(None)?.iter().fold(0, |sum, count| sum.saturating_add(count.items)))
    }

    /// How many items there are, by contract and by the values of these members. Without members nothing but counts is read; with some, the
    /// last line of every item, page by page, of which `progress` hears.
    pub fn queue_summary(&self, by: &[String], mut progress: impl FnMut(u64)) -> Result<Vec<Summary>> {
        let mut found: BTreeMap<(String, Vec<String>), Summary> = BTreeMap::new();
        let entry = |found: &mut BTreeMap<_, Summary>, contract: &str, values: Vec<String>, status: &str, items: u64| {
            let named = by.iter().cloned().zip(values.iter().cloned()).collect();
            let summary = found.entry((contract.to_owned(), values)).or_insert_with(|| Summary {
                contract: contract.to_owned(),
                by: named,
                queued: 0,
                executed: 0,
                fulfilled: 0,
                statuses: BTreeMap::new(),
            });
            summary.count(status, items);
        };
        if by.is_empty() {
            for count in self.store().reader()?.queue_counts(None)? {
                entry(&mut found, &count.contract, Vec::new(), &count.status, count.items);
            }
        } else {
            let mut reader = self.store().reader()?;
            let mut after = 0;
            loop {
                let page = reader.queue_items(&QueueFilter::default(), after, PAGE)?;
                let Some(last) = page.last() else { break };
                after = last.id;
                progress(u64::try_from(page.len()).unwrap_or(0));
                for stored in page {
                    // Counted as the plain summary counts: by the status that is stored.
                    let (contract, status) = (stored.row.contract.clone(), stored.row.status.clone());
                    let item = match &stored.line {
                        Some(line) => members(line)?,
                        None => self.shown(vec![stored])?.pop().map(|shown| shown.item).unwrap_or_default(),
                    };
                    let value = |member: &String| match item.get(member) {
                        Some(Value::String(text)) => text.clone(),
                        Some(other) => other.to_string(),
                        None => String::new(),
                    };
                    entry(&mut found, &contract, by.iter().map(value).collect(), &status, 1);
                }
            }
        }
        Ok(found.into_values().collect())
    }
}

//! Reading through the views of the protocol in force: the subjects of one type, at present or as an entry left them.
//!
//! Only rows of that type are read, page by page in the order of their keys; nothing is written, and nothing else is looked at.
use std::collections::BTreeMap;

use enact_core::govern::View;
use enact_core::govern::row::SubjectRow;
use enact_core::state::Space;
use serde::Serialize;
use serde_json::Value;

use super::proposal::row;
use super::query::PAGE;
use crate::engine::Engine;
use crate::error::{EngineError, Result};

/// A view that can be asked for; the stable shape of an element of `enact view --json`.
#[derive(Debug, Clone, Serialize)]
pub struct ViewSummary {
    /// The word by which it is asked for.
    pub name: String,
    /// Its artifact.
    pub code: String,
    /// One sentence.
    pub summary: String,
    /// Type of the subjects that it shows.
    pub subject: String,
    /// The states in which it shows them; empty for all.
    pub states: Vec<String>,
    /// Headings, from left to right.
    pub columns: Vec<String>,
}

/// What a view shows; the stable shape of `enact view NAME --json`.
#[derive(Debug, Clone, Serialize)]
pub struct ViewReport {
    /// The view.
    pub view: ViewSummary,
    /// The last entry that counts; none in a ledger without entries.
    pub at: Option<u64>,
    /// Subjects of the type that were read.
    pub read: u64,
    /// Those that are shown, in the order of the view.
    pub rows: Vec<ViewRow>,
}

/// One row.
#[derive(Debug, Clone, Serialize)]
pub struct ViewRow {
    /// The subject.
    pub subject: String,
    /// The entry that left it so.
    pub seq: u64,
    /// From left to right; `null` where the subject says nothing.
    pub values: Vec<Value>,
}

impl Engine {
    /// The views of the protocol in force, by name.
    pub fn views(&self) -> Result<Vec<ViewSummary>> {
        let mut reader = self.store().reader()?;
        let moment = reader.moment(None)?;
        let ruled = self.rules(&self.in_force(&moment)?, &moment)?;
        Ok(ruled.views.values().map(summary).collect())
    }

    /// What a view shows, now or as entry `at` left the ledger, of those whose columns are equal to what `only` says of them.
    ///
    /// # Errors
    /// [`EngineError::NoView`], [`EngineError::ViewColumn`], [`EngineError::NoEntry`] beyond the head.
    pub fn view(&self, name: &str, at: Option<u64>, only: &BTreeMap<String, String>) -> Result<ViewReport> {
        let mut reader = self.store().reader()?;
        let mut moment = reader.moment(None)?;
        let ruled = self.rules(&self.in_force(&moment)?, &moment)?;
        let view = ruled.views.get(name).or_else(|| ruled.views.values().find(|view| view.decl.code == name));
        let view = view.ok_or_else(|| EngineError::NoView { view: name.to_owned() })?;
        let mut wanted = Vec::with_capacity(only.len());
        for (column, value) in only {
            let nth = view.column(column).ok_or_else(|| EngineError::ViewColumn {
                view: name.to_owned(),
                column: column.clone(),
                columns: summary(view).columns.join(", "),
            })?;
            wanted.push((nth, value));
        }
        let reader = moment.reader();
        Self::has_entry(reader, at)?;
        let last = match at {
            Some(at) => Some(at),
            None => reader.head()?.size.checked_sub(1),
        };
        let prefix = view.prefix();
        let (mut read, mut rows, mut after) = (0_u64, Vec::new(), None::<String>);
        loop {
            let page = reader.state_rows_at(Space::Subject, &prefix, after.as_deref(), PAGE, last)?;
            let Some(end) = page.last() else { break };
            after = Some(end.key.clone());
            for stored in page {
                read += 1;
                let subject: SubjectRow = row(&stored.value, "subject", &stored.key)?;
                let Some(values) = view.shows(&stored.key, &subject) else { continue };
                if wanted.iter().all(|(nth, value)| values.get(*nth).is_some_and(|shown| text(shown) == **value)) {
                    rows.push(ViewRow { subject: stored.key, seq: stored.seq, values });
                }
            }
        }
        // Stable: subjects that are equal in it stay in the order of their names.
        rows.sort_by(|one, other| view.compare(&one.values, &other.values));
        Ok(ViewReport { view: summary(view), at: last, read, rows })
    }
}

impl ViewRow {
    /// The values as people read them.
    pub fn texts(&self) -> impl Iterator<Item = String> {
        self.values.iter().map(text)
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn summary(view: &View) -> ViewSummary {
    let decl = &view.decl;
    ViewSummary {
        name: decl.name.clone(),
        code: decl.code.clone(),
        summary: decl.summary.clone(),
        subject: decl.subject.clone(),
        states: decl.states.clone(),
        columns: decl.columns.iter().map(|column| column.name.clone()).collect(),
    }
}

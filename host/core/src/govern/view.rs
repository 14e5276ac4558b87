//! `VW_`: what people are shown of the subjects of one type. A view reads; nothing is decided by it, and no record can name one.
//!
//! Columns are expressions over a subject as it stands: its name, its state and what it keeps. Another subject is out of reach, so a view
//! of one stage cannot show what belongs to another. Whoever judges compiles no view: it is asked for by whoever shows one.

use alloc::borrow::ToOwned as _;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::cmp::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::compile::word;
use super::expr::{Expr, Reference, Scope};
use super::near::nearest;
use super::problem::Problem;
use super::row::SubjectRow;
use super::rules::Protocol;
use crate::entry::{Kind, Record};

/// Most columns: more is a table that nobody reads.
const MAX_COLUMNS: usize = 32;

/// `VW_` as it is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewDecl {
    /// Code of the artifact.
    pub code: String,
    /// One sentence.
    pub summary: String,
    /// The word by which it is asked for; unique in a snapshot.
    pub name: String,
    /// Type of the subjects that it shows.
    pub subject: String,
    /// The states in which it shows them; all without it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<String>,
    /// What must be so for a subject to be shown.
    #[serde(default, rename = "where", skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<FilterDecl>,
    /// What is shown of each, from left to right.
    pub columns: Vec<ColumnDecl>,
    /// Names of columns, the first one counts most; with a minus before it the greatest comes first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<String>,
}

/// One condition: an expression and the values that it may have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilterDecl {
    /// An expression over the subject.
    pub field: String,
    /// The values.
    pub values: Vec<Value>,
}

/// One column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnDecl {
    /// Its heading.
    pub name: String,
    /// An expression over the subject.
    pub value: Value,
}

/// A view, compiled against the lifecycles of its snapshot.
#[derive(Clone, Debug)]
pub struct View {
    /// As it was written.
    pub decl: ViewDecl,
    only: Vec<(Expr, Vec<Value>)>,
    columns: Vec<Expr>,
    /// Columns by position, and whether the greatest comes first.
    order: Vec<(usize, bool)>,
}

/// A view on its way.
struct Reading<'a> {
    rules: &'a Protocol,
    decl: &'a ViewDecl,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Reading<'a> {
    fn problem(&mut self, kind: &'static str, at: &str, detail: String) {
        self.problems.push(Problem::error(kind, &self.decl.code, at, detail));
    }

    fn view(&mut self) -> View {
        let decl = self.decl;
        word(&decl.code, "name", &decl.name, self.problems);
        self.subject();
        let only = decl.only.iter().enumerate().filter_map(|(nth, filter)| {
            let at = format!("where.{nth}");
            if filter.values.is_empty() {
                self.problem("bad_view", &at, "`values` lists at least one".to_owned());
            }
            Some((self.expr(&at, &Value::String(filter.field.clone()))?, filter.values.clone()))
        });
        let only = only.collect();
        if decl.columns.is_empty() || decl.columns.len() > MAX_COLUMNS {
            self.problem("bad_view", "columns", format!("{} columns; from 1 to {MAX_COLUMNS} are allowed", decl.columns.len()));
        }
        let (mut names, mut columns) = (BTreeSet::new(), Vec::new());
        for (nth, column) in decl.columns.iter().enumerate() {
            let at = format!("columns.{nth}");
            word(&decl.code, &format!("{at}.name"), &column.name, self.problems);
            if !names.insert(&column.name) {
                self.problem("bad_view", &at, format!("two columns are named `{}`", column.name));
            }
            columns.extend(self.expr(&format!("{at}.value"), &column.value));
        }
        let mut order = Vec::new();
        for by in &decl.order {
            let (name, falling) = by.strip_prefix('-').map_or((by.as_str(), false), |name| (name, true));
            match decl.columns.iter().position(|column| column.name == name) {
                Some(nth) => order.push((nth, falling)),
                None => self.problem("bad_view", "order", format!("`{name}` is no column, {}", nearest(name, names.iter().copied()))),
            }
        }
        View { decl: decl.clone(), only, columns, order }
    }

    /// The type is declared, and so are the states.
    fn subject(&mut self) {
        let decl = self.decl;
        let Some(lifecycle) = self.rules.lifecycles().find(|lifecycle| lifecycle.subject == decl.subject) else {
            let types: Vec<&String> = self.rules.lifecycles().map(|lifecycle| &lifecycle.subject).collect();
            let detail = format!("no lifecycle has subjects of type `{}`, {}", decl.subject, nearest(&decl.subject, types));
            self.problem("unknown_subject", "subject", detail);
            return;
        };
        let known: Vec<&String> = lifecycle.states.keys().collect();
        for state in decl.states.iter().filter(|state| !known.contains(state)) {
            let detail = format!("`{}` has no state `{state}`, {}", decl.subject, nearest(state, known.iter().copied()));
            self.problems.push(Problem::error("unknown_state", &decl.code, "states", detail));
        }
    }

    /// An expression that leads somewhere in a subject.
    fn expr(&mut self, at: &str, value: &Value) -> Option<Expr> {
        let expr = match Expr::parse(value) {
            Ok(expr) => expr,
            Err(detail) => {
                self.problem("bad_expression", at, detail);
                return None;
            }
        };
        if expr.references().is_empty() {
            self.problem("bad_expression", at, "it says nothing about the subject".to_owned());
        }
        for reference in expr.references() {
            match reference {
                Reference::Subject | Reference::Id | Reference::State | Reference::Inside(..) | Reference::IdOf(_) => {}
                Reference::Kept(name) => {
                    let kept = self.kept();
                    if !kept.contains(&name) {
                        let detail = format!("`{}` keeps no `{name}`, {}", self.decl.subject, nearest(name, kept));
                        self.problem("unknown_field", at, detail);
                    }
                }
                Reference::Payload(_)
                | Reference::Actor
                | Reference::At
                | Reference::Record
                | Reference::Entry
                | Reference::Run(_)
                | Reference::Output(_)
                | Reference::Effect(_)
                | Reference::Drafted(_) => {
                    let detail = "a view shows a subject: `subject`, `id`, `state` and `kept.<member>`, and their `.id`";
                    self.problem("bad_expression", at, detail.to_owned());
                }
            }
        }
        Some(expr)
    }

    /// What a subject of the type keeps.
    fn kept(&self) -> Vec<&'a String> {
        let declared = self.rules.lifecycles().filter(|lifecycle| lifecycle.subject == self.decl.subject);
        let fields = declared.flat_map(|lifecycle| lifecycle.actions.values()).flat_map(|action| &action.fields);
        let names: BTreeSet<&String> = fields.filter(|(_, field)| field.keep).map(|(name, _)| name).collect();
        names.into_iter().collect()
    }
}

impl Protocol {
    /// Compiles views of the snapshot, by their names.
    ///
    /// # Errors
    /// Everything that does not fit these rules, sorted.
    pub fn views<'a>(&self, artifacts: impl IntoIterator<Item = (&'a str, &'a Value)>) -> Result<BTreeMap<String, View>, Vec<Problem>> {
        let (mut views, mut problems) = (BTreeMap::<String, View>::new(), Vec::new());
        for (code, artifact) in artifacts {
            let decl = match ViewDecl::deserialize(artifact) {
                Ok(decl) => decl,
                Err(error) => {
                    problems.push(Problem::error("bad_shape", code, "", error.to_string()));
                    continue;
                }
            };
            let view = Reading { rules: self, decl: &decl, problems: &mut problems }.view();
            if let Some(other) = views.insert(decl.name.clone(), view) {
                let detail = format!("`{}` has the name `{}` already", other.decl.code, decl.name);
                problems.push(Problem::error("duplicate_view", code, "name", detail));
            }
        }
        if problems.is_empty() {
            return Ok(views);
        }
        Problem::sort(&mut problems);
        Err(problems)
    }
}

impl View {
    /// What the names of its subjects begin with.
    #[must_use]
    pub fn prefix(&self) -> String {
        format!("{}:", self.decl.subject)
    }

    /// The position of a column.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.decl.columns.iter().position(|column| column.name == name)
    }

    /// What is shown of a subject, `null` where an expression leads nowhere; nothing where it is not shown.
    #[must_use]
    pub fn shows(&self, subject: &str, row: &SubjectRow) -> Option<Vec<Value>> {
        let decl = &self.decl;
        if !decl.states.is_empty() && !row.state.as_ref().is_some_and(|state| decl.states.contains(state)) {
            return None;
        }
        // Expressions are resolved against a record; of this one only the subject is ever asked for.
        let record = Record {
            kind: Kind::Receipt,
            type_: row.type_.clone(),
            action: String::new(),
            subject: subject.to_string(),
            actor: String::new(),
            seat: None,
            scope: None,
            auth: None,
            refs: BTreeMap::new(),
            consumes: Vec::new(),
            version: None,
            postings: None,
            payload: Value::Object(Map::new()),
            sig: None,
        };
        let scope =
            Scope { record: &record, kept: Some(&row.kept), state: row.state.as_deref(), at: "", place: None, run: None, effect: None };
        let holds = |(expr, values): &(Expr, Vec<Value>)| expr.value(scope).is_some_and(|value| values.contains(&value));
        let shown = || self.columns.iter().map(|expr| expr.value(scope).map_or(Value::Null, alloc::borrow::Cow::into_owned)).collect();
        self.only.iter().all(holds).then(shown)
    }

    /// Which of two rows comes first.
    #[must_use]
    pub fn compare(&self, one: &[Value], other: &[Value]) -> Ordering {
        let by = |(nth, falling): &(usize, bool)| {
            let ordering = compare(one.get(*nth).unwrap_or(&Value::Null), other.get(*nth).unwrap_or(&Value::Null));
            if *falling { ordering.reverse() } else { ordering }
        };
        self.order.iter().map(by).find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
    }
}

/// Nothing before numbers before text; amounts, which are text, by what they are worth.
fn compare(one: &Value, other: &Value) -> Ordering {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let rank = |value: &Value| match value {
        Value::Null => 0_u8,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(text) if digits(text) => 3,
        Value::String(_) => 4,
        Value::Array(_) | Value::Object(_) => 5,
    };
    rank(one).cmp(&rank(other)).then_with(|| match (one, other) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Number(a), Value::Number(b)) => a.as_i64().cmp(&b.as_i64()),
        (Value::String(a), Value::String(b)) if digits(a) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        _ => Ordering::Equal,
    })
}

//! The rules in force, compiled: everything that judging looks up, resolved once.
//!
//! Built by `compile` from artifacts and by `builtin` for the core's own records; never changed afterwards.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use super::contract::Contract;
use super::decision::Decisions;
use super::declare::{AssetClass, InvariantDecl, RowDecl, Step};
use super::expr::Expr;
use super::field::Field;
use crate::entry::Kind;
use crate::hash::Digest;
use crate::time::Instant;

/// A protocol in force: lifecycles, rows, assets and accounts of one snapshot, beside those of the core itself.
#[derive(Clone, Debug)]
pub struct Protocol {
    pub(super) snapshot: Digest,
    pub(super) lifecycles: BTreeMap<String, Lifecycle>,
    pub(super) rows: Vec<Row>,
    pub(super) accounts: Vec<Account>,
    pub(super) literals: BTreeMap<String, usize>,
    pub(super) prefixes: BTreeMap<String, usize>,
    pub(super) assets: BTreeMap<String, Asset>,
    pub(super) roles: BTreeSet<String>,
    pub(super) seats: BTreeSet<String>,
    pub(super) actions: BTreeSet<String>,
    /// Type of the subjects of the lifecycle of decisions.
    pub(super) decisions: Option<String>,
    /// Queue contracts by their codes.
    pub(super) contracts: BTreeMap<String, Contract>,
    /// Artifacts that no later snapshot may have otherwise, by their codes.
    pub(super) frozen: BTreeMap<String, Value>,
    /// What proposals may bring about, by their record type.
    pub(super) decision_contracts: BTreeMap<String, Decisions>,
    /// Actions that nothing but a decision performs.
    pub(super) decided_only: BTreeSet<String>,
}

/// A record type.
#[derive(Clone, Debug)]
pub struct Lifecycle {
    /// Code of the artifact; `core` for the core's own.
    pub code: String,
    /// One sentence.
    pub summary: String,
    /// The record type.
    pub record: String,
    /// Its kind.
    pub kind: Kind,
    /// Type of its subjects.
    pub subject: String,
    /// States, and whether they are terminal.
    pub states: BTreeMap<String, bool>,
    /// Actions by name.
    pub actions: BTreeMap<String, Action>,
    /// Codes of the side effects that carry out what it allows.
    pub effects: Vec<String>,
}

/// An action.
#[derive(Clone, Debug)]
pub struct Action {
    /// One sentence.
    pub summary: String,
    /// States that it leaves; empty creates the subject.
    pub from: Vec<String>,
    /// The state after; nothing where it stays where it is.
    pub to: Option<String>,
    /// What it does to a chain of versions.
    pub step: Option<Step>,
    pub(super) core: Option<Core>,
    pub(super) fields: BTreeMap<String, Field>,
    pub(super) required: Vec<String>,
    pub(super) guards: Vec<GuardOf>,
    pub(super) invariants: Vec<InvariantDecl>,
    pub(super) consumes: Vec<Expr>,
    pub(super) legs: Option<Vec<LegTemplate>>,
    pub(super) moves: Option<Moves>,
    pub(super) rows: Vec<usize>,
    pub(super) takes_access: bool,
}

/// What the core itself does on an action of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Core {
    Found,
    Register,
    Rotate,
    Revoke,
    Suspend,
    Resume,
    Grant,
    Withdraw,
    Run,
    Snapshot,
    Adopt,
}

/// A guard, and the other subject whose kept members it speaks of.
#[derive(Clone, Debug)]
pub(super) struct GuardOf {
    pub(super) of: Option<Expr>,
    pub(super) guard: Guard,
}

#[derive(Clone, Debug)]
pub(super) enum Guard {
    StateIn { subject: Expr, states: Vec<String> },
    Exists { subject: Expr },
    KeyUnconsumed { key: Expr },
    VersionRatified { subject: Expr, field: Option<String>, equals: Option<Expr> },
    ActorsDistinct { actions: Vec<String>, and: Vec<Expr> },
    FieldEquals { left: Expr, right: Expr },
    FieldIn { field: Expr, values: Vec<Value> },
    FieldPositive { field: Expr },
    TimeWindow { not_before: Option<Expr>, before: Option<Expr> },
}

#[derive(Clone, Debug)]
pub(super) struct LegTemplate {
    pub(super) debit: Expr,
    pub(super) credit: Expr,
    pub(super) asset: Expr,
    pub(super) amount: Expr,
}

#[derive(Clone, Debug)]
pub(super) struct Moves {
    pub(super) debit: Vec<Class>,
    pub(super) credit: Vec<Class>,
    pub(super) assets: Option<Vec<String>>,
}

/// A row of an authorization matrix.
#[derive(Clone, Debug)]
pub struct Row {
    /// Code of the artifact.
    pub code: String,
    /// `<code>#<row>`, as entries name it.
    pub name: String,
    /// As it was written.
    pub decl: RowDecl,
    pub(super) ceiling: BTreeMap<String, u128>,
}

/// A class of accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// Where units come from.
    Source,
    /// Where units end.
    Sink,
    /// Where units are held.
    Holder,
    /// Where units wait.
    Escrow,
    /// A word of the pack.
    Other(String),
}

impl Class {
    pub(super) fn parse(word: &str) -> Self {
        match word {
            "source" => Self::Source,
            "sink" => Self::Sink,
            "holder" => Self::Holder,
            "escrow" => Self::Escrow,
            other => Self::Other(String::from(other)),
        }
    }

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Source => "source",
            Self::Sink => "sink",
            Self::Holder => "holder",
            Self::Escrow => "escrow",
            Self::Other(word) => word,
        }
    }
}

/// A pattern of accounts.
#[derive(Clone, Debug)]
pub struct Account {
    /// Code of the artifact.
    pub code: String,
    /// The pattern as it was written.
    pub pattern: String,
    /// Its class.
    pub class: Class,
    /// Assets it may hold; nothing for all.
    pub assets: Option<BTreeSet<String>>,
    /// How far below zero it may fall; nothing for no floor.
    pub below_zero: Option<u128>,
    /// The subject type of `prefix:{Type}`.
    pub of: Option<String>,
}

/// An asset.
#[derive(Clone, Debug)]
pub struct Asset {
    /// Code of the artifact.
    pub code: String,
    /// Its class.
    pub class: AssetClass,
    /// Life in days, of a depreciating one.
    pub life_days: u32,
    /// What it becomes: units given up, units that arise.
    pub into: BTreeMap<String, (u128, u128)>,
    /// Whether a claim can be passed on.
    pub assignable: bool,
}

/// An account by its name: the pattern, and the subject that must exist.
pub(super) struct Found<'a> {
    pub(super) account: &'a Account,
    pub(super) subject: Option<(&'a str, &'a str)>,
}

impl Protocol {
    /// The snapshot that it is.
    #[must_use]
    pub const fn snapshot(&self) -> &Digest {
        &self.snapshot
    }

    /// The record types, the core's own included, by name.
    pub fn lifecycles(&self) -> impl Iterator<Item = &Lifecycle> {
        self.lifecycles.values()
    }

    /// The lifecycle of a record type.
    #[must_use]
    pub fn lifecycle(&self, record: &str) -> Option<&Lifecycle> {
        self.lifecycles.get(record)
    }

    /// All rows in the order in which they are tried.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// All patterns of accounts.
    #[must_use]
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// All assets by name.
    #[must_use]
    pub const fn assets(&self) -> &BTreeMap<String, Asset> {
        &self.assets
    }

    /// The queue contracts in the order of their codes.
    pub fn contracts(&self) -> impl Iterator<Item = &Contract> {
        self.contracts.values()
    }

    /// The queue contract with this code.
    #[must_use]
    pub fn contract(&self, code: &str) -> Option<&Contract> {
        self.contracts.get(code)
    }

    /// The policies that rows rely on.
    pub fn policies(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().filter_map(|row| row.decl.access.as_deref())
    }

    /// The subject under which the decisions about a subject, an action and a policy are recorded; nothing when the snapshot has no
    /// lifecycle of decisions.
    #[must_use]
    pub fn decision_subject(&self, subject: &str, action: &str, policy: &str) -> Option<String> {
        Some(super::schema::decision_subject(self.decisions.as_deref()?, subject, action, policy))
    }

    /// The pattern that an account's name belongs to.
    #[must_use]
    pub(super) fn account<'a>(&'a self, name: &'a str) -> Option<Found<'a>> {
        if let Some(account) = self.literals.get(name).and_then(|nth| self.accounts.get(*nth)) {
            return Some(Found { account, subject: None });
        }
        let (prefix, id) = name.split_once(':').filter(|(_, id)| !id.is_empty())?;
        let account = self.accounts.get(*self.prefixes.get(prefix)?)?;
        Some(Found { account, subject: account.of.as_deref().map(|of| (of, id)) })
    }

    /// The asset that a name, or the name of a lot, belongs to; and the instant of the lot.
    #[must_use]
    pub(super) fn asset<'a>(&'a self, name: &'a str) -> Option<(&'a str, &'a Asset, Option<Instant>)> {
        let (base, lot) = match name.split_once('/') {
            Some((base, lot)) => (base, Some(Instant::parse_stored(lot)?)),
            None => (name, None),
        };
        let asset = self.assets.get(base)?;
        let has_lots = matches!(asset.class, AssetClass::Consumable | AssetClass::Depreciating);
        (has_lots == lot.is_some()).then_some((base, asset, lot))
    }
}

impl Lifecycle {
    /// Its edges for drawing: state before (nothing for a creation), action, state after.
    #[must_use]
    pub fn edges(&self) -> Vec<(Option<&str>, &str, &str)> {
        let mut edges = Vec::new();
        for (name, action) in &self.actions {
            if let (Some(to), true) = (action.to.as_deref(), action.from.is_empty()) {
                edges.push((None, name.as_str(), to));
            }
            edges.extend(action.from.iter().map(|from| (Some(from.as_str()), name.as_str(), action.to.as_deref().unwrap_or(from))));
        }
        edges
    }
}

impl Action {
    /// The rows that may allow it, as positions in [`Protocol::rows`].
    #[must_use]
    pub fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// Whether anything beside authority and chain must hold: a guard, an invariant, a key, a prescribed movement.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        !self.guards.is_empty() || !self.invariants.is_empty()
    }

    /// Whether its payload may have this member.
    #[must_use]
    pub fn declares(&self, member: &str) -> bool {
        self.fields.contains_key(member)
    }

    /// Whether the subject keeps this member of its payload.
    #[must_use]
    pub fn keeps(&self, member: &str) -> bool {
        self.fields.get(member).is_some_and(|field| field.keep)
    }

    /// Capability and module of its invariants.
    #[must_use]
    pub fn invariants(&self) -> &[InvariantDecl] {
        &self.invariants
    }
}

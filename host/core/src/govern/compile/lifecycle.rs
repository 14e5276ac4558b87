//! `LC_`: record types with their actions.
//!
//! Each kind has its own members; a member that a kind does not read is refused, because its author would believe it holds.

use alloc::borrow::ToOwned as _;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use serde_json::Value;

use super::{listed, word};
use crate::canonical::admit_payload;
use crate::entry::Kind;
use crate::govern::builtin;
use crate::govern::declare::{ActionDecl, FieldDecl, FieldType, GuardDecl, GuardOfDecl, InvariantDecl, LifecycleDecl, STAYS, Step};
use crate::govern::expr::{Expr, Part, Reference};
use crate::govern::field::Field;
use crate::govern::near::nearest;
use crate::govern::problem::Problem;
use crate::govern::rules::{Action, Class, Guard, GuardOf, LegTemplate, Lifecycle, Moves, Protocol};

/// Members that a decision declares, so that the core can find the latest one.
const DECISION_MEMBERS: [(&str, FieldType); 4] =
    [("action", FieldType::Name), ("decision", FieldType::Name), ("policy", FieldType::Name), ("subject", FieldType::Subject)];

/// Most bytes a field may be declared with: an entry has 65,535.
const MAX_FIELD_BYTES: usize = 32 * 1024;

pub(super) fn add(rules: &mut Protocol, decls: &[LifecycleDecl], problems: &mut Vec<Problem>) {
    // What guards and rows may name: known before any action is compiled.
    let states = all_states(rules, decls);
    let mut subjects = BTreeSet::new();
    for decl in decls {
        let code = decl.code.as_str();
        word(code, "record", &decl.record, problems);
        word(code, "subject", &decl.subject, problems);
        if builtin::SUBJECTS.contains(&decl.subject.as_str()) {
            problems.push(Problem::error("reserved_subject", code, "subject", format!("`{}` is the core's own", decl.subject)));
        }
        if !subjects.insert(decl.subject.clone()) {
            let detail = format!("another lifecycle has subjects of type `{}`", decl.subject);
            problems.push(Problem::error("duplicate_subject", code, "subject", detail));
        }
        check_states(decl, problems);
        if decl.kind == Kind::Access && rules.decisions.replace(decl.subject.clone()).is_some() {
            problems.push(Problem::error("duplicate_access", code, "kind", "a snapshot has one lifecycle of kind `ACCESS`"));
        }
        for effect in decl.effects.iter().filter(|effect| !effect.starts_with("CS_")) {
            problems.push(Problem::error("bad_effect", code, "effects", format!("`{effect}` is no side effect: `CS_…`")));
        }
        let mut actions = BTreeMap::new();
        for (name, action) in &decl.actions {
            let at = format!("actions.{name}");
            word(code, &at, name, problems);
            if !rules.actions.insert(name.clone()) {
                problems.push(Problem::error("duplicate_action", code, at.clone(), "the action belongs to another lifecycle"));
            }
            let mut compiler = Compiler {
                rules,
                decls,
                decl,
                states: &states,
                action,
                artifact: code,
                at,
                problems,
                whose: Whose::Own,
                says_kept: false,
                runs: false,
                effect: None,
            };
            let action = compiler.action();
            actions.insert(name.clone(), action);
        }
        let lifecycle = Lifecycle {
            code: code.to_owned(),
            summary: decl.summary.clone(),
            record: decl.record.clone(),
            kind: decl.kind,
            subject: decl.subject.clone(),
            states: decl.states.iter().map(|(name, state)| (name.clone(), state.terminal)).collect(),
            actions,
            effects: decl.effects.clone(),
        };
        if rules.lifecycles.insert(decl.record.clone(), lifecycle).is_some() {
            problems.push(Problem::error("duplicate_record", code, "record", format!("`{}` is declared already", decl.record)));
        }
    }
}

/// The states of all lifecycles, the core's own included.
pub(super) fn all_states(rules: &Protocol, decls: &[LifecycleDecl]) -> BTreeSet<String> {
    let core = rules.lifecycles.values().flat_map(|core| core.states.keys());
    decls.iter().flat_map(|decl| decl.states.keys()).chain(core).cloned().collect()
}

fn check_states(decl: &LifecycleDecl, problems: &mut Vec<Problem>) {
    if (decl.kind == Kind::Transition) == decl.states.is_empty() {
        let detail = "a `TRANSITION` lifecycle has states, no other kind has";
        problems.push(Problem::error("member_of_kind", &decl.code, "states", detail));
    }
    if decl.actions.is_empty() {
        problems.push(Problem::error("no_action", &decl.code, "actions", "no action"));
    }
    for name in decl.states.keys() {
        word(&decl.code, &format!("states.{name}"), name, problems);
    }
}

/// Whose kept members `kept` is.
pub(super) enum Whose {
    /// Those of the record's subject.
    Own,
    /// Those of a subject of this type.
    Of(String),
    /// Those of a subject that the record names.
    Named,
}

/// One action on its way, or what a queue contract says beside it.
pub(super) struct Compiler<'a> {
    pub(super) rules: &'a Protocol,
    pub(super) decls: &'a [LifecycleDecl],
    pub(super) decl: &'a LifecycleDecl,
    /// States of all lifecycles.
    pub(super) states: &'a BTreeSet<String>,
    /// Whose payload an expression may speak of.
    pub(super) action: &'a ActionDecl,
    /// The artifact that problems are about.
    pub(super) artifact: &'a str,
    pub(super) at: String,
    pub(super) problems: &'a mut Vec<Problem>,
    pub(super) whose: Whose,
    /// Whether an expression since this was reset speaks of a kept member.
    pub(super) says_kept: bool,
    /// Whether expressions may speak of a run.
    pub(super) runs: bool,
    /// The members of the effect that expressions may speak of.
    pub(super) effect: Option<&'a BTreeMap<String, FieldDecl>>,
}

impl Compiler<'_> {
    pub(super) fn problem(&mut self, code: &'static str, member: &str, detail: impl Into<String>) {
        let at = if self.at.is_empty() { member.to_owned() } else { format!("{}.{member}", self.at) };
        self.problems.push(Problem::error(code, self.artifact, at, detail));
    }

    fn action(&mut self) -> Action {
        let action = self.action;
        self.members_of_kind();
        self.fields();
        let guards = action.guards.iter().enumerate().filter_map(|(nth, guard)| self.guard_of(&format!("guards.{nth}"), guard)).collect();
        for (nth, invariant) in action.invariants.iter().enumerate() {
            self.invariant(&format!("invariants.{nth}"), invariant);
        }
        let consumes = action.consumes.iter().filter_map(|key| self.expr("consumes", key)).collect();
        Action {
            summary: action.summary.clone(),
            from: action.from.clone().unwrap_or_default(),
            to: action.to.clone().filter(|to| to != STAYS),
            step: action.step,
            core: None,
            fields: action.fields.iter().map(|(name, field)| (name.clone(), Field::new(field))).collect(),
            required: action.fields.iter().filter(|(_, field)| field.required).map(|(name, _)| name.clone()).collect(),
            guards,
            invariants: action.invariants.clone(),
            consumes,
            legs: self.legs(),
            moves: self.moves(),
            rows: Vec::new(),
            takes_access: false,
        }
    }

    pub(super) fn invariant(&mut self, at: &str, invariant: &InvariantDecl) {
        if !invariant.capability.starts_with("CT_") || invariant.module.is_empty() {
            self.problem("bad_invariant", at, "an invariant is a pure capability, `CT_…`, and a module");
        }
    }

    /// What this kind needs is there, and nothing that only another kind reads.
    fn members_of_kind(&mut self) {
        let (kind, action) = (self.decl.kind, self.action);
        let transition = kind == Kind::Transition;
        if transition != action.from.is_some() || transition != action.to.is_some() {
            self.problem("member_of_kind", "from", "an action of a `TRANSITION` lifecycle has `from` and `to`, no other has");
        }
        if (kind == Kind::Version) != action.step.is_some() {
            self.problem("member_of_kind", "step", "an action of a `VERSION` lifecycle has a `step`, no other has");
        }
        if action.postings.is_some() && !matches!(kind, Kind::Transition | Kind::Posting) || action.moves.is_some() && kind != Kind::Posting
        {
            self.problem("member_of_kind", "postings", format!("an action of kind `{}` does not move this", kind.as_str()));
        }
        if kind == Kind::Posting && action.postings.is_some() == action.moves.is_some() {
            self.problem("member_of_kind", "moves", "an action of a `POSTING` lifecycle has either `postings` or `moves`");
        }
        let stays = action.to.as_deref() == Some(STAYS);
        if stays && action.from.as_ref().is_none_or(Vec::is_empty) {
            self.problem("unknown_state", "to", format!("`{STAYS}` leaves a state where it is, and a creation has none before"));
        }
        for state in action.from.iter().flatten().chain(action.to.iter().filter(|_| !stays)) {
            if !self.decl.states.contains_key(state) {
                let detail = format!("`{state}` is no state, {}", nearest(state, self.decl.states.keys()));
                self.problem("unknown_state", "from", detail);
            }
        }
        for state in action.from.iter().flatten() {
            if self.decl.states.get(state).is_some_and(|state| state.terminal) {
                self.problem("terminal_left", "from", format!("`{state}` is terminal and is left"));
            }
        }
        if kind == Kind::Access {
            self.decision();
        }
    }

    /// A decision says about whom, what and under which policy, in members that the core knows.
    fn decision(&mut self) {
        for (name, type_) in DECISION_MEMBERS {
            if self.action.fields.get(name).is_none_or(|field| field.type_ != type_ || !field.required) {
                self.problem("bad_decision", &format!("fields.{name}"), format!("a decision needs a required member `{name}`"));
            }
        }
        let words = self.action.fields.get("decision").and_then(|field| field.one_of.as_ref());
        let known = |words: &Vec<Value>| words.iter().all(|word| matches!(word.as_str(), Some("ALLOW" | "DENY")));
        if !words.is_some_and(known) {
            self.problem("bad_decision", "fields.decision.one_of", "a decision is one of `ALLOW` and `DENY`");
        }
    }

    fn fields(&mut self) {
        for (name, field) in &self.action.fields {
            let at = format!("fields.{name}");
            word(&self.decl.code, &format!("{}.{at}", self.at), name, self.problems);
            if name.contains('.') {
                self.problem("bad_field", &at, "the name of a member has no dot");
            }
            if field.max_bytes.is_some_and(|bytes| bytes == 0 || bytes > MAX_FIELD_BYTES) {
                self.problem("bad_field", &at, format!("`max_bytes` is from 1 to {MAX_FIELD_BYTES}"));
            }
            if field.fixed && self.decl.kind != Kind::Version {
                self.problem("member_of_kind", &at, "only a `VERSION` lifecycle has `fixed` members");
            }
            let compiled = Field::new(field);
            let fits = |value: &Value| {
                let open = Field { one_of: None, ..compiled.clone() };
                admit_payload(value).is_ok() && open.admits(value, self.rules)
            };
            if field.one_of.as_ref().is_some_and(|values| values.is_empty() || !values.iter().all(fits)) {
                self.problem("bad_field", &at, "`one_of` lists values of the declared type");
            }
        }
    }

    /// An expression whose references lead somewhere.
    pub(super) fn expr(&mut self, member: &str, value: &Value) -> Option<Expr> {
        let expr = match Expr::parse(value) {
            Ok(expr) => expr,
            Err(detail) => {
                self.problem("bad_expression", member, detail);
                return None;
            }
        };
        for reference in expr.references() {
            match reference {
                Reference::Payload(name) if !self.action.fields.contains_key(name) => {
                    let detail = format!("`payload.{name}` is not declared, {}", nearest(name, self.action.fields.keys()));
                    self.problem("unknown_field", member, detail);
                }
                Reference::Kept(name) => {
                    self.says_kept = true;
                    if !self.keeps(name) {
                        self.problem("unknown_field", member, format!("no action of the lifecycle keeps `{name}`"));
                    }
                }
                Reference::Record | Reference::Entry => {
                    self.problem("bad_expression", member, "`record` and `entry` are known only once the record stands: to listeners");
                }
                Reference::Run(_) | Reference::Output(_) if !self.runs => {
                    self.problem("bad_expression", member, "only the record of an execution speaks of a run: `run.…` and `output.…`");
                }
                Reference::Effect(_) | Reference::Drafted(_) if self.effect.is_none() => {
                    let detail = "only what a decision carries out speaks of its effects: `effect.…`, `n`, `decision`, `decision_hash`";
                    self.problem("bad_expression", member, detail);
                }
                Reference::Effect(name) => {
                    let fields = self.effect.into_iter().flat_map(BTreeMap::keys);
                    if !fields.clone().any(|field| field == name) {
                        self.problem("unknown_field", member, format!("`effect.{name}` is not declared, {}", nearest(name, fields)));
                    }
                }
                Reference::State if self.decl.states.is_empty() => {
                    self.problem("bad_expression", member, "only subjects of a `TRANSITION` lifecycle have a `state`");
                }
                Reference::Payload(_)
                | Reference::Subject
                | Reference::Id
                | Reference::Actor
                | Reference::At
                | Reference::State
                | Reference::Run(_)
                | Reference::Output(_)
                | Reference::Drafted(_)
                | Reference::Inside(..)
                | Reference::IdOf(_) => {}
            }
        }
        Some(expr)
    }

    fn keeps(&self, name: &str) -> bool {
        let is = |subject: &str| match &self.whose {
            Whose::Own => subject == self.decl.subject,
            Whose::Of(type_) => subject == type_,
            Whose::Named => true,
        };
        let declared = |action: &ActionDecl| action.fields.get(name).is_some_and(|field| field.keep);
        let built_in = |action: &Action| action.fields.get(name).is_some_and(|field| field.keep);
        self.decls.iter().any(|decl| is(&decl.subject) && decl.actions.values().any(declared))
            || self.rules.lifecycles.values().any(|lifecycle| is(&lifecycle.subject) && lifecycle.actions.values().any(built_in))
    }

    pub(super) fn text(&mut self, member: &str, text: &str) -> Option<Expr> {
        self.expr(member, &Value::String(text.to_string()))
    }

    /// A guard, with `kept` as that of the other subject where it names one.
    pub(super) fn guard_of(&mut self, at: &str, decl: &GuardOfDecl) -> Option<GuardOf> {
        let Some(of) = &decl.of else { return Some(GuardOf { of: None, guard: self.guard(at, &decl.guard)? }) };
        let of = self.text(at, of)?;
        self.whose = type_of(&of).map_or(Whose::Named, |type_| Whose::Of(type_.to_owned()));
        self.says_kept = false;
        let guard = self.guard(at, &decl.guard);
        self.whose = Whose::Own;
        if !self.says_kept {
            self.problem("bad_guard", at, "`of` says whose `kept` is meant, and the guard speaks of none");
        }
        Some(GuardOf { of: Some(of), guard: guard? })
    }

    fn guard(&mut self, at: &str, guard: &GuardDecl) -> Option<Guard> {
        Some(match guard {
            GuardDecl::StateIn { subject, states } => {
                let missing: Vec<&String> = states.iter().filter(|state| !self.states.contains(*state)).collect();
                if !missing.is_empty() || states.is_empty() {
                    self.problem("unknown_state", at, format!("states of no lifecycle: {}", listed(missing)));
                }
                Guard::StateIn { subject: self.text(at, subject)?, states: states.clone() }
            }
            GuardDecl::Exists { subject } => Guard::Exists { subject: self.text(at, subject)? },
            GuardDecl::KeyUnconsumed { key } => Guard::KeyUnconsumed { key: self.text(at, key)? },
            GuardDecl::VersionRatified { subject, field, equals } => {
                if field.is_some() != equals.is_some() {
                    self.problem("bad_guard", at, "`field` and `equals` belong together");
                }
                let equals = match equals {
                    Some(value) => Some(self.expr(at, value)?),
                    None => None,
                };
                Guard::VersionRatified { subject: self.text(at, subject)?, field: field.clone(), equals }
            }
            GuardDecl::ActorsDistinct { actions, and } => {
                let missing: Vec<&String> = actions.iter().filter(|name| !self.decl.actions.contains_key(*name)).collect();
                if !missing.is_empty() || actions.is_empty() && and.is_empty() {
                    self.problem("unknown_action", at, format!("actions that the lifecycle does not have: {}", listed(missing)));
                }
                let and = and.iter().filter_map(|actor| self.text(at, actor)).collect();
                Guard::ActorsDistinct { actions: actions.clone(), and }
            }
            GuardDecl::FieldEquals { left, right } => Guard::FieldEquals { left: self.expr(at, left)?, right: self.expr(at, right)? },
            GuardDecl::FieldIn { field, values } => {
                if values.is_empty() {
                    self.problem("bad_guard", at, "`values` lists at least one");
                }
                Guard::FieldIn { field: self.text(at, field)?, values: values.clone() }
            }
            GuardDecl::FieldPositive { field } => Guard::FieldPositive { field: self.text(at, field)? },
            GuardDecl::TimeWindow { not_before, before } => {
                if not_before.is_none() && before.is_none() {
                    self.problem("bad_guard", at, "a window has a beginning or an end");
                }
                let (not_before, before) = (self.instant(at, not_before.as_ref()), self.instant(at, before.as_ref()));
                Guard::TimeWindow { not_before, before }
            }
        })
    }

    fn instant(&mut self, at: &str, text: Option<&String>) -> Option<Expr> {
        let expr = self.text(at, text?)?;
        if expr.constant().is_some_and(|text| crate::time::Instant::parse_stored(text).is_none()) {
            self.problem("bad_guard", at, "an instant is written `YYYY-MM-DDThh:mm:ss.ffffff+00:00`");
        }
        Some(expr)
    }

    fn legs(&mut self) -> Option<Vec<LegTemplate>> {
        let decls = self.action.postings.as_ref()?;
        let mut legs = Vec::new();
        for (nth, leg) in decls.iter().enumerate() {
            let at = format!("postings.{nth}");
            let parts = [&leg.debit, &leg.credit, &leg.asset, &leg.amount].map(|text| self.text(&at, text));
            let [Some(debit), Some(credit), Some(asset), Some(amount)] = parts else { continue };
            for name in [&debit, &credit].into_iter().filter_map(Expr::constant) {
                if self.rules.account(name).is_none() {
                    self.problem("unknown_account", &at, format!("`{name}` is no account of the protocol"));
                }
            }
            if let Some(name) = asset.constant().filter(|name| self.rules.asset(name).is_none()) {
                self.problem("unknown_asset", &at, format!("`{name}` is no asset or lot of the protocol"));
            }
            if amount.constant().is_some_and(|text| crate::govern::amount::parse_positive(text).is_none()) {
                self.problem("bad_amount", &at, "an amount is a whole number from 1 to 2^128 - 1");
            }
            legs.push(LegTemplate { debit, credit, asset, amount });
        }
        Some(legs)
    }

    fn moves(&mut self) -> Option<Moves> {
        let decl = self.action.moves.as_ref()?;
        let classes = |words: &[String]| words.iter().map(|word| Class::parse(word)).collect();
        for class in decl.debit.iter().chain(&decl.credit) {
            if !self.rules.accounts.iter().any(|account| account.class.as_str() == class) {
                self.problem("unknown_class", "moves", format!("no account is of class `{class}`"));
            }
        }
        for asset in decl.assets.iter().flatten().filter(|asset| !self.rules.assets.contains_key(*asset)) {
            self.problem("unknown_asset", "moves", format!("`{asset}` is no asset of the protocol"));
        }
        Some(Moves { debit: classes(&decl.debit), credit: classes(&decl.credit), assets: decl.assets.clone() })
    }
}

/// The type of the subjects that an expression names, where it is written there.
fn type_of(of: &Expr) -> Option<&str> {
    let begins = match of {
        Expr::Constant(value) => value.as_str()?,
        Expr::Text(parts) => match parts.first()? {
            Part::Plain(plain) => plain,
            Part::Hole(_) => return None,
        },
        Expr::Reference(_) | Expr::Digest(_) => return None,
    };
    begins.split_once(':').map(|(type_, _)| type_)
}

/// Whether an action opens proposals; used where proposers are compared.
pub(in crate::govern) fn proposes(action: &Action) -> bool {
    action.step == Some(Step::Propose)
}

//! `QC_`: contracts of the queue, against the lifecycle that their items follow.
//!
//! What a contract says of states and actions is held against what they do, so that no action states a fact by another name.

use alloc::borrow::ToOwned as _;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use serde_json::Value;

use super::lifecycle::{Compiler, Whose, all_states};
use super::{listed, word};
use crate::entry::Kind;
use crate::govern::builtin::ENGINE_ROLE;
use crate::govern::contract::declare::{ContractDecl, Members, SettlementDecl, WhatDecl};
use crate::govern::contract::{Check, Contract, Fact, Group, Mode, Proof, What, needs, words};
use crate::govern::declare::{ActionDecl, FieldType, LifecycleDecl, STAYS};
use crate::govern::expr::{Expr, Reference};
use crate::govern::problem::Problem;
use crate::govern::rules::{Guard, Protocol};

pub(super) fn add(rules: &mut Protocol, lifecycles: &[LifecycleDecl], decls: &[ContractDecl], problems: &mut Vec<Problem>) {
    let states = all_states(rules, lifecycles);
    let mut records = BTreeSet::new();
    let mut contracts = BTreeMap::new();
    for decl in decls {
        let code = decl.code.as_str();
        if !records.insert(&decl.record) {
            problems.push(Problem::error("duplicate_contract", code, "record", "another contract has items of this type"));
        }
        let Some(lifecycle) = lifecycles.iter().find(|lifecycle| lifecycle.record == decl.record) else {
            let declared = listed(lifecycles.iter().map(|lifecycle| &lifecycle.record));
            let detail = format!("no lifecycle declares `{}`, there are: {declared}", decl.record);
            problems.push(Problem::error("unknown_record", code, "record", detail));
            continue;
        };
        if lifecycle.kind != Kind::Transition {
            let detail = format!("items follow a lifecycle of kind `TRANSITION`, `{}` is `{}`", decl.record, lifecycle.kind.as_str());
            problems.push(Problem::error("member_of_kind", code, "record", detail));
            continue;
        }
        let mut check = Checker { rules, lifecycles, lifecycle, decl, states: &states, problems };
        let contract = check.contract();
        contracts.insert(decl.code.clone(), contract);
    }
    rules.contracts = contracts;
}

/// One contract on its way.
struct Checker<'a> {
    rules: &'a Protocol,
    lifecycles: &'a [LifecycleDecl],
    lifecycle: &'a LifecycleDecl,
    decl: &'a ContractDecl,
    states: &'a BTreeSet<String>,
    problems: &'a mut Vec<Problem>,
}

type Facts = BTreeSet<Fact>;

impl<'a> Checker<'a> {
    fn problem(&mut self, code: &'static str, at: impl Into<String>, detail: impl Into<String>) {
        self.problems.push(Problem::error(code, &self.decl.code, at, detail));
    }

    fn contract(&mut self) -> Contract {
        let decl = self.decl;
        word(&decl.code, "prefix", &decl.prefix, self.problems);
        self.listed_facts();
        self.actions();
        self.keys();
        self.hooks();
        self.roles();
        self.attester();
        let nothing = blank();
        let groups = self.groups(&nothing);
        let by = self.modes();
        self.fulfillment();
        let execute = self.action(&decl.actions.execute);
        self.filled("execute", &decl.execute, execute, true);
        let settle = decl.actions.settle.as_ref().and_then(|name| self.action(name));
        self.filled("settlement.fields", &decl.settlement.fields, settle, false);
        let run_settles = decl.settlement.workflow.is_some();
        let fulfill_payload = decl.fulfillment.as_ref().map(|fulfillment| &fulfillment.payload);
        Contract {
            groups,
            payload: self.members("payload", &decl.payload, &nothing, Speaks::Item),
            execute: self.members("execute", &decl.execute, &nothing, Speaks::Run),
            by,
            settle: self.members(
                "settlement.fields",
                &decl.settlement.fields,
                &nothing,
                if run_settles { Speaks::Run } else { Speaks::Record },
            ),
            settle_payload: self.members("settlement.payload", &decl.settlement.payload, &nothing, Speaks::Item),
            fulfill_payload: fulfill_payload
                .map(|payload| self.members("fulfillment.payload", payload, &nothing, Speaks::Item))
                .unwrap_or_default(),
            decl: decl.clone(),
        }
    }

    fn action(&self, name: &str) -> Option<&'a ActionDecl> {
        self.lifecycle.actions.get(name)
    }

    fn facts(&self, state: &str) -> Facts {
        self.decl.facts.get(state).into_iter().flatten().copied().collect()
    }

    /// Every state of the lifecycle says what it is, and no other.
    fn listed_facts(&mut self) {
        let (facts, states) = (&self.decl.facts, &self.lifecycle.states);
        for state in states.keys().filter(|state| !facts.contains_key(*state)) {
            self.problem("unlisted_state", format!("facts.{state}"), "the contract does not say what this state is");
        }
        for state in facts.keys().filter(|state| !states.contains_key(*state)) {
            let detail = format!("`{state}` is no state, there are: {}", listed(states.keys()));
            self.problem("unknown_state", format!("facts.{state}"), detail);
        }
    }

    /// Each action does what its role is, and no other action does it too.
    fn actions(&mut self) {
        let actions = &self.decl.actions;
        let roles = [
            ("queue", Some(&actions.queue)),
            ("execute", Some(&actions.execute)),
            ("attest", actions.attest.as_ref()),
            ("settle", actions.settle.as_ref()),
            ("fulfill", actions.fulfill.as_ref()),
            ("fail", Some(&actions.fail)),
            ("void", Some(&actions.void)),
        ];
        let mut named = BTreeSet::new();
        for (role, name) in roles {
            let Some(name) = name else { continue };
            let at = format!("actions.{role}");
            if !named.insert(name) {
                self.problem("duplicate_action", at.clone(), format!("`{name}` has two roles"));
            }
            let Some(action) = self.lifecycle.actions.get(name) else {
                let detail =
                    format!("`{name}` is no action of `{}`, there are: {}", self.decl.record, listed(self.lifecycle.actions.keys()));
                self.problem("unknown_action", at, detail);
                continue;
            };
            self.edge(role, &at, action);
        }
        for (name, action) in self.lifecycle.actions.iter().filter(|(name, _)| !named.contains(name)) {
            let Some(to) = action.to.as_deref().filter(|to| *to != STAYS) else { continue };
            let after = self.facts(to);
            let states = action.from.as_deref().unwrap_or_default();
            if states.is_empty() || states.iter().any(|from| self.facts(from) != after) {
                let detail = format!("`{name}` creates an item or changes what is true of it, and the contract gives it no role");
                self.problem("fact_forged", "actions", detail);
            }
        }
    }

    /// The states that an action leaves, and the one it leads to, are those of its role.
    fn edge(&mut self, role: &str, at: &str, action: &ActionDecl) {
        let states = action.from.as_deref().unwrap_or_default();
        if (role == "queue") != states.is_empty() {
            return self.problem("action_role", at, "`queue` creates the item, and nothing else does");
        }
        let stays = action.to.as_deref() == Some(STAYS);
        if stays && !matches!(role, "attest" | "fulfill") {
            return self.problem("action_role", at, format!("`{role}` leads to another state"));
        }
        let open = |facts: &Facts| facts.is_empty();
        let unsettled = |facts: &Facts| facts.contains(&Fact::Executed) && !facts.contains(&Fact::Settled);
        let unfulfilled = |facts: &Facts| facts.contains(&Fact::Executed) && !facts.contains(&Fact::Fulfilled);
        let before: (&str, &dyn Fn(&Facts) -> bool) = match role {
            "attest" | "settle" => ("executed and not settled", &unsettled),
            "fulfill" => ("executed and not fulfilled", &unfulfilled),
            _ => ("nothing yet", &open),
        };
        for state in states {
            let facts = self.facts(state);
            if !before.1(&facts) {
                let detail = format!("`{role}` leaves items that are {}, and `{state}` is {}", before.0, words(&facts));
                self.problem("action_role", at, detail);
            }
        }
        let Some(to) = action.to.as_deref().filter(|_| !stays) else { return };
        let (after, only) = (self.facts(to), |fact| Facts::from([fact]));
        let right = match role {
            "queue" => after.is_empty(),
            "execute" => after == only(Fact::Executed),
            "attest" => states.iter().all(|from| self.facts(from) == after),
            "settle" => after.contains(&Fact::Executed) && after.contains(&Fact::Settled),
            "fulfill" => after.contains(&Fact::Executed) && after.contains(&Fact::Fulfilled),
            "fail" => after == only(Fact::Failed),
            _ => after == only(Fact::Void),
        };
        if !right || after.contains(&Fact::Executed) && (after.contains(&Fact::Failed) || after.contains(&Fact::Void)) {
            self.problem("action_role", at, format!("`{role}` leads to `{to}`, which is {}", words(&after)));
        }
        let ends = self.lifecycle.states.get(to).is_some_and(|state| state.terminal);
        if matches!(role, "fail" | "void") && !ends {
            self.problem("action_role", at, format!("`{role}` leads to `{to}`, which is not terminal"));
        }
    }

    /// An execution uses up at least one key, and its keys are known before it.
    fn keys(&mut self) {
        let Some(action) = self.lifecycle.actions.get(&self.decl.actions.execute) else { return };
        if action.consumes.is_empty() {
            self.problem("no_key", "actions.execute", "an execution uses up no key, so another item could do the same again");
        }
        for key in &action.consumes {
            let Ok(expr) = Expr::parse(key) else { continue };
            let known = |reference: &&Reference| matches!(reference, Reference::Kept(_) | Reference::Subject | Reference::Id);
            if !expr.references().iter().all(known) {
                self.problem(
                    "bad_key",
                    "actions.execute",
                    format!("`{key}` is not known before the execution: it names more than the item"),
                );
            }
        }
    }

    /// What runs is named as a workflow, and has a payload only if it runs.
    fn hooks(&mut self) {
        let decl = self.decl;
        let settlement = &decl.settlement;
        let fulfillment = decl.fulfillment.as_ref();
        let hooks = [
            ("workflow", Some(&decl.workflow), true),
            ("settlement.workflow", settlement.workflow.as_ref(), settlement.payload.is_empty()),
            (
                "fulfillment.workflow",
                fulfillment.and_then(|fulfillment| fulfillment.workflow.as_ref()),
                fulfillment.is_none_or(|fulfillment| fulfillment.payload.is_empty()),
            ),
        ];
        for (at, workflow, no_payload) in hooks {
            match workflow {
                Some(workflow) if !workflow.starts_with("WF_") => {
                    self.problem("bad_workflow", at, format!("`{workflow}` is no workflow: `WF_…`"));
                }
                None if !no_payload => self.problem("bad_workflow", at, "there is a payload and no workflow"),
                Some(_) | None => {}
            }
        }
        if let Some(binding) = decl.binding.as_ref().filter(|binding| !binding.starts_with("RB_")) {
            self.problem("bad_workflow", "binding", format!("`{binding}` is no binding: `RB_…`"));
        }
    }

    fn roles(&mut self) {
        let roles = &self.decl.trigger.roles;
        if roles.is_empty() {
            self.problem("unknown_role", "trigger.roles", "nobody may start an item");
        }
        for role in roles.iter().filter(|role| *role == ENGINE_ROLE || !self.rules.roles.contains(*role)) {
            let detail = format!("no row knows the role `{role}`, there are: {}", listed(&self.rules.roles));
            self.problem("unknown_role", "trigger.roles", detail);
        }
    }

    /// Who gives evidence has not executed the item: by every row, or by a guard.
    fn attester(&mut self) {
        let (Some(name), execute) = (&self.decl.actions.attest, &self.decl.actions.execute) else { return };
        let Some(action) = self.rules.lifecycle(&self.decl.record).and_then(|lifecycle| lifecycle.actions.get(name)) else { return };
        let apart = |actions: &[String]| actions.contains(execute);
        if action.guards.iter().any(|guard| matches!(&guard.guard, Guard::ActorsDistinct { actions, .. } if apart(actions))) {
            return;
        }
        let rows: Vec<&str> =
            self.rules.rows_of(action).filter(|row| !apart(&row.decl.distinct_from)).map(|row| row.name.as_str()).collect();
        for row in rows {
            self.problem("attester_worker", "actions.attest", format!("row `{row}` lets who executed an item give evidence for it"));
        }
    }

    fn compiler<'c>(&'c mut self, action: &'c ActionDecl, at: String, runs: bool) -> Compiler<'c> {
        Compiler {
            rules: self.rules,
            decls: self.lifecycles,
            decl: self.lifecycle,
            states: self.states,
            action,
            artifact: &self.decl.code,
            at,
            problems: self.problems,
            whose: Whose::Own,
            says_kept: false,
            runs,
            effect: None,
        }
    }

    fn groups(&mut self, nothing: &ActionDecl) -> Vec<Group> {
        let decl = self.decl;
        let (mut groups, mut names) = (Vec::new(), BTreeSet::new());
        if decl.validation.is_empty() {
            self.problem("no_check", "validation", "nothing is validated");
        }
        for (nth, group) in decl.validation.iter().enumerate() {
            let at = format!("validation.{nth}");
            word(&decl.code, &at, &group.group, self.problems);
            if !names.insert(&group.group) {
                self.problem("duplicate_group", at.clone(), format!("two groups are named `{}`", group.group));
            }
            if group.checks.is_empty() {
                self.problem("no_check", at.clone(), format!("`{}` checks nothing", group.group));
            }
            let mut checks = Vec::new();
            for (nth, check) in group.checks.iter().enumerate() {
                let place = format!("checks.{nth}");
                word(&decl.code, &format!("{at}.{place}.reason"), &check.reason, self.problems);
                let mut compiler = self.compiler(nothing, at.clone(), false);
                let what = match &check.what {
                    WhatDecl::Guard(guard) => compiler.guard_of(&place, guard).map(What::Guard),
                    WhatDecl::Invariant(invariant) => {
                        compiler.invariant(&place, invariant);
                        Some(What::Invariant(invariant.clone()))
                    }
                };
                checks.extend(what.map(|what| Check { reason: check.reason.clone(), what }));
            }
            groups.push(Group { name: group.group.clone(), checks });
        }
        groups
    }

    /// Expressions by member, each speaking of no more than it may.
    fn members(&mut self, at: &str, members: &Members, nothing: &ActionDecl, speaks: Speaks) -> BTreeMap<String, Expr> {
        let mut compiled = BTreeMap::new();
        for (name, value) in members {
            let mut compiler = self.compiler(nothing, at.to_owned(), speaks == Speaks::Run);
            let Some(expr) = compiler.expr(name, value) else { continue };
            let foreign = |reference: &&Reference| matches!(reference, Reference::Actor | Reference::At | Reference::State);
            if speaks == Speaks::Item && expr.references().iter().any(foreign) {
                compiler.problem("bad_expression", name, "what a run is given says the same each time: only the item is spoken of");
            }
            compiled.insert(name.clone(), expr);
        }
        compiled
    }

    /// What the contract fills is declared, and of an execution all that is required is filled.
    fn filled(&mut self, at: &str, members: &Members, action: Option<&ActionDecl>, all: bool) {
        let Some(action) = action else {
            if !members.is_empty() {
                self.problem("unknown_field", at, "there is no action that has these members");
            }
            return;
        };
        let mut wrong = Vec::new();
        for name in members.keys().filter(|name| !action.fields.contains_key(*name)) {
            let detail = format!("the action does not declare `{name}`, there are: {}", listed(action.fields.keys()));
            wrong.push(("unknown_field", format!("{at}.{name}"), detail));
        }
        let needed = action.fields.iter().filter(|(name, field)| all && field.required && !members.contains_key(*name));
        for (name, _) in needed {
            wrong.push(("missing_field", format!("{at}.{name}"), String::from("the action requires it, and nobody types it")));
        }
        for (code, at, detail) in wrong {
            self.problem(code, at, detail);
        }
    }

    /// Each item has one mode, and what the mode needs is there.
    fn modes(&mut self) -> Option<Expr> {
        let SettlementDecl { mode, by, modes, .. } = &self.decl.settlement;
        if mode.is_some() == by.is_some() || by.is_none() != modes.is_empty() {
            self.problem("settlement_modes", "settlement", "there is either a `mode`, or `by` with `modes`");
        }
        let expr = by.as_ref().and_then(|by| self.by(by, modes));
        let actions = &self.decl.actions;
        let some = |wanted: fn(&Mode) -> bool| mode.iter().chain(modes.values()).any(wanted);
        let needs = [
            ("settle", actions.settle.is_some(), some(|mode| *mode != Mode::None), "an item is settled"),
            ("attest", actions.attest.is_some(), some(|mode| *mode == Mode::External), "an item is settled by evidence"),
        ];
        for (role, is, needed, why) in needs {
            if is != needed {
                let why = if needed { format!("{why}, and there is no action for it") } else { format!("never is it that {why}") };
                self.problem("settlement_modes", format!("actions.{role}"), why);
            }
        }
        let attest = actions.attest.as_ref().and_then(|name| self.action(name));
        if attest.is_some_and(|action| !requires(action, "evidence", FieldType::Digest)) {
            self.problem("bad_proof", "actions.attest", "evidence needs a required member `evidence` of type `digest`");
        }
        expr
    }

    /// The modes are listed for all values of the member, and for no other.
    fn by(&mut self, by: &str, modes: &BTreeMap<String, Mode>) -> Option<Expr> {
        let at = "settlement.by";
        let nothing = blank();
        let expr = self.compiler(&nothing, String::new(), false).text(at, by)?;
        let Expr::Reference(Reference::Kept(name)) = &expr else {
            self.problem("settlement_modes", at, "the mode follows from one member that the item keeps: `$.kept.<member>`");
            return None;
        };
        let queue = self.action(&self.decl.actions.queue).and_then(|action| action.fields.get(name));
        let values: Option<BTreeSet<String>> = queue.filter(|field| field.required).and_then(|field| match (&field.one_of, field.type_) {
            (Some(values), _) => values.iter().map(|value| value.as_str().map(String::from)).collect(),
            (None, FieldType::Boolean) => Some(["true".to_string(), "false".to_string()].into()),
            (None, _) => None,
        });
        let Some(values) = values else {
            self.problem("settlement_modes", at, format!("`{name}` is not a required member of `queue` with its values under `one_of`"));
            return None;
        };
        let unlisted: Vec<&String> = values.iter().filter(|value| !modes.contains_key(*value)).collect();
        let foreign: Vec<&String> = modes.keys().filter(|value| !values.contains(*value)).collect();
        if !unlisted.is_empty() || !foreign.is_empty() {
            let detail = format!("values without a mode: {}; modes without a value: {}", listed(unlisted), listed(foreign));
            self.problem("settlement_modes", "settlement.modes", detail);
        }
        Some(expr)
    }

    /// The proofs that are accepted are those that the action takes, with what each needs.
    fn fulfillment(&mut self) {
        let (fulfillment, name) = (self.decl.fulfillment.as_ref(), self.decl.actions.fulfill.as_ref());
        let (fulfillment, name) = match (fulfillment, name) {
            (Some(fulfillment), Some(name)) => (fulfillment, name),
            (None, None) => return,
            (Some(_), None) | (None, Some(_)) => {
                return self.problem("bad_proof", "fulfillment", "`fulfillment` and `actions.fulfill` belong together");
            }
        };
        let Some(action) = self.lifecycle.actions.get(name) else { return };
        let accepted: BTreeSet<&str> = fulfillment.proofs.iter().map(|proof| proof.as_str()).collect();
        let field = action.fields.get("proof").filter(|field| field.required && field.type_ == FieldType::Name);
        let taken = field.and_then(|field| field.one_of.as_ref());
        let taken: Option<BTreeSet<&str>> = taken.and_then(|values| values.iter().map(Value::as_str).collect());
        if accepted.is_empty() || taken.as_ref() != Some(&accepted) {
            let detail = "the action needs a required member `proof` of type `name`, `one_of` the proofs of the contract";
            self.problem("bad_proof", "fulfillment.proofs", detail);
        }
        for (proof, types) in [(Proof::Digest, [FieldType::Digest].as_slice()), (Proof::Milestone, &[FieldType::Name, FieldType::Subject])]
        {
            let Some(member) = needs(proof).filter(|_| fulfillment.proofs.contains(&proof)) else { continue };
            if action.fields.get(member).is_none_or(|field| !types.contains(&field.type_)) {
                self.problem("bad_proof", "fulfillment.proofs", format!("a proof by `{}` needs the member `{member}`", proof.as_str()));
            }
        }
    }
}

/// What expressions of a contract may speak of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Speaks {
    /// The item alone.
    Item,
    /// The item, who speaks, and when.
    Record,
    /// The run too.
    Run,
}

fn requires(action: &ActionDecl, name: &str, type_: FieldType) -> bool {
    action.fields.get(name).is_some_and(|field| field.required && field.type_ == type_)
}

/// An action without anything: expressions of a contract have no payload to speak of.
pub(super) fn blank() -> ActionDecl {
    ActionDecl {
        summary: String::new(),
        from: None,
        to: None,
        step: None,
        fields: BTreeMap::new(),
        guards: Vec::new(),
        invariants: Vec::new(),
        consumes: Vec::new(),
        postings: None,
        moves: None,
    }
}

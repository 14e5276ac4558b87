//! `DC_`: decision contracts, against the lifecycle of their proposals and the lifecycles of what they bring about.
//!
//! An effect without records, and that does not say so, does not compile: nothing is ever decided that then only seems to happen.

use alloc::borrow::ToOwned as _;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use serde_json::Value;

use super::contract::blank;
use super::lifecycle::{Compiler, Whose, all_states};
use super::{listed, word};
use crate::entry::Kind;
use crate::govern::decision::declare::{DecisionDecl, EffectDecl, TemplateDecl};
use crate::govern::decision::{DECISION_HASH, DECISION_KEY, DECISION_REF, Decisions, EFFECT, Effect, TALLY, Template};
use crate::govern::declare::{ActionDecl, FieldDecl, FieldType, GuardDecl, LifecycleDecl, STAYS};
use crate::govern::expr::{Expr, Reference};
use crate::govern::field::Field;
use crate::govern::near::nearest;
use crate::govern::problem::Problem;
use crate::govern::rules::Protocol;

pub(super) fn add(rules: &mut Protocol, lifecycles: &[LifecycleDecl], decls: &[DecisionDecl], problems: &mut Vec<Problem>) {
    let states = all_states(rules, lifecycles);
    let mut contracts: BTreeMap<String, Decisions> = BTreeMap::new();
    for decl in decls {
        let code = decl.code.as_str();
        let Some(lifecycle) = lifecycles.iter().find(|lifecycle| lifecycle.record == decl.record) else {
            let declared = listed(lifecycles.iter().map(|lifecycle| &lifecycle.record));
            let detail = format!("no lifecycle declares `{}`, there are: {declared}", decl.record);
            problems.push(Problem::error("unknown_record", code, "record", detail));
            continue;
        };
        if lifecycle.kind != Kind::Transition {
            let detail = format!("proposals follow a lifecycle of kind `TRANSITION`, `{}` is `{}`", decl.record, lifecycle.kind.as_str());
            problems.push(Problem::error("member_of_kind", code, "record", detail));
            continue;
        }
        let mut checker = Checker { rules, lifecycles, lifecycle, decl, decls, states: &states, problems };
        let Some(contract) = checker.contract() else { continue };
        match contracts.get_mut(&decl.record) {
            None => drop(contracts.insert(decl.record.clone(), contract)),
            Some(first) => join(first, contract, code, problems),
        }
    }
    rules.decided_only = contracts
        .values()
        .flat_map(|contract| contract.effects.values())
        .flat_map(|effect| &effect.records)
        .map(|t| t.action.clone())
        .collect();
    rules.decision_contracts = contracts;
}

/// Several contracts may add effects to one kind of proposal; about the proposal itself they say the same.
fn join(first: &mut Decisions, next: Decisions, code: &str, problems: &mut Vec<Problem>) {
    if first.actions != next.actions || first.effects_in != next.effects_in {
        let detail =
            format!("`{}` says otherwise of `{}` which actions do what, or where effects are", first.codes.join("`, `"), first.record);
        problems.push(Problem::error("contract_differs", code, "actions", detail));
    }
    for (name, effect) in next.effects {
        if first.effects.insert(name.clone(), effect).is_some() {
            let detail = format!("`{}` has this effect already", first.codes.join("`, `"));
            problems.push(Problem::error("duplicate_effect", code, format!("effects.{name}"), detail));
        }
    }
    first.codes.extend(next.codes);
}

/// One contract on its way.
struct Checker<'a> {
    rules: &'a Protocol,
    lifecycles: &'a [LifecycleDecl],
    lifecycle: &'a LifecycleDecl,
    decl: &'a DecisionDecl,
    decls: &'a [DecisionDecl],
    states: &'a BTreeSet<String>,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Checker<'a> {
    fn problem(&mut self, code: &'static str, at: impl Into<String>, detail: impl Into<String>) {
        self.problems.push(Problem::error(code, &self.decl.code, at, detail));
    }

    fn contract(&mut self) -> Option<Decisions> {
        let decl = self.decl;
        let decided = self.actions();
        self.opening();
        let hash = self.deciding();
        self.executing();
        if decl.effects.is_empty() {
            self.problem("effect_unbound", "effects", "there is nothing that could be decided");
        }
        let effects = decl.effects.iter().map(|(name, effect)| (name.clone(), self.effect(name, effect))).collect();
        Some(Decisions {
            codes: Vec::from([decl.code.clone()]),
            record: decl.record.clone(),
            subject: self.lifecycle.subject.clone(),
            actions: decl.actions.clone(),
            effects_in: decl.effects_in.clone(),
            decided: decided?,
            hash: hash?,
            effects,
        })
    }

    fn action(&self, name: &str) -> Option<&'a ActionDecl> {
        self.lifecycle.actions.get(name)
    }

    /// Each action does what its role is. Answers the state in which a proposal is decided and not carried out.
    fn actions(&mut self) -> Option<String> {
        let actions = &self.decl.actions;
        let roles = [
            ("open", Some(&actions.open)),
            ("decide", Some(&actions.decide)),
            ("reject", actions.reject.as_ref()),
            ("execute", Some(&actions.execute)),
            ("fail", Some(&actions.fail)),
        ];
        let mut named = BTreeSet::new();
        for (role, name) in roles {
            let Some(name) = name else { continue };
            let at = format!("actions.{role}");
            if !named.insert(name) {
                self.problem("duplicate_action", at.clone(), format!("`{name}` has two roles"));
            }
            if self.action(name).is_none() {
                let known = nearest(name, self.lifecycle.actions.keys());
                self.problem("unknown_action", at, format!("`{name}` is no action of `{}`, {known}", self.decl.record));
            }
        }
        let decided = self.action(&actions.decide)?.to.clone().filter(|to| to != STAYS)?;
        let ends = |action: &ActionDecl| {
            let to = action.to.as_ref().and_then(|to| self.lifecycle.states.get(to));
            to.is_some_and(|state| state.terminal)
        };
        let from = |action: &ActionDecl| action.from.clone().unwrap_or_default();
        let before = self.action(&actions.decide).map(from).unwrap_or_default();
        let mut wrong = Vec::new();
        for (role, name) in roles {
            let Some(action) = name.and_then(|name| self.action(name)) else { continue };
            let right = match role {
                "open" => from(action).is_empty(),
                "decide" => !before.is_empty() && !before.contains(&decided) && !ends(action),
                "reject" => from(action) == before && ends(action),
                _ => from(action) == [decided.clone()] && ends(action),
            };
            if !right {
                wrong
                    .push((role, "does not do what its role is: open creates, decide leads to the decided state, execute and fail end it"));
            }
        }
        for (name, action) in self.lifecycle.actions.iter().filter(|(name, _)| **name != actions.decide) {
            let stays = action.to.as_deref() == Some(STAYS) && from(action).contains(&decided);
            if stays || action.to.as_ref() == Some(&decided) || from(action).is_empty() && *name != actions.open {
                wrong.push(("decide", "another action makes a proposal, decides it, or speaks of one that is decided"));
            }
        }
        for (role, detail) in wrong {
            self.problem("action_role", format!("actions.{role}"), detail);
        }
        Some(decided)
    }

    /// Who opens a proposal says what it would bring about.
    fn opening(&mut self) {
        let member = &self.decl.effects_in;
        let field = self.action(&self.decl.actions.open).and_then(|action| action.fields.get(member));
        if field.is_none_or(|field| field.type_ != FieldType::Object || !field.required || !field.keep) {
            let detail = format!("`{}` has no required, kept member `{member}` of type `object`", self.decl.actions.open);
            self.problem("effects_in", "effects_in", detail);
        }
    }

    /// Who decides says how, and its hash is over what a guard says it is over.
    fn deciding(&mut self) -> Option<Expr> {
        let action = self.action(&self.decl.actions.decide)?;
        let is = |name: &str, type_| action.fields.get(name).is_some_and(|field| field.type_ == type_ && field.required && field.keep);
        if !is(DECISION_HASH, FieldType::Digest) || !is(TALLY, FieldType::Object) {
            let detail = format!("a decision keeps two required members: `{TALLY}` of type `object`, `{DECISION_HASH}` of type `digest`");
            self.problem("bad_decision", "actions.decide", detail);
        }
        let said = Value::String(format!("$.payload.{DECISION_HASH}"));
        let defined = action.guards.iter().filter(|guard| guard.of.is_none()).find_map(|guard| match &guard.guard {
            GuardDecl::FieldEquals { left, right } if *left == said => Some(right),
            GuardDecl::FieldEquals { left, right } if *right == said => Some(left),
            GuardDecl::FieldEquals { .. }
            | GuardDecl::StateIn { .. }
            | GuardDecl::Exists { .. }
            | GuardDecl::KeyUnconsumed { .. }
            | GuardDecl::VersionRatified { .. }
            | GuardDecl::ActorsDistinct { .. }
            | GuardDecl::FieldIn { .. }
            | GuardDecl::FieldPositive { .. }
            | GuardDecl::TimeWindow { .. } => None,
        });
        let hash = defined.and_then(|defined| Expr::parse(defined).ok()).filter(|expr| matches!(expr, Expr::Digest(_)));
        let Some(hash) = hash else {
            let detail = format!("no guard `field_equals` says which `sha256` the member `{DECISION_HASH}` is");
            self.problem("bad_decision", "actions.decide", detail);
            return None;
        };
        // What was decided and how: a hash that leaves one out is the same for two decisions.
        let over = |reference: &Reference| hash.references().contains(&reference);
        let whole = [Reference::Id, Reference::Kept(self.decl.effects_in.clone()), Reference::Payload(TALLY.to_owned())];
        let whole = whole.iter().all(|reference| over(reference) || *reference == Reference::Id && over(&Reference::Subject));
        if !whole {
            let detail =
                format!("`{DECISION_HASH}` is over the proposal's id, `kept.{}` and `payload.{TALLY}` at least", self.decl.effects_in);
            self.problem("bad_decision", "actions.decide", detail);
        }
        if hash.references().iter().any(|reference| matches!(reference, Reference::At | Reference::Actor | Reference::State)) {
            self.problem("bad_decision", "actions.decide", format!("`{DECISION_HASH}` is the same whoever decides, and whenever"));
        }
        Some(hash)
    }

    /// A decision is carried out once, for ever.
    fn executing(&mut self) {
        let Some(action) = self.action(&self.decl.actions.execute) else { return };
        if !action.consumes.iter().any(|key| key.as_str() == Some(DECISION_KEY)) {
            self.problem("no_key", "actions.execute", format!("it uses up no key `{DECISION_KEY}`, so it could be carried out again"));
        }
        if action.fields.values().any(|field| field.required) {
            self.problem("missing_field", "actions.execute", "it requires a member, and nobody types it");
        }
    }

    fn effect(&mut self, name: &str, effect: &EffectDecl) -> Effect {
        let at = format!("effects.{name}");
        word(&self.decl.code, &at, name, self.problems);
        if effect.records.is_empty() != effect.none {
            let detail = "an effect is at least one record under `records`, or says with `\"none\": true` that nothing is to happen";
            self.problem("effect_unbound", at.clone(), detail);
        }
        for (field, decl) in &effect.fields {
            word(&self.decl.code, &format!("{at}.fields.{field}"), field, self.problems);
            if field == EFFECT || field.contains('.') || decl.keep || decl.fixed {
                self.problem(
                    "bad_field",
                    format!("{at}.fields.{field}"),
                    "a member of an effect is neither `effect`, dotted, kept nor fixed",
                );
            }
        }
        let records =
            effect.records.iter().enumerate().filter_map(|(nth, template)| self.template(&at, nth, template, &effect.fields)).collect();
        Effect {
            fields: effect.fields.iter().map(|(name, field)| (name.clone(), Field::new(field))).collect(),
            required: effect.fields.iter().filter(|(_, field)| field.required).map(|(name, _)| name.clone()).collect(),
            records,
        }
    }

    fn template(&mut self, at: &str, nth: usize, template: &TemplateDecl, fields: &BTreeMap<String, FieldDecl>) -> Option<Template> {
        let at = format!("{at}.records.{nth}");
        let name = &template.action;
        let target = self.lifecycles.iter().find_map(|lifecycle| Some((lifecycle, lifecycle.actions.get(name)?)));
        let Some((target, action)) = target else {
            let known = self.lifecycles.iter().flat_map(|lifecycle| lifecycle.actions.keys());
            self.problem("effect_unbound", at, format!("no lifecycle has the action `{name}`, {}", nearest(name, known)));
            return None;
        };
        let role = |decl: &DecisionDecl| {
            let actions = &decl.actions;
            [&actions.open, &actions.decide, &actions.execute, &actions.fail].contains(&name) || actions.reject.as_ref() == Some(name)
        };
        if self.decls.iter().any(role) || self.rules.executes(name).is_some() {
            self.problem("action_role", at.clone(), format!("`{name}` decides, carries out, or is recorded with a run: it is no effect"));
        }
        self.filled(&at, template, action, fields);
        let nothing = blank();
        let mut compiler = Compiler {
            rules: self.rules,
            decls: self.lifecycles,
            decl: self.lifecycle,
            states: self.states,
            action: &nothing,
            artifact: &self.decl.code,
            at,
            problems: self.problems,
            whose: Whose::Own,
            says_kept: false,
            runs: false,
            effect: Some(fields),
        };
        let subject = compiler.text("subject", &template.subject);
        let mut payload = BTreeMap::new();
        for (member, value) in &template.payload {
            payload.extend(compiler.expr(&format!("payload.{member}"), value).map(|expr| (member.clone(), expr)));
        }
        let mut refs = BTreeMap::new();
        for (member, text) in &template.refs {
            if matches!(member.as_str(), "prev" | DECISION_REF) {
                compiler.problem("bad_field", "refs", format!("`{member}` is said by the core"));
            }
            refs.extend(compiler.text(&format!("refs.{member}"), text).map(|expr| (member.clone(), expr)));
        }
        let subject = subject?;
        let foreign = |reference: &&Reference| matches!(reference, Reference::Actor | Reference::At | Reference::State);
        if [&subject].into_iter().chain(payload.values()).chain(refs.values()).any(|expr| expr.references().iter().any(foreign)) {
            compiler.problem("bad_expression", "payload", "an effect is the same whoever carries it out, and whenever");
        }
        let optional =
            |reference: &&Reference| matches!(reference, Reference::Effect(name) if fields.get(name).is_some_and(|f| !f.required));
        if [&subject].into_iter().chain(refs.values()).any(|expr| expr.references().iter().any(optional)) {
            compiler.problem("missing_field", "subject", "it follows from a member of the effect that need not be there");
        }
        Some(Template { record: target.record.to_string(), action: name.clone(), subject, payload, refs })
    }

    /// What a template fills is declared, and all that is required is filled by what must be there.
    fn filled(&mut self, at: &str, template: &TemplateDecl, action: &ActionDecl, fields: &BTreeMap<String, FieldDecl>) {
        let mut wrong = Vec::new();
        for name in template.payload.keys().filter(|name| !action.fields.contains_key(*name)) {
            let detail = format!("the action does not declare `{name}`, {}", nearest(name, action.fields.keys()));
            wrong.push(("unknown_field", name, detail));
        }
        let there = |value: &Value| {
            let Ok(expr) = Expr::parse(value) else { return true };
            let optional =
                |reference: &&Reference| matches!(reference, Reference::Effect(name) if fields.get(name).is_some_and(|f| !f.required));
            !expr.references().iter().any(optional)
        };
        for (name, _) in action.fields.iter().filter(|(_, field)| field.required) {
            if !template.payload.get(name).is_some_and(there) {
                wrong.push(("missing_field", name, String::from("the action requires it, and the effect need not say it")));
            }
        }
        for (code, name, detail) in wrong {
            self.problem(code, format!("{at}.payload.{name}"), detail);
        }
    }
}

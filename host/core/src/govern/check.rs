//! What can be said of a protocol before it is used: rules that fit together and are unwise.
//!
//! A lifecycle nobody can move, a row that everybody satisfies, a ratifier who may be the proposer. The core would enforce all of
//! them faithfully; that is why somebody should hear of them first.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::builtin::UNROWED;
use super::compile::proposes;
use super::declare::Step;
use super::problem::Problem;
use super::rules::{Action, Guard, GuardOf, Lifecycle, Protocol, Row};
use crate::entry::Kind;

impl Protocol {
    /// The findings about these rules, sorted. `governed` lists the side effects that are marked as governed.
    #[must_use]
    pub fn check(&self, governed: &[&str]) -> Vec<Problem> {
        let mut problems = Vec::new();
        for lifecycle in self.lifecycles.values() {
            states(lifecycle, &mut problems);
            for (name, action) in &lifecycle.actions {
                self.action(lifecycle, name, action, &mut problems);
            }
        }
        for row in self.rows.iter().filter(|row| row.decl.roles.is_empty() && row.decl.seat.is_none()) {
            let at = format!("rows.{}", row.decl.row);
            let problem = Problem::error("action_everybody", &row.code, at, "every actor satisfies this row");
            problems.push(problem.with_hint("name a role or a seat"));
        }
        for code in governed {
            self.effect(code, &mut problems);
        }
        Problem::sort(&mut problems);
        problems
    }

    /// The rows that may allow an action.
    pub fn rows_of<'a>(&'a self, action: &'a Action) -> impl Iterator<Item = &'a Row> {
        action.rows.iter().filter_map(|nth| self.rows.get(*nth))
    }

    fn action(&self, lifecycle: &Lifecycle, name: &str, action: &Action, problems: &mut Vec<Problem>) {
        let at = format!("actions.{name}");
        // An action of the core is there whether or not a pack means it to be used.
        let core = lifecycle.code == "core";
        if action.rows.is_empty() && !UNROWED.contains(&name) {
            let problem = Problem::error("action_nobody", &lifecycle.code, at.clone(), format!("no row allows `{name}`"));
            let problem = problem.with_hint("add a row to an authorization matrix, or remove the action");
            problems.push(if core { problem.warning() } else { problem });
        }
        if !core && !action.is_guarded() {
            let problem = Problem::error("action_unguarded", &lifecycle.code, at.clone(), "neither a guard nor an invariant");
            problems.push(problem.warning());
        }
        if action.step == Some(Step::Ratify) {
            self.ratifier(lifecycle, name, action, &at, problems);
        }
    }

    /// Each row that allows a ratification sets it apart from every proposal, unless a guard does for all of them.
    fn ratifier(&self, lifecycle: &Lifecycle, name: &str, action: &Action, at: &str, problems: &mut Vec<Problem>) {
        let proposals: Vec<&String> = lifecycle.actions.iter().filter(|(_, action)| proposes(action)).map(|(name, _)| name).collect();
        let all = |actions: &[String]| proposals.iter().all(|proposal| actions.contains(proposal));
        let guarded = |guard: &GuardOf| matches!(&guard.guard, Guard::ActorsDistinct { actions, .. } if all(actions));
        if action.guards.iter().any(guarded) {
            return;
        }
        for row in self.rows_of(action).filter(|row| !all(&row.decl.distinct_from)) {
            let detail = format!("row `{}` lets a proposer perform `{name}`", row.name);
            let problem = Problem::error("ratifier_proposer", &lifecycle.code, at, detail);
            problems.push(problem.with_hint("name the proposal under `distinct_from` of the row"));
        }
    }

    fn effect(&self, code: &str, problems: &mut Vec<Problem>) {
        let mut listed = false;
        for lifecycle in self.lifecycles.values().filter(|lifecycle| lifecycle.effects.iter().any(|effect| effect == code)) {
            listed = true;
            let lacking = |action: &Action| action.rows.is_empty() || !action.is_guarded();
            for (name, _) in lifecycle.actions.iter().filter(|(_, action)| lacking(action)) {
                let detail = format!("`{}` lists it, whose action `{name}` has no row, or neither guard nor invariant", lifecycle.code);
                problems.push(Problem::error("effect_ungoverned", code, "", detail));
            }
        }
        if !listed {
            let problem = Problem::error("effect_ungoverned", code, "", "governed, and no lifecycle lists it under `effects`");
            problems.push(problem.with_hint("state machine, matrix and invariants come before the effect"));
        }
    }
}

/// States that nothing reaches, and states that nothing leaves.
fn states(lifecycle: &Lifecycle, problems: &mut Vec<Problem>) {
    if lifecycle.kind != Kind::Transition {
        return;
    }
    let mut reached: BTreeSet<&str> = BTreeSet::new();
    // As long as it grows: an action reaches its state from nothing, or from one that is reached.
    loop {
        let before = reached.len();
        for action in lifecycle.actions.values() {
            if action.from.is_empty() || action.from.iter().any(|from| reached.contains(from.as_str())) {
                reached.extend(action.to.as_deref());
            }
        }
        if reached.len() == before {
            break;
        }
    }
    for (state, terminal) in &lifecycle.states {
        let at = format!("states.{state}");
        if !reached.contains(state.as_str()) {
            problems.push(Problem::error("state_unreachable", &lifecycle.code, at.clone(), "no action reaches this state"));
        }
        let left = |action: &Action| action.from.contains(state) && action.to.as_ref().is_some_and(|to| to != state);
        if !terminal && !lifecycle.actions.values().any(left) {
            let problem = Problem::error("state_dead", &lifecycle.code, at, "not terminal, and no action leaves this state");
            problems.push(problem.with_hint("mark it `terminal`, or add an action"));
        }
    }
}

//! Tells a story: one step after the other, each on the real engine and with what came of it.
use std::collections::BTreeMap;
use std::sync::Arc;

use enact_core::hash::Digest;
use serde_json::{Value, json};

use super::act::Seen;
use super::clock::Clock;
use super::{Adopt, Grant, Outcome, Step, Story, Told, open};
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::govern::propose::Appended;
use crate::govern::{Proposed, keys};
use crate::workspace::Workspace;

/// Somebody who tells.
pub(super) struct Teller<'a> {
    story: &'a Story,
    engine: Engine,
    clock: Arc<Clock>,
    founder: String,
    labels: BTreeMap<String, Digest>,
}

impl<'a> Teller<'a> {
    pub(super) const fn new(story: &'a Story, engine: Engine, clock: Arc<Clock>) -> Self {
        Self { story, engine, clock, founder: String::new(), labels: BTreeMap::new() }
    }

    pub(super) fn step(&mut self, nth: usize, step: &Step) -> Result<Told> {
        let mut told = self.proposed_or_done(nth, step)?;
        told.chapter.clone_from(&step.chapter);
        Ok(told)
    }

    fn proposed_or_done(&mut self, nth: usize, step: &Step) -> Result<Told> {
        let told = |actor: &str, what: String, result: Result<Appended>| -> Result<(Told, Option<Appended>)> {
            let mut report = Told {
                step: nth,
                chapter: None,
                outcome: Outcome::Done,
                actor: actor.to_owned(),
                what,
                expected: step.expect.clone().unwrap_or_else(|| "appended".to_owned()),
                got: "appended".to_owned(),
                detail: None,
                why: step.why.clone(),
                seq: None,
            };
            match result {
                Ok(appended) => {
                    report.seq = Some(appended.entry.seq);
                    Ok((report, Some(appended)))
                }
                Err(EngineError::Refused(refused)) => {
                    report.outcome = Outcome::Refused;
                    report.got.clone_from(&refused.code);
                    report.detail = Some(refused.detail.clone());
                    Ok((report, None))
                }
                Err(other) => Err(other),
            }
        };
        if let Some(found) = &step.found {
            self.founder.clone_from(&found.actor);
            let appended = self.engine.found(&found.actor, &found.roles);
            return Ok(told(&found.actor, format!("founds the ledger as {}", found.roles.join(", ")), appended)?.0);
        }
        if let (Some(actor), Some(grant)) = (&step.actor, &step.grant) {
            let appended = self.grant(actor, grant);
            let mut held = grant.roles.clone();
            held.extend(grant.seat.iter().map(|seat| format!("the seat {seat}")));
            let what = if held.is_empty() { format!("registers {actor}") } else { format!("makes {actor} {}", held.join(", ")) };
            return Ok(told(&self.founder, what, appended)?.0);
        }
        if let Some(act) = &step.act {
            return self.act(nth, step, act);
        }
        self.seal(nth, &step.seal)?;
        if let (Some(actor), Some(adopt)) = (&step.by, step.adopt) {
            let (what, result) = match adopt {
                Adopt::Propose => ("proposes the sealed protocol", self.engine.propose_protocol(actor)),
                Adopt::Ratify => {
                    let proposal = step.refs.get("proposal").ok_or_else(|| self.broken(nth, "ratifies nothing"))?;
                    ("ratifies the protocol", self.engine.ratify_protocol(actor, self.label(nth, proposal)?))
                }
            };
            let (report, appended) = told(actor, what.to_owned(), result)?;
            self.remember(step, appended.as_ref());
            return Ok(report);
        }
        let (Some(actor), Some(file)) = (&step.by, &step.file) else {
            return Err(self.broken(nth, "is no step"));
        };
        let mut proposed = Proposed::read(self.file(nth, file)?, file)?;
        for record in &mut proposed {
            if let Some(label) = &step.auth {
                record.auth = Some(self.label(nth, label)?);
            }
            for (name, label) in &step.refs {
                record.refs.insert(name.clone(), self.label(nth, label)?);
            }
        }
        let what: Vec<String> = proposed.iter().map(|p| format!("{} {}", p.action, p.subject)).collect();
        // A key is made on the spot even for somebody whom the ledger does not know: the refusal shall be the ledger's.
        keys::create(self.engine.workspace(), &keys::actor_id(actor)?)?;
        let (report, appended) = told(actor, what.join(" + "), self.engine.propose(actor, &proposed))?;
        self.remember(step, appended.as_ref());
        Ok(report)
    }

    /// A step that proposes nothing.
    fn act(&self, nth: usize, step: &Step, act: &super::Act) -> Result<Told> {
        let actor = step.by.clone().unwrap_or_default();
        for signer in act.signs(&actor) {
            if signer.is_empty() {
                return Err(self.broken(nth, "is done by nobody"));
            }
            keys::create(self.engine.workspace(), &keys::actor_id(signer)?)?;
        }
        let result = self.clock.running(|| act.done(&self.engine, &actor));
        let (outcome, got, detail, seq) = match result {
            Ok(Seen::Appended(seq)) => (Outcome::Done, "appended".to_owned(), None, Some(seq)),
            Ok(Seen::Done(got)) => (Outcome::Done, got, None, None),
            Ok(Seen::Shown(got)) => (Outcome::Shown, got, None, None),
            Err(error @ (EngineError::Refused(_) | EngineError::Queue { .. } | EngineError::Rejected { .. })) => {
                (Outcome::Refused, error.code().to_owned(), Some(error.to_string()), None)
            }
            Err(other) => return Err(other),
        };
        let expected = step.expect.clone().unwrap_or_else(|| "appended".to_owned());
        let (what, why) = (act.to_string(), step.why.clone());
        Ok(Told { step: nth, chapter: None, outcome, actor, what, expected, got, detail, why, seq })
    }

    /// Keeps the hash of what was appended under the label of the step.
    fn remember(&mut self, step: &Step, appended: Option<&Appended>) {
        if let (Some(label), Some(appended)) = (&step.label, appended) {
            let last = appended.records.last().and_then(|record| record.hash.parse().ok());
            self.labels.extend(last.map(|hash| (label.clone(), hash)));
        }
    }

    /// Puts artifacts into the workspace and seals it; whoever goes on opens it anew.
    fn seal(&mut self, nth: usize, files: &[String]) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        for file in files {
            let bytes = self.file(nth, file)?;
            let artifact: Value =
                serde_json::from_slice(bytes).map_err(|e| EngineError::Json { what: file.clone(), detail: e.to_string() })?;
            let code = artifact["code"].as_str().ok_or_else(|| self.broken(nth, &format!("`{file}` has no code")))?;
            self.engine.workspace().write_artifact(code, bytes)?;
        }
        self.engine.workspace().seal()?;
        self.engine = open(Workspace::open(self.engine.workspace().path())?, &self.clock)?;
        Ok(())
    }

    fn file(&self, nth: usize, file: &str) -> Result<&'static [u8]> {
        self.story.files.get(file).copied().ok_or_else(|| self.broken(nth, &format!("names `{file}`, which is not there")))
    }

    fn grant(&self, actor: &str, grant: &Grant) -> Result<Appended> {
        let engine = &self.engine;
        let mut batch = Vec::new();
        if engine.subject_state(actor, None).is_err() {
            let fresh = keys::create(engine.workspace(), &keys::actor_id(actor)?)?;
            batch.push(Proposed::of("ACTOR", "ACTOR.REGISTER", actor, json!({"key": keys::public(&fresh.key)})));
        }
        let mut payloads: Vec<Value> = grant.roles.iter().map(|role| json!({"role": role})).collect();
        if let Some(seat) = &grant.seat {
            payloads.push(match &grant.charter {
                Some(charter) => json!({"seat": seat, "charter": charter}),
                None => json!({"seat": seat}),
            });
        }
        for mut payload in payloads {
            if let Some(scope) = &grant.scope {
                payload["scope"] = json!(scope);
            }
            batch.push(Proposed::of("ACTOR", "ACTOR.GRANT", actor, payload));
        }
        engine.propose(&self.founder, &batch)
    }

    fn label(&self, nth: usize, label: &str) -> Result<Digest> {
        self.labels.get(label).copied().ok_or_else(|| self.broken(nth, &format!("names `{label}`, which nothing has")))
    }

    fn broken(&self, nth: usize, detail: &str) -> EngineError {
        let what = format!("step {nth} of the story `{}`", self.story.name);
        EngineError::Proposal { what, code: "proposal_invalid", detail: detail.to_owned() }
    }
}

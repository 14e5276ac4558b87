//! A pack's story, told on the real engine: an ordered list of proposals with what is expected of each.
//!
//! The story brings its own clock, so that deadlines in it are met whenever it is told.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use enact_core::hash::Digest;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::propose::Appended;
use super::{keys, proposal::Proposed};
use crate::embedded;
use crate::engine::{Engine, EngineOptions};
use crate::error::{EngineError, Result};
use crate::sources::{Sources, System};
use crate::workspace::Workspace;

/// When the first step of a story happens.
const BEGINS: &str = "2026-04-17T08:00:00Z";
/// What passes between two steps, µs.
const STEP_MICROS: i64 = 1_000_000;

/// A story of a pack.
#[derive(Debug, Clone)]
pub struct Story {
    /// The pack.
    pub pack: String,
    steps: Vec<Step>,
    files: BTreeMap<String, &'static [u8]>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    found: Option<Found>,
    actor: Option<String>,
    grant: Option<Grant>,
    #[serde(rename = "as")]
    by: Option<String>,
    file: Option<String>,
    /// Proposes what this workspace has sealed as the protocol in force, or ratifies the proposal that `refs` names.
    adopt: Option<Adopt>,
    /// Artifacts among the files that take the place of those with the same code, before the step.
    #[serde(default)]
    seal: Vec<String>,
    expect: Option<String>,
    #[serde(default)]
    why: String,
    label: Option<String>,
    auth: Option<String>,
    #[serde(default)]
    refs: BTreeMap<String, String>,
    at: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Adopt {
    Propose,
    Ratify,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Found {
    actor: String,
    roles: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Grant {
    #[serde(default)]
    roles: Vec<String>,
    seat: Option<String>,
    charter: Option<String>,
    scope: Option<String>,
}

/// One step as it went.
#[derive(Debug, Clone, Serialize)]
pub struct Told {
    /// Position, from 1.
    pub step: usize,
    /// Who.
    pub actor: String,
    /// What, e.g. `SETTLEMENT.FUND Settlement:S-1`.
    pub what: String,
    /// `appended` or the code that was expected.
    pub expected: String,
    /// `appended` or the code that was given.
    pub got: String,
    /// The refusal in words.
    pub detail: Option<String>,
    /// Why the story says so.
    pub why: String,
    /// The entry.
    pub seq: Option<u64>,
}

/// A story as it went; the stable shape of `enact demo --json`.
#[derive(Debug, Clone, Serialize)]
pub struct StoryReport {
    /// The pack.
    pub pack: String,
    /// The workspace in which it can be looked at.
    pub workspace: String,
    /// The steps.
    pub steps: Vec<Told>,
    /// Steps that went otherwise than told.
    pub unexpected: usize,
}

/// The clock of a story.
struct Clock {
    now: AtomicI64,
    system: System,
}

impl Sources for Clock {
    fn now_micros(&self) -> i64 {
        self.now.load(Ordering::Relaxed)
    }

    fn fill(&self, bytes: &mut [u8]) -> bool {
        self.system.fill(bytes)
    }
}

impl Story {
    /// The story of an embedded pack; `None` when the pack has none.
    pub fn of(pack: &str) -> Result<Option<Self>> {
        let files: BTreeMap<String, &'static [u8]> =
            embedded::examples().filter(|(of, _, _)| *of == pack).map(|(_, file, bytes)| (file.to_owned(), bytes)).collect();
        let Some(bytes) = files.get("story.json") else { return Ok(None) };
        let invalid = |e: serde_json::Error| EngineError::Json { what: format!("the story of `{pack}`"), detail: e.to_string() };
        let steps = serde_json::from_slice(bytes).map_err(invalid)?;
        Ok(Some(Self { pack: pack.to_owned(), steps, files }))
    }

    /// Names of the embedded packs that have a story.
    #[must_use]
    pub fn packs() -> Vec<&'static str> {
        embedded::examples().filter(|(_, file, _)| *file == "story.json").map(|(pack, _, _)| pack).collect()
    }

    /// Tells the story in a new workspace, step by step.
    pub fn tell(&self, workspace: Workspace, mut told: impl FnMut(&Told)) -> Result<StoryReport> {
        let path = workspace.path().display().to_string();
        let clock = Arc::new(Clock { now: AtomicI64::new(instant(BEGINS)?), system: System::default() });
        let engine = open(workspace, &clock)?;
        let mut teller = Teller { story: self, engine, clock: Arc::clone(&clock), founder: String::new(), labels: BTreeMap::new() };
        let mut steps = Vec::with_capacity(self.steps.len());
        for (nth, step) in (1..).zip(&self.steps) {
            if let Some(at) = &step.at {
                clock.now.store(instant(at)?, Ordering::Relaxed);
            } else if nth > 1 {
                clock.now.fetch_add(STEP_MICROS, Ordering::Relaxed);
            }
            let report = teller.step(nth, step)?;
            told(&report);
            steps.push(report);
        }
        let unexpected = steps.iter().filter(|step| step.expected != step.got).count();
        Ok(StoryReport { pack: self.pack.clone(), workspace: path, steps, unexpected })
    }
}

struct Teller<'a> {
    story: &'a Story,
    engine: Engine,
    clock: Arc<Clock>,
    founder: String,
    labels: BTreeMap<String, Digest>,
}

impl Teller<'_> {
    fn step(&mut self, nth: usize, step: &Step) -> Result<Told> {
        let told = |actor: &str, what: String, result: Result<Appended>| -> Result<(Told, Option<Appended>)> {
            let mut report = Told {
                step: nth,
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
            return Ok(told(&self.founder, format!("makes {actor} {}", held.join(", ")), appended)?.0);
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
            let key = keys::create(engine.workspace(), &keys::actor_id(actor)?)?;
            batch.push(Proposed::of("ACTOR", "ACTOR.REGISTER", actor, json!({"key": keys::public(&key)})));
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
        let what = format!("step {nth} of the story of `{}`", self.story.pack);
        EngineError::Proposal { what, code: "proposal_invalid", detail: detail.to_owned() }
    }
}

fn open(workspace: Workspace, clock: &Arc<Clock>) -> Result<Engine> {
    Engine::open_with(workspace, &EngineOptions::default(), Arc::clone(clock) as Arc<dyn Sources>)
}

fn instant(text: &str) -> Result<i64> {
    let at: jiff::Timestamp = text.parse().map_err(|e: jiff::Error| EngineError::Json { what: text.to_owned(), detail: e.to_string() })?;
    Ok(at.as_microsecond())
}

//! Stories of packs, told on the real engine: ordered lists of steps with what is expected of each.
//!
//! A story brings its own clock, so that deadlines in it are met whenever it is told.
//!
//! - `clock`: that clock.
//! - `act`: steps that are not proposals: work on items, looking, verifying.
//! - `teller`: tells one step after the other.
mod act;
mod clock;
mod teller;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use act::Act;
use clock::Clock;
use teller::Teller;

use crate::embedded;
use crate::engine::{Engine, EngineOptions};
use crate::error::{EngineError, Result};
use crate::sources::Sources;
use crate::workspace::Workspace;

/// When the first step of a story happens.
const BEGINS: &str = "2026-04-17T08:00:00Z";
/// What passes between two steps, µs.
const STEP_MICROS: i64 = 1_000_000;

/// A story of a pack.
#[derive(Debug, Clone)]
pub struct Story {
    /// Its name: that of the pack, or one of its own.
    pub name: String,
    /// The pack.
    pub pack: String,
    /// What it shows, in one sentence.
    pub summary: String,
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
    /// Something else than a proposal, by the actor of `as`.
    #[serde(rename = "do")]
    act: Option<Act>,
    /// Begins a part of the story.
    chapter: Option<String>,
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

/// What of `pack.json` is about stories.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct About {
    summary: String,
    /// The story with the name of the pack.
    story: Option<String>,
    stories: Vec<Named>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
    file: String,
    summary: String,
}

/// How a step came out.
#[derive(Debug, Clone, Copy, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Something was done.
    Done,
    /// It was refused, with a code.
    Refused,
    /// Something was looked at.
    Shown,
}

/// One step as it went.
#[derive(Debug, Clone, Serialize)]
pub struct Told {
    /// Position, from 1.
    pub step: usize,
    /// The part of the story that begins here.
    pub chapter: Option<String>,
    /// How it came out.
    pub outcome: Outcome,
    /// Who.
    pub actor: String,
    /// What, e.g. `SETTLEMENT.FUND Settlement:S-1`.
    pub what: String,
    /// `appended`, what was to be seen, or the code that was expected.
    pub expected: String,
    /// `appended`, what was seen, or the code that was given.
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
    /// The story.
    pub story: String,
    /// The pack.
    pub pack: String,
    /// The workspace in which it can be looked at.
    pub workspace: String,
    /// The steps.
    pub steps: Vec<Told>,
    /// Steps that went otherwise than told.
    pub unexpected: usize,
}

impl Story {
    /// The story of this name; `None` when there is none.
    ///
    /// # Errors
    /// A pack or a story that does not read.
    pub fn of(name: &str) -> Result<Option<Self>> {
        for (pack, about) in abouts()? {
            if let Some((file, summary)) =
                about.listed(pack).into_iter().find(|(named, ..)| *named == name).map(|(_, file, sum)| (file, sum))
            {
                return Self::read(name, pack, file, summary).map(Some);
            }
        }
        Ok(None)
    }

    fn read(name: &str, pack: &str, file: &str, summary: &str) -> Result<Self> {
        let files: BTreeMap<String, &'static [u8]> =
            embedded::examples().filter(|(of, _, _)| *of == pack).map(|(_, file, bytes)| (file.to_owned(), bytes)).collect();
        let invalid = |detail: String| EngineError::Json { what: format!("the story `{name}`"), detail };
        let bytes = files.get(file).ok_or_else(|| invalid(format!("there is no `{file}`")))?;
        let steps = serde_json::from_slice(bytes).map_err(|e| invalid(e.to_string()))?;
        Ok(Self { name: name.to_owned(), pack: pack.to_owned(), summary: summary.to_owned(), steps, files })
    }

    /// Names of the embedded stories, each with what it shows.
    ///
    /// # Errors
    /// A pack that does not read.
    pub fn all() -> Result<Vec<(String, String)>> {
        let mut all = Vec::new();
        for (pack, about) in abouts()? {
            all.extend(about.listed(pack).into_iter().map(|(name, _, summary)| (name.to_owned(), summary.to_owned())));
        }
        Ok(all)
    }

    /// Tells the story in a new workspace, step by step.
    ///
    /// # Errors
    /// A broken step, or whatever keeps the engine from working; what is refused is told.
    pub fn tell(&self, workspace: Workspace, mut told: impl FnMut(&Told)) -> Result<StoryReport> {
        let path = workspace.path().display().to_string();
        let clock = Arc::new(Clock::at(instant(BEGINS)?));
        let engine = open(workspace, &clock)?;
        let mut teller = Teller::new(self, engine, Arc::clone(&clock));
        let mut steps = Vec::with_capacity(self.steps.len());
        for (nth, step) in (1..).zip(&self.steps) {
            if let Some(at) = &step.at {
                clock.set(instant(at)?);
            } else if nth > 1 {
                clock.pass(STEP_MICROS);
            }
            let report = teller.step(nth, step)?;
            told(&report);
            steps.push(report);
        }
        let unexpected = steps.iter().filter(|step| step.expected != step.got).count();
        Ok(StoryReport { story: self.name.clone(), pack: self.pack.clone(), workspace: path, steps, unexpected })
    }
}

impl About {
    /// Name, file and summary of each story.
    fn listed<'a>(&'a self, pack: &'a str) -> Vec<(&'a str, &'a str, &'a str)> {
        let own = self.story.as_deref().map(|file| (pack, file, self.summary.as_str()));
        let named = self.stories.iter().map(|named| (named.name.as_str(), named.file.as_str(), named.summary.as_str()));
        own.into_iter().chain(named).collect()
    }
}

fn abouts() -> Result<Vec<(&'static str, About)>> {
    let read = |(pack, bytes): (&'static str, &[u8])| {
        let about =
            serde_json::from_slice(bytes).map_err(|e| EngineError::Json { what: format!("pack `{pack}`"), detail: e.to_string() })?;
        Ok((pack, about))
    };
    embedded::packs().map(read).collect()
}

fn open(workspace: Workspace, clock: &Arc<Clock>) -> Result<Engine> {
    Engine::open_with(workspace, &EngineOptions::default(), Arc::clone(clock) as Arc<dyn Sources>)
}

fn instant(text: &str) -> Result<i64> {
    let at: jiff::Timestamp = text.parse().map_err(|e: jiff::Error| EngineError::Json { what: text.to_owned(), detail: e.to_string() })?;
    Ok(at.as_microsecond())
}

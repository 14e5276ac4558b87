//! The shipped packs: their governance compiles, alone and all together, and every step of every story goes as it is told.
//!
//! Keys are made from names and the clock is the story's own, so each telling is the same telling.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use enact_core::entry::{Kind, Record};
use enact_core::govern::{Fold, Level, Problem, Protocol, State, fold, key_text};
use enact_core::hash::Digest;
use enact_core::state::Space;
use serde_json::{Value, json};

use crate::govern::world::{Knows, Said, Told, World, key};
use crate::support::digest;

/// The packs that have a story, and the packs that each names.
const PACKS: [(&str, &[&str]); 15] = [
    ("base", &[]),
    ("assets", &["base"]),
    ("budgets", &["base", "assets"]),
    ("settlement", &["base", "assets"]),
    ("kes", &["base"]),
    ("parameters", &["base"]),
    ("tender", &["base", "assets"]),
    ("auction", &["base", "assets"]),
    ("wst", &["base"]),
    ("spine", &["base", "assets"]),
    ("proposals", &["base"]),
    ("treasury", &["base", "assets", "proposals"]),
    ("membership", &["base", "proposals"]),
    ("federation", &["base", "proposals"]),
    ("control", &["base", "proposals"]),
];

fn folder(pack: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../protocol/packs").join(pack)
}

fn json_of(path: &Path) -> Value {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The artifacts of packs by their codes. A code that two packs have stays twice, so that compiling finds it.
pub(crate) fn artifacts(packs: &[&str]) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for pack in packs {
        for file in std::fs::read_dir(folder(pack).join("artifacts")).unwrap() {
            let path = file.unwrap().path();
            found.push((path.file_stem().unwrap().to_string_lossy().into_owned(), json_of(&path)));
        }
    }
    found
}

pub(crate) fn compile(packs: &[&str]) -> Protocol {
    sealed(packs, Vec::new())
}

/// The same with some artifacts in the place of those with the same code.
fn sealed(packs: &[&str], instead: Vec<(String, Value)>) -> Protocol {
    let mut artifacts = artifacts(packs);
    let name = packs.iter().copied().chain(instead.iter().map(|(code, _)| code.as_str())).collect::<Vec<_>>().join("+");
    artifacts.retain(|(code, _)| instead.iter().all(|(other, _)| other != code));
    artifacts.extend(instead);
    let compiled = Protocol::compile(digest(&name), artifacts.iter().map(|(code, value)| (code.as_str(), value)));
    let rules = compiled.unwrap_or_else(|problems| panic!("{packs:?}: {}", listed(&problems)));
    let governed = artifacts.iter().filter(|(code, value)| code.starts_with("CS_") && value["governed"] == true);
    let governed: Vec<&str> = governed.map(|(code, _)| code.as_str()).collect();
    let errors: Vec<Problem> = rules.check(&governed).into_iter().filter(|problem| problem.level == Level::Error).collect();
    assert!(errors.is_empty(), "{packs:?}: {}", listed(&errors));
    rules
}

fn listed(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect()
}

/// All packs with governance, as a workspace seals them.
pub(crate) fn everything() -> Protocol {
    compile(&every_pack())
}

fn every_pack() -> Vec<&'static str> {
    PACKS.iter().map(|(pack, _)| *pack).collect()
}

/// Somebody who tells a story to a ledger of its own.
struct Teller<'a> {
    pack: &'a str,
    packs: &'a [&'a str],
    world: World,
    founder: String,
    labels: BTreeMap<String, Digest>,
    /// When the clock was last set, and the seconds since.
    clock: (String, u32),
}

impl<'a> Teller<'a> {
    fn new(pack: &'a str, packs: &'a [&'a str], rules: Protocol) -> Self {
        let world = World { known: vec![rules.clone()], rules, ..World::unfounded() };
        Self { pack, packs, world, founder: String::new(), labels: BTreeMap::new(), clock: ("2026-04-17T08:00:00Z".into(), 0) }
    }

    /// Tells one step: what was expected and what came.
    fn step(&mut self, nth: usize, step: &Value) -> (String, String) {
        match step["at"].as_str() {
            Some(at) => self.clock = (at.to_owned(), 0),
            None if nth > 0 => self.clock.1 += 1,
            None => {}
        }
        self.world.at = later(&self.clock.0, self.clock.1);
        let text = |member: &str| step[member].as_str().map(String::from);
        let (actor, records) = if let Some(actor) = step["found"]["actor"].as_str() {
            self.founder = actor.to_owned();
            let payload = json!({"key": key_text(&key(actor).verifying_key()), "roles": step["found"]["roles"]});
            (actor.to_owned(), vec![self.world.record(actor, "ACTOR.FOUND", actor, payload)])
        } else if let Some(actor) = text("actor") {
            (self.founder.clone(), self.grants(&actor, &step["grant"]))
        } else if step["adopt"].is_string() {
            let actor = text("as").unwrap();
            (actor.clone(), vec![self.adopts(&actor, step)])
        } else {
            (text("as").unwrap(), self.proposed(step))
        };
        let records = self.completed(&actor, records);
        let said: Said = self.world.say(records.clone());
        if let (Ok(_), Some(label)) = (&said, text("label")) {
            self.labels.insert(label, records.last().unwrap().hash().unwrap());
        }
        if said.is_ok() && step["adopt"] == "ratify" {
            self.world.rules = self.world.known.last().unwrap().clone();
        }
        let got = said.map_or_else(|error| error.code().unwrap(), |_| "appended");
        (text("expect").unwrap_or_else(|| "appended".into()), got.to_owned())
    }

    /// The registration, unless there was one, and the grants.
    fn grants(&self, actor: &str, grant: &Value) -> Vec<Record> {
        let by = |action: &str, payload: Value| self.world.record(&self.founder, action, actor, payload);
        let mut records = Vec::new();
        if self.world.last(actor).is_none() {
            records.push(by("ACTOR.REGISTER", json!({"key": key_text(&key(actor).verifying_key())})));
        }
        let roles = grant["roles"].as_array().into_iter().flatten().map(|role| ("role", role));
        for (what, name) in roles.chain(grant.get("seat").map(|seat| ("seat", seat))) {
            let mut payload = json!({ what: name });
            for member in
                ["scope", "charter"].into_iter().filter(|member| grant[*member].is_string() && (what == "seat" || *member == "scope"))
            {
                payload[member] = grant[member].clone();
            }
            records.push(by("ACTOR.GRANT", payload));
        }
        records
    }

    /// The proposal of a protocol with other artifacts, or its ratification.
    fn adopts(&mut self, actor: &str, step: &Value) -> Record {
        if let Some(files) = step["seal"].as_array() {
            let of = |file: &Value| json_of(&folder(self.pack).join("examples").join(file.as_str().unwrap()));
            let instead = files.iter().map(of).map(|value| (value["code"].as_str().unwrap().to_owned(), value)).collect();
            self.world.known.push(sealed(self.packs, instead));
        }
        let payload = json!({"snapshot": self.world.known.last().unwrap().snapshot()});
        let action = if step["adopt"] == "ratify" { "PROTOCOL.RATIFY" } else { "PROTOCOL.PROPOSE" };
        let mut record = self.world.record(actor, action, "Protocol:ledger", payload);
        let refs = step["refs"].as_object().into_iter().flatten();
        record.refs.extend(refs.map(|(name, label)| (name.clone(), self.labels[label.as_str().unwrap()])));
        record
    }

    /// The records of a file, with the labels that the step names.
    fn proposed(&self, step: &Value) -> Vec<Record> {
        let file = step["file"].as_str().unwrap();
        let value = json_of(&folder(self.pack).join("examples").join(file));
        let values = value.as_array().cloned().unwrap_or_else(|| vec![value]);
        // What no step has is a link to nowhere: the step that should have had it is told with the others.
        let labelled = |label: &Value| self.labels.get(label.as_str().unwrap()).copied().unwrap_or_else(|| digest("no label"));
        let mut records: Vec<Record> = values.into_iter().map(|value| serde_json::from_value(value).unwrap()).collect();
        for record in &mut records {
            assert_eq!(step["as"], record.actor, "{file}");
            record.auth = step.get("auth").map(labelled);
            record.refs.extend(step["refs"].as_object().into_iter().flatten().map(|(name, label)| (name.clone(), labelled(label))));
        }
        records
    }

    /// What is known only now: the last record of each subject, the next version, the signature.
    fn completed(&self, actor: &str, records: Vec<Record>) -> Vec<Record> {
        let mut last: BTreeMap<String, Digest> = BTreeMap::new();
        let complete = |mut record: Record| {
            let prev = last.get(&record.subject).copied().or_else(|| self.world.last(&record.subject));
            record.refs.extend(prev.map(|prev| ("prev".to_owned(), prev)));
            if record.kind == Kind::Version && record.version.is_none() {
                let row = self.world.row(Space::Subject, &record.subject);
                record.version = Some(row.and_then(|row| row["active"]["version"].as_u64()).unwrap_or(0) + 1);
            }
            let record = self.world.signed(record, actor);
            last.insert(record.subject.clone(), record.hash().unwrap());
            record
        };
        records.into_iter().map(complete).collect()
    }
}

/// Seconds later on the same day.
fn later(at: &str, seconds: u32) -> String {
    let part = |from: usize| at[from..from + 2].parse::<u32>().unwrap();
    let total = part(11) * 3600 + part(14) * 60 + part(17) + seconds;
    assert!(total < 24 * 3600 && at.len() == 20, "{at} and {seconds} s");
    format!("{}T{:02}:{:02}:{:02}Z", &at[..10], total / 3600, total / 60 % 60, total % 60)
}

/// Tells a story, asserts every step, and folds what it left once more. Answers the ledger and the codes that were given.
pub(crate) fn tell(pack: &str, packs: &[&str]) -> (World, Vec<String>) {
    let rules = &compile(packs);
    let story = json_of(&folder(pack).join("examples/story.json"));
    let mut teller = Teller::new(pack, packs, rules.clone());
    let (mut wrong, mut codes) = (Vec::new(), Vec::new());
    for (nth, step) in story.as_array().unwrap().iter().enumerate() {
        let (before, entries) = (teller.world.state.clone(), teller.world.entries.len());
        let (expected, got) = teller.step(nth, step);
        if got != "appended" {
            assert!(teller.world.state == before && teller.world.entries.len() == entries, "a refusal leaves nothing behind: {step}");
        }
        if got != expected {
            wrong.push(format!("\n  {pack} step {} ({}): expected {expected}, got {got}", nth + 1, step["file"]));
        }
        codes.push(got);
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
    let Teller { world, .. } = teller;
    let known = &world.known;
    // Each entry is judged again under the rules that were in force then.
    let of = |snapshot: &Digest| known.iter().find(|rules| snapshot == rules.snapshot());
    let (state, findings) = fold(&of, &Knows(known), &world.entries);
    assert_eq!(findings, [], "{pack}");
    assert!(state == world.state, "{pack}: the fold is another state");
    assert_eq!(state.roots(), world.state.roots());
    (world, codes)
}

#[test]
fn all_packs_together_are_one_protocol() {
    let rules = everything();
    assert_eq!(rules.accounts().len(), 25, "{:?}", rules.accounts());
    let actions: usize = rules.lifecycles().map(|lifecycle| lifecycle.actions.len()).sum();
    assert!(actions >= 49, "{actions}");
    // What is said under all of them is said of the same rows as under few: a pack adds and changes nothing.
    for (pack, needs) in PACKS {
        let packs: Vec<&str> = needs.iter().copied().chain([pack]).collect();
        let few = compile(&packs);
        let changed: Vec<_> = few.diff(&rules).into_iter().filter(|found| found.change != enact_core::govern::Change::Added).collect();
        assert!(changed.is_empty(), "{pack}: {changed:?}");
    }
}

#[test]
fn b_30_every_step_of_every_story_goes_as_told_alone_and_among_all_packs() {
    let (mut steps, mut refused) = (0, std::collections::BTreeSet::new());
    for (pack, needs) in PACKS {
        let packs: Vec<&str> = needs.iter().copied().chain([pack]).collect();
        let (_, codes) = tell(pack, &packs);
        let (world, among) = tell(pack, &every_pack());
        assert_eq!(codes, among, "{pack}");
        steps += codes.len();
        refused.extend(codes.into_iter().filter(|code| code != "appended"));
        let mut sums: BTreeMap<String, i128> = BTreeMap::new();
        for ((_, asset), balance) in world.balances() {
            *sums.entry(asset).or_default() += balance;
        }
        assert!(sums.values().all(|sum| *sum == 0), "{pack}: {sums:?}");
    }
    assert!(steps >= 236 && refused.len() >= 41, "{steps} steps, {refused:?}");
}

#[test]
fn b_30_a_story_that_is_altered_afterwards_is_found_by_folding() {
    let all = everything();
    let (world, _) = tell("settlement", &every_pack());
    let of = |_: &Digest| Some(&all);
    let mut entries = world.entries.clone();
    let released = entries.iter().position(|entry| entry.records[0].action == "SETTLEMENT.RELEASE").unwrap();
    for leg in entries[released].records[0].postings.iter_mut().flatten() {
        leg.amount = "50001".into();
    }
    assert_eq!(fold(&of, &Told, &entries).1[0].code, "entry_unauthorised");
    // Without the decision that it relied on it would not have been allowed.
    let mut replay = Fold::new();
    let decided = |entry: &&enact_core::entry::Entry| entry.records[0].kind != Kind::Access || entry.records[0].type_ == "ACTOR";
    let found: Vec<_> = world.entries.iter().filter(decided).filter_map(|entry| replay.feed(&of, &Told, entry).err()).collect();
    assert_eq!(found[0].code, "entry_unauthorised");
    assert!(found[0].detail.starts_with("access_unknown"), "{found:?}");
    assert_ne!(replay.state(), &State::new());
}

//! A small world to judge in: a pack with one of everything, a ledger, actors with keys. No assertion lives here.

use std::collections::BTreeMap;

use ed25519_dalek::SigningKey;
use enact_core::entry::{Draft, Entry, Head, Kind, Local, Posting, Record, Side};
use enact_core::govern::{Alone, Appended, Holds, JudgeError, Outside, Protocol, State, Undecided, append, key_text, sign};
use enact_core::hash::Digest;
use enact_core::state::Space;
use serde_json::{Value, json};

use crate::support::{ORIGIN, digest};

/// The pack, artifact by artifact.
pub(crate) fn artifacts() -> Vec<(String, Value)> {
    let text = json!({"type": "text"});
    let about = json!({"about": {"type": "subject", "required": true}});
    let probe = |guard: Value, fields: Value| json!({"summary": "A guard.", "fields": fields, "guards": [guard]});
    let act = || json!({"summary": "An act.", "fields": {"note": text}});
    let all = ["source", "sink", "holder", "escrow", "credit"];
    let orders = json!({"code": "LC_ORDER_V0", "summary": "Orders.", "record": "ORDER", "kind": "TRANSITION", "subject": "Order",
        "states": {"open": {}, "paid": {}, "closed": {"terminal": true}}, "effects": ["CS_SHIP_V0"],
        "actions": {
            "ORDER.OPEN": {"summary": "Opens.", "from": [], "to": "open", "fields": {"amount": {"type": "amount", "required": true, "keep": true},
                "label": {"type": "text", "keep": true, "max_bytes": 8}, "size": {"type": "integer"}}},
            "ORDER.NOTE": {"summary": "Notes.", "from": ["open", "paid"], "to": "open", "fields": {"label": {"type": "text", "keep": true}}},
            "ORDER.HOLD": {"summary": "Stays.", "from": ["open", "paid"], "to": "=", "fields": {"note": text}},
            "ORDER.PREPAY": {"summary": "Opens with money in it.", "from": [], "to": "open", "fields": {"to": {"type": "name", "required": true}},
                "postings": [{"debit": "mint", "credit": "order:{payload.to}", "asset": "COIN", "amount": "5"}]},
            "ORDER.PAY": {"summary": "Pays.", "from": ["open"], "to": "paid", "fields": {"by": {"type": "actor", "required": true}},
                "guards": [{"guard": "field_positive", "field": "$.kept.amount"}],
                "consumes": ["paid:{subject}"],
                "postings": [{"debit": "member:{payload.by.id}", "credit": "order:{id}", "asset": "COIN", "amount": "$.kept.amount"}]},
            "ORDER.CLOSE": {"summary": "Closes.", "from": ["paid"], "to": "closed"}}});
    let probes = json!({"code": "LC_PROBE_V0", "summary": "Guards.", "record": "PROBE", "kind": "RECEIPT", "subject": "Probe", "actions": {
            "PROBE.STATE": probe(json!({"guard": "state_in", "subject": "$.payload.about", "states": ["open"]}), about.clone()),
            "PROBE.EXISTS": probe(json!({"guard": "exists", "subject": "$.payload.about"}), about.clone()),
            "PROBE.KEY": probe(json!({"guard": "key_unconsumed", "key": "paid:{payload.about}"}), about.clone()),
            "PROBE.RATIFIED": probe(json!({"guard": "version_ratified", "subject": "$.payload.about", "field": "label", "equals": "good"}), about),
            "PROBE.DISTINCT": probe(json!({"guard": "actors_distinct", "actions": ["PROBE.ANY"], "and": ["$.payload.other"]}),
                json!({"other": {"type": "actor", "required": true}})),
            "PROBE.EQUALS": probe(json!({"guard": "field_equals", "left": "$.payload.n", "right": 7}), json!({"n": {"type": "integer"}})),
            "PROBE.POSITIVE": probe(json!({"guard": "field_positive", "field": "$.payload.n"}), json!({"n": {"type": "integer"}})),
            "PROBE.OF": probe(json!({"guard": "field_equals", "left": "$.payload.n", "right": "$.kept.amount", "of": "$.payload.about"}),
                json!({"n": {"type": "amount"}, "about": {"type": "subject", "required": true}})),
            "PROBE.OTHERS": probe(json!({"guard": "actors_distinct", "actions": ["PROBE.ANY"], "and": ["Actor:{kept.label}"], "of": "Order:{id}"}), json!({})),
            "PROBE.IN": probe(json!({"guard": "field_in", "field": "$.payload.n", "values": [7, "8"]}), json!({"n": {"type": "integer"}})),
            "PROBE.WINDOW": probe(json!({"guard": "time_window", "not_before": "$.payload.from", "before": "2026-12-31T00:00:00.000000+00:00"}),
                json!({"from": {"type": "time", "required": true}})),
            "PROBE.INVARIANT": {"summary": "Asks.", "fields": {"answer": text}, "invariants": [{"capability": "CT_ASK_V0", "module": "ask"}]},
            "PROBE.CONSUME": {"summary": "Uses up.", "fields": {"a": {"type": "name", "required": true}}, "consumes": ["one:{payload.a}", "two:{id}"]},
            "PROBE.ANY": {"summary": "Anything."}}});
    let acts = json!({"code": "LC_ACT_V0", "summary": "Acts.", "record": "ACT", "kind": "RECEIPT", "subject": "Act", "actions": {
            "ACT.NOBODY": act(), "ACT.SCOPE": act(), "ACT.SEAT": act(), "ACT.CHARTER": act(), "ACT.FIRST": act(), "ACT.SECOND": act(),
            "ACT.SIGNED": act(), "ACT.ACCESS": act(), "ACT.MANY": act()}});
    let value = |keep: bool, fixed: bool| json!({"type": "value", "required": true, "keep": keep, "fixed": fixed});
    let rules = json!({"code": "LC_RULE_V0", "summary": "Rules.", "record": "RULE", "kind": "VERSION", "subject": "Rule", "actions": {
            "RULE.PROPOSE": {"summary": "Proposes.", "step": "propose", "fields": {"value": value(true, true), "label": {"type": "text", "keep": true}}},
            "RULE.RATIFY": {"summary": "Ratifies.", "step": "ratify", "fields": {"value": value(true, true), "label": {"type": "text", "keep": true}}},
            "RULE.WITHDRAW": {"summary": "Withdraws.", "step": "withdraw"}}});
    let decisions = json!({"code": "LC_DECISION_V0", "summary": "Decisions.", "record": "DECISION", "kind": "ACCESS", "subject": "Access", "actions": {
            "DECISION.MAKE": {"summary": "Decides.", "fields": {"subject": {"type": "subject", "required": true}, "action": {"type": "name", "required": true},
                "policy": {"type": "name", "required": true}, "decision": {"type": "name", "required": true, "one_of": ["ALLOW", "DENY"]}}}}});
    let moves = json!({"code": "LC_MOVE_V0", "summary": "Movements.", "record": "MOVE", "kind": "POSTING", "subject": "Move", "actions": {
            "MOVE.FREE": {"summary": "Any.", "moves": {"debit": all, "credit": all}},
            "MOVE.COIN": {"summary": "Coins.", "moves": {"debit": ["source", "holder"], "credit": all, "assets": ["COIN"]}},
            "MOVE.SMALL": {"summary": "Few.", "moves": {"debit": all, "credit": all}}}});
    let assets = json!({"code": "AS_SAMPLE_V0", "summary": "Assets.", "assets": {
            "COIN": {"class": "fungible"}, "BALLOT": {"class": "fungible"}, "MILK": {"class": "consumable"}, "CAR": {"class": "depreciating", "life_days": 10},
            "WOOD": {"class": "transformable", "into": {"CHAIR": {"take": "3", "give": "2"}}}, "CHAIR": {"class": "fungible"},
            "CARE": {"class": "service"}, "IOU": {"class": "claim"}, "BOND": {"class": "claim", "assignable": true}},
        "accounts": {"mint": {"class": "source", "floor": null}, "gone": {"class": "sink"}, "member:{Actor}": {"class": "holder"},
            "order:{Order}": {"class": "escrow"}, "yes:{Motion}": {"class": "holder"}, "no:{Motion}": {"class": "holder"}, "pot:{}": {"class": "holder", "assets": ["COIN"]}, "line": {"class": "credit", "floor": "-100"}}});
    let all = [job(), queue(), orders, probes, acts, rules, decisions, moves, assets, matrix()];
    all.into_iter().chain(super::decision::artifacts()).map(|artifact| (artifact["code"].as_str().unwrap().to_owned(), artifact)).collect()
}

/// What is queued.
fn job() -> Value {
    json!({"code": "LC_JOB_V0", "summary": "Jobs.", "record": "JOB", "kind": "TRANSITION", "subject": "Job",
        "states": {"queued": {}, "done": {"terminal": true}, "failed": {"terminal": true}, "void": {"terminal": true}}, "actions": {
            "JOB.QUEUE": {"summary": "Queues.", "from": [], "to": "queued", "fields": {"n": {"type": "integer", "keep": true}}},
            "JOB.EXECUTE": {"summary": "Executes.", "from": ["queued"], "to": "done", "fields": {"run": {"type": "name", "required": true}},
                "consumes": ["job:{id}"]},
            "JOB.FAIL": {"summary": "Fails.", "from": ["queued"], "to": "failed"},
            "JOB.VOID": {"summary": "Voids.", "from": ["queued"], "to": "void"}}})
}

/// The contract of the queue.
fn queue() -> Value {
    json!({"code": "QC_JOB_V0", "summary": "Jobs.", "record": "JOB", "prefix": "JOB",
        "actions": {"queue": "JOB.QUEUE", "execute": "JOB.EXECUTE", "fail": "JOB.FAIL", "void": "JOB.VOID"},
        "facts": {"queued": [], "done": ["executed"], "failed": ["failed"], "void": ["void"]},
        "validation": [{"group": "number_ok", "checks": [{"guard": "field_positive", "field": "$.kept.n", "reason": "not_positive"}]}],
        "workflow": "WF_SAMPLE_V0", "payload": {"n": "$.kept.n"}, "execute": {"run": "$.run.id"}, "settlement": {"mode": "none"},
        "trigger": {"roles": ["clerk"]}})
}

/// Who may do what.
fn matrix() -> Value {
    let row = |name: &str, actions: Value| json!({"row": name, "actions": actions, "roles": ["clerk"], "signature": false});
    let with = |mut row: Value, members: Value| {
        row.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        row
    };
    json!({"code": "AM_SAMPLE_V0", "summary": "Who.", "rows": [
        row("clerk", json!(["ORDER.OPEN", "ORDER.NOTE", "ORDER.HOLD", "ORDER.PREPAY", "ORDER.PAY", "ORDER.CLOSE", "PROBE.STATE", "PROBE.EXISTS", "PROBE.KEY", "PROBE.RATIFIED",
            "PROBE.DISTINCT", "PROBE.OF", "PROBE.OTHERS", "PROBE.EQUALS", "PROBE.POSITIVE", "PROBE.IN", "PROBE.WINDOW", "PROBE.INVARIANT", "PROBE.CONSUME", "PROBE.ANY", "ACT.FIRST",
            "RULE.PROPOSE", "RULE.WITHDRAW", "DECISION.MAKE", "MOVE.FREE", "MOVE.COIN", "JOB.QUEUE", "JOB.EXECUTE", "JOB.FAIL", "JOB.VOID"])),
        with(row("ratify", json!(["RULE.RATIFY"])), json!({"distinct_from": ["RULE.PROPOSE"]})),
        with(row("scoped", json!(["ACT.SCOPE"])), json!({"scope": true})),
        with(row("seated", json!(["ACT.SEAT"])), json!({"seat": "chair"})),
        with(row("chartered", json!(["ACT.CHARTER"])), json!({"seat": "chair", "charter": true})),
        with(row("second", json!(["ACT.SECOND"])), json!({"distinct_from": ["ACT.FIRST"]})),
        with(row("small", json!(["MOVE.SMALL"])), json!({"ceiling": {"COIN": "10"}})),
        with(row("signed", json!(["ACT.SIGNED"])), json!({"signature": true})),
        with(row("asked", json!(["ACT.ACCESS"])), json!({"access": "POLICY_A"})),
        {"row": "many-a", "actions": ["ACT.MANY"], "roles": ["nurse"], "signature": false},
        {"row": "many-b", "actions": ["ACT.MANY"], "roles": ["clerk"], "seat": "chair", "signature": false},
        {"row": "many-c", "actions": ["ACT.MANY"], "roles": ["clerk"], "seat": "stool", "signature": false},
        {"row": "admin", "actions": ["ACTOR.REGISTER", "ACTOR.ROTATE", "ACTOR.REVOKE", "ACTOR.SUSPEND", "ACTOR.RESUME", "ACTOR.GRANT",
            "ACTOR.WITHDRAW", "PROTOCOL.PROPOSE", "PROTOCOL.WITHDRAW"], "roles": ["admin"], "signature": true},
        {"row": "adopt", "actions": ["PROTOCOL.RATIFY"], "roles": ["admin"], "distinct_from": ["PROTOCOL.PROPOSE"]}]})
}

/// Compiles artifacts.
pub(crate) fn compile(artifacts: &[(String, Value)]) -> Result<Protocol, Vec<enact_core::govern::Problem>> {
    Protocol::compile(digest("sample"), artifacts.iter().map(|(code, value)| (code.as_str(), value)))
}

/// An evaluator whose answer is in the payload; of the shipped invariants, what they would answer about a list that is one.
pub(crate) struct Told;

impl Outside for Told {
    fn invariant(&self, _module: &str, capability: &str, input: &Value) -> Result<Holds, Undecided> {
        if capability == "CT_INVARIANT_LEAST_OFFER_V0" {
            let number = |text: &Value| text.as_str().unwrap().parse::<u128>().unwrap();
            let payload = &input["record"]["payload"];
            let least = payload["offers"].as_object().unwrap().values().map(|offer| number(&offer["amount"])).min().unwrap();
            let holds = number(&payload["amount"]) == least;
            return Ok(if holds { Holds::Yes } else { Holds::Violated { status: "VIOLATION".into() } });
        }
        if let Some(holds) = shipped(capability, input) {
            return Ok(if holds { Holds::Yes } else { Holds::Violated { status: "VIOLATION".into() } });
        }
        match input["record"]["payload"]["answer"].as_str() {
            Some("yes") => Ok(Holds::Yes),
            Some("trap") => Ok(Holds::Trapped { code: "unreachable".into() }),
            Some(status) => Ok(Holds::Violated { status: status.into() }),
            None => Alone.invariant("", capability, input),
        }
    }
}

/// The same, and these snapshots are there.
pub(crate) struct Knows<'a>(pub(crate) &'a [Protocol]);

impl Outside for Knows<'_> {
    fn invariant(&self, module: &str, capability: &str, input: &Value) -> Result<Holds, Undecided> {
        Told.invariant(module, capability, input)
    }

    fn redefined(&self, rules: &Protocol, next: &Digest) -> Result<Option<String>, Undecided> {
        match self.0.iter().find(|known| known.snapshot() == next) {
            Some(known) => Ok(rules.redefined(known)),
            None => Told.redefined(rules, next),
        }
    }
}

/// What the shipped invariants of decisions would answer; their own tests are theirs.
fn shipped(capability: &str, input: &Value) -> Option<bool> {
    let number = |text: &Value| text.as_str().unwrap().parse::<u128>().unwrap();
    let (payload, balances) = (&input["record"]["payload"], input["balances"].as_object()?);
    let carries = || {
        let tally = &payload["tally"];
        let lies = |side: &str| balances.iter().find(|(key, _)| key.starts_with(&format!("ballot-{side}:"))).unwrap().1;
        let kept = &input["subject"]["kept"];
        let (yes, no) = (number(&tally["yes"]), number(&tally["no"]));
        let counted = lies("yes") == &tally["yes"] && lies("no") == &tally["no"];
        let majority = yes > no && yes * 100 > (yes + no) * u128::from(kept["threshold_percent"].as_u64().unwrap());
        (counted, majority && yes + no >= number(&kept["quorum"]))
    };
    Some(match capability {
        "CT_INVARIANT_BALLOT_CARRIED_V0" => carries() == (true, true),
        "CT_INVARIANT_BALLOT_LOST_V0" => carries() == (true, false),
        "CT_INVARIANT_EMPTIED_V0" => {
            let mut taken: BTreeMap<String, u128> = BTreeMap::new();
            for leg in input["record"]["postings"].as_array()?.iter().filter(|leg| leg["side"] == "debit") {
                let key = format!("{}|{}", leg["account"].as_str().unwrap(), leg["asset"].as_str().unwrap());
                *taken.entry(key).or_default() += number(&leg["amount"]);
            }
            taken.iter().all(|(key, total)| number(&balances[key]) == *total)
        }
        "CT_INVARIANT_ASCENDING_V0" => payload["intents"].as_array()?.is_sorted_by(|a, b| a.as_str() < b.as_str()),
        _ => return None,
    })
}

/// The key of an actor, by its name.
pub(crate) fn key(name: &str) -> SigningKey {
    SigningKey::from_bytes(&digest(name).bytes)
}

/// A ledger with its state.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) rules: Protocol,
    /// Every protocol that is or was in force, and one that may be, where that matters.
    pub(crate) known: Vec<Protocol>,
    pub(crate) state: State,
    pub(crate) head: Head,
    pub(crate) entries: Vec<Entry>,
    pub(crate) at: String,
}

pub(crate) type Said = Result<Vec<String>, JudgeError<std::convert::Infallible>>;

impl World {
    /// Founded by `Actor:root`, an admin; `Actor:ann` and `Actor:bob` are clerks, ann within a scope too and on a seat.
    pub(crate) fn new() -> Self {
        let mut world = Self::unfounded();
        world.say(vec![world.founding("root")]).unwrap();
        for name in ["ann", "bob"] {
            let subject = format!("Actor:{name}");
            world.admin("ACTOR.REGISTER", &subject, json!({"key": key_text(&key(name).verifying_key())}));
            world.admin("ACTOR.GRANT", &subject, json!({"role": "clerk"}));
        }
        world.admin("ACTOR.GRANT", "Actor:ann", json!({"seat": "chair"}));
        world
    }

    pub(crate) fn unfounded() -> Self {
        let rules = compile(&artifacts()).unwrap();
        Self { rules, known: Vec::new(), state: State::new(), head: Head::empty(), entries: Vec::new(), at: "2026-04-17T10:00:00Z".into() }
    }

    pub(crate) fn founding(&self, name: &str) -> Record {
        let actor = format!("Actor:{name}");
        let payload = json!({"key": key_text(&key(name).verifying_key()), "roles": ["admin"]});
        self.signed(self.record(&actor, "ACTOR.FOUND", &actor, payload), name)
    }

    /// A record that continues its subject's chain; type and kind are looked up by the action.
    pub(crate) fn record(&self, actor: &str, action: &str, subject: &str, payload: Value) -> Record {
        let found = self.rules.lifecycles().find(|lifecycle| lifecycle.actions.contains_key(action)).unwrap();
        Record {
            kind: found.kind,
            type_: found.record.clone(),
            action: action.into(),
            subject: subject.into(),
            actor: actor.into(),
            seat: None,
            scope: None,
            auth: None,
            refs: self.last(subject).map(|last| ("prev".to_owned(), last)).into_iter().collect(),
            consumes: Vec::new(),
            version: None,
            postings: None,
            payload,
            sig: None,
        }
    }

    /// By a clerk, `Actor:ann`.
    pub(crate) fn ann(&self, action: &str, subject: &str, payload: Value) -> Record {
        self.record("Actor:ann", action, subject, payload)
    }

    pub(crate) fn signed(&self, record: Record, name: &str) -> Record {
        sign(record, ORIGIN, &key(name)).unwrap()
    }

    /// Said and signed by the admin.
    pub(crate) fn admin(&mut self, action: &str, subject: &str, payload: Value) {
        let record = self.signed(self.record("Actor:root", action, subject, payload), "root");
        self.say(vec![record]).unwrap();
    }

    /// The decision about a subject, as ann makes it; answers its hash.
    pub(crate) fn decide(&mut self, about: &str, action: &str, decision: &str) -> Digest {
        let subject = self.rules.decision_subject(about, action, "POLICY_A").unwrap();
        let payload = json!({"subject": about, "action": action, "policy": "POLICY_A", "decision": decision});
        let record = self.ann("DECISION.MAKE", &subject, payload);
        let hash = record.hash().unwrap();
        self.say(vec![record]).unwrap();
        hash
    }

    pub(crate) fn row(&self, space: Space, key: &str) -> Option<Value> {
        self.state.row(space, key).map(|text| serde_json::from_str(text).unwrap())
    }

    pub(crate) fn last(&self, subject: &str) -> Option<Digest> {
        self.row(Space::Subject, subject).map(|row| row["last"].as_str().unwrap().parse().unwrap())
    }

    pub(crate) fn draft(&self, records: Vec<Record>) -> Draft {
        Draft { protocol: *self.rules.snapshot(), at: self.at.clone(), records, local: Local { node: "n".into(), attempt: 1 } }
    }

    /// Appends an entry; on success the rows that decided.
    pub(crate) fn say(&mut self, records: Vec<Record>) -> Said {
        let draft = self.draft(records);
        self.append(draft)
    }

    pub(crate) fn append(&mut self, draft: Draft) -> Said {
        let Appended { sealed, delta, .. } = append(&self.rules, &self.state, &Knows(&self.known), &self.head, ORIGIN, &draft)?;
        let entry = Entry::parse(&sealed.bytes).unwrap();
        self.head = sealed.head;
        self.state.apply(delta);
        let decided = entry.decided.clone();
        self.entries.push(entry);
        Ok(decided)
    }

    /// The code with which a record is refused.
    pub(crate) fn code(&self, record: Record) -> &'static str {
        self.clone().say(vec![record]).map_or_else(|error| error.code().unwrap(), |_| "allowed")
    }

    /// Free legs: account, amount, asset; negative amounts are debits.
    pub(crate) fn moving(&self, action: &str, id: &str, legs: &[(&str, i128, &str)]) -> Record {
        let leg = |(account, amount, asset): &(&str, i128, &str)| Posting {
            account: (*account).into(),
            amount: amount.unsigned_abs().to_string(),
            asset: (*asset).into(),
            side: if *amount < 0 { Side::Debit } else { Side::Credit },
        };
        Record { postings: Some(legs.iter().map(leg).collect()), ..self.ann(action, &format!("Move:{id}"), json!({})) }
    }

    /// Credits − debits by account and asset.
    pub(crate) fn balances(&self) -> BTreeMap<(String, String), i128> {
        let rows = self.state.rows(Space::Balance).map(|(key, row)| {
            let (account, asset) = key.rsplit_once('|').unwrap();
            let row: Value = serde_json::from_str(row).unwrap();
            let total = |side: &str| row[side].as_str().unwrap().parse::<i128>().unwrap();
            ((account.to_owned(), asset.to_owned()), total("credits") - total("debits"))
        });
        rows.collect()
    }
}

/// The kind of a record that should have another one.
pub(crate) const OTHER_KIND: Kind = Kind::Version;

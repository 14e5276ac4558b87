//! The shipped queue contract, told on from where the story of its pack ends: what a worker would do, on a state in memory.
//!
//! Runs are receipts made up here, as no workflow runs in this crate; everything else is judged as it would be.

use enact_core::canonical;
use enact_core::entry::Record;
use enact_core::govern::contract::{
    Failure, Hook, Item, Mode, RunFacts, Step, Validation, draft, item, keys, payload, preview, settlement_mode, validate,
};
use enact_core::govern::row::SubjectRow;
use enact_core::govern::{Contract, Protocol, Rules, fold};
use enact_core::hash::{Digest, context_hash};
use enact_core::receipt::RunReceipt;
use enact_core::state::Space;
use serde_json::{Map, Value, json};

use crate::govern::world::{Told, World};
use crate::stories::{artifacts, everything, tell};
use crate::support::{digest, receipt};

const AT: &str = "2026-04-18T08:00:00.000000+00:00";
const ONE: &str = "Execution:EXQ-20260417-1";
const TWO: &str = "Execution:EXQ-20260417-2";
const WORKER: &str = "Actor:worker-one";

/// A ledger of the pack with what a worker needs.
#[derive(Clone)]
struct Pilot {
    world: World,
    runs: u64,
}

impl Pilot {
    /// After the story: item 1 of water and item 2 of a grant are queued, item 3 is void.
    fn new() -> Self {
        let (mut world, _) = tell("wst", &["base", "wst"]);
        world.at = "2026-04-18T08:00:00Z".into();
        Self { world, runs: 0 }
    }

    fn rules(&self) -> &Protocol {
        &self.world.rules
    }

    fn contract(&self) -> &Contract {
        self.rules().contract("QC_WST_TRANSFER_V0").unwrap()
    }

    fn row(&self, subject: &str) -> SubjectRow {
        SubjectRow::clone(&item(self.contract(), &self.world.state, subject).unwrap())
    }

    fn state(&self, subject: &str) -> String {
        self.row(subject).state.unwrap()
    }

    fn validate(&self, subject: &str) -> Validation {
        let item = Item { subject, actor: WORKER, at: AT };
        validate(self.rules(), self.contract(), &self.world.state, &Told, &item).unwrap()
    }

    fn draft(&self, actor: &str, subject: &str, step: Step<'_>, given: Value) -> Result<Record, &'static str> {
        let about = Item { subject, actor, at: AT };
        let given: Map<String, Value> = given.as_object().unwrap().clone();
        draft(self.rules(), self.contract(), &self.world.state, &about, step, &given).map_err(|error| error.code().unwrap())
    }

    /// A record signed by its actor.
    fn signed(&self, record: Record) -> Record {
        let actor = record.actor.clone();
        self.world.signed(record, &actor)
    }

    fn say(&mut self, records: Vec<Record>) -> Result<Vec<String>, &'static str> {
        let records = records.into_iter().map(|record| if record.is_run() { record } else { self.signed(record) }).collect();
        self.world.say(records).map_err(|error| error.code().unwrap())
    }

    /// Says something beside the contract.
    fn beside(&mut self, actor: &str, action: &str, subject: &str, payload: Value) -> Result<(), &'static str> {
        let record = self.world.record(actor, action, subject, payload);
        self.say(vec![record]).map(drop)
    }

    /// Drafts and says a step.
    fn step(&mut self, actor: &str, subject: &str, step: Step<'_>, given: Value) -> Result<(), &'static str> {
        let record = self.draft(actor, subject, step, given)?;
        self.say(vec![record]).map(drop)
    }

    /// A run of the workflow over the item, as its receipt and what is said of it.
    fn run(&mut self, subject: &str) -> (Record, RunFacts) {
        self.runs += 1;
        let about = Item { subject, actor: WORKER, at: AT };
        let input = payload(self.rules(), self.contract(), &self.world.state, &about, Hook::Execute).unwrap();
        let mut output = input.clone();
        output.insert("statement".into(), Value::Object(input));
        output.insert("fingerprint".into(), json!("UTS_0123456789abcdef"));
        let context = context_hash(&canonical::to_bytes(&output).unwrap());
        let (workflow, binding) = self.contract().workflow(Hook::Execute).unwrap();
        let receipt = RunReceipt {
            snapshot: *self.rules().snapshot(),
            workflow: workflow.into(),
            binding: binding.unwrap().into(),
            output: context,
            ..receipt(self.runs)
        };
        let record = receipt.record();
        let facts = RunFacts { id: receipt.run, receipt: record.hash().unwrap(), context, output };
        (record, facts)
    }

    /// The commit of an execution: the receipt and what follows from it.
    fn execute(&mut self, subject: &str) -> Result<(), &'static str> {
        let (receipt, facts) = self.run(subject);
        let record = self.draft(WORKER, subject, Step::Execute(&facts), json!({}))?;
        self.say(vec![receipt, record]).map(drop)
    }

    fn balance(&self, account: &str, asset: &str) -> i128 {
        self.world.balances().get(&(account.to_owned(), asset.to_owned())).copied().unwrap_or_default()
    }

    /// An accepted intent with these terms instead of those of the first, and its queue record, not yet said.
    fn accepted(&mut self, n: u32, terms: &Value) -> Record {
        let mut payload = json!({"project_id": "JWP", "unit_id": "JWP-U3", "from_member": "water-works", "to_member": "clinic",
            "seat_id": "water-1", "charter_no": "JWP-1", "value_class": "WATER_SHARE", "quantity": "10"});
        payload.as_object_mut().unwrap().extend(terms.as_object().unwrap().clone());
        let (intent, id) = (format!("Intent:INT-20260418-{n}"), format!("INT-20260418-{n}"));
        self.beside("Actor:desk", "intent.created", &intent, payload.clone()).unwrap();
        self.beside("Actor:ruth", "intent.accepted", &intent, json!({})).unwrap();
        payload["intent_id"] = json!(id);
        self.draft("Actor:joan", &format!("Execution:EXQ-20260418-{n}"), Step::Queue, payload).unwrap()
    }

    fn preview(&self, record: &Record) -> Validation {
        preview(self.rules(), self.contract(), &self.world.state, &Told, record, AT).unwrap()
    }
}

/// The word that says why.
fn reason(validation: &Validation) -> &str {
    validation.failure().map_or("passed", |Failure { reason, .. }| reason)
}

#[test]
fn w_01_w_31_w_52_the_pilot_goes_from_intent_to_confirmation_in_the_documented_order() {
    let mut pilot = Pilot::new();
    assert!(pilot.validate(ONE).passed());
    pilot.execute(ONE).unwrap();
    let kept = pilot.row(ONE).kept;
    assert_eq!(kept["transfer_id"], "XFR-EXQ-20260417-1");
    assert!(
        kept["uts_id"].as_str().unwrap().starts_with("UTS-RUN-") && kept["uts_cid"].as_str().unwrap().starts_with("sha256:"),
        "{kept:?}"
    );
    pilot.step(WORKER, ONE, Step::Settle(None), json!({})).unwrap();
    pilot
        .step("Actor:ruth", ONE, Step::Fulfill(None), json!({"proof": "digest", "evidence": format!("sha256:{}", "cd".repeat(32))}))
        .unwrap();
    let about = [ONE, "Intent:INT-20260417-1"];
    let records = pilot.world.entries.iter().flat_map(|entry| &entry.records).filter(|record| about.contains(&record.subject.as_str()));
    let events: Vec<&str> = records.map(|record| record.action.as_str()).collect();
    let documented =
        ["intent.created", "intent.accepted", "execution.queued", "transfer.executed", "settlement.recorded", "fulfillment.confirmed"];
    assert_eq!(events, documented);
    assert_eq!((pilot.balance("wallet:water-works", "WATER_SHARE"), pilot.balance("wallet:line-crew", "WATER_SHARE")), (3800, 1200));
    assert_eq!(pilot.balance("transit:EXQ-20260417-1", "WATER_SHARE"), 0);
    let facts = pilot.contract().facts(&pilot.row(ONE));
    assert!(facts.executed && facts.settled && facts.fulfilled && !facts.failed && !facts.void);
    // What was written is what anybody derives again.
    let of: &Rules<'_> = &|snapshot: &Digest| (snapshot == pilot.rules().snapshot()).then_some(pilot.rules());
    let (state, findings) = fold(of, &Told, &pilot.world.entries);
    assert_eq!(findings, []);
    assert!(state == pilot.world.state);
}

#[test]
fn w_02_w_03_w_04_a_user_interface_creates_candidates_and_a_page_of_the_city_nothing() {
    let mut pilot = Pilot::new();
    let (receipt, facts) = pilot.run(ONE);
    for actor in ["Actor:desk", "Actor:city-page"] {
        let mut said = 0;
        let before = pilot.world.state.clone();
        let record = pilot.draft(actor, ONE, Step::Execute(&facts), json!({})).unwrap();
        assert_eq!(pilot.say(vec![receipt.clone(), record]).unwrap_err(), "authority_role");
        for step in [Step::Settle(None), Step::Fulfill(None), Step::Fail, Step::Void] {
            let given = match step {
                Step::Fulfill(_) => json!({"proof": "manual"}),
                Step::Fail => json!({"class": "business", "reason": "none"}),
                Step::Void => json!({"reason": "none"}),
                Step::Queue | Step::Execute(_) | Step::Attest | Step::Settle(_) => json!({"transfer_id": "XFR-1"}),
            };
            assert_eq!(pilot.step(actor, ONE, step, given).unwrap_err(), "authority_role", "{step:?}");
            said += 1;
        }
        assert_eq!(said, 4);
        assert!(pilot.world.state == before);
    }
    assert_eq!(pilot.beside("Actor:city-page", "intent.accepted", "Intent:INT-20260417-2", json!({})).unwrap_err(), "authority_role");
    // All that rows give to a user interface.
    let granted: Vec<&String> = pilot
        .rules()
        .rows()
        .iter()
        .filter(|row| row.decl.roles.iter().any(|role| role == "ui"))
        .flat_map(|row| &row.decl.actions)
        .collect();
    assert_eq!(granted, ["intent.created"]);
    assert!(pilot.rules().rows().iter().all(|row| !row.decl.roles.iter().any(|role| role == "city")));
}

#[test]
fn w_08_w_16_an_item_keeps_the_terms_that_were_accepted_and_is_queued_once() {
    let mut pilot = Pilot::new();
    let kept = pilot.row(ONE).kept;
    let members: Vec<&String> = kept.keys().collect();
    let named = ["charter_no", "from_member", "intent_id", "project_id", "quantity", "seat_id", "to_member", "unit_id", "value_class"];
    assert_eq!(members, named);
    let queued = pilot.world.entries.iter().flat_map(|entry| &entry.records);
    assert_eq!(queued.filter(|record| record.action == "execution.queued" && record.subject == ONE).count(), 1);
    assert_eq!(pilot.beside("Actor:joan", "execution.queued", ONE, Value::Object(kept)).unwrap_err(), "lifecycle_exists");
}

#[test]
fn w_11_w_12_w_13_w_14_w_15_each_omission_of_a_creation_is_refused_separately() {
    let mut pilot = Pilot::new();
    let good = pilot.accepted(1, &json!({}));
    assert!(pilot.clone().say(vec![good.clone()]).is_ok());
    let code = |member: &str, value: Value| {
        let mut record = good.clone();
        if value.is_null() {
            record.payload.as_object_mut().unwrap().remove(member);
        } else {
            record.payload[member] = value;
        }
        pilot.clone().say(vec![record]).unwrap_err()
    };
    assert_eq!(code("intent_id", json!("INT-none")), "guard_state_in");
    assert_eq!(code("intent_id", json!("INT-20260417-3")), "guard_state_in", "withdrawn");
    for participant in ["from_member", "to_member"] {
        assert_eq!(code(participant, Value::Null), "payload_missing");
        assert_eq!(code(participant, json!("nobody")), "guard_exists");
    }
    for reference in ["project_id", "unit_id", "charter_no"] {
        assert_eq!(code(reference, Value::Null), "payload_missing");
        assert_eq!(code(reference, json!("none")), "guard_exists", "{reference}");
    }
    assert_eq!(code("value_class", json!("EUR")), "payload_type");
    assert_eq!(code("quantity", json!("-1")), "payload_type");
    for (member, other) in
        [("quantity", "11"), ("to_member", "line-crew"), ("value_class", "GRANT_USD"), ("unit_id", "JWP-U1"), ("seat_id", "none")]
    {
        assert_eq!(code(member, json!(other)), "guard_field_equals", "{member}");
    }
}

#[test]
fn w_17_w_18_w_19_w_20_w_21_each_reason_has_its_word_and_its_group() {
    let mut pilot = Pilot::new();
    let good = pilot.accepted(1, &json!({}));
    let groups = |validation: &Validation| -> Vec<String> {
        validation.groups.iter().filter(|(_, failure)| failure.is_some()).map(|(group, _)| group.clone()).collect()
    };
    assert_eq!(reason(&pilot.preview(&good)), "passed");
    // A candidate that is not queued yet: what it lacks.
    let candidate = |member: &str, value: Value, expected: &str, group: &str| {
        let mut record = good.clone();
        record.payload[member] = value;
        let validation = pilot.preview(&record);
        assert_eq!((reason(&validation), groups(&validation)), (expected, vec![group.to_owned()]), "{member}");
    };
    candidate("intent_id", json!("none"), "intent_unknown", "intent_ok");
    candidate("intent_id", json!("INT-20260417-3"), "intent_withdrawn", "intent_ok");
    candidate("from_member", json!("nobody"), "from_member_unknown", "authority_ok");
    candidate("seat_id", json!("none"), "seat_invalid", "authority_ok");
    candidate("charter_no", json!("none"), "missing_charter_binding", "authority_ok");
    candidate("project_id", json!("none"), "project_unknown", "project_ok");
    candidate("unit_id", json!("none"), "unit_unknown", "project_ok");
    candidate("quantity", json!("0"), "quantity_not_positive", "economic_ok");
    candidate("quantity", json!("-5"), "quantity_not_positive", "economic_ok");
    candidate("value_class", json!("EUR"), "value_class_unknown", "economic_ok");
    candidate("to_member", json!("nobody"), "to_member_unknown", "economic_ok");
    let mut nothing = good.clone();
    nothing.payload = json!({});
    assert_eq!(groups(&pilot.preview(&nothing)), ["intent_ok", "authority_ok", "project_ok", "economic_ok"], "all groups are evaluated");
    pilot
        .beside("Actor:desk", "intent.created", "Intent:INT-20260418-9", {
            let mut terms = good.payload.clone();
            terms.as_object_mut().unwrap().remove("intent_id");
            terms
        })
        .unwrap();
    let mut early = good.clone();
    early.payload["intent_id"] = json!("INT-20260418-9");
    assert_eq!(reason(&pilot.preview(&early)), "intent_not_accepted");
    // An item that is queued: what has changed since.
    pilot.say(vec![good]).unwrap();
    let subject = "Execution:EXQ-20260418-1";
    let changed = |actor: &str, action: &str, about: &str, expected: &str, group: &str| {
        let mut pilot = pilot.clone();
        pilot.beside(actor, action, about, json!({"reason": "a change"})).unwrap();
        let validation = pilot.validate(subject);
        assert_eq!((reason(&validation), groups(&validation)), (expected, vec![group.to_owned()]), "{about}");
    };
    changed("Actor:ruth", "intent.withdrawn", "Intent:INT-20260418-1", "intent_withdrawn", "intent_ok");
    changed("Actor:joan", "member.suspended", "Member:water-works", "from_member_inactive", "authority_ok");
    changed("Actor:joan", "member.departed", "Member:clinic", "to_member_inactive", "economic_ok");
    changed("Actor:joan", "seat.vacated", "Seat:water-1", "seat_invalid", "authority_ok");
    changed("Actor:joan", "project.closed", "Project:JWP", "project_closed", "project_ok");
    changed("Actor:joan", "unit.closed", "Unit:JWP-U3", "unit_closed", "project_ok");
    // Quantity 0 can be accepted and queued, and is never carried out.
    let nothing = pilot.accepted(2, &json!({"quantity": "0"}));
    pilot.say(vec![nothing]).unwrap();
    assert_eq!(reason(&pilot.validate("Execution:EXQ-20260418-2")), "quantity_not_positive");
}

#[test]
fn w_18_a_charter_that_is_only_proposed_binds_nothing_until_it_is_ratified() {
    let mut pilot = Pilot::new();
    let document = json!({"title": "Second charter", "document": digest("second").to_string()});
    let proposal =
        Record { version: Some(1), ..pilot.world.record("Actor:ruth", "charter.proposed", "WstCharter:JWP-2", document.clone()) };
    let hash = proposal.hash().unwrap();
    pilot.say(vec![proposal]).unwrap();
    pilot.beside("Actor:joan", "seat.seated", "Seat:water-2", json!({"member": "water-works", "charter_no": "JWP-2"})).unwrap();
    let queued = pilot.accepted(1, &json!({"charter_no": "JWP-2", "seat_id": "water-2"}));
    pilot.say(vec![queued]).unwrap();
    let validation = pilot.validate("Execution:EXQ-20260418-1");
    assert_eq!(reason(&validation), "missing_charter_binding");
    let expected = json!({"validated": false, "validation": {"intent_ok": true, "authority_ok": false, "project_ok": true, "economic_ok": true},
        "ready_for_execution": false, "failure_reason": "missing_charter_binding"});
    assert_eq!(serde_json::to_value(&validation).unwrap(), expected);
    let mut ratified = Record { version: Some(1), ..pilot.world.record("Actor:saul", "charter.ratified", "WstCharter:JWP-2", document) };
    ratified.refs.insert("proposal".into(), hash);
    pilot.say(vec![ratified]).unwrap();
    assert!(pilot.validate("Execution:EXQ-20260418-1").passed());
}

#[test]
fn w_22_w_23_the_answer_is_written_exactly_as_documented() {
    let mut pilot = Pilot::new();
    let page = include_str!("../../../../protocol/queue.md");
    let documented: Vec<&str> = page.lines().filter(|line| line.starts_with("{ \"validated\"")).collect();
    let spaced = |text: &str| text.replace(' ', "");
    let written = |validation: &Validation| serde_json::to_string(validation).unwrap();
    assert_eq!(written(&pilot.validate(ONE)), spaced(documented[0]));
    let mut unbound = pilot.accepted(1, &json!({}));
    unbound.payload["charter_no"] = json!("none");
    assert_eq!(written(&pilot.preview(&unbound)), spaced(documented[1]));
}

#[test]
fn w_32_internal_settlement_is_recorded_by_the_worker() {
    let mut pilot = Pilot::new();
    let item = Item { subject: ONE, actor: WORKER, at: AT };
    assert_eq!(settlement_mode(pilot.rules(), pilot.contract(), &pilot.world.state, &item), Ok(Mode::Internal));
    pilot.execute(ONE).unwrap();
    assert_eq!(pilot.balance("transit:EXQ-20260417-1", "WATER_SHARE"), 1200);
    // Nobody vouches for what is settled here.
    let evidence = json!({"evidence": digest("statement").to_string()});
    assert_eq!(pilot.step("Actor:first-bank", ONE, Step::Attest, evidence.clone()).unwrap_err(), "queue_settlement");
    assert_eq!(pilot.beside("Actor:first-bank", "settlement.attested", ONE, evidence).unwrap_err(), "guard_field_in");
    pilot.step(WORKER, ONE, Step::Settle(None), json!({})).unwrap();
    assert_eq!(pilot.state(ONE), "SETTLED");
    assert_eq!(pilot.step(WORKER, ONE, Step::Settle(None), json!({})).unwrap_err(), "lifecycle_edge");
}

#[test]
fn w_33_external_settlement_waits_for_evidence_by_somebody_who_is_neither_worker_nor_payer() {
    let mut pilot = Pilot::new();
    let item = Item { subject: TWO, actor: WORKER, at: AT };
    assert_eq!(settlement_mode(pilot.rules(), pilot.contract(), &pilot.world.state, &item), Ok(Mode::External));
    pilot.execute(TWO).unwrap();
    let before = pilot.world.state.clone();
    assert_eq!(pilot.step(WORKER, TWO, Step::Settle(None), json!({})).unwrap_err(), "guard_field_in", "not without evidence");
    let evidence = json!({"evidence": digest("statement").to_string()});
    assert_eq!(pilot.step(WORKER, TWO, Step::Attest, evidence.clone()).unwrap_err(), "authority_role");
    // Mina speaks for the payer, and is an attester of others.
    assert_eq!(pilot.step("Actor:mina", TWO, Step::Attest, evidence.clone()).unwrap_err(), "guard_actors_distinct");
    assert_eq!(pilot.step("Actor:first-bank", TWO, Step::Attest, json!({})).unwrap_err(), "payload_missing");
    assert_eq!(pilot.step("Actor:first-bank", TWO, Step::Attest, json!({"evidence": "a note"})).unwrap_err(), "payload_type");
    assert!(pilot.world.state == before, "unverified evidence changes nothing");
    // A worker who is an attester too is still the worker.
    let grant = pilot.world.record("Actor:ada", "ACTOR.GRANT", WORKER, json!({"role": "attester"}));
    pilot.say(vec![grant]).unwrap();
    assert_eq!(pilot.step(WORKER, TWO, Step::Attest, evidence.clone()).unwrap_err(), "authority_distinct");
    pilot.step("Actor:first-bank", TWO, Step::Attest, evidence).unwrap();
    let facts = pilot.contract().facts(&pilot.row(TWO));
    assert!(facts.executed && !facts.settled);
    pilot.step(WORKER, TWO, Step::Settle(None), json!({})).unwrap();
    assert!(pilot.contract().facts(&pilot.row(TWO)).settled);
    assert_eq!(pilot.balance("wallet:line-crew", "GRANT_USD"), 90000);
}

#[test]
fn w_34_w_35_each_proof_is_accepted_with_what_it_needs_and_no_other() {
    let mut pilot = Pilot::new();
    pilot.execute(ONE).unwrap();
    pilot.step(WORKER, ONE, Step::Settle(None), json!({})).unwrap();
    let code = |given: Value| pilot.clone().step("Actor:joan", ONE, Step::Fulfill(None), given).err().unwrap_or("allowed");
    for (given, expected) in [
        (json!({"proof": "manual"}), "allowed"),
        (json!({"proof": "digest", "evidence": digest("photo").to_string()}), "allowed"),
        (json!({"proof": "milestone", "milestone": "pump-running"}), "allowed"),
        (json!({"proof": "digest"}), "queue_proof"),
        (json!({"proof": "milestone"}), "queue_proof"),
        (json!({"proof": "rumour"}), "queue_proof"),
        (json!({}), "queue_proof"),
        (json!({"proof": "manual", "more": 1}), "payload_unknown"),
    ] {
        assert_eq!(code(given.clone()), expected, "{given}");
    }
    // Without the contract the matrix and the lifecycle say the same.
    assert_eq!(pilot.beside("Actor:joan", "fulfillment.confirmed", ONE, json!({"proof": "rumour"})).unwrap_err(), "payload_type");
    assert_eq!(pilot.step(WORKER, ONE, Step::Fulfill(None), json!({"proof": "manual"})).unwrap_err(), "authority_role");
}

#[test]
fn w_41_an_intent_is_transferred_once_even_under_a_new_queue_id() {
    let mut pilot = Pilot::new();
    let terms = Value::Object(pilot.row(ONE).kept);
    let again = "Execution:EXQ-20260418-7";
    let queued = pilot.draft("Actor:ruth", again, Step::Queue, terms.clone()).unwrap();
    pilot.say(vec![queued]).unwrap();
    let item = |subject| Item { subject, actor: WORKER, at: AT };
    let of = |pilot: &Pilot, subject| keys(pilot.rules(), pilot.contract(), &pilot.world.state, &item(subject)).unwrap();
    assert_eq!(of(&pilot, ONE), ["transfer:INT-20260417-1", "unit:JWP-U1"]);
    assert_eq!(of(&pilot, ONE), of(&pilot, again));
    pilot.execute(ONE).unwrap();
    assert_eq!(reason(&pilot.validate(again)), "intent_already_executed");
    let before = pilot.world.state.clone();
    assert_eq!(pilot.execute(again).unwrap_err(), "key_consumed");
    let third = pilot.draft("Actor:ruth", "Execution:EXQ-20260418-8", Step::Queue, terms).unwrap();
    assert_eq!(pilot.say(vec![third]).unwrap_err(), "guard_key_unconsumed");
    assert_eq!(
        pilot.beside("Actor:ruth", "intent.withdrawn", "Intent:INT-20260417-1", json!({"reason": "late"})).unwrap_err(),
        "guard_key_unconsumed"
    );
    assert!(pilot.world.state == before);
}

#[test]
fn w_42_an_item_is_executed_once() {
    let mut pilot = Pilot::new();
    pilot.execute(ONE).unwrap();
    let before = pilot.world.state.clone();
    assert_eq!(pilot.execute(ONE).unwrap_err(), "chain_kept", "another run has another statement");
    assert!(pilot.world.state == before);
    assert!(!pilot.validate(ONE).passed());
}

#[test]
fn w_43_a_unit_that_is_closed_or_used_up_takes_no_transfer() {
    let mut pilot = Pilot::new();
    let shared = pilot.accepted(1, &json!({"unit_id": "JWP-U1"}));
    pilot.say(vec![shared]).unwrap();
    let other = "Execution:EXQ-20260418-1";
    assert!(pilot.validate(other).passed());
    let mut closed = pilot.clone();
    closed.beside("Actor:joan", "unit.closed", "Unit:JWP-U1", json!({"reason": "flooded"})).unwrap();
    assert_eq!(reason(&closed.validate(other)), "unit_closed");
    assert_eq!(closed.execute(other).unwrap_err(), "guard_state_in");
    pilot.execute(ONE).unwrap();
    assert_eq!(reason(&pilot.validate(other)), "unit_closed");
    assert_eq!(pilot.execute(other).unwrap_err(), "key_consumed");
    assert_eq!(pilot.beside("Actor:joan", "unit.closed", "Unit:JWP-U1", json!({"reason": "late"})).unwrap_err(), "guard_key_unconsumed");
}

#[test]
fn w_44_w_48_nothing_is_settled_or_complete_that_was_not_executed() {
    let mut pilot = Pilot::new();
    let before = pilot.world.state.clone();
    assert_eq!(pilot.step(WORKER, ONE, Step::Settle(None), json!({"transfer_id": "XFR-1"})).unwrap_err(), "lifecycle_edge");
    let evidence = json!({"evidence": digest("x").to_string()});
    for (actor, step, given) in
        [("Actor:first-bank", Step::Attest, evidence), ("Actor:joan", Step::Fulfill(None), json!({"proof": "manual"}))]
    {
        assert_eq!(pilot.step(actor, TWO, step, given).unwrap_err(), "authority_distinct", "{step:?}: nobody has executed it");
    }
    assert!(pilot.world.state == before);
    let facts = pilot.contract().facts(&pilot.row(ONE));
    assert_eq!(facts, pilot.contract().state_facts("QUEUED"));
    // Executed is not complete either, and neither is what a user interface says.
    pilot.execute(ONE).unwrap();
    assert_eq!(pilot.step("Actor:joan", ONE, Step::Fulfill(None), json!({"proof": "manual"})).unwrap_err(), "lifecycle_edge");
    assert_eq!(pilot.step("Actor:desk", ONE, Step::Fulfill(None), json!({"proof": "manual"})).unwrap_err(), "authority_role");
}

#[test]
fn w_46_an_item_is_voided_before_its_execution_only_and_never_runs_then() {
    let mut pilot = Pilot::new();
    let void = json!({"reason": "not needed"});
    let mut executed = pilot.clone();
    executed.execute(ONE).unwrap();
    assert_eq!(executed.step("Actor:ruth", ONE, Step::Void, void.clone()).unwrap_err(), "lifecycle_edge");
    assert_eq!(executed.step(WORKER, ONE, Step::Fail, json!({"class": "business", "reason": "late"})).unwrap_err(), "lifecycle_edge");
    pilot.step("Actor:ruth", ONE, Step::Void, void.clone()).unwrap();
    assert!(pilot.contract().facts(&pilot.row(ONE)).void);
    assert_eq!(pilot.execute(ONE).unwrap_err(), "lifecycle_terminal");
    // A final failure ends it too.
    pilot.step(WORKER, TWO, Step::Fail, json!({"class": "business", "reason": "insufficient_funds"})).unwrap();
    assert!(pilot.contract().facts(&pilot.row(TWO)).failed);
    assert_eq!(pilot.execute(TWO).unwrap_err(), "lifecycle_terminal");
    assert_eq!(pilot.step("Actor:ruth", TWO, Step::Void, void).unwrap_err(), "lifecycle_terminal");
}

#[test]
fn w_36_an_execution_that_the_judge_refuses_leaves_nothing() {
    let mut pilot = Pilot::new();
    let poor = pilot.accepted(1, &json!({"quantity": "999999"}));
    pilot.say(vec![poor]).unwrap();
    let (state, head) = (pilot.world.state.clone(), pilot.world.head.clone());
    assert!(pilot.validate("Execution:EXQ-20260418-1").passed());
    assert_eq!(pilot.execute("Execution:EXQ-20260418-1").unwrap_err(), "posting_floor");
    assert!(pilot.world.state == state && pilot.world.head == head);
    assert!(pilot.world.row(Space::Consumed, "transfer:INT-20260418-1").is_none());
}

#[test]
fn w_45_the_contract_fills_what_it_fills_and_holds_among_all_packs() {
    let mut pilot = Pilot::new();
    let (_, facts) = pilot.run(ONE);
    let named = json!({"transfer_id": "XFR-mine"});
    assert_eq!(pilot.draft(WORKER, ONE, Step::Execute(&facts), named).unwrap_err(), "payload_unknown");
    let record = pilot.draft(WORKER, ONE, Step::Execute(&facts), json!({})).unwrap();
    assert_eq!((record.refs["run"], record.refs["prev"]), (facts.receipt, pilot.row(ONE).last));
    assert_eq!(record.payload["receipt"], facts.receipt.to_string());
    assert_eq!(record.payload["uts_cid"], facts.context.to_string());
    assert_eq!(record.postings.unwrap().len(), 2);
    let all = everything();
    assert_eq!(all.contracts().map(Contract::code).collect::<Vec<_>>(), ["QC_WST_TRANSFER_V0"]);
}

#[test]
fn w_32_w_33_the_modes_of_settlement_are_exhaustive_and_evidence_is_somebody_elses() {
    let problems = |code: &str, edit: &dyn Fn(&mut Value)| -> Vec<&'static str> {
        let mut all = artifacts(&["base", "wst"]);
        edit(&mut all.iter_mut().find(|(name, _)| name == code).unwrap().1);
        let compiled = Protocol::compile(digest("wst"), all.iter().map(|(code, value)| (code.as_str(), value)));
        compiled.err().unwrap_or_default().iter().map(|problem| problem.code).collect()
    };
    let contract = "QC_WST_TRANSFER_V0";
    assert!(problems(contract, &|_| ()).is_empty());
    assert_eq!(
        problems(contract, &|qc| drop(qc["settlement"]["modes"].as_object_mut().unwrap().remove("GRANT_USD"))),
        ["settlement_modes"; 2]
    );
    assert_eq!(problems(contract, &|qc| qc["settlement"]["modes"]["EUR"] = json!("none")), ["settlement_modes"]);
    assert_eq!(problems(contract, &|qc| qc["settlement"]["by"] = json!("$.kept.quantity")), ["settlement_modes"]);
    let unguarded = |lc: &mut Value| drop(lc["actions"]["settlement.attested"]["guards"].as_array_mut().unwrap().remove(1));
    assert!(problems("LC_WST_EXECUTION_V0", &unguarded).is_empty(), "the row says it as well");
    let mut all = artifacts(&["base", "wst"]);
    for (code, value) in &mut all {
        match code.as_str() {
            "LC_WST_EXECUTION_V0" => unguarded(value),
            "AM_WST_V0" => {
                let rows = value["rows"].as_array_mut().unwrap();
                let row = rows.iter_mut().find(|row| row["row"] == "attester").unwrap();
                row.as_object_mut().unwrap().remove("distinct_from");
            }
            _ => {}
        }
    }
    let compiled = Protocol::compile(digest("wst"), all.iter().map(|(code, value)| (code.as_str(), value)));
    assert_eq!(compiled.unwrap_err()[0].code, "attester_worker");
}

//! Contracts of the queue: what of them does not compile, and what they say of items. The shipped one is told in `wst`.

use enact_core::govern::contract::{Fact, Hook, Item, Mode, Step, draft, keys, payload, settlement_mode, validate};
use enact_core::govern::{Contract, Protocol};
use serde_json::{Map, Value, json};

use super::world::{Told, World, artifacts, compile};

/// The problems of the sample when one member of one artifact is another.
fn problems(code: &str, edits: &[(&str, Value)]) -> Vec<String> {
    let mut all = artifacts();
    let artifact = &mut all.iter_mut().find(|(name, _)| name == code).unwrap().1;
    for (pointer, value) in edits {
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        let parent = artifact.pointer_mut(parent).unwrap();
        if value.is_null() {
            parent.as_object_mut().unwrap().remove(member).unwrap();
        } else if parent.is_array() {
            parent[member.parse::<usize>().unwrap()] = value.clone();
        } else {
            parent.as_object_mut().unwrap().insert(member.to_owned(), value.clone());
        }
    }
    let listed = |problem: &enact_core::govern::Problem| format!("{} {} {}", problem.code, problem.artifact, problem.at);
    compile(&all).err().unwrap_or_default().iter().map(listed).collect()
}

/// The problems when one member of the contract is another.
fn of(pointer: &str, value: Value) -> Vec<String> {
    problems("QC_JOB_V0", &[(pointer, value)])
}

/// All of these are found when one member of the contract is another.
fn check(pointer: &str, value: Value, expected: &[&str]) {
    let found = of(pointer, value.clone());
    assert!(expected.iter().all(|one| found.iter().any(|found| found == one)), "{pointer} {value}: {found:#?}");
}

/// Validation by one check.
fn guard(guard: Value) -> Value {
    json!([{"group": "a", "checks": [guard]}])
}

#[test]
fn w_45_a_contract_that_does_not_fit_its_lifecycle_does_not_compile() {
    assert_eq!(of("/summary", json!("Other words.")), Vec::<String>::new());
    check("/extra", json!(1), &["bad_shape QC_JOB_V0 "]);
    check("/record", json!("NONE"), &["unknown_record QC_JOB_V0 record"]);
    check("/record", json!("PROBE"), &["member_of_kind QC_JOB_V0 record"]);
    check("/prefix", json!("A:B"), &["bad_word QC_JOB_V0 prefix"]);
    check("/actions/void", json!("ORDER.OPEN"), &["unknown_action QC_JOB_V0 actions.void"]);
    check(
        "/actions/void",
        json!("JOB.FAIL"),
        &["duplicate_action QC_JOB_V0 actions.void", "action_role QC_JOB_V0 actions.void", "fact_forged QC_JOB_V0 actions"],
    );
    check("/actions/queue", json!("JOB.EXECUTE"), &["action_role QC_JOB_V0 actions.queue"]);
    check("/actions/settle", json!("JOB.EXECUTE"), &["settlement_modes QC_JOB_V0 actions.settle", "action_role QC_JOB_V0 actions.settle"]);
    check(
        "/actions/attest",
        json!("JOB.EXECUTE"),
        &["settlement_modes QC_JOB_V0 actions.attest", "bad_proof QC_JOB_V0 actions.attest", "attester_worker QC_JOB_V0 actions.attest"],
    );
    check("/actions/fulfill", json!("JOB.VOID"), &["bad_proof QC_JOB_V0 fulfillment", "action_role QC_JOB_V0 actions.fulfill"]);
    check("/facts/done", Value::Null, &["unlisted_state QC_JOB_V0 facts.done", "action_role QC_JOB_V0 actions.execute"]);
    check("/facts/other", json!([]), &["unknown_state QC_JOB_V0 facts.other"]);
    check("/facts/done", json!(["executed", "settled"]), &["action_role QC_JOB_V0 actions.execute"]);
    check("/facts/queued", json!(["executed"]), &["action_role QC_JOB_V0 actions.queue", "action_role QC_JOB_V0 actions.execute"]);
    check("/facts/done", json!(["done"]), &["bad_shape QC_JOB_V0 "]);
}

#[test]
fn w_22_w_45_checks_that_do_not_fit_do_not_compile() {
    check("/validation", json!([]), &["no_check QC_JOB_V0 validation"]);
    check("/validation/0/checks", json!([]), &["no_check QC_JOB_V0 validation.0"]);
    let group = json!([{"group": "a", "checks": [{"guard": "exists", "subject": "Job:1", "reason": "r"}]}, {"group": "a", "checks": [{"guard": "exists", "subject": "Job:1", "reason": "not a word"}]}]);
    check("/validation", group, &["duplicate_group QC_JOB_V0 validation.1", "bad_word QC_JOB_V0 validation.1.checks.0.reason"]);
    check("/validation", guard(json!({"guard": "exists", "subject": "Job:1"})), &["bad_shape QC_JOB_V0 "]);
    check("/validation", guard(json!({"guard": "exists", "subject": "Job:1", "reason": "r", "extra": 1})), &["bad_shape QC_JOB_V0 "]);
    check("/validation", guard(json!({"capability": "CT_A_V0", "module": "m", "reason": "r", "extra": 1})), &["bad_shape QC_JOB_V0 "]);
    check(
        "/validation",
        guard(json!({"capability": "CS_A_V0", "module": "m", "reason": "r"})),
        &["bad_invariant QC_JOB_V0 validation.0.checks.0"],
    );
    for foreign in ["$.kept.none", "$.payload.n"] {
        check(
            "/validation",
            guard(json!({"guard": "field_positive", "field": foreign, "reason": "r"})),
            &["unknown_field QC_JOB_V0 validation.0.checks.0"],
        );
    }
    for run in ["$.run.id", "$.run.receipt", "$.run.context", "$.output.x"] {
        check(
            "/validation",
            guard(json!({"guard": "field_positive", "field": run, "reason": "r"})),
            &["bad_expression QC_JOB_V0 validation.0.checks.0"],
        );
        check("/payload/n", json!(run), &["bad_expression QC_JOB_V0 payload.n"]);
        assert_eq!(of("/execute/run", json!(run)), Vec::<String>::new());
    }
    check(
        "/validation",
        guard(json!({"guard": "field_in", "field": "$.kept.n", "values": [], "reason": "r"})),
        &["bad_guard QC_JOB_V0 validation.0.checks.0"],
    );
    check("/payload/n", json!("$.at"), &["bad_expression QC_JOB_V0 payload.n"]);
    check("/payload/n", json!("$.run.other"), &["bad_expression QC_JOB_V0 payload.n"]);
    check("/execute/more", json!(1), &["unknown_field QC_JOB_V0 execute.more"]);
    check("/execute", json!({}), &["missing_field QC_JOB_V0 execute.run"]);
}

#[test]
fn w_26_w_32_w_34_what_a_contract_runs_settles_and_trusts_is_there() {
    check("/workflow", json!("CC_A_V0"), &["bad_workflow QC_JOB_V0 workflow"]);
    check("/binding", json!("WF_A_V0"), &["bad_workflow QC_JOB_V0 binding"]);
    check("/settlement", json!({"mode": "none", "payload": {"a": 1}}), &["bad_workflow QC_JOB_V0 settlement.workflow"]);
    check("/settlement", json!({}), &["settlement_modes QC_JOB_V0 settlement"]);
    check("/settlement", json!({"mode": "internal"}), &["settlement_modes QC_JOB_V0 actions.settle"]);
    check(
        "/settlement",
        json!({"mode": "external"}),
        &["settlement_modes QC_JOB_V0 actions.settle", "settlement_modes QC_JOB_V0 actions.attest"],
    );
    check("/settlement", json!({"mode": "none", "fields": {"a": 1}}), &["unknown_field QC_JOB_V0 settlement.fields"]);
    check("/settlement", json!({"by": "$.kept.n", "modes": {"1": "none"}}), &["settlement_modes QC_JOB_V0 settlement.by"]);
    check("/settlement", json!({"by": "$.id", "modes": {"1": "none"}}), &["settlement_modes QC_JOB_V0 settlement.by"]);
    check("/fulfillment", json!({"proofs": ["manual"]}), &["bad_proof QC_JOB_V0 fulfillment"]);
    check("/trigger/roles", json!([]), &["unknown_role QC_JOB_V0 trigger.roles"]);
    check("/trigger/roles", json!(["engine", "pilot"]), &["unknown_role QC_JOB_V0 trigger.roles"]);
}

#[test]
fn w_41_w_48_a_lifecycle_that_does_not_fit_its_contract_does_not_compile() {
    // All of them are reported, and what the lifecycle says is held against the contract too.
    assert!(problems("QC_JOB_V0", &[("/prefix", json!("")), ("/workflow", json!("x")), ("/trigger/roles", json!([]))]).len() >= 3);
    let job = |edits: &[(&str, Value)]| problems("LC_JOB_V0", edits);
    assert_eq!(job(&[("/actions/JOB.EXECUTE/consumes", json!([]))]), ["no_key QC_JOB_V0 actions.execute"]);
    assert_eq!(job(&[("/actions/JOB.EXECUTE/consumes", json!(["run:{payload.run}"]))]), ["bad_key QC_JOB_V0 actions.execute"]);
    assert_eq!(job(&[("/states/void", json!({}))]), ["action_role QC_JOB_V0 actions.void"]);
    let forged = json!({"summary": "Slips by.", "from": ["queued"], "to": "done"});
    assert_eq!(job(&[("/actions/JOB.SLIP", forged)]), ["fact_forged QC_JOB_V0 actions"]);
    let forged = json!({"summary": "Slips in.", "from": [], "to": "queued"});
    assert_eq!(job(&[("/actions/JOB.SLIP", forged)]), ["fact_forged QC_JOB_V0 actions"]);
    // Outside of contracts nothing speaks of a run.
    assert_eq!(job(&[("/actions/JOB.FAIL/consumes", json!(["{run.id}"]))]), ["bad_expression LC_JOB_V0 actions.JOB.FAIL.consumes"]);
    // One lifecycle, one contract.
    let mut twice = artifacts();
    let mut other = twice.iter().find(|(code, _)| code == "QC_JOB_V0").unwrap().clone();
    other.0 = "QC_JOB_V1".into();
    other.1["code"] = json!("QC_JOB_V1");
    twice.push(other);
    assert!(compile(&twice).unwrap_err().iter().any(|problem| problem.code == "duplicate_contract"));
}

fn contract(rules: &Protocol) -> &Contract {
    rules.contract("QC_JOB_V0").unwrap()
}

#[test]
fn w_24_an_item_that_is_not_there_has_no_answers() {
    let world = World::new();
    let contract = contract(&world.rules);
    assert_eq!(world.rules.contracts().count(), 1);
    assert_eq!(contract.state_facts("nowhere"), contract.state_facts("queued"));
    assert_eq!(contract.decl.facts["done"], [Fact::Executed]);
    assert_eq!(contract.workflow(Hook::Execute), Some(("WF_SAMPLE_V0", None)));
    assert_eq!((contract.workflow(Hook::Settle), contract.workflow(Hook::Fulfill)), (None, None));
    assert!(contract.triggers(["nurse", "clerk"]) && !contract.triggers(["nurse"]));
    for subject in ["Job:9", "Order:1", "Actor:ann"] {
        let item = Item { subject, actor: "Actor:ann", at: &world.at };
        let code = Some("queue_unknown");
        let (rules, view) = (&world.rules, &world.state);
        assert_eq!(validate(rules, contract, view, &Told, &item).unwrap_err().code(), code);
        assert_eq!(keys(rules, contract, view, &item).unwrap_err().code(), code);
        assert_eq!(payload(rules, contract, view, &item, Hook::Execute).unwrap_err().code(), code);
        assert_eq!(draft(rules, contract, view, &item, Step::Void, &Map::new()).unwrap_err().code(), code);
        assert_eq!(settlement_mode(rules, contract, view, &item), Ok(Mode::None), "of all items");
    }
}

#[test]
fn w_32_what_a_contract_has_no_action_for_is_refused() {
    let mut world = World::new();
    world.say(vec![world.ann("JOB.QUEUE", "Job:1", json!({"n": 1}))]).unwrap();
    let item = Item { subject: "Job:1", actor: "Actor:ann", at: "2026-04-17T10:00:00.000000+00:00" };
    let (rules, contract) = (&world.rules, contract(&world.rules));
    let code = |step: Step<'_>| draft(rules, contract, &world.state, &item, step, &Map::new()).map_err(|error| error.code().unwrap()).err();
    assert_eq!(code(Step::Attest), Some("queue_settlement"));
    assert_eq!(code(Step::Settle(None)), Some("queue_settlement"));
    assert_eq!(code(Step::Fulfill(None)), Some("queue_proof"));
    assert_eq!(code(Step::Fail), None);
    assert_eq!(payload(rules, contract, &world.state, &item, Hook::Execute).unwrap(), *json!({"n": 1}).as_object().unwrap());
    assert_eq!(keys(rules, contract, &world.state, &item).unwrap(), ["job:1"]);
}

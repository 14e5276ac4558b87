//! What a comparison of protocols says of a queue contract that changed.

use enact_core::govern::{Change, Difference, Protocol};
use serde_json::{Value, json};

use crate::stories::artifacts;
use crate::support::digest;

#[test]
#[allow(clippy::too_many_lines, reason = "one contract, changed member by member")]
fn b_35_w_45_what_changes_in_a_contract_is_listed_member_by_member() {
    let packs = artifacts(&["base", "wst"]);
    let compiled = |edit: &dyn Fn(&mut Value)| {
        let mut packs = packs.clone();
        packs.iter_mut().find(|(code, _)| code == "QC_WST_TRANSFER_V0").map(|(_, contract)| edit(contract)).unwrap();
        Protocol::compile(digest("packs"), packs.iter().map(|(code, value)| (code.as_str(), value))).unwrap()
    };
    let old = compiled(&|_| {});
    let without = packs.iter().filter(|(code, _)| code != "QC_WST_TRANSFER_V0").map(|(code, value)| (code.as_str(), value));
    let without = Protocol::compile(digest("packs"), without).unwrap();
    let found = |next: &Protocol| -> Vec<String> {
        let shown = |found: Difference| format!("{:?} {} {}: {}", found.change, found.what, found.name, found.detail);
        old.diff(next).into_iter().map(shown).collect()
    };
    assert_eq!(found(&compiled(&|contract| contract["summary"] = json!("Said otherwise."))), Vec::<String>::new());
    assert_eq!(found(&without), ["Removed contract QC_WST_TRANSFER_V0: "]);
    assert_eq!(without.diff(&old).iter().map(|found| (found.what, found.change)).collect::<Vec<_>>(), [("contract", Change::Added)]);
    let check = |edit: &dyn Fn(&mut Value), expected: &[(&str, &[&str])]| {
        let found = found(&compiled(edit));
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, (begins, holds)) in found.iter().zip(expected) {
            assert!(found.starts_with(begins) && holds.iter().all(|part| found.contains(part)), "{begins}: {found}");
        }
    };
    let roles = r#"was {"roles":["admin","trustee"]}, is {"roles":["admin"]}"#;
    check(&|c| c["trigger"]["roles"] = json!(["admin"]), &[("Changed contract QC_WST_TRANSFER_V0 trigger: ", &[roles])]);
    check(
        &|c| c["workflow"] = json!("WF_OTHER_V0"),
        &[("Changed contract QC_WST_TRANSFER_V0 workflow: ", &["WF_WST_TRANSFER_V0", "WF_OTHER_V0"])],
    );
    check(&|c| drop(c.as_object_mut().unwrap().remove("binding")), &[("Removed contract QC_WST_TRANSFER_V0 binding: ", &[])]);
    check(
        &|c| c["settlement"]["modes"]["LABOR_HOUR"] = json!("external"),
        &[("Changed contract QC_WST_TRANSFER_V0 settlement: ", &[r#""LABOR_HOUR":"internal""#, r#""LABOR_HOUR":"external""#])],
    );
    // Fewer proofs are fewer in the record too, or the two would not fit.
    let mut fewer = packs.clone();
    for (code, artifact) in &mut fewer {
        let proofs = json!(["manual", "digest"]);
        match code.as_str() {
            "QC_WST_TRANSFER_V0" => artifact["fulfillment"]["proofs"] = proofs,
            "LC_WST_EXECUTION_V0" => artifact["actions"]["fulfillment.confirmed"]["fields"]["proof"]["one_of"] = proofs,
            _ => {}
        }
    }
    let fewer = found(&Protocol::compile(digest("packs"), fewer.iter().map(|(code, value)| (code.as_str(), value))).unwrap());
    assert!(fewer[0].starts_with("Changed action fulfillment.confirmed: ") && fewer.len() == 2, "{fewer:?}");
    let was = r#"Changed contract QC_WST_TRANSFER_V0 fulfillment: was {"proofs":["manual","digest","milestone"]}, is {"proofs":["manual","digest"]}"#;
    assert_eq!(fewer[1], was);
    // Two actions change what they do to an item, and their states with them.
    check(
        &|c| {
            let (fail, void) = (c["actions"]["fail"].take(), c["actions"]["void"].take());
            (c["actions"]["fail"], c["actions"]["void"]) = (void, fail);
            (c["facts"]["FAILED"], c["facts"]["VOID"]) = (json!(["void"]), json!(["failed"]));
        },
        &[
            ("Changed contract QC_WST_TRANSFER_V0 actions: ", &[r#""fail":"execution.failed""#, r#""fail":"execution.voided""#]),
            ("Changed contract QC_WST_TRANSFER_V0 facts: ", &[r#""FAILED":["void"]"#]),
        ],
    );
    check(
        &|c| c["validation"][3]["checks"][0]["reason"] = json!("too_little"),
        &[("Changed contract QC_WST_TRANSFER_V0 validation.economic_ok: ", &["quantity_not_positive", "too_little"])],
    );
    check(
        &|c| drop(c["validation"].as_array_mut().unwrap().remove(2)),
        &[
            ("Changed contract QC_WST_TRANSFER_V0 validation: ", &["is intent_ok, authority_ok, economic_ok"]),
            ("Removed contract QC_WST_TRANSFER_V0 validation.project_ok: ", &[]),
        ],
    );
    check(
        &|c| c["validation"].as_array_mut().unwrap().swap(0, 1),
        &[("Changed contract QC_WST_TRANSFER_V0 validation: ", &["is authority_ok, intent_ok, project_ok, economic_ok"])],
    );
}

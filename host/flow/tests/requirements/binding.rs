//! Binding: before the first node, from a closed set, complete (P-06 to P-10).

use crate::support::{AT, CC, WF, good, letter, map, run, set};
use enact_flow::bind::TargetKind;
use enact_flow::traverse::{Ask, Traversal};
use serde_json::{Value, json};
use std::sync::Arc;

#[test]
fn p_06_a_missing_binding_halts_before_anything_starts() {
    let set = set().without("RB_DEVELOPMENT_V0", "/bindings/CS_SHELF_V0");
    let report = set.bind(None, &[]).unwrap_err();
    assert_eq!((report.code(), report.phase), ("unbound_capability", "binding_resolution"));
    assert_eq!(report.artifact, "CS_SHELF_V0");
    assert_eq!(report.available, ["RB_PRODUCTION_V0 (production)"]);
}

#[test]
fn p_06_every_step_has_a_target_before_the_first_node() {
    let plan = set().plan();
    let targets: Vec<_> = plan.targets().iter().map(|t| (t.capability.as_str(), t.kind, t.module.as_str(), t.store.as_str())).collect();
    let (stamp, place) =
        (("CT_PURE_STAMP_V0", TargetKind::Transform, "stamps", ""), ("CS_SHELF_V0", TargetKind::SideEffect, "shelf", "desk"));
    assert_eq!(targets, [stamp, place, stamp, place]);
    assert_eq!(plan.targets()[1].grants, ["table"]);
    assert_eq!(plan.targets()[1].statuses, ["ALREADY_EXISTS", "BACKEND_ERROR", "SUCCESS"]);
    assert!(plan.targets()[0].module_digest.starts_with("blake3:111"));
}

#[test]
fn p_07_another_environment_changes_stores_and_limits_but_not_the_graph() {
    let development = set().plan();
    let production = set().bind(Some("production"), &[("room", "cellar")]).unwrap();
    assert_eq!(production.binding_code(), "RB_PRODUCTION_V0");
    assert_eq!(development.dag().dag_id(), production.dag().dag_id());
    assert_eq!(development.dag().behaviour_hash(), production.dag().behaviour_hash());
    assert_ne!(development.digest(), production.digest());
    assert_eq!(production.targets()[1].store, "cellar/letters");
    assert_eq!((production.targets()[1].limits.fuel, development.targets()[1].limits.fuel == 7), (7, false));
}

#[test]
fn p_08_a_binding_that_changes_during_a_run_changes_nothing_in_it() {
    let plan = set().plan();
    let (mut traversal, ask) = Traversal::start(Arc::clone(&plan), map(letter()), AT);
    assert!(matches!(ask, Ask::ValidateIntent { .. }));
    let changed = set().with("RB_DEVELOPMENT_V0", "/bindings/CS_SHELF_V0/stores/*", json!("elsewhere")).plan();
    assert_ne!(plan.digest(), changed.digest());
    let Ask::Dispatch(stamp) = traversal.resume(enact_flow::traverse::Answer::Intent { valid: true }) else { panic!("no call") };
    let Ask::Dispatch(place) = traversal.resume(good(&stamp)) else { panic!("no call") };
    assert_eq!(place.store.as_ref(), "desk");
}

#[test]
fn p_09_an_unregistered_host_class_gives_the_whole_report() {
    let set = set().with("RB_DEVELOPMENT_V0", "/bindings/CS_SHELF_V0/host", json!("MongoRuntime"));
    let report = serde_json::to_value(set.bind(None, &[]).unwrap_err()).unwrap();
    let expected = json!({
        "code": "unknown_host_class", "phase": "binding_resolution", "artifact": "CS_SHELF_V0", "binding": "RB_DEVELOPMENT_V0",
        "check": "the host class is registered", "detail": "host class `MongoRuntime` is not registered",
        "available": ["component", "refused"],
        "resolution": "set `bindings.CS_SHELF_V0.host` to one of the registered classes",
    });
    assert_eq!(report, expected);
}

#[test]
fn p_09_an_entry_that_the_workflow_does_not_use_is_checked_all_the_same() {
    let spare = json!({ "code": "CT_PURE_SPARE_V0", "summary": "", "operation": "SPARE", "statuses": ["SUCCESS"] });
    let set = set().add(spare).with("RB_DEVELOPMENT_V0", "/bindings/CT_PURE_SPARE_V0", json!({ "host": "odd", "module": "stamps" }));
    assert_eq!(set.bind(None, &[]).unwrap_err().code(), "unknown_host_class");
}

#[test]
fn p_09_modules_stores_and_bindings_must_be_there() {
    let code = |set: &crate::support::Set, binding| set.bind(binding, &[]).unwrap_err().code();
    assert_eq!(code(&set().without("RB_DEVELOPMENT_V0", "/bindings/CS_SHELF_V0/module"), None), "missing_module");
    assert_eq!(code(&set().with("RB_DEVELOPMENT_V0", "/bindings/CS_SHELF_V0/module", json!("none")), None), "unknown_module");
    assert_eq!(code(&set().without("RB_DEVELOPMENT_V0", "/bindings/CS_SHELF_V0/stores"), None), "unknown_store");
    let unstored = set().without(CC, "/pipeline/1/store").without("RB_DEVELOPMENT_V0", "/bindings/CS_SHELF_V0/stores");
    assert_eq!(code(&unstored, None), "unbound_store");
    assert_eq!(code(&set(), Some("nowhere")), "unknown_binding");
    let twice = set().0["RB_DEVELOPMENT_V0"].clone();
    let twice = set().add(twice).with("RB_DEVELOPMENT_V0", "/environment", json!("production"));
    assert_eq!(code(&twice, Some("production")), "ambiguous_binding");
    let refused = set().with("RB_DEVELOPMENT_V0", "/bindings/CS_SHELF_V0", json!({ "host": "refused", "stores": { "*": "x" } }));
    assert_eq!(refused.bind(None, &[]).unwrap().targets()[1].host, "refused");
}

#[test]
fn b_32_rows_of_what_is_reached_outside_are_exact_and_part_of_the_plan() {
    let shelf = "/bindings/CS_SHELF_V0";
    let peer = json!({"scheme": "https", "host": "api.example.org", "port": 443, "methods": ["POST"], "path_prefix": "/v1/"});
    let folder = json!({"name": "inbox", "path": "{{data_root}}/inbox", "mode": "read"});
    let granted = || {
        let set = set().with("CS_SHELF_V0", "/imports", json!(["table", "http", "files"]));
        set.with("RB_DEVELOPMENT_V0", &format!("{shelf}/grants"), json!(["table", "http", "files"]))
    };
    let with = |http: Value, files: Value| {
        granted().with("RB_DEVELOPMENT_V0", &format!("{shelf}/http"), http).with("RB_DEVELOPMENT_V0", &format!("{shelf}/files"), files)
    };
    let mut open = peer.clone();
    open["host"] = json!("*");
    with(json!([open]), json!([folder])).refused("bad_grant", "host name");
    with(json!([peer]), json!([folder, folder])).refused("bad_grant", "inbox");
    with(json!(vec![peer.clone(); 65]), json!([folder])).refused("bad_grant", "65 rows of 64");
    let many: Vec<Value> = (0..65).map(|nth| json!({"name": format!("f{nth}"), "path": "x", "mode": "read"})).collect();
    with(json!([peer]), json!(many)).refused("bad_grant", "65 rows of 64");
    with(json!(vec![peer.clone(); 64]), json!(many[..64])).bind(None, &[]).unwrap();
    set().with("RB_DEVELOPMENT_V0", &format!("{shelf}/http"), json!([peer])).refused("grant_not_needed", "http");
    let plain = set().bind(None, &[]).unwrap();
    assert!(!json!(plain.targets()[1]).to_string().contains(r#""http""#), "a plan without rows has another shape now");
    let other = with(json!([peer]), json!([])).bind(None, &[]).unwrap();
    assert_eq!(other.targets()[1].http.len(), 1);
    assert_ne!(other.digest(), granted().bind(None, &[]).unwrap().digest());
}

#[test]
fn b_32_what_may_be_asked_for_later_is_there_and_the_hosts_own_stores_are_nobodys() {
    let shelf = "/bindings/CS_SHELF_V0";
    let with = |rows: Value| {
        let set = set().with("CS_SHELF_V0", "/imports", json!(["table", "workflow"]));
        let set = set.with("RB_DEVELOPMENT_V0", &format!("{shelf}/grants"), json!(["table", "workflow"]));
        set.with("RB_DEVELOPMENT_V0", &format!("{shelf}/workflow"), rows)
    };
    with(json!([{"workflow": "WF_NOWHERE_V0"}])).refused("missing_artifact", "WF_NOWHERE_V0");
    with(json!([{"workflow": WF, "binding": "RB_NOWHERE_V0"}])).refused("missing_artifact", "RB_NOWHERE_V0");
    with(json!([{"workflow": WF, "binding": WF}])).refused("missing_artifact", WF);
    with(json!([{"workflow": WF}, {"workflow": WF, "binding": "RB_PRODUCTION_V0"}])).refused("bad_grant", WF);
    set().with("RB_DEVELOPMENT_V0", &format!("{shelf}/workflow"), json!([{"workflow": WF}])).refused("grant_not_needed", "workflow");
    assert!(with(json!([])).warnings().contains(&"grant_reaches_nothing"));
    assert_eq!(with(json!([{"workflow": WF}])).bind(None, &[]).unwrap().targets()[1].workflow[0].workflow, WF);
    let reserved = set().with("RB_DEVELOPMENT_V0", &format!("{shelf}/stores/*"), json!("enact:workflow"));
    reserved.refused("reserved_store", "enact:workflow");
    // Nor by way of a parameter.
    assert_eq!(set().bind(Some("RB_PRODUCTION_V0"), &[("room", "enact:workflow")]).unwrap_err().code(), "reserved_store");
}

#[test]
fn b_32_people_are_named_by_plain_addresses_or_their_domain() {
    let shelf = "/bindings/CS_SHELF_V0";
    let with = |to: Value, from: &str| {
        let set = set().with("CS_SHELF_V0", "/imports", json!(["table", "outbox"]));
        let set = set.with("RB_DEVELOPMENT_V0", &format!("{shelf}/grants"), json!(["table", "outbox"]));
        set.with("RB_DEVELOPMENT_V0", &format!("{shelf}/outbox"), json!([{"to": to, "from": from}]))
    };
    let plain = "host@enact.example";
    for to in [
        "*",
        "*@",
        "*@*",
        "**@b.example",
        "a@",
        "@b.example",
        "A@b.example",
        "a b@c.example",
        "a@b..example",
        "a@b.example\r\nx",
        "<a@b>",
        "a@b@c",
    ] {
        with(json!(["a@b.example", to]), plain).refused("bad_grant", "neither an address");
    }
    with(json!([]), plain).refused("bad_grant", "nobody");
    with(json!(["a@b.example"]), "*@enact.example").refused("bad_grant", "no address");
    let row = with(json!(["*@b.example", "a.b+c@d.example"]), plain).bind(None, &[]).unwrap().targets()[1].outbox[0].clone();
    let covered = ["x@b.example", "a.b+c@d.example"];
    assert!(covered.iter().all(|address| row.covers(address)));
    assert!(!["x@sub.b.example", "x@xb.example", "x@d.example", "b.example", "*"].iter().any(|address| row.covers(address)));
}

#[test]
fn p_09_a_binding_grants_no_more_than_is_asked_for() {
    set().with("RB_DEVELOPMENT_V0", "/bindings/CS_SHELF_V0/grants", json!(["table", "random"])).refused("grant_not_needed", "random");
    set().with("RB_DEVELOPMENT_V0", "/bindings/CT_PURE_STAMP_V0/grants", json!(["table"])).refused("grant_not_needed", "");
    set().with("RB_DEVELOPMENT_V0", "/bindings/CT_PURE_NEW_V0", json!({ "host": "component" })).refused("unknown_capability", "NEW");
    let unknown = set().with("RB_DEVELOPMENT_V0", "/bindings/CS_SHELF_V0/stores", json!({ "OTHER": "x" }));
    unknown.refused("unknown_store", "LETTERS");
}

#[test]
fn p_10_parameters_are_declared_given_and_filled_in_once() {
    let bind = |params: &[(&str, &str)]| set().bind(Some("RB_PRODUCTION_V0"), params);
    assert_eq!(bind(&[]).unwrap_err().code(), "missing_parameter");
    assert_eq!(bind(&[("room", "a"), ("floor", "b")]).unwrap_err().code(), "undeclared_parameter");
    assert_eq!(bind(&[("room", "{{room}}")]).unwrap().targets()[1].store, "{{room}}/letters");
    let undeclared = set().with("RB_DEVELOPMENT_V0", "/bindings/CS_SHELF_V0/stores/*", json!("{{nope}}/x"));
    let report = undeclared.bind(None, &[]).unwrap_err();
    assert_eq!(report.code(), "undeclared_parameter");
    assert!(report.detail.contains("nope"), "{report}");
    assert!(undeclared.warnings().contains(&"undeclared_parameter"));
    let open = set().with("RB_DEVELOPMENT_V0", "/bindings/CS_SHELF_V0/stores/*", json!("{{room"));
    assert_eq!(open.bind(None, &[]).unwrap_err().code(), "bad_template");
}

#[test]
fn a_refused_run_differs_in_its_plan_only() {
    let plan = set().plan();
    assert_eq!(plan.workflow(), WF);
    assert_eq!(plan.environment(), "development");
    assert_eq!(run(&plan, letter(), good).calls.len(), 4);
}

#[test]
fn b_32_limits_of_a_capability_are_held_to_the_bounds_of_those_of_a_binding() {
    let (most, beyond) = ((67_108_864_u64, 8_388_608_u64, 10_000_u64), |limit: u64| limit + 1);
    for code in ["CT_PURE_STAMP_V0", "CS_SHELF_V0"] {
        let with = |limits: Value| set().with(code, "/limits", limits);
        with(json!({"fuel": 1, "memory_bytes": most.0, "output_bytes": most.1, "wall_ms": most.2})).bind(None, &[]).unwrap();
        for (name, limit) in [
            ("fuel", 0),
            ("memory_bytes", beyond(most.0)),
            ("output_bytes", beyond(most.1)),
            ("output_bytes", 0),
            ("wall_ms", beyond(most.2)),
        ] {
            with(json!({ name: limit })).refused("bad_grant", &format!("{code}: limits `{name}` is"));
        }
    }
}

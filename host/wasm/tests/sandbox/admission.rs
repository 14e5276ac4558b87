//! What is refused before anything is compiled, by which rule, and that no bytes at all can do worse than be refused.
use enact_wasm::{AdmissionError, Profile, inspect};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::guests::{echo, trapping};
use super::support::{NATIVE, admit, binary, side_effect, transform, transform_beside, transform_with};

const ECHO: &str = "(call $success (local.get $in) (local.get $len))";

fn refusal(bytes: &[u8], profile: Profile) -> (&'static str, String) {
    match NATIVE.admit(bytes, profile) {
        Err(AdmissionError::Refused(refusal)) => (refusal.code, refusal.detail),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused(bytes: &[u8], code: &str) {
    assert_eq!(refusal(bytes, Profile::Strict).0, code);
    let found = inspect(bytes);
    // Inspection reports the widest profile, which may admit what only a bound of the narrow one refused.
    // What `run` looks like is only known after compilation.
    let error = NATIVE.admit(bytes, Profile::Standard).err().filter(|e| e.code() != "interface");
    assert_eq!(found.refusals.is_empty(), error.is_none(), "{found:?} {error:?}");
}

#[test]
fn a_transform_is_admitted_with_three_proofs_of_purity() {
    let bytes = echo();
    let module = admit(&NATIVE, &bytes);
    let proof = module.purity().unwrap();
    assert_eq!((proof.component_imports, proof.import_entries, proof.linked_with_nothing), (0, 0, true));
    assert_eq!(module.digest(), format!("blake3:{}", blake3::hash(&bytes).to_hex()));
    assert!(module.imports().is_empty());
    let found = inspect(&bytes);
    assert_eq!((found.kind, found.pure, found.size, found.profile), ("transform", true, bytes.len(), Profile::Strict));
    assert_eq!(found.exports, ["enact:capability/transform@0.1.0"]);
    assert_eq!((found.sha256, found.refusals.len()), (hex::encode(Sha256::digest(&bytes)), 0));
}

#[test]
fn a_side_effect_names_the_grants_it_needs_and_claims_no_purity() {
    let bytes = side_effect("", "(unreachable)");
    let module = admit(&NATIVE, &bytes);
    assert_eq!(module.imports(), ["log", "registry"]);
    assert_eq!(module.purity(), None);
    let found = inspect(&bytes);
    assert_eq!((found.kind, found.pure), ("side-effect", false));
    assert!(found.imports.contains(&"enact:capability/registry@0.1.0".to_owned()), "{found:?}");
}

#[test]
fn what_is_no_component_is_refused() {
    refused(b"", "not_a_component");
    refused(b"\0asm", "not_a_component");
    refused(b"#!/bin/sh", "not_a_component");
    refused(&binary("(module)"), "not_a_component");
    refused(&vec![0; (2 << 20) + 1], "size");
}

#[test]
fn a_foreign_import_is_refused_by_its_name() {
    let wasi = binary(r#"(component (import "wasi:sockets/network@0.2.0" (instance)))"#);
    assert!(inspect(&wasi).refusals.iter().any(|r| r.code == "import" && r.detail.contains("`wasi:sockets/network@0.2.0`")));
    let other = binary(r#"(component (import "enact:capability/registry@0.2.0" (instance)))"#);
    assert!(inspect(&other).refusals.iter().any(|r| r.code == "import"));
}

#[test]
fn a_transform_that_imports_what_a_side_effect_may_is_refused_as_impure() {
    let text = side_effect("", "(unreachable)");
    // The two worlds differ in the name of the export only; the longer name is shortened by renaming in the text form.
    let impure = replace(&text, b"enact:capability/side-effect@0.1.0", b"enact:capability/transform@0.1.0");
    let Some(impure) = impure else { panic!("the export was not found") };
    assert!(inspect(&impure).refusals.iter().any(|r| r.code == "impure" && r.detail.contains("registry")), "{:?}", inspect(&impure));
}

/// Replaces a name in a binary by a shorter one, in a copy whose lengths are then adjusted: the export section is the last one.
fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Option<Vec<u8>> {
    let at = bytes.windows(from.len()).rposition(|window| window == from)?;
    let shorter = u8::try_from(from.len() - to.len()).ok()?;
    let mut out = bytes.to_vec();
    out[at - 1] -= shorter;
    // Section id 11, its one-byte length, the count, the name's kind byte, the name's length.
    assert_eq!(out[at - 5], 11, "the export section begins elsewhere");
    out[at - 4] -= shorter;
    out.splice(at..at + from.len(), to.iter().copied());
    Some(out)
}

#[test]
fn only_one_export_and_only_the_contract() {
    refused(&binary("(component)"), "export");
    let named = |name: &str| binary(&format!("(component (instance $i) (export \"{name}\" (instance $i)))"));
    refused(&named("run"), "export");
    refused(&named("enact:capability/transform@0.1.1"), "export");
    refused(&named("enact:capability/transform@0.1.0"), "interface");
    let two = "(component (instance $i) (export \"enact:capability/transform@0.1.0\" (instance $i)) (export \"b\" (instance $i)))";
    refused(&binary(two), "export");
    let function = r#"(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f"))) (export "enact:capability/transform@0.1.0" (func $f)))"#;
    refused(&binary(function), "export");
    let typed = r#"(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f"))) (instance $out (export "run" (func $f)))
        (export "enact:capability/transform@0.1.0" (instance $out)))"#;
    refused(&binary(typed), "interface");
}

#[test]
fn start_functions_are_refused() {
    refused(&transform("(func $s) (start $s)", ECHO), "start_function");
}

#[test]
fn strings_are_utf8_only() {
    refused(&transform_with(4, "", ECHO, "", "utf16"), "string_encoding");
    refused(&transform_with(4, "", ECHO, "", "latin1+utf16"), "string_encoding");
}

#[test]
fn builtins_outside_the_list_are_refused() {
    let drops = binary(r#"(component (type $r (resource (rep i32))) (core func (canon resource.drop $r)))"#);
    assert!(refusal(&drops, Profile::Strict).0 == "builtin");
    assert!(!inspect(&drops).refusals.iter().any(|r| r.code == "builtin"), "the standard profile allows resources");
    let backpressure = binary("(component (core func (canon backpressure.inc)))");
    let (code, detail) = refusal(&backpressure, Profile::Standard);
    assert_eq!(code, "builtin", "{detail}");
}

#[test]
fn every_bound_of_the_strict_profile_is_a_rule_of_its_own() {
    let body = |n: usize| "(drop (i32.const 1000000))".repeat(n);
    let many = |what: &str, n: usize| what.repeat(n);
    refused(&transform(&many("(func)", 8_001), ECHO), "functions");
    refused(&transform(&format!("(func {})", body(30_000)), ECHO), "body_size");
    refused(&transform(&format!("(func (local {}))", many("i32 ", 2_001)), ECHO), "locals");
    refused(&transform(&format!("(func (param {}))", many("i32 ", 65)), ECHO), "params");
    refused(&transform(&format!("(func (block (br_table {} (i32.const 0))))", many("0 ", 2_050)), ECHO), "br_table");
    refused(&transform(&many("(table 1 funcref)", 4), ECHO), "tables");
    refused(&transform("(table 10001 funcref)", ECHO), "table_size");
    refused(&transform_with(65, "", ECHO, "", "utf8"), "memory_size");
    refused(&transform(&many("(global i32 (i32.const 0))", 1_001), ECHO), "globals");
    refused(&transform(&many("(data \"x\")", 1_001), ECHO), "data_segments");
    refused(&transform(&format!("(table 1 funcref) {}", many("(elem func)", 65)), ECHO), "element_segments");
    refused(&transform(&format!("(elem func {})", many("$realloc ", 10_001)), ECHO), "elements");
    refused(&transform(&format!("(func (export \"{}\"))", many("n", 513)), ECHO), "name");
    let types: String = (0..1_001).map(|n| format!("(type (func (param {})))", many("i32 ", n % 50))).collect();
    refused(&transform(&types, ECHO), "types");
    refused(&binary(&format!("(component {})", many("(core module)", 5))), "modules");
    let instances = format!("(component (core module $m) {})", many("(core instance (instantiate $m))", 17));
    refused(&binary(&instances), "instances");
    refused(&binary(&format!("(component {})", many("(type string)", 1_001))), "component_types");
    let exports: String = (0..4_001).map(|n| format!("(func (export \"{n}\"))")).collect();
    refused(&transform(&exports, ECHO), "externs");
    refused(&binary(&format!("(component {}{})", many("(component ", 4), many(")", 4))), "nesting");
}

#[test]
fn components_that_multiply_are_refused_before_they_do() {
    let mut text = "(component (component $c0 (core module $m) (core instance (instantiate $m)))".to_owned();
    for n in 1..30 {
        text.push_str(&format!(
            "(component $c{n} (alias outer 1 $c{} (component $c)) (instance (instantiate $c)) (instance (instantiate $c)))",
            n - 1
        ));
    }
    text.push_str("(instance (instantiate $c29)))");
    assert_eq!(refusal(&binary(&text), Profile::Standard).0, "expansion");
}

#[test]
fn types_that_nest_a_hundred_thousand_deep_are_refused_by_a_live_process() {
    for opener in [0x41, 0x42] {
        // `componenttype` with one declaration, which is a type, which is a `componenttype` …
        let mut section = vec![1];
        for _ in 0..100_000 {
            section.extend([opener, 1, 1]);
        }
        let mut bytes = b"\0asm\x0d\0\x01\0\x07".to_vec();
        leb(&mut bytes, section.len());
        bytes.extend(section);
        assert_eq!(refusal(&bytes, Profile::Standard).0, "type_nesting");
    }
}

#[test]
fn types_that_refer_to_each_other_in_a_long_chain_do_not_end_the_process() {
    let mut types = "(type $t0 string)".to_owned();
    for n in 1..4_900 {
        types.push_str(&format!("(type $t{n} (list $t{}))", n - 1));
    }
    let bytes = transform_beside(&types);
    assert_eq!(refusal(&bytes, Profile::Strict).0, "component_types");
    // Whether the compiler takes it is its affair; it must only come back.
    let _ = NATIVE.admit(&bytes, Profile::Standard);
}

fn leb(out: &mut Vec<u8>, mut n: usize) {
    loop {
        let byte = u8::try_from(n & 0x7f).unwrap();
        n >>= 7;
        if n == 0 {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}

#[test]
fn features_that_are_off_are_refused() {
    for fields in ["(func (param v128))", "(memory 1 1 shared)", "(tag)", "(func $f (return_call $f))", "(memory i64 1)", "(memory 1)"] {
        let code = refusal(&transform(fields, ECHO), Profile::Standard).0;
        assert!(["invalid", "malformed"].contains(&code), "{fields}: {code}");
    }
}

#[test]
fn a_refusal_by_a_bound_says_that_a_wider_profile_may_do() {
    let wide = transform(&"(func)".repeat(8_001), ECHO);
    let refused = NATIVE.admit(&wide, Profile::Strict).unwrap_err();
    assert!(refused.is_profile_limit());
    assert_eq!(NATIVE.admit(&wide, Profile::Standard).unwrap().profile(), Profile::Standard);
    assert_eq!(inspect(&wide).profile, Profile::Standard);
    assert!(!NATIVE.admit(b"", Profile::Strict).unwrap_err().is_profile_limit());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_inspected(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let found = inspect(&bytes);
        prop_assert!(!found.refusals.is_empty());
    }

    #[test]
    fn any_bytes_after_a_header_are_inspected(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut component = b"\0asm\x0d\0\x01\0".to_vec();
        component.extend(bytes);
        prop_assert!(!inspect(&component).refusals.is_empty());
    }

    #[test]
    fn a_mutated_module_is_refused_or_still_ends_in_a_class(which in 0..8_usize, cut in 0..4000_usize, flips in proptest::collection::vec((0..4000_usize, any::<u8>()), 0..4)) {
        let guests = trapping();
        let mut bytes = guests[which % guests.len()].bytes.clone();
        for (at, value) in flips {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        if cut < 1000 {
            bytes.truncate(cut);
        }
        if let Ok(module) = NATIVE.admit(&bytes, Profile::Strict) {
            let report = module.transform(&super::support::LIMITS, "C", "{}");
            prop_assert!(report.outcome.code() != "engine_fault", "{report:?}");
        }
    }
}

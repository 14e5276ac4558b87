//! Admission: any bytes are measured, and what is wrong with them is in the refusals. Nothing is compiled.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let found = enact_wasm::inspect(data);
    assert_eq!(found.size, data.len());
    if found.refusals.is_empty() {
        assert!(found.kind == "transform" || found.kind == "side-effect", "admissible without a world");
        assert!(found.kind != "transform" || found.imports.is_empty(), "an admissible transform with imports");
    } else {
        assert!(found.refusals.iter().all(|refusal| !refusal.code.is_empty() && refusal.at.is_none_or(|at| at <= data.len())));
    }
});

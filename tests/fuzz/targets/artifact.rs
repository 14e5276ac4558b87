//! Artifacts: any bytes parse or are refused, and what parses says the same when it is written and read again.
#![no_main]
use enact_flow::artifact::parse;
use libfuzzer_sys::fuzz_target;

/// One name of each kind; the first byte chooses.
const STEMS: [&str; 14] = [
    "IN_A_V0", "EV_A_V0", "WF_A_V0", "CC_A_V0", "CT_A_V0", "CS_A_V0", "RB_A_V0", "LC_A_V0", "AM_A_V0", "AS_A_V0", "LI_A_V0", "QC_A_V0",
    "DC_A_V0", "VW_A_V0",
];

fuzz_target!(|data: &[u8]| {
    let Some((first, bytes)) = data.split_first() else { return };
    let stem = STEMS[usize::from(*first) % STEMS.len()];
    let Ok(artifact) = parse(stem, bytes) else { return };
    let written = serde_json::to_vec(&artifact).expect("an artifact can be written");
    let again = parse(stem, &written).expect("what was written parses");
    assert_eq!(artifact, again);
    // Alone it hardly ever compiles; it must say why and not panic.
    let _ = enact_flow::compile::compile(std::slice::from_ref(&artifact), &std::collections::BTreeMap::new());
});

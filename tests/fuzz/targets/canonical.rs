//! Canonical JSON: accepted is exactly what parsing and writing again gives back byte for byte.
#![no_main]
use enact_core::canonical::{check, parse, to_bytes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let accepted = check(data);
    let written = parse(data).ok().and_then(|value| to_bytes(&value).ok());
    match accepted {
        Ok(value) => {
            assert_eq!(to_bytes(&value).expect("accepted"), data);
            assert_eq!(written.as_deref(), Some(data));
        }
        Err(_) => assert_ne!(written.as_deref(), Some(data), "refused, though it is canonical"),
    }
});

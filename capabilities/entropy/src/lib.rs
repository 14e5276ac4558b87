//! `CS_ENTROPY_V0`: draws random bytes from the host, for a pure transform in a later step that takes them as an input.
//!
//! It derives nothing from them and keeps nothing. The host records what it drew, because a replay must draw the same: whoever can read
//! the record of a run knows the bytes.

use enact_guest_sdk::{Context, Fault, Outcome};
use serde::{Deserialize, Serialize};

/// Fewest bits: what is easier to guess than 128 bits is no secret.
const BITS_MIN: u32 = 128;
/// Most bits: the longest seed that a key derivation of the wallet modules takes.
const BITS_MAX: u32 = 512;

#[derive(Deserialize)]
struct Draw {
    /// Whole bytes: a multiple of 8.
    entropy_bits: u32,
}

#[derive(Serialize)]
struct Drawn {
    /// `0x` and two lower-case hexadecimal digits a byte.
    entropy_bytes: String,
}

fn draw(context: &mut Context<'_>, i: Draw) -> Result<Outcome<Drawn>, Fault> {
    if !(BITS_MIN..=BITS_MAX).contains(&i.entropy_bits) || !i.entropy_bits.is_multiple_of(8) {
        return Err(Fault::Violation);
    }
    let length = i.entropy_bits / 8;
    let bytes = context.random().bytes(length)?;
    // Fewer bytes than asked for would be a weaker key that looks like any other.
    if u32::try_from(bytes.len()) != Ok(length) {
        return Err(Fault::Damaged);
    }
    Ok(Outcome::success(Drawn { entropy_bytes: hexadecimal(&bytes) }))
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    let digits = bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0f)]);
    ['0', 'x'].into_iter().chain(digits).collect()
}

enact_guest_sdk::side_effect! {
    "CS_ENTROPY_V0" {
        "DRAW" => draw,
    }
}

#[cfg(test)]
mod tests {
    use enact_guest_sdk::{Answer, Call, Context, Fault, MemoryHost};

    use super::dispatch;

    fn call(host: &mut MemoryHost, operation: &str, inputs: &str) -> Answer {
        let call = Call { capability: "CS_ENTROPY_V0", operation, inputs, store: "", idempotency_key: "run/2/0" };
        dispatch(&mut Context::new(host, &call), &call)
    }

    #[test]
    fn the_bytes_are_those_that_the_host_drew() {
        let drawn = call(&mut MemoryHost::new(), "DRAW", r#"{"entropy_bits":128}"#);
        assert_eq!((drawn.status, drawn.outputs.as_str()), ("SUCCESS", r#"{"entropy_bytes":"0x000102030405060708090a0b0c0d0e0f"}"#));
    }

    #[test]
    fn every_byte_has_two_digits() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        let expected: String = all.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(super::hexadecimal(&all), format!("0x{expected}"));
    }

    #[test]
    fn sizes_that_are_weak_odd_or_too_long_are_violations() {
        for bits in ["0", "8", "120", "129", "520", "-128", "\"128\"", "null"] {
            let refused = call(&mut MemoryHost::new(), "DRAW", &format!(r#"{{"entropy_bits":{bits}}}"#));
            assert_eq!((refused.status, refused.outputs.as_str()), ("VIOLATION", "{}"), "{bits}");
        }
        assert_eq!(call(&mut MemoryHost::new(), "DRAW", r#"{"entropy_bits":512}"#).status, "SUCCESS");
    }

    #[test]
    fn a_host_without_randomness_and_an_unknown_operation_are_backend_errors() {
        let mut host = MemoryHost::new();
        assert_eq!(call(&mut host, "STIR", r#"{"entropy_bits":128}"#).status, "BACKEND_ERROR");
        host.fail_with(Some(Fault::Unavailable("source".into())));
        assert_eq!(call(&mut host, "DRAW", r#"{"entropy_bits":128}"#).status, "BACKEND_ERROR");
    }
}

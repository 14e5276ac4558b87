//! `CT_BENCH_ECHO_V0`: gives back `data` and `n + 1`. It measures what a call costs, so it does as little as a call can.

use enact_guest_sdk::{Raw, Violation};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Inputs<'a> {
    #[serde(borrow)]
    data: &'a Raw,
    n: i64,
}

#[derive(Serialize)]
struct Outputs<'a> {
    data: &'a Raw,
    n: i64,
}

fn echo(i: Inputs<'_>) -> Result<Outputs<'_>, Violation> {
    Ok(Outputs { data: i.data, n: i.n.checked_add(1).ok_or(Violation)? })
}

enact_guest_sdk::transform! { "CT_BENCH_ECHO_V0" => echo }

#[cfg(test)]
mod tests {
    use super::dispatch;

    #[test]
    fn data_comes_back_byte_for_byte_and_n_grows() {
        let answer = dispatch("CT_BENCH_ECHO_V0", r#"{"data":{"a":[1.50,"x"]},"n":41}"#);
        assert_eq!((answer.status, answer.outputs.as_str()), ("SUCCESS", r#"{"data":{"a":[1.50,"x"]},"n":42}"#));
    }

    #[test]
    fn a_number_that_cannot_grow_is_a_violation() {
        assert_eq!(dispatch("CT_BENCH_ECHO_V0", r#"{"data":0,"n":9223372036854775807}"#).status, "VIOLATION");
    }
}

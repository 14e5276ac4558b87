//! Transcripts: any recorded calls can be read and served; asked for in their order they never diverge, and in another order they say where.
#![no_main]
use enact_wasm::{Answer, Fault, Host, HostCall, Replay, Request};
use libfuzzer_sys::fuzz_target;

#[derive(serde::Deserialize)]
struct Input {
    recorded: Vec<HostCall>,
    asked: Vec<Request>,
}

fuzz_target!(|data: &[u8]| {
    let Ok(input) = serde_json::from_slice::<Input>(data) else { return };
    let mut other = Replay::new(&input.recorded);
    for request in &input.asked {
        let answer = other.call(request);
        assert!(other.divergence().is_none() || matches!(answer, Answer::Fault(Fault::Unavailable(_))), "an answer after a divergence");
    }
    let asked_as_recorded = input.asked.iter().eq(input.recorded.iter().map(|call| &call.request));
    let ended = other.finish();
    assert!(!asked_as_recorded || ended.is_none() || input.recorded.iter().any(|call| matches!(call.answer, Answer::Fault(_))));
});

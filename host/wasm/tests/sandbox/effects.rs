//! Side effects: what is granted, bounded, recorded and replayed.
use std::collections::BTreeMap;

use enact_wasm::limits::STANDARD;
use enact_wasm::{
    Answer, Document, EffectCall, Fault, Host, HostCall, Limits, Module, Options, OutcomeClass, Profile, Replay, Request, Sandbox,
};

use super::guests::echo;
use super::support::{LIMITS, NATIVE, PULLEY, admit, binary, effect, side_effect, side_effect_text};

/// Registers the inputs as key and value, then appends the inputs, then answers them.
const REGISTERS: &str = "
    (call $register (local.get $store) (local.get $store_len) (local.get $in) (local.get $len) (local.get $in) (local.get $len)
      (i32.const 128))
    (call $append (local.get $store) (local.get $store_len) (local.get $in) (local.get $len) (i32.const 160))
    ;; Byte 128 says whether register gave an error, 160 whether append did.
    (i32.store8 (i32.const 2048) (i32.add (i32.const 48) (i32.load8_u (i32.const 128))))
    (i32.store8 (i32.const 2049) (i32.add (i32.const 48) (i32.load8_u (i32.const 160))))
    (call $success (i32.const 2048) (i32.const 2))";

/// A registry in memory that counts what it was asked.
#[derive(Default)]
struct Memory {
    registry: BTreeMap<String, String>,
    asked: usize,
    refused: usize,
}

impl Host for Memory {
    fn call(&mut self, request: &Request) -> Answer {
        self.asked += 1;
        match request {
            Request::RegistryRegister { key, value, .. } => {
                let existing = self.registry.get(key).cloned();
                self.registry.entry(key.clone()).or_insert_with(|| value.clone());
                Answer::Existing(existing)
            }
            Request::RegistryCount { .. } => Answer::Number(self.registry.len() as u64),
            Request::LogAppend { .. } => Answer::Done,
            other => Answer::Fault(Fault::Invalid(format!("{other:?}"))),
        }
    }

    fn refused(&mut self, _: &Request, _: &Answer) {
        self.refused += 1;
    }
}

/// Answers everything with one answer.
struct Always(Answer);

impl Host for Always {
    fn call(&mut self, _: &Request) -> Answer {
        self.0.clone()
    }
}

/// Makes a call while it is asked in one, and keeps how it ended.
struct Nested(Module, Option<&'static str>);

impl Host for Nested {
    fn call(&mut self, _: &Request) -> Answer {
        self.1 = Some(effect(&self.0, "{}", &[], &mut Memory::default()).outcome.code());
        Answer::Existing(None)
    }
}

fn call_with(grants: &[String]) -> EffectCall<'_> {
    EffectCall { capability: "C", operation: "O", inputs: "{}", store: "s", idempotency_key: "k", grants, now_micros: 0 }
}

fn registers() -> Module {
    admit(&NATIVE, &side_effect("", REGISTERS))
}

fn outputs(report: &enact_wasm::CallReport) -> &str {
    match &report.outcome {
        enact_wasm::Outcome::Ok { outputs, .. } => outputs,
        other => panic!("{other:?}"),
    }
}

#[test]
fn granted_requests_reach_the_host_in_order_and_are_recorded() {
    let mut host = Memory::default();
    let report = effect(&registers(), "{}", &["registry", "log"], &mut host);
    assert_eq!(outputs(&report), "00");
    assert_eq!(host.asked, 2);
    assert_eq!(report.host_calls.len(), 2);
    assert_eq!(
        report.host_calls[0],
        HostCall {
            request: Request::RegistryRegister { store: "a/store".into(), key: "{}".into(), value: "{}".into() },
            answer: Answer::Existing(None)
        }
    );
    let again = effect(&registers(), "{}", &["registry", "log"], &mut host);
    assert_eq!(again.host_calls[0].answer, Answer::Existing(Some("{}".into())));
}

#[test]
fn a_request_outside_the_grant_is_refused_and_recorded_and_not_asked() {
    let mut host = Memory::default();
    let report = effect(&registers(), "{}", &["log"], &mut host);
    assert_eq!(outputs(&report), "10");
    assert_eq!((host.asked, host.refused), (1, 1));
    assert_eq!(report.host_calls[0].answer, Answer::Fault(Fault::Denied("registry".into())));
}

#[test]
fn an_argument_over_its_bound_is_a_limit_and_not_copied() {
    let mut host = Memory::default();
    let key = "x".repeat(enact_wasm::limits::KEY_BYTES_MAX + 1);
    let report = effect(&registers(), &key, &["registry", "log"], &mut host);
    assert_eq!(outputs(&report), "10");
    let HostCall { request: Request::RegistryRegister { key, .. }, answer: Answer::Fault(Fault::Limit(why)) } = &report.host_calls[0]
    else {
        panic!("{:?}", report.host_calls[0])
    };
    assert!(key.starts_with("over-limit:1025:blake3:"), "{key}");
    assert_eq!(why, "`key` has 1025 bytes of 1024");
}

#[test]
fn p_21_arguments_that_no_host_could_hold_end_the_call() {
    // 39 pages of zeros as a value.
    let run = "(call $append (local.get $store) (local.get $store_len) (i32.const 0) (i32.const 2500000) (i32.const 160)) (unreachable)";
    let report = effect(&admit(&NATIVE, &side_effect("", run)), "{}", &["log"], &mut Memory::default());
    assert_eq!(report.outcome.code(), "output_too_large");
}

#[test]
fn p_21_arguments_that_are_not_utf8_end_the_call() {
    let run = r"(i32.store8 (i32.const 2048) (i32.const 255))
      (call $append (local.get $store) (local.get $store_len) (i32.const 2048) (i32.const 1) (i32.const 160)) (unreachable)";
    let report = effect(&admit(&NATIVE, &side_effect("", run)), "{}", &["log"], &mut Memory::default());
    assert_eq!((report.outcome.code(), report.host_calls.len()), ("output_not_utf8", 0));
}

#[test]
fn p_21_the_budget_of_host_calls_is_inconclusive() {
    let run = "(loop $again (call $count (local.get $store) (local.get $store_len) (i32.const 128)) (br $again)) (unreachable)";
    let module = admit(&NATIVE, &side_effect("", run));
    let report = effect(&module, "{}", &["registry"], &mut Memory::default());
    assert_eq!((report.outcome.code(), report.outcome.class()), ("host_calls", OutcomeClass::C));
    assert_eq!(report.host_calls.len(), LIMITS.host_calls as usize);
}

#[test]
fn p_21_fuel_pays_for_host_calls() {
    let run = "(loop $again (call $count (local.get $store) (local.get $store_len) (i32.const 128)) (br $again)) (unreachable)";
    let module = admit(&NATIVE, &side_effect("", run));
    let grants = vec!["registry".to_owned()];
    let call = call_with(&grants);
    let limits = Limits { fuel: 60_000, host_calls: 1_000_000, ..LIMITS };
    let report = module.side_effect(&limits, &call, &mut Memory::default());
    assert_eq!(report.outcome.code(), "out_of_fuel");
    assert!(report.host_calls.len() < 12, "{} calls for 60000 fuel", report.host_calls.len());
}

#[test]
fn p_21_a_transcript_that_no_run_should_keep_is_inconclusive() {
    let run = "(loop $again
        (call $append (local.get $store) (local.get $store_len) (i32.const 0) (i32.const 262144) (i32.const 160)) (br $again))
      (unreachable)";
    let module = admit(&NATIVE, &side_effect("", run));
    let grants = vec!["log".to_owned()];
    let limits = Limits { fuel: 1 << 30, host_calls: 1_000, ..LIMITS };
    let report = module.side_effect(&limits, &call_with(&grants), &mut Memory::default());
    assert_eq!((report.outcome.code(), report.outcome.class()), ("transcript_bytes", OutcomeClass::C));
    assert!(report.host_calls.len() <= 64, "{} calls of 256 KiB", report.host_calls.len());
}

#[test]
fn p_21_no_free_slot_is_infrastructure() {
    let sandbox = Sandbox::new(&Options { max_concurrent_calls: 1, ..Options::default() }).unwrap();
    let module = admit(&sandbox, &side_effect("", REGISTERS));
    let mut host = Nested(module.clone(), None);
    effect(&module, "{}", &["registry"], &mut host);
    assert_eq!(host.1, Some("pool_full"));
    assert_eq!(outputs(&effect(&module, "{}", &["registry", "log"], &mut Memory::default())), "00");
}

#[test]
fn p_21_each_of_two_calls_at_once_has_the_slots_of_the_largest_component() {
    let sandbox = Sandbox::new(&Options { max_concurrent_calls: 2, ..Options::default() }).unwrap();
    let large: String = (2..=STANDARD.memories)
        .map(|nth| format!("(core module $m{nth} (memory 1) (table 1 funcref)) (core instance $i{nth} (instantiate $m{nth}))"))
        .collect();
    let text = side_effect_text("", REGISTERS).replacen("(component", &format!("(component {large}"), 1);
    let module = sandbox.admit(&binary(&text), Profile::Standard).unwrap();
    let mut host = Nested(module.clone(), None);
    assert_eq!(outputs(&effect(&module, "{}", &["registry"], &mut host)), "01");
    assert_eq!(host.1, Some("ok"), "the one beside it");
}

/// The engine could ask the kernel which pages a call has touched, and reset those. Asked that way, it leaves pages as they are that are
/// swapped out at that moment: the next call in that slot has seen them.
#[test]
#[cfg(target_os = "linux")]
fn p_21_what_a_call_left_is_reset_without_asking_which_pages_it_touched() {
    let module = registers();
    assert_eq!(outputs(&effect(&module, "{}", &["registry", "log"], &mut Memory::default())), "00");
    let open = std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok());
    assert_eq!(open.filter(|file| file.ends_with("pagemap")).count(), 0);
}

#[test]
fn p_21_a_host_that_answers_another_shape_is_infrastructure() {
    for answer in [Answer::Done, Answer::Flag(true), Answer::Document(Some(Document { version: 1, value: String::new() }))] {
        let report = effect(&registers(), "{}", &["registry", "log"], &mut Always(answer));
        assert_eq!((report.outcome.code(), report.outcome.class()), ("host_fault", OutcomeClass::D));
    }
}

#[test]
fn p_21_a_host_that_answers_more_than_was_asked_for_is_infrastructure() {
    let run = "(call $read (local.get $store) (local.get $store_len) (i64.const 0) (i32.const 2) (i32.const 160))
      (call $success (local.get $in) (local.get $len))";
    let module = admit(&NATIVE, &side_effect("", run));
    let records = |n: usize| Answer::Records(vec![String::new(); n]);
    assert_eq!(effect(&module, "{}", &["log"], &mut Always(records(2))).outcome.code(), "ok");
    assert_eq!(effect(&module, "{}", &["log"], &mut Always(records(3))).outcome.code(), "host_fault");
}

#[test]
fn a_list_longer_than_its_bound_is_a_limit() {
    let run = "(call $read (local.get $store) (local.get $store_len) (i64.const 0) (i32.const 1001) (i32.const 160))
      (call $success (local.get $in) (local.get $len))";
    let report = effect(&admit(&NATIVE, &side_effect("", run)), "{}", &["log"], &mut Memory::default());
    assert_eq!(report.host_calls[0].answer, Answer::Fault(Fault::Limit("`limit` is 1001 of 1000".into())));
}

#[test]
fn p_21_a_host_that_panics_is_infrastructure_and_the_next_call_works() {
    struct Panics;
    impl Host for Panics {
        fn call(&mut self, _: &Request) -> Answer {
            panic!("a bug of the host")
        }
    }
    let module = registers();
    assert_eq!(effect(&module, "{}", &["registry"], &mut Panics).outcome.code(), "host_fault");
    assert_eq!(outputs(&effect(&module, "{}", &["registry", "log"], &mut Memory::default())), "00");
}

#[test]
fn a_host_may_itself_call_a_module() {
    struct Nested(Module);
    impl Host for Nested {
        fn call(&mut self, request: &Request) -> Answer {
            let report = effect(&self.0, "{}", &["registry", "log"], &mut Memory::default());
            assert_eq!(outputs(&report), "00");
            match request {
                Request::LogAppend { .. } => Answer::Done,
                _ => Answer::Existing(None),
            }
        }
    }
    let report = effect(&registers(), "{}", &["registry", "log"], &mut Nested(registers()));
    assert_eq!(outputs(&report), "00");
}

#[test]
fn a_replay_serves_the_record_and_gives_the_same_report_on_both_backends() {
    let mut host = Memory::default();
    for (inputs, grants) in [("{}", ["registry", "log"]), ("{}", ["log", "log"]), (&"x".repeat(2000), ["registry", "log"])] {
        let live = effect(&registers(), inputs, &grants, &mut host);
        for sandbox in [&*NATIVE, &*PULLEY] {
            let mut replay = Replay::new(&live.host_calls);
            let again = effect(&admit(sandbox, &side_effect("", REGISTERS)), inputs, &grants, &mut replay);
            assert_eq!(again, live);
            assert_eq!(replay.finish(), None);
        }
    }
}

#[test]
fn a_replay_names_the_first_request_that_differs() {
    let live = effect(&registers(), "{}", &["registry", "log"], &mut Memory::default());
    let mut tampered = live.host_calls.clone();
    tampered[1].request = Request::ClockNow;
    let mut replay = Replay::new(&tampered);
    effect(&registers(), "{}", &["registry", "log"], &mut replay);
    let divergence = replay.finish().unwrap();
    assert_eq!((divergence.index, divergence.expected), (1, Some(Request::ClockNow)));

    let mut replay = Replay::new(&live.host_calls[..1]);
    effect(&registers(), "{}", &["registry", "log"], &mut replay);
    assert_eq!(replay.finish().unwrap().expected, None);

    let mut longer = live.host_calls.clone();
    longer.push(longer[0].clone());
    let mut replay = Replay::new(&longer);
    effect(&registers(), "{}", &["registry", "log"], &mut replay);
    assert_eq!(replay.finish().unwrap().got, None);
}

#[test]
fn a_replay_sees_that_a_refusal_was_recorded_as_an_answer() {
    let live = effect(&registers(), "{}", &["log"], &mut Memory::default());
    let mut forged = live.host_calls.clone();
    forged[0].answer = Answer::Existing(None);
    let mut replay = Replay::new(&forged);
    effect(&registers(), "{}", &["log"], &mut replay);
    assert_eq!(replay.finish().unwrap().index, 0);
}

#[test]
fn a_transcript_survives_json() {
    let calls = vec![
        HostCall {
            request: Request::TablePut { store: "s".into(), key: "k".into(), value: "v".into(), expect: Some(u64::MAX) },
            answer: Answer::Version(Some(u64::MAX)),
        },
        HostCall { request: Request::RandomBytes { len: 2 }, answer: Answer::Bytes(vec![0xab, 0x01]) },
        HostCall { request: Request::ClockNow, answer: Answer::Fault(Fault::Unavailable("no clock".into())) },
        HostCall { request: Request::LogAppend { store: "s".into(), value: "v".into() }, answer: Answer::Done },
    ];
    let text = serde_json::to_string(&calls).unwrap();
    assert!(text.contains(r#""expect":"18446744073709551615""#), "{text}");
    assert!(text.contains(r#"{"op":"random.bytes","len":2}"#), "{text}");
    assert!(text.contains(r#"{"kind":"bytes","value":"ab01"}"#), "{text}");
    assert_eq!(serde_json::from_str::<Vec<HostCall>>(&text).unwrap(), calls);
    assert!(serde_json::from_str::<Vec<HostCall>>(&text.replace("\"18446744073709551615\"", "\"01\"")).is_err());
    assert!(serde_json::from_str::<Vec<HostCall>>(&text.replace("\"len\":2", "\"len\":2,\"more\":1")).is_err());
}

#[test]
fn each_kind_is_called_its_own_way() {
    let transform = admit(&NATIVE, &echo());
    let report = effect(&transform, "{}", &[], &mut Memory::default());
    assert_eq!((report.outcome.code(), report.outcome.class()), ("wrong_kind", OutcomeClass::C));
    assert_eq!(registers().transform(&LIMITS, "C", "{}").outcome.code(), "wrong_kind");
}

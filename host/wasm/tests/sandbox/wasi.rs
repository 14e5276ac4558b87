//! WASI for side effects: nothing of the machine is behind it, all of it is bounded, and all of it happens again in a re-execution.
use std::time::Instant;

use enact_wasm::limits::{HOST_CALL_FUEL, WASI_LOG_BYTES_MAX};
use enact_wasm::{Answer, CallReport, Fault, Host, Module, Outcome, Profile, Replay, Request, Sandbox, inspect};

use super::program::{impure_program, program, program_with};
use super::support::{LIMITS, NATIVE, PULLEY, effect};

/// A host that has only seeds to give: the next one each time.
#[derive(Default)]
struct Seeds {
    next: u8,
}

impl Host for Seeds {
    fn call(&mut self, request: &Request) -> Answer {
        assert_eq!(*request, Request::WasiSeed, "nothing else is asked for");
        self.next += 1;
        Answer::Bytes(vec![self.next; 32])
    }
}

fn admitted(sandbox: &Sandbox, bytes: &[u8]) -> Module {
    sandbox.admit(bytes, Profile::Standard).unwrap_or_else(|e| panic!("{e}"))
}

fn run(body: &str) -> CallReport {
    effect(&admitted(&NATIVE, &program(body)), "{}", &["wasi"], &mut Seeds::default())
}

/// The numbers that it answered.
fn numbers(report: &CallReport) -> Vec<u64> {
    let Outcome::Ok { outputs, .. } = &report.outcome else { panic!("{report:?}") };
    let digits = outputs.strip_prefix(r#"{"out":""#).and_then(|rest| rest.strip_suffix(r#""}"#)).unwrap();
    digits.as_bytes().chunks(16).map(|digits| u64::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap()).collect()
}

/// Everything that a program may ask, in one.
const EVERYTHING: &str = "
    (call $wall (i32.const 512)) (call $put (i64.load (i32.const 512))) (call $put (i64.load32_u (i32.const 520)))
    (call $put (call $monotonic)) (call $put (call $u64)) (call $put (call $u64))
    (call $bytes (i64.const 8) (i32.const 512)) (call $put (i64.load (i32.load (i32.const 512))))
    (call $seed (i32.const 512)) (call $put (i64.load (i32.const 512)))
    (call $write (call $stdout) (i32.const 8256) (i32.const 10) (i32.const 512))
    (local.set $h (call $sleep (i64.const 3600000000000))) (call $put (i64.extend_i32_u (call $ready (local.get $h))))
    (call $block (local.get $h)) (call $put (i64.extend_i32_u (call $ready (local.get $h)))) (call $drop (local.get $h))
    (call $put (call $monotonic))";

#[test]
fn p_28_time_begins_with_the_run_and_passes_only_when_it_is_asked_for() {
    let began = Instant::now();
    let report = run(EVERYTHING);
    let numbers = numbers(&report);
    assert_eq!(numbers[..2], [1_767_225_600, 1_000], "the time of the run, and a microsecond for the question");
    assert_eq!(numbers[2], 2_000);
    assert_eq!(numbers[7..9], [0, 1], "an hour has not passed, and after waiting it has");
    assert!(numbers[9] > 3_600_000_000_000, "{numbers:?}");
    assert!(began.elapsed().as_secs() < 3_600, "nobody waited for it");
}

#[test]
fn p_28_all_randomness_follows_from_one_recorded_seed() {
    let module = admitted(&NATIVE, &program(EVERYTHING));
    let mut host = Seeds::default();
    let (first, second) = (effect(&module, "{}", &["wasi"], &mut host), effect(&module, "{}", &["wasi"], &mut host));
    assert_eq!(first.host_calls.len(), 1, "one question, whatever is asked afterwards");
    assert_eq!(first.host_calls[0].request, Request::WasiSeed);
    let (a, b) = (numbers(&first), numbers(&second));
    for drawn in 3..7 {
        assert_ne!(a[drawn], b[drawn], "another seed, another number");
        assert_eq!(a[3..7].iter().filter(|n| **n == a[drawn]).count(), 1, "{a:?}");
    }
    assert!(run("(call $put (call $monotonic))").host_calls.is_empty(), "who wants no randomness records none");
}

#[test]
fn p_27_a_re_execution_is_served_the_seed_and_gives_the_same_on_both_engines() {
    let bytes = program(EVERYTHING);
    let live = effect(&admitted(&NATIVE, &bytes), "{}", &["wasi"], &mut Seeds { next: 41 });
    assert!(matches!(live.outcome, Outcome::Ok { .. }), "{live:?}");
    for sandbox in [&*NATIVE, &*PULLEY] {
        let mut replay = Replay::new(&live.host_calls);
        assert_eq!(effect(&admitted(sandbox, &bytes), "{}", &["wasi"], &mut replay), live);
        assert_eq!(replay.finish(), None);
    }
    let mut empty = Replay::new(&[]);
    effect(&admitted(&NATIVE, &bytes), "{}", &["wasi"], &mut empty);
    assert!(empty.divergence().is_some_and(|d| d.got == Some(Request::WasiSeed)), "a seed that nobody recorded is a difference");
}

#[test]
fn b_32_there_are_no_arguments_no_environment_no_folders_and_no_input() {
    let report = run("
        (call $environment (i32.const 512)) (call $put (i64.load32_u (i32.const 516)))
        (call $arguments (i32.const 512)) (call $put (i64.load32_u (i32.const 516)))
        (i32.store (i32.const 512) (i32.const 7)) (call $cwd (i32.const 512)) (call $put (i64.load8_u (i32.const 512)))
        (call $folders (i32.const 512)) (call $put (i64.load32_u (i32.const 516)))
        (call $read (call $stdin) (i64.const 100) (i32.const 512))
        (call $put (i64.load8_u (i32.const 512))) (call $put (i64.load8_u (i32.const 516)))");
    assert_eq!(numbers(&report), [0, 0, 0, 0, 1, 1], "the input is closed");
}

#[test]
fn b_32_a_path_can_be_opened_nowhere_because_no_folder_can_be_named() {
    for handle in [0, 1, 2, 3, 1_000] {
        let open = format!(
            "(drop (call $stdout))
             (call $open (i32.const {handle}) (i32.const 0) (i32.const 8288) (i32.const 11) (i32.const 0) (i32.const 1) (i32.const 512))"
        );
        assert_eq!(run(&open).outcome.code(), "abi_violation", "handle {handle}");
    }
}

#[test]
fn b_32_what_is_written_is_kept_up_to_a_bound_and_a_flood_ends_with_the_budget() {
    let said =
        run("(call $write (call $stdout) (i32.const 8256) (i32.const 10) (i32.const 512)) (call $put (i64.load8_u (i32.const 512)))");
    assert_eq!((said.log.as_slice(), numbers(&said)), (b"hello\n\x1b[2J".as_slice(), vec![0]));
    let many = |times: u32, bytes: u32| {
        run(&format!(
            "(local.set $h (call $stdout))
             (loop $again (call $write (local.get $h) (i32.const 0) (i32.const {bytes}) (i32.const 512))
               (local.set $n (i32.add (local.get $n) (i32.const 1))) (br_if $again (i32.lt_u (local.get $n) (i32.const {times}))))"
        ))
    };
    let flood = many(40, 60_000);
    assert_eq!((flood.outcome.code(), flood.log.len()), ("ok", WASI_LOG_BYTES_MAX));
    assert!(flood.fuel_used.unwrap() > 41 * HOST_CALL_FUEL + 40 * 60_000, "each call and each byte is paid for: {:?}", flood.fuel_used);
    assert_eq!(many(1_000, 10).outcome.code(), "host_calls");
    assert_eq!(many(1, 65_537).outcome.code(), "wasi_limit");
    let module = admitted(&NATIVE, &program("(call $write (call $stdout) (i32.const 0) (i32.const 60000) (i32.const 512))"));
    let call = enact_wasm::EffectCall {
        capability: "C",
        operation: "O",
        inputs: "{}",
        store: "s",
        idempotency_key: "k",
        grants: &["wasi".to_owned()],
        now_micros: 0,
    };
    let poor = enact_wasm::Limits { fuel: 60_000, ..LIMITS };
    assert_eq!(module.side_effect(&poor, &call, &mut Seeds::default()).outcome.code(), "out_of_fuel");
}

#[test]
fn p_21_exit_is_an_outcome_of_the_call_and_not_the_end_of_the_host() {
    assert_eq!(run("(call $exit (i32.const 0))").outcome.code(), "exit_success");
    assert_eq!(run("(call $exit (i32.const 1))").outcome.code(), "exit_failure");
}

#[test]
fn b_32_without_the_grant_the_first_question_ends_the_call() {
    let module = admitted(&NATIVE, &program(EVERYTHING));
    for grants in [vec![], vec!["clock", "random"]] {
        let report = effect(&module, "{}", &grants, &mut Seeds::default());
        assert_eq!((report.outcome.code(), report.host_calls.len()), ("wasi_denied", 0));
    }
    let silent = admitted(&NATIVE, &program("(call $put (i64.const 7))"));
    assert_eq!(numbers(&effect(&silent, "{}", &[], &mut Seeds::default())), [7], "who asks nothing needs nothing");
}

#[test]
fn p_21_bounds_and_failures_end_with_a_code() {
    assert_eq!(run("(call $bytes (i64.const 65537) (i32.const 512))").outcome.code(), "wasi_limit");
    assert_eq!(run("(call $bytes (i64.const -1) (i32.const 512))").outcome.code(), "wasi_limit");
    assert_eq!(run("(call $block (call $stdout))").outcome.code(), "abi_violation", "a handle of another type");
    assert_eq!(
        run("(local.set $h (call $sleep (i64.const 1))) (call $drop (local.get $h)) (call $drop (local.get $h))").outcome.code(),
        "abi_violation"
    );
    assert_eq!(run("(loop $again (drop (call $sleep (i64.const 1))) (br $again))").outcome.code(), "host_calls");
    assert_eq!(run("(local.set $h (call $sleep (i64.const -1))) (call $block (local.get $h))").outcome.code(), "ok");
    struct Without;
    impl Host for Without {
        fn call(&mut self, _: &Request) -> Answer {
            Answer::Fault(Fault::Unavailable("no randomness".to_owned()))
        }
    }
    let module = admitted(&NATIVE, &program("(call $put (call $u64))"));
    assert_eq!(effect(&module, "{}", &["wasi"], &mut Without).outcome.code(), "host_fault");
}

#[test]
fn b_32_wasi_is_admitted_for_side_effects_and_marked_sockets_and_http_are_not() {
    let module = admitted(&NATIVE, &program(EVERYTHING));
    assert_eq!(module.imports(), ["wasi"]);
    assert_eq!(module.wasi().len(), 13);
    let found = inspect(&program(EVERYTHING));
    assert!(found.wasi && !found.pure && found.refusals.is_empty() && found.profile == Profile::Standard, "{found:?}");
    let refusals = |bytes: &[u8]| inspect(bytes).refusals.iter().map(|r| (r.code, r.detail.clone())).collect::<Vec<_>>();
    assert!(refusals(&impure_program()).iter().all(|(code, _)| *code == "impure"), "{:?}", refusals(&impure_program()));
    assert_eq!(refusals(&impure_program()).len(), 13);
    for foreign in [
        "wasi:sockets/tcp@0.2.6",
        "wasi:sockets/instance-network@0.2.6",
        "wasi:http/outgoing-handler@0.2.6",
        "wasi:cli/run@0.2.6",
        "wasi:clocks/timezone@0.2.6",
        "wasi:random/random@0.3.0",
        "wasi:random/random@0.2.0-rc-2023-11-10",
        "wasi:keyvalue/store@0.2.6",
    ] {
        let bytes = program_with(&format!("(import \"{foreign}\" (instance))"), "", "");
        let refused = refusals(&bytes);
        assert!(matches!(&refused[..], [("import", detail)] if detail.contains(foreign)), "{refused:?}");
    }
    // An interface that is known and a function that is not.
    let bytes = program_with("(import \"wasi:random/insecure@0.2.6\" (instance (export \"get-more\" (func (result u64)))))", "", "");
    assert_eq!(NATIVE.admit(&bytes, Profile::Standard).unwrap_err().code(), "interface");
}

#[test]
fn p_21_initialisation_is_held_to_the_limits_of_the_call() {
    let starts = |fields: &str| program_with("", &format!("{fields} (start $begin)"), "(call $put (global.get $begun))");
    let fields = "(global $begun (mut i64) (i64.const 0)) (func $begin (global.set $begun (call $u64)))";
    let good = admitted(&NATIVE, &starts(fields));
    let report = effect(&good, "{}", &["wasi"], &mut Seeds::default());
    assert_ne!(numbers(&report), [0]);
    assert_eq!(report.host_calls.len(), 1, "what it asked then is recorded as well");
    let endless = "(global $begun (mut i64) (i64.const 0)) (func $begin (loop $ever (br $ever)))";
    assert_eq!(effect(&admitted(&NATIVE, &starts(endless)), "{}", &["wasi"], &mut Seeds::default()).outcome.code(), "out_of_fuel");
    let denied = effect(&good, "{}", &[], &mut Seeds::default());
    assert_eq!(denied.outcome.code(), "wasi_denied");
}

//! Every guest of the corpus ends in its class, the same way each time and on both backends, and the host stays up.
use enact_wasm::{Limits, OutcomeClass, Profile, parse_outputs};

use super::guests::{Guest, echo, friendly, hoarder, lying_allocator, recursive_allocator, says, trapping};
use super::support::{LIMITS, NATIVE, PULLEY, admit, call, transform, transform_with};

/// Memory of this process that is in use; nothing where the system does not tell.
fn resident() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    statm.split(' ').nth(1)?.parse::<u64>().ok().map(|pages| pages * 4096)
}

const INPUTS: &str = r#"{"a":1}"#;

fn all() -> Vec<Guest> {
    let mut guests = friendly();
    guests.extend(trapping());
    guests.push(Guest { name: "allocates outside", code: "abi_violation", bytes: lying_allocator("(i32.const -1)") });
    guests.push(Guest { name: "allocates across the end", code: "abi_violation", bytes: lying_allocator("(i32.const 262143)") });
    guests
}

#[test]
fn p_21_every_hostile_guest_ends_in_its_code() {
    for guest in all() {
        let report = call(&NATIVE, &guest.bytes, INPUTS);
        assert_eq!(report.outcome.code(), guest.code, "{}: {:?}", guest.name, report.outcome);
        let class = if guest.code == "ok" { OutcomeClass::A } else { OutcomeClass::B };
        assert_eq!(report.outcome.class(), class, "{}", guest.name);
        assert_eq!(report.fuel_used.is_some(), class == OutcomeClass::A, "{}", guest.name);
    }
}

#[test]
fn p_21_every_guest_ends_the_same_way_each_time() {
    for guest in all() {
        let module = admit(&NATIVE, &guest.bytes);
        let first = module.transform(&LIMITS, "CT_TEST_V0", INPUTS);
        for _ in 0..3 {
            assert_eq!(module.transform(&LIMITS, "CT_TEST_V0", INPUTS), first, "{}", guest.name);
        }
    }
}

#[test]
fn p_21_the_interpreter_gives_the_same_report_to_the_unit_of_fuel() {
    for guest in all() {
        assert_eq!(call(&NATIVE, &guest.bytes, INPUTS), call(&PULLEY, &guest.bytes, INPUTS), "{}", guest.name);
    }
}

#[test]
fn p_21_the_smallest_fuel_that_suffices_is_the_fuel_used() {
    for sandbox in [&*NATIVE, &*PULLEY] {
        let module = admit(sandbox, &echo());
        let used = module.transform(&LIMITS, "C", INPUTS).fuel_used.unwrap();
        let at = |fuel| module.transform(&Limits { fuel, ..LIMITS }, "C", INPUTS);
        assert_eq!(at(used).fuel_used, Some(used));
        assert_eq!(at(used - 1).outcome.code(), "out_of_fuel");
        assert_eq!(at(0).outcome.code(), "out_of_fuel");
    }
}

#[test]
fn fuel_grows_with_the_inputs_even_if_they_are_not_read() {
    let module = admit(&NATIVE, &says("SUCCESS", "{}"));
    let used = |inputs: &str| module.transform(&LIMITS, "C", inputs).fuel_used.unwrap();
    assert!(used(&"x".repeat(50_000)) >= used("x") + 49_999);
}

#[test]
fn p_21_recursion_is_inconclusive_not_an_answer() {
    let bytes = transform("", "(call $run (local.get $c) (local.get $cl) (local.get $in) (local.get $len))");
    for sandbox in [&*NATIVE, &*PULLEY] {
        let limits = Limits { fuel: 1 << 40, ..LIMITS };
        let report = admit(sandbox, &bytes).transform(&limits, "C", INPUTS);
        assert_eq!((report.outcome.code(), report.outcome.class()), ("stack_overflow", OutcomeClass::C));
    }
}

#[test]
fn p_21_an_allocator_that_calls_itself_is_inconclusive_not_an_answer() {
    for sandbox in [&*NATIVE, &*PULLEY] {
        let limits = Limits { fuel: 1 << 40, ..LIMITS };
        let report = admit(sandbox, &recursive_allocator()).transform(&limits, "C", INPUTS);
        assert_eq!((report.outcome.code(), report.outcome.class()), ("stack_overflow", OutcomeClass::C));
    }
}

#[test]
fn p_21_handles_that_nobody_drops_are_inconclusive_and_leave_the_memory_of_the_host_bounded() {
    for sandbox in [&*NATIVE, &*PULLEY] {
        let module = sandbox.admit(&hoarder(), Profile::Standard).unwrap();
        let before = resident();
        for fuel in [LIMITS.fuel, 1 << 40] {
            let report = module.transform(&Limits { fuel, ..LIMITS }, "C", INPUTS);
            assert_eq!((report.outcome.code(), report.outcome.class()), ("handles", OutcomeClass::C));
        }
        // Without a bound of the engine it would be gigabytes before the watchdog.
        let grown = resident().zip(before).map_or(0, |(now, then)| now.saturating_sub(then));
        assert!(grown < 256 << 20, "grown by {grown}");
    }
}

#[test]
fn p_21_a_hanging_call_is_a_retry_not_an_answer() {
    let bytes = transform("", "(loop $for_ever (br $for_ever)) (unreachable)");
    let limits = Limits { fuel: u64::MAX / 4, ..LIMITS };
    let report = admit(&NATIVE, &bytes).transform(&limits, "C", INPUTS);
    assert_eq!((report.outcome.code(), report.outcome.class()), ("timeout", OutcomeClass::D));
}

#[test]
fn p_21_growth_stops_at_the_limit_of_the_call() {
    let grows = &friendly()[1];
    assert_eq!(grows.name, "grows until refused");
    let module = admit(&NATIVE, &grows.bytes);
    for pages in [5_u64, 8, 33] {
        let limits = Limits { memory_bytes: pages << 16, ..LIMITS };
        let report = module.transform(&limits, "C", "");
        let digit = (pages % 10).to_string();
        assert!(matches!(&report.outcome, enact_wasm::Outcome::Ok { outputs, .. } if *outputs == digit), "{:?}", report.outcome);
    }
}

#[test]
fn p_21_a_limit_above_the_slot_is_the_slot() {
    let module = admit(&NATIVE, &friendly()[1].bytes);
    let limits = Limits { memory_bytes: u64::MAX, ..LIMITS };
    let report = module.transform(&limits, "C", "");
    // 64 MiB are 1024 pages.
    assert!(matches!(&report.outcome, enact_wasm::Outcome::Ok { outputs, .. } if outputs == "4"), "{:?}", report.outcome);
}

#[test]
fn the_bits_of_a_nan_are_the_canonical_ones() {
    let guest = friendly().into_iter().find(|guest| guest.name.contains("NaN")).unwrap();
    for sandbox in [&*NATIVE, &*PULLEY] {
        let report = call(sandbox, &guest.bytes, INPUTS);
        // Low byte 0x00, high byte 0x7f.
        assert!(matches!(&report.outcome, enact_wasm::Outcome::Ok { outputs, .. } if outputs == "AP"), "{:?}", report.outcome);
    }
}

#[test]
fn p_21_outputs_that_are_not_json_are_one_stable_code() {
    for outputs in ["", "NaN", r#"{"a":NaN}"#, "[1]", r#"{"a":1,"a":2}"#, r#"{"a":1e999}"#] {
        let report = call(&NATIVE, &says("SUCCESS", outputs), INPUTS);
        let enact_wasm::Outcome::Ok { outputs, .. } = report.outcome else { panic!("{:?}", report.outcome) };
        assert_eq!(parse_outputs(&outputs).unwrap_err().code(), "outputs_not_json", "{outputs}");
    }
}

#[test]
fn one_call_leaves_nothing_for_the_next() {
    // Answers what lies at 4096, then writes there.
    let bytes = transform(
        "",
        r"(i32.store8 (i32.const 2048) (i32.add (i32.const 48) (i32.load8_u (i32.const 4096))))
          (memory.fill (i32.const 4096) (i32.const 1) (i32.const 60000))
          (call $success (i32.const 2048) (i32.const 1))",
    );
    let module = admit(&NATIVE, &bytes);
    for _ in 0..20 {
        let report = module.transform(&LIMITS, "C", INPUTS);
        assert!(matches!(&report.outcome, enact_wasm::Outcome::Ok { outputs, .. } if outputs == "0"));
    }
}

#[test]
fn p_21_many_hostile_calls_leave_the_memory_of_the_host_bounded() {
    let greedy = transform(
        "",
        "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
         (memory.fill (i32.const 65536) (i32.const 7) (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 65536)))
         (unreachable)",
    );
    let module = admit(&NATIVE, &greedy);
    let limits = Limits { fuel: 1 << 30, memory_bytes: 32 << 20, ..LIMITS };
    let Some(before) = resident() else { return };
    for _ in 0..40 {
        assert_eq!(module.transform(&limits, "C", "").outcome.code(), "unreachable");
    }
    // Each call touched 32 MiB; forty kept would be 1.3 GB.
    let grown = resident().unwrap().saturating_sub(before);
    assert!(grown < 256 << 20, "grown by {grown}");
}

#[test]
fn p_21_inputs_over_the_bound_do_not_reach_the_guest() {
    let module = admit(&NATIVE, &echo());
    let inputs = "x".repeat(enact_wasm::limits::INPUT_BYTES_MAX + 1);
    let limits = Limits { fuel: 1 << 40, memory_bytes: 64 << 20, ..LIMITS };
    assert_eq!(module.transform(&limits, "", &inputs).outcome.code(), "input_too_large");
}

#[test]
fn calls_on_many_threads_give_one_report() {
    let module = admit(&NATIVE, &echo());
    let expected = module.transform(&LIMITS, "C", INPUTS);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    assert_eq!(module.transform(&LIMITS, "C", INPUTS), expected);
                }
            });
        }
    });
}

#[test]
fn a_module_outlives_the_sandbox_that_admitted_it() {
    let sandbox = enact_wasm::Sandbox::new(&enact_wasm::Options::default()).unwrap();
    let module = admit(&sandbox, &transform_with(1, "", "(unreachable)", "", "utf8"));
    drop(sandbox);
    assert_eq!(module.transform(&LIMITS, "C", "").outcome.code(), "abi_violation");
}

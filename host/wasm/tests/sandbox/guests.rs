//! The corpus: what guests may do to a host, and how each of their calls must end.
use super::support::{RUNTIME, binary, lift, transform, transform_from, transform_with};

/// A guest with the code of its outcome.
pub(crate) struct Guest {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) code: &'static str,
}

/// Echoes its inputs.
pub(crate) fn echo() -> Vec<u8> {
    transform("", "(call $success (local.get $in) (local.get $len))")
}

/// Answers the outputs given, which must not need escapes in the text format.
pub(crate) fn says(status: &str, outputs: &str) -> Vec<u8> {
    let data = format!(r#"(data (i32.const 2048) "{status}") (data (i32.const 4096) "{}")"#, outputs.replace('"', "\\\""));
    let answer = format!("(call $answer (i32.const 2048) (i32.const {}) (i32.const 4096) (i32.const {}))", status.len(), outputs.len());
    transform(&data, &answer)
}

/// Whose calls end in class A.
pub(crate) fn friendly() -> Vec<Guest> {
    let guest = |name, bytes| Guest { name, bytes, code: "ok" };
    vec![
        guest("echo", echo()),
        // Grows until it is refused, then answers with what it has: the refusal is an answer, not the end.
        guest(
            "grows until refused",
            transform(
                "",
                "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
                 (i32.store8 (i32.const 2048) (i32.add (i32.const 48) (i32.rem_u (memory.size) (i32.const 10))))
                 (call $success (i32.const 2048) (i32.const 1))",
            ),
        ),
        guest(
            "asks for four gigabytes",
            transform(
                "",
                "(if (i32.ne (memory.grow (i32.const 65000)) (i32.const -1)) (then (unreachable)))
                 (call $success (local.get $in) (local.get $len))",
            ),
        ),
        guest(
            "beyond its own maximum",
            transform(
                "(table $t 1 2 funcref)",
                "(if (i32.ne (table.grow $t (ref.null func) (i32.const 5)) (i32.const -1)) (then (unreachable)))
                 (call $success (local.get $in) (local.get $len))",
            ),
        ),
        // A payload of a NaN could carry bits from outside. Whatever it was, only the canonical one comes out.
        guest(
            "shows the bits of a NaN",
            transform(
                "",
                r"(i64.store (i32.const 4096) (i64.reinterpret_f64 (f64.add (f64.const nan:0x4000000000123) (f64.const 1))))
                 (i32.store8 (i32.const 2048) (i32.add (i32.const 65) (i32.and (i32.load8_u (i32.const 4096)) (i32.const 15))))
                 (i32.store8 (i32.const 2049) (i32.add (i32.const 65) (i32.and (i32.load8_u (i32.const 4103)) (i32.const 15))))
                 (call $success (i32.const 2048) (i32.const 2))",
            ),
        ),
    ]
}

/// Whose calls end in class B.
pub(crate) fn trapping() -> Vec<Guest> {
    let plain = |name, code, run: &str| Guest { name, code, bytes: transform("", run) };
    let mut guests = vec![
        plain("loops", "out_of_fuel", "(loop $for_ever (br $for_ever)) (unreachable)"),
        plain("panics", "unreachable", "(unreachable)"),
        plain("reads outside", "memory_out_of_bounds", "(i32.load (i32.const -8))"),
        plain("copies outside", "memory_out_of_bounds", "(memory.fill (i32.const 1) (i32.const 0) (i32.const 262144)) (unreachable)"),
        plain("divides by zero", "integer_division_by_zero", "(i32.div_u (local.get $in) (i32.const 0))"),
        plain("overflows", "integer_overflow", "(i32.div_s (i32.const 0x80000000) (i32.const -1))"),
        plain("converts a NaN", "bad_conversion_to_integer", "(i32.trunc_f64_s (f64.const nan))"),
        plain("answers hugely", "output_too_large", "(call $success (i32.const 0) (i32.const 262144))"),
        plain("answers one byte too much", "output_too_large", "(call $success (i32.const 1024) (i32.const 65537))"),
        plain("answers a gibibyte", "abi_violation", "(call $success (i32.const 1024) (i32.const 0x40000000))"),
        plain("answers from outside", "abi_violation", "(call $success (i32.const 262143) (i32.const 2))"),
        plain("answers from the end of the world", "abi_violation", "(call $success (i32.const -1) (i32.const -1))"),
        plain("answers at an odd place", "abi_violation", "(i32.const 17)"),
        plain("answers beyond", "abi_violation", "(i32.const -16)"),
        plain("has no status", "bad_status", "(call $answer (i32.const 1024) (i32.const 0) (i32.const 1024) (i32.const 0))"),
        plain("has a long status", "bad_status", "(call $answer (i32.const 1024) (i32.const 65) (i32.const 1024) (i32.const 0))"),
    ];
    guests.extend(trapping_with_fields());
    guests.extend(trapping_at_the_edges());
    guests
}

fn trapping_with_fields() -> Vec<Guest> {
    let guest = |name, code, fields: &str, run: &str| Guest { name, code, bytes: transform(fields, run) };
    vec![
        guest(
            "is not UTF-8",
            "output_not_utf8",
            r#"(data (i32.const 2048) "\ff\fe\80")"#,
            "(call $success (i32.const 2048) (i32.const 3))",
        ),
        guest(
            "has half a character",
            "output_not_utf8",
            r#"(data (i32.const 2048) "{}\e2\82")"#,
            "(call $success (i32.const 2048) (i32.const 4))",
        ),
        guest("calls nothing", "indirect_call_to_null", "(table 1 funcref)", "(call_indirect (result i32) (i32.const 0))"),
        guest("calls outside", "table_out_of_bounds", "(table 1 funcref)", "(call_indirect (result i32) (i32.const 7))"),
        guest(
            "calls another type",
            "bad_signature",
            "(table 1 funcref) (elem (i32.const 0) $realloc)",
            "(call_indirect (result i32) (i32.const 0))",
        ),
        guest(
            "fills memory it was given",
            "out_of_fuel",
            "",
            "(drop (memory.grow (i32.const 30)))
             (loop $again (memory.fill (i32.const 65536) (i32.const 7) (i32.const 1000000)) (br $again)) (unreachable)",
        ),
        guest(
            "grows a table for ever",
            "out_of_fuel",
            "(table $t 0 funcref)",
            "(loop $again (drop (table.grow $t (ref.null func) (i32.const 100))) (br $again)) (unreachable)",
        ),
        guest("grows for ever", "out_of_fuel", "", "(loop $again (drop (memory.grow (i32.const 1))) (br $again)) (unreachable)"),
    ]
}

/// In the parts around `run`: allocator, post-return, instantiation.
fn trapping_at_the_edges() -> Vec<Guest> {
    let echo = "(call $success (local.get $in) (local.get $len))";
    let post = "(post-return (core func $i \"post\"))";
    let after = |name, code, body: &str| Guest {
        name,
        code,
        bytes: transform_with(4, &format!("(func (export \"post\") (param i32) {body})"), echo, post, "utf8"),
    };
    vec![
        Guest { name: "starts too large", code: "memory_limit", bytes: transform_with(64, "(table 64 funcref)", echo, "", "utf8") },
        Guest { name: "has data outside", code: "memory_out_of_bounds", bytes: transform("(data (i32.const 262140) \"12345678\")", echo) },
        after("loops afterwards", "out_of_fuel", "(loop $for_ever (br $for_ever))"),
        after("panics afterwards", "unreachable", "(unreachable)"),
    ]
}

/// Whose allocator answers `at` instead of a place it has.
pub(crate) fn lying_allocator(at: &str) -> Vec<u8> {
    transform_from(&format!(
        "(memory (export \"memory\") 4)
         (func (export \"realloc\") (param i32 i32 i32 i32) (result i32) {at})
         (func (export \"run\") (param i32 i32 i32 i32) (result i32) (i32.const 16))"
    ))
}

/// Whose allocator calls itself before it answers, as the host asks for room for the inputs.
pub(crate) fn recursive_allocator() -> Vec<u8> {
    transform_from(
        "(memory (export \"memory\") 4)
         (func $realloc (export \"realloc\") (param i32 i32 i32 i32) (result i32)
           (i32.add (call $realloc (local.get 0) (local.get 1) (local.get 2) (local.get 3)) (i32.const 8)))
         (func (export \"run\") (param i32 i32 i32 i32) (result i32) (i32.const 16))",
    )
}

/// Makes handles of a resource of its own until it is stopped, and drops none.
pub(crate) fn hoarder() -> Vec<u8> {
    let core = format!(
        "(import \"own\" \"new\" (func $new (param i32) (result i32))) {}
         (func (export \"run\") (param i32 i32 i32 i32) (result i32)
           (loop $more (drop (call $new (i32.const 7))) (br $more)) (unreachable))",
        RUNTIME.replace("PAGES", "4")
    );
    binary(&format!(
        r#"(component
      (type $r (resource (rep i32)))
      (core func $new (canon resource.new $r))
      (core module $m {core})
      (core instance $i (instantiate $m (with "own" (instance (export "new" (func $new))))))
      (type $call (record (field "capability" string) (field "inputs" string)))
      (type $outcome (record (field "status" string) (field "outputs" string)))
      {} )"#,
        lift("transform", "", "utf8")
    ))
}

//! Builds guests out of a few lines of text, and the sandboxes they run in.
//!
//! A guest is the body of one core module; everything around it, memory, allocator, lifting and the interface, is the same for all.
use std::sync::LazyLock;

use enact_wasm::{Backend, CallReport, EffectCall, Host, Limits, Module, Options, Profile, Sandbox};

/// Machine code.
pub(crate) static NATIVE: LazyLock<Sandbox> = LazyLock::new(|| Sandbox::new(&Options::default()).unwrap());
/// The interpreter.
pub(crate) static PULLEY: LazyLock<Sandbox> =
    LazyLock::new(|| Sandbox::new(&Options { backend: Backend::Pulley, ..Options::default() }).unwrap());

/// Small limits, so that hostile guests meet them soon.
pub(crate) const LIMITS: Limits =
    Limits { fuel: 20_000_000, memory_bytes: 4 << 20, output_bytes: 64 << 10, host_calls: 50, wall_ms: 10_000 };

/// Memory, allocator and `$answer`. Bytes 1024.. say SUCCESS, from 2048 on data of the guest may lie.
pub(crate) const RUNTIME: &str = r#"
    (memory (export "memory") PAGES)
    (global $next (mut i32) (i32.const 65536))
    (func $realloc (export "realloc") (param $old i32) (param $had i32) (param $align i32) (param $len i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
                              (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $at) (local.get $len)))
      (local.get $at))
    (func $answer (export "answer") (param $status i32) (param $status_len i32) (param $outputs i32) (param $outputs_len i32) (result i32)
      (i32.store (i32.const 16) (local.get $status))
      (i32.store (i32.const 20) (local.get $status_len))
      (i32.store (i32.const 24) (local.get $outputs))
      (i32.store (i32.const 28) (local.get $outputs_len))
      (i32.const 16))
    (func $success (export "success") (param $outputs i32) (param $outputs_len i32) (result i32)
      (call $answer (i32.const 1024) (i32.const 7) (local.get $outputs) (local.get $outputs_len)))
    (data (i32.const 1024) "SUCCESS")
"#;

/// The header of every transform's `run`.
const TRANSFORM_RUN: &str = r#"(func $run (export "run") (param $c i32) (param $cl i32) (param $in i32) (param $len i32) (result i32)"#;

/// A transform: `fields` are further fields of the core module, `run` is the body of its function.
pub(crate) fn transform(fields: &str, run: &str) -> Vec<u8> {
    transform_with(4, fields, run, "", "utf8")
}

/// A transform with so many initial pages, further options of `canon lift`, and a string encoding.
pub(crate) fn transform_with(pages: u32, fields: &str, run: &str, options: &str, encoding: &str) -> Vec<u8> {
    let runtime = RUNTIME.replace("PAGES", &pages.to_string());
    from_core("", &format!("{runtime} {fields} {TRANSFORM_RUN} {run})"), options, encoding)
}

/// A transform around a core module that exports `memory`, `realloc` and `run`.
pub(crate) fn transform_from(core: &str) -> Vec<u8> {
    from_core("", core, "", "utf8")
}

/// A transform with further fields of the component itself.
pub(crate) fn transform_beside(fields: &str) -> Vec<u8> {
    let core = format!("{} {TRANSFORM_RUN} (unreachable))", RUNTIME.replace("PAGES", "4"));
    from_core(fields, &core, "", "utf8")
}

fn from_core(beside: &str, core: &str, options: &str, encoding: &str) -> Vec<u8> {
    let types = r#"
      (type $call (record (field "capability" string) (field "inputs" string)))
      (type $outcome (record (field "status" string) (field "outputs" string)))"#;
    binary(&format!(
        "(component {beside} (core module $m {core}) (core instance $i (instantiate $m)) {types} {} )",
        lift("transform", options, encoding)
    ))
}

/// Lifts `$i.run` and exports it as the one function of `interface`.
pub(crate) fn lift(interface: &str, options: &str, encoding: &str) -> String {
    let record = match interface {
        "transform" => r#"(record (field "capability" string) (field "inputs" string))"#,
        _ => {
            r#"(record (field "capability" string) (field "operation" string) (field "inputs" string) (field "store" string)
               (field "idempotency-key" string))"#
        }
    };
    format!(
        r#"
      (type $run_type (func (param "call" $call) (result $outcome)))
      (func $run (type $run_type) (canon lift (core func $i "run") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))
        string-encoding={encoding} {options}))
      (component $shim
        (type $c {record})
        (import "import-call" (type $call (eq $c)))
        (type $o (record (field "status" string) (field "outputs" string)))
        (import "import-outcome" (type $outcome (eq $o)))
        (type $f (func (param "call" $call) (result $outcome)))
        (import "import-run" (func $run (type $f)))
        (export $call2 "call" (type $call))
        (export $outcome2 "outcome" (type $outcome))
        (type $f2 (func (param "call" $call2) (result $outcome2)))
        (export "run" (func $run) (func (type $f2))))
      (instance $out (instantiate $shim (with "import-run" (func $run)) (with "import-call" (type $call))
        (with "import-outcome" (type $outcome))))
      (export "enact:capability/{interface}@0.1.0" (instance $out))"#
    )
}

/// A side effect that imports `registry` and `log`. In `run`: `$register`, `$count`, `$append`, `$read`, `$in`, `$len`, `$store`, `$store_len`.
pub(crate) fn side_effect(fields: &str, run: &str) -> Vec<u8> {
    binary(&side_effect_text(fields, run))
}

/// The same as text.
pub(crate) fn side_effect_text(fields: &str, run: &str) -> String {
    let runtime = RUNTIME.replace("PAGES", "40");
    format!(
        r#"(component
      (import "enact:capability/fault@0.1.0" (instance $fault
        (type $e (variant (case "denied" string) (case "limit" string) (case "unavailable" string) (case "invalid" string)))
        (export "error" (type (eq $e)))))
      (alias export $fault "error" (type $error))
      (import "enact:capability/registry@0.1.0" (instance $registry
        (alias outer 1 $error (type $e)) (export "error" (type $err (eq $e)))
        (export "register" (func (param "store" string) (param "key" string) (param "value" string)
          (result (result (option string) (error $err)))))
        (export "count" (func (param "store" string) (result (result u64 (error $err)))))))
      (import "enact:capability/log@0.1.0" (instance $log
        (alias outer 1 $error (type $e)) (export "error" (type $err (eq $e)))
        (export "append" (func (param "store" string) (param "value" string) (result (result (error $err)))))
        (export "read" (func (param "store" string) (param "from" u64) (param "limit" u32)
          (result (result (list string) (error $err)))))))
      (core module $runtime {runtime})
      (core instance $rt (instantiate $runtime))
      (core func $register (canon lower (func $registry "register") (memory (core memory $rt "memory")) (realloc (core func $rt "realloc"))
        string-encoding=utf8))
      (core func $count (canon lower (func $registry "count") (memory (core memory $rt "memory")) (realloc (core func $rt "realloc"))
        string-encoding=utf8))
      (core func $append (canon lower (func $log "append") (memory (core memory $rt "memory")) (realloc (core func $rt "realloc"))
        string-encoding=utf8))
      (core func $read (canon lower (func $log "read") (memory (core memory $rt "memory")) (realloc (core func $rt "realloc"))
        string-encoding=utf8))
      (core module $m
        (import "rt" "memory" (memory 1))
        (import "rt" "success" (func $success (param i32 i32) (result i32)))
        (import "rt" "answer" (func $answer (param i32 i32 i32 i32) (result i32)))
        (import "host" "register" (func $register (param i32 i32 i32 i32 i32 i32 i32)))
        (import "host" "count" (func $count (param i32 i32 i32)))
        (import "host" "append" (func $append (param i32 i32 i32 i32 i32)))
        (import "host" "read" (func $read (param i32 i32 i64 i32 i32)))
        {fields}
        (func (export "run") (param $c i32) (param $cl i32) (param $op i32) (param $opl i32) (param $in i32) (param $len i32)
          (param $store i32) (param $store_len i32) (param $k i32) (param $kl i32) (result i32) {run}))
      (core instance $main (instantiate $m (with "rt" (instance $rt)) (with "host" (instance
        (export "register" (func $register)) (export "count" (func $count)) (export "append" (func $append))
        (export "read" (func $read))))))
      (core instance $i (export "run" (func $main "run")) (export "memory" (memory $rt "memory"))
        (export "realloc" (func $rt "realloc")))
      (type $call (record (field "capability" string) (field "operation" string) (field "inputs" string) (field "store" string)
        (field "idempotency-key" string)))
      (type $outcome (record (field "status" string) (field "outputs" string)))
      {} )"#,
        lift("side-effect", "", "utf8")
    )
}

/// The binary of a component in text.
pub(crate) fn binary(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// Admits under the strict profile.
pub(crate) fn admit(sandbox: &Sandbox, bytes: &[u8]) -> Module {
    sandbox.admit(bytes, Profile::Strict).unwrap_or_else(|e| panic!("{e}"))
}

/// One call of a transform with [`LIMITS`].
pub(crate) fn call(sandbox: &Sandbox, bytes: &[u8], inputs: &str) -> CallReport {
    admit(sandbox, bytes).transform(&LIMITS, "CT_TEST_V0", inputs)
}

/// One call of a side effect with [`LIMITS`].
pub(crate) fn effect(module: &Module, inputs: &str, grants: &[&str], host: &mut dyn Host) -> CallReport {
    let grants: Vec<String> = grants.iter().map(|&grant| grant.to_owned()).collect();
    let (capability, operation, store, idempotency_key) = ("CS_TEST_V0", "OP", "a/store", "key");
    let call = EffectCall { capability, operation, inputs, store, idempotency_key, grants: &grants, now_micros: 1_767_225_600_000_000 };
    module.side_effect(&LIMITS, &call, host)
}

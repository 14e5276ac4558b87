//! A side effect as toolchains for WASI make it: it imports the interfaces of WASI 0.2 with their own types.
use super::support::{RUNTIME, binary, lift};

/// Everything that the program imports, with what it uses of it.
const IMPORTS: &str = r#"
  (import "wasi:io/error@0.2.6" (instance $error (export "error" (type (sub resource)))))
  (alias export $error "error" (type $error_t))
  (import "wasi:io/poll@0.2.6" (instance $poll
    (export "pollable" (type $p (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $p))))
    (export "[method]pollable.ready" (func (param "self" (borrow $p)) (result bool)))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:io/streams@0.2.6" (instance $streams
    (alias outer 1 $error_t (type $e0)) (export "error" (type $e (eq $e0)))
    (export "input-stream" (type $in (sub resource)))
    (export "output-stream" (type $out (sub resource)))
    (type $se0 (variant (case "last-operation-failed" (own $e)) (case "closed")))
    (export "stream-error" (type $se (eq $se0)))
    (export "[method]input-stream.blocking-read" (func (param "self" (borrow $in)) (param "len" u64)
      (result (result (list u8) (error $se)))))
    (export "[method]output-stream.blocking-write-and-flush" (func (param "self" (borrow $out)) (param "contents" (list u8))
      (result (result (error $se)))))))
  (alias export $streams "input-stream" (type $input))
  (alias export $streams "output-stream" (type $output))
  (import "wasi:cli/stdin@0.2.6" (instance $stdin
    (alias outer 1 $input (type $s0)) (export "input-stream" (type $s (eq $s0))) (export "get-stdin" (func (result (own $s))))))
  (import "wasi:cli/stdout@0.2.6" (instance $stdout
    (alias outer 1 $output (type $s0)) (export "output-stream" (type $s (eq $s0))) (export "get-stdout" (func (result (own $s))))))
  (import "wasi:cli/environment@0.2.6" (instance $environment
    (export "get-environment" (func (result (list (tuple string string)))))
    (export "get-arguments" (func (result (list string))))
    (export "initial-cwd" (func (result (option string))))))
  (import "wasi:cli/exit@0.2.6" (instance $exit (export "exit" (func (param "status" (result))))))
  (import "wasi:clocks/wall-clock@0.2.6" (instance $wall
    (type $d (record (field "seconds" u64) (field "nanoseconds" u32)))
    (export "datetime" (type $datetime (eq $d))) (export "now" (func (result $datetime)))))
  (import "wasi:clocks/monotonic-clock@0.2.6" (instance $monotonic
    (alias outer 1 $pollable (type $p0)) (export "pollable" (type $p (eq $p0)))
    (export "now" (func (result u64))) (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
  (import "wasi:random/random@0.2.6" (instance $random
    (export "get-random-bytes" (func (param "len" u64) (result (list u8)))) (export "get-random-u64" (func (result u64)))))
  (import "wasi:random/insecure-seed@0.2.6" (instance $seed (export "insecure-seed" (func (result (tuple u64 u64))))))
  (import "wasi:filesystem/types@0.2.6" (instance $types
    (export "descriptor" (type $d (sub resource)))
    (type $ec (enum "access" "would-block" "already" "bad-descriptor" "busy" "deadlock" "quota" "exist" "file-too-large"
      "illegal-byte-sequence" "in-progress" "interrupted" "invalid" "io" "is-directory" "loop" "too-many-links" "message-size"
      "name-too-long" "no-device" "no-entry" "no-lock" "insufficient-memory" "insufficient-space" "not-directory" "not-empty"
      "not-recoverable" "unsupported" "no-tty" "no-such-device" "overflow" "not-permitted" "pipe" "read-only" "invalid-seek"
      "text-file-busy" "cross-device"))
    (export "error-code" (type $error_code (eq $ec)))
    (type $pf (flags "symlink-follow"))
    (export "path-flags" (type $path_flags (eq $pf)))
    (type $of (flags "create" "directory" "exclusive" "truncate"))
    (export "open-flags" (type $open_flags (eq $of)))
    (type $df (flags "read" "write" "file-integrity-sync" "data-integrity-sync" "requested-write-sync" "mutate-directory"))
    (export "descriptor-flags" (type $descriptor_flags (eq $df)))
    (export "[method]descriptor.open-at" (func (param "self" (borrow $d)) (param "path-flags" $path_flags) (param "path" string)
      (param "open-flags" $open_flags) (param "flags" $descriptor_flags) (result (result (own $d) (error $error_code)))))))
  (alias export $types "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@0.2.6" (instance $preopens
    (alias outer 1 $descriptor (type $d0)) (export "descriptor" (type $d (eq $d0)))
    (export "get-directories" (func (result (list (tuple (own $d) string)))))))"#;

/// What is lowered: its name in the core module, instance, function, core type.
const LOWERED: [(&str, &str, &str, &str); 17] = [
    ("block", "poll", "[method]pollable.block", "(param i32)"),
    ("ready", "poll", "[method]pollable.ready", "(param i32) (result i32)"),
    ("read", "streams", "[method]input-stream.blocking-read", "(param i32 i64 i32)"),
    ("write", "streams", "[method]output-stream.blocking-write-and-flush", "(param i32 i32 i32 i32)"),
    ("stdin", "stdin", "get-stdin", "(result i32)"),
    ("stdout", "stdout", "get-stdout", "(result i32)"),
    ("environment", "environment", "get-environment", "(param i32)"),
    ("arguments", "environment", "get-arguments", "(param i32)"),
    ("cwd", "environment", "initial-cwd", "(param i32)"),
    ("exit", "exit", "exit", "(param i32)"),
    ("wall", "wall", "now", "(param i32)"),
    ("monotonic", "monotonic", "now", "(result i64)"),
    ("sleep", "monotonic", "subscribe-duration", "(param i64) (result i32)"),
    ("bytes", "random", "get-random-bytes", "(param i64 i32)"),
    ("seed", "seed", "insecure-seed", "(param i32)"),
    ("folders", "preopens", "get-directories", "(param i32)"),
    ("open", "types", "[method]descriptor.open-at", "(param i32 i32 i32 i32 i32 i32 i32)"),
];

/// A program. In `run`: the functions of [`LOWERED`], `$u64` (a random number), `$drop` (of a pollable), and `$put`, which adds a number to
/// the answer as sixteen digits. The answer follows by itself.
pub(crate) fn program(run: &str) -> Vec<u8> {
    program_with("", "", run)
}

/// The same with further imports of the component and further fields of its core module.
pub(crate) fn program_with(imports: &str, fields: &str, run: &str) -> Vec<u8> {
    build("side-effect", imports, fields, run)
}

/// The same, exported as a transform.
pub(crate) fn impure_program() -> Vec<u8> {
    build("transform", "", "", "")
}

fn build(interface: &str, imports: &str, fields: &str, run: &str) -> Vec<u8> {
    let runtime = RUNTIME.replace("PAGES", "4");
    let memory = r#"(memory (core memory $rt "memory")) (realloc (core func $rt "realloc")) string-encoding=utf8"#;
    let lowered: String = LOWERED
        .iter()
        .map(|(name, from, function, _)| format!("(core func ${name} (canon lower (func ${from} \"{function}\") {memory}))\n"))
        .collect();
    let imported: String = LOWERED.iter().map(|(name, .., ty)| format!("(import \"wasi\" \"{name}\" (func ${name} {ty}))\n")).collect();
    let given: String = LOWERED.iter().map(|(name, ..)| format!("(export \"{name}\" (func ${name}))\n")).collect();
    let (record, parameters) = match interface {
        "transform" => (r#"(record (field "capability" string) (field "inputs" string))"#, 4),
        _ => (
            r#"(record (field "capability" string) (field "operation" string) (field "inputs" string) (field "store" string)
              (field "idempotency-key" string))"#,
            10,
        ),
    };
    let parameters = "(param i32)".repeat(parameters);
    let lifted = lift(interface, "", "utf8");
    binary(&format!(
        r#"(component {IMPORTS} {imports}
      (core module $runtime {runtime})
      (core instance $rt (instantiate $runtime))
      {lowered}
      (core func $u64 (canon lower (func $random "get-random-u64")))
      (core func $drop (canon resource.drop $pollable))
      (core module $m
        (import "rt" "memory" (memory 1))
        (import "rt" "success" (func $success (param i32 i32) (result i32)))
        {imported}
        (import "wasi" "u64" (func $u64 (result i64)))
        (import "wasi" "drop" (func $drop (param i32)))
        (data (i32.const 2048) "{{\22out\22:\22")
        (data (i32.const 8192) "0123456789abcdef")
        (data (i32.const 8256) "hello\n\1b[2J")
        (data (i32.const 8288) "/etc/passwd")
        (global $at (mut i32) (i32.const 2056))
        (func $put (param $n i64) (local $i i32)
          (loop $digits
            (i32.store8 (i32.add (global.get $at) (local.get $i))
              (i32.load8_u (i32.add (i32.const 8192) (i32.wrap_i64 (i64.shr_u (local.get $n) (i64.const 60))))))
            (local.set $n (i64.shl (local.get $n) (i64.const 4)))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $digits (i32.lt_u (local.get $i) (i32.const 16))))
          (global.set $at (i32.add (global.get $at) (i32.const 16))))
        {fields}
        (func (export "run") {parameters} (result i32) (local $h i32) (local $n i32)
          {run}
          (i32.store16 (global.get $at) (i32.const 0x7d22))
          (call $success (i32.const 2048) (i32.sub (i32.add (global.get $at) (i32.const 2)) (i32.const 2048)))))
      (core instance $main (instantiate $m (with "rt" (instance $rt)) (with "wasi" (instance
        {given} (export "u64" (func $u64)) (export "drop" (func $drop))))))
      (core instance $i (export "run" (func $main "run")) (export "memory" (memory $rt "memory"))
        (export "realloc" (func $rt "realloc")))
      (type $call {record})
      (type $outcome (record (field "status" string) (field "outputs" string)))
      {lifted} )"#
    ))
}

//! What chance builds: core modules around which there is just enough of a component, whole components, and bitten copies of real ones.
use arbitrary::Unstructured;
use wasm_smith::{Component, Config, Module};

use crate::hostile::support;
use crate::support::project;

/// One file that nobody wrote.
pub(super) struct Case {
    pub(super) what: &'static str,
    pub(super) bytes: Vec<u8>,
    /// The code that it is called with.
    pub(super) code: String,
}

/// splitmix64: the sequence follows from the seed, and neighbouring seeds have nothing in common.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).take(len).collect()
    }
}

/// Case `nth` of the sequence that `seed` begins.
pub(super) fn case(seed: u64, nth: u64) -> Case {
    let mut random = Random(seed ^ nth.wrapping_mul(0xd6e8_feb8_6659_fd93));
    let test = |what, bytes| Case { what, bytes, code: "CT_TEST_V0".to_owned() };
    match nth % 8 {
        0 => test("a module that is all of the capability", bare(&mut random)),
        1 | 2 => test("a module that ends, and answers", answering(&mut random, true)),
        3 => test("a module that may not end", answering(&mut random, false)),
        4 => test("a module with proposals that do not exist here", wild(&mut random)),
        5 => test("a component", component(&mut random)),
        6 => bitten("a real one with some octets changed", &mut random, changed),
        _ => bitten("a real one that was cut", &mut random, cut),
    }
}

/// What the engine knows, and no import: whatever is refused is not refused for that.
fn known(exports: &str, random: &mut Random) -> Config {
    Config {
        exports: Some(wat::parse_str(exports).unwrap()),
        max_imports: 0,
        allow_start_export: false,
        threads_enabled: false,
        gc_enabled: false,
        exceptions_enabled: false,
        simd_enabled: false,
        relaxed_simd_enabled: false,
        tail_call_enabled: false,
        memory64_enabled: false,
        // References of hosts do not exist here, and a generator has them or none at all.
        reference_types_enabled: random.below(4) == 0,
        // Beside the one that is asked for.
        max_memories: 0,
        max_memory32_bytes: 4 << 20,
        max_tables: 3,
        max_table_elements: 10_000,
        max_funcs: 20,
        max_instructions: 300,
        ..Config::default()
    }
}

fn generated(random: &mut Random, config: &Config, ends: bool) -> Vec<u8> {
    // What chance gave may not be enough for what is asked of it; more chance is.
    for _ in 0..100 {
        let len = 4_096 + random.below(12_288);
        let seed = random.bytes(len);
        let Ok(mut module) = Module::new(config.clone(), &mut Unstructured::new(&seed)) else { continue };
        if ends && module.ensure_termination(100_000).is_err() {
            continue;
        }
        return module.to_bytes();
    }
    panic!("nothing comes of this seed");
}

/// Allocator, memory and `run` are chance.
fn bare(random: &mut Random) -> Vec<u8> {
    let exports = r#"(module (memory (export "memory") 2 16)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable) (func (export "run") (param i32 i32 i32 i32) (result i32) unreachable))"#;
    let config = known(exports, random);
    let core = generated(random, &config, false);
    wrapped(&core, r#"(core instance $i (instantiate $m))"#)
}

/// Functions and memory are chance, the allocator and the answer are not: the digits of what the functions gave, in the memory that
/// they may have overwritten.
fn answering(random: &mut Random, ends: bool) -> Vec<u8> {
    let exports = r#"(module (memory (export "memory") 3 32) (func (export "a") (param i32 i32) (result i32) unreachable)
        (func (export "b") (param i64 f64) (result i64) unreachable) (func (export "c") (param f32 i32) (result f64) unreachable))"#;
    let mut config = known(exports, random);
    if ends {
        // Most of what chance writes traps at once, or goes round in circles.
        (config.disallow_traps, config.max_instructions) = (random.below(8) > 0, 60);
    }
    let core = generated(random, &config, ends);
    let around = r#"
      (core instance $chance (instantiate $m))
      (core module $rt
        (import "chance" "memory" (memory 3))
        (import "chance" "a" (func $a (param i32 i32) (result i32)))
        (import "chance" "b" (func $b (param i64 f64) (result i64)))
        (import "chance" "c" (func $c (param f32 i32) (result f64)))
        (global $next (mut i32) (i32.const 65536))
        (func (export "realloc") (param i32 i32 i32 i32) (result i32)
          (global.set $next (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
          (global.get $next)
          (global.set $next (i32.add (global.get $next) (local.get 3))))
        (func (export "run") (param $c i32) (param $cl i32) (param $in i32) (param $len i32) (result i32)
          (local $n i64) (local $at i32)
          (local.set $n (i64.extend_i32_u (call $a (local.get $in) (local.get $len))))
          (local.set $n (i64.xor (local.get $n) (call $b (local.get $n) (f64.const 1.5))))
          (local.set $n (i64.xor (local.get $n) (i64.reinterpret_f64 (call $c (f32.const 0.1) (i32.wrap_i64 (local.get $n))))))
          (i64.store (i32.const 1024) (i64.const 0x53534543435553))
          (i64.store (i32.const 2048) (i64.const 0x223a226e227b))
          (local.set $at (i32.const 2054))
          (loop $digits
            (i32.store8 (local.get $at) (i32.add (i32.const 97) (i32.wrap_i64 (i64.and (local.get $n) (i64.const 15)))))
            (local.set $n (i64.shr_u (local.get $n) (i64.const 4)))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br_if $digits (i64.ne (local.get $n) (i64.const 0))))
          (i32.store16 (local.get $at) (i32.const 0x7d22))
          (i32.store (i32.const 16) (i32.const 1024)) (i32.store (i32.const 20) (i32.const 7))
          (i32.store (i32.const 24) (i32.const 2048)) (i32.store (i32.const 28) (i32.sub (local.get $at) (i32.const 2046)))
          (i32.const 16)))
      (core instance $run (instantiate $rt (with "chance" (instance $chance))))
      (core instance $i (export "memory" (memory $chance "memory")) (export "run" (func $run "run"))
        (export "realloc" (func $run "realloc")))"#;
    wrapped(&core, around)
}

/// Start functions, odd sections, and every proposal that a generator knows.
fn wild(random: &mut Random) -> Vec<u8> {
    let exports = r#"(module (memory (export "memory") 2 16)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable) (func (export "run") (param i32 i32 i32 i32) (result i32) unreachable))"#;
    let plain = known(exports, random);
    let config = Config {
        exports: Some(wat::parse_str(exports).unwrap()),
        allow_start_export: random.below(2) == 0,
        generate_custom_sections: true,
        threads_enabled: random.below(3) == 0,
        gc_enabled: random.below(3) == 0,
        exceptions_enabled: random.below(3) == 0,
        simd_enabled: random.below(3) == 0,
        tail_call_enabled: random.below(3) == 0,
        memory64_enabled: random.below(3) == 0,
        max_memories: random.below(4),
        max_memory32_bytes: 1 << 32,
        max_table_elements: 1_000_000,
        min_uleb_size: u8::try_from(1 + random.below(5)).unwrap(),
        ..plain
    };
    let core = generated(random, &config, false);
    wrapped(&core, r#"(core instance $i (instantiate $m))"#)
}

fn component(random: &mut Random) -> Vec<u8> {
    for _ in 0..100 {
        let len = 512 + random.below(4_096);
        let seed = random.bytes(len);
        let config = Config { max_imports: 0, max_components: 4, ..Config::default() };
        if let Ok(component) = Component::new(config, &mut Unstructured::new(&seed)) {
            return component.to_bytes();
        }
    }
    panic!("nothing comes of this seed");
}

/// The smallest component that lifts `$i.run`; the binary takes the place of `$m`, which is its first section.
fn wrapped(core: &[u8], around: &str) -> Vec<u8> {
    let lifted = support::lift("transform", "", "utf8");
    let types = r#"(type $call (record (field "capability" string) (field "inputs" string)))
      (type $outcome (record (field "status" string) (field "outputs" string)))"#;
    let outer = support::binary(&format!("(component (core module $m) {around} {types} {lifted})"));
    // A header of 8 octets, then section 1, a core module, with its length in one octet: there is only a name in it.
    assert!(outer[8] == 1 && outer[9] < 128, "the first section is another one");
    let after = 10 + usize::from(outer[9]);
    let mut bytes = outer[..9].to_vec();
    crate::modules_hostile::leb(&mut bytes, core.len());
    bytes.extend_from_slice(core);
    bytes.extend_from_slice(&outer[after..]);
    bytes
}

/// A committed capability, bitten.
fn bitten(what: &'static str, random: &mut Random, bite: fn(&mut Random, Vec<u8>) -> Vec<u8>) -> Case {
    let mut folders: Vec<_> = std::fs::read_dir(project("capabilities")).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.retain(|folder| folder.join("manifest.json").is_file());
    folders.sort();
    let folder = &folders[random.below(folders.len())];
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let bytes = bite(random, std::fs::read(folder.join(format!("{name}.wasm"))).unwrap());
    let manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    let codes: Vec<&String> = manifest["codes"].as_object().unwrap().keys().collect();
    Case { what, bytes, code: codes[random.below(codes.len())].clone() }
}

fn changed(random: &mut Random, mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..=random.below(3) {
        // Half of the changes are where the data usually is: what lies in the code is mostly no code any more afterwards.
        let (from, span) = if random.below(2) == 0 { (0, bytes.len()) } else { (bytes.len() / 4 * 3, bytes.len() / 4) };
        let at = from + random.below(span);
        bytes[at] = u8::try_from(random.below(256)).unwrap();
    }
    bytes
}

fn cut(random: &mut Random, mut bytes: Vec<u8>) -> Vec<u8> {
    match random.below(3) {
        0 => bytes.truncate(random.below(bytes.len())),
        1 => {
            let (from, len) = (random.below(bytes.len()), random.below(64));
            bytes.drain(from..(from + len).min(bytes.len()));
        }
        _ => {
            let (from, len, to) = (random.below(bytes.len()), random.below(4_096), random.below(bytes.len()));
            let piece = bytes[from..(from + len).min(bytes.len())].to_vec();
            bytes.splice(to..to, piece);
        }
    }
    bytes
}

//! Links the pure crates into a program that has no standard library, and runs them once.
//!
//! The program defines the panic handler and the allocator itself. A standard library anywhere below would define them a
//! second time, and the build fails. It is a guard, not a test suite: what the crates compute is tested beside them.
#![no_std]
#![no_main]

extern crate alloc;
#[cfg(feature = "sneak")]
extern crate std;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec;
use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ffi::c_int;
use core::panic::PanicInfo;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicUsize, Ordering};

use enact_core::canonical;
use enact_core::entry::{Draft, Entry, Head, Kind, Local, Record, seal};
use enact_core::hash::{Digest, module_digest};
use enact_core::receipt::RECORD_TYPE;
use enact_core::verify::Verifier;

/// Bytes the program may allocate in its life; it seals one small entry.
const ARENA_BYTES: usize = 8 * 1024 * 1024;

// The C library's start code calls `main`, and the compiler emits calls of `memcpy` and its like. Nothing else of it is used.
#[link(name = "c")]
unsafe extern "C" {
    fn abort() -> !;
}

/// Hands out the arena front to back and takes nothing back.
struct Bump {
    arena: UnsafeCell<[u8; ARENA_BYTES]>,
    used: AtomicUsize,
}

// SAFETY: the arena is only touched through ranges that `used` hands out once each.
unsafe impl Sync for Bump {}

// SAFETY: every range returned lies inside the arena, is aligned, and overlaps no other.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.arena.get() as usize;
        let claim = |used: usize| {
            let begin = start.checked_add(used)?.checked_next_multiple_of(layout.align())? - start;
            begin.checked_add(layout.size()).filter(|end| *end <= ARENA_BYTES)
        };
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, claim) {
            // SAFETY: `claim` keeps `end` within the arena, and `begin` is the same computation from the old value.
            Ok(used) => claim(used).map_or(null_mut(), |end| unsafe { self.arena.get().cast::<u8>().add(end - layout.size()) }),
            Err(_) => null_mut(),
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: Bump = Bump { arena: UnsafeCell::new([0; ARENA_BYTES]), used: AtomicUsize::new(0) };

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: `abort` takes nothing and does not return.
    unsafe { abort() }
}

/// The precompiled `alloc` mentions the unwinder's personality; nothing here unwinds, so it is never called.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// Same for the continuation of an unwinding that never starts.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() {
    // SAFETY: `abort` takes nothing and does not return.
    unsafe { abort() }
}

/// Exit code 0 when everything answered as it must, else the number of the question.
#[unsafe(no_mangle)]
extern "C" fn main(_: c_int, _: *const *const u8) -> c_int {
    if seals_and_verifies().is_none() {
        return 1;
    }
    if !reads_decimals_exactly() {
        return 2;
    }
    if !compiles_artifacts() {
        return 3;
    }
    if !queues_an_item() {
        return 4;
    }
    0
}

fn draft(protocol: Digest) -> Draft {
    let record = Record {
        kind: Kind::Receipt,
        type_: String::from(RECORD_TYPE),
        action: String::from("SAMPLE"),
        subject: String::from("Sample:1"),
        actor: String::from("Sample:1"),
        seat: None,
        scope: None,
        auth: None,
        refs: BTreeMap::new(),
        consumes: vec![],
        version: None,
        postings: None,
        payload: serde_json::Value::from("payload"),
        sig: None,
    };
    Draft {
        protocol,
        at: String::from("2026-04-17T10:00:00Z"),
        records: vec![record],
        local: Local { node: String::from("node"), attempt: 1 },
    }
}

/// An append and its verification, start to end.
fn seals_and_verifies() -> Option<Entry> {
    let sealed = seal(&Head::empty(), "example.org/ledger", draft(module_digest(b"protocol"))).ok()?;
    let mut verifier = Verifier::new("example.org/ledger");
    let entry = verifier.feed(sealed.seq, &sealed.bytes, &sealed.leaf).ok()?;
    verifier.finish(&sealed.head).is_empty().then_some(entry)
}

/// Whether the parser is exact in a build where no other crate can have switched `float_roundtrip` on.
fn reads_decimals_exactly() -> bool {
    ["51.24817837550540", "2.638344616030823e-256", "1.7976931348623157e-300", "-53.67", "1.9156918820264798e-56"].iter().all(|text| {
        let read = canonical::parse(text.as_bytes()).ok().and_then(|value| value.as_f64());
        read.map(f64::to_bits) == text.parse::<f64>().ok().map(f64::to_bits)
    })
}

/// The flow crate is linked and judges an artifact.
fn compiles_artifacts() -> bool {
    enact_flow::artifact::parse("IN_SAMPLE_V0", b"{}").is_err()
}

/// The queue crate is linked and writes the first line of an item that it reads back.
fn queues_an_item() -> bool {
    use enact_queue::{Map, id::QueueId, item::Item, item::Queued, order::Place};
    let line = QueueId::numbered("EXQ", 0, 1).and_then(|id| {
        let place = Place { entry: 1, position: 0 };
        Item::queued(Queued { id, contract: String::from("QC_SAMPLE_V0"), kept: Map::new(), place, not_before_us: None, at_us: 0 })
    });
    line.is_ok_and(|item| Item::from_line(&item.to_line(), |_| false) == Ok(item))
}

//! The allocator of a module: it hands out memory upwards and takes back only the newest block. `wasm32` only.
//!
//! An instance serves one call and is then thrown away, so freeing is work for nothing; a call pays a few instructions per block.
//! The newest block can grow and shrink in place, which is what a growing string or vector needs.
#![allow(unsafe_code, reason = "a global allocator cannot be written without; the whole of it is below")]

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::{memory_grow, memory_size};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Size of a page of linear memory, fixed by WebAssembly.
const PAGE: usize = 65536;
/// Grow by this much at once: growing costs the host two system calls, and most calls fit the initial memory.
const STEP_PAGES: usize = 4;

/// Modules have one thread; an atomic that is only ever loaded and stored is a plain number there, and needs no `unsafe`.
struct Bump {
    next: AtomicUsize,
}

#[global_allocator]
static ALLOCATOR: Bump = Bump { next: AtomicUsize::new(0) };

unsafe extern "C" {
    /// Set by the linker: the first address after stack and data.
    static __heap_base: u8;
}

impl Bump {
    fn next(&self) -> usize {
        match self.next.load(Relaxed) {
            0 => (&raw const __heap_base).addr(),
            next => next,
        }
    }

    /// Moves the end of used memory to `end`; `false` when the host refuses to grow that far.
    fn reach(&self, end: usize) -> bool {
        let bound = memory_size::<0>() * PAGE;
        if end > bound {
            let missing = (end - bound).div_ceil(PAGE);
            let grown = missing > STEP_PAGES || memory_grow::<0>(STEP_PAGES) != usize::MAX;
            if (missing > STEP_PAGES || !grown) && memory_grow::<0>(missing) == usize::MAX {
                return false;
            }
        }
        self.next.store(end, Relaxed);
        true
    }
}

// SAFETY: every block lies between `__heap_base` and the end of memory, blocks do not overlap because `next` only moves back to the
// start of the newest block when that block is freed, and `alloc` answers null when memory cannot grow.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let aligned = self.next().checked_next_multiple_of(layout.align());
        let Some(start) = aligned else { return core::ptr::null_mut() };
        match start.checked_add(layout.size()) {
            Some(end) if self.reach(end) => core::ptr::with_exposed_provenance_mut(start),
            _ => core::ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if block.addr() + layout.size() == self.next() {
            self.next.store(block.addr(), Relaxed);
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if block.addr() + layout.size() == self.next() {
            return match block.addr().checked_add(new_size) {
                Some(end) if self.reach(end) => block,
                _ => core::ptr::null_mut(),
            };
        }
        if new_size <= layout.size() {
            return block;
        }
        // SAFETY: the alignment is the block's own and the caller promises that the new size fits `isize`; the copy stays inside both
        // blocks, which do not overlap.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
            if !moved.is_null() {
                core::ptr::copy_nonoverlapping(block, moved, layout.size());
            }
            moved
        }
    }
}

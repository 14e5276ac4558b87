//! The canonical ABI of the two exports: how strings arrive, how an answer leaves. `wasm32` only, and not for use by hand.
//!
//! Written out instead of generated: it is these few lines, it needs no code generator in the build, and the componentizer checks
//! every signature against `protocol/wit`. An instance serves one call, so nothing is given back and there is no post-return.
#![allow(unsafe_code, reason = "this is the boundary: pointers from the host become strings here and nowhere else")]

use alloc::alloc::{Layout, alloc, realloc};
use alloc::boxed::Box;

use crate::imports::Imports;
use crate::{Answer, Call, Context};

/// `record outcome { status: string, outputs: string }` as the host reads it from memory.
#[repr(C)]
#[derive(Debug)]
pub struct Reply {
    status: *const u8,
    status_len: usize,
    outputs: *const u8,
    outputs_len: usize,
}

/// A string that the host has written.
///
/// # Safety
/// `start` and `len` describe UTF-8 that the host wrote into memory from `cabi_realloc`, to which nothing else points.
#[must_use]
pub const unsafe fn text(start: *const u8, len: usize) -> &'static str {
    // SAFETY: the canonical ABI promises exactly what this function requires: the host validates UTF-8 when it lowers a string, and
    // memory lives as long as the instance.
    unsafe { core::str::from_utf8_unchecked(core::slice::from_raw_parts(start, len)) }
}

/// Leaves an answer in memory for the host to read.
#[must_use]
pub fn reply(answer: Answer) -> *const Reply {
    let outputs = answer.outputs.leak();
    Box::leak(Box::new(Reply {
        status: answer.status.as_ptr(),
        status_len: answer.status.len(),
        outputs: outputs.as_ptr(),
        outputs_len: outputs.len(),
    }))
}

/// Runs a side effect's dispatcher against the host's imports.
#[must_use]
pub fn with_context(call: &Call<'static>, dispatch: fn(&mut Context<'_>, &Call<'_>) -> Answer) -> Answer {
    dispatch(&mut Context::new(&mut Imports, call), call)
}

/// Where the host gets memory for what it passes in.
///
/// # Safety
/// As the canonical ABI demands: `old` and `old_len` are from an earlier call with the same `align`, or zero; `align` is a power of two.
#[unsafe(export_name = "cabi_realloc")]
unsafe extern "C" fn cabi_realloc(old: *mut u8, old_len: usize, align: usize, new_len: usize) -> *mut u8 {
    if new_len == 0 {
        return core::ptr::without_provenance_mut(align);
    }
    // SAFETY: see above; the layout of a block is the one it was taken with.
    let block = unsafe {
        if old_len == 0 {
            alloc(Layout::from_size_align_unchecked(new_len, align))
        } else {
            realloc(old, Layout::from_size_align_unchecked(old_len, align), new_len)
        }
    };
    if block.is_null() {
        // The policy's memory is used up. A trap is the deterministic answer; there is nobody to return an error to.
        core::arch::wasm32::unreachable()
    }
    block
}

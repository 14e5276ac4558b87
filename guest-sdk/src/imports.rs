//! The host's imports as the canonical ABI lays them out: flat numbers in, one return area out. `wasm32` only.
//!
//! It checks nothing: grants and limits are the host's business. Offsets are those of the Component Model's canonical ABI for the
//! types in `protocol/wit/capability.wit`; the componentizer checks the flat signatures.
#![allow(unsafe_code, reason = "foreign functions; each wrapper below hands them an area of the size that their result has")]

use alloc::string::String;
use alloc::vec::Vec;

use crate::{Document, Expect, Fault, HttpCall, HttpResponse, Written};

/// The real host. Zero-sized: its state is on the other side.
#[derive(Debug)]
pub struct Imports;

/// A return area: the largest result (`result<option<document>, error>`) takes 32 bytes at alignment 8.
#[repr(C, align(8))]
struct Area([u8; 32]);

/// Where the payload of a result starts whose largest member is aligned to 4 bytes.
const NARROW: usize = 4;
/// The same for a result that holds a `u64`.
const WIDE: usize = 8;

impl Area {
    const fn new() -> Self {
        Self([0; 32])
    }

    const fn start(&mut self) -> *mut u8 {
        self.0.as_mut_ptr()
    }

    fn word(&self, at: usize) -> usize {
        // SAFETY: all callers stay within the 32 bytes; the read does not ask for alignment.
        unsafe { self.0.as_ptr().add(at).cast::<usize>().read_unaligned() }
    }

    fn long(&self, at: usize) -> u64 {
        // SAFETY: as above.
        unsafe { self.0.as_ptr().add(at).cast::<u64>().read_unaligned() }
    }

    /// Takes the string whose pointer and length lie at `at`.
    fn text(&self, at: usize) -> String {
        // SAFETY: the host wrote valid UTF-8 into exactly this block.
        unsafe { taken_text(self.word(at), self.word(at + 4)) }
    }

    /// The error in the payload, if the discriminant of the result says so.
    fn check(&self, payload: usize) -> Result<(), Fault> {
        if self.0[0] == 0 {
            return Ok(());
        }
        let message = self.text(payload + 4);
        Err(match self.0[payload] {
            0 => Fault::Denied(message),
            1 => Fault::Limit(message),
            2 => Fault::Unavailable(message),
            _ => Fault::Invalid(message),
        })
    }
}

/// # Safety
/// `start` and `len` describe UTF-8 that the host wrote into memory from `cabi_realloc`; it is taken once.
unsafe fn taken_text(start: usize, len: usize) -> String {
    // SAFETY: the caller promises it.
    unsafe { String::from_utf8_unchecked(taken_bytes(start, len)) }
}

/// # Safety
/// As for [`taken_text`], without UTF-8.
unsafe fn taken_bytes(start: usize, len: usize) -> Vec<u8> {
    if len == 0 {
        return Vec::new();
    }
    // SAFETY: the block was allocated with alignment 1 and this size.
    unsafe { Vec::from_raw_parts(core::ptr::with_exposed_provenance_mut(start), len, len) }
}

/// Reads `len` elements of `size` bytes each at `start`, giving `read` the address of each.
fn elements<T>(start: usize, len: usize, size: usize, read: impl Fn(*const usize) -> T) -> Vec<T> {
    (0..len).map(|index| read(core::ptr::with_exposed_provenance(start + index * size))).collect()
}

/// One import: its interface, its name, and its flat parameters; the last one is always the return area.
macro_rules! import {
    ($interface:literal { $($name:literal => $rust:ident($($parameter:ident: $kind:ty),* $(,)?);)+ }) => {
        #[link(wasm_import_module = $interface)]
        unsafe extern "C" {
            $(#[link_name = $name] fn $rust($($parameter: $kind,)* area: *mut u8);)+
        }
    };
}

import!("enact:capability/registry@0.1.0" {
    "register" => import_register(store: *const u8, store_len: usize, key: *const u8, key_len: usize, value: *const u8, value_len: usize);
    "lookup" => import_lookup(store: *const u8, store_len: usize, key: *const u8, key_len: usize);
    "retire" => import_retire(store: *const u8, store_len: usize, key: *const u8, key_len: usize);
    "count" => import_count(store: *const u8, store_len: usize);
});
import!("enact:capability/table@0.1.0" {
    "get" => import_get(store: *const u8, store_len: usize, key: *const u8, key_len: usize);
    "put" => import_put(
        store: *const u8, store_len: usize, key: *const u8, key_len: usize, value: *const u8, value_len: usize, expect: i32, version: u64,
    );
    "remove" => import_remove(store: *const u8, store_len: usize, key: *const u8, key_len: usize, expect: i32, version: u64);
    "list" => import_list(store: *const u8, store_len: usize, some: i32, after: *const u8, after_len: usize, limit: u32);
});
import!("enact:capability/log@0.1.0" {
    "append" => import_append(store: *const u8, store_len: usize, value: *const u8, value_len: usize);
    "read" => import_read(store: *const u8, store_len: usize, from: u64, limit: u32);
});
import!("enact:capability/clock@0.1.0" { "now" => import_now(); });
import!("enact:capability/random@0.1.0" {
    "bytes" => import_bytes(len: u32);
    "unique" => import_unique();
});

/// Calls an import with a fresh return area and turns an error into a fault.
macro_rules! ask {
    ($payload:expr, $import:ident($($argument:expr),* $(,)?)) => {{
        let mut area = Area::new();
        // SAFETY: the pointers are those of live strings, and the area holds any result.
        unsafe { $import($($argument,)* area.start()) };
        area.check($payload)?;
        area
    }};
}

/// `option<u64>` as two flat numbers.
const fn flat(expect: Expect) -> (i32, u64) {
    match expect.wire() {
        None => (0, 0),
        Some(version) => (1, version),
    }
}

#[allow(clippy::unused_self, reason = "the same methods have a state in `MemoryHost`")]
impl Imports {
    pub(crate) fn registry_register(&mut self, store: &str, key: &str, value: &str) -> Result<Option<String>, Fault> {
        let area = ask!(NARROW, import_register(store.as_ptr(), store.len(), key.as_ptr(), key.len(), value.as_ptr(), value.len()));
        Ok((area.0[NARROW] != 0).then(|| area.text(8)))
    }

    pub(crate) fn registry_lookup(&mut self, store: &str, key: &str) -> Result<Option<String>, Fault> {
        let area = ask!(NARROW, import_lookup(store.as_ptr(), store.len(), key.as_ptr(), key.len()));
        Ok((area.0[NARROW] != 0).then(|| area.text(8)))
    }

    pub(crate) fn registry_retire(&mut self, store: &str, key: &str) -> Result<bool, Fault> {
        let area = ask!(NARROW, import_retire(store.as_ptr(), store.len(), key.as_ptr(), key.len()));
        Ok(area.0[NARROW] != 0)
    }

    pub(crate) fn registry_count(&mut self, store: &str) -> Result<u64, Fault> {
        let area = ask!(WIDE, import_count(store.as_ptr(), store.len()));
        Ok(area.long(WIDE))
    }

    pub(crate) fn table_get(&mut self, store: &str, key: &str) -> Result<Option<Document>, Fault> {
        let area = ask!(WIDE, import_get(store.as_ptr(), store.len(), key.as_ptr(), key.len()));
        Ok((area.0[WIDE] != 0).then(|| Document { version: area.long(16), value: area.text(24) }))
    }

    pub(crate) fn table_put(&mut self, store: &str, key: &str, value: &str, expect: Expect) -> Result<Option<u64>, Fault> {
        let (some, version) = flat(expect);
        let area = ask!(WIDE, import_put(store.as_ptr(), store.len(), key.as_ptr(), key.len(), value.as_ptr(), value.len(), some, version));
        Ok((area.0[WIDE] != 0).then(|| area.long(16)))
    }

    pub(crate) fn table_remove(&mut self, store: &str, key: &str, expect: Expect) -> Result<bool, Fault> {
        let (some, version) = flat(expect);
        let area = ask!(NARROW, import_remove(store.as_ptr(), store.len(), key.as_ptr(), key.len(), some, version));
        Ok(area.0[NARROW] != 0)
    }

    pub(crate) fn table_list(&mut self, store: &str, after: Option<&str>, limit: u32) -> Result<Vec<(String, Document)>, Fault> {
        let (some, after) = after.map_or((0, ""), |after| (1, after));
        let area = ask!(NARROW, import_list(store.as_ptr(), store.len(), some, after.as_ptr(), after.len(), limit));
        // An element is a string (two words), the version (two words, aligned to 8 bytes) and another string.
        Ok(elements(area.word(4), area.word(8), 24, |at| {
            // SAFETY: the host wrote the whole element; each string is taken once.
            unsafe {
                let key = taken_text(at.read(), at.add(1).read());
                let value = taken_text(at.add(4).read(), at.add(5).read());
                (key, Document { version: at.add(2).cast::<u64>().read_unaligned(), value })
            }
        }))
    }

    pub(crate) fn log_append(&mut self, store: &str, value: &str) -> Result<(), Fault> {
        ask!(NARROW, import_append(store.as_ptr(), store.len(), value.as_ptr(), value.len()));
        Ok(())
    }

    pub(crate) fn log_read(&mut self, store: &str, from: u64, limit: u32) -> Result<Vec<String>, Fault> {
        let area = ask!(NARROW, import_read(store.as_ptr(), store.len(), from, limit));
        Ok(elements(area.word(4), area.word(8), 8, |at| {
            // SAFETY: the host wrote the whole element; each string is taken once.
            unsafe { taken_text(at.read(), at.add(1).read()) }
        }))
    }

    pub(crate) fn clock_now(&mut self) -> Result<String, Fault> {
        let area = ask!(NARROW, import_now());
        Ok(area.text(4))
    }

    pub(crate) fn random_bytes(&mut self, len: u32) -> Result<Vec<u8>, Fault> {
        let area = ask!(NARROW, import_bytes(len));
        // SAFETY: the host wrote this block; it is taken once.
        Ok(unsafe { taken_bytes(area.word(4), area.word(8)) })
    }

    pub(crate) fn random_unique(&mut self) -> Result<Vec<u8>, Fault> {
        let area = ask!(NARROW, import_unique());
        // SAFETY: as above.
        Ok(unsafe { taken_bytes(area.word(4), area.word(8)) })
    }
}

import!("enact:capability/http@0.1.0" {
    "request" => import_request(
        method: *const u8, method_len: usize, url: *const u8, url_len: usize, headers: *const [usize; 4], headers_len: usize,
        body: *const u8, body_len: usize,
    );
});
import!("enact:capability/files@0.1.0" {
    "read" => import_file(path: *const u8, path_len: usize);
    "list" => import_folder(path: *const u8, path_len: usize);
    "write" => import_write(path: *const u8, path_len: usize, content: *const u8, content_len: usize, replace: i32);
});

#[allow(clippy::unused_self, reason = "the same methods have a state in `MemoryHost`")]
impl Imports {
    pub(crate) fn http_request(&mut self, call: &HttpCall<'_>) -> Result<HttpResponse, Fault> {
        let HttpCall { method, url, headers, body } = *call;
        let words = |&(name, value): &(&str, &str)| {
            [name.as_ptr().expose_provenance(), name.len(), value.as_ptr().expose_provenance(), value.len()]
        };
        let headers: Vec<[usize; 4]> = headers.iter().map(words).collect();
        let area = ask!(
            NARROW,
            import_request(
                method.as_ptr(),
                method.len(),
                url.as_ptr(),
                url.len(),
                headers.as_ptr(),
                headers.len(),
                body.as_ptr(),
                body.len(),
            )
        );
        // The status takes two bytes of a word; then come two lists.
        let status = u16::from_le_bytes([area.0[NARROW], area.0[NARROW + 1]]);
        let headers = elements(area.word(8), area.word(12), 16, |at| {
            // SAFETY: the host wrote the whole element; each string is taken once.
            unsafe { (taken_text(at.read(), at.add(1).read()), taken_text(at.add(2).read(), at.add(3).read())) }
        });
        // SAFETY: the host wrote this block; it is taken once.
        let body = unsafe { taken_bytes(area.word(16), area.word(20)) };
        Ok(HttpResponse { status, headers, body })
    }

    pub(crate) fn files_read(&mut self, path: &str) -> Result<Vec<u8>, Fault> {
        let area = ask!(NARROW, import_file(path.as_ptr(), path.len()));
        // SAFETY: the host wrote this block; it is taken once.
        Ok(unsafe { taken_bytes(area.word(4), area.word(8)) })
    }

    pub(crate) fn files_list(&mut self, path: &str) -> Result<Vec<String>, Fault> {
        let area = ask!(NARROW, import_folder(path.as_ptr(), path.len()));
        Ok(elements(area.word(4), area.word(8), 8, |at| {
            // SAFETY: the host wrote the whole element; each string is taken once.
            unsafe { taken_text(at.read(), at.add(1).read()) }
        }))
    }

    pub(crate) fn files_write(&mut self, path: &str, content: &[u8], replace: bool) -> Result<Written, Fault> {
        let area = ask!(NARROW, import_write(path.as_ptr(), path.len(), content.as_ptr(), content.len(), i32::from(replace)));
        Ok(match area.0[NARROW] {
            0 => Written::Created,
            1 => Written::Replaced,
            _ => Written::Exists,
        })
    }
}

import!("enact:capability/workflow@0.1.0" {
    "enqueue" => import_enqueue(workflow: *const u8, workflow_len: usize, payload: *const u8, payload_len: usize);
});

#[allow(clippy::unused_self, reason = "the same methods have a state in `MemoryHost`")]
impl Imports {
    pub(crate) fn workflow_enqueue(&mut self, workflow: &str, payload: &str) -> Result<String, Fault> {
        let area = ask!(NARROW, import_enqueue(workflow.as_ptr(), workflow.len(), payload.as_ptr(), payload.len()));
        Ok(area.text(4))
    }
}

import!("enact:capability/outbox@0.1.0" {
    "send" => import_send(
        to: *const [usize; 2], to_len: usize, subject: *const u8, subject_len: usize, text: *const u8, text_len: usize,
    );
});

#[allow(clippy::unused_self, reason = "the same methods have a state in `MemoryHost`")]
impl Imports {
    pub(crate) fn outbox_send(&mut self, to: &[&str], subject: &str, text: &str) -> Result<String, Fault> {
        let to: Vec<[usize; 2]> = to.iter().map(|address| [address.as_ptr().expose_provenance(), address.len()]).collect();
        let area = ask!(NARROW, import_send(to.as_ptr(), to.len(), subject.as_ptr(), subject.len(), text.as_ptr(), text.len()));
        Ok(area.text(4))
    }
}

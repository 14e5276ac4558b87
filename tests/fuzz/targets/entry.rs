//! Entries: what parses is written back byte for byte, and the quick reader accepts nothing that the slow one refuses.
#![no_main]
use enact_core::entry::{Entry, EntryView};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let parsed = Entry::parse(data);
    if let Ok(entry) = &parsed {
        assert_eq!(entry.to_bytes().expect("an entry that was read"), data);
    }
    if let Some(view) = EntryView::read(data) {
        let entry = parsed.expect("the quick reader accepts what the slow one refuses");
        assert_eq!(view.origin(), entry.origin);
        let _ = view.receipt();
    }
});

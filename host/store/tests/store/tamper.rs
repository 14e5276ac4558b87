//! Changes behind the store's back are found by the core's verifier when it reads through [`enact_store::Reader`].

use enact_core::verify::Verifier;
use enact_store::{Reader, StoreError};

use crate::support::{Bench, NOW, ORIGIN, commit, sign};

/// Codes of everything the verifier finds.
pub(crate) fn findings(reader: &mut Reader) -> Vec<String> {
    let mut verifier = Verifier::new(ORIGIN);
    let mut codes = Vec::new();
    let read = reader.entries(0, |entry| {
        if let Err(finding) = verifier.feed(entry.seq, entry.bytes, entry.leaf) {
            codes.push(finding.code.to_owned());
        }
        Ok::<(), StoreError>(())
    });
    if let Err(error) = read {
        codes.push(error.code().to_owned());
    }
    match reader.head() {
        Ok(head) => codes.extend(verifier.finish(&head).into_iter().map(|finding| finding.code.to_owned())),
        Err(error) => codes.push(error.code().to_owned()),
    }
    codes
}

fn filled() -> Bench {
    let bench = Bench::new();
    let batch: Vec<_> = (0..10).map(|i| commit(&format!("run-{i}"))).collect();
    bench.store.writer().unwrap().append(&batch, NOW, &sign).unwrap();
    bench
}

#[test]
fn b_30_an_untouched_ledger_has_no_findings() {
    assert_eq!(findings(&mut filled().store.reader().unwrap()), Vec::<String>::new());
}

#[test]
fn b_30_every_flipped_bit_of_an_entry_is_found() {
    let bench = filled();
    let raw = bench.raw();
    let original: Vec<u8> = raw.query_row("SELECT bytes FROM entries WHERE seq = 4", [], |row| row.get(0)).unwrap();
    // Every byte, and every bit of it in turn.
    for index in 0..original.len() {
        let mut flipped = original.clone();
        flipped[index] ^= 1 << (index % 8);
        raw.execute("UPDATE entries SET bytes = ?1 WHERE seq = 4", [&flipped]).unwrap();
        assert!(!findings(&mut bench.store.reader().unwrap()).is_empty(), "byte {index}");
    }
    raw.execute("UPDATE entries SET bytes = ?1 WHERE seq = 4", [&original]).unwrap();
    assert_eq!(findings(&mut bench.store.reader().unwrap()), Vec::<String>::new());
}

#[test]
fn b_30_every_other_way_to_edit_the_ledger_is_found() {
    for change in [
        "UPDATE entries SET leaf = zeroblob(32) WHERE seq = 4",
        "UPDATE entries SET leaf = zeroblob(31) WHERE seq = 4",
        "DELETE FROM entries WHERE seq = 4",
        "DELETE FROM entries WHERE seq = 9",
        "DELETE FROM entries",
        "UPDATE entries SET seq = 100 WHERE seq = 9",
        "INSERT INTO entries SELECT 10, bytes, leaf FROM entries WHERE seq = 9",
        "UPDATE head SET size = 9",
        "UPDATE head SET size = -1",
        "UPDATE head SET entry_hash = NULL",
        "UPDATE head SET entry_hash = 'blake3:zz'",
        "UPDATE head SET frontier = zeroblob(72)",
        "UPDATE head SET frontier = x''",
        "UPDATE head SET at = '2027-01-01T00:00:00.000000+00:00'",
        "DELETE FROM head",
    ] {
        let bench = filled();
        let raw = bench.raw();
        raw.execute_batch(change).unwrap();
        assert!(!findings(&mut bench.store.reader().unwrap()).is_empty(), "{change}");
    }
}

#[test]
fn a_damaged_head_stops_the_writer() {
    for change in ["UPDATE head SET size = 9", "UPDATE head SET frontier = x''", "DELETE FROM head", "UPDATE head SET at = ''"] {
        let bench = filled();
        bench.raw().execute_batch(change).unwrap();
        let error = bench.store.writer().unwrap().append(&[commit("new")], NOW, &sign).unwrap_err();
        assert!(error.is_corruption(), "{change}: {error:?}");
    }
}

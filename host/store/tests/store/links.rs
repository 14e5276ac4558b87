//! The index over record hashes: what it finds, that it is what the entries say, and that it comes and goes with them.

use enact_core::entry::Record;
use enact_core::hash::{Digest, blob_hash};
use enact_store::{Commit, LinkKind, LinkPlace, OpenOptions, Reader, Store};

use crate::governed::{add, append};
use crate::support::{Bench, NOW, commit, one, sign};
use crate::tamper::findings;

/// The format before the index had no such table.
const NO_LINKS: &str = "DROP TABLE links; PRAGMA user_version = 6";

fn naming(run_id: &str, refs: &[(&str, Digest)]) -> Commit {
    let mut commit = commit(run_id);
    let record = commit.draft.records.first_mut().unwrap();
    record.refs = refs.iter().map(|(name, digest)| ((*name).to_owned(), *digest)).collect();
    commit
}

fn record(commit: &Commit) -> &Record {
    &commit.draft.records[0]
}

fn places(reader: &mut Reader, digest: &Digest, kind: LinkKind) -> Vec<(u64, u64)> {
    reader.links(digest, kind, None, 100).unwrap().into_iter().map(|place| (place.seq, place.pos)).collect()
}

/// The table as it is.
fn rows(bench: &Bench) -> Vec<(i64, i64, i64, i64)> {
    let raw = bench.raw();
    let mut statement = raw.prepare("SELECT prefix, kind, seq, pos FROM links ORDER BY 1, 2, 3, 4").unwrap();
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).unwrap().map(Result::unwrap).collect()
}

/// A record, three that name it, one of them twice, and one that only follows it.
fn linked() -> (Bench, Digest) {
    let bench = Bench::new();
    let first = naming("first", &[]);
    let hash = record(&first).hash().unwrap();
    let batch = [
        first,
        naming("a", &[("cause", hash), ("evidence", blob_hash(b"elsewhere"))]),
        naming("b", &[("prev", hash)]),
        naming("c", &[("cause", hash), ("same", hash)]),
    ];
    let mut writer = bench.store.writer().unwrap();
    writer.append(&batch, NOW, &sign).unwrap().into_iter().for_each(|answer| drop(answer.unwrap()));
    one(&mut writer, naming("d", &[("cause", hash)])).unwrap();
    append(&mut writer, &[add("k")]).unwrap();
    (bench, hash)
}

#[test]
fn a_record_is_found_by_its_hash_and_so_is_what_names_it() {
    let (bench, hash) = linked();
    let mut reader = bench.store.reader().unwrap();
    assert_eq!(places(&mut reader, &hash, LinkKind::Is), [(0, 0)]);
    // Not the one that follows it along its subject, and the one that names it twice once.
    assert_eq!(places(&mut reader, &hash, LinkKind::Names), [(1, 0), (3, 0), (4, 0)]);
    assert_eq!(places(&mut reader, &blob_hash(b"elsewhere"), LinkKind::Names), [(1, 0)]);
    assert_eq!(places(&mut reader, &blob_hash(b"elsewhere"), LinkKind::Is), []);
    // A page, and the page after it.
    let page = reader.links(&hash, LinkKind::Names, None, 2).unwrap();
    assert_eq!(page, [LinkPlace { seq: 1, pos: 0 }, LinkPlace { seq: 3, pos: 0 }]);
    assert_eq!(reader.links(&hash, LinkKind::Names, page.last().copied(), 2).unwrap(), [LinkPlace { seq: 4, pos: 0 }]);
    assert_eq!(findings(&mut reader), Vec::<String>::new());
}

#[test]
fn what_shares_the_first_bytes_of_a_digest_is_for_the_reader_of_the_record_to_tell_apart() {
    let (bench, hash) = linked();
    let mut alike = hash;
    alike.bytes[31] ^= 1;
    one(&mut bench.store.writer().unwrap(), naming("e", &[("cause", alike)])).unwrap();
    let mut reader = bench.store.reader().unwrap();
    assert_eq!(places(&mut reader, &hash, LinkKind::Names), places(&mut reader, &alike, LinkKind::Names));
    assert_eq!(places(&mut reader, &alike, LinkKind::Is), [(0, 0)]);
}

#[test]
fn a_batch_that_failed_leaves_no_link() {
    let (bench, _) = linked();
    let before = rows(&bench);
    let mut failing = add("k");
    failing["fail"] = "error".into();
    assert!(append(&mut bench.store.writer().unwrap(), &[add("k"), failing]).is_err());
    assert_eq!(rows(&bench), before);
}

#[test]
fn an_older_file_gets_the_index_that_it_would_have_had() {
    let (bench, hash) = linked();
    let written = rows(&bench);
    assert_eq!(written.len(), 11);
    bench.raw().execute_batch(NO_LINKS).unwrap();
    let mut reader = Store::open(&OpenOptions::new(bench.path()).read_only()).unwrap().reader().unwrap();
    assert!(!reader.has_links().unwrap());
    assert_eq!(reader.links(&hash, LinkKind::Is, None, 9).unwrap(), []);
    Store::open(&OpenOptions::new(bench.path())).unwrap();
    assert_eq!(rows(&bench), written);
    // Seen by who has been reading all along.
    assert!(reader.has_links().unwrap());
    assert_eq!(places(&mut reader, &hash, LinkKind::Is), [(0, 0)]);
}

#[test]
fn an_entry_that_cannot_be_read_does_not_keep_an_older_file_from_being_opened() {
    let (bench, hash) = linked();
    bench.raw().execute_batch(NO_LINKS).unwrap();
    bench.raw().execute("UPDATE entries SET bytes = X'7b7d' WHERE seq = 3", []).unwrap();
    let store = Store::open(&OpenOptions::new(bench.path())).unwrap();
    assert_eq!(places(&mut store.reader().unwrap(), &hash, LinkKind::Names), [(1, 0), (4, 0)]);
}

#[test]
fn b_27_an_altered_index_is_seen_and_made_anew_from_the_entries() {
    for change in [
        "DELETE FROM links WHERE seq = 3",
        "UPDATE links SET prefix = prefix + 1 WHERE seq = 3",
        "UPDATE links SET seq = 1, pos = 7 WHERE seq = 3",
    ] {
        let (bench, hash) = linked();
        let written = rows(&bench);
        let named = naming("c", &[("cause", hash), ("same", hash)]);
        let records = [record(&named).clone()];
        let hashes = [records[0].hash().unwrap()];
        let mut reader = bench.store.reader().unwrap();
        assert_eq!(reader.entry_links(3, &records, &hashes).unwrap(), (2, true));
        bench.raw().execute(change, []).unwrap();
        assert_eq!(reader.entry_links(3, &records, &hashes).unwrap(), (2, false), "{change}");
        assert_eq!(bench.store.writer().unwrap().rebuild_links().unwrap(), 11);
        assert_eq!((rows(&bench), reader.link_count(9).unwrap()), (written, 11), "{change}");
    }
}

#[test]
fn rows_that_were_moved_are_found_among_the_others_and_in_their_order() {
    let (bench, hash) = linked();
    let before = rows(&bench);
    // The first block of the second level.
    bench.raw().execute("UPDATE links SET block = 1 << 41 WHERE seq IN (0, 1, 4)", []).unwrap();
    let mut reader = bench.store.reader().unwrap();
    for _ in 0..2 {
        assert_eq!(places(&mut reader, &hash, LinkKind::Is), [(0, 0)]);
        assert_eq!(places(&mut reader, &hash, LinkKind::Names), [(1, 0), (3, 0), (4, 0)]);
        let page = reader.links(&hash, LinkKind::Names, None, 2).unwrap();
        assert_eq!(page, [LinkPlace { seq: 1, pos: 0 }, LinkPlace { seq: 3, pos: 0 }]);
        assert_eq!(reader.links(&hash, LinkKind::Names, page.last().copied(), 2).unwrap(), [LinkPlace { seq: 4, pos: 0 }]);
        // The same within one moment, which remembers where to look.
        reader.begin().unwrap();
    }
    reader.end().unwrap();
    let named = naming("a", &[("cause", hash), ("evidence", blob_hash(b"elsewhere"))]);
    let records = [record(&named).clone()];
    assert_eq!(reader.entry_links(1, &records, &[records[0].hash().unwrap()]).unwrap(), (3, true));
    assert_eq!(rows(&bench), before);
}

//! A write-ahead log that lost its tail: the ledger opens at an earlier head, whole up to there.

use std::fs;

use enact_store::{OpenOptions, Store};

use crate::governed::{add, append, everything};
use crate::support::{Bench, commit, one, sign};
use crate::tamper::findings;

#[test]
fn a_log_cut_off_anywhere_opens_at_an_earlier_head() {
    let bench = Bench::new();
    let mut writer = bench.store.writer().unwrap();
    append(&mut writer, &[add("a")]).unwrap();
    writer.checkpoint().unwrap();
    for nth in 0..6 {
        append(&mut writer, &[add("a"), add("b"), add(&format!("new-{nth}"))]).unwrap();
        one(&mut writer, commit(&format!("run-{nth}"))).unwrap();
    }
    let whole = everything(&mut bench.store.reader().unwrap());
    let log_name = bench.folder.path().join("ledger.db-wal");
    let (file, log) = (fs::read(bench.path()).unwrap(), fs::read(&log_name).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut sizes = std::collections::BTreeSet::new();
    // Every kind of place: between frames, in a frame's header, in its page, in the log's header; and with a tail of rubbish.
    for cut in (0..log.len()).step_by(1373).chain([1, 31, 32, 33, log.len()]) {
        for rubbish in [false, true] {
            let path = folder.path().join(format!("{cut}-{rubbish}.db"));
            let mut torn = log.get(..cut).unwrap().to_vec();
            if rubbish {
                torn.resize(log.len(), 0xa5);
            }
            fs::write(&path, &file).unwrap();
            fs::write(folder.path().join(format!("{cut}-{rubbish}.db-wal")), &torn).unwrap();
            let store = Store::open(&OpenOptions::new(&path)).unwrap();
            let mut reader = store.reader().unwrap();
            reader.check_structure().unwrap();
            assert_eq!(findings(&mut reader), Vec::<String>::new(), "cut at {cut}");
            let seen = everything(&mut reader);
            assert_eq!(seen.1, Some(sign(&seen.0)), "cut at {cut}");
            assert_eq!(u64::try_from(seen.2.len()).unwrap(), seen.0.size);
            assert_eq!(whole.2[..seen.2.len()], seen.2[..], "cut at {cut}");
            sizes.insert(seen.0.size);
            // It goes on from there.
            let expect = seen.2.iter().flat_map(|(_, _, rows)| rows).filter(|put| put.key == "a").count();
            let answers = append(&mut store.writer().unwrap(), &[serde_json::json!({"key": "a", "expect": expect})]).unwrap();
            assert_eq!(answers[0].as_ref().map(|committed| committed.seq), Ok(seen.0.size), "cut at {cut}");
            drop((reader, store));
            for name in ["", "-wal", "-shm"] {
                drop(fs::remove_file(folder.path().join(format!("{cut}-{rubbish}.db{name}"))));
            }
        }
    }
    // Every commit is a place to stop at, and nothing in between is.
    assert_eq!(sizes.into_iter().collect::<Vec<_>>(), [1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25]);
}

//! Sealing: the requirements on the append, each by its id.

use enact_core::canonical;
use enact_core::entry::{Entry, Head, Kind, MAX_ENTRY_BYTES, Posting, Side, seal};
use enact_core::hash::{entry_hash, leaf_hash};
use enact_core::merkle::{consistency_proof, from_leaves, verify_consistency};
use enact_core::receipt::RunReceipt;
use enact_core::verify::Verifier;
use proptest::prelude::*;
use serde_json::json;

use crate::support::{ORIGIN, digest, draft, draft_with, ledger, receipt};

#[test]
fn b_03_every_head_is_a_prefix_of_every_later_head() {
    let ledger = ledger(40);
    let leaves: Vec<_> = ledger.iter().map(|sealed| sealed.leaf).collect();
    for (nth, sealed) in ledger.iter().enumerate() {
        assert_eq!((sealed.seq, sealed.head.size), (nth as u64, nth as u64 + 1));
        let entry = Entry::parse(&sealed.bytes).unwrap();
        assert_eq!(entry.prev, nth.checked_sub(1).map(|before| ledger[before].entry_hash));
        for later in &ledger[nth..] {
            let upto = &leaves[..usize::try_from(later.head.size).unwrap()];
            let path = consistency_proof(sealed.head.size, later.head.size, &mut from_leaves(upto)).unwrap();
            let (was, is) = (sealed.head.root(), later.head.root());
            assert_eq!(verify_consistency(sealed.head.size, &was, later.head.size, &is, &path), Ok(()));
        }
    }
}

#[test]
fn b_03_a_refused_append_leaves_the_head_as_it_was() {
    let head = ledger(3).pop().unwrap().head;
    let before = head.clone();
    assert!(seal(&head, ORIGIN, draft(1)).is_err());
    assert_eq!(head, before);
}

#[test]
fn b_07_the_stored_bytes_of_a_known_draft_never_change() {
    // Changing this digest changes the format of every ledger in the world: bump `v` instead.
    let sealed = ledger(2).pop().unwrap();
    assert_eq!(sealed.entry_hash.to_string(), FIXED_ENTRY_HASH);
    assert_eq!(sealed.entry_hash, entry_hash(&sealed.bytes));
    assert_eq!(sealed.leaf, leaf_hash(&sealed.bytes));
}

const FIXED_ENTRY_HASH: &str = "blake3:2679813bc9fd4aa28518f3544a2ad7daeda469ad092dcab384f7d4529dd84a77";

#[test]
fn b_07_a_records_hash_ignores_who_stored_it_and_who_signed_it() {
    let record = receipt(7).record();
    let mut signed = record.clone();
    signed.sig = Some("c2lnbmF0dXJl".into());
    assert_eq!(record.hash(), signed.hash());
    let mut other = record.clone();
    other.payload["writes"] = json!(2);
    assert_ne!(record.hash(), other.hash());
    let (mut here, mut there) = (draft(0), draft(0));
    (here.local.node, there.local.node) = ("node-a".into(), "node-b".into());
    let (here, there) = (seal(&Head::empty(), ORIGIN, here).unwrap(), seal(&Head::empty(), ORIGIN, there).unwrap());
    assert_ne!(here.leaf, there.leaf, "local facts are outside the record's hash but inside the leaf");
}

#[test]
fn b_08_a_run_is_traceable_from_its_receipt_to_the_root() {
    let ledger = ledger(9);
    let mut verifier = Verifier::new(ORIGIN);
    for (nth, sealed) in (0..).zip(&ledger) {
        let entry = verifier.feed(nth, &sealed.bytes, &sealed.leaf).unwrap();
        assert_eq!(RunReceipt::from_record(&entry.records[0]), Ok(receipt(nth)));
    }
    assert_eq!(verifier.finish(&ledger[8].head), []);
}

#[test]
fn b_09_the_same_bad_input_always_gives_the_same_code() {
    let head = ledger(2).pop().unwrap().head;
    let edited = |edit: &dyn Fn(&mut enact_core::entry::Draft)| {
        let mut bad = draft(9);
        edit(&mut bad);
        bad
    };
    let record = |edit: &dyn Fn(&mut enact_core::entry::Record)| edited(&|bad| edit(&mut bad.records[0]));
    let cases = [
        ("entry_no_records", edited(&|bad| bad.records.clear())),
        ("entry_time", edited(&|bad| bad.at = "yesterday".into())),
        ("entry_time_backwards", edited(&|bad| bad.at = "2026-04-17T10:00:00.999999Z".into())),
        ("entry_too_large", edited(&|bad| bad.records[0].payload = json!("x".repeat(MAX_ENTRY_BYTES)))),
        ("canonical_number_range", edited(&|bad| bad.records[0].payload = json!(1_u64 << 53))),
        ("record_kind_not_in_force", record(&|bad| bad.kind = Kind::Access)),
        ("record_kind_not_in_force", record(&|bad| bad.kind = Kind::Version)),
        ("record_kind_not_in_force", record(&|bad| bad.kind = Kind::Transition)),
        ("record_kind_not_in_force", record(&|bad| bad.kind = Kind::Posting)),
        ("record_field", record(&|bad| bad.type_.clear())),
        ("entry_ungoverned", record(&|bad| bad.type_ = "SAMPLE".into())),
        ("record_field", record(&|bad| bad.action = "a\nb".into())),
        ("record_field", record(&|bad| bad.subject = "nocolon".into())),
        ("record_field", record(&|bad| bad.subject = "Run:".into())),
        ("record_field", record(&|bad| bad.actor = "x".repeat(513))),
        ("record_field", record(&|bad| bad.seat = Some(String::new()))),
        ("record_field", record(&|bad| bad.refs = [(String::new(), digest("x"))].into())),
        ("record_field_not_in_force", record(&|bad| bad.auth = Some(digest("x")))),
        ("record_field_not_in_force", record(&|bad| bad.consumes.push("key".into()))),
        ("record_field_not_in_force", record(&|bad| bad.version = Some(1))),
        ("record_field_not_in_force", record(&|bad| bad.sig = Some("x".into()))),
        (
            "record_field_not_in_force",
            record(&|bad| {
                bad.postings = Some(vec![Posting { account: "a".into(), amount: "1".into(), asset: "b".into(), side: Side::Debit }]);
            }),
        ),
    ];
    for (code, bad) in cases {
        let refusals: Vec<_> = (0..3).map(|_| seal(&head, ORIGIN, bad.clone()).unwrap_err()).collect();
        assert_eq!(refusals[0].code(), code, "{}", refusals[0]);
        assert!(refusals.windows(2).all(|pair| pair[0] == pair[1]));
    }
    for origin in ["", "with space", "with+plus", "line\nbreak", &"x".repeat(256)] {
        assert_eq!(seal(&head, origin, draft(9)).unwrap_err().code(), "entry_origin");
    }
    // Two faults at once: the earlier check answers, whatever else is wrong.
    let mut both = draft(0);
    (both.records[0].kind, both.at) = (Kind::Access, "never".into());
    assert_eq!(seal(&head, "", both.clone()).unwrap_err().code(), "entry_origin");
    assert_eq!(seal(&head, ORIGIN, both).unwrap_err().code(), "record_kind_not_in_force");
}

#[test]
fn b_09_a_head_that_contradicts_itself_is_refused() {
    let good = ledger(2).pop().unwrap().head;
    let mut smaller = good.clone();
    smaller.size = 1;
    let mut unlinked = good.clone();
    unlinked.entry_hash = None;
    let mut timeless = good.clone();
    timeless.at.clear();
    for head in [smaller, unlinked, timeless] {
        assert_eq!(seal(&head, ORIGIN, draft(9)).unwrap_err().code(), "head_inconsistent");
    }
}

#[test]
fn b_12_folding_the_entries_again_gives_the_same_head() {
    let ledger = ledger(30);
    let mut head = Head::empty();
    for sealed in &ledger {
        let Entry { origin, protocol, at, records, local, .. } = Entry::parse(&sealed.bytes).unwrap();
        let again = seal(&head, &origin, enact_core::entry::Draft { protocol, at, records, local }).unwrap();
        assert_eq!(again, *sealed);
        head = again.head;
    }
}

#[test]
fn time_may_stand_still_but_never_runs_back_and_has_one_stored_spelling() {
    let head = ledger(2).pop().unwrap().head;
    assert_eq!(head.at, "2026-04-17T10:00:01.000000+00:00");
    for same in ["2026-04-17T10:00:01Z", "2026-04-17T10:00:01.000+00:00"] {
        let mut still = draft(2);
        still.at = same.into();
        assert_eq!(seal(&head, ORIGIN, still).unwrap().head.at, head.at);
    }
}

#[test]
fn an_entry_of_the_largest_size_is_sealed_and_read_and_one_byte_more_is_not() {
    let empty = seal(&Head::empty(), ORIGIN, draft_with(json!(""))).unwrap().bytes.len();
    let fill = |extra: usize| draft_with(json!("x".repeat(MAX_ENTRY_BYTES - empty + extra)));
    let largest = seal(&Head::empty(), ORIGIN, fill(0)).unwrap();
    assert_eq!(largest.bytes.len(), MAX_ENTRY_BYTES);
    assert!(Entry::parse(&largest.bytes).is_ok());
    assert_eq!(seal(&Head::empty(), ORIGIN, fill(1)).unwrap_err().code(), "entry_too_large");
    assert_eq!(Entry::parse(&[b' '; MAX_ENTRY_BYTES + 1]).unwrap_err().code(), "entry_too_large");
}

#[test]
fn bytes_that_sealing_would_not_have_made_are_not_an_entry() {
    let sealed = ledger(1).pop().unwrap();
    let text = String::from_utf8(sealed.bytes).unwrap();
    for (from, to, code) in [
        (r#""v":1"#, r#""v":2"#, "entry_version"),
        (r#","v":1}"#, r#","v":1,"w":1}"#, "entry_shape"),
        (r#","v":1}"#, "}", "entry_shape"),
        (r#""prev":null,"#, "", "canonical_form"),
        (r#""seq":0"#, r#""seq":0.0"#, "canonical_form"),
        (r#""seq":0"#, r#""seq":-1"#, "entry_shape"),
        (r#""kind":"RECEIPT""#, r#""kind":"ACCESS""#, "record_kind_not_in_force"),
        (r#""kind":"RECEIPT""#, r#""kind":"OTHER""#, "entry_shape"),
        (r#""refs":{}"#, r#""refs":{},"scope":null"#, "canonical_form"),
        (r#""attempt":1"#, r#""attempt":1,"attempt":1"#, "canonical_duplicate_key"),
        (r#".000000+00:00"#, "Z", "entry_time"),
        ("blake3:", "BLAKE3:", "entry_shape"),
        ("{", " {", "canonical_form"),
    ] {
        assert!(text.contains(from), "{from}");
        let refusal = Entry::parse(text.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert_eq!(refusal.code(), code, "{from} -> {to}");
    }
}

#[test]
fn a_receipt_that_its_record_contradicts_is_refused() {
    let honest = receipt(1).record();
    assert!(RunReceipt::from_record(&honest).is_ok());
    let mut about_another = honest.clone();
    about_another.subject = "Run:RUN-000002".into();
    assert_eq!(RunReceipt::from_record(&about_another).unwrap_err().code(), "record_field");
    for (field, value) in [("fuel_used", json!("007")), ("fuel_used", json!("-1")), ("admission", json!(null))] {
        let mut odd = honest.clone();
        odd.payload[field] = value;
        assert_eq!(RunReceipt::from_record(&odd).unwrap_err().code(), "record_field", "{field}");
    }
    let mut strange = honest;
    strange.payload["note"] = json!("x");
    assert_eq!(RunReceipt::from_record(&strange).unwrap_err().code(), "entry_shape");
}

proptest! {
    #[test]
    fn b_07_sealing_is_deterministic_whatever_the_payload(text in ".{0,40}", number in any::<i32>(), nested in prop::collection::btree_map(".{0,8}", any::<bool>(), 0..8)) {
        let payload = json!({"t": text, "n": number, "m": nested, "d": f64::from(number) / 8.0});
        let once = seal(&Head::empty(), ORIGIN, draft_with(payload.clone())).unwrap();
        let twice = seal(&Head::empty(), ORIGIN, draft_with(payload)).unwrap();
        prop_assert_eq!(&once, &twice);
        let entry = Entry::parse(&once.bytes).unwrap();
        prop_assert_eq!(entry.to_bytes().unwrap(), once.bytes.clone());
        prop_assert!(canonical::check(&once.bytes).is_ok());
    }
}

//! Tampering: whatever is done to a stored ledger, the verifier finds it.

use ed25519_dalek::SigningKey;
use enact_core::entry::{Entry, Head, Sealed, seal};
use enact_core::hash::{Hash, leaf_hash};
use enact_core::note::{Checkpoint, sign};
use enact_core::verify::{Finding, Verifier};
use proptest::prelude::*;

use crate::support::{ORIGIN, draft, ledger};

/// What a store holds: bytes and leaf per entry, and the head.
#[derive(Clone)]
struct Stored {
    entries: Vec<(u64, Vec<u8>, Hash)>,
    head: Head,
}

fn stored(sealed: &[Sealed]) -> Stored {
    let entries = sealed.iter().map(|s| (s.seq, s.bytes.clone(), s.leaf)).collect();
    Stored { entries, head: sealed.last().map_or_else(Head::empty, |s| s.head.clone()) }
}

fn checkpoint(head: &Head) -> Checkpoint {
    Checkpoint { origin: ORIGIN.into(), size: head.size, root: head.root(), extensions: Vec::new() }
}

fn verify(stored: &Stored, checkpoints: &[Checkpoint]) -> Vec<Finding> {
    let mut verifier = Verifier::new(ORIGIN);
    checkpoints.iter().for_each(|checkpoint| verifier.checkpoint(checkpoint));
    let mut findings: Vec<Finding> =
        (stored.entries.iter()).filter_map(|(seq, bytes, leaf)| verifier.feed(*seq, bytes, leaf).err()).collect();
    findings.extend(verifier.finish(&stored.head));
    findings
}

fn codes(findings: &[Finding]) -> Vec<(&'static str, Option<u64>)> {
    findings.iter().map(|finding| (finding.code, finding.seq)).collect()
}

#[test]
fn an_untouched_ledger_has_no_findings() {
    for count in [0, 1, 2, 7, 33] {
        let sealed = ledger(count);
        let marks: Vec<_> = sealed.iter().map(|s| checkpoint(&s.head)).chain([checkpoint(&Head::empty())]).collect();
        assert_eq!(verify(&stored(&sealed), &marks), [], "{count} entries");
    }
}

#[test]
fn b_30_a_rewritten_entry_is_found_even_if_its_leaf_was_rewritten_too() {
    let mut tampered = stored(&ledger(5));
    let (_, bytes, _) = &mut tampered.entries[2];
    *bytes = String::from_utf8(bytes.clone()).unwrap().replacen("COMPLETED", "COMPLETES", 1).into_bytes();
    let found = verify(&tampered, &[]);
    assert_eq!(codes(&found)[0], ("entry_leaf", Some(2)));
    let (_, bytes, leaf) = &mut tampered.entries[2];
    *leaf = leaf_hash(bytes);
    assert_eq!(codes(&verify(&tampered, &[])), [("entry_chain", Some(3)), ("head_root", None)]);
}

#[test]
fn b_30_a_ledger_rewritten_from_an_entry_on_is_found_by_its_checkpoint_alone() {
    let honest = ledger(6);
    // The forger re-seals everything behind the changed entry: chain, leaves and head are all consistent.
    let mut head = honest[2].head.clone();
    let mut forged = honest[..3].to_vec();
    for nth in 3..6 {
        let mut other = draft(nth);
        other.local.node = "node-b".into();
        let sealed = seal(&head, ORIGIN, other).unwrap();
        head = sealed.head.clone();
        forged.push(sealed);
    }
    assert_eq!(verify(&stored(&forged), &[]), [], "only a checkpoint is evidence");
    assert_eq!(codes(&verify(&stored(&forged), &[checkpoint(&honest[5].head)])), [("checkpoint_root", None)]);
    assert_eq!(verify(&stored(&forged), &[checkpoint(&honest[2].head)]), []);
}

#[test]
fn b_30_removed_repeated_and_reordered_entries_are_found() {
    let whole = stored(&ledger(6));
    let mut removed = whole.clone();
    removed.entries.remove(2);
    assert_eq!(codes(&verify(&removed, &[]))[0], ("entry_missing", Some(3)));
    let mut repeated = whole.clone();
    repeated.entries.insert(3, whole.entries[2].clone());
    assert_eq!(codes(&verify(&repeated, &[]))[0], ("entry_missing", Some(2)));
    let mut swapped = whole.clone();
    let (a, b) = (whole.entries[2].clone(), whole.entries[3].clone());
    (swapped.entries[2], swapped.entries[3]) = ((2, b.1, b.2), (3, a.1, a.2));
    assert_eq!(codes(&verify(&swapped, &[]))[0], ("entry_seq", Some(2)));
}

#[test]
fn b_30_a_truncated_tail_is_found_by_the_head_and_with_its_head_by_the_checkpoint() {
    let sealed = ledger(6);
    let mut truncated = stored(&sealed);
    truncated.entries.pop();
    let kinds: Vec<_> = codes(&verify(&truncated, &[])).into_iter().map(|(code, _)| code).collect();
    assert_eq!(kinds, ["head_size", "head_root", "head_entry", "head_time"]);
    let rolled_back = stored(&sealed[..5]);
    assert_eq!(codes(&verify(&rolled_back, &[checkpoint(&sealed[5].head)])), [("checkpoint_beyond", None)]);
}

#[test]
fn b_30_an_entry_of_another_ledger_never_verifies_here() {
    let mut spliced = stored(&ledger(3));
    let foreign = seal(&Head::empty(), "example.org/other", draft(0)).unwrap();
    spliced.entries[0] = (0, foreign.bytes, foreign.leaf);
    assert_eq!(codes(&verify(&spliced, &[]))[0], ("entry_foreign", Some(0)));
}

#[test]
fn b_30_time_that_runs_back_is_found() {
    // Sealing refuses it, so the forger writes the bytes by hand and keeps the chain intact.
    let honest = ledger(2);
    let mut entry = Entry::parse(&honest[1].bytes).unwrap();
    entry.at = "2026-04-17T09:59:59.000000+00:00".into();
    let bytes = entry.to_bytes().unwrap();
    let mut forged = stored(&honest);
    forged.entries[1] = (1, bytes.clone(), leaf_hash(&bytes));
    assert_eq!(codes(&verify(&forged, &[]))[0], ("entry_time_backwards", Some(1)));
}

#[test]
fn two_signed_roots_for_one_size_are_found() {
    let sealed = ledger(3);
    let mut other = checkpoint(&sealed[2].head);
    other.root = [7; 32];
    let found = verify(&stored(&sealed), &[checkpoint(&sealed[2].head), other]);
    assert_eq!(codes(&found), [("checkpoint_split", None)]);
}

#[test]
fn a_note_of_another_key_or_ledger_is_a_finding_and_not_evidence() {
    let sealed = ledger(3);
    let (key, stranger) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
    let head = &sealed[2].head;
    let findings = |note: &str| {
        let mut verifier = Verifier::new(ORIGIN);
        verifier.note(note, &key.verifying_key());
        sealed.iter().for_each(|s| assert!(verifier.feed(s.seq, &s.bytes, &s.leaf).is_ok()));
        codes(&verifier.finish(head))
    };
    assert_eq!(findings(&sign(ORIGIN, 3, &head.root(), &key)), []);
    assert_eq!(findings(&sign(ORIGIN, 3, &[0; 32], &key)), [("checkpoint_root", None)]);
    assert_eq!(findings(&sign(ORIGIN, 3, &head.root(), &stranger)), [("note_unsigned", None)]);
    assert_eq!(findings(&sign("example.org/other", 3, &head.root(), &key)), [("note_unsigned", None)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn b_30_b_08_any_flipped_bit_of_entry_leaf_or_head_is_found(count in 1_u64..6, pick in any::<usize>(), bit in any::<usize>(), what in 0_u8..4) {
        let mut tampered = stored(&ledger(count));
        let nth = pick % tampered.entries.len();
        let (_, bytes, leaf) = &mut tampered.entries[nth];
        match what {
            0 => { let at = bit % (bytes.len() * 8); bytes[at / 8] ^= 1 << (at % 8); }
            1 => leaf[bit / 8 % 32] ^= 1 << (bit % 8),
            // Bytes and leaf together: the chain, or for the last entry the head, gives it away.
            2 => { let at = bit % (bytes.len() * 8); bytes[at / 8] ^= 1 << (at % 8); *leaf = leaf_hash(bytes); }
            _ => {
                let mut frontier = tampered.head.frontier.to_bytes();
                let at = 64 + bit % ((frontier.len() - 8) * 8);
                frontier[at / 8] ^= 1 << (at % 8);
                tampered.head.frontier = enact_core::merkle::Frontier::from_bytes(&frontier).unwrap();
            }
        }
        let findings = verify(&tampered, &[]);
        prop_assert!(!findings.is_empty());
        if what < 2 {
            prop_assert_eq!(findings[0].seq, Some(nth as u64), "the finding names the entry");
        }
    }
}

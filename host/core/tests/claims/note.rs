//! Signed notes and proofs: published examples, an independent reader, and every way of breaking them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signer as _, SigningKey};
use enact_core::merkle::from_leaves;
use enact_core::note::{Checkpoint, Note, NoteError, decode_key, encode_key, is_name, key_id, parse, sign, verify};
use enact_core::proof::{MAX_EXTRA_BYTES, Proof, ProofError};
use proptest::prelude::*;

use crate::support::{ORIGIN, ledger};

/// The published example of the note format: text, verifier key and signature of golang.org/x/mod/sumdb/note.
const EXAMPLE_TEXT: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const EXAMPLE_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const EXAMPLE_SIGNATURE: &str =
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

/// The example of the C2SP tlog-checkpoint specification.
const SPEC_CHECKPOINT: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";

fn key() -> SigningKey {
    SigningKey::from_bytes(&[42; 32])
}

#[test]
fn the_published_example_verifies_and_no_altered_one_does() {
    let (name, key) = decode_key(EXAMPLE_KEY).unwrap();
    assert_eq!((name.as_str(), encode_key(&name, &key).as_str()), ("PeterNeumann", EXAMPLE_KEY));
    let note = Note::parse(&format!("{EXAMPLE_TEXT}\n{EXAMPLE_SIGNATURE}")).unwrap();
    assert_eq!((note.text.as_str(), note.signatures[0].key_id), (EXAMPLE_TEXT, 0xc74f_20a3));
    assert_eq!(note.verify(&key, &name), Ok(()));
    let altered = Note::parse(&format!("{}\n{EXAMPLE_SIGNATURE}", EXAMPLE_TEXT.replace("your", "my"))).unwrap();
    assert_eq!(altered.verify(&key, &name), Err(NoteError::Signature));
}

#[test]
fn the_published_checkpoint_is_read_as_printed() {
    let (checkpoint, note) = parse(SPEC_CHECKPOINT).unwrap();
    assert_eq!((checkpoint.origin.as_str(), checkpoint.size), ("example.com/behind-the-sofa", 20_852_163));
    assert_eq!(checkpoint.to_string(), note.text);
    assert_eq!(verify(SPEC_CHECKPOINT, &key().verifying_key(), &checkpoint.origin), Err(NoteError::Unsigned));
}

#[test]
fn an_independent_reader_reads_our_checkpoint() {
    let text = sign(ORIGIN, 9, &[9; 32], &key());
    let (_, note) = parse(&text).unwrap();
    let theirs = tlog_tiles::Checkpoint::from_bytes(note.text.as_bytes()).unwrap();
    assert_eq!((theirs.origin(), theirs.size(), theirs.hash().0), (ORIGIN, 9, [9; 32]));
}

#[test]
fn a_cosigned_note_verifies_and_one_bad_signature_of_ours_spoils_it() {
    let text = sign(ORIGIN, 9, &[9; 32], &key());
    let public = key().verifying_key();
    let checkpoint = Checkpoint { origin: ORIGIN.into(), size: 9, root: [9; 32], extensions: Vec::new() };
    assert_eq!(verify(&text, &public, ORIGIN), Ok(checkpoint));
    let line = text.lines().last().unwrap();
    let witness = line.replace(ORIGIN, "witness.example/w1");
    assert!(verify(&format!("{text}{witness}\n"), &public, ORIGIN).is_ok());
    let other = sign(ORIGIN, 8, &[9; 32], &key());
    let spoiled = format!("{text}{}\n", other.lines().last().unwrap());
    assert_eq!(verify(&spoiled, &public, ORIGIN), Err(NoteError::Signature));
}

#[test]
fn our_key_over_another_ledgers_checkpoint_is_not_accepted_as_ours() {
    let text = Checkpoint { origin: "example.org/other".into(), size: 9, root: [9; 32], extensions: Vec::new() }.to_string();
    let id = key_id(ORIGIN, &key().verifying_key()).to_be_bytes();
    let signed = [id.as_slice(), &key().sign(text.as_bytes()).to_bytes()].concat();
    let note = format!("{text}\n— {ORIGIN} {}\n", BASE64.encode(signed));
    assert_eq!(Note::parse(&note).unwrap().verify(&key().verifying_key(), ORIGIN), Ok(()));
    assert_eq!(verify(&note, &key().verifying_key(), ORIGIN), Err(NoteError::Origin));
}

#[test]
fn a_checkpoint_has_one_spelling() {
    let good = format!("{ORIGIN}\n9\n{}\n", "A".repeat(43) + "=");
    assert!(Checkpoint::parse(&good).is_ok());
    assert!(Checkpoint::parse(&format!("{good}extension\n")).is_ok());
    for bad in [
        good.replace("\n9\n", "\n09\n"),
        good.replace("\n9\n", "\n+9\n"),
        good.replace("\n9\n", "\n-9\n"),
        good.replace("\n9\n", "\n18446744073709551616\n"),
        good.replace('=', ""),
        good.replace("AA=", "AB="),
        good.trim_end().to_owned(),
        format!("{good}\nx\n"),
        good.replacen(ORIGIN, "", 1),
        String::new(),
    ] {
        assert_eq!(Checkpoint::parse(&bad), Err(NoteError::Checkpoint), "{bad:?}");
    }
}

#[test]
fn malformed_notes_and_keys_are_refused() {
    let text = sign(ORIGIN, 9, &[9; 32], &key());
    let line = text.lines().last().unwrap();
    for bad in [
        String::new(),
        text.trim_end().to_owned(),
        text.replace("\n\n", "\n"),
        text.replace('—', "-"),
        text.replace('9', "\t"),
        format!("{text}\n"),
        format!("{text}— name !!!!\n"),
        format!("{text}— a+b AAAAAAAA\n"),
        format!("{text}— name AAAA\n"),
    ] {
        assert_eq!(Note::parse(&bad), Err(NoteError::Format), "{bad:?}");
    }
    let many = format!("{text}{}", format!("{line}\n").repeat(64));
    assert_eq!(Note::parse(&many), Err(NoteError::TooLarge));
    assert_eq!(Note::parse(&"x".repeat(200_000)), Err(NoteError::TooLarge));
    let good = encode_key(ORIGIN, &key().verifying_key());
    assert_eq!(decode_key(&good), Ok((ORIGIN.to_owned(), key().verifying_key())));
    for bad in ["", "a+b", "a+00000000+AQ==", &good.replacen("example", "exemple", 1), &good[1..], &good.replace("+A", "+B")] {
        assert_eq!(decode_key(bad), Err(NoteError::Key), "{bad}");
    }
    for name in ["", "a b", "a\u{2003}b", "a+b", "a\nb", "a\u{0}b"] {
        assert!(!is_name(name), "{name:?}");
    }
}

#[test]
fn a_proof_leaves_the_ledger_and_verifies_alone() {
    let sealed = ledger(11);
    let leaves: Vec<_> = sealed.iter().map(|s| s.leaf).collect();
    let head = &sealed[10].head;
    let checkpoint = sign(ORIGIN, head.size, &head.root(), &key());
    for (nth, entry) in (0..).zip(&sealed) {
        let mut proof = Proof::new(nth, &checkpoint, &mut from_leaves(&leaves)).unwrap();
        proof.extra = (nth % 2 == 0).then(|| b"context".to_vec());
        let text = proof.to_string();
        assert!(text.starts_with("c2sp.org/tlog-proof@v1\n"));
        let read = Proof::parse(&text).unwrap();
        assert_eq!(read, proof);
        assert_eq!(read.verify(&entry.bytes, &key().verifying_key(), ORIGIN).unwrap().size, 11);
        let other = &sealed[usize::try_from((nth + 1) % 11).unwrap()].bytes;
        assert!(matches!(read.verify(other, &key().verifying_key(), ORIGIN), Err(ProofError::Merkle(_))));
        let stranger = SigningKey::from_bytes(&[1; 32]).verifying_key();
        assert_eq!(read.verify(&entry.bytes, &stranger, ORIGIN), Err(ProofError::Note(NoteError::Unsigned)));
    }
    assert!(Proof::new(11, &checkpoint, &mut from_leaves(&leaves)).is_err());
}

#[test]
fn malformed_proofs_are_refused() {
    let sealed = ledger(3);
    let leaves: Vec<_> = sealed.iter().map(|s| s.leaf).collect();
    let checkpoint = sign(ORIGIN, 3, &sealed[2].head.root(), &key());
    let proof = Proof::new(1, &checkpoint, &mut from_leaves(&leaves)).unwrap();
    let good = proof.to_string();
    let hash = "A".repeat(43) + "=";
    for bad in [
        good.replace("@v1", "@v2"),
        good.replace("index 1", "index 01"),
        good.replace("index 1\n", ""),
        good.replace("index 1", "extra !\nindex 1"),
        good.replace("index 1", &format!("index 1\n{}", vec![hash.as_str(); 65].join("\n"))),
        good.replacen("\n\n", "\n", 1),
        good.replace("index 1", "index 1\nshort"),
    ] {
        assert!(Proof::parse(&bad).is_err(), "{bad}");
    }
    let fat = Proof { extra: Some(vec![0; MAX_EXTRA_BYTES + 1]), ..proof };
    assert_eq!(Proof::parse(&fat.to_string()), Err(ProofError::Format));
}

proptest! {
    #[test]
    fn no_text_makes_the_readers_panic(text in "[a-z+— \n=\u{0}AB0-9]{0,120}") {
        let _ = (Note::parse(&text).is_ok(), Proof::parse(&text).is_ok(), decode_key(&text).is_ok());
    }

    #[test]
    fn any_altered_character_of_a_signed_checkpoint_is_refused(at in any::<prop::sample::Index>(), to in "[a-zA-Z0-9]") {
        let text = sign(ORIGIN, 1234, &[5; 32], &key());
        let starts: Vec<usize> = text.char_indices().map(|(start, _)| start).collect();
        let start = *at.get(&starts);
        let from = text[start..].chars().next().unwrap();
        prop_assume!(!to.starts_with(from));
        let altered = format!("{}{to}{}", &text[..start], &text[start + from.len_utf8()..]);
        prop_assert!(verify(&altered, &key().verifying_key(), ORIGIN).is_err());
    }
}

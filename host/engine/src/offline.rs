//! Proofs that leave the ledger: made here, and checked by whoever holds the proof and a verifier key, without a workspace.
//!
//! The key is what a check starts from. It comes from whoever checks and never from the proof.
use std::collections::BTreeMap;

use ed25519_dalek::VerifyingKey;
use enact_core::entry::Entry;
use enact_core::govern::roots::{self, RowProof};
use enact_core::govern::row::BalanceRow;
use enact_core::hash::{Digest, entry_hash};
use enact_core::merkle::from_leaves;
use enact_core::note::{self, Checkpoint};
use enact_core::proof::Proof;
use enact_core::state::Space;
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::govern::{AccountReport, BalanceProof};

/// What a proof says about itself and does not prove.
const CLAIMS: &str = "proof_claims";

/// That an entry is in the ledger; the stable shape of `enact ledger prove --json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryProof {
    /// The entry.
    pub seq: u64,
    /// Entries under the signed root.
    pub size: u64,
    /// The C2SP tlog-proof.
    pub proof: String,
    /// The key that the ledger says is its own; whoever checks brings one.
    pub key: String,
    /// The stored bytes.
    pub entry: String,
}

/// Either proof, as a file holds it.
#[derive(Deserialize)]
#[serde(untagged)]
enum AnyProof {
    Entry(EntryProof),
    Balance(Box<BalanceProof>),
}

/// A proof that holds; the stable shape of `enact verify --proof --json`.
#[derive(Debug, Clone, Serialize)]
pub struct ProofReport {
    /// `HOLDS`; one that does not is an error.
    pub verdict: &'static str,
    /// `entry` or `balance`.
    pub proved: &'static str,
    /// The ledger's name.
    pub origin: String,
    /// Entries under the signed root.
    pub size: u64,
    /// The signed root.
    pub root: String,
    /// The verifier key under which the signature holds.
    pub signed_by: String,
    /// The entry that is in the ledger.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
    /// When it was appended.
    pub at: String,
    /// Action and subject of each of its records.
    pub records: Vec<BTreeMap<&'static str, String>>,
    /// The balance, and the number of entries after which the ledger states it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance: Option<ProvedBalance>,
    /// What the proof does not say.
    pub not_checked: Vec<&'static str>,
}

/// A balance that a stated root contains.
#[derive(Debug, Clone, Serialize)]
pub struct ProvedBalance {
    /// The account.
    pub account: String,
    /// The asset or lot.
    pub asset: String,
    /// Credits minus debits.
    pub balance: String,
    /// Entries of the ledger when it was so.
    pub after: u64,
    /// The root of all balances, which entry [`ProofReport::seq`] states.
    pub root: String,
}

impl Engine {
    /// Proves that an entry is in the ledger, against the latest signed checkpoint.
    ///
    /// # Errors
    /// When there is no such entry, or the ledger would not prove it.
    pub fn prove_entry(&self, seq: u64) -> Result<EntryProof> {
        let mut proofs = self.prove_entries(&[seq])?;
        proofs.pop().ok_or_else(|| EngineError::Internal { detail: "an entry without a proof".to_owned() })
    }

    /// The same for several entries, under one checkpoint. The leaves are read once; each proof hashes them again.
    ///
    /// # Errors
    /// As [`Engine::prove_entry`].
    pub fn prove_entries(&self, seqs: &[u64]) -> Result<Vec<EntryProof>> {
        let altered = |seq: u64, code, detail: String| EngineError::Altered { what: format!("entry {seq}"), code, detail };
        let mut reader = self.store().reader()?;
        reader.begin()?;
        let size = reader.head()?.size;
        if let Some(seq) = seqs.iter().copied().find(|seq| *seq >= size) {
            return Err(EngineError::NoEntry { seq, size });
        }
        let note = reader.note()?.ok_or(EngineError::EmptyLedger)?;
        let size = note::parse(&note).map_err(|e| altered(size, e.code(), e.to_string()))?.0.size;
        let mut leaves = Vec::new();
        for seq in 0..size {
            leaves.push(reader.leaf(seq)?.ok_or(EngineError::NoEntry { seq, size })?);
        }
        let mut proofs = Vec::with_capacity(seqs.len());
        for &seq in seqs {
            let stored = reader.entry(seq)?.ok_or(EngineError::NoEntry { seq, size })?;
            let proof = Proof::new(seq, &note, &mut from_leaves(&leaves)).map_err(|e| altered(seq, e.code(), e.to_string()))?;
            // A proof that this binary would not accept itself is not handed out.
            let (name, key) = note::decode_key(self.verifier_key()).map_err(|e| altered(seq, e.code(), e.to_string()))?;
            proof.verify(&stored.bytes, &key, &name).map_err(|e| altered(seq, e.code(), e.to_string()))?;
            let entry = String::from_utf8(stored.bytes).map_err(|e| altered(seq, "canonical_syntax", e.to_string()))?;
            proofs.push(EntryProof { seq, size, proof: proof.to_string(), key: self.verifier_key().to_owned(), entry });
        }
        Ok(proofs)
    }
}

/// Checks the proof of an entry against a verifier key. Reads nothing else.
///
/// # Errors
/// As [`check`].
pub fn check_entry(proof: &EntryProof, key: &str) -> Result<ProofReport> {
    let (name, verifying) = note::decode_key(key).map_err(|_| EngineError::Key { name: "--key".to_owned() })?;
    Ok(entry(proof, &Signer { name: &name, key: &verifying, text: key })?.0)
}

/// Checks a proof against a verifier key. Reads nothing else.
///
/// # Errors
/// [`EngineError::Json`] when it is not JSON, [`EngineError::Key`] when the key is none, [`EngineError::Altered`] when it does not hold.
pub fn check(proof: &[u8], key: &str) -> Result<ProofReport> {
    let value =
        enact_core::canonical::parse(proof).map_err(|e| EngineError::Json { what: "the proof".to_owned(), detail: e.to_string() })?;
    let (name, verifying) = note::decode_key(key).map_err(|_| EngineError::Key { name: "--key".to_owned() })?;
    let signer = Signer { name: &name, key: &verifying, text: key };
    match serde_json::from_value(value).map_err(|_| broken("proof_format", "neither the proof of an entry nor of a balance"))? {
        AnyProof::Entry(proof) => Ok(entry(&proof, &signer)?.0),
        AnyProof::Balance(proof) => balance(&proof, &signer),
    }
}

struct Signer<'a> {
    name: &'a str,
    key: &'a VerifyingKey,
    text: &'a str,
}

fn broken(code: &'static str, detail: impl Into<String>) -> EngineError {
    EngineError::Altered { what: "the proof, or what it is about,".to_owned(), code, detail: detail.into() }
}

fn entry(claimed: &EntryProof, signer: &Signer<'_>) -> Result<(ProofReport, Entry)> {
    let proof = Proof::parse(&claimed.proof).map_err(|e| broken(e.code(), e.to_string()))?;
    let bytes = claimed.entry.as_bytes();
    let Checkpoint { origin, size, root, .. } =
        proof.verify(bytes, signer.key, signer.name).map_err(|e| broken(e.code(), e.to_string()))?;
    let entry = Entry::parse(bytes).map_err(|e| broken(e.code(), e.to_string()))?;
    if entry.origin != origin {
        return Err(broken("entry_foreign", format!("an entry of `{}` in the tree of `{origin}`", entry.origin)));
    }
    if entry.seq != proof.index {
        return Err(broken("entry_seq", format!("entry {} in the place of entry {}", entry.seq, proof.index)));
    }
    if (claimed.seq, claimed.size) != (entry.seq, size) {
        let detail = format!("it says entry {} of {}, it proves entry {} of {size}", claimed.seq, claimed.size, entry.seq);
        return Err(broken(CLAIMS, detail));
    }
    let named = |record: &enact_core::entry::Record| [("action", record.action.clone()), ("subject", record.subject.clone())].into();
    let report = ProofReport {
        verdict: "HOLDS",
        proved: "entry",
        origin,
        size,
        root: Digest::sha256(root).to_string(),
        signed_by: signer.text.to_owned(),
        seq: entry.seq,
        hash: entry_hash(bytes).to_string(),
        at: entry.at.clone(),
        records: entry.records.iter().map(named).collect(),
        balance: None,
        not_checked: vec!["that the entry was allowed (`enact verify --rebuild` on the whole ledger)"],
    };
    Ok((report, entry))
}

fn balance(claimed: &BalanceProof, signer: &Signer<'_>) -> Result<ProofReport> {
    let (report, entry) = entry(&claimed.stated, signer)?;
    let (after, all) = entry.records.iter().find_map(roots::read).ok_or_else(|| broken(CLAIMS, "its entry states no roots"))?;
    let root = all.get(&Space::Balance).copied().unwrap_or_default();
    let hashes = claimed.path.iter().map(|text| text.parse::<Digest>().map(|digest| digest.bytes)).collect::<std::result::Result<_, _>>();
    let path = hashes.map_err(|_| broken("proof_format", "a hash of the path is none"))?;
    let AccountReport { account, asset, balance, credits, debits, .. } = &claimed.balance;
    let proof = RowProof { index: claimed.index, size: claimed.rows, path };
    roots::verify(Space::Balance, &format!("{account}|{asset}"), &claimed.row, &proof, &root)
        .map_err(|e| broken(e.code(), e.to_string()))?;
    let row: BalanceRow = serde_json::from_str(&claimed.row).map_err(|_| broken("state_unreadable", "the row is no balance"))?;
    let (snapshot, stated) = (claimed.snapshot, Digest::sha256(root).to_string());
    let said = (balance.clone(), credits.clone(), debits.clone(), snapshot, &claimed.root);
    if said != (row.net(), row.credits.to_string(), row.debits.to_string(), entry.seq, &stated) {
        return Err(broken(CLAIMS, format!("the row is {}, stated by entry {} under {stated}", claimed.row, entry.seq)));
    }
    let balance = ProvedBalance { account: account.clone(), asset: asset.clone(), balance: row.net(), after, root: stated };
    let not_checked = vec![
        "that the stated root is the one that follows from the entries (`enact verify --rebuild` on the whole ledger)",
        "that no later entry changed the balance",
        "which entry left it so (`balance.seq`): the row does not say it",
    ];
    Ok(ProofReport { proved: "balance", balance: Some(balance), not_checked, ..report })
}

//! Reading what governance left: subjects, actors, accounts, and proofs about them.
use enact_core::entry::Entry;
use enact_core::govern::roots::{self, RowProof};
use enact_core::govern::row::{ActorRow, BalanceRow, SubjectRow};
use enact_core::hash::Digest;
use enact_core::state::Space;
use enact_store::Reader;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::keys;
use super::proposal::row;
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::offline::EntryProof;

/// Rows read at a time; bounds memory, not the result.
pub(super) const PAGE: u64 = 1_000;

/// A subject; the stable shape of `enact state --json`.
#[derive(Debug, Clone, Serialize)]
pub struct SubjectReport {
    /// `Type:Id`.
    pub subject: String,
    /// Where it stands, and by which entry.
    #[serde(flatten)]
    pub row: SubjectRow,
}

/// One record of a subject; the stable shape of an element of `enact history --json`.
#[derive(Debug, Clone, Serialize)]
pub struct HistoryRow {
    /// Its entry.
    pub seq: u64,
    /// When.
    pub at: String,
    /// Its action.
    pub action: String,
    /// Who.
    pub actor: String,
    /// The row of the matrix that allowed it.
    pub decided: String,
    /// Its portable hash.
    pub record: String,
    /// The state after it, where the subject has states.
    pub state: Option<String>,
    /// What it says.
    pub payload: Value,
}

/// An actor; the stable shape of an element of `enact actor list --json`.
#[derive(Debug, Clone, Serialize)]
pub struct ActorReport {
    /// Its id.
    pub actor: String,
    /// This workspace holds its key.
    pub key_here: bool,
    /// Key, status, roles and seats.
    #[serde(flatten)]
    pub row: ActorRow,
}

/// What an account holds of one asset; the stable shape of an element of `enact accounts --json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountReport {
    /// The account.
    pub account: String,
    /// The asset or lot.
    pub asset: String,
    /// Credits minus debits, minor units as decimal text.
    pub balance: String,
    /// All credits.
    pub credits: String,
    /// All debits.
    pub debits: String,
    /// The entry that left it so.
    pub seq: u64,
}

/// The balances of one account.
#[derive(Debug, Clone, Serialize)]
pub struct BalanceReport {
    /// The account.
    pub account: String,
    /// One element for each asset.
    pub balances: Vec<AccountReport>,
}

/// A balance with everything that proves it offline.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BalanceProof {
    /// The balance.
    pub balance: AccountReport,
    /// The row's value: canonical JSON under the key `account|asset`.
    pub row: String,
    /// Place of the row among the rows of the space.
    pub index: u64,
    /// Rows of the space.
    pub rows: u64,
    /// Hashes from the row's leaf to the root of the space.
    pub path: Vec<String>,
    /// The root of the space.
    pub root: String,
    /// The entry that states the root.
    pub snapshot: u64,
    /// That this entry is in the ledger.
    pub stated: EntryProof,
}

/// A refused proposal; the stable shape of an element of `enact refusals --json`.
#[derive(Debug, Clone, Serialize)]
pub struct RefusalReport {
    /// Its number in the log.
    pub id: u64,
    /// When.
    pub at: String,
    /// Stable code.
    pub code: String,
    /// The row of the matrix that got furthest.
    pub row: Option<String>,
    /// Who asked.
    pub actor: Option<String>,
    /// For what.
    pub action: Option<String>,
    /// About what.
    pub subject: Option<String>,
    /// In words.
    pub detail: String,
}

impl Engine {
    /// Where a subject stands, now or as entry `at` left it.
    pub fn subject_state(&self, subject: &str, at: Option<u64>) -> Result<SubjectReport> {
        let mut reader = self.store().reader()?;
        Self::has_entry(&mut reader, at)?;
        let found = match at {
            Some(seq) => reader.state_at(Space::Subject, subject, seq)?,
            None => reader.state(Space::Subject, subject)?,
        };
        let (_, text) = found.ok_or_else(|| EngineError::NoSubject { subject: subject.to_owned() })?;
        Ok(SubjectReport { subject: subject.to_owned(), row: row(&text, "subject", subject)? })
    }

    /// All records of a subject, oldest first.
    pub fn history(&self, subject: &str) -> Result<Vec<HistoryRow>> {
        let mut reader = self.store().reader()?;
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = reader.state_history(Space::Subject, subject, after, PAGE)?;
            let Some((last, _)) = page.last() else { break };
            after = Some(*last);
            for (seq, text) in page {
                let after: SubjectRow = row(&text, "subject", subject)?;
                records_of(&mut reader, seq, subject, &after, &mut found)?;
            }
        }
        if found.is_empty() { Err(EngineError::NoSubject { subject: subject.to_owned() }) } else { Ok(found) }
    }

    /// Subjects whose names begin with a prefix, in the order of their names.
    pub fn subjects(&self, prefix: &str, limit: u64) -> Result<Vec<SubjectReport>> {
        let mut reader = self.store().reader()?;
        let rows = reader.state_rows(Space::Subject, prefix, None, limit)?;
        rows.into_iter().map(|found| Ok(SubjectReport { row: row(&found.value, "subject", &found.key)?, subject: found.key })).collect()
    }

    /// All actors, in the order of their ids.
    pub fn actors(&self) -> Result<Vec<ActorReport>> {
        self.all(Space::Actor, "")?
            .into_iter()
            .map(|(key, _, value)| {
                let row: ActorRow = row(&value, "actor", &key)?;
                // A file of that name may hold another key, such as one that was replaced elsewhere.
                let key_here = keys::load(self.workspace(), &key).is_ok_and(|held| row.key == Some(keys::public(&held)));
                Ok(ActorReport { key_here, row, actor: key })
            })
            .collect()
    }

    /// Balances of accounts whose names begin with a prefix.
    pub fn accounts(&self, prefix: &str) -> Result<Vec<AccountReport>> {
        self.all(Space::Balance, prefix)?.into_iter().map(|(key, seq, value)| account(&key, seq, &value)).collect()
    }

    /// The balances of one account in all assets.
    pub fn balance(&self, account: &str) -> Result<BalanceReport> {
        let balances = self.accounts(&format!("{account}|"))?;
        if balances.is_empty() {
            return Err(EngineError::NoAccount { account: account.to_owned() });
        }
        Ok(BalanceReport { account: account.to_owned(), balances })
    }

    /// States the roots of the present state in the ledger and proves a balance against them.
    pub fn prove_balance(&self, account_name: &str, asset: &str) -> Result<BalanceProof> {
        let key = format!("{account_name}|{asset}");
        let snapshot = self.state_snapshot()?;
        let rows: Vec<(String, u64, String)> = self.all(Space::Balance, "")?;
        let found = rows.iter().find(|(k, _, _)| *k == key);
        let (_, seq, value) = found.ok_or_else(|| EngineError::NoAccount { account: key.clone() })?;
        let pairs = || rows.iter().map(|(key, _, value)| (key.as_str(), value.as_str()));
        let (root, proof) = (roots::root(Space::Balance, pairs()), roots::prove(Space::Balance, pairs(), &key));
        let Some(proof) = proof else { return Err(EngineError::NoAccount { account: key }) };
        // A proof that this binary would not accept itself is not handed out.
        roots::verify(Space::Balance, &key, value, &proof, &root)
            .map_err(|e| EngineError::Internal { detail: format!("a proof that does not hold: {e}") })?;
        let RowProof { index, size, path } = proof;
        Ok(BalanceProof {
            balance: account(&key, *seq, value)?,
            row: value.clone(),
            index,
            rows: size,
            path: path.into_iter().map(|hash| Digest::sha256(hash).to_string()).collect(),
            root: Digest::sha256(root).to_string(),
            snapshot,
            stated: self.prove_entry(snapshot)?,
        })
    }

    /// Appends a `STATE.SNAPSHOT` of the state as it is now, as the engine; answers its entry.
    pub fn state_snapshot(&self) -> Result<u64> {
        let mut reader = self.store().reader()?;
        reader.begin()?;
        let size = reader.head()?.size;
        let mut all = roots::Roots::new();
        for space in Space::ALL {
            let rows = all_of(&mut reader, space, "")?;
            all.insert(space, roots::root(space, rows.iter().map(|(key, _, value)| (key.as_str(), value.as_str()))));
        }
        let subject = format!("State:{size}");
        let prev = match reader.state(Space::Subject, &subject)? {
            Some((_, text)) => Some(row::<SubjectRow>(&text, "subject", &subject)?.last),
            None => None,
        };
        reader.end()?;
        let record = roots::record(&self.fingerprint(), size, &all, prev);
        let protocol = self.in_force(&reader.moment(None)?)?;
        let appended = self.append_records(vec![record], protocol, 1)?.map_err(|r| EngineError::Refused(Box::new(r)))?;
        Ok(appended.entry.seq)
    }

    /// Refused proposals, oldest first, after number `after`.
    pub fn refusals(&self, after: u64, limit: u64) -> Result<Vec<RefusalReport>> {
        let stored = self.store().reader()?.refusals(after, limit)?;
        let report = |stored: enact_store::StoredRefusal| {
            let p = stored.proposal;
            RefusalReport {
                id: stored.id,
                at: p.at,
                code: p.code,
                row: p.row,
                actor: p.actor,
                action: p.action,
                subject: p.subject,
                detail: p.detail,
            }
        };
        Ok(stored.into_iter().map(report).collect())
    }

    /// Refuses an entry that the ledger does not have: a past that has not happened would read like the present.
    pub(super) fn has_entry(reader: &mut Reader, at: Option<u64>) -> Result<()> {
        let size = reader.head()?.size;
        match at {
            Some(seq) if seq >= size => Err(EngineError::NoEntry { seq, size }),
            Some(_) | None => Ok(()),
        }
    }

    fn all(&self, space: Space, prefix: &str) -> Result<Vec<(String, u64, String)>> {
        all_of(&mut self.store().reader()?, space, prefix)
    }
}

/// All present rows of a space below a prefix: key, entry, value.
fn all_of(reader: &mut Reader, space: Space, prefix: &str) -> Result<Vec<(String, u64, String)>> {
    let mut rows: Vec<(String, u64, String)> = Vec::new();
    loop {
        let page = reader.state_rows(space, prefix, rows.last().map(|(key, _, _)| key.as_str()), PAGE)?;
        if page.is_empty() {
            return Ok(rows);
        }
        rows.extend(page.into_iter().map(|row| (row.key, row.seq, row.value)));
    }
}

/// The records of one entry about a subject; the row is the one after the last of them.
fn records_of(reader: &mut Reader, seq: u64, subject: &str, after: &SubjectRow, found: &mut Vec<HistoryRow>) -> Result<()> {
    let altered = |detail: String| EngineError::Altered { what: format!("entry {seq}"), code: "entry_missing", detail };
    let stored = reader.entry(seq)?.ok_or_else(|| altered("a row says that it exists".to_owned()))?;
    let entry = Entry::parse(&stored.bytes).map_err(|r| altered(r.to_string()))?;
    let about = entry.records.iter().enumerate().filter(|(_, record)| record.subject == subject);
    for (nth, record) in about {
        let hash = record.hash().map_err(|e| altered(e.to_string()))?;
        found.push(HistoryRow {
            seq,
            at: entry.at.clone(),
            action: record.action.clone(),
            actor: record.actor.clone(),
            decided: entry.decided.get(nth).cloned().unwrap_or_default(),
            record: hash.to_string(),
            state: if hash == after.last { after.state.clone() } else { None },
            payload: record.payload.clone(),
        });
    }
    Ok(())
}

pub(super) fn account(key: &str, seq: u64, value: &str) -> Result<AccountReport> {
    let row: BalanceRow = row(value, "balance", key)?;
    // Parts are told apart from the right: no asset holds a `|`.
    let (account, asset) = key.rsplit_once('|').unwrap_or((key, ""));
    Ok(AccountReport {
        account: account.to_owned(),
        asset: asset.to_owned(),
        balance: row.net(),
        credits: row.credits.to_string(),
        debits: row.debits.to_string(),
        seq,
    })
}

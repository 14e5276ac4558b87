//! Entries read without a copy: what a verification needs, borrowed from the stored bytes.
//!
//! A view is had only of bytes that [`Entry::parse`] accepts; of others there is none, and the slow reading says why.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::record::Outline;
use super::seal::check_content;
use super::{ENTRY_VERSION, Entry, Kind, Local, MAX_ENTRY_BYTES, Posting, Record, Side};
use crate::canonical::{Known, Text, read};
use crate::hash::Digest;
use crate::receipt::ReceiptView;
use crate::time::Instant;

/// An entry borrowed from its stored bytes.
#[derive(Clone, Debug)]
pub struct EntryView<'a> {
    bytes: &'a [u8],
    entry: Read<'a, Known<ReceiptView<'a>>>,
}

impl<'a> EntryView<'a> {
    /// Reads stored bytes. Nothing when [`Entry::parse`] would refuse them; it says why.
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        Some(Self { bytes, entry: Read::of(bytes)? })
    }

    /// The bytes it was read from.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// When, in the stored spelling.
    #[must_use]
    pub fn at(&self) -> &str {
        self.entry.at.as_str()
    }

    /// The ledger's name.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.entry.origin.as_str()
    }

    /// Hash of the entry before.
    #[must_use]
    pub const fn prev(&self) -> Option<Digest> {
        self.entry.prev
    }

    /// Hash of the protocol snapshot in force.
    #[must_use]
    pub const fn protocol(&self) -> Digest {
        self.entry.protocol
    }

    /// Position, counted from zero.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.entry.seq
    }

    /// Whether it holds the receipt of a run, which then is its first record.
    #[must_use]
    pub fn is_run(&self) -> bool {
        self.entry.records.iter().any(|record| record.outline().is_run())
    }

    /// The receipt it begins with. Nothing when [`crate::receipt::RunReceipt::from_record`] would refuse it; that one says why.
    #[must_use]
    pub fn receipt(&self) -> Option<&ReceiptView<'a>> {
        let record = self.entry.records.first()?;
        let Known::Read(receipt) = &record.payload else { return None };
        // A receipt is said in one way only: the members of its record follow from it, and the others are absent.
        let Outline { kind, type_, action, subject, actor, seat, scope, claims, .. } = record.outline();
        let bare = record.refs.0.is_empty() && seat.is_none() && scope.is_none() && claims.iter().all(|(_, present)| !present);
        (bare && receipt.is_carried_by(kind, type_, action, subject, actor)).then_some(receipt)
    }
}

/// The quick reading of [`Entry::parse`].
pub(super) fn entry(bytes: &[u8]) -> Option<Entry> {
    let Read { at, decided, local, origin, prev, protocol, records, seq, v } = Read::<Value>::of(bytes)?;
    Some(Entry {
        at: owned(at),
        decided: decided.into_iter().map(owned).collect(),
        local: Local { attempt: local.attempt, node: owned(local.node) },
        origin: owned(origin),
        prev,
        protocol,
        records: records.into_iter().map(record).collect(),
        seq,
        v,
    })
}

fn owned(text: Text<'_>) -> String {
    text.0.into_owned()
}

fn record(read: ReadRecord<'_, Value>) -> Record {
    Record {
        action: owned(read.action),
        actor: owned(read.actor),
        auth: read.auth,
        consumes: read.consumes.into_iter().map(owned).collect(),
        kind: read.kind,
        payload: read.payload,
        postings: read.postings.map(|legs| legs.into_iter().map(ReadPosting::owned).collect()),
        refs: read.refs.0.into_iter().map(|(name, link)| (owned(name), link)).collect(),
        scope: read.scope.map(owned),
        seat: read.seat.map(owned),
        sig: read.sig.map(owned),
        subject: owned(read.subject),
        type_: owned(read.type_),
        version: read.version,
    }
}

/// The members of an [`Entry`], under the same names. `P` is what a payload is read as.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "P: Deserialize<'de>"))]
struct Read<'a, P> {
    #[serde(borrow)]
    at: Text<'a>,
    #[serde(borrow, default, deserialize_with = "not_empty")]
    decided: Vec<Text<'a>>,
    #[serde(borrow)]
    local: ReadLocal<'a>,
    #[serde(borrow)]
    origin: Text<'a>,
    #[serde(deserialize_with = "nullable")]
    prev: Option<Digest>,
    protocol: Digest,
    #[serde(borrow)]
    records: Vec<ReadRecord<'a, P>>,
    seq: u64,
    v: u32,
}

impl<'a, P: Deserialize<'a>> Read<'a, P> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        if bytes.len() > MAX_ENTRY_BYTES {
            return None;
        }
        let entry: Self = read(bytes)?;
        let outlines = entry.records.iter().map(ReadRecord::outline);
        let fits = entry.v == ENTRY_VERSION
            && check_content(entry.origin.as_str(), outlines, Some(entry.decided.len())).is_ok()
            && Instant::is_stored(entry.at.as_str());
        fits.then_some(entry)
    }
}

#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadLocal<'a> {
    attempt: u32,
    #[serde(borrow)]
    node: Text<'a>,
}

/// The members of a [`Record`], under the same names.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "P: Deserialize<'de>"))]
struct ReadRecord<'a, P> {
    #[serde(borrow)]
    action: Text<'a>,
    #[serde(borrow)]
    actor: Text<'a>,
    #[serde(default)]
    auth: Option<Digest>,
    #[serde(borrow)]
    consumes: Vec<Text<'a>>,
    kind: Kind,
    payload: P,
    #[serde(borrow, default)]
    postings: Option<Vec<ReadPosting<'a>>>,
    #[serde(borrow)]
    refs: Pairs<'a>,
    #[serde(borrow, default)]
    scope: Option<Text<'a>>,
    #[serde(borrow, default)]
    seat: Option<Text<'a>>,
    #[serde(borrow, default)]
    sig: Option<Text<'a>>,
    #[serde(borrow)]
    subject: Text<'a>,
    #[serde(borrow, rename = "type")]
    type_: Text<'a>,
    #[serde(default)]
    version: Option<u64>,
}

impl<P> ReadRecord<'_, P> {
    fn outline(&self) -> Outline<'_, impl Iterator<Item = &str>, impl Iterator<Item = &str>> {
        Outline {
            kind: self.kind,
            type_: self.type_.as_str(),
            action: self.action.as_str(),
            subject: self.subject.as_str(),
            actor: self.actor.as_str(),
            seat: self.seat.as_ref().map(Text::as_str),
            scope: self.scope.as_ref().map(Text::as_str),
            refs: self.refs.0.iter().map(|(name, _)| name.as_str()),
            consumes: self.consumes.iter().map(Text::as_str),
            claims: [
                ("auth", self.auth.is_some()),
                ("consumes", !self.consumes.is_empty()),
                ("version", self.version.is_some()),
                ("postings", self.postings.is_some()),
                ("sig", self.sig.is_some()),
            ],
        }
    }
}

/// The members of a [`Posting`], under the same names.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadPosting<'a> {
    #[serde(borrow)]
    account: Text<'a>,
    #[serde(borrow)]
    amount: Text<'a>,
    #[serde(borrow)]
    asset: Text<'a>,
    side: Side,
}

impl ReadPosting<'_> {
    fn owned(self) -> Posting {
        Posting { account: owned(self.account), amount: owned(self.amount), asset: owned(self.asset), side: self.side }
    }
}

/// Digests by name, in the order of the bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairs<'a>(pub(crate) Vec<(Text<'a>, Digest)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Pairs<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of digests")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = object.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(List)
    }
}

/// A list that is left out when it is empty.
fn not_empty<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Text<'a>>, D::Error> {
    let list = Vec::deserialize(deserializer)?;
    if list.is_empty() { Err(de::Error::custom("left out when empty")) } else { Ok(list) }
}

/// A member that is always there, and says `null` for nothing.
fn nullable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Digest>, D::Error> {
    struct Nullable;
    impl<'de> Visitor<'de> for Nullable {
        type Value = Option<Digest>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a digest or null")
        }
        fn visit_unit<E>(self) -> Result<Option<Digest>, E> {
            Ok(None)
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<Option<Digest>, E> {
            text.parse().map(Some).map_err(E::custom)
        }
    }
    deserializer.deserialize_any(Nullable)
}

#[cfg(test)]
mod tests;

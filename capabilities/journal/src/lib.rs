//! `CS_APPENDONLY_JSONL_V0`: records with their time, actor and stream, in the order in which runs committed.
//!
//! A record has a position only once its run has committed, so `APPEND` answers none; whoever reads derives number and id from it.

use enact_guest_sdk::{Context, Fault, Outcome, Raw, Violation};
use serde::{Deserialize, Serialize};

/// Records per host call while reading. Larger pages mean fewer calls and more memory at once.
const PAGE_RECORDS: u32 = 256;

#[derive(Deserialize)]
struct Append<'a> {
    #[serde(borrow)]
    record: &'a Raw,
    actor_id: Option<String>,
    stream_id: Option<String>,
}

/// What is stored, in the published order of members; the record itself byte for byte as it came.
#[derive(Serialize)]
struct Stored<'a> {
    timestamp: &'a str,
    actor_id: Option<&'a str>,
    stream_id: Option<&'a str>,
    record: &'a Raw,
}

/// The same, as it is read.
#[derive(Deserialize)]
struct Found<'a> {
    timestamp: String,
    actor_id: Option<String>,
    stream_id: Option<String>,
    #[serde(borrow)]
    record: &'a Raw,
}

/// What readers get: the stored members and what follows from the position.
#[derive(Serialize)]
struct Entry {
    record_id: String,
    sequence_number: u64,
    timestamp: String,
    actor_id: Option<String>,
    stream_id: Option<String>,
    record: Box<Raw>,
}

#[derive(Serialize)]
struct Entries {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct All {
    stream_id: Option<String>,
}

#[derive(Deserialize)]
struct Range {
    start_sequence: u64,
    end_sequence: u64,
    stream_id: Option<String>,
}

#[derive(Deserialize)]
struct Since {
    timestamp: String,
    stream_id: Option<String>,
}

fn append(context: &mut Context<'_>, i: Append<'_>) -> Result<Outcome<()>, Fault> {
    if !i.record.get().starts_with('{') {
        return Err(Violation.into());
    }
    let timestamp = context.clock().now()?;
    let stored = Stored { timestamp: &timestamp, actor_id: i.actor_id.as_deref(), stream_id: i.stream_id.as_deref(), record: i.record };
    let text = serde_json::to_string(&stored).map_err(|_| Fault::Damaged)?;
    context.log().append(&text)?;
    Ok(Outcome::bare("SUCCESS"))
}

/// Reads page after page from position `from` and keeps what `keep` wants, until `end` (exclusive) or the end of the log.
fn read(context: &mut Context<'_>, from: u64, end: u64, keep: impl Fn(&Entry) -> bool) -> Result<Outcome<Entries>, Fault> {
    let mut entries = Vec::new();
    let mut position = from;
    while position < end {
        let wanted = u32::try_from(end - position).unwrap_or(PAGE_RECORDS).min(PAGE_RECORDS);
        let page = context.log().read(position, wanted)?;
        let last = page.len() < wanted as usize;
        for text in page {
            let entry = entry(position, &text)?;
            position += 1;
            if keep(&entry) {
                entries.push(entry);
            }
        }
        if last {
            break;
        }
    }
    Ok(Outcome::success(Entries { entries }))
}

/// The entry at a position. Numbers start at 1, ids repeat the time and count from 0, as published.
fn entry(position: u64, text: &str) -> Result<Entry, Fault> {
    let found: Found<'_> = serde_json::from_str(text).map_err(|_| Fault::Damaged)?;
    Ok(Entry {
        record_id: format!("{}_{position:06}", found.timestamp),
        sequence_number: position.saturating_add(1),
        timestamp: found.timestamp,
        actor_id: found.actor_id,
        stream_id: found.stream_id,
        record: found.record.to_owned(),
    })
}

/// No stream asked for means every stream.
fn in_stream(entry: &Entry, stream_id: Option<&str>) -> bool {
    stream_id.is_none_or(|stream_id| entry.stream_id.as_deref() == Some(stream_id))
}

fn get_all(context: &mut Context<'_>, i: All) -> Result<Outcome<Entries>, Fault> {
    read(context, 0, u64::MAX, |entry| in_stream(entry, i.stream_id.as_deref()))
}

/// Both ends are included; the first record has number 1.
fn get_range(context: &mut Context<'_>, i: Range) -> Result<Outcome<Entries>, Fault> {
    if i.start_sequence == 0 || i.end_sequence < i.start_sequence {
        return Err(Violation.into());
    }
    read(context, i.start_sequence - 1, i.end_sequence, |entry| in_stream(entry, i.stream_id.as_deref()))
}

/// Strictly later than the given time. The host's times have one form, so they order as text.
fn get_since(context: &mut Context<'_>, i: Since) -> Result<Outcome<Entries>, Fault> {
    if i.timestamp.is_empty() {
        return Err(Violation.into());
    }
    read(context, 0, u64::MAX, |entry| entry.timestamp > i.timestamp && in_stream(entry, i.stream_id.as_deref()))
}

enact_guest_sdk::side_effect! {
    "CS_APPENDONLY_JSONL_V0" {
        "APPEND" => append,
        "GET_ALL" => get_all,
        "GET_RANGE" => get_range,
        "GET_SINCE" => get_since,
    }
}

#[cfg(test)]
mod tests;

//! What `queue export` writes, as names and bytes. Piece by piece, so that nobody has to hold a journal of millions at once.

use crate::item::{Item, Known};
use crate::status::Event;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// All lines of items that are not archived.
pub const QUEUE: &str = "queue.ndjson";

/// All lines of archived items.
pub const ARCHIVE: &str = "archive/queue.ndjson";

/// The lines that tell of a failed attempt, archived or not.
pub const FAILURES: &str = "logs/execution_failures.ndjson";

/// Bytes to append to the file of this name; files that nothing is appended to are not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// A path below the folder of the export, with `/`.
    pub name: String,
    /// What to append.
    pub bytes: Vec<u8>,
}

/// An item with all its lines, oldest first.
#[derive(Clone, Copy, Debug)]
pub struct Lines<'a> {
    /// The lines, at least one.
    pub lines: &'a [Item],
    /// What is known of it now.
    pub known: Known,
    /// Whether it is out of the lists.
    pub archived: bool,
}

/// What one line of the journal adds, in the order of the journal.
#[must_use]
pub fn of_line(line: &Item, archived: bool) -> Vec<Piece> {
    let text = with_end(line.to_line());
    let failure = matches!(line.event, Event::Failed | Event::FailedFinal | Event::SettlementFailed);
    let name = if archived { ARCHIVE } else { QUEUE };
    let mut pieces = Vec::with_capacity(2);
    if failure {
        pieces.push(Piece { name: FAILURES.into(), bytes: text.clone() });
    }
    pieces.push(Piece { name: name.into(), bytes: text });
    pieces
}

/// What an item that is not archived adds beside its lines: the projection of its last line, and its lock while it is held.
#[must_use]
pub fn of_item(last: &Item, known: &Known) -> Vec<Piece> {
    let mut shown = last.clone();
    shown.status = last.shown(known);
    let mut pieces = Vec::with_capacity(2);
    pieces.push(Piece { name: format!("by_item/{}.json", last.id), bytes: with_end(shown.to_line()) });
    if let Some(lease) = last.lease.as_ref().filter(|lease| lease.live(known.now)) {
        // A lease is text and a number, which always serialise.
        let text = serde_json::to_string(lease).unwrap_or_default();
        pieces.push(Piece { name: format!("locks/{}.lock", last.id), bytes: with_end(text) });
    }
    pieces
}

/// All documents of a small queue. The lines of `items` are merged in the order of the time they were written at, then of place.
#[must_use]
pub fn documents(items: &[Lines<'_>]) -> BTreeMap<String, Vec<u8>> {
    let mut all: Vec<(&Item, bool)> = items.iter().flat_map(|item| item.lines.iter().map(|line| (line, item.archived))).collect();
    // Stable: lines of one item stay in their order.
    all.sort_by_key(|(line, _)| (line.updated_us, line.queued));
    let lines = all.into_iter().flat_map(|(line, archived)| of_line(line, archived));
    let live = items.iter().filter(|item| !item.archived).filter_map(|item| Some((item.lines.last()?, &item.known)));
    let mut documents: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for piece in lines.chain(live.flat_map(|(last, known)| of_item(last, known))) {
        documents.entry(piece.name).or_default().extend(piece.bytes);
    }
    documents
}

fn with_end(text: String) -> Vec<u8> {
    let mut bytes = text.into_bytes();
    bytes.push(b'\n');
    bytes
}

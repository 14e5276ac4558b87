//! How SQLite goes about each statement over the queue: by an index that holds what is asked for, whatever else the file holds.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use rusqlite::Connection;

use crate::queue::QueueFilter;
use crate::queue::health::{FAILED, FIRST, HELD, WAITS};
use crate::queue::list::{AGAIN, AGAIN_NEXT, COUNTS, COUNTS_OF, DEADLINE, LEASES, LINES, LINES_OF, SUBJECTS, WAITING, listing};
use crate::queue::take::{DUE, EXPIRED, NEXT, NEXT_OF};
use crate::schema;

/// The plan, a line a step.
fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    // Every parameter is left NULL: the plan does not depend on it.
    let parameters = vec![None::<String>; statement.parameter_count()];
    let steps = statement.query_map(rusqlite::params_from_iter(parameters), |row| row.get::<_, String>(3)).unwrap();
    steps.map(Result::unwrap).collect()
}

fn filter(status: bool, contract: bool, kept: bool, text: bool) -> QueueFilter {
    let word = || "x".to_owned();
    QueueFilter {
        status: status.then(word),
        contract: contract.then(word),
        kept: kept.then(|| (word(), word())),
        text: text.then(word),
        archived: false,
        before: None,
    }
}

/// W-50: what is next is looked up, and so is everything else that is asked of the queue.
#[test]
fn w_50_nothing_that_is_asked_of_the_queue_reads_through_it() {
    let connection = Connection::open_in_memory().unwrap();
    schema::create(&connection).unwrap();
    let indexed = |sql: &str, index: &str| {
        let steps = plan(&connection, sql);
        assert!(steps.iter().any(|step| step.contains(index)), "{sql}\n{steps:#?}");
        for step in &steps {
            assert!(!step.contains("TEMP B-TREE"), "sorted: {sql}\n{steps:#?}");
            // A scan of a partial index in its order is the index itself: it holds nothing else.
            let whole = step.starts_with("SCAN") && !["queue_ready", "queue_waiting", "queue_leases"].iter().any(|i| step.contains(i));
            assert!(!whole, "read through: {sql}\n{steps:#?}");
        }
    };
    indexed(&format!("SELECT i.id {NEXT}"), "USING INDEX queue_ready");
    indexed(&format!("SELECT i.id, i.fence {NEXT_OF}"), "SEARCH i USING INDEX queue_ready_contract (contract=?)");
    indexed(DUE, "queue_waiting (not_before<?)");
    indexed(&format!("SELECT i.id, i.fence {EXPIRED}"), "SEARCH i USING INDEX queue_leases (deadline<?)");
    indexed(&LEASES.replace("{}", "i.id"), "SEARCH i USING INDEX queue_leases (deadline>?)");
    indexed(&AGAIN.replace("{}", "i.id"), "SEARCH i USING INDEX queue_due (status=? AND not_before<?)");
    indexed(AGAIN_NEXT, "queue_due (status=? AND not_before>?)");
    indexed(WAITS, "queue_waiting");
    indexed(FIRST, "SEARCH queue_items USING INDEX queue_ready_contract (contract=?)");
    indexed(HELD, "SEARCH queue_items USING INDEX queue_leases (deadline>? AND deadline<?)");
    indexed(FAILED, "SEARCH j USING INDEX queue_failures (at>?)");
    indexed(WAITING, "queue_waiting");
    indexed(DEADLINE, "queue_leases");
    indexed(COUNTS, "SEARCH queue_counts USING PRIMARY KEY (member=?)");
    indexed(COUNTS_OF, "SEARCH queue_counts USING PRIMARY KEY (member=? AND contract=?)");
    indexed(LINES, "SEARCH queue_journal USING INTEGER PRIMARY KEY (rowid>?)");
    indexed(LINES_OF, "SEARCH queue_journal USING INDEX queue_journal_items (item=? AND rowid>?)");
    for nth in 0..16_u8 {
        let has = |bit: u8| nth & (1 << bit) != 0;
        let filter = filter(has(0), has(1), has(2), has(3));
        let index = match (has(2), has(0), has(1)) {
            (true, _, _) => "queue_kept_values (member=? AND value=? AND item>?)",
            (false, true, _) => "queue_status (archived=? AND status=? AND rowid>?)",
            (false, false, true) => "queue_contract (archived=? AND contract=? AND rowid>?)",
            (false, false, false) => "queue_archived (archived=? AND rowid>?)",
        };
        indexed(&listing(&filter), index);
    }
    // The keys of the type only; they are sorted by their entries.
    let steps = plan(&connection, SUBJECTS);
    assert!(steps.iter().any(|step| step.contains("state_keys (space=? AND key>? AND key<?)")), "{steps:#?}");
    assert!(!steps.iter().any(|step| step.starts_with("SCAN state")), "{steps:#?}");
}

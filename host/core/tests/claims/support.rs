//! Ledgers to test with. No assertion lives here.

use enact_core::entry::{Draft, Head, Local, Sealed, seal};
use enact_core::hash::{Digest, module_digest};
use enact_core::receipt::{Exit, ExitClass, RunReceipt};
use serde_json::Value;

/// Name of the test ledgers.
pub(crate) const ORIGIN: &str = "example.org/ledger";

/// A digest that differs per label.
pub(crate) fn digest(label: &str) -> Digest {
    module_digest(label.as_bytes())
}

/// The receipt of run `nth`.
pub(crate) fn receipt(nth: u64) -> RunReceipt {
    let label = format!("RUN-{nth:06}");
    RunReceipt {
        run: label.clone(),
        workflow: "WF_SAMPLE_V0".into(),
        snapshot: digest("snapshot"),
        binding: "RB_SAMPLE_V0".into(),
        environment: "development".into(),
        plan: digest("plan"),
        modules: [("CT_SAMPLE_V0".to_owned(), digest("module"))].into(),
        engine: digest("engine"),
        input: digest(&format!("{label} input")),
        output: digest(&format!("{label} output")),
        trace: digest(&format!("{label} trace")),
        transcript: digest(&format!("{label} transcript")),
        admission: None,
        exit: Exit { class: ExitClass::Success, reason: "COMPLETED".into(), code: None },
        fuel_used: "18446744073709551616".into(),
        nodes: 3,
        steps: 2,
        reads: 1,
        writes: 1,
    }
}

/// The draft of run `nth`; one second per run.
pub(crate) fn draft(nth: u64) -> Draft {
    Draft {
        protocol: digest("snapshot"),
        at: format!("2026-04-17T10:{:02}:{:02}Z", nth / 60 % 60, nth % 60),
        records: vec![receipt(nth).record()],
        local: Local { node: "node-a".into(), attempt: 1 },
    }
}

/// A draft with a payload of one's own.
pub(crate) fn draft_with(payload: Value) -> Draft {
    let mut draft = draft(0);
    draft.records[0].payload = payload;
    draft
}

/// A ledger of `count` entries.
pub(crate) fn ledger(count: u64) -> Vec<Sealed> {
    let mut head = Head::empty();
    (0..count)
        .map(|nth| {
            let sealed = seal(&head, ORIGIN, draft(nth)).unwrap();
            head = sealed.head.clone();
            sealed
        })
        .collect()
}

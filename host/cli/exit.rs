//! Exit codes, and how an error reaches the person who has to act on it.
use std::io::Write as _;
use std::process::ExitCode;

use enact_engine::error::{EngineError, Kind};
use enact_registry::Gravity;
use enact_store::StoreError;

use crate::ui::{Ui, Unwritten};

/// How a command ended, when it could be carried out at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: done.
    Done,
    /// 1: the answer of a question is no (`enact queue health`), or that was not all (`enact queue export`).
    No,
    /// 3: the work was refused by a rule (an inconclusive run, an inadmissible module, a protocol with errors).
    Refused,
    /// 4: integrity or replay mismatch.
    Mismatch,
}

impl Exit {
    /// The answer of a question, such as whether that was all.
    pub(crate) fn all(yes: bool) -> Self {
        if yes { Self::Done } else { Self::No }
    }

    /// How work on several things ended, after one of them was not done: damage is not hidden by what a rule refused.
    pub(crate) fn and(self, not_done: Kind) -> Self {
        if self == Self::Mismatch || not_done == Kind::Integrity { Self::Mismatch } else { Self::Refused }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::No => Self::from(1),
            Exit::Refused => Self::from(3),
            Exit::Mismatch => Self::from(4),
        }
    }
}

/// Prints an error as `error:`, `caused by:` and `hint:` (or as one JSON document) and answers its exit code.
pub(crate) fn report(ui: &Ui, error: &anyhow::Error) -> ExitCode {
    let known = error.chain().find_map(|cause| cause.downcast_ref::<EngineError>());
    let store = error.chain().find_map(|cause| cause.downcast_ref::<StoreError>());
    let registry = error.chain().find_map(|cause| cause.downcast_ref::<enact_registry::Error>());
    let (code, hint, kind) = match (known, store, registry) {
        (Some(e), _, _) => (e.code(), e.hint(), e.kind()),
        (None, Some(e), _) => (e.code(), Some(e.hint()), if e.is_corruption() { Kind::Integrity } else { Kind::Caller }),
        (None, None, Some(e)) => (e.code(), Some(e.hint().to_owned()), gravity(e.gravity())),
        (None, None, None) => elsewhere(error),
    };
    if ui.json() {
        let document = serde_json::json!({
            "error": {
                "code": code,
                "message": error.to_string(),
                "caused_by": error.chain().skip(1).map(ToString::to_string).collect::<Vec<_>>(),
                "hint": hint,
                "details": known.and_then(EngineError::details),
            }
        });
        let _ = writeln!(std::io::stdout(), "{document:#}");
    }
    ui.error(code, error, hint.as_deref(), known);
    match kind {
        Kind::Caller => ExitCode::from(1),
        Kind::Refused => ExitCode::from(3),
        Kind::Integrity => ExitCode::from(4),
        Kind::Internal => ExitCode::from(255),
    }
}

/// What is no error of the engine, the store or a registry.
fn elsewhere(error: &anyhow::Error) -> (&'static str, Option<String>, Kind) {
    if let Some(way) = error.chain().find_map(|cause| cause.downcast_ref::<enact_mail::NoWay>()) {
        return (way.code(), Some(way.hint().to_owned()), Kind::Caller);
    }
    if let Some(unwritten) = error.chain().find_map(|cause| cause.downcast_ref::<Unwritten>()) {
        let hint = "send the output elsewhere; what the command has done is done, see `enact runs` and `enact ledger list`";
        return (unwritten.code(), Some(hint.to_owned()), Kind::Caller);
    }
    ("internal", None, Kind::Internal)
}

fn gravity(gravity: Gravity) -> Kind {
    match gravity {
        Gravity::Caller => Kind::Caller,
        Gravity::Refused => Kind::Refused,
        Gravity::Integrity => Kind::Integrity,
    }
}

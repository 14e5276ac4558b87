//! The verifier of a ledger as a capability: the host's core, linked into a module that imports nothing.
//!
//! Whoever verifies with it need not trust the host that runs it with more than running it: it sees the entries, the sealed protocols
//! and nothing else, and judges as the host does because it is the same code. It decides nothing of its own.

mod carry;
mod snapshot;
mod verify;

enact_guest_sdk::answers! {
    "CT_VERIFY_LEDGER_V0" => verify::ledger,
}

#[cfg(test)]
mod tests;

//! `CS_SEND_EMAIL_V0`: puts a message into the bound log. It sends nothing; whoever drains the log does, after the run has committed.
//!
//! So a run that is given up, retried or replayed never sends a message twice: the record carries the key of its step.

use enact_guest_sdk::{Context, Fault, Outcome};
use serde::{Deserialize, Serialize};

/// Most bytes of an address: the bound of RFC 5321 on a forward path.
const RECIPIENT_LENGTH_MAX: usize = 254;
/// What the status says about a message that lies in the outbox.
const QUEUED: &str = "queued";

#[derive(Deserialize)]
struct Send {
    /// Published contracts also call it `recipient`.
    #[serde(alias = "recipient")]
    to: String,
    subject: String,
    body: String,
}

/// What is stored: the message, and the key of its step by which a sender drops duplicates.
#[derive(Serialize)]
struct Message<'a> {
    to: &'a str,
    subject: &'a str,
    body: &'a str,
    idempotency_key: &'a str,
}

#[derive(Serialize)]
struct Sent {
    delivery_status: &'static str,
}

fn send(context: &mut Context<'_>, i: Send) -> Result<Outcome<Sent>, Fault> {
    let plausible =
        i.to.len() <= RECIPIENT_LENGTH_MAX && i.to.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
    // A line break in a header would let its content add headers.
    let one_line = |text: &str| !text.contains(['\r', '\n', '\0']);
    if !plausible || !one_line(&i.to) || !one_line(&i.subject) {
        return Err(Fault::Violation);
    }
    let message = Message { to: &i.to, subject: &i.subject, body: &i.body, idempotency_key: context.idempotency_key() };
    let text = serde_json::to_string(&message).map_err(|_| Fault::Damaged)?;
    context.log().append(&text)?;
    Ok(Outcome::success(Sent { delivery_status: QUEUED }))
}

enact_guest_sdk::side_effect! {
    "CS_SEND_EMAIL_V0" {
        "SEND" => send,
    }
}

#[cfg(test)]
mod tests {
    use enact_guest_sdk::{Answer, Call, Context, Fault, MemoryHost};

    use super::dispatch;

    fn call(host: &mut MemoryHost, operation: &str, inputs: &str) -> Answer {
        let call = Call { capability: "CS_SEND_EMAIL_V0", operation, inputs, store: "out", idempotency_key: "run/2/0" };
        dispatch(&mut Context::new(host, &call), &call)
    }

    #[test]
    fn a_message_lies_in_the_outbox_with_the_key_of_its_step() {
        let mut host = MemoryHost::new();
        for field in ["to", "recipient"] {
            let sent = call(&mut host, "SEND", &format!(r#"{{"body":"b\nc","{field}":"jane@example.com","subject":"s"}}"#));
            assert_eq!((sent.status, sent.outputs.as_str()), ("SUCCESS", r#"{"delivery_status":"queued"}"#));
        }
        let stored = r#"{"to":"jane@example.com","subject":"s","body":"b\nc","idempotency_key":"run/2/0"}"#;
        assert_eq!(host.log("out"), [stored, stored]);
    }

    #[test]
    fn header_injection_and_addresses_that_are_none_are_violations() {
        let mut host = MemoryHost::new();
        for (to, subject) in [("", "s"), ("a", "s"), ("@b", "s"), ("a@", "s"), ("a@b\\r\\nBcc: c@d", "s"), ("a@b", "s\\nBcc: c@d")] {
            let inputs = format!(r#"{{"body":"b","subject":"{subject}","to":"{to}"}}"#);
            assert_eq!(call(&mut host, "SEND", &inputs).status, "VIOLATION", "{inputs}");
        }
        assert!(host.log("out").is_empty());
    }

    #[test]
    fn an_unavailable_host_and_an_unknown_operation_are_backend_errors() {
        let mut host = MemoryHost::new();
        assert_eq!(call(&mut host, "DRAIN", "{}").status, "BACKEND_ERROR");
        host.fail_with(Some(Fault::Unavailable("disk".into())));
        assert_eq!(call(&mut host, "SEND", r#"{"body":"","subject":"","to":"a@b"}"#).status, "BACKEND_ERROR");
    }
}

//! `CS_NAME_REGISTRY_V0`: a public name and the resource addresses it stands for; a later write replaces an earlier one.

use enact_guest_sdk::{Context, Expect, Fault, Outcome, Violation};
use serde::{Deserialize, Serialize};

/// The published bound on names.
const NAME_LENGTH_MAX: usize = 256;
/// The published bound on addresses of one name.
const ADDRESSES_MAX: usize = 100;

#[derive(Deserialize)]
struct Read {
    name: String,
}

#[derive(Deserialize)]
struct Write {
    name: String,
    resource_addresses: Vec<String>,
}

/// What is stored, and what a reader gets.
#[derive(Serialize, Deserialize)]
struct Addresses {
    resource_addresses: Vec<String>,
}

#[derive(Serialize)]
struct Written {
    success: bool,
}

fn check(name: &str) -> Result<(), Violation> {
    if name.is_empty() || name.len() > NAME_LENGTH_MAX { Err(Violation) } else { Ok(()) }
}

/// A name that is not there has no addresses, and says so with the status.
fn read(context: &mut Context<'_>, i: Read) -> Result<Outcome<Addresses>, Fault> {
    check(&i.name)?;
    Ok(match context.table().get(&i.name)? {
        Some(document) => Outcome::success(Context::decode(&document.value)?),
        None => Outcome::with("NOT_FOUND", Addresses { resource_addresses: Vec::new() }),
    })
}

/// A damaged entry is reported, not written over: whoever repairs it decides.
fn write(context: &mut Context<'_>, i: Write) -> Result<Outcome<Written>, Fault> {
    check(&i.name)?;
    if i.resource_addresses.len() > ADDRESSES_MAX {
        return Err(Fault::Violation);
    }
    if let Some(document) = context.table().get(&i.name)? {
        Context::decode::<Addresses>(&document.value)?;
    }
    let text = serde_json::to_string(&Addresses { resource_addresses: i.resource_addresses }).map_err(|_| Fault::Damaged)?;
    context.table().put(&i.name, &text, Expect::Any)?;
    Ok(Outcome::success(Written { success: true }))
}

enact_guest_sdk::side_effect! {
    "CS_NAME_REGISTRY_V0" {
        "READ" => read,
        "WRITE" => write,
    }
}

#[cfg(test)]
mod tests {
    use enact_guest_sdk::{Answer, Call, Context, Expect, Fault, MemoryHost};

    use super::dispatch;

    fn call(host: &mut MemoryHost, operation: &str, inputs: &str) -> Answer {
        let call = Call { capability: "CS_NAME_REGISTRY_V0", operation, inputs, store: "names", idempotency_key: "k" };
        dispatch(&mut Context::new(host, &call), &call)
    }

    #[test]
    fn what_was_written_is_read_and_a_later_write_replaces_it() {
        let mut host = MemoryHost::new();
        for addresses in [r#"["x","y"]"#, "[]"] {
            let written = call(&mut host, "WRITE", &format!(r#"{{"name":"a","resource_addresses":{addresses}}}"#));
            assert_eq!((written.status, written.outputs.as_str()), ("SUCCESS", r#"{"success":true}"#));
            let read = call(&mut host, "READ", r#"{"name":"a"}"#);
            assert_eq!((read.status, read.outputs), ("SUCCESS", format!(r#"{{"resource_addresses":{addresses}}}"#)));
        }
    }

    #[test]
    fn an_unknown_name_has_no_addresses() {
        let read = call(&mut MemoryHost::new(), "READ", r#"{"name":"zz"}"#);
        assert_eq!((read.status, read.outputs.as_str()), ("NOT_FOUND", r#"{"resource_addresses":[]}"#));
    }

    #[test]
    fn empty_names_too_long_names_and_wrong_types_are_violations_and_nothing_is_written() {
        let mut host = MemoryHost::new();
        let long = "n".repeat(257);
        let many = vec![r#""a""#; 101].join(",");
        for inputs in [
            r#"{"name":"","resource_addresses":[]}"#.to_owned(),
            format!(r#"{{"name":"{long}","resource_addresses":[]}}"#),
            r#"{"name":"a","resource_addresses":"x"}"#.to_owned(),
            r#"{"name":"a","resource_addresses":[1]}"#.to_owned(),
            format!(r#"{{"name":"a","resource_addresses":[{many}]}}"#),
        ] {
            assert_eq!(call(&mut host, "WRITE", &inputs).status, "VIOLATION", "{inputs}");
        }
        assert!(host.table("names").is_empty());
    }

    #[test]
    fn damage_is_a_backend_error_and_survives_a_write() {
        let mut host = MemoryHost::new();
        let damage = Call { capability: "", operation: "", inputs: "", store: "names", idempotency_key: "" };
        assert_eq!(Context::new(&mut host, &damage).table().put("a", "{not json", Expect::Any), Ok(Some(1)));
        assert_eq!(call(&mut host, "READ", r#"{"name":"a"}"#).status, "BACKEND_ERROR");
        assert_eq!(call(&mut host, "WRITE", r#"{"name":"a","resource_addresses":[]}"#).status, "BACKEND_ERROR");
        assert_eq!(host.table("names")["a"].value, "{not json");
    }

    #[test]
    fn an_unavailable_host_and_an_unknown_operation_are_backend_errors() {
        let mut host = MemoryHost::new();
        assert_eq!(call(&mut host, "FROB", "{}").status, "BACKEND_ERROR");
        host.fail_with(Some(Fault::Unavailable("disk".into())));
        assert_eq!(call(&mut host, "READ", r#"{"name":"a"}"#).status, "BACKEND_ERROR");
    }
}

//! The JSON of a journal line, both directions, to the byte: members in the order of the specification, nothing left to chance.

use crate::Map;
use crate::id::{self, QueueId};
use crate::item::Item;
use crate::lease::{Fence, Lease};
use crate::order::Place;
use crate::refused::Refused;
use crate::retry::Class;
use crate::status::{Event, Status};
use crate::time;
use crate::validation::Groups;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use core::fmt::{Formatter, Result as Written};
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// Members of the journal's own, in the order of the line; what the item keeps stands behind `event`, sorted by name.
const OWN: [&str; 27] = [
    "queue_id",
    "contract",
    "status",
    "event",
    "validated",
    "validation",
    "ready_for_execution",
    "failure_reason",
    "failure_class",
    "failure_utc",
    "reason",
    "attempt_count",
    "automatic_retries",
    "last_retry_utc",
    "not_before_utc",
    "fence",
    "lease",
    "executed_utc",
    "settled_utc",
    "fulfilled_utc",
    "queued_entry",
    "queued_position",
    "entry",
    "run",
    "created_utc",
    "updated_utc",
    // Not a member of the line, but of the answer of `queue show`, beside these.
    "archived",
];

/// The largest integer that every reader of JSON reads exactly.
const INTEGER_MAX: u64 = (1 << 53) - 1;

/// Whether a member is the journal's own, so that nothing kept may have its name.
#[must_use]
pub fn is_own(name: &str) -> bool {
    OWN.contains(&name)
}

pub(crate) fn write(item: &Item) -> String {
    // Text keys and plain values always serialise.
    serde_json::to_string(item).unwrap_or_default()
}

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("queue_id", self.id.as_str())?;
        map.serialize_entry("contract", &self.contract)?;
        map.serialize_entry("status", self.status.as_str())?;
        map.serialize_entry("event", self.event.as_str())?;
        // The order of a JSON object depends on how it was built; this one does not.
        for (name, value) in self.kept.iter().collect::<BTreeMap<_, _>>() {
            map.serialize_entry(name, &Sorted(value))?;
        }
        map.serialize_entry("validated", &self.validated)?;
        map.serialize_entry("validation", &self.validation)?;
        map.serialize_entry("ready_for_execution", &self.ready)?;
        let mut option = |name: &str, text: Option<String>| text.map_or(Ok(()), |text| map.serialize_entry(name, &text));
        option("failure_reason", self.failure_reason.clone())?;
        option("failure_class", self.failure_class.map(|class| class.as_str().into()))?;
        option("failure_utc", self.failure_us.map(time::text))?;
        option("reason", self.reason.clone())?;
        map.serialize_entry("attempt_count", &self.attempts)?;
        map.serialize_entry("automatic_retries", &self.automatic_retries)?;
        let mut option = |name: &str, text: Option<String>| text.map_or(Ok(()), |text| map.serialize_entry(name, &text));
        option("last_retry_utc", self.last_retry_us.map(time::text))?;
        option("not_before_utc", self.not_before_us.map(time::text))?;
        map.serialize_entry("fence", &self.fence.0)?;
        if let Some(lease) = &self.lease {
            map.serialize_entry("lease", lease)?;
        }
        let mut option = |name: &str, text: Option<String>| text.map_or(Ok(()), |text| map.serialize_entry(name, &text));
        option("executed_utc", self.executed_us.map(time::text))?;
        option("settled_utc", self.settled_us.map(time::text))?;
        option("fulfilled_utc", self.fulfilled_us.map(time::text))?;
        map.serialize_entry("queued_entry", &self.queued.entry)?;
        map.serialize_entry("queued_position", &self.queued.position)?;
        map.serialize_entry("entry", &self.entry)?;
        if let Some(run) = &self.run {
            map.serialize_entry("run", run)?;
        }
        map.serialize_entry("created_utc", &time::text(self.created_us))?;
        map.serialize_entry("updated_utc", &time::text(self.updated_us))?;
        map.end()
    }
}

/// A value whose objects are written sorted by name, at every depth.
struct Sorted<'a>(&'a Value);

impl Serialize for Sorted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(object) => serializer.collect_map(object.iter().map(|(k, v)| (k, Sorted(v))).collect::<BTreeMap<_, _>>()),
            Value::Array(list) => serializer.collect_seq(list.iter().map(Sorted)),
            plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => plain.serialize(serializer),
        }
    }
}

impl Serialize for Lease {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("owner", &self.owner)?;
        map.serialize_entry("deadline_utc", &time::text(self.deadline))?;
        map.serialize_entry("fence", &self.fence.0)?;
        map.end()
    }
}

/// A line as it was read: the groups in their order, everything else by name.
#[derive(Default)]
struct Raw {
    groups: Option<Groups>,
    members: BTreeMap<String, Value>,
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Raw;
            fn expecting(&self, f: &mut Formatter<'_>) -> Written {
                f.write_str("an item")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
                let mut raw = Raw::default();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "validation" {
                        raw.groups = Some(map.next_value()?);
                    } else {
                        // Of a member that comes twice one is kept; the comparison of bytes refuses the line.
                        raw.members.insert(name, map.next_value()?);
                    }
                }
                Ok(raw)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

impl Raw {
    fn text(&mut self, name: &'static str) -> Result<String, Refused> {
        self.optional_text(name)?.ok_or_else(|| wrong(name))
    }

    fn optional_text(&mut self, name: &'static str) -> Result<Option<String>, Refused> {
        match self.members.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(name)),
        }
    }

    fn truth(&mut self, name: &'static str) -> Result<bool, Refused> {
        self.members.remove(name).and_then(|value| value.as_bool()).ok_or_else(|| wrong(name))
    }

    fn number(&mut self, name: &'static str) -> Result<u64, Refused> {
        integer(self.members.remove(name).as_ref()).ok_or_else(|| wrong(name))
    }

    fn instant(&mut self, name: &'static str) -> Result<u64, Refused> {
        self.optional_instant(name)?.ok_or_else(|| wrong(name))
    }

    fn optional_instant(&mut self, name: &'static str) -> Result<Option<u64>, Refused> {
        let text = self.optional_text(name)?;
        text.map(|text| time::parse(&text).ok_or_else(|| wrong(name))).transpose()
    }

    fn lease(&mut self, last: Fence) -> Result<Option<Lease>, Refused> {
        let Some(value) = self.members.remove("lease") else { return Ok(None) };
        let read = || {
            let lease = value.as_object().filter(|members| members.len() == 3)?;
            let text = |name| lease.get(name).and_then(Value::as_str);
            let owner = text("owner").filter(|owner| id::is_name(owner))?.to_string();
            let deadline = text("deadline_utc").and_then(time::parse)?;
            let fence = integer(lease.get("fence")).map(Fence).filter(|fence| *fence == last)?;
            Some(Lease { owner, deadline, fence })
        };
        read().map(Some).ok_or_else(|| wrong("lease"))
    }
}

fn wrong(member: &str) -> Refused {
    Refused::Line { member: member.into() }
}

fn integer(value: Option<&Value>) -> Option<u64> {
    value.and_then(Value::as_u64).filter(|number| *number <= INTEGER_MAX)
}

pub(crate) fn read(text: &str, keeps: impl Fn(&str) -> bool) -> Result<Item, Refused> {
    let mut raw: Raw = serde_json::from_str(text).map_err(|_| wrong(""))?;
    let fence = Fence(raw.number("fence")?);
    let contract = raw.text("contract")?;
    let item = Item {
        id: QueueId::parse(&raw.text("queue_id")?)?,
        contract: id::checked(&contract)?,
        status: Status::parse(&raw.text("status")?)?,
        event: Event::parse(&raw.text("event")?)?,
        validated: raw.truth("validated")?,
        validation: raw.groups.take().ok_or_else(|| wrong("validation"))?,
        ready: raw.truth("ready_for_execution")?,
        failure_reason: raw.optional_text("failure_reason")?,
        failure_class: raw.optional_text("failure_class")?.map(|class| Class::parse(&class)).transpose()?,
        failure_us: raw.optional_instant("failure_utc")?,
        reason: raw.optional_text("reason")?,
        attempts: raw.number("attempt_count")?,
        automatic_retries: raw.number("automatic_retries")?,
        last_retry_us: raw.optional_instant("last_retry_utc")?,
        not_before_us: raw.optional_instant("not_before_utc")?,
        fence,
        lease: raw.lease(fence)?,
        executed_us: raw.optional_instant("executed_utc")?,
        settled_us: raw.optional_instant("settled_utc")?,
        fulfilled_us: raw.optional_instant("fulfilled_utc")?,
        queued: Place { entry: raw.number("queued_entry")?, position: raw.number("queued_position")? },
        entry: raw.number("entry")?,
        run: raw.optional_text("run")?,
        created_us: raw.instant("created_utc")?,
        updated_us: raw.instant("updated_utc")?,
        // What is left is not the journal's own.
        kept: raw.members.into_iter().collect::<Map>(),
    };
    if let Some(name) = item.kept.keys().find(|name| is_own(name) || !keeps(name)) {
        return Err(wrong(name));
    }
    // Order, spacing, members that came twice, other spellings of numbers and text: all of it is seen here.
    if write(&item) == text { Ok(item) } else { Err(wrong("")) }
}

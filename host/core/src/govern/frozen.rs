//! What a protocol may never redefine: artifacts that say of themselves that they are frozen, and the authority over frozen actions.
//!
//! Adopting a snapshot that has them otherwise is refused. Everything else of the next snapshot may differ.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use super::declare::RowDecl;
use super::rules::{Lifecycle, Protocol};

impl Protocol {
    /// Remembers an artifact that says of itself that it is frozen.
    pub(super) fn freeze(&mut self, code: &str, artifact: &Value) {
        if artifact.get("frozen") == Some(&Value::Bool(true)) {
            self.frozen.insert(String::from(code), artifact.clone());
        }
    }

    /// Codes of the artifacts that no later snapshot may have otherwise.
    pub fn frozen(&self) -> impl Iterator<Item = &str> {
        self.frozen.keys().map(String::as_str)
    }

    /// What `next` has otherwise than it is frozen here, in words; nothing when it leaves all of that as it is. The rows that allow a
    /// frozen action belong to it, in whichever matrix they stand.
    #[must_use]
    pub fn redefined(&self, next: &Self) -> Option<String> {
        let other = |(code, artifact): (&String, &Value)| match next.frozen.get(code) {
            None => Some(format!("`{code}` is frozen, and the other snapshot has no such frozen artifact")),
            Some(there) if there != artifact => Some(format!("`{code}` is frozen, and the other snapshot has it otherwise")),
            Some(_) => None,
        };
        self.frozen.iter().find_map(other).or_else(|| {
            let ours = self.lifecycles().filter(|lifecycle| self.frozen.contains_key(&lifecycle.code));
            ours.into_iter().find_map(|lifecycle| self.other_rows(next, lifecycle))
        })
    }

    fn other_rows(&self, next: &Self, lifecycle: &Lifecycle) -> Option<String> {
        let (name, _) = lifecycle.actions.iter().find(|(name, _)| self.authority(lifecycle, name) != next.authority(lifecycle, name))?;
        Some(format!("`{}` is frozen, and the other snapshot has other rows for `{name}`", lifecycle.code))
    }

    /// The rows that allow an action, in the order in which they are tried, without the other actions that they allow.
    fn authority(&self, lifecycle: &Lifecycle, action: &str) -> Vec<(&str, RowDecl)> {
        let action = self.lifecycle(&lifecycle.record).and_then(|lifecycle| lifecycle.actions.get(action));
        let bare = |decl: &RowDecl| RowDecl { actions: Vec::new(), ..decl.clone() };
        action.into_iter().flat_map(|action| self.rows_of(action)).map(|row| (row.name.as_str(), bare(&row.decl))).collect()
    }
}

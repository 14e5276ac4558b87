//! One runtime binding: that it binds what exists and grants no more than is needed.
//!
//! Host classes and parameter values belong to the moment of binding; here they are at most a warning.

use super::Checker;
use crate::artifact::{Artifact, Binding, Bound, GRANT_ROWS_MAX, Import, RESERVED_STORES, WorkflowGrant};
use alloc::format;

impl<'a> Checker<'a> {
    pub(super) fn binding(&mut self, binding: &'a Binding) {
        let code = &binding.code;
        if binding.environment.is_empty() {
            self.error("no_environment", code, "environment", "a binding belongs to an environment");
        }
        for (capability, bound) in &binding.bindings {
            let at = format!("bindings.{capability}");
            match self.get(capability) {
                Some(Artifact::SideEffect(effect)) => {
                    for grant in bound.grants.difference(&effect.imports) {
                        let detail = format!("`{}` does not ask for `{}`", effect.code, grant.as_str());
                        self.error("grant_not_needed", code, format!("{at}.grants"), detail);
                    }
                    for import in effect.imports.difference(&bound.grants) {
                        let detail = format!("`{}` needs `{}`, which is not granted", effect.code, import.as_str());
                        self.warn("import_not_granted", code, format!("{at}.grants"), detail);
                    }
                }
                Some(Artifact::Transform(transform)) => {
                    if transform.steps.is_some() {
                        self.error("molecule_bound", code, &*at, "a molecule is bound through its atoms, never itself");
                    }
                    if !bound.grants.is_empty() || !bound.stores.is_empty() {
                        self.error("grant_not_needed", code, &*at, "a transform has no grants and no stores");
                    }
                }
                _ => {
                    let detail = format!("`{capability}` is no capability of this set");
                    self.error("unknown_capability", code, &*at, detail);
                }
            }
            self.bound(binding, &at, bound);
            self.outside(code, &at, bound);
            self.limits(code, &format!("{at}.limits"), bound.limits);
        }
    }

    /// The rows of what a side effect reaches outside: exact, of a granted interface, one for each name.
    fn outside(&mut self, code: &str, at: &str, bound: &Bound) {
        let rows = [
            (Import::Http, bound.http.len()),
            (Import::Files, bound.files.len()),
            (Import::Workflow, bound.workflow.len()),
            (Import::Outbox, bound.outbox.len()),
        ];
        for (import, rows) in rows {
            let (name, granted) = (import.as_str(), bound.grants.contains(&import));
            if rows > 0 && !granted {
                self.error("grant_not_needed", code, format!("{at}.{name}"), format!("rows for `{name}`, which is not granted"));
            }
            if rows > GRANT_ROWS_MAX {
                self.error("bad_grant", code, format!("{at}.{name}"), format!("{rows} rows of {GRANT_ROWS_MAX}"));
            }
            if rows == 0 && granted {
                self.warn("grant_reaches_nothing", code, format!("{at}.{name}"), format!("`{name}` is granted, and no row says to what"));
            }
        }
        for (nth, row) in bound.http.iter().enumerate() {
            if let Err(detail) = row.check() {
                self.error("bad_grant", code, format!("{at}.http[{nth}]"), detail);
            }
        }
        for (nth, row) in bound.files.iter().enumerate() {
            let twice = bound.files.iter().take(nth).any(|earlier| earlier.name == row.name);
            let checked = if twice { Err(format!("two folders are named `{}`", row.name)) } else { row.check() };
            if let Err(detail) = checked {
                self.error("bad_grant", code, format!("{at}.files[{nth}]"), detail);
            }
        }
        for (nth, row) in bound.outbox.iter().enumerate() {
            if let Err(detail) = row.check() {
                self.error("bad_grant", code, format!("{at}.outbox[{nth}]"), detail);
            }
        }
        self.later(code, at, &bound.workflow);
    }

    /// What may be asked for later is there, and each workflow is named once: a module names the workflow alone.
    fn later(&mut self, code: &str, at: &str, rows: &[WorkflowGrant]) {
        for (nth, row) in rows.iter().enumerate() {
            let at = format!("{at}.workflow[{nth}]");
            if !matches!(self.get(&row.workflow), Some(Artifact::Workflow(_))) {
                self.missing(code, at.as_str(), &row.workflow);
            }
            if let Some(binding) = &row.binding
                && !matches!(self.get(binding), Some(Artifact::Binding(_)))
            {
                self.missing(code, at.as_str(), binding);
            }
            if rows.iter().take(nth).any(|earlier| earlier.workflow == row.workflow) {
                self.error("bad_grant", code, at, format!("two rows name `{}`", row.workflow));
            }
        }
    }

    fn bound(&mut self, binding: &Binding, at: &str, bound: &Bound) {
        if let Some(module) = &bound.module
            && !self.modules.contains_key(module)
        {
            self.warn("unknown_module", &binding.code, format!("{at}.module"), format!("module `{module}` is not in the set"));
        }
        for (entity, store) in bound.stores.iter().filter(|(_, store)| store.starts_with(RESERVED_STORES)) {
            let detail = format!("`{store}` is one of the host's own: `{RESERVED_STORES}` is reserved");
            self.error("reserved_store", &binding.code, format!("{at}.stores.{entity}"), detail);
        }
        let folders = bound.files.iter().map(|row| (format!("files.{}", row.name), &row.path));
        let stores = bound.stores.iter().map(|(entity, template)| (format!("stores.{entity}"), template));
        for (place, template) in stores.chain(folders) {
            let mut rest = template.as_str();
            while let Some((_, after)) = rest.split_once("{{") {
                let (name, after) = after.split_once("}}").unwrap_or((after, ""));
                if !binding.parameters.contains(name) {
                    let detail = format!("`{template}` uses `{name}`, which is not declared");
                    self.warn("undeclared_parameter", &binding.code, format!("{at}.{place}"), detail);
                }
                rest = after;
            }
        }
    }
}

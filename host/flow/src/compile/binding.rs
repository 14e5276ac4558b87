//! One runtime binding: that it binds what exists and grants no more than is needed.
//!
//! Host classes and parameter values belong to the moment of binding; here they are at most a warning.

use super::Checker;
use crate::artifact::{Artifact, Binding, Bound, Import};
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
        }
    }

    /// The rows of what a side effect reaches outside: exact, of a granted interface, one for each name.
    fn outside(&mut self, code: &str, at: &str, bound: &Bound) {
        for (import, rows) in [(Import::Http, bound.http.len()), (Import::Files, bound.files.len())] {
            let (name, granted) = (import.as_str(), bound.grants.contains(&import));
            if rows > 0 && !granted {
                self.error("grant_not_needed", code, format!("{at}.{name}"), format!("rows for `{name}`, which is not granted"));
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
    }

    fn bound(&mut self, binding: &Binding, at: &str, bound: &Bound) {
        if let Some(module) = &bound.module
            && !self.modules.contains_key(module)
        {
            self.warn("unknown_module", &binding.code, format!("{at}.module"), format!("module `{module}` is not in the set"));
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

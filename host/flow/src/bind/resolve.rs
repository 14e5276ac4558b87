//! One `RB_` with its host classes checked and its parameters filled in.
//!
//! Every entry is checked, used or not: a binding with a mistake in it is not used at all.

use super::HOST_REFUSED;
use super::report::{BindingReport, PHASE_BINDING};
use crate::artifact::{Binding, Bound, FileGrant, RESERVED_STORES};
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Capability → what is filled in for it.
pub(super) type Stores = BTreeMap<String, Filled>;

/// What a row says with all parameters filled in.
#[derive(Default)]
pub(super) struct Filled {
    /// Entity or `*` → store.
    pub(super) stores: BTreeMap<String, String>,
    /// Folders.
    pub(super) files: Vec<FileGrant>,
}

/// Checks host classes, modules and parameters of every entry and fills the parameters in.
pub(super) fn stores(binding: &Binding, params: &BTreeMap<String, String>, hosts: &[&str]) -> Result<Stores, Box<BindingReport>> {
    if let Some(extra) = params.keys().find(|name| !binding.parameters.contains(*name)) {
        return Err(undeclared(binding, &binding.code, format!("a value was given for `{extra}`, which is not declared")));
    }
    let mut all = Stores::new();
    for (capability, bound) in &binding.bindings {
        host(binding, capability, bound, hosts)?;
        let mut stores = BTreeMap::new();
        for (entity, template) in &bound.stores {
            let store = fill(binding, capability, template, params)?;
            if store.starts_with(RESERVED_STORES) {
                return Err(reserved(binding, capability, &store));
            }
            stores.insert(entity.clone(), store);
        }
        let mut files = Vec::with_capacity(bound.files.len());
        for row in &bound.files {
            files.push(FileGrant { path: fill(binding, capability, &row.path, params)?, ..row.clone() });
        }
        all.insert(capability.clone(), Filled { stores, files });
    }
    Ok(all)
}

fn host(binding: &Binding, capability: &str, bound: &Bound, hosts: &[&str]) -> Result<(), Box<BindingReport>> {
    let report = |code, check, detail, available, resolution| {
        Err(Box::new(BindingReport {
            code,
            phase: PHASE_BINDING,
            artifact: capability.to_owned(),
            binding: binding.code.clone(),
            check,
            detail,
            available,
            resolution,
        }))
    };
    if !hosts.contains(&bound.host.as_str()) {
        let available: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        return report(
            "unknown_host_class",
            "the host class is registered",
            format!("host class `{}` is not registered", bound.host),
            available,
            format!("set `bindings.{capability}.host` to one of the registered classes"),
        );
    }
    if bound.module.is_none() && bound.host != HOST_REFUSED {
        return report(
            "missing_module",
            "a module is named",
            format!("host class `{}` runs a module and none is named", bound.host),
            Vec::new(),
            format!("name the module that serves `{capability}` in `bindings.{capability}.module`"),
        );
    }
    Ok(())
}

/// Replaces every `{{name}}`. A value is inserted as it is and not looked at again.
fn fill(binding: &Binding, capability: &str, template: &str, params: &BTreeMap<String, String>) -> Result<String, Box<BindingReport>> {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else {
            return Err(parameter(binding, capability, "bad_template", format!("`{template}` has `{{{{` without `}}}}`")));
        };
        if !binding.parameters.contains(name) {
            return Err(undeclared(binding, capability, format!("`{template}` uses `{name}`, which is not declared")));
        }
        let Some(value) = params.get(name) else {
            return Err(parameter(binding, capability, "missing_parameter", format!("`{template}` needs a value for `{name}`")));
        };
        filled.push_str(before);
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn reserved(binding: &Binding, capability: &str, store: &str) -> Box<BindingReport> {
    Box::new(BindingReport {
        code: "reserved_store",
        phase: PHASE_BINDING,
        artifact: capability.to_owned(),
        binding: binding.code.clone(),
        check: "a store is not one of the host's own",
        detail: format!("`{store}` begins with `{RESERVED_STORES}`"),
        available: Vec::new(),
        resolution: "name another store".to_owned(),
    })
}

fn undeclared(binding: &Binding, capability: &str, detail: String) -> Box<BindingReport> {
    parameter(binding, capability, "undeclared_parameter", detail)
}

fn parameter(binding: &Binding, capability: &str, code: &'static str, detail: String) -> Box<BindingReport> {
    let resolution = match code {
        "missing_parameter" => "give a value for every declared parameter that a store uses",
        "bad_template" => "write parameters as `{{name}}`",
        _ => "declare the parameter in `parameters`, or do not use it",
    };
    Box::new(BindingReport {
        code,
        phase: PHASE_BINDING,
        artifact: capability.to_owned(),
        binding: binding.code.clone(),
        check: "parameters are declared, and given where they are used",
        detail,
        available: binding.parameters.iter().cloned().collect(),
        resolution: resolution.to_owned(),
    })
}

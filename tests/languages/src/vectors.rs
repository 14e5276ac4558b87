//! The vectors of a project, run in the sandbox: the answer is the one that is written down, and a second call is like the first.
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use enact_wasm::{CallReport, EffectCall, Kind, Limits, Module, Outcome, Profile, Sandbox, inspect};
use serde_json::Value;

use crate::stores::Stores;

/// What a component imports that asks for the registry.
const REGISTRY_ONLY: [&str; 2] = ["enact:capability/fault@0.1.0", "enact:capability/registry@0.1.0"];

/// Checks the component of one folder of a project; answers a line for people.
pub(crate) fn check(sandbox: &Sandbox, folder: &Path, component: &Path, profile: Profile) -> Result<String> {
    let bytes = std::fs::read(component).with_context(|| format!("no {}", component.display()))?;
    let inspection = inspect(&bytes);
    ensure!(inspection.refusals.is_empty(), "{} is not admissible: {:?}", component.display(), inspection.refusals);
    ensure!(inspection.profile == profile, "{} needs the profile {}", component.display(), inspection.profile.name());
    let module = sandbox.admit(&bytes, profile)?;
    let wanted: &[&str] = if module.kind() == Kind::Transform { &[] } else { &REGISTRY_ONLY };
    ensure!(inspection.imports == wanted, "{} imports {:?}", component.display(), inspection.imports);

    let manifest = json(&folder.join("manifest.json"))?;
    let vectors = json(&folder.join("vectors.json"))?;
    let vectors = vectors["vectors"].as_array().context("`vectors` is a list")?;
    ensure!(!vectors.is_empty(), "no vectors");
    let mut most = 0;
    for vector in vectors {
        let name = vector["name"].as_str().context("a vector has a name")?;
        let first = call(&module, &limits(&manifest)?, vector)?;
        let second = call(&module, &limits(&manifest)?, vector)?;
        expect(vector, &first).with_context(|| format!("{}: {name}", component.display()))?;
        ensure!(first == second, "{}: {name}: two calls differ", component.display());
        most = most.max(first.fuel_used.unwrap_or_default());
    }
    Ok(format!("{} bytes, {}, {} vectors, at most {most} fuel", bytes.len(), profile.name(), vectors.len()))
}

fn json(path: &Path) -> Result<Value> {
    let text = std::fs::read(path).with_context(|| format!("no {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is no JSON", path.display()))
}

/// The limits of the one code that a project's manifest has.
fn limits(manifest: &Value) -> Result<Limits> {
    let codes = manifest["codes"].as_object().context("a manifest has codes")?;
    let code = codes.values().next().context("a manifest has a code")?;
    let number = |name: &str, otherwise: u64| code[name].as_u64().unwrap_or(otherwise);
    let usual = Limits::default();
    Ok(Limits {
        fuel: number("fuel", usual.fuel),
        memory_bytes: number("memory_bytes", usual.memory_bytes),
        output_bytes: number("output_bytes", usual.output_bytes),
        host_calls: usual.host_calls,
    })
}

fn call(module: &Module, limits: &Limits, vector: &Value) -> Result<CallReport> {
    let text = |name: &str| vector[name].as_str().unwrap_or_default();
    let inputs = vector["inputs"].to_string();
    if module.kind() == Kind::Transform {
        return Ok(module.transform(limits, text("capability"), &inputs));
    }
    let grants: Vec<String> =
        vector["grants"].as_array().into_iter().flatten().filter_map(|grant| grant.as_str().map(str::to_owned)).collect();
    let call = EffectCall {
        capability: text("capability"),
        operation: text("operation"),
        inputs: &inputs,
        store: text("store"),
        idempotency_key: "vector/0/0",
        grants: &grants,
    };
    Ok(module.side_effect(limits, &call, &mut Stores::from_state(&vector["state"])?))
}

fn expect(vector: &Value, report: &CallReport) -> Result<()> {
    let Outcome::Ok { status, outputs } = &report.outcome else { anyhow::bail!("ended with {:?}", report.outcome) };
    let outputs: Value = serde_json::from_str(outputs).context("outputs are JSON")?;
    ensure!(vector["status"] == *status, "status {status}, expected {}", vector["status"]);
    ensure!(vector["outputs"] == outputs, "outputs {outputs}, expected {}", vector["outputs"]);
    Ok(())
}

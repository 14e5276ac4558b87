//! The vectors of a project, tried by the command that its author would use: what a component is, and whether it keeps its promises, twice
//! compiled and once interpreted.
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::Places;

/// What a component imports that asks for the registry.
const REGISTRY_ONLY: [&str; 2] = ["enact:capability/fault@0.1.0", "enact:capability/registry@0.1.0"];

/// Checks the component of one folder of a project; answers a line for people.
pub(crate) fn check(places: &Places, component: &Path, profile: &str) -> Result<String> {
    let file = component.to_str().context("the path is text")?;
    let found: Value = serde_json::from_str(&places.enact(&["module", "inspect", file, "--json"])?)?;
    ensure!(found["profile"] == profile, "{file} needs the profile {}", found["profile"]);
    let wanted: &[&str] = if found["kind"] == "transform" { &[] } else { &REGISTRY_ONLY };
    ensure!(found["imports"] == serde_json::json!(wanted), "{file} imports {}", found["imports"]);
    let tried: Value = serde_json::from_str(&places.enact(&["module", "test", file, "--json"])?)?;
    let vectors = tried["tried"].as_array().context("a list of vectors")?;
    ensure!(tried["passed"] == true && !vectors.is_empty(), "{file}: {tried:#}");
    let most = vectors.iter().filter_map(|vector| vector["fuel"].as_u64()).max().unwrap_or_default();
    Ok(format!("{} bytes, {profile}, {} vectors, at most {most} fuel", found["size"], vectors.len()))
}

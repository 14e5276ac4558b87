//! `enact module list` and `show`: which modules there are and where they stand.
use anyhow::Result;
use clap::Args;
use enact_engine::Engine;
use enact_engine::admission::catalog::{Listed, Shown};

use super::admit::print_examined;
use crate::args::Global;
use crate::cmd::open_look;
use crate::exit::Exit;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, WARN, plain};

/// What to show.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The module by name, or a file by its digest.
    module: String,
}

/// The digest that a name stands for.
pub(super) fn digest_of(engine: &Engine, module: &str) -> Result<String> {
    Ok(engine.module_digest(module)?)
}

pub(super) fn run(ui: &Ui, global: &Global) -> Result<Exit> {
    let engine = open_look(global)?;
    let modules = engine.listed_modules()?;
    if ui.json() {
        ui.document(&modules)?;
        return Ok(Exit::Done);
    }
    ui.line(format!("{DIM}{:<24} {:<11} {:<16} {:>9}  {:<20} {}{DIM:#}", "module", "standing", "world", "bytes", "digest", "bound as"))?;
    for module in &modules {
        ui.line(line(module))?;
    }
    Ok(Exit::Done)
}

fn line(module: &Listed) -> String {
    let word = module.standing.word();
    let style = match word {
        "built-in" => DIM,
        "admitted" => GOOD,
        "retired" => BAD,
        _ => WARN,
    };
    let short = plain(module.digest.get(..18).unwrap_or(&module.digest));
    let bound: Vec<&str> = module.bound.iter().map(|b| b.capability.as_str()).collect();
    let bound = match bound.len() {
        0 => "–".to_owned(),
        1..=3 => bound.join(", "),
        n => format!("{}, … ({n})", bound.iter().take(3).copied().collect::<Vec<_>>().join(", ")),
    };
    let (name, bound) = (plain(module.name.as_deref().unwrap_or("(no name)")), plain(&bound));
    let world = if module.wasi { format!("{}+wasi", module.world) } else { module.world.clone() };
    format!("{NAME}{name:<24}{NAME:#} {style}{word:<11}{style:#} {world:<16} {:>9}  {short}…  {bound}", module.size)
}

pub(super) fn show(ui: &Ui, global: &Global, args: &ShowArgs) -> Result<Exit> {
    let engine = open_look(global)?;
    let shown = engine.module_shown(&args.module)?;
    if ui.json() {
        ui.document(&shown)?;
    } else {
        print(ui, &shown)?;
    }
    Ok(Exit::Done)
}

fn print(ui: &Ui, shown: &Shown) -> Result<()> {
    ui.line(line(&shown.listed))?;
    if let Some(examined) = &shown.examined {
        print_examined(ui, examined)?;
    }
    for bound in &shown.listed.bound {
        let grants = if bound.grants.is_empty() { "nothing".to_owned() } else { bound.grants.join(", ") };
        let [capability, binding, grants] = [&bound.capability, &bound.binding, &grants].map(|text| plain(text));
        ui.line(format!("{NAME}bound{NAME:#}        {capability} in {binding} {DIM}granted{DIM:#} {grants}"))?;
    }
    for version in &shown.versions {
        let [action, actor, digest] = [&version.action, &version.actor, &version.digest].map(|text| plain(text));
        ui.line(format!("{NAME}{action:<12}{NAME:#} {} {DIM}entry {} by {actor}{DIM:#} {digest}", version.at, version.seq))?;
    }
    Ok(())
}

//! `enact view`: what the protocol in force declares to be looked at. It reads, and changes nothing.
use std::collections::BTreeMap;

use anyhow::Result;
use clap::Args;

use super::open_read;
use crate::args::Global;
use crate::exit::Exit;
use crate::ui::{DIM, NAME, Ui};

/// Show a view of the protocol in force, or list the views.
#[derive(Debug, Args)]
pub(crate) struct ViewArgs {
    /// The view; all are listed without it.
    name: Option<String>,
    /// As entry SEQ left the ledger.
    #[arg(long, value_name = "SEQ", requires = "name")]
    at: Option<u64>,
    /// Only rows whose column has this value; may be given for several columns.
    #[arg(long = "where", value_name = "COLUMN=VALUE", requires = "name", value_parser = pair)]
    only: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (column, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not COLUMN=VALUE"))?;
    Ok((column.to_owned(), value.to_owned()))
}

pub(crate) fn run(ui: &Ui, global: &Global, args: &ViewArgs) -> Result<Exit> {
    let engine = open_read(global)?;
    let Some(name) = &args.name else {
        let views = engine.views()?;
        if ui.json() {
            ui.document(&views)?;
            return Ok(Exit::Done);
        }
        for view in &views {
            ui.line(format!("{NAME}{:<16}{NAME:#} {:<20} {} {DIM}{}{DIM:#}", view.name, view.subject, view.summary, view.code))?;
        }
        if views.is_empty() {
            ui.note("the protocol in force declares no view");
        }
        return Ok(Exit::Done);
    };
    let only: BTreeMap<String, String> = args.only.iter().cloned().collect();
    let report = engine.view(name, args.at, &only)?;
    if ui.json() {
        ui.document(&report)?;
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = report.rows.iter().map(|row| row.texts().collect()).collect();
    let headings = &report.view.columns;
    let width = |nth: usize, heading: &String| {
        let cells = rows.iter().filter_map(|row| row.get(nth)).chain([heading]);
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = headings.iter().enumerate().map(|(nth, heading)| width(nth, heading)).collect();
    let line = |cells: &[String]| {
        let padded: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    ui.line(format!("{DIM}{}{DIM:#}", line(headings)))?;
    for row in &rows {
        ui.line(line(row))?;
    }
    if rows.is_empty() {
        ui.note("nothing to show");
    }
    Ok(Exit::Done)
}

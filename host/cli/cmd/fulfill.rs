//! `enact fulfill`: the proof that what was meant has happened.
use anyhow::Result;
use clap::Args;
use enact_engine::queue::QueueId;
use serde_json::{Map, Value};

use super::open_any;
use super::queue::{digest_of, item_id};
use super::settle::member;
use crate::args::Global;
use crate::exit::Exit;
use crate::ui::Ui;

/// Confirm that what an item meant has happened, with a proof that its contract accepts.
#[derive(Debug, Args)]
pub(crate) struct FulfillArgs {
    /// The item.
    #[arg(value_name = "ITEM", value_parser = item_id)]
    item: QueueId,
    /// Who confirms.
    #[arg(long = "as", value_name = "ACTOR")]
    by: String,
    /// What proves it.
    #[arg(long, value_name = "PROOF", value_parser = ["manual", "digest", "milestone"])]
    proof: String,
    /// With `digest`: the document, as a digest or as a file.
    #[arg(long, value_name = "DIGEST|FILE")]
    evidence: Option<String>,
    /// With `milestone`: what was reached.
    #[arg(long, value_name = "NAME")]
    milestone: Option<String>,
    /// Another member of the record.
    #[arg(long = "with", value_name = "MEMBER=VALUE", value_parser = member)]
    with: Vec<(String, Value)>,
}

pub(crate) fn run(ui: &Ui, global: &Global, args: &FulfillArgs) -> Result<Exit> {
    let mut given: Map<String, Value> = args.with.iter().cloned().collect();
    given.insert("proof".to_owned(), Value::String(args.proof.clone()));
    if let Some(evidence) = &args.evidence {
        given.insert("evidence".to_owned(), Value::String(digest_of(evidence)?));
    }
    if let Some(milestone) = &args.milestone {
        given.insert("milestone".to_owned(), Value::String(milestone.clone()));
    }
    let appended = open_any(global)?.queue_fulfill(&args.by, &args.item, &given)?;
    super::propose::print_appended(ui, &appended)
}

//! `enact settle`: evidence of a settlement elsewhere, and the record that closes it.
use anyhow::Result;
use clap::Args;
use enact_engine::queue::QueueId;
use serde_json::{Map, Value, json};

use super::open_any;
use super::queue::{digest_of, item_id};
use crate::args::Global;
use crate::exit::Exit;
use crate::ui::Ui;

/// Settle an item that was settled elsewhere: an attester vouches with evidence, and a worker records it.
///
/// With --evidence the actor attests; with --worker the settlement is recorded right after. Without --evidence the actor is the worker, and
/// the item was attested before.
#[derive(Debug, Args)]
pub(crate) struct SettleArgs {
    /// The item.
    #[arg(value_name = "ITEM", value_parser = item_id)]
    item: QueueId,
    /// Who does it.
    #[arg(long = "as", value_name = "ACTOR")]
    by: String,
    /// The evidence: a digest, or a file of which the digest is recorded.
    #[arg(long, value_name = "DIGEST|FILE")]
    evidence: Option<String>,
    /// Another member of the evidence.
    #[arg(long = "with", value_name = "MEMBER=VALUE", requires = "evidence", value_parser = member)]
    with: Vec<(String, Value)>,
    /// The worker that records the settlement.
    #[arg(long, value_name = "ACTOR", requires = "evidence")]
    worker: Option<String>,
}

pub(super) fn member(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("write MEMBER=VALUE")?;
    Ok((name.to_owned(), Value::String(value.to_owned())))
}

pub(crate) fn run(ui: &Ui, global: &Global, args: &SettleArgs) -> Result<Exit> {
    let engine = open_any(global)?;
    let mut appended = Vec::new();
    match &args.evidence {
        Some(evidence) => {
            let mut given: Map<String, Value> = args.with.iter().cloned().collect();
            given.insert("evidence".to_owned(), Value::String(digest_of(evidence)?));
            appended.push(engine.queue_attest(&args.by, &args.item, &given)?);
            if let Some(worker) = &args.worker {
                appended.push(engine.queue_settle(worker, &args.item)?);
            }
        }
        None => appended.push(engine.queue_settle(&args.by, &args.item)?),
    }
    if ui.json() {
        ui.document(&json!({"queue_id": args.item.as_str(), "appended": appended}))?;
    } else {
        for each in &appended {
            super::propose::print_appended(ui, each)?;
        }
    }
    Ok(Exit::Done)
}

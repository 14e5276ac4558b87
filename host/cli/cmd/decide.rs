//! `enact decide` and `enact decision`: from a ballot to a decision, from a decision to its effects, and where each stands.
use std::num::NonZeroUsize;

use anyhow::Result;
use clap::{Args, Subcommand};
use enact_core::govern::decision::Verdict;
use enact_engine::govern::{DecideOptions, DecisionReport, Outcome};

use super::{open_for, open_read};
use crate::args::Global;
use crate::exit::Exit;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui};

/// Decide proposals and carry the decisions out.
///
/// The tally is read from the ledger. A decision and its effects are two entries: the effects are one, all of them or none, and once for
/// ever. It can be killed at any moment; `--pending` goes on from there.
#[derive(Debug, Args)]
pub(crate) struct DecideArgs {
    /// The proposals, with or without their type.
    #[arg(value_name = "PROPOSAL", required_unless_present_any = ["all", "pending"])]
    proposals: Vec<String>,
    /// Who signs; an actor that may decide and carry out.
    #[arg(long = "as", value_name = "ACTOR")]
    by: String,
    /// All proposals that are open.
    #[arg(long, conflicts_with_all = ["proposals", "pending"])]
    all: bool,
    /// Carry out what is decided and not carried out: those named, or all.
    #[arg(long)]
    pending: bool,
    /// Decide only; somebody else carries it out.
    #[arg(long, conflicts_with_all = ["pending", "reject"])]
    no_execute: bool,
    /// Say that the ballot was lost.
    #[arg(long, conflicts_with = "pending")]
    reject: bool,
    /// Most entries of one commit.
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN.saturating_add(511))]
    group: NonZeroUsize,
    /// Threads that draft, sign and check.
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN.saturating_add(1), value_parser = crate::args::threads)]
    jobs: NonZeroUsize,
}

/// Decisions and what became of them.
#[derive(Debug, Subcommand)]
pub(crate) enum DecisionCommand {
    /// List proposals with where they stand.
    List(ListArgs),
    /// Show a decision: what it brings about, and how that went.
    Show(ShowArgs),
}

/// Which.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only those of this status (Undecided, Pending, Executing, Confirmed, Failed, PermanentlyFailed), or in this state.
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
}

/// Which.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The proposal, with or without its type, or the hash of the decision.
    #[arg(value_name = "PROPOSAL|HASH")]
    decision: String,
    /// Only the execution receipt, as a document.
    #[arg(long)]
    receipt: bool,
}

pub(crate) fn run(ui: &Ui, global: &Global, args: &DecideArgs) -> Result<Exit> {
    let engine = open_for(global, args.jobs)?;
    let options = DecideOptions {
        verdict: if args.reject { Verdict::Rejected } else { Verdict::Carried },
        execute: !args.no_execute,
        sign: true,
        group: args.group,
        jobs: args.jobs,
    };
    let subjects: Vec<String> = if args.proposals.is_empty() {
        engine.due_decisions(args.all)?
    } else {
        args.proposals.iter().map(|named| engine.proposal(named)).collect::<Result<_, _>>()?
    };
    let mut outcomes = Vec::with_capacity(if ui.json() { subjects.len() } else { 0 });
    let (mut exit, mut printed) = (Exit::Done, Ok(()));
    let each = |outcome: Outcome| {
        if let Some(stopped) = &outcome.stopped {
            exit = exit.and(stopped.kind);
        }
        if ui.json() {
            outcomes.push(outcome);
        } else if printed.is_ok() {
            printed = print(ui, &outcome);
        }
    };
    if args.pending {
        engine.execute_decisions(&args.by, &subjects, &options, each)?
    } else {
        engine.decide(&args.by, &subjects, &options, each)?
    }
    printed?;
    if ui.json() {
        ui.document(&outcomes)?;
    }
    Ok(exit)
}

fn print(ui: &Ui, outcome: &Outcome) -> Result<()> {
    let subject = &outcome.subject;
    if let Some(decided) = &outcome.decided {
        ui.line(format!("{GOOD}decided{GOOD:#}   {NAME}{subject}{NAME:#} {DIM}entry {}{DIM:#}", decided.entry.seq))?;
    }
    if let Some(executed) = &outcome.executed {
        ui.line(format!("{GOOD}executed{GOOD:#}  {NAME}{subject}{NAME:#} {DIM}entry {}{DIM:#}", executed.entry.seq))?;
        for record in executed.records.iter().skip(1) {
            ui.line(format!("          {} {}", record.action, record.subject))?;
        }
    }
    if outcome.duplicate {
        ui.line(format!("{DIM}done{DIM:#}      {NAME}{subject}{NAME:#} {DIM}it was carried out before{DIM:#}"))?;
    }
    if let Some(stopped) = &outcome.stopped {
        let how = if stopped.last { "failed" } else { "refused" };
        ui.line(format!("{BAD}{how:<9}{BAD:#} {NAME}{subject}{NAME:#} {}: {}", stopped.code, stopped.detail))?;
    }
    Ok(())
}

pub(crate) fn decision(ui: &Ui, global: &Global, command: &DecisionCommand) -> Result<Exit> {
    let engine = open_read(global)?;
    match command {
        DecisionCommand::List(args) => {
            let reports = engine.decisions(args.status.as_deref())?;
            if ui.json() {
                ui.document(&reports)?;
            } else {
                for report in &reports {
                    let hash = report.decision_hash.as_deref().unwrap_or_default();
                    let status = report.status.as_str();
                    ui.line(format!("{NAME}{:<32}{NAME:#} {:<12} {status:<17} {DIM}{hash}{DIM:#}", report.subject, report.state))?;
                }
            }
        }
        DecisionCommand::Show(args) => {
            let report = engine.decision(&args.decision)?;
            if args.receipt {
                let Some(receipt) = &report.receipt else {
                    ui.note("it was not carried out, so there is no receipt");
                    return Ok(Exit::Refused);
                };
                ui.document(receipt)?;
            } else if ui.json() {
                ui.document(&report)?;
            } else {
                show(ui, &report)?;
            }
        }
    }
    Ok(Exit::Done)
}

fn show(ui: &Ui, report: &DecisionReport) -> Result<()> {
    ui.line(format!("{NAME}{}{NAME:#} {} {}", report.subject, report.state, report.status.as_str()))?;
    let mut lines = vec![("effects", report.effects.to_string())];
    lines.extend(report.tally.as_ref().map(|tally| ("tally", tally.to_string())));
    lines.extend(report.decision_hash.clone().map(|hash| ("decision hash", hash)));
    lines.extend(report.decision_receipt_id.clone().map(|id| ("decision", id)));
    lines.extend(report.started_at.clone().map(|at| ("started", at)));
    lines.extend(report.finished_at.clone().map(|at| ("finished", at)));
    lines.extend(report.ledger_entry_ids.iter().map(|id| ("entry", id.clone())));
    lines.extend(report.receipt.as_ref().map(|receipt| ("execution hash", receipt.execution_hash.to_string())));
    lines.extend(report.receipt_hash.clone().map(|hash| ("receipt", hash)));
    lines.extend(report.error.clone().map(|error| ("error", error)));
    lines.extend((report.retries > 0).then(|| ("retries", report.retries.to_string())));
    for (name, value) in lines {
        ui.line(format!("  {name:<16} {value}"))?;
    }
    for result in &report.results {
        let (color, word) = if result.success { (GOOD, "done") } else { (BAD, "not done") };
        let hash = result.state_change_hash.as_deref().unwrap_or_default();
        ui.line(format!("  {color}{word:<16}{color:#} {} {DIM}{hash}{DIM:#}", result.message))?;
    }
    Ok(())
}

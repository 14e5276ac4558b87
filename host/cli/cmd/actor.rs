//! `enact actor`: who can act, with which key, in which roles.
use anyhow::Result;
use clap::{Args, Subcommand};
use enact_engine::govern::{ActorReport, Appended, Held};
use enact_engine::workspace::Workspace;
use enact_engine::{Engine, EngineOptions};

use super::open_read;
use super::propose::print_appended;
use crate::args::Global;
use crate::exit::Exit;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, WARN};

/// Work with actors: found, register, grant, rotate, suspend, revoke, list.
#[derive(Debug, Subcommand)]
pub(crate) enum ActorCommand {
    /// Found the governance of this ledger with its first actor; makes its key. Refused where there are actors already.
    Found(FoundArgs),
    /// Register another actor; makes its key, or takes a public key made elsewhere.
    New(NewArgs),
    /// List all actors with their roles and seats.
    List,
    /// Grant a role or a seat.
    Grant(GrantArgs),
    /// Take a role or a seat back, exactly as it was granted.
    Withdraw(GrantArgs),
    /// Give an actor another key; signatures of the old one count no more.
    Rotate(AboutArgs),
    /// Keep an actor from acting until it is resumed.
    Suspend(ReasonArgs),
    /// Let a suspended actor act again.
    Resume(ReasonArgs),
    /// End an actor for ever: no key, no roles.
    Revoke(ReasonArgs),
}

/// The first actor.
#[derive(Debug, Args)]
pub(crate) struct FoundArgs {
    /// Its name, with or without `Actor:`.
    actor: String,
    /// Its roles, from which all others come.
    #[arg(long = "role", value_name = "ROLE", default_values_t = ["registrar".to_owned(), "steward".to_owned()])]
    roles: Vec<String>,
}

/// Another actor.
#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// Its name, with or without `Actor:`.
    actor: String,
    /// Who registers it.
    #[arg(long = "as", value_name = "ACTOR")]
    by: String,
    /// A role to grant at once.
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// Where the roles hold; everywhere without it.
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
    /// An Ed25519 public key in base64 whose secret half stays where it is.
    #[arg(long, value_name = "BASE64")]
    key: Option<String>,
}

/// A role or a seat of an actor.
#[derive(Debug, Args)]
pub(crate) struct GrantArgs {
    /// The actor.
    actor: String,
    /// The role.
    #[arg(long, value_name = "ROLE", required_unless_present = "seat", conflicts_with = "seat")]
    role: Option<String>,
    /// The seat.
    #[arg(long, value_name = "SEAT")]
    seat: Option<String>,
    /// The subject under whose ratified version the seat is held, e.g. `Charter:board`.
    #[arg(long, value_name = "SUBJECT", requires = "seat", conflicts_with = "role")]
    charter: Option<String>,
    /// Where it holds; everywhere without it.
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
    /// Who says so.
    #[arg(long = "as", value_name = "ACTOR")]
    by: String,
}

/// An actor.
#[derive(Debug, Args)]
pub(crate) struct AboutArgs {
    /// The actor.
    actor: String,
    /// Who says so.
    #[arg(long = "as", value_name = "ACTOR")]
    by: String,
}

/// An actor and a reason.
#[derive(Debug, Args)]
pub(crate) struct ReasonArgs {
    /// The actor.
    actor: String,
    /// Why; it is part of the record.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who says so.
    #[arg(long = "as", value_name = "ACTOR")]
    by: String,
}

impl GrantArgs {
    /// One of them is there: the parser sees to it.
    fn held(&self) -> Held<'_> {
        match &self.seat {
            Some(seat) => Held::Seat(seat, self.charter.as_deref()),
            None => Held::Role(self.role.as_deref().unwrap_or_default()),
        }
    }
}

pub(crate) fn run(ui: &Ui, global: &Global, command: &ActorCommand) -> Result<Exit> {
    if matches!(command, ActorCommand::List) {
        return list(ui, &open_read(global)?);
    }
    let engine = Engine::open(Workspace::open(&global.workspace)?, &EngineOptions::default())?;
    let about = |args: &ReasonArgs, action| engine.about_actor(&args.by, &args.actor, action, &args.reason);
    let appended: Appended = match command {
        ActorCommand::List => return Ok(Exit::Done),
        ActorCommand::Found(args) => engine.found(&args.actor, &args.roles)?,
        ActorCommand::New(args) => engine.register(&args.by, &args.actor, args.key.as_deref(), &args.roles, args.scope.as_deref())?,
        ActorCommand::Grant(args) => engine.grant(&args.by, &args.actor, args.held(), args.scope.as_deref())?,
        ActorCommand::Withdraw(args) => engine.withdraw(&args.by, &args.actor, args.held(), args.scope.as_deref())?,
        ActorCommand::Rotate(args) => engine.rotate(&args.by, &args.actor)?,
        ActorCommand::Suspend(args) => about(args, "ACTOR.SUSPEND")?,
        ActorCommand::Resume(args) => about(args, "ACTOR.RESUME")?,
        ActorCommand::Revoke(args) => about(args, "ACTOR.REVOKE")?,
    };
    print_appended(ui, &appended)
}

fn list(ui: &Ui, engine: &Engine) -> Result<Exit> {
    let actors = engine.actors()?;
    if ui.json() {
        ui.document(&actors)?;
        return Ok(Exit::Done);
    }
    for ActorReport { actor, key_here, row } in &actors {
        let style = match row.status.as_str() {
            "active" => GOOD,
            "suspended" => WARN,
            _ => BAD,
        };
        let scoped = |name: &str, scope: &Option<String>| scope.as_ref().map_or_else(|| name.to_owned(), |s| format!("{name}@{s}"));
        let mut held: Vec<String> = row.roles.iter().map(|r| scoped(&r.role, &r.scope)).collect();
        held.extend(row.seats.iter().map(|s| {
            let charter = s.charter.as_ref().map_or_else(String::new, |charter| format!(" under {charter}"));
            format!("seat {}{charter}", scoped(&s.seat, &s.scope))
        }));
        let key = if *key_here { "key here" } else { "" };
        ui.line(format!(
            "{NAME}{actor:<28}{NAME:#} {style}{:<10}{style:#} {:<40} {DIM}{key}{DIM:#}",
            row.status.as_str(),
            held.join(", ")
        ))?;
    }
    if actors.is_empty() {
        ui.note("no actors yet; begin with `enact actor found NAME`");
    }
    Ok(Exit::Done)
}

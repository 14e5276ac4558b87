//! `enact outbox`: messages that runs have handed over, and sending them.
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use enact_engine::later::Message;
use enact_engine::outbox::{Carrier, MessageReport, NotCarried};
use enact_engine::sources::time_micros;
use enact_mail::{Error, Letter, Maildir, Relay};

use super::{open_any, open_read};
use crate::args::Global;
use crate::exit::Exit;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, WARN};

/// Where the address of the relay is looked for first.
const RELAY: &str = "ENACT_SMTP_URL";

/// Messages that committed runs have handed over, and what became of them on this machine.
#[derive(Debug, Subcommand)]
pub(crate) enum OutboxCommand {
    /// List messages, oldest first.
    List(ListArgs),
    /// Show one message.
    Show {
        /// The message, MSG-….
        id: String,
    },
    /// Send what waits and what did not arrive, or the messages that are named. Exit code 3 when one was not sent.
    Send(SendArgs),
    /// Say that messages are not to be sent.
    Drop {
        /// The messages, MSG-….
        #[arg(required = true)]
        ids: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only those that are WAITING, SENDING, SENT, FAILED or DROPPED.
    #[arg(long, ignore_case = true, value_parser = ["WAITING", "SENDING", "SENT", "FAILED", "DROPPED"])]
    state: Option<String>,
    /// Only those to this address.
    #[arg(long, value_name = "ADDRESS")]
    to: Option<String>,
    /// Only those of this run.
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SendArgs {
    /// The messages, MSG-…; without any, all that wait or did not arrive.
    ids: Vec<String>,
    /// Put them into this folder (a Maildir), instead of giving them to the relay of ENACT_SMTP_URL or of the secret SMTP_URL:
    /// `smtps://USER:PASSWORD@HOST`, or `smtp://` with STARTTLS; without TLS on this machine only.
    #[arg(long, value_name = "DIR")]
    maildir: Option<PathBuf>,
    /// Also what may have arrived, was sent or dropped, under the same Message-ID.
    #[arg(long, requires = "ids")]
    again: bool,
}

pub(crate) fn run(ui: &Ui, global: &Global, command: &OutboxCommand) -> Result<Exit> {
    match command {
        OutboxCommand::List(args) => {
            let mut all = open_read(global)?.outbox()?;
            all.retain(|m| args.state.as_ref().is_none_or(|state| state.eq_ignore_ascii_case(&m.state)));
            all.retain(|m| args.to.as_ref().is_none_or(|to| m.message.to.contains(to)));
            all.retain(|m| args.run.as_ref().is_none_or(|run| *run == m.message.run));
            several(ui, &all)
        }
        OutboxCommand::Show { id } => {
            let found = open_read(global)?.outbox_of(std::slice::from_ref(id))?;
            for message in &found {
                if ui.json() {
                    ui.document(message)?;
                } else {
                    line(ui, message)?;
                    ui.line(format!("from {}\n", message.message.from))?;
                    message.message.text.lines().try_for_each(|text| ui.line(text))?;
                }
            }
            Ok(Exit::Done)
        }
        OutboxCommand::Send(args) => send(ui, global, args),
        OutboxCommand::Drop { ids } => {
            let dropped = open_any(global)?.outbox_drop(ids)?;
            several(ui, &dropped)?;
            Ok(if dropped.iter().all(|message| message.state == "DROPPED") { Exit::Done } else { Exit::Refused })
        }
    }
}

fn send(ui: &Ui, global: &Global, args: &SendArgs) -> Result<Exit> {
    let engine = open_any(global)?;
    let way = match &args.maildir {
        Some(path) => Way::Folder(Maildir::new(path)),
        None => {
            let address = std::env::var(RELAY).ok().map_or_else(|| engine.secret("SMTP_URL"), Ok)?;
            Way::Relay(Box::new(Relay::new(&address)?))
        }
    };
    let (mut printed, mut tried, mut unsent) = (Ok(()), 0_u64, 0_u64);
    engine.outbox_send(&args.ids, args.again, &way, &mut |message| {
        tried = tried.saturating_add(1);
        unsent = unsent.saturating_add(u64::from(message.state != "SENT"));
        if printed.is_ok() {
            printed = if ui.json() { ui.raw(format!("{}\n", serde_json::json!(message)).as_bytes()) } else { line(ui, message) };
        }
    })?;
    printed?;
    if ui.json() && tried == 0 {
        ui.raw(format!("{}\n", serde_json::json!({"sent": 0, "unsent": unsent})).as_bytes())?;
    }
    Ok(if unsent > 0 { Exit::Refused } else { Exit::Done })
}

/// How messages leave.
enum Way {
    Folder(Maildir),
    Relay(Box<Relay>),
}

impl Carrier for Way {
    fn name(&self) -> String {
        match self {
            Self::Folder(_) => "maildir".to_owned(),
            Self::Relay(relay) => relay.name().to_owned(),
        }
    }

    fn carry(&self, id: &str, message: &Message) -> Result<(), NotCarried> {
        let Message { at, from, to, subject, text, .. } = message;
        let letter = Letter { id, from, to, subject, text, at_micros: time_micros(at) };
        let sent = match self {
            Self::Folder(folder) => folder.send(&letter),
            Self::Relay(relay) => relay.send(&letter),
        };
        sent.map_err(|e| match e {
            Error::Refused(detail) => NotCarried::Refused(detail),
            Error::Unknown(detail) => NotCarried::Unknown(detail),
        })
    }
}

fn several(ui: &Ui, messages: &[MessageReport]) -> Result<Exit> {
    if ui.json() {
        ui.document(&messages)?;
        return Ok(Exit::Done);
    }
    messages.iter().try_for_each(|message| line(ui, message))?;
    Ok(Exit::Done)
}

fn line(ui: &Ui, message: &MessageReport) -> Result<()> {
    let MessageReport { id, message: Message { to, subject, .. }, state, detail, .. } = message;
    let style = match state.as_str() {
        "SENT" => GOOD,
        "FAILED" => BAD,
        "WAITING" | "DROPPED" => DIM,
        _ => WARN,
    };
    ui.line(format!("{style}{state:<8}{style:#} {NAME}{id}{NAME:#} {} {DIM}{}{DIM:#} {detail}", to.join(", "), subject.escape_debug()))
}

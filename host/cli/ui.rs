//! What a person sees: text on standard output, notes and errors on standard error, colours and bars only on a terminal.
use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use anyhow::Result;
use enact_engine::error::EngineError;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::args::{ColorWhen, Global};

/// Good news.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Something to look at.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
/// Bad news.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Names.
pub(crate) const NAME: Style = AnsiColor::Cyan.on_default();
/// Side remarks.
pub(crate) const DIM: Style = Style::new().dimmed();

/// Work that takes longer than this has a bar.
const LATE: Duration = Duration::from_secs(2);

/// Work whose end nobody knows.
#[derive(Debug)]
pub(crate) struct Busy {
    bar: ProgressBar,
    end: Option<crossbeam_channel::Sender<()>>,
}

impl Drop for Busy {
    fn drop(&mut self) {
        drop(self.end.take());
        self.bar.finish_and_clear();
    }
}

/// The way out of every command.
#[derive(Debug)]
pub(crate) struct Ui {
    json: bool,
    quiet: bool,
}

impl Ui {
    /// Sets the colour choice for the process and remembers the rest.
    pub(crate) fn new(global: &Global) -> Self {
        let choice = match global.color {
            ColorWhen::Auto => anstream::ColorChoice::Auto,
            ColorWhen::Always => anstream::ColorChoice::Always,
            ColorWhen::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
        Self { json: global.json, quiet: global.quiet }
    }

    /// Whether standard output carries one JSON document.
    pub(crate) fn json(&self) -> bool {
        self.json
    }

    /// Writes one line of data.
    pub(crate) fn line(&self, text: impl Display) -> Result<()> {
        writeln!(anstream::stdout(), "{text}")?;
        Ok(())
    }

    /// Writes text as it is.
    pub(crate) fn raw(&self, text: &[u8]) -> Result<()> {
        let mut out = std::io::stdout().lock();
        out.write_all(text)?;
        out.flush()?;
        Ok(())
    }

    /// Writes the one JSON document of a command.
    pub(crate) fn document(&self, value: &impl Serialize) -> Result<()> {
        let mut out = std::io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, value).map_err(std::io::Error::from)?;
        writeln!(out)?;
        Ok(())
    }

    /// A remark on standard error; silent with `--quiet`.
    pub(crate) fn note(&self, text: impl Display) {
        if !self.quiet {
            let _ = writeln!(anstream::stderr(), "{DIM}note:{DIM:#} {text}");
        }
    }

    /// An error with its code, causes and hint.
    pub(crate) fn error(&self, code: &str, error: &anyhow::Error, hint: Option<&str>, known: Option<&EngineError>) {
        let mut err = anstream::stderr();
        let _ = writeln!(err, "{BAD}error:{BAD:#} {error} {DIM}[{code}]{DIM:#}");
        for cause in error.chain().skip(1) {
            let _ = writeln!(err, "{BAD}caused by:{BAD:#} {cause}");
        }
        match known {
            Some(EngineError::Binding(report)) => binding_report(&mut err, report),
            Some(EngineError::Protocol { problems }) => {
                for p in problems {
                    let _ = writeln!(err, "  {NAME}{}{NAME:#} at {}: {} {DIM}[{}]{DIM:#}", p.artifact, p.at, p.detail, p.code);
                }
            }
            _ => {}
        }
        if let Some(hint) = hint {
            let _ = writeln!(err, "{GOOD}hint:{GOOD:#} {hint}");
        }
    }

    /// A progress bar that appears with its first step after two seconds: most of such work is over before. Answers what to call with steps.
    pub(crate) fn late_bar(&self, len: u64, what: &'static str) -> impl FnMut(u64) {
        let (bar, begun) = (self.bar(len, what), Instant::now());
        bar.set_draw_target(ProgressDrawTarget::hidden());
        let (quiet, mut shown) = (self.quiet || !std::io::stderr().is_terminal(), false);
        move |steps| {
            if !shown && !quiet && begun.elapsed() >= LATE {
                bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
                shown = true;
            }
            bar.inc(steps);
            if bar.position() >= len {
                bar.finish_and_clear();
            }
        }
    }

    /// Says that something goes on whose end nobody knows, once it has lasted two seconds; gone when it is dropped.
    pub(crate) fn busy(&self, what: &'static str) -> Busy {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        bar.set_style(ProgressStyle::with_template("{spinner} {msg} {elapsed}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.set_message(what);
        if self.quiet || !std::io::stderr().is_terminal() {
            return Busy { bar, end: None };
        }
        let (end, ended) = crossbeam_channel::bounded::<()>(0);
        let shown = bar.clone();
        std::thread::spawn(move || {
            // Disconnected when the work is over.
            if ended.recv_timeout(LATE) == Err(crossbeam_channel::RecvTimeoutError::Timeout) {
                shown.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
                shown.enable_steady_tick(Duration::from_millis(100));
            }
        });
        Busy { bar, end: Some(end) }
    }

    /// A progress bar over `len` units; hidden unless standard error is a terminal and the work lasts.
    pub(crate) fn bar(&self, len: u64, what: &'static str) -> ProgressBar {
        let hidden = self.quiet || !std::io::stderr().is_terminal();
        let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(10) };
        let bar = ProgressBar::with_draw_target(Some(len), target);
        let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {per_sec} {eta}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_message(what);
        bar
    }
}

fn binding_report(err: &mut impl std::io::Write, report: &enact_flow::bind::BindingReport) {
    let rows = [
        ("Phase", report.phase.to_string()),
        ("Artifact", report.artifact.to_string()),
        ("Binding", report.binding.to_string()),
        ("Check", report.check.to_string()),
        ("Detail", report.detail.to_string()),
        ("Available", report.available.join(", ")),
        ("Resolution", report.resolution.to_string()),
    ];
    for (name, value) in rows {
        let _ = writeln!(err, "  {NAME}{name:<10}{NAME:#} {value}");
    }
}

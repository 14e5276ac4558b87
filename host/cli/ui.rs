//! What a person sees: text on standard output, notes and errors on standard error, colours and bars only on a terminal.
use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use anyhow::Result;
use enact_engine::error::{EngineError, file_code};
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

/// Text from outside as it may stand in a line: what a terminal obeys, or what turns the order of its letters around, is written out.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_obeyed(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// Whether a terminal obeys a character, or turns the order of letters around by it.
fn is_obeyed(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    c.is_control() || turns
}

/// What the styles above are made of.
const OWN: [&str; 7] = ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[2m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m", "\u{1b}[36m"];

/// Whatever is shown, as it may reach a terminal: our styles, ends of lines, tabs, and nothing else that it obeys. It is the net below [`plain`],
/// which lets no style and no end of line of a stranger through either. Written out as JSON does, since documents are shown as well.
fn tame(text: String) -> String {
    let fits = |c: char| matches!(c, '\n' | '\t') || !is_obeyed(c);
    if text.chars().all(fits) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        let len = OWN.iter().find(|own| rest.starts_with(**own)).map_or(c.len_utf8(), |own| own.len());
        let (piece, after) = rest.split_at(len);
        if fits(c) || OWN.contains(&piece) {
            out.push_str(piece);
        } else {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        }
        rest = after;
    }
    out
}

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
    /// Whoever read standard output reads no more. What a command does, and says with its exit code, does not depend on that.
    unread: AtomicBool,
}

/// Standard output did not take all of it.
#[derive(Debug)]
pub(crate) struct Unwritten(std::io::Error);

impl Display for Unwritten {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cannot write to standard output")
    }
}

impl std::error::Error for Unwritten {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

impl Unwritten {
    pub(crate) fn code(&self) -> &'static str {
        file_code(&self.0)
    }
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
        Self { json: global.json, quiet: global.quiet, unread: AtomicBool::new(false) }
    }

    /// Whether standard output carries one JSON document.
    pub(crate) fn json(&self) -> bool {
        self.json
    }

    /// Writes one line of data; under `--json` as it is.
    pub(crate) fn line(&self, text: impl Display) -> Result<()> {
        let text = if self.json { text.to_string() } else { tame(text.to_string()) };
        self.out(|| writeln!(anstream::stdout(), "{text}"))
    }

    /// Writes text as it is.
    pub(crate) fn raw(&self, text: &[u8]) -> Result<()> {
        self.out(|| {
            let mut out = std::io::stdout().lock();
            out.write_all(text)?;
            out.flush()
        })
    }

    /// Writes the one JSON document of a command.
    pub(crate) fn document(&self, value: &impl Serialize) -> Result<()> {
        self.out(|| {
            let mut out = std::io::stdout().lock();
            serde_json::to_writer_pretty(&mut out, value)?;
            writeln!(out)?;
            out.flush()
        })
    }

    fn out(&self, write: impl FnOnce() -> std::io::Result<()>) -> Result<()> {
        if self.unread.load(Ordering::Relaxed) {
            return Ok(());
        }
        match write() {
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => self.unread.store(true, Ordering::Relaxed),
            written => written.map_err(Unwritten)?,
        }
        Ok(())
    }

    /// A remark on standard error; silent with `--quiet`.
    pub(crate) fn note(&self, text: impl Display) {
        if !self.quiet {
            let _ = writeln!(anstream::stderr(), "{DIM}note:{DIM:#} {}", tame(text.to_string()));
        }
    }

    /// An error with its code, causes and hint.
    pub(crate) fn error(&self, code: &str, error: &anyhow::Error, hint: Option<&str>, known: Option<&EngineError>) {
        let mut err = anstream::stderr();
        let _ = writeln!(err, "{BAD}error:{BAD:#} {} {DIM}[{}]{DIM:#}", plain(&error.to_string()), plain(code));
        for cause in error.chain().skip(1) {
            let _ = writeln!(err, "{BAD}caused by:{BAD:#} {}", plain(&cause.to_string()));
        }
        match known {
            Some(EngineError::Binding(report)) => binding_report(&mut err, report),
            Some(EngineError::Protocol { problems }) => {
                for p in problems {
                    let [artifact, at, detail] = [&p.artifact, &p.at, &p.detail].map(|text| plain(text));
                    let _ = writeln!(err, "  {NAME}{artifact}{NAME:#} at {at}: {detail} {DIM}[{}]{DIM:#}", p.code);
                }
            }
            _ => {}
        }
        if let Some(hint) = hint {
            let _ = writeln!(err, "{GOOD}hint:{GOOD:#} {}", plain(hint));
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

    /// What shows that something is done of which nobody knows how long it takes.
    pub(crate) fn spinner(&self, what: &'static str) -> ProgressBar {
        let bar = self.bar(0, what);
        if let Ok(style) = ProgressStyle::with_template("{msg} {spinner} {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
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
        let _ = writeln!(err, "  {NAME}{name:<10}{NAME:#} {}", plain(&value));
    }
}

//! The parent of the process that examines a module: asks, watches time and memory, and ends it.
use std::io::{BufWriter, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, bounded};
use enact_wasm::{AdmissionError, Backend, Compiler, Profile};

use super::child::{Answer, COMPILED_BYTES_MAX, HEAD_BYTES_MAX, Question, frame, write_frame};
use super::vectors::{Tried, Vectors};
use super::{Examined, Manifest, Reason};
use crate::error::{EngineError, Result};

/// Name of the hidden command that serves questions.
pub const COMMAND: &str = "__admit";
/// Wall clock of one examination. A component of 12 MB with an interpreter in it takes a quarter of a minute on a small machine.
const WALL_SECONDS: u64 = 300;
/// Environment variable with another wall clock, in seconds, for machines that are very slow or very patient.
const WALL_VARIABLE: &str = "ENACT_ADMISSION_SECONDS";
/// Environment variable with another bound on memory in use, in MiB.
const RESIDENT_VARIABLE: &str = "ENACT_ADMISSION_MIB";
/// Processor time of one examination; the kernel ends it then, whoever watches.
pub(super) const CPU_SECONDS_MAX: u64 = 600;
/// Memory that is really used. The same component needs about a gigabyte.
const RESIDENT_MIB: u64 = 3 << 10;
/// Private memory that is only reserved as well: an allocator asks for more than it touches. The kernel's own bound, behind the one above.
pub(super) const DATA_BYTES_MAX: u64 = 8 << 30;
/// How often the process is looked at: the most memory that it can take in between is small against the bound.
const LOOK: Duration = Duration::from_millis(20);

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Says which program serves the hidden command. From then on nothing is compiled in this process. Said once, by the program itself.
pub fn isolate(program: PathBuf) {
    let _ = PROGRAM.set(program);
}

/// Compiles in a process of its own; nobody, where no program was said to serve that.
pub(crate) fn compiler() -> Option<Arc<dyn Compiler>> {
    PROGRAM.get().map(|program| Arc::new(Warden { program: program.clone() }) as Arc<dyn Compiler>)
}

/// A finished examination.
#[derive(Debug)]
pub enum Examination {
    /// It may be admitted.
    Fit {
        /// What it is.
        examined: Box<Examined>,
        /// Its vectors.
        tried: Vec<Tried>,
        /// The compiled form, for [`enact_wasm::Sandbox::keep`].
        compiled: Vec<u8>,
    },
    /// It may not.
    Unfit {
        /// Why, at least one.
        reasons: Vec<Reason>,
        /// Its vectors, as far as they were tried.
        tried: Vec<Tried>,
    },
}

/// Examines a module in a process that is ended when it takes too long or too much.
///
/// # Errors
/// [`EngineError::NotExamined`] when the process was ended or failed: that says nothing about the module.
pub fn examine(bytes: &[u8], manifest: &Manifest, vectors: &Vectors, vectors_file: Option<String>) -> Result<Examination> {
    let program = PROGRAM.get().ok_or_else(|| EngineError::Internal { detail: "no program examines modules".to_owned() })?;
    let warden = Warden { program: program.clone() };
    let question = Question::Examine { manifest: manifest.clone(), vectors: vectors.clone(), vectors_file };
    let ended = |(code, detail): (&'static str, String)| EngineError::NotExamined { code: code.to_owned(), detail };
    match warden.ask(&question, bytes).map_err(ended)? {
        (Answer::Examined { examined, tried }, compiled) => Ok(Examination::Fit { examined, tried, compiled }),
        (Answer::Refused { reasons, tried }, _) => Ok(Examination::Unfit { reasons, tried }),
        (Answer::NotCompiled { code, detail }, _) => Err(EngineError::NotExamined { code, detail }),
        (Answer::Compiled | Answer::Answered(_), _) => Err(ended((CRASHED, "it answered another question".to_owned()))),
    }
}

/// What a module answers to each of these, in the same bounds; a long answer by its beginning and its digest.
///
/// # Errors
/// [`EngineError::NotExamined`].
pub(super) fn answers(bytes: &[u8], manifest: &Manifest, vectors: &Vectors) -> Result<Vec<String>> {
    let program = PROGRAM.get().ok_or_else(|| EngineError::Internal { detail: "no program examines modules".to_owned() })?;
    let question = Question::Answers { manifest: manifest.clone(), vectors: vectors.clone() };
    let (code, detail) = match (Warden { program: program.clone() }).ask(&question, bytes) {
        Ok((Answer::Answered(answers), _)) if answers.len() == vectors.vectors.len() => return Ok(answers),
        Ok((Answer::NotCompiled { code, detail }, _)) => (code, detail),
        Ok(_) => (CRASHED.to_owned(), "it answered another question".to_owned()),
        Err((code, detail)) => (code.to_owned(), detail),
    };
    Err(EngineError::NotExamined { code, detail })
}

const TIMEOUT: &str = "admission_timeout";
const MEMORY: &str = "admission_memory";
const CRASHED: &str = "admission_crashed";

/// Asks a child of one program.
#[derive(Debug)]
struct Warden {
    program: PathBuf,
}

impl Compiler for Warden {
    fn compile(&self, bytes: &[u8], profile: Profile, backend: Backend) -> Result<Vec<u8>, AdmissionError> {
        let question = Question::Compile { profile, pulley: backend == Backend::Pulley };
        match self.ask(&question, bytes) {
            Ok((Answer::Compiled, compiled)) => Ok(compiled),
            Ok((Answer::NotCompiled { detail, .. }, _)) => Err(AdmissionError::Compile { detail }),
            Ok((Answer::Answered(_) | Answer::Examined { .. } | Answer::Refused { .. }, _)) => {
                Err(AdmissionError::Ended { code: CRASHED, detail: "it answered another question".to_owned() })
            }
            Err((code, detail)) => Err(AdmissionError::Ended { code, detail }),
        }
    }
}

impl Warden {
    fn ask(&self, question: &Question, bytes: &[u8]) -> Result<(Answer, Vec<u8>), (&'static str, String)> {
        let crashed = |detail: String| (CRASHED, detail);
        let head = serde_json::to_vec(question).map_err(|e| crashed(e.to_string()))?;
        let mut child = Command::new(&self.program)
            .arg(COMMAND)
            // It is told everything that it needs; what this process knows from its environment is none of its business.
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| crashed(format!("`{}` cannot be started: {e}", self.program.display())))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (send, answered) = bounded(1);
        let told = std::thread::scope(|scope| {
            let asked = scope.spawn(|| {
                // A child that ends early closes its end; what it says, or does not say, is read on the other side.
                let mut input = BufWriter::new(input?);
                write_frame(&mut input, &head).and_then(|()| write_frame(&mut input, bytes)).ok()?;
                // Open until it has been looked at for the last time: it stays as long.
                input.into_inner().ok()
            });
            scope.spawn(move || {
                let _ = send.send(output.map_or_else(|| Err(std::io::ErrorKind::BrokenPipe.into()), read));
            });
            let told = watch(&child, &answered);
            // However it went, nothing is left running: also not what neither answers nor takes what it is given.
            let _ = child.kill();
            drop(asked.join());
            told
        });
        // And no zombie stays.
        let status = child.wait();
        match told {
            Ok(Ok((head, compiled))) => {
                let answer = serde_json::from_slice(&head).map_err(|e| crashed(format!("its answer cannot be read: {e}")))?;
                Ok((answer, compiled))
            }
            Ok(Err(_)) => Err(crashed(format!("the process that examined it ended: {}", ending(status.ok())))),
            Err(ended) => Err(ended),
        }
    }
}

type Told = std::io::Result<(Vec<u8>, Vec<u8>)>;

fn read(mut output: impl Read) -> Told {
    Ok((frame(&mut output, HEAD_BYTES_MAX)?, frame(&mut output, COMPILED_BYTES_MAX)?))
}

/// Waits for the answer, or until the process goes over a bound; whoever waits ends it then, its pipes close, and the threads at them end.
/// An answer that took more than a bound allows is none, however fast it came: whether a bound holds is no matter of when somebody looked.
fn watch(child: &Child, answered: &crossbeam_channel::Receiver<Told>) -> Result<Told, (&'static str, String)> {
    let begun = Instant::now();
    let (wall, resident_mib) = (bound(WALL_VARIABLE, WALL_SECONDS), bound(RESIDENT_VARIABLE, RESIDENT_MIB));
    loop {
        let told = match answered.recv_timeout(LOOK) {
            Ok(Err(e)) => return Ok(Err(e)),
            Ok(told) => Some(told),
            Err(RecvTimeoutError::Disconnected) => return Ok(Err(std::io::ErrorKind::BrokenPipe.into())),
            Err(RecvTimeoutError::Timeout) => None,
        };
        let over = if begun.elapsed() > Duration::from_secs(wall) {
            Some((TIMEOUT, format!("it was examined for more than {wall} s")))
        } else {
            let over = resident_bytes(child.id()) >> 20 >= resident_mib;
            over.then(|| (MEMORY, format!("examining it took more than {resident_mib} MiB of memory")))
        };
        if let Some(over) = over {
            return Err(over);
        }
        if let Some(told) = told {
            return Ok(told);
        }
    }
}

/// A bound that the operator may set otherwise. What is no number changes nothing.
fn bound(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The most memory that was in use so far; 0 where the system does not tell, and its own bound holds alone.
fn resident_bytes(pid: u32) -> u64 {
    let Ok(text) = std::fs::read_to_string(format!("/proc/{pid}/status")) else { return 0 };
    let kilobytes = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0).saturating_mul(1024)
}

fn ending(status: Option<ExitStatus>) -> String {
    status.map_or_else(|| "nobody knows how".to_owned(), |status| status.to_string())
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn b_32_what_ends_its_answer_and_takes_no_question_is_ended_at_once() {
        let folder = tempfile::TempDir::new().unwrap();
        let program = folder.path().join("examiner");
        std::fs::write(&program, "#!/bin/sh\nexec 1>&-\n/bin/sleep 20 </dev/null\n: > \"$0.late\"\n").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
        let warden = Warden { program: program.clone() };
        // More than a pipe holds.
        let (code, _) = warden.ask(&Question::Compile { profile: Profile::Strict, pulley: false }, &vec![0; 1 << 20]).unwrap_err();
        assert_eq!(code, CRASHED);
        assert!(!program.with_extension("late").exists(), "it was waited for");
    }
}

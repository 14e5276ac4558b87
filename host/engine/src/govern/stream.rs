//! Many proposals from one source, each an entry of its own, several made durable with one sync.
//!
//! While one group is judged and written, the next is completed, signed and has its signatures checked on other threads. The answers are
//! those that proposing one after the other would give: a proposal about a subject that is still under way waits for it.
use std::collections::{BTreeSet, VecDeque};
use std::num::NonZeroUsize;
use std::thread;

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded, select, unbounded};
use ed25519_dalek::SigningKey;
use enact_core::entry::Draft;
use enact_core::govern::builtin;
use enact_store::Reader;

use super::keys;
use super::outside::Signatures;
use super::proposal::{Proposed, Signer, complete};
use super::propose::Appended;
use crate::engine::Engine;
use crate::error::{EngineError, Result};

/// How much a stream may do at once.
#[derive(Debug, Clone, Copy)]
pub struct Stream {
    /// Threads that complete, sign and check.
    pub jobs: NonZeroUsize,
    /// Most entries of one commit.
    pub group: NonZeroUsize,
    /// Sign what comes without a signature. Without it, only rows that need none can allow it.
    pub sign: bool,
}

/// Proposals that go together.
struct Group {
    items: Vec<Item>,
    signatures: Signatures,
}

/// One proposal on its way.
struct Item {
    index: u64,
    proposed: Vec<Proposed>,
    draft: Result<Draft>,
}

/// Who proposes.
#[derive(Clone, Copy)]
struct Signing<'a> {
    actor: &'a str,
    key: Option<&'a SigningKey>,
    sign: bool,
}

/// What a thread made of its share of a group.
type Share = Result<(Vec<Item>, Signatures)>;

impl Engine {
    /// Proposes whatever comes, as an actor, until the source ends; `each` is told of every proposal once it is durable or refused, in order.
    ///
    /// Costs one transaction and one sync a group. A group is what has come while the last one was under way, `stream.group` at most, without
    /// two proposals about one subject.
    ///
    /// # Errors
    /// What keeps the rest from being proposed. A refusal is no error of the stream: `each` gets it as [`EngineError::Refused`].
    pub fn propose_each(
        &self,
        actor: &str,
        stream: Stream,
        source: &Receiver<Vec<Proposed>>,
        mut each: impl FnMut(u64, Result<Appended>),
    ) -> Result<()> {
        let actor = &keys::actor_id(actor)?;
        let key = if stream.sign { keys::load(self.workspace(), actor).ok() } else { None };
        let key = key.as_ref();
        let mut readers = Vec::with_capacity(stream.jobs.get());
        for _ in 0..stream.jobs.get() {
            readers.push(self.store().reader()?);
        }
        // While a group is committed, one is ready and another is being prepared.
        let (groups, ready) = bounded::<Result<Group>>(1);
        let (done, finished) = unbounded::<()>();
        let mut gathering = Gathering { engine: self, actor, key, stream, readers, source, groups, finished, under_way: VecDeque::new() };
        let commit = move |each: &mut dyn FnMut(u64, Result<Appended>)| {
            for group in ready {
                self.commit_group(actor, key, group?, each)?;
                // The gathering thread is gone when the source has ended.
                let _ = done.send(());
            }
            Ok(())
        };
        thread::scope(|scope| {
            scope.spawn(move || gathering.serve());
            // By value: an error here drops its ends of the channels, and the gathering thread stops.
            commit(&mut each)
        })
    }

    fn commit_group(&self, actor: &str, key: Option<&SigningKey>, group: Group, each: &mut dyn FnMut(u64, Result<Appended>)) -> Result<()> {
        let mut drafts = Vec::with_capacity(group.items.len());
        let mut waiting = Vec::with_capacity(group.items.len());
        for Item { index, proposed, draft } in group.items {
            let failed = match draft {
                Ok(draft) => {
                    drafts.push(draft);
                    None
                }
                Err(error) => Some(error),
            };
            waiting.push((index, proposed, failed));
        }
        let mut answers = self.append_group(&mut drafts, &group.signatures)?.into_iter();
        for (index, proposed, failed) in waiting {
            let result = match failed {
                Some(error) => Err(error),
                None => match answers.next() {
                    None => return Err(EngineError::Internal { detail: "a draft without an answer".to_owned() }),
                    Some(Ok(appended)) => Ok(appended),
                    // Another process was faster. What was filled in is filled in anew.
                    Some(Err(refused)) if refused.is_stale() && proposed.iter().all(|p| p.sig.is_none()) => {
                        self.propose_signed(actor, key, &proposed)
                    }
                    Some(Err(refused)) => Err(EngineError::Refused(Box::new(refused))),
                },
            };
            each(index, result);
        }
        Ok(())
    }
}

/// The thread that makes groups of what comes.
struct Gathering<'a> {
    engine: &'a Engine,
    actor: &'a str,
    key: Option<&'a SigningKey>,
    readers: Vec<Reader>,
    source: &'a Receiver<Vec<Proposed>>,
    groups: Sender<Result<Group>>,
    finished: Receiver<()>,
    /// Subjects of the groups that are not durable yet, oldest first.
    under_way: VecDeque<BTreeSet<String>>,
    stream: Stream,
}

impl Gathering<'_> {
    fn serve(&mut self) {
        if let Err(error) = self.gather() {
            // Nobody receives when the stream has failed elsewhere, and then it has its error already.
            let _ = error.map(|error| self.groups.send(Err(error)));
        }
    }

    /// Ends with the error to pass on, if it is one of this thread.
    fn gather(&mut self) -> Result<(), Option<EngineError>> {
        let (mut lines, mut subjects) = (Vec::new(), BTreeSet::new());
        let mut index = 0;
        loop {
            let proposed = match if lines.is_empty() { self.next()? } else { self.source.try_recv() } {
                Ok(proposed) => proposed,
                Err(end) => {
                    self.send(&mut lines, &mut subjects)?;
                    if end == TryRecvError::Disconnected {
                        return Ok(());
                    }
                    continue;
                }
            };
            let about: BTreeSet<String> = proposed.iter().map(|each| each.subject.clone()).collect();
            // Other rules may hold behind such a line.
            let barrier = proposed.iter().any(|each| each.type_ == builtin::PROTOCOL);
            if barrier || !subjects.is_disjoint(&about) {
                self.send(&mut lines, &mut subjects)?;
            }
            while self.under_way.iter().any(|group| barrier || !group.is_disjoint(&about)) {
                self.wait()?;
            }
            lines.push((index, proposed));
            subjects.extend(about);
            index += 1;
            if barrier || lines.len() >= self.stream.group.get() {
                self.send(&mut lines, &mut subjects)?;
            }
            while barrier && !self.under_way.is_empty() {
                self.wait()?;
            }
        }
    }

    /// The next proposal, however long it takes; or that the stream has failed elsewhere in the meantime.
    fn next(&mut self) -> Result<Result<Vec<Proposed>, TryRecvError>, Option<EngineError>> {
        loop {
            select! {
                recv(self.source) -> proposed => return Ok(proposed.map_err(|_| TryRecvError::Disconnected)),
                recv(self.finished) -> token => {
                    token.map_err(|_| None)?;
                    self.under_way.pop_front();
                }
            }
        }
    }

    fn wait(&mut self) -> Result<(), Option<EngineError>> {
        self.finished.recv().map_err(|_| None)?;
        self.under_way.pop_front();
        Ok(())
    }

    fn send(&mut self, lines: &mut Vec<(u64, Vec<Proposed>)>, subjects: &mut BTreeSet<String>) -> Result<(), Option<EngineError>> {
        if lines.is_empty() {
            return Ok(());
        }
        while self.finished.try_recv().is_ok() {
            self.under_way.pop_front();
        }
        let group = self.prepare(std::mem::take(lines)).map_err(Some)?;
        self.under_way.push_back(std::mem::take(subjects));
        self.groups.send(Ok(group)).map_err(|_| None)
    }

    /// Completes a group in equal shares, one a thread.
    fn prepare(&mut self, mut lines: Vec<(u64, Vec<Proposed>)>) -> Result<Group> {
        let (engine, signing) = (self.engine, Signing { actor: self.actor, key: self.key, sign: self.stream.sign });
        let share = lines.len().div_ceil(self.readers.len());
        let mut shares = Vec::with_capacity(self.readers.len());
        while !lines.is_empty() {
            let rest = lines.split_off(share.min(lines.len()));
            shares.push(std::mem::replace(&mut lines, rest));
        }
        let prepared: Vec<Share> = thread::scope(|scope| {
            let mut work = shares.into_iter().zip(&mut self.readers);
            let first = work.next();
            let others: Vec<_> = work.map(|(lines, reader)| scope.spawn(move || engine.complete_share(reader, signing, lines))).collect();
            // This thread would only wait.
            let mut prepared: Vec<Share> = first.map(|(lines, reader)| engine.complete_share(reader, signing, lines)).into_iter().collect();
            let stopped = || Err(EngineError::Internal { detail: "a completing thread stopped".to_owned() });
            prepared.extend(others.into_iter().map(|thread| thread.join().unwrap_or_else(|_| stopped())));
            prepared
        });
        let mut group = Group { items: Vec::new(), signatures: Signatures::default() };
        for share in prepared {
            let (items, signatures) = share?;
            group.items.extend(items);
            group.signatures.extend(signatures);
        }
        Ok(group)
    }
}

impl Engine {
    fn complete_share(&self, reader: &mut Reader, signing: Signing<'_>, lines: Vec<(u64, Vec<Proposed>)>) -> Share {
        let Signing { actor, key, sign } = signing;
        let origin = &self.workspace().config().origin;
        let moment = reader.moment(None)?;
        let protocol = self.in_force(&moment)?;
        let ruled = self.rules(&protocol, &moment)?;
        let signer = Signer { origin, actor, key };
        let mut items = Vec::with_capacity(lines.len());
        let mut signatures = Signatures::default();
        for (index, proposed) in lines {
            let unsigned = || proposed.iter().any(|each| each.sig.is_none());
            let draft = match key {
                // The same error that a single proposal gets.
                None if sign && unsigned() => keys::load(self.workspace(), actor).map(|_| Vec::new()),
                _ => complete(&ruled.protocol, &moment, &signer, &proposed),
            };
            let draft = draft.map(|records| self.draft(records, protocol, 1));
            if let Ok(draft) = &draft {
                signatures.extend(Signatures::check(origin, &draft.records, &moment));
            }
            items.push(Item { index, proposed, draft });
        }
        Ok((items, signatures))
    }
}

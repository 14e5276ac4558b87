//! Work that is done on several threads and taken in order: item `n` is made by lane `n mod jobs`, so no thread waits for a queue to be
//! sorted, and what is under way is bounded.
use std::num::NonZeroUsize;
use std::thread;

use crossbeam_channel::bounded;

use crate::error::{EngineError, Result};

/// Items that one lane may be ahead.
const AHEAD: usize = 4;

/// Makes the items `0..count` on `jobs` threads, each with a worker of its own, while `take` receives them in order. It may stop early.
pub(crate) fn in_order<T, W, R>(
    jobs: NonZeroUsize,
    count: u64,
    mut worker: impl FnMut() -> Result<W>,
    take: impl FnOnce(&mut dyn Iterator<Item = Result<T>>) -> Result<R>,
) -> Result<R>
where
    T: Send,
    W: FnMut(u64) -> Result<T> + Send,
{
    let jobs = jobs.get().min(usize::try_from(count.max(1)).unwrap_or(usize::MAX));
    thread::scope(|scope| {
        let mut lanes = Vec::with_capacity(jobs);
        for lane in 0..jobs as u64 {
            let (send, receive) = bounded::<Result<T>>(AHEAD);
            lanes.push(receive);
            let mut work = worker()?;
            scope.spawn(move || {
                for item in (lane..count).step_by(jobs) {
                    // The receiver is gone when the work was ended early.
                    if send.send(work(item)).is_err() {
                        return;
                    }
                }
            });
        }
        let stopped = |_| EngineError::Internal { detail: "a working thread stopped".to_owned() };
        take(&mut (0..count).zip(lanes.iter().cycle()).map(|(_, lane)| lane.recv().map_err(stopped)?))
    })
}

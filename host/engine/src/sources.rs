//! Where time and randomness come from. The pure crates take both as arguments; this is the edge that produces them.
use std::sync::atomic::{AtomicI64, Ordering};

/// Time and randomness of a live run. Replaced in tests and simulations, recorded in transcripts.
pub trait Sources: Send + Sync {
    /// Microseconds since the Unix epoch, UTC.
    fn now_micros(&self) -> i64;
    /// Fills `bytes` with unpredictable bytes; `false` when the machine has none to give.
    fn fill(&self, bytes: &mut [u8]) -> bool;
    /// 16 bytes that no other call is given.
    fn unique(&self) -> Option<[u8; 16]> {
        let mut bytes = [0; 16];
        self.fill(&mut bytes).then_some(bytes)
    }
}

/// The machine's clock and random generator. Its clock never runs backwards within a process.
#[derive(Debug, Default)]
pub struct System {
    last: AtomicI64,
}

impl Sources for System {
    fn now_micros(&self) -> i64 {
        let now = jiff::Timestamp::now().as_microsecond();
        self.last.fetch_max(now, Ordering::Relaxed).max(now)
    }

    fn fill(&self, bytes: &mut [u8]) -> bool {
        getrandom::fill(bytes).is_ok()
    }
}

/// `2026-01-02T03:04:05.678901`: UTC with six fractional digits, as the `clock` interface answers.
#[must_use]
pub fn clock_text(micros: i64) -> String {
    // A microsecond count outside the calendar cannot come from a clock; the epoch is then as honest as any other answer.
    let at = jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.strftime("%Y-%m-%dT%H:%M:%S.%6f").to_string()
}

/// The same with a `Z`, as entries and runs record it.
#[must_use]
pub fn time_text(micros: i64) -> String {
    format!("{}Z", clock_text(micros))
}

/// What [`time_text`] wrote; 0 for what it did not write.
#[must_use]
pub fn time_micros(text: &str) -> i64 {
    text.parse().map_or(0, jiff::Timestamp::as_microsecond)
}

/// A run id: time-ordered, so that the ledger's indexes grow at their end. `RUN-` and 26 characters of Crockford base 32.
#[must_use]
pub fn run_id(sources: &dyn Sources) -> Option<String> {
    let mut bytes = [0_u8; 16];
    if !sources.fill(&mut bytes[..10]) {
        return None;
    }
    Some(timed(sources.now_micros(), &bytes))
}

/// A run id that follows from what the run is about: the instant, and a digest of the rest. 144 bits of it, so that nobody finds two
/// occasions for one id.
#[must_use]
pub fn run_id_of(at_micros: i64, digest: &[u8; 32]) -> String {
    let mut bytes = [0_u8; 16];
    bytes[..10].copy_from_slice(&digest[..10]);
    format!("{}-{}", timed(at_micros, &bytes), hex::encode(&digest[10..18]))
}

fn timed(micros: i64, bytes: &[u8; 16]) -> String {
    let millis = u64::try_from(micros / 1_000).unwrap_or(0);
    format!("RUN-{}", ulid::Ulid::from_parts(millis, u128::from_le_bytes(*bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_written_with_six_digits() {
        assert_eq!(time_text(1_767_323_045_678_901), "2026-01-02T03:04:05.678901Z");
        assert_eq!(clock_text(0), "1970-01-01T00:00:00.000000");
        assert_eq!(time_micros(&time_text(1_767_323_045_678_901)), 1_767_323_045_678_901);
    }

    #[test]
    fn run_ids_grow_with_time() {
        struct At(i64);
        impl Sources for At {
            fn now_micros(&self) -> i64 {
                self.0
            }
            fn fill(&self, bytes: &mut [u8]) -> bool {
                bytes.fill(7);
                true
            }
        }
        let early = run_id(&At(1_000_000));
        let late = run_id(&At(2_000_000));
        assert!(early.is_some() && early < late);
    }
}

//! Randomness out of one recorded seed: as unpredictable as the seed is to whoever does not read the ledger, and the same in every re-execution.
use blake3::{Hasher, OutputReader};
use wasmtime_wasi::p2::bindings::random::{insecure, insecure_seed, random};

use super::View;
use crate::import::Stop;
use crate::limits::WASI_RANDOM_BYTES_MAX;
use crate::outcome::TrapCode;

/// The streams: what one is asked does not change another.
pub(super) struct Random {
    secure: OutputReader,
    insecure: OutputReader,
    seed: OutputReader,
}

impl Random {
    fn new(seed: &[u8; 32]) -> Self {
        let stream = |name: &str| Hasher::new_keyed(seed).update(name.as_bytes()).finalize_xof();
        Self { secure: stream("wasi:random/random"), insecure: stream("wasi:random/insecure"), seed: stream("wasi:random/insecure-seed") }
    }
}

fn number(stream: &mut OutputReader) -> u64 {
    let mut bytes = [0; 8];
    stream.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

impl View<'_> {
    fn random(&mut self, len: u64) -> wasmtime::Result<(&mut Random, Vec<u8>)> {
        let len = usize::try_from(len).ok().filter(|len| *len <= WASI_RANDOM_BYTES_MAX);
        let len = len.ok_or_else(|| Stop::trap(TrapCode::WasiLimit));
        // Budget and grant come first, as everywhere.
        self.enter(len.as_ref().copied().unwrap_or(0))?;
        let bytes = vec![0; len?];
        if super::state(self.0).random.is_none() {
            let seed = self.seed()?;
            super::state(self.0).random = Some(Random::new(&seed));
        }
        super::state(self.0).random.as_mut().map(|random| (random, bytes)).ok_or_else(Stop::host)
    }
}

impl random::Host for View<'_> {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        let (random, mut bytes) = self.random(len)?;
        random.secure.fill(&mut bytes);
        Ok(bytes)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(number(&mut self.random(0)?.0.secure))
    }
}

impl insecure::Host for View<'_> {
    fn get_insecure_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        let (random, mut bytes) = self.random(len)?;
        random.insecure.fill(&mut bytes);
        Ok(bytes)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(number(&mut self.random(0)?.0.insecure))
    }
}

impl insecure_seed::Host for View<'_> {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        let random = self.random(0)?.0;
        Ok((number(&mut random.seed), number(&mut random.seed)))
    }
}

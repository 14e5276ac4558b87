//! Streams and waiting. There is one input, which is at its end, and one output, which keeps what fits; nothing ever blocks.
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::sync::io::{poll, streams};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, StreamError, StreamResult};

use super::{View, Wasi};
use crate::import::Stop;
use crate::limits::WASI_WRITE_BYTES_MAX;
use crate::outcome::TrapCode;

/// The handle of the only input.
pub(super) const INPUT: u32 = 0;
/// The handle of the only output: both streams of a program are one log.
pub(super) const OUTPUT: u32 = 1;

type Input = Resource<DynInputStream>;
type Output = Resource<DynOutputStream>;

impl View<'_> {
    fn stream(&mut self, bytes: usize) -> StreamResult<&mut Wasi> {
        self.enter(bytes).map_err(StreamError::Trap)
    }

    fn put(&mut self, bytes: &[u8]) -> StreamResult<()> {
        let wasi = self.stream(bytes.len())?;
        if bytes.len() > WASI_WRITE_BYTES_MAX {
            return Err(StreamError::Trap(Stop::trap(TrapCode::WasiLimit)));
        }
        wasi.write(bytes);
        Ok(())
    }

    fn zeroes(&mut self, len: u64) -> StreamResult<()> {
        // One more than the bound is over it as well.
        let len = usize::try_from(len).unwrap_or(usize::MAX).min(WASI_WRITE_BYTES_MAX.saturating_add(1));
        self.put(&vec![0; len])
    }

    fn end(&mut self) -> StreamError {
        self.stream(0).err().unwrap_or(StreamError::Closed)
    }

    fn always(&mut self) -> wasmtime::Result<Resource<DynPollable>> {
        Ok(self.enter(0)?.clock.subscribe(0))
    }
}

impl streams::Host for View<'_> {
    fn convert_stream_error(&mut self, error: StreamError) -> wasmtime::Result<streams::StreamError> {
        match error {
            StreamError::Closed => Ok(streams::StreamError::Closed),
            StreamError::Trap(error) | StreamError::LastOperationFailed(error) => Err(error),
        }
    }
}

impl streams::HostInputStream for View<'_> {
    fn read(&mut self, _: Input, _: u64) -> StreamResult<Vec<u8>> {
        Err(self.end())
    }

    fn blocking_read(&mut self, _: Input, _: u64) -> StreamResult<Vec<u8>> {
        Err(self.end())
    }

    fn skip(&mut self, _: Input, _: u64) -> StreamResult<u64> {
        Err(self.end())
    }

    fn blocking_skip(&mut self, _: Input, _: u64) -> StreamResult<u64> {
        Err(self.end())
    }

    fn subscribe(&mut self, _: Input) -> wasmtime::Result<Resource<DynPollable>> {
        self.always()
    }

    fn drop(&mut self, _: Input) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl streams::HostOutputStream for View<'_> {
    fn check_write(&mut self, _: Output) -> StreamResult<u64> {
        self.stream(0)?;
        Ok(u64::try_from(WASI_WRITE_BYTES_MAX).unwrap_or(u64::MAX))
    }

    fn write(&mut self, _: Output, contents: Vec<u8>) -> StreamResult<()> {
        self.put(&contents)
    }

    fn blocking_write_and_flush(&mut self, _: Output, contents: Vec<u8>) -> StreamResult<()> {
        self.put(&contents)
    }

    fn flush(&mut self, _: Output) -> StreamResult<()> {
        self.stream(0).map(drop)
    }

    fn blocking_flush(&mut self, _: Output) -> StreamResult<()> {
        self.stream(0).map(drop)
    }

    fn subscribe(&mut self, _: Output) -> wasmtime::Result<Resource<DynPollable>> {
        self.always()
    }

    fn write_zeroes(&mut self, _: Output, len: u64) -> StreamResult<()> {
        self.zeroes(len)
    }

    fn blocking_write_zeroes_and_flush(&mut self, _: Output, len: u64) -> StreamResult<()> {
        self.zeroes(len)
    }

    fn splice(&mut self, _: Output, _: Input, _: u64) -> StreamResult<u64> {
        Err(self.end())
    }

    fn blocking_splice(&mut self, _: Output, _: Input, _: u64) -> StreamResult<u64> {
        Err(self.end())
    }

    fn drop(&mut self, _: Output) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl poll::Host for View<'_> {
    fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        let wasi = self.enter(pollables.len())?;
        if pollables.is_empty() {
            return Err(Stop::trap(TrapCode::WasiLimit));
        }
        let reps: Vec<u32> = pollables.iter().map(Resource::rep).collect();
        Ok(wasi.clock.wait(&reps))
    }
}

impl poll::HostPollable for View<'_> {
    fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        Ok(self.enter(0)?.clock.is_ready(pollable.rep()))
    }

    fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        self.enter(0)?.clock.wait(&[pollable.rep()]);
        Ok(())
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        super::state(self.0).clock.forget(pollable.rep());
        Ok(())
    }
}

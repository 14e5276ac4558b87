//! One call: a fresh store, a fresh instance, limits, and the outcome in its class.
//!
//! After a trap nothing of the store is read, neither memory nor fuel: what they hold then differs between engines.
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::Utf8Error;

use wasmtime::component::{ComponentExportIndex, ComponentType, InstancePre, Lower};
use wasmtime::{OutOfMemory, PoolConcurrencyLimitError, Store, Trap, WasmtimeBug};

use crate::answer::GuestOutcome;
use crate::import::{Effect, Stop};
use crate::limiter::{ApprovedGrowthFailed, Limiter};
use crate::limits::{CALL_FUEL, CALL_TIMEOUT_MS, INPUT_BYTES_MAX, INSTANTIATE_FUEL, Limits, OUTPUT_BYTES_MAX, STATUS_BYTES_MAX, TICK_MS};
use crate::outcome::{BoundCode, CallReport, InfraCode, Outcome, TrapCode, classify};
use crate::wasi::Wasi;

/// What a store holds besides the instance.
#[derive(Debug)]
pub(crate) struct CallState {
    limiter: Limiter,
    pub(crate) effect: Effect,
    /// Made by the first call of WASI.
    pub(crate) wasi: Option<Box<Wasi>>,
}

/// A compiled module, ready to be instantiated, and its `run`.
pub(crate) struct Callable {
    pub(crate) pre: InstancePre<CallState>,
    pub(crate) run: ComponentExportIndex,
    /// What one host call may hand over; 0 for a module without host calls.
    pub(crate) argument_bytes: usize,
    /// Whether code of the module runs before `run` is called.
    pub(crate) starts: bool,
}

impl Callable {
    /// Calls `run` with one record of texts that are `input_bytes` long together.
    pub(crate) fn call<P>(&self, limits: &Limits, input_bytes: usize, parameter: P, effect: Effect) -> CallReport
    where
        P: ComponentType + Lower,
    {
        let unanswered = |outcome| CallReport { outcome, fuel_used: None, host_calls: Vec::new(), log: Vec::new() };
        if input_bytes > INPUT_BYTES_MAX {
            return unanswered(Outcome::Trap(TrapCode::InputTooLarge));
        }
        let charge = CALL_FUEL.saturating_add(u64::try_from(input_bytes).unwrap_or(u64::MAX));
        let Some(fuel) = limits.fuel.checked_sub(charge) else {
            return unanswered(Outcome::Trap(TrapCode::OutOfFuel));
        };
        // A panic of the engine is its bug; the process goes on, and the store of this call is gone.
        let called = catch_unwind(AssertUnwindSafe(|| self.enter(limits, fuel, parameter, effect)));
        called.unwrap_or_else(|_| unanswered(Outcome::Infra(InfraCode::EngineFault)))
    }

    fn enter<P>(&self, limits: &Limits, fuel: u64, parameter: P, effect: Effect) -> CallReport
    where
        P: ComponentType + Lower,
    {
        let state = CallState { limiter: Limiter::new(limits.memory_bytes), effect, wasi: None };
        let mut store = Store::new(self.pre.engine(), state);
        let output_bytes = usize::try_from(limits.output_bytes.min(OUTPUT_BYTES_MAX)).unwrap_or(usize::MAX);
        let answered = self.answer(&mut store, limits, output_bytes, fuel, parameter);
        let (outcome, left) = match answered {
            Ok((answer, left)) => (check(answer, output_bytes), left),
            Err(outcome) => (outcome, 0),
        };
        // Of the one unit more that was filled in, nothing was used.
        let used = limits.fuel.saturating_sub(left.saturating_sub(1));
        let fuel_used = matches!(outcome, Outcome::Ok { .. }).then_some(used);
        let state = store.data_mut();
        let log = state.wasi.as_mut().map(|wasi| std::mem::take(&mut wasi.log)).unwrap_or_default();
        CallReport { outcome, fuel_used, host_calls: std::mem::take(&mut state.effect.calls), log }
    }

    fn answer<P>(
        &self,
        store: &mut Store<CallState>,
        limits: &Limits,
        output_bytes: usize,
        fuel: u64,
        parameter: P,
    ) -> Result<(GuestOutcome, u64), Outcome>
    where
        P: ComponentType + Lower,
    {
        store.limiter(|state| &mut state.limiter);
        store.set_epoch_deadline(limits.wall_ms.min(CALL_TIMEOUT_MS).div_ceil(TICK_MS).saturating_add(1));
        // The engine has one bound for all that a guest hands over at once, be it an answer or arguments.
        store.set_hostcall_fuel(output_bytes.saturating_add(STATUS_BYTES_MAX).max(self.argument_bytes));
        // What initialises itself may use as much for it as for the call; it is not counted, as no instantiation is.
        store.set_fuel(if self.starts { limits.fuel } else { INSTANTIATE_FUEL }).map_err(|e| failed(&e))?;
        let instance = match self.pre.instantiate(&mut *store) {
            Ok(instance) => instance,
            // Nothing has run yet: what the policy refused here is the module's initial memory.
            Err(_) if store.data().limiter.refused() => {
                return Err(Outcome::Trap(TrapCode::MemoryLimit));
            }
            Err(e) => return Err(failed(&e)),
        };
        let run = instance.get_typed_func::<(P,), (GuestOutcome,)>(&mut *store, &self.run).map_err(|e| failed(&e))?;
        // The engine looks at the fuel at loops and calls only, and does not say by how much the rest went below zero. So one unit
        // more than the limit is filled in, and a call that ends without it has used more than the limit.
        store.set_fuel(fuel.saturating_add(1)).map_err(|e| failed(&e))?;
        let (outcome,) = run.call(&mut *store, (parameter,)).map_err(|e| failed(&e))?;
        let left = store.get_fuel().map_err(|e| failed(&e))?;
        let left = left.saturating_sub(store.data().wasi.as_ref().map_or(0, |wasi| wasi.fuel));
        if left == 0 {
            return Err(Outcome::Trap(TrapCode::OutOfFuel));
        }
        Ok((outcome, left))
    }
}

/// The bounds on what was answered.
fn check(answer: GuestOutcome, output_bytes: usize) -> Outcome {
    let GuestOutcome { status, outputs } = answer;
    if status.is_empty() || status.len() > STATUS_BYTES_MAX {
        return Outcome::Trap(TrapCode::BadStatus);
    }
    if outputs.len() > output_bytes {
        return Outcome::Trap(TrapCode::OutputTooLarge);
    }
    Outcome::Ok { status, outputs }
}

/// Errors that the engine gives without a type. Compared as a whole or by their beginning; the corpus of the tests meets all but the last.
///
/// The engine's release is pinned. A message that a later one words otherwise becomes inconclusive, not another answer.
const UNTYPED: &[(&str, TrapCode)] = &[
    ("too much data is being copied between the host and the guest", TrapCode::OutputTooLarge),
    ("string pointer/length out of bounds of memory", TrapCode::AbiViolation),
    ("realloc return: ", TrapCode::AbiViolation),
    ("return pointer not aligned", TrapCode::AbiViolation),
    ("pointer out of bounds of memory", TrapCode::AbiViolation),
    ("invalid option discriminant", TrapCode::AbiViolation),
    ("unknown handle index ", TrapCode::AbiViolation),
    ("handle index ", TrapCode::AbiViolation),
    ("cannot remove owned resource while borrowed", TrapCode::AbiViolation),
];

/// How the engine begins to say that it keeps no more handles; it has no type for that either.
const NO_HANDLE: &str = "cannot allocate another handle";

/// The class of an error of the engine.
fn failed(error: &wasmtime::Error) -> Outcome {
    if let Some(Stop(classified)) = error.downcast_ref::<Stop>() {
        return (*classified).into();
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return classify(*trap).map_or(Outcome::Bound(BoundCode::Unclassified), Outcome::from);
    }
    if error.is::<ApprovedGrowthFailed>() || error.is::<OutOfMemory>() {
        return Outcome::Infra(InfraCode::OutOfMemory);
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return Outcome::Infra(InfraCode::PoolFull);
    }
    if error.is::<WasmtimeBug>() || error.is::<std::io::Error>() {
        return Outcome::Infra(InfraCode::EngineFault);
    }
    if error.is::<Utf8Error>() {
        return Outcome::Trap(TrapCode::OutputNotUtf8);
    }
    let text = error.root_cause().to_string();
    if text.starts_with(NO_HANDLE) {
        return Outcome::Bound(BoundCode::Handles);
    }
    let known = UNTYPED.iter().find(|(start, _)| text.starts_with(start));
    known.map_or(Outcome::Bound(BoundCode::Unclassified), |(_, code)| Outcome::Trap(*code))
}

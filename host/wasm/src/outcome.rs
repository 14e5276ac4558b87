//! What a call ends with, and into which of four classes each end falls.
//!
//! The classes decide what may be committed: only `Ok` and `Trap` are ever a module's answer. Error prose of the engine never
//! gets into a code; whatever this file does not know is inconclusive, never an accusation and never a reason to retry for ever.
use serde::Serialize;
use wasmtime::Trap;

use crate::transcript::HostCall;

/// What a call gave: its outcome, its fuel, and every host call in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallReport {
    /// How it ended.
    pub outcome: Outcome,
    /// Fuel used, with the charge for the inputs; `None` unless the call ended with [`Outcome::Ok`].
    pub fuel_used: Option<u64>,
    /// The transcript: every request of the guest with its answer, refused ones too.
    pub host_calls: Vec<HostCall>,
    /// What a guest with WASI wrote to its outputs, up to [`crate::limits::WASI_LOG_BYTES_MAX`]. Never part of a record: whoever executes the
    /// call again has it again.
    pub log: Vec<u8>,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Class A: a status and the text that the guest calls its outputs. See [`crate::parse_outputs`].
    Ok {
        /// 1 to [`crate::limits::STATUS_BYTES_MAX`] bytes.
        status: String,
        /// At most `Limits::output_bytes` bytes of UTF-8; not yet known to be JSON.
        outputs: String,
    },
    /// Class B: the guest failed, and fails the same way everywhere.
    Trap(TrapCode),
    /// Class C: a bound of this engine was met, another may have a wider one. Inconclusive; never committed.
    Bound(BoundCode),
    /// Class D: this machine failed. Worth another attempt.
    Infra(InfraCode),
}

/// The four classes of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum OutcomeClass {
    /// The module answered.
    A,
    /// The module failed deterministically.
    B,
    /// A bound of the engine: inconclusive.
    C,
    /// Infrastructure: retry.
    D,
}

impl Outcome {
    /// The class that decides what may be done with this outcome.
    pub fn class(&self) -> OutcomeClass {
        match self {
            Self::Ok { .. } => OutcomeClass::A,
            Self::Trap(_) => OutcomeClass::B,
            Self::Bound(_) => OutcomeClass::C,
            Self::Infra(_) => OutcomeClass::D,
        }
    }

    /// Stable snake case code; `ok` for class A.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Ok { .. } => "ok",
            Self::Trap(code) => code.code(),
            Self::Bound(code) => code.code(),
            Self::Infra(code) => code.code(),
        }
    }
}

/// Declares a code enum: variants, their documentation and their stable text in one place.
macro_rules! codes {
    ($(#[$outer:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// Every code, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Stable snake case code.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.code())
            }
        }
    };
}

codes! {
    /// Class B: deterministic failures of the guest.
    TrapCode {
        /// The `unreachable` instruction: a panic or an abort of the guest.
        Unreachable = "unreachable",
        /// An access outside the linear memory.
        MemoryOutOfBounds = "memory_out_of_bounds",
        /// An access outside a table.
        TableOutOfBounds = "table_out_of_bounds",
        /// An indirect call through an empty table element.
        IndirectCallToNull = "indirect_call_to_null",
        /// An indirect call to a function of another type.
        BadSignature = "bad_signature",
        /// The result of an integer division does not fit.
        IntegerOverflow = "integer_overflow",
        /// An integer division by zero.
        IntegerDivisionByZero = "integer_division_by_zero",
        /// A float that has no integer value.
        BadConversionToInteger = "bad_conversion_to_integer",
        /// The fuel limit of the call.
        OutOfFuel = "out_of_fuel",
        /// The initial memories of the module exceed the memory limit of the call.
        MemoryLimit = "memory_limit",
        /// The inputs are over [`crate::limits::INPUT_BYTES_MAX`].
        InputTooLarge = "input_too_large",
        /// A call that the reentrance rules of the component model forbid.
        CannotEnterComponent = "cannot_enter_component",
        /// A call out of a place where none is allowed, such as a post-return function.
        CannotLeaveComponent = "cannot_leave_component",
        /// A pointer, length, alignment or discriminant that breaks the canonical ABI.
        AbiViolation = "abi_violation",
        /// The answer is over `Limits::output_bytes`, or the arguments of one host call are over
        /// [`crate::limits::HOST_ARGUMENT_BYTES_MAX`].
        OutputTooLarge = "output_too_large",
        /// The answer, or an argument of a host call, is not UTF-8.
        OutputNotUtf8 = "output_not_utf8",
        /// The status is empty or longer than [`crate::limits::STATUS_BYTES_MAX`].
        BadStatus = "bad_status",
        /// The outputs are not one JSON object without duplicate keys. Given by [`crate::parse_outputs`].
        OutputsNotJson = "outputs_not_json",
        /// The module asked something of WASI, which its binding does not grant.
        WasiDenied = "wasi_denied",
        /// More random bytes at once than [`crate::limits::WASI_RANDOM_BYTES_MAX`], a write over
        /// [`crate::limits::WASI_WRITE_BYTES_MAX`], or a wait for nothing.
        WasiLimit = "wasi_limit",
        /// The module ended itself and said that all was well, but gave no answer.
        ExitSuccess = "exit_success",
        /// The module ended itself and said that it had failed.
        ExitFailure = "exit_failure",
    }
}

codes! {
    /// Class C: bounds of this engine. Inconclusive.
    BoundCode {
        /// The call stack; its depth depends on the compiler and the CPU.
        StackOverflow = "stack_overflow",
        /// An allocation that this engine refuses because of its size.
        AllocationTooLarge = "allocation_too_large",
        /// More host calls than `Limits::host_calls`.
        HostCalls = "host_calls",
        /// Requests and answers of one call together are over [`crate::limits::TRANSCRIPT_BYTES_MAX`].
        TranscriptBytes = "transcript_bytes",
        /// More handles of resources alive at once than this engine keeps.
        Handles = "handles",
        /// A trap of a proposal that is switched off: it cannot come from an admitted module.
        DisabledFeature = "disabled_feature",
        /// The call was for the other kind of module.
        WrongKind = "wrong_kind",
        /// An error of the engine that this crate does not know.
        Unclassified = "unclassified",
    }
}

codes! {
    /// Class D: infrastructure. Worth another attempt.
    InfraCode {
        /// The wall-clock watchdog fired.
        Timeout = "timeout",
        /// The operating system refused memory that the policy had approved.
        OutOfMemory = "out_of_memory",
        /// No free slot in the instance pool.
        PoolFull = "pool_full",
        /// The host answered a request with the wrong shape, or panicked.
        HostFault = "host_fault",
        /// The engine reported a bug of its own.
        EngineFault = "engine_fault",
    }
}

/// One engine trap in its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Classified {
    Trap(TrapCode),
    Bound(BoundCode),
    Infra(InfraCode),
}

impl From<Classified> for Outcome {
    fn from(classified: Classified) -> Self {
        match classified {
            Classified::Trap(code) => Self::Trap(code),
            Classified::Bound(code) => Self::Bound(code),
            Classified::Infra(code) => Self::Infra(code),
        }
    }
}

/// The class of an engine trap; `None` when this table does not know it.
///
/// `Trap` is non-exhaustive, so the compiler cannot say that a row is missing: a test walks all trap bytes and does.
pub(crate) fn classify(trap: Trap) -> Option<Classified> {
    const TABLE: &[(Trap, Classified)] = &[
        (Trap::StackOverflow, Classified::Bound(BoundCode::StackOverflow)),
        (Trap::MemoryOutOfBounds, Classified::Trap(TrapCode::MemoryOutOfBounds)),
        (Trap::HeapMisaligned, DISABLED),
        (Trap::TableOutOfBounds, Classified::Trap(TrapCode::TableOutOfBounds)),
        (Trap::IndirectCallToNull, Classified::Trap(TrapCode::IndirectCallToNull)),
        (Trap::BadSignature, Classified::Trap(TrapCode::BadSignature)),
        (Trap::IntegerOverflow, Classified::Trap(TrapCode::IntegerOverflow)),
        (Trap::IntegerDivisionByZero, Classified::Trap(TrapCode::IntegerDivisionByZero)),
        (Trap::BadConversionToInteger, Classified::Trap(TrapCode::BadConversionToInteger)),
        (Trap::UnreachableCodeReached, Classified::Trap(TrapCode::Unreachable)),
        (Trap::Interrupt, Classified::Infra(InfraCode::Timeout)),
        (Trap::OutOfFuel, Classified::Trap(TrapCode::OutOfFuel)),
        (Trap::AtomicWaitNonSharedMemory, DISABLED),
        (Trap::NullReference, DISABLED),
        (Trap::ArrayOutOfBounds, DISABLED),
        (Trap::AllocationTooLarge, Classified::Bound(BoundCode::AllocationTooLarge)),
        (Trap::CastFailure, DISABLED),
        (Trap::CannotEnterComponent, Classified::Trap(TrapCode::CannotEnterComponent)),
        (Trap::NoAsyncResult, DISABLED),
        (Trap::UnhandledTag, DISABLED),
        (Trap::ContinuationAlreadyConsumed, DISABLED),
        (Trap::DisabledOpcode, DISABLED),
        (Trap::AsyncDeadlock, DISABLED),
        (Trap::CannotLeaveComponent, Classified::Trap(TrapCode::CannotLeaveComponent)),
        (Trap::CannotBlockSyncTask, DISABLED),
        (Trap::InvalidChar, ABI),
        (Trap::DebugAssertStringEncodingFinished, ENGINE),
        (Trap::DebugAssertEqualCodeUnits, ENGINE),
        (Trap::DebugAssertPointerAligned, ENGINE),
        (Trap::DebugAssertUpperBitsUnset, ENGINE),
        (Trap::StringOutOfBounds, ABI),
        (Trap::ListOutOfBounds, ABI),
        (Trap::InvalidDiscriminant, ABI),
        (Trap::UnalignedPointer, ABI),
        (Trap::TaskCancelNotCancelled, DISABLED),
        (Trap::TaskCancelOrReturnTwice, DISABLED),
        (Trap::SubtaskCancelAfterTerminal, DISABLED),
        (Trap::TaskReturnInvalid, DISABLED),
        (Trap::WaitableSetDropHasWaiters, DISABLED),
        (Trap::SubtaskDropNotResolved, DISABLED),
        (Trap::ThreadNewIndirectInvalidType, DISABLED),
        (Trap::ThreadNewIndirectUninitialized, DISABLED),
        (Trap::BackpressureOverflow, DISABLED),
        (Trap::UnsupportedCallbackCode, DISABLED),
        (Trap::CannotResumeThread, DISABLED),
        (Trap::ConcurrentFutureStreamOp, DISABLED),
        (Trap::ReferenceCountOverflow, DISABLED),
        (Trap::StreamOpTooBig, DISABLED),
        (Trap::WaitableSyncAndAsync, DISABLED),
        (Trap::UncaughtException, DISABLED),
    ];
    TABLE.iter().find(|(known, _)| *known == trap).map(|(_, classified)| *classified)
}

const ABI: Classified = Classified::Trap(TrapCode::AbiViolation);
const ENGINE: Classified = Classified::Infra(InfraCode::EngineFault);
const DISABLED: Classified = Classified::Bound(BoundCode::DisabledFeature);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_21_every_trap_code_of_the_engine_is_classified() {
        let traps: Vec<Trap> = (0..=u8::MAX).filter_map(Trap::from_u8).collect();
        assert!(traps.len() >= 50, "the enumeration is broken: {} traps", traps.len());
        let unknown: Vec<_> = traps.iter().filter(|trap| classify(**trap).is_none()).collect();
        assert!(unknown.is_empty(), "unclassified: {unknown:?}");
    }

    #[test]
    fn codes_are_unique_snake_case_over_all_classes() {
        let mut codes: Vec<&str> = TrapCode::ALL.iter().map(|c| c.code()).collect();
        codes.extend(BoundCode::ALL.iter().map(|c| c.code()));
        codes.extend(InfraCode::ALL.iter().map(|c| c.code()));
        codes.push("ok");
        let total = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), total);
        assert!(codes.iter().all(|c| { c.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') }));
    }

    #[test]
    fn what_depends_on_the_machine_is_never_class_b() {
        for trap in [Trap::Interrupt, Trap::StackOverflow, Trap::AllocationTooLarge] {
            assert!(!matches!(classify(trap), Some(Classified::Trap(_))), "{trap:?}");
        }
    }
}

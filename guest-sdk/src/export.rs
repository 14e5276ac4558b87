//! The two macros that give handlers their protocol codes and export them from a module.
//!
//! The exported symbols exist on `wasm32` only; `dispatch` and `CODES` exist everywhere, so tests go the way the host goes.

/// Exports pure transforms: `transform! { "CT_…_V0" => handler, … }`, once per crate.
///
/// A handler is `fn(Inputs) -> Result<Outputs, Violation>` with `Inputs: serde::Deserialize` and `Outputs: serde::Serialize`.
/// The macro also defines `pub const CODES` and `pub fn dispatch(capability, inputs) -> Answer`.
#[macro_export]
macro_rules! transform {
    ($($code:literal => $handler:path),+ $(,)?) => {
        /// Every protocol code that this module serves.
        pub const CODES: &[&str] = &[$($code),+];

        /// Answers one call.
        #[must_use]
        pub fn dispatch(capability: &str, inputs: &str) -> $crate::Answer {
            match capability {
                $($code => $crate::transform($handler, inputs),)+
                _ => $crate::Answer::unknown(),
            }
        }

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "the symbol that the component model expects, with the signature that the WIT fixes")]
        const _: () = {
            #[unsafe(export_name = "enact:capability/transform@0.1.0#run")]
            unsafe extern "C" fn run(code: *const u8, code_len: usize, inputs: *const u8, inputs_len: usize) -> *const $crate::abi::Reply {
                // SAFETY: the host wrote these strings into memory that it took from `cabi_realloc`.
                let (capability, inputs) = unsafe { ($crate::abi::text(code, code_len), $crate::abi::text(inputs, inputs_len)) };
                $crate::abi::reply(dispatch(capability, inputs))
            }
        };
    };
}

/// Exports pure transforms that choose their status themselves: `answers! { "CT_…_V0" => handler, … }`, in the place of [`transform!`].
///
/// A handler is `fn(Inputs) -> Answer` with `Inputs: serde::Deserialize`.
/// The macro also defines `pub const CODES` and `pub fn dispatch(capability, inputs) -> Answer`.
#[macro_export]
macro_rules! answers {
    ($($code:literal => $handler:path),+ $(,)?) => {
        /// Every protocol code that this module serves.
        pub const CODES: &[&str] = &[$($code),+];

        /// Answers one call.
        #[must_use]
        pub fn dispatch(capability: &str, inputs: &str) -> $crate::Answer {
            match capability {
                $($code => $crate::answer($handler, inputs),)+
                _ => $crate::Answer::unknown(),
            }
        }

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "the symbol that the component model expects, with the signature that the WIT fixes")]
        const _: () = {
            #[unsafe(export_name = "enact:capability/transform@0.1.0#run")]
            unsafe extern "C" fn run(code: *const u8, code_len: usize, inputs: *const u8, inputs_len: usize) -> *const $crate::abi::Reply {
                // SAFETY: the host wrote these strings into memory that it took from `cabi_realloc`.
                let (capability, inputs) = unsafe { ($crate::abi::text(code, code_len), $crate::abi::text(inputs, inputs_len)) };
                $crate::abi::reply(dispatch(capability, inputs))
            }
        };
    };
}

/// Exports side effects: `side_effect! { "CS_…_V0" { "OPERATION" => handler, … } … }`, once per crate.
///
/// A handler is `fn(&mut Context<'_>, Inputs) -> Result<Outcome<Outputs>, Fault>`.
/// The macro also defines `pub const CODES` and `pub fn dispatch(&mut Context, &Call) -> Answer`.
#[macro_export]
macro_rules! side_effect {
    ($($code:literal { $($operation:literal => $handler:path),+ $(,)? })+) => {
        /// Every protocol code that this module serves.
        pub const CODES: &[&str] = &[$($code),+];

        /// Answers one call.
        #[must_use]
        pub fn dispatch(context: &mut $crate::Context<'_>, call: &$crate::Call<'_>) -> $crate::Answer {
            match (call.capability, call.operation) {
                $($(($code, $operation) => $crate::effect($handler, context, call),)+)+
                _ => $crate::Answer::unknown(),
            }
        }

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "the symbol that the component model expects, with the signature that the WIT fixes")]
        const _: () = {
            #[unsafe(export_name = "enact:capability/side-effect@0.1.0#run")]
            #[allow(clippy::too_many_arguments, reason = "five strings are ten numbers in the canonical ABI")]
            unsafe extern "C" fn run(
                code: *const u8,
                code_len: usize,
                operation: *const u8,
                operation_len: usize,
                inputs: *const u8,
                inputs_len: usize,
                store: *const u8,
                store_len: usize,
                key: *const u8,
                key_len: usize,
            ) -> *const $crate::abi::Reply {
                // SAFETY: the host wrote these strings into memory that it took from `cabi_realloc`.
                let call = unsafe {
                    $crate::Call {
                        capability: $crate::abi::text(code, code_len),
                        operation: $crate::abi::text(operation, operation_len),
                        inputs: $crate::abi::text(inputs, inputs_len),
                        store: $crate::abi::text(store, store_len),
                        idempotency_key: $crate::abi::text(key, key_len),
                    }
                };
                $crate::abi::reply($crate::abi::with_context(&call, dispatch))
            }
        };
    };
}

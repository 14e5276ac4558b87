//! Under which rules calls are made: what an auditor compares before comparing fuel or traps.
//!
//! Two fingerprints with one digest give the same class A and B outcomes and the same fuel. Backend, operating system and CPU are
//! stated as information and are not part of the digest: outcomes must not depend on them.
use serde::Serialize;
use serde_json::json;

use crate::config::{Backend, FEATURES, NAN_CANONICAL, operator_cost};
use crate::limits;

/// The engine release that this crate is written for; the manifest pins it.
pub(crate) const WASMTIME_VERSION: &str = "48.0.8";
/// The encoding of inputs and transcripts that guests and auditors see.
const CANONICAL_ENCODING: &str = "rfc8785/1";
/// The contract with the guest, byte for byte.
const WIT: &str = include_str!("../../../protocol/wit/capability.wit");

/// Everything that decides outcomes and fuel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fingerprint {
    /// Release of the engine.
    pub wasmtime: String,
    /// Enabled WebAssembly features, lower case, sorted.
    pub features: Vec<String>,
    /// NaNs have one bit pattern.
    pub nan_canonical: bool,
    /// Vector instructions exist.
    pub simd: bool,
    /// Data segments are mapped, not executed, at instantiation: executed ones are charged.
    pub memory_init_cow: bool,
    /// Hash of the operator costs and of what this crate charges.
    pub fuel_schedule: String,
    /// Hash of every bound that can turn an outcome into another.
    pub limits: String,
    /// Hash of the WIT world.
    pub wit: String,
    /// Canonical encoding of what crosses the boundary.
    pub canonical_encoding: String,
    /// Not part of the digest.
    pub info: FingerprintInfo,
}

/// Where calls are made. Information only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FingerprintInfo {
    /// `native` or `pulley`.
    pub backend: String,
    /// Operating system.
    pub os: String,
    /// CPU architecture.
    pub arch: String,
}

impl Fingerprint {
    /// `blake3:` and the hash of the members without `info`, as JSON in declaration order.
    pub fn digest(&self) -> String {
        let members = json!([
            self.wasmtime,
            self.features,
            self.nan_canonical,
            self.simd,
            self.memory_init_cow,
            self.fuel_schedule,
            self.limits,
            self.wit,
            self.canonical_encoding,
        ]);
        hash(&members)
    }

    /// The fingerprint of this build with `backend`.
    pub(crate) fn of(backend: Backend) -> Self {
        let mut features: Vec<String> = FEATURES.iter_names().map(|(name, _)| name.to_ascii_lowercase()).collect();
        features.sort_unstable();
        Self {
            wasmtime: WASMTIME_VERSION.to_owned(),
            features,
            nan_canonical: NAN_CANONICAL,
            simd: FEATURES.simd(),
            memory_init_cow: true,
            fuel_schedule: fuel_schedule(),
            limits: bounds(),
            wit: format!("blake3:{}", blake3::hash(WIT.as_bytes()).to_hex()),
            canonical_encoding: CANONICAL_ENCODING.to_owned(),
            info: FingerprintInfo {
                backend: backend.name().to_owned(),
                os: std::env::consts::OS.to_owned(),
                arch: std::env::consts::ARCH.to_owned(),
            },
        }
    }
}

fn hash(value: &serde_json::Value) -> String {
    format!("blake3:{}", blake3::hash(value.to_string().as_bytes()).to_hex())
}

/// Hash of the whole cost table with the charges of this crate. Also a part of the key of compiled modules.
pub(crate) fn fuel_schedule() -> String {
    // The table has only integer members, which always have a JSON value.
    let table = serde_json::to_value(operator_cost()).unwrap_or_default();
    hash(&json!([table, limits::CALL_FUEL, limits::HOST_CALL_FUEL]))
}

fn bounds() -> String {
    hash(&json!([
        limits::MEMORY_BYTES_MAX,
        limits::TABLE_ELEMENTS_MAX,
        limits::TABLE_ELEMENT_BYTES,
        limits::STATUS_BYTES_MAX,
        limits::INPUT_BYTES_MAX,
        limits::OUTPUT_BYTES_MAX,
        limits::STORE_BYTES_MAX,
        limits::KEY_BYTES_MAX,
        limits::VALUE_BYTES_MAX,
        limits::LIST_MAX,
        limits::RANDOM_BYTES_MAX,
        limits::OUTPUT_DEPTH_MAX,
        limits::BODY_BYTES_MAX,
        limits::HEADER_BYTES_MAX,
        limits::HEADERS_MAX,
        limits::URL_BYTES_MAX,
        limits::METHOD_BYTES_MAX,
        limits::PATH_BYTES_MAX,
        limits::WASI_RANDOM_BYTES_MAX,
        limits::WASI_WRITE_BYTES_MAX,
        limits::WORKFLOW_BYTES_MAX,
        limits::REQUEST_BYTES_MAX,
        limits::RECIPIENTS_MAX,
        limits::ADDRESS_BYTES_MAX,
        limits::SUBJECT_BYTES_MAX,
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_ignores_where_and_sees_every_rule() {
        let native = Fingerprint::of(Backend::Native);
        assert_eq!(native.digest(), Fingerprint::of(Backend::Pulley).digest());
        let mut other = native.clone();
        other.nan_canonical = false;
        assert_ne!(native.digest(), other.digest());
        let mut other = native.clone();
        other.fuel_schedule.push('0');
        assert_ne!(native.digest(), other.digest());
    }

    #[test]
    fn the_cost_table_is_hashed_whole() {
        let table = serde_json::to_value(operator_cost()).unwrap_or_default();
        assert!(table.as_object().is_some_and(|t| t.len() > 400), "the table did not serialise");
        assert_eq!(table["variable"]["memory_grow_per_page"], 255);
    }

    #[test]
    fn the_stated_release_is_the_locked_one() {
        let lock = include_str!("../../../Cargo.lock");
        let entry = format!("name = \"wasmtime\"\nversion = \"{WASMTIME_VERSION}\"");
        assert!(lock.contains(&entry), "{WASMTIME_VERSION} is not in Cargo.lock");
    }
}

//! Canonical text of values that cross the sandbox boundary; a thin edge over the core's canonical bytes.
use serde_json::Value;

use crate::error::{EngineError, Result};

/// RFC 8785 text of a value.
pub fn text(value: &Value) -> Result<String> {
    let bytes = enact_core::canonical::to_bytes(value).map_err(|e| EngineError::PayloadValue { detail: e.to_string() })?;
    String::from_utf8(bytes).map_err(|e| EngineError::Internal { detail: e.to_string() })
}

/// RFC 8785 bytes of an object.
pub fn object(map: &enact_flow::Map) -> Result<Vec<u8>> {
    enact_core::canonical::to_bytes(map).map_err(|e| EngineError::PayloadValue { detail: e.to_string() })
}

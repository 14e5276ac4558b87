//! What the judge asks of the world: invariants, answered by calling pure components.
use std::collections::BTreeMap;

use enact_core::govern::{Holds, Outside, Undecided};
use enact_wasm::{Limits, Outcome};
use serde_json::Value;

use crate::engine::Engine;

/// Status with which an invariant says that it holds.
const HOLDS: &str = "SUCCESS";

/// Components by the name under which the snapshot in force sealed them.
pub(crate) struct Components<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) modules: &'a BTreeMap<String, String>,
}

impl Outside for Components<'_> {
    fn invariant(&self, module: &str, capability: &str, input: &Value) -> Result<Holds, Undecided> {
        let undecided = |detail: String| Undecided { capability: capability.to_owned(), detail };
        let digest = self.modules.get(module).ok_or_else(|| undecided(format!("module `{module}` is not in the snapshot")))?;
        let module = self.engine.module(digest, module).map_err(|e| undecided(e.to_string()))?;
        let input = crate::canonical::text(input).map_err(|e| undecided(e.to_string()))?;
        match module.transform(&Limits::default(), capability, &input).outcome {
            Outcome::Ok { status, .. } if status == HOLDS => Ok(Holds::Yes),
            Outcome::Ok { status, .. } => Ok(Holds::Violated { status }),
            Outcome::Trap(code) => Ok(Holds::Trapped { code: code.code().to_owned() }),
            Outcome::Bound(code) => Err(undecided(code.code().to_owned())),
            Outcome::Infra(code) => Err(undecided(code.code().to_owned())),
        }
    }
}

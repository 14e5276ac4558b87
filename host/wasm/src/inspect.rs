//! What a file is, without compiling or running it.
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::Refusal;
use crate::limits::{ADMISSION_STACK_BYTES, Profile};
use crate::module::Kind;
use crate::scan::{Facts, scan};

/// What [`inspect()`] found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// `transform`, `side-effect` or `unknown`.
    pub kind: &'static str,
    /// A transform without any import.
    pub pure: bool,
    /// It imports WASI: granted as `wasi`, without anything of the machine behind it.
    pub wasi: bool,
    /// Names of what the component imports, in file order.
    pub imports: Vec<String>,
    /// What a binding must grant for them, sorted, in the short form of a grant.
    #[serde(skip)]
    pub grants: Vec<String>,
    /// Names of what it exports, in file order.
    pub exports: Vec<String>,
    /// Bytes of the file.
    pub size: usize,
    /// BLAKE3 of the file, lower case hexadecimal.
    pub blake3: String,
    /// SHA-256 of the file, lower case hexadecimal.
    pub sha256: String,
    /// The narrowest profile that admits it; the widest one when none does.
    pub profile: Profile,
    /// Why `profile` does not admit it: empty when it does. In the order of the rules.
    pub refusals: Vec<Refusal>,
}

/// Reads any bytes at all. What is wrong with them is in the refusals.
pub fn inspect(bytes: &[u8]) -> Inspection {
    let (profile, facts) = narrowest(bytes);
    Inspection {
        kind: facts.kind.map_or("unknown", Kind::name),
        pure: facts.kind == Some(Kind::Transform) && facts.imports.is_empty(),
        wasi: !facts.wasi().is_empty(),
        grants: facts.grants(),
        size: bytes.len(),
        blake3: blake3::hash(bytes).to_hex().to_string(),
        sha256: hex::encode(Sha256::digest(bytes)),
        imports: facts.imports,
        exports: facts.exports,
        profile,
        refusals: facts.refusals,
    }
}

/// On the same stack as admission, because the validator recurses too.
fn narrowest(bytes: &[u8]) -> (Profile, Facts) {
    let both = || {
        let strict = scan(bytes, Profile::Strict);
        if strict.refusals.is_empty() { (Profile::Strict, strict) } else { (Profile::Standard, scan(bytes, Profile::Standard)) }
    };
    let on_thread = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(ADMISSION_STACK_BYTES).spawn_scoped(scope, both);
        thread.ok().and_then(|thread| thread.join().ok())
    });
    on_thread.unwrap_or_else(|| {
        let detail = "the file could not be inspected: no thread, or the validator panicked".to_owned();
        let refusals = vec![Refusal { code: "infrastructure", detail, at: None }];
        (Profile::Standard, Facts { refusals, ..Facts::default() })
    })
}

//! Modules as artifacts of an OCI registry, in the layout of the WebAssembly ecosystem.
//!
//! One manifest with the config `application/vnd.wasm.config.v0+json` and exactly one layer `application/wasm`, so that any other tool can
//! pull the component as well. What else belongs to a module, its manifest, vectors and signature, is in annotations: other tools allow no second layer.
//!
//! What comes from a registry is a stranger's: every size is bounded before a byte of it is asked for and while it comes in, every digest is
//! compared, and nothing is admitted here.
mod artifact;
mod client;
mod credentials;
mod error;
mod line;
mod place;

pub use artifact::{MANIFEST_BYTES_MAX, PARTS_BYTES_MAX, Parcel};
pub use client::{Pulled, Pushed, Registry};
pub use credentials::Credentials;
pub use error::{Error, Gravity, Result};
pub use place::Place;

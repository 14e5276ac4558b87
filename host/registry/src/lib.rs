//! Modules as artifacts of an OCI registry, in the layout of the WebAssembly ecosystem.

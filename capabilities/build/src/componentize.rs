//! From a core module to a component of one world. The encoder checks every import and export against the WIT and validates the result.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{PackageId, Resolve};

use crate::module::Module;

/// The parsed WIT package.
pub(crate) struct Wit {
    resolve: Resolve,
    package: PackageId,
}

impl Wit {
    /// Reads the package from one file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let mut resolve = Resolve::default();
        // The name is for messages only; it must not carry a folder into the bytes.
        let package = resolve.push_str("capability.wit", &text)?;
        Ok(Self { resolve, package })
    }

    /// The component of `module`'s world around its core module.
    pub(crate) fn component(&self, module: &Module, core: &[u8]) -> Result<Vec<u8>> {
        let world = self.resolve.select_world(&[self.package], Some(module.world.wit()))?;
        let mut core = core.to_vec();
        embed_component_metadata(&mut core, &self.resolve, world, StringEncoding::UTF8)?;
        let bytes = ComponentEncoder::default()
            .module(&core)
            .and_then(|encoder| encoder.validate(true).encode())
            .with_context(|| format!("`{}` does not fit the world `{}`", module.name, module.world.wit()))?;
        let most = module.size_max();
        ensure!(bytes.len() <= most, "`{}` has {} bytes, the most is {most}", module.name, bytes.len());
        Ok(bytes)
    }
}

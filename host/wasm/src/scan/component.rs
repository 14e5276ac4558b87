//! The component's own sections: instances, aliases, canonical functions, imports and exports.
use wasmparser::{
    CanonicalFunction, CanonicalOption, ComponentExternalKind, ComponentInstance, ComponentType, ComponentTypeDeclaration, Instance,
    InstanceTypeDeclaration, Payload, Result, SectionLimited,
};

use super::{Rule, Walk};
use crate::limits::Profile;

impl Walk {
    /// Takes a component section; gives back what is not one.
    pub(super) fn component_payload<'a>(&mut self, payload: Payload<'a>) -> Result<Option<Payload<'a>>> {
        match payload {
            Payload::InstanceSection(section) => self.core_instances(section)?,
            Payload::ComponentInstanceSection(section) => self.component_instances(section)?,
            Payload::ComponentAliasSection(section) => {
                let at = section.original_position();
                self.externs(at, count(section.count()));
                for alias in section {
                    if let wasmparser::ComponentAlias::InstanceExport { name, .. }
                    | wasmparser::ComponentAlias::CoreInstanceExport { name, .. } = alias?
                    {
                        self.name(at, name);
                    }
                }
            }
            Payload::CoreTypeSection(section) => {
                let at = section.original_position();
                self.counts.types = self.counts.types.saturating_add(count(section.count()));
                self.bound(Rule::Types, at, "core types", self.counts.types, self.bounds.types);
            }
            Payload::ComponentCanonicalSection(section) => {
                for function in section.into_iter_with_offsets() {
                    let (at, function) = function?;
                    self.canonical(at, &function);
                }
            }
            Payload::ComponentStartSection { range, .. } => {
                self.refuse(Rule::Start, Some(range.start), "the component has a start function".to_owned());
            }
            Payload::ComponentImportSection(section) => {
                for import in section.into_iter_with_offsets() {
                    let (at, import) = import?;
                    self.externs(at, 1);
                    self.name(at, import.name.name);
                    if self.level == 0 {
                        self.facts.imports.push(import.name.name.to_owned());
                    }
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section.into_iter_with_offsets() {
                    let (at, export) = export?;
                    self.externs(at, 1);
                    self.name(at, export.name.name);
                    if self.level == 0 {
                        self.facts.exports.push(export.name.name.to_owned());
                        if export.kind != ComponentExternalKind::Instance {
                            let detail = format!("export `{}` is a {}, not an instance", export.name.name, export.kind.desc());
                            self.refuse(Rule::Export, Some(at), detail);
                        }
                    }
                }
            }
            other => return Ok(Some(other)),
        }
        Ok(None)
    }

    /// Counts types and what they declare, at every depth; the depth itself is already bounded.
    pub(super) fn component_types(&mut self, section: SectionLimited<'_, ComponentType<'_>>) -> Result<()> {
        for ty in section.into_iter_with_offsets() {
            let (at, ty) = ty?;
            self.counts.component_types = self.counts.component_types.saturating_add(weight(&ty));
            self.bound(Rule::ComponentTypes, at, "component types", self.counts.component_types, self.bounds.component_types);
        }
        Ok(())
    }

    fn core_instances(&mut self, section: SectionLimited<'_, Instance<'_>>) -> Result<()> {
        for instance in section.into_iter_with_offsets() {
            let (at, instance) = instance?;
            match instance {
                Instance::Instantiate { args, .. } => {
                    self.counts.instances = self.counts.instances.saturating_add(1);
                    self.bound(Rule::Instances, at, "core instances", self.counts.instances, self.bounds.instances);
                    self.externs(at, args.len());
                }
                Instance::FromExports(exports) => self.externs(at, exports.len()),
            }
        }
        Ok(())
    }

    /// Every component definition multiplies what it instantiates; the product over all bounds every path through them.
    fn component_instances(&mut self, section: SectionLimited<'_, ComponentInstance<'_>>) -> Result<()> {
        let at = section.original_position();
        let mut instantiated: u64 = 0;
        for instance in section {
            match instance? {
                ComponentInstance::Instantiate { args, .. } => {
                    instantiated = instantiated.saturating_add(1);
                    self.externs(at, args.len());
                }
                ComponentInstance::FromExports(exports) => self.externs(at, exports.len()),
            }
        }
        // A definition may spread its instances over several sections: one more than the count keeps the product above their sum.
        let factor = if instantiated == 0 { 1 } else { instantiated.saturating_add(1) };
        self.counts.expansion = self.counts.expansion.saturating_mul(factor);
        self.bound(Rule::Expansion, at, "nested component instances", self.counts.expansion, self.bounds.expansion);
        Ok(())
    }

    fn canonical(&mut self, at: usize, function: &CanonicalFunction) {
        match function {
            CanonicalFunction::Lift { options, .. } | CanonicalFunction::Lower { options, .. } => {
                for option in options {
                    self.option(at, option);
                }
            }
            CanonicalFunction::ResourceNew { .. } | CanonicalFunction::ResourceDrop { .. } | CanonicalFunction::ResourceRep { .. }
                if self.profile == Profile::Standard => {}
            other => {
                let text = format!("{other:?}");
                let name = text.split([' ', '{']).next().unwrap_or_default();
                self.refuse(Rule::Builtin, Some(at), format!("canonical builtin `{name}` is not allowed"));
            }
        }
    }

    fn option(&mut self, at: usize, option: &CanonicalOption) {
        match option {
            CanonicalOption::UTF8 | CanonicalOption::Memory(_) | CanonicalOption::Realloc(_) | CanonicalOption::PostReturn(_) => {}
            CanonicalOption::UTF16 => self.refuse(Rule::Encoding, Some(at), "strings are UTF-16, only UTF-8 is allowed".to_owned()),
            CanonicalOption::CompactUTF16 => {
                self.refuse(Rule::Encoding, Some(at), "strings are Latin-1 or UTF-16, only UTF-8 is allowed".to_owned());
            }
            CanonicalOption::Async | CanonicalOption::Callback(_) | CanonicalOption::CoreType(_) | CanonicalOption::Gc => {
                self.refuse(Rule::CanonicalOption, Some(at), format!("canonical option `{option:?}` is not allowed"));
            }
        }
    }
}

/// A type with everything declared inside it. Recursion: the depth is bounded before.
fn weight(ty: &ComponentType<'_>) -> usize {
    let inner: usize = match ty {
        ComponentType::Component(declared) => declared
            .iter()
            .map(|declared| if let ComponentTypeDeclaration::Type(ty) = declared { weight(ty) } else { 1 })
            .fold(0, usize::saturating_add),
        ComponentType::Instance(declared) => declared
            .iter()
            .map(|declared| if let InstanceTypeDeclaration::Type(ty) = declared { weight(ty) } else { 1 })
            .fold(0, usize::saturating_add),
        ComponentType::Defined(_) | ComponentType::Func(_) | ComponentType::Resource { .. } => 0,
    };
    inner.saturating_add(1)
}

/// A count of the binary format as a count of this machine.
pub(super) fn count(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

//! The sections of the core modules inside a component.
use wasmparser::{
    CompositeInnerType, DataSectionReader, ElementItems, ElementSectionReader, FunctionBody, ImportSectionReader, MemoryType, Operator,
    Payload, Result, TableType, TypeRef, TypeSectionReader,
};

use super::component::count;
use super::{Rule, Walk};

/// Size of a page of linear memory; other sizes are switched off.
const PAGE_BYTES: u64 = 64 << 10;

impl Walk {
    /// Takes a section of a core module; ignores what is not one.
    pub(super) fn core_payload(&mut self, payload: Payload<'_>) -> Result<()> {
        match payload {
            Payload::TypeSection(section) => self.core_types(section),
            Payload::ImportSection(section) => self.core_imports(section),
            Payload::FunctionSection(section) => {
                let at = section.original_position();
                self.counts.functions = self.counts.functions.saturating_add(count(section.count()));
                self.bound(Rule::Functions, at, "core functions", self.counts.functions, self.bounds.functions);
                Ok(())
            }
            Payload::TableSection(section) => {
                for table in section.into_iter_with_offsets() {
                    let (at, table) = table?;
                    self.table(at, table.ty);
                }
                Ok(())
            }
            Payload::MemorySection(section) => {
                for memory in section.into_iter_with_offsets() {
                    let (at, memory) = memory?;
                    self.memory(at, memory);
                }
                Ok(())
            }
            Payload::GlobalSection(section) => {
                let at = section.original_position();
                self.counts.globals = self.counts.globals.saturating_add(count(section.count()));
                self.bound(Rule::Globals, at, "globals", self.counts.globals, self.bounds.globals);
                Ok(())
            }
            Payload::ExportSection(section) => {
                for export in section.into_iter_with_offsets() {
                    let (at, export) = export?;
                    self.externs(at, 1);
                    self.name(at, export.name);
                }
                Ok(())
            }
            Payload::StartSection { range, .. } => {
                self.facts.start.get_or_insert(range.start);
                Ok(())
            }
            Payload::ElementSection(section) => self.elements(section),
            Payload::DataSection(section) => self.data(section),
            Payload::CodeSectionEntry(body) => self.body(&body),
            // Custom sections carry names and notes; nothing of them is executed, and the size of the file bounds them.
            _ => Ok(()),
        }
    }

    fn core_types(&mut self, section: TypeSectionReader<'_>) -> Result<()> {
        for group in section.into_iter_with_offsets() {
            let (at, group) = group?;
            for ty in group.types() {
                self.counts.types = self.counts.types.saturating_add(1);
                if let CompositeInnerType::Func(function) = &ty.composite_type.inner {
                    let params = function.params().len().max(function.results().len());
                    self.bound(Rule::Params, at, "parameters or results of a function", params, self.bounds.params);
                }
            }
            self.bound(Rule::Types, at, "core types", self.counts.types, self.bounds.types);
        }
        Ok(())
    }

    fn core_imports(&mut self, section: ImportSectionReader<'_>) -> Result<()> {
        for import in section.into_imports_with_offsets() {
            let (at, import) = import?;
            self.externs(at, 1);
            self.facts.inner_imports = self.facts.inner_imports.saturating_add(1);
            self.name(at, import.module);
            self.name(at, import.name);
            match import.ty {
                // An imported one is counted where it is defined.
                TypeRef::Func(_) | TypeRef::FuncExact(_) | TypeRef::Table(_) | TypeRef::Memory(_) | TypeRef::Global(_) => {}
                TypeRef::Tag(_) => self.refuse(Rule::Invalid, Some(at), "exceptions are switched off".to_owned()),
            }
        }
        Ok(())
    }

    fn table(&mut self, at: usize, table: TableType) {
        self.counts.tables = self.counts.tables.saturating_add(1);
        self.bound(Rule::Tables, at, "tables", self.counts.tables, self.bounds.tables);
        self.bound(Rule::TableSize, at, "initial elements of a table", table.initial, self.bounds.table_elements);
    }

    fn memory(&mut self, at: usize, memory: MemoryType) {
        self.counts.memories = self.counts.memories.saturating_add(1);
        self.counts.memory_bytes = self.counts.memory_bytes.saturating_add(memory.initial.saturating_mul(PAGE_BYTES));
        self.bound(Rule::Memories, at, "memories", self.counts.memories, self.bounds.memories);
        self.bound(Rule::MemorySize, at, "initial bytes of all memories", self.counts.memory_bytes, self.bounds.memory_bytes);
    }

    fn elements(&mut self, section: ElementSectionReader<'_>) -> Result<()> {
        for element in section.into_iter_with_offsets() {
            let (at, element) = element?;
            let items = match element.items {
                ElementItems::Functions(items) => items.count(),
                ElementItems::Expressions(_, items) => items.count(),
            };
            self.counts.element_segments = self.counts.element_segments.saturating_add(1);
            self.counts.elements = self.counts.elements.saturating_add(u64::from(items));
            self.bound(Rule::ElementSegments, at, "element segments", self.counts.element_segments, self.bounds.element_segments);
            self.bound(Rule::Elements, at, "elements of all segments", self.counts.elements, self.bounds.elements);
        }
        Ok(())
    }

    fn data(&mut self, section: DataSectionReader<'_>) -> Result<()> {
        let at = section.original_position();
        self.counts.data_segments = self.counts.data_segments.saturating_add(count(section.count()));
        self.bound(Rule::DataSegments, at, "data segments", self.counts.data_segments, self.bounds.data_segments);
        Ok(())
    }

    fn body(&mut self, body: &FunctionBody<'_>) -> Result<()> {
        let range = body.range();
        self.bound(Rule::Body, range.start, "bytes of a function body", range.len(), self.bounds.body_bytes);
        let mut locals: u64 = 0;
        for local in body.get_locals_reader()? {
            locals = locals.saturating_add(u64::from(local?.0));
        }
        self.bound(Rule::Locals, range.start, "locals of a function", locals, self.bounds.locals);
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let (operator, at) = operators.read_with_offset()?;
            if let Operator::BrTable { targets } = operator {
                self.bound(Rule::BrTable, at, "targets of a `br_table`", targets.len(), self.bounds.br_table);
            }
        }
        Ok(())
    }
}

//! The rules of admission, in the order in which they are reported.

/// Declares the rules: variant, stable code, and whether a wider profile may admit what this one refuses.
macro_rules! rules {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $bound:literal;)*) => {
        /// One rule. The order is the order of the report: what is cheaper to say comes first.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Rule { $($(#[$doc])* $variant,)* }

        impl Rule {
            pub(crate) fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }
        }

        /// Whether the rule with `code` is a bound of the profile.
        pub(crate) fn is_bound(code: &str) -> bool {
            match code { $($code => $bound,)* _ => false }
        }
    };
}

rules! {
    Size = "size", true;
    NotAComponent = "not_a_component", false;
    Nesting = "nesting", true;
    TypeNesting = "type_nesting", true;
    Malformed = "malformed", false;
    ComponentTypes = "component_types", true;
    Expansion = "expansion", true;
    Modules = "modules", true;
    Instances = "instances", true;
    Functions = "functions", true;
    Body = "body_size", true;
    Locals = "locals", true;
    Params = "params", true;
    Types = "types", true;
    BrTable = "br_table", true;
    Memories = "memories", true;
    MemorySize = "memory_size", true;
    Tables = "tables", true;
    TableSize = "table_size", true;
    Globals = "globals", true;
    DataSegments = "data_segments", true;
    ElementSegments = "element_segments", true;
    Elements = "elements", true;
    Externs = "externs", true;
    Name = "name", true;
    Start = "start_function", false;
    Encoding = "string_encoding", false;
    CanonicalOption = "canonical_option", false;
    Builtin = "builtin", true;
    Export = "export", false;
    Import = "import", false;
    Impure = "impure", false;
    Invalid = "invalid", false;
}

/// A module whose interface is not the contract's, found after compilation.
pub(crate) const INTERFACE: &str = "interface";

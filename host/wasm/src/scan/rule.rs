//! The rules of admission, in the order in which they are reported.

/// Declares the rules: variant, stable code, whether a wider profile may admit what this one refuses, and what an author can do.
macro_rules! rules {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $bound:literal, $hint:literal;)*) => {
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

        /// What an author can do about the rule with `code`.
        pub(crate) fn hint(code: &str) -> Option<&'static str> {
            match code { $($code => Some($hint),)* INTERFACE => Some(INTERFACE_HINT), _ => None }
        }
    };
}

rules! {
    Size = "size", true, "leave out debug information and unused code; modules over 32 MiB are not admitted";
    NotAComponent = "not_a_component", false, "make a component of the core module with `wasm-tools component new`, or start from `enact module new`";
    Nesting = "nesting", true, "compose fewer components into one another";
    TypeNesting = "type_nesting", true, "flatten the declared types";
    Malformed = "malformed", false, "build the file again: it does not parse";
    ComponentTypes = "component_types", true, "declare fewer types in the interfaces";
    Expansion = "expansion", true, "instantiate nested components less often";
    Modules = "modules", true, "link the code into fewer core modules";
    Instances = "instances", true, "link the code into fewer core instances";
    Functions = "functions", true, "build optimised (`-Os`), so that unused functions are dropped";
    Body = "body_size", true, "split the largest function, or build it without inlining";
    Locals = "locals", true, "split the function with the most locals";
    Params = "params", true, "pass a structure by reference instead of so many parameters";
    Types = "types", true, "build optimised, so that unused types are dropped";
    BrTable = "br_table", true, "split the largest `switch`";
    Memories = "memories", true, "use one linear memory";
    MemorySize = "memory_size", true, "start with a smaller initial memory; it may grow within its limit";
    Tables = "tables", true, "use fewer tables";
    TableSize = "table_size", true, "start with smaller tables";
    Globals = "globals", true, "use fewer globals";
    DataSegments = "data_segments", true, "merge the data segments (`wasm-opt --memory-packing` undoes it)";
    ElementSegments = "element_segments", true, "merge the element segments";
    Elements = "elements", true, "call fewer functions indirectly";
    Externs = "externs", true, "import and export less";
    Name = "name", true, "use shorter names";
    Start = "start_function", false, "do the work in `run`: only a side effect with WASI may initialise itself";
    Encoding = "string_encoding", false, "encode strings as UTF-8 when the component is made";
    CanonicalOption = "canonical_option", false, "make the component with current tools and without asynchronous options";
    Builtin = "builtin", true, "leave out asynchronous built-ins; resources are for side effects of the wider profile";
    Export = "export", false, "export exactly `enact:capability/transform@0.1.0` or `enact:capability/side-effect@0.1.0`";
    Import = "import", false, "import nothing but the interfaces of `protocol/wit/capability.wit` and, in a side effect, WASI 0.2 without sockets and HTTP; a build can leave WASI out (`--stub-wasi`, `no_std`, freestanding)";
    Impure = "impure", false, "a transform imports nothing: move what asks the host into a side effect";
    Invalid = "invalid", false, "build the file again: the validator refuses it";
}

/// A module whose interface is not the contract's, found after compilation.
pub(crate) const INTERFACE: &str = "interface";
const INTERFACE_HINT: &str = "generate the bindings from `protocol/wit/capability.wit`: `run` must have its exact type";

//! The files of the projects that `enact module new` writes, and what a binary needs to write them anywhere: their text.
use std::fmt;

use clap::ValueEnum;

/// A language that there is a template for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// Rust, for `wasm32-unknown-unknown`.
    Rust,
    /// C, compiled by Zig.
    C,
    /// JavaScript, with an engine inside.
    #[value(alias = "js")]
    Javascript,
    /// Python, with an interpreter inside.
    #[value(alias = "py")]
    Python,
    /// AssemblyScript.
    #[value(alias = "as")]
    Assemblyscript,
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rust => "rust",
            Self::C => "c",
            Self::Javascript => "javascript",
            Self::Python => "python",
            Self::Assemblyscript => "assemblyscript",
        })
    }
}

/// A path inside the project, and the text of the template.
pub(crate) type File = (&'static str, &'static str);

/// The text of a file of a template.
macro_rules! text {
    ($path:literal) => {
        include_str!(concat!("../templates/", $path))
    };
}

/// What every project has.
const SHARED: &[File] = &[
    (".gitignore", text!("shared/gitignore")),
    ("wit/capability.wit", include_str!("../../protocol/wit/capability.wit")),
    ("transform/manifest.json", text!("shared/transform/manifest.json")),
    ("transform/vectors.json", text!("shared/transform/vectors.json")),
    ("effect/manifest.json", text!("shared/effect/manifest.json")),
    ("effect/vectors.json", text!("shared/effect/vectors.json")),
];

const RUST: &[File] = &[
    ("README.md", text!("rust/README.md")),
    ("Cargo.toml", text!("rust/Cargo.toml")),
    (".cargo/config.toml", text!("rust/cargo/config.toml")),
    ("build.sh", text!("rust/build.sh")),
    ("transform/Cargo.toml", text!("rust/transform/Cargo.toml")),
    ("transform/src/lib.rs", text!("rust/transform/src/lib.rs")),
    ("effect/Cargo.toml", text!("rust/effect/Cargo.toml")),
    ("effect/src/lib.rs", text!("rust/effect/src/lib.rs")),
];

const C: &[File] = &[
    ("README.md", text!("c/README.md")),
    ("package.json", text!("c/package.json")),
    ("build.sh", text!("c/build.sh")),
    ("componentize.mjs", text!("c/componentize.mjs")),
    ("src/enact.h", text!("c/src/enact.h")),
    ("src/json.h", text!("c/src/json.h")),
    ("transform/module.c", text!("c/transform/module.c")),
    ("effect/module.c", text!("c/effect/module.c")),
];

const JAVASCRIPT: &[File] = &[
    ("README.md", text!("javascript/README.md")),
    ("package.json", text!("javascript/package.json")),
    ("build.mjs", text!("javascript/build.mjs")),
    ("wit/module.wit", text!("javascript/module.wit")),
    ("transform/module.js", text!("javascript/transform/module.js")),
    ("effect/module.js", text!("javascript/effect/module.js")),
];

const PYTHON: &[File] = &[
    ("README.md", text!("python/README.md")),
    ("requirements.txt", text!("python/requirements.txt")),
    ("build.sh", text!("python/build.sh")),
    ("finish.py", text!("python/finish.py")),
    ("wit/module.wit", text!("python/module.wit")),
    ("transform/module.py", text!("python/transform/module.py")),
    ("effect/module.py", text!("python/effect/module.py")),
];

const ASSEMBLYSCRIPT: &[File] = &[
    ("README.md", text!("assemblyscript/README.md")),
    ("package.json", text!("assemblyscript/package.json")),
    ("build.mjs", text!("assemblyscript/build.mjs")),
    ("src/abi.ts", text!("assemblyscript/src/abi.ts")),
    ("src/json.ts", text!("assemblyscript/src/json.ts")),
    ("src/host.ts", text!("assemblyscript/src/host.ts")),
    ("transform/module.ts", text!("assemblyscript/transform/module.ts")),
    ("effect/module.ts", text!("assemblyscript/effect/module.ts")),
];

/// What one call may use in a project of the language, as its manifests say it: many times what the vectors need.
/// Interpreters start with more memory, and each call starts them.
fn limits(language: Language) -> &'static str {
    match language {
        Language::Rust | Language::C | Language::Assemblyscript => {
            r#"{ "fuel": 10000000, "memory_bytes": 4194304, "output_bytes": 65536 }"#
        }
        Language::Javascript | Language::Python => r#"{ "fuel": 500000000, "memory_bytes": 67108864, "output_bytes": 65536 }"#,
    }
}

impl Language {
    /// The files of a project, in the order of their paths.
    pub(crate) fn project(self, name: &str) -> Vec<(&'static str, String)> {
        let own = match self {
            Self::Rust => RUST,
            Self::C => C,
            Self::Javascript => JAVASCRIPT,
            Self::Python => PYTHON,
            Self::Assemblyscript => ASSEMBLYSCRIPT,
        };
        let code = name.replace('-', "_").to_ascii_uppercase();
        let fill = |text: &str| text.replace("{{name}}", name).replace("{{NAME}}", &code).replace("{{limits}}", limits(self));
        let mut files: Vec<(&'static str, String)> = SHARED.iter().chain(own).map(|(path, text)| (*path, fill(text))).collect();
        files.sort_unstable_by_key(|(path, _)| *path);
        files
    }

    /// The commands that build a project, one a line, as its README says.
    pub(crate) fn build(self) -> &'static [&'static str] {
        match self {
            Self::Rust => &["rustup target add wasm32-unknown-unknown", "sh build.sh"],
            Self::C => &["pip install ziglang==0.17.1", "npm install", "npm run build"],
            Self::Javascript | Self::Assemblyscript => &["npm install", "npm run build"],
            Self::Python => &["pip install -r requirements.txt", "sh build.sh"],
        }
    }
}

//! `enact module new`: what it writes, and where it refuses to. That the projects build and work is shown by `tests/languages`.
use serde_json::Value;

use crate::support::Scratch;

const LANGUAGES: [(&str, &str); 8] = [
    ("rust", "rust"),
    ("c", "c"),
    ("javascript", "javascript"),
    ("js", "javascript"),
    ("python", "python"),
    ("py", "python"),
    ("assemblyscript", "assemblyscript"),
    ("as", "assemblyscript"),
];

/// B-32: a stranger's module begins with a project that says everything about itself.
#[test]
fn b_32_a_project_has_all_that_a_module_needs_and_no_gap_is_left() {
    for (asked, language) in LANGUAGES {
        let scratch = Scratch::new();
        let report = scratch.enact(&["module", "new", "--lang", asked, "old-tree-2", "--json"]).exits(0).json();
        assert_eq!(report["language"], language);
        let files: Vec<&str> = report["files"].as_array().unwrap().iter().map(|file| file.as_str().unwrap()).collect();
        for needed in ["README.md", "wit/capability.wit", "transform/manifest.json", "effect/vectors.json", ".gitignore"] {
            assert!(files.contains(&needed), "{language}: {needed} of {files:?}");
        }
        let read = |file: &str| std::fs::read_to_string(scratch.path().join("old-tree-2").join(file)).unwrap();
        for file in &files {
            let gaps = ["{{name}}", "{{NAME}}", "{{limits}}"];
            assert!(!gaps.iter().any(|gap| read(file).contains(gap)), "{language}: {file} has a gap");
        }
        assert_eq!(read("wit/capability.wit"), include_str!("../protocol/wit/capability.wit"));
        for (folder, world, code) in [("transform", "transform", "CT_OLD_TREE_2_V0"), ("effect", "side-effect", "CS_OLD_TREE_2_V0")] {
            let manifest: Value = serde_json::from_str(&read(&format!("{folder}/manifest.json"))).unwrap();
            assert_eq!((&manifest["module"], &manifest["world"]), (&format!("old-tree-2-{folder}").into(), &world.into()));
            assert!(manifest["codes"][code]["fuel"].as_u64().unwrap() > 0, "{manifest:#}");
            let vectors: Value = serde_json::from_str(&read(&format!("{folder}/vectors.json"))).unwrap();
            assert!(vectors["vectors"].as_array().unwrap().iter().any(|vector| vector["capability"] == code));
        }
        for command in report["build"].as_array().unwrap() {
            assert!(read("README.md").contains(command.as_str().unwrap()), "{language}: the README does not say {command}");
        }
    }
}

/// B-32: nothing that is there is written over, and a name fits every language.
#[test]
fn b_32_a_project_overwrites_nothing_and_its_name_is_checked() {
    let scratch = Scratch::new();
    let code = |args: &[&str]| {
        let args: Vec<&str> = ["module", "new", "--lang", "c", "--json"].iter().chain(args).copied().collect();
        scratch.enact(&args).exits(1).json()["error"]["code"].as_str().unwrap().to_owned()
    };
    let long = "a".repeat(65);
    for name in ["Tree", "1tree", "tree-", "old--tree", "tree_1", "../tree", "", "é", &long] {
        assert_eq!(code(&[name, "--dir", "never"]), "project_name", "{name}");
    }
    assert!(!scratch.path().join("never").exists());
    scratch.enact(&["module", "new", "--lang", "c", &"a".repeat(64)]).exits(0);

    std::fs::create_dir(scratch.path().join("here")).unwrap();
    scratch.enact(&["module", "new", "--lang", "rust", "tree", "--dir", "here"]).exits(0);
    std::fs::write(scratch.path().join("here/README.md"), "mine").unwrap();
    assert_eq!(code(&["tree", "--dir", "here"]), "folder_not_empty");
    assert_eq!(std::fs::read_to_string(scratch.path().join("here/README.md")).unwrap(), "mine");
    scratch.file("file", "mine");
    assert_eq!(code(&["tree", "--dir", "file"]), "file");
    scratch.enact(&["module", "new", "--lang", "cobol", "tree"]).exits(2);
}

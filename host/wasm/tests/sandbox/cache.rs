//! The cache of compiled modules: used when authentic, ignored otherwise.
use std::fs;
use std::path::PathBuf;

use enact_wasm::{CacheOptions, Options, Profile, Sandbox};

use super::guests::echo;
use super::support::LIMITS;

fn sandbox(dir: &std::path::Path, key: [u8; 32]) -> Sandbox {
    let cache = Some(CacheOptions { dir: dir.to_owned(), key });
    Sandbox::new(&Options { cache, ..Options::default() }).unwrap()
}

/// Compiled modules.
fn files(dir: &std::path::Path) -> Vec<PathBuf> {
    ending(dir, "cwasm")
}

fn ending(dir: &std::path::Path, with: &str) -> Vec<PathBuf> {
    let all = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = all.filter(|path| path.extension().is_some_and(|end| end == with)).collect();
    files.sort();
    files
}

fn works(sandbox: &Sandbox) {
    let module = sandbox.admit(&echo(), Profile::Strict).unwrap();
    assert_eq!(module.transform(&LIMITS, "C", "{}").outcome.code(), "ok");
}

#[test]
fn a_compiled_module_is_kept_once_and_left_alone_when_it_is_authentic() {
    let dir = tempfile::tempdir().unwrap();
    works(&sandbox(dir.path(), [1; 32]));
    let kept = files(dir.path());
    assert_eq!(kept.len(), 1, "{kept:?}");
    let written = fs::metadata(&kept[0]).unwrap().modified().unwrap();
    works(&sandbox(dir.path(), [1; 32]));
    assert_eq!(fs::metadata(&kept[0]).unwrap().modified().unwrap(), written, "it was compiled again");
}

/// B-32: what was measured is kept of what broke no rule, for these bytes and this profile, and nothing else is believed.
#[test]
fn b_32_a_module_is_measured_once_and_again_when_anything_is_different() {
    let dir = tempfile::tempdir().unwrap();
    let refused = sandbox(dir.path(), [1; 32]).admit(b"\0asm\x0d\0\x01\0", Profile::Strict);
    assert!(refused.is_err());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "of a refused module something is kept");
    works(&sandbox(dir.path(), [1; 32]));
    let facts = ending(dir.path(), "facts");
    assert_eq!(facts.len(), 1, "{facts:?}");
    let good = fs::read(&facts[0]).unwrap();
    let written = fs::metadata(&facts[0]).unwrap().modified().unwrap();
    works(&sandbox(dir.path(), [1; 32]));
    assert_eq!(fs::metadata(&facts[0]).unwrap().modified().unwrap(), written, "it was measured again");
    for at in [0, good.len() - 33, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&facts[0], &bad).unwrap();
        works(&sandbox(dir.path(), [1; 32]));
        assert_eq!(fs::read(&facts[0]).unwrap(), good, "not measured again after byte {at}");
    }
    sandbox(dir.path(), [1; 32]).admit(&echo(), Profile::Standard).unwrap();
    assert_eq!(ending(dir.path(), "facts").len(), 2);
    works(&sandbox(dir.path(), [2; 32]));
    assert_ne!(fs::read(&facts[0]).unwrap(), good, "what another workspace has found was believed");
}

#[test]
fn a_tampered_file_is_ignored_and_rebuilt() {
    let dir = tempfile::tempdir().unwrap();
    works(&sandbox(dir.path(), [1; 32]));
    let file = files(dir.path()).remove(0);
    let good = fs::read(&file).unwrap();
    for at in [0, good.len() / 2, good.len() - 33, good.len() - 32, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&file, &bad).unwrap();
        works(&sandbox(dir.path(), [1; 32]));
        assert_eq!(fs::read(&file).unwrap(), good, "not rebuilt after byte {at}");
    }
    for length in [0, 31, 32, good.len() - 1] {
        fs::write(&file, &good[..length]).unwrap();
        works(&sandbox(dir.path(), [1; 32]));
        assert_eq!(fs::read(&file).unwrap().len(), good.len());
    }
}

#[test]
fn a_file_under_another_key_or_another_name_is_ignored() {
    let dir = tempfile::tempdir().unwrap();
    works(&sandbox(dir.path(), [1; 32]));
    let file = files(dir.path()).remove(0);
    let foreign = fs::read(&file).unwrap();
    works(&sandbox(dir.path(), [2; 32]));
    assert_ne!(fs::read(&file).unwrap().last_chunk::<32>(), foreign.last_chunk(), "the foreign file was used");
    // The right key over another module's content, under this name.
    let other = tempfile::tempdir().unwrap();
    let bytes = super::guests::says("SUCCESS", "{}");
    sandbox(other.path(), [2; 32]).admit(&bytes, Profile::Strict).unwrap();
    fs::copy(files(other.path()).remove(0), &file).unwrap();
    let module = sandbox(dir.path(), [2; 32]).admit(&echo(), Profile::Strict).unwrap();
    let report = module.transform(&LIMITS, "C", r#"{"mine":1}"#);
    assert!(matches!(report.outcome, enact_wasm::Outcome::Ok { ref outputs, .. } if outputs == r#"{"mine":1}"#), "{report:?}");
}

#[test]
fn a_folder_that_cannot_be_written_only_costs_time() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "not a folder").unwrap();
    works(&sandbox(&file, [1; 32]));
}

/// Whoever may write to a file may put their machine code there; what MAC it has says nothing then.
#[cfg(unix)]
#[test]
fn b_32_a_file_that_others_may_write_to_is_ignored_and_rebuilt() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    works(&sandbox(dir.path(), [1; 32]));
    for file in files(dir.path()).into_iter().chain(ending(dir.path(), "facts")) {
        fs::set_permissions(&file, PermissionsExt::from_mode(0o622)).unwrap();
        works(&sandbox(dir.path(), [1; 32]));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{} was loaded", file.display());
    }
}

#[cfg(target_os = "linux")]
mod sealed {
    use std::fs::{File, FileTimes};
    use std::os::unix::fs::PermissionsExt;
    use std::thread::sleep;
    use std::time::Duration;

    use tempfile::TempDir;

    use super::*;

    /// A module in a file, and a cache that has it.
    struct Kept {
        dir: TempDir,
        module: enact_wasm::Module,
    }

    impl Kept {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("module.wasm"), echo()).unwrap();
            let module = sandbox(dir.path(), [1; 32]).admit(&echo(), Profile::Strict).unwrap();
            Self { dir, module }
        }

        fn source(&self) -> PathBuf {
            self.dir.path().join("module.wasm")
        }

        fn compiled(&self) -> PathBuf {
            files(self.dir.path()).remove(0)
        }

        fn seals(&self) -> Vec<PathBuf> {
            ending(self.dir.path(), "seal")
        }

        fn seal(&self) {
            sandbox(self.dir.path(), [1; 32]).seal(&self.module, File::open(self.source()).unwrap());
        }

        /// Loads it as another process would.
        fn load(&self) -> Option<enact_wasm::Module> {
            sandbox(self.dir.path(), [1; 32]).sealed(self.module.digest(), &File::open(self.source()).unwrap())
        }
    }

    /// Writes into a file what is there already, and has its times of reading and writing say nothing of it.
    fn touched(path: &std::path::Path) {
        let (bytes, before) = (fs::read(path).unwrap(), fs::metadata(path).unwrap());
        fs::write(path, bytes).unwrap();
        let times = FileTimes::new().set_accessed(before.accessed().unwrap()).set_modified(before.modified().unwrap());
        File::options().write(true).open(path).unwrap().set_times(times).unwrap();
    }

    /// Puts an equal file in its place.
    fn replaced(path: &std::path::Path) {
        let beside = path.with_extension("beside");
        fs::copy(path, &beside).unwrap();
        fs::rename(beside, path).unwrap();
    }

    fn flipped(path: &std::path::Path) {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    }

    fn others_write(path: &std::path::Path) {
        fs::set_permissions(path, PermissionsExt::from_mode(0o666)).unwrap();
    }

    /// B-32: as long as nobody touches anything the module is as good as admitted; as soon as somebody does, nothing is believed that was not read.
    #[test]
    fn b_32_a_sealed_module_is_loaded_unread_until_anything_of_it_is_touched() {
        type Touch = fn(&Kept);
        let touches: [(&str, Touch); 9] = [
            ("compiled, touched", |kept| touched(&kept.compiled())),
            ("compiled, replaced", |kept| replaced(&kept.compiled())),
            ("compiled, altered", |kept| flipped(&kept.compiled())),
            ("compiled, open to others", |kept| others_write(&kept.compiled())),
            ("compiled, gone", |kept| fs::remove_file(kept.compiled()).unwrap()),
            ("source, touched", |kept| touched(&kept.source())),
            ("source, replaced", |kept| replaced(&kept.source())),
            ("source, altered", |kept| flipped(&kept.source())),
            ("seal, altered", |kept| flipped(&kept.seals()[0])),
        ];
        let all: Vec<Kept> = touches.iter().map(|_| Kept::new()).collect();
        all[0].seal();
        assert!(all[0].seals().is_empty(), "sealed although it was written just now");
        sleep(Duration::from_secs(5));
        for (kept, (name, touch)) in all.iter().zip(touches) {
            kept.seal();
            assert_eq!(kept.seals().len(), 1, "{name}: not sealed");
            let loaded = kept.load().unwrap();
            assert_eq!((loaded.kind(), loaded.digest(), loaded.profile()), (kept.module.kind(), kept.module.digest(), Profile::Strict));
            assert_eq!((loaded.imports(), loaded.purity()), (kept.module.imports(), kept.module.purity()));
            let report = loaded.transform(&LIMITS, "C", r#"{"a":1}"#);
            assert!(matches!(report.outcome, enact_wasm::Outcome::Ok { ref outputs, .. } if outputs == r#"{"a":1}"#), "{report:?}");
            touch(kept);
            assert!(kept.load().is_none(), "{name}: believed");
        }
    }

    #[test]
    fn b_32_a_seal_is_of_one_module_in_one_workspace_and_of_what_was_read() {
        let (kept, other) = (Kept::new(), Kept::new());
        fs::write(other.source(), super::super::guests::says("SUCCESS", "{}")).unwrap();
        sleep(Duration::from_secs(5));
        other.seal();
        assert!(other.seals().is_empty(), "the file holds another module");
        kept.seal();
        let open = || File::open(kept.source()).unwrap();
        assert!(sandbox(kept.dir.path(), [1; 32]).sealed(kept.module.digest(), &open()).is_some());
        assert!(sandbox(kept.dir.path(), [2; 32]).sealed(kept.module.digest(), &open()).is_none(), "another key");
        assert!(sandbox(kept.dir.path(), [1; 32]).sealed(&kept.module.digest().replace('a', "b"), &open()).is_none(), "another module");
        let pulley = Options { backend: enact_wasm::Backend::Pulley, ..Options::default() };
        let cache = Some(CacheOptions { dir: kept.dir.path().to_owned(), key: [1; 32] });
        assert!(Sandbox::new(&Options { cache, ..pulley }).unwrap().sealed(kept.module.digest(), &open()).is_none(), "another engine");
        assert!(Sandbox::new(&Options::default()).unwrap().sealed(kept.module.digest(), &open()).is_none(), "no cache");
    }
}

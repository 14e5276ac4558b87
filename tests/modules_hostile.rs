//! Files that are made to hurt whoever takes them in: each ends with a code, in time, and changes nothing.
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::hostile::{guests, support};
use crate::support::{Ran, Scratch, ran};

/// Echoes: what a friendly transform does.
const ECHO: &str = "(call $success (local.get $in) (local.get $len))";

/// Compiled, these cost more than they look like. All of them are inside the bounds of a profile.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let many = |what: &str, n: usize| what.repeat(n);
    let locals = format!("(local {})", many("i32 ", 1_990));
    let live = (0..1_990).map(|n| format!("(local.set {n} (i32.load (i32.const {n})))")).collect::<String>();
    let sum = (0..1_990).map(|n| format!("(drop (i32.add (local.get {n}) (local.get {})))", (n * 7) % 1_990)).collect::<String>();
    vec![
        ("15,000 nested blocks", support::transform(&format!("(func {} {})", many("block ", 15_000), many("end ", 15_000)), ECHO)),
        ("15,000 nested loops", support::transform(&format!("(func {} {})", many("loop ", 15_000), many("end ", 15_000)), ECHO)),
        (
            "nested conditions",
            support::transform(&format!("(func (param i32) {} {})", many("local.get 0 if ", 9_000), many("end ", 9_000)), ECHO),
        ),
        (
            "40 tables of 2,000 branches out of nested blocks",
            support::transform(
                &format!(
                    "(func (param i32) {} {} {})",
                    many("block ", 100),
                    many(
                        &format!("block local.get 0 br_table {} end ", (0..2_000).map(|n| format!("{} ", n % 100)).collect::<String>()),
                        40
                    ),
                    many("end ", 100)
                ),
                ECHO,
            ),
        ),
        ("1,990 values alive at once", support::transform(&format!("(func {locals} {live} {sum})"), ECHO)),
        (
            "a deep expression",
            support::transform(
                &format!("(func (result i32) i32.const 1 {})", many("i32.const 1 ", 20_000) + &many("i32.add ", 20_000)),
                ECHO,
            ),
        ),
        ("7,900 functions that call each other", {
            let functions = (0..7_900).map(|n| format!("(func $f{n} (call $f{}))", (n + 1) % 7_900)).collect::<String>();
            support::transform(&functions, ECHO)
        }),
        (
            "memory.fill and copy chains",
            support::transform(&format!("(func {})", many("(memory.copy (i32.const 0) (i32.const 8) (i32.const 8))", 9_000)), ECHO),
        ),
        ("500,000 custom sections", sections()),
    ]
}

/// Half a million sections that say nothing.
fn sections() -> Vec<u8> {
    let mut file = guests::echo();
    file.extend([0, 2, 1, b'x'].repeat(500_000));
    file
}

/// Not even looked at for long.
fn refused() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let custom = |bytes: usize, sections: usize| {
        let mut file = guests::echo();
        for _ in 0..sections {
            file.push(0);
            leb(&mut file, bytes + 2);
            file.extend([1, b'x']);
            file.extend(std::iter::repeat_n(0x41, bytes));
        }
        file
    };
    vec![
        ("a custom section of 33 MiB", custom(33 << 20, 1), "size"),
        ("a file of 65 MiB", custom(65 << 20, 1), "file_too_large"),
        ("random bytes", (0..100_000_u32).map(|n| u8::try_from(n.wrapping_mul(2_654_435_761) >> 24).unwrap()).collect(), "not_a_component"),
        ("nothing", Vec::new(), "not_a_component"),
        ("half a file", guests::echo()[..200].to_vec(), "malformed"),
        ("a start function", support::transform("(func $begin) (start $begin)", ECHO), "start_function"),
        ("50,000 locals", support::transform(&format!("(func (local {}))", "i32 ".repeat(50_000)), ECHO), "locals"),
        (
            "a jump with 50,000 targets",
            support::transform(&format!("(func (block (br_table {} (i32.const 0))))", "0 ".repeat(50_000)), ECHO),
            "br_table",
        ),
        ("components in components", support::binary(&format!("(component {}{})", "(component ".repeat(12), ")".repeat(12))), "nesting"),
        ("thousands of parameters", support::transform(&format!("(func (param {}))", "i32 ".repeat(999)), ECHO), "params"),
    ]
}

pub(crate) fn leb(out: &mut Vec<u8>, mut n: usize) {
    loop {
        let byte = u8::try_from(n & 0x7f).unwrap();
        n >>= 7;
        out.push(if n == 0 { byte } else { byte | 0x80 });
        if n == 0 {
            return;
        }
    }
}

fn file(scratch: &Scratch, bytes: &[u8]) -> PathBuf {
    let path = scratch.path().join("bomb.wasm");
    std::fs::write(&path, bytes).unwrap();
    path
}

fn add(scratch: &Scratch, path: &std::path::Path, environment: &[(&str, &str)]) -> Ran {
    let mut command = scratch.command();
    command.envs(environment.iter().copied());
    ran(&command.args(["module", "add", &path.to_string_lossy(), "--as", "ada", "--json"]).output().unwrap())
}

/// Entries, and files of modules: what an admission changes.
fn changed(scratch: &Scratch) -> (i64, usize) {
    let entries = scratch.sql().query_row("SELECT count(*) FROM entries", [], |row| row.get(0)).unwrap();
    (entries, std::fs::read_dir(scratch.workspace().join("modules")).unwrap().count())
}

fn governed() -> Scratch {
    let scratch = Scratch::init();
    scratch.stewards();
    scratch
}

#[test]
fn b_32_a_compile_bomb_is_admitted_or_ends_with_a_code_and_the_host_goes_on() {
    let scratch = governed();
    for (what, bytes) in bombs() {
        let before = changed(&scratch);
        let added = add(&scratch, &file(&scratch, &bytes), &[]);
        match added.code {
            0 => assert_eq!(changed(&scratch).0, before.0 + 1, "{what}"),
            3 => {
                let code = added.json()["error"]["code"].as_str().unwrap().to_owned();
                assert!(
                    ["compile_failed", "admission_timeout", "admission_memory", "admission_crashed"].contains(&code.as_str()),
                    "{what}: {code}"
                );
                assert_eq!(changed(&scratch), before, "{what}");
            }
            other => panic!("{what}: exit {other}: {added:?}"),
        }
    }
}

#[test]
fn b_32_what_breaks_a_bound_is_refused_with_its_code_and_a_hint_and_changes_nothing() {
    let scratch = governed();
    let before = changed(&scratch);
    for (what, bytes, code) in refused() {
        let added = add(&scratch, &file(&scratch, &bytes), &[]);
        assert!(added.code == 3 || added.code == 1, "{what}: {added:?}");
        let error = added.json()["error"].clone();
        assert_eq!(error["code"], code, "{what}: {error}");
        assert!(error["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{what}: {error}");
        assert_eq!(changed(&scratch), before, "{what}");
    }
}

#[test]
fn b_32_an_examination_over_its_bounds_is_ended_and_says_nothing_about_the_module() {
    let scratch = governed();
    let before = changed(&scratch);
    let (_, bomb) = bombs().swap_remove(4);
    let path = file(&scratch, &bomb);
    for (variable, value, code) in [("ENACT_ADMISSION_SECONDS", "0", "admission_timeout"), ("ENACT_ADMISSION_MIB", "1", "admission_memory")]
    {
        let ended = add(&scratch, &path, &[(variable, value)]).exits(3);
        assert_eq!(ended.json()["error"]["code"], code);
        assert_eq!(changed(&scratch), before);
    }
    // The same file, with time: nothing of the refusal stayed.
    add(&scratch, &path, &[]).exits(0);
}

#[test]
fn b_32_a_killed_examiner_is_a_crash_and_no_verdict_and_leaves_no_process() {
    let scratch = governed();
    let before = changed(&scratch);
    let path = file(&scratch, &bombs().swap_remove(4).1);
    let mut command = scratch.command();
    command.args(["module", "add", &path.to_string_lossy(), "--as", "ada", "--json"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let examiner = first_child(child.id());
    let killed = std::process::Command::new("kill").args(["-KILL", &examiner.to_string()]).status().unwrap();
    assert!(killed.success());
    let ended = ran(&child.wait_with_output().unwrap()).exits(3);
    assert_eq!(ended.json()["error"]["code"], "admission_crashed", "{ended:?}");
    assert!(ended.err.contains("signal: 9"), "{ended:?}");
    assert_eq!(changed(&scratch), before);
    assert!(!std::path::Path::new(&format!("/proc/{examiner}")).exists(), "a process was left behind");
}

/// The process that a process has started, once it has.
fn first_child(parent: u32) -> u32 {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(60) {
        let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
        if let Some(pid) = children.split_whitespace().next() {
            return pid.parse().unwrap();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("{parent} started nothing");
}

/// B-32: whoever examines is not left to itself when the one who asked is killed. Its question never ends here, so it would wait for ever.
#[test]
#[cfg(target_os = "linux")]
fn b_32_an_examination_ends_with_the_one_who_asked_for_it() {
    use std::io::{BufRead as _, BufReader};

    let scratch = Scratch::new();
    let program = scratch.command().get_program().to_owned();
    // A shell gives what runs in the background no standard input, unless it is named.
    let mut asking = std::process::Command::new("/bin/sh")
        .args(["-c", "exec 3<&0; \"$0\" __admit <&3 >/dev/null & echo $!; wait"])
        .arg(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let open = asking.stdin.take();
    let mut line = String::new();
    BufReader::new(asking.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let of = format!("/proc/{}", line.trim());
    let until = |done: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !done() && begun.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(5));
        }
        done()
    };
    // What it does after it has tied itself to its parent.
    let confined = || {
        let limits = std::fs::read_to_string(format!("{of}/limits")).unwrap_or_default();
        limits.lines().any(|line| line.starts_with("Max open files") && line.split_whitespace().nth(3) == Some("16"))
    };
    assert!(until(&confined), "it does not run");
    asking.kill().unwrap();
    asking.wait().unwrap();
    let gone = || !std::fs::read_to_string(format!("{of}/status")).is_ok_and(|status| !status.contains("State:\tZ"));
    assert!(until(&gone), "it lives on");
    drop(open);
}

//! A side effect that asks the host one thing after another and answers with one letter for each: `o` for done, else the first of the
//! fault's name. Everything else stands in the transcript.
use std::fmt::Write as _;

use crate::hostile::support::{RUNTIME, binary, lift};

/// One request.
#[derive(Debug, Clone)]
pub(crate) enum Ask {
    Http {
        method: &'static str,
        url: String,
        headers: Vec<(&'static str, &'static str)>,
        body: Body,
    },
    Read(&'static str),
    List(&'static str),
    Write {
        path: &'static str,
        content: Body,
        replace: bool,
    },
    Count,
    Register(&'static str),
    Enqueue(&'static str, String),
    /// A payload of so many octets.
    EnqueueLarge(&'static str, u32),
    /// Recipients, subject, text.
    Send(Vec<&'static str>, String, String),
    /// Ends the call with a trap.
    Trap,
}

/// Octets of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Body {
    Text(&'static str),
    Zeros(u32),
}

/// Where octets of zero lie.
const ZEROS: u32 = 1 << 20;

/// The data of a guest and the calls that refer to it.
struct Code {
    data: String,
    next: usize,
    run: String,
}

impl Code {
    /// Puts octets into memory; their place and length as two operands.
    fn bytes(&mut self, bytes: &[u8]) -> String {
        let at = self.next;
        self.next += bytes.len().next_multiple_of(4);
        let mut text = String::new();
        bytes.iter().for_each(|byte| write!(text, "\\{byte:02x}").unwrap());
        writeln!(self.data, "(data (i32.const {at}) \"{text}\")").unwrap();
        format!("(i32.const {at}) (i32.const {})", bytes.len())
    }

    /// A list of pairs of texts: four words each.
    fn pairs(&mut self, pairs: &[(&str, &str)]) -> String {
        let texts: Vec<&str> = pairs.iter().flat_map(|(name, value)| [*name, *value]).collect();
        let at = self.texts(&texts).split(") (").next().unwrap().to_owned();
        format!("{at}) (i32.const {})", pairs.len())
    }

    /// A list of texts: two words each.
    fn texts(&mut self, texts: &[&str]) -> String {
        let mut words = Vec::new();
        for text in texts {
            words.extend(u32::try_from(self.next).unwrap().to_le_bytes());
            words.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
            self.bytes(text.as_bytes());
        }
        let at = self.bytes(&words).split(") (").next().unwrap().to_owned();
        format!("{at}) (i32.const {})", texts.len())
    }

    fn body(&mut self, body: Body) -> String {
        match body {
            Body::Text(text) => self.bytes(text.as_bytes()),
            Body::Zeros(len) => format!("(i32.const {ZEROS}) (i32.const {len})"),
        }
    }

    fn call(&mut self, nth: usize, ask: &Ask) {
        let store = "(local.get $store) (local.get $store_len)";
        // Where the discriminant of an error lies: after the discriminant of the result, aligned to the largest payload.
        let (call, error) = match ask {
            Ask::Http { method, url, headers, body } => {
                let (method, url) = (self.bytes(method.as_bytes()), self.bytes(url.as_bytes()));
                let headers = self.pairs(headers);
                let body = self.body(*body);
                (format!("$request {method} {url} {headers} {body}"), 260)
            }
            Ask::Read(path) => (format!("$read {}", self.bytes(path.as_bytes())), 260),
            Ask::List(path) => (format!("$list {}", self.bytes(path.as_bytes())), 260),
            Ask::Write { path, content, replace } => {
                let (path, content) = (self.bytes(path.as_bytes()), self.body(*content));
                (format!("$write {path} {content} (i32.const {})", i32::from(*replace)), 260)
            }
            Ask::Count => (format!("$count {store}"), 264),
            Ask::Register(key) => {
                let key = self.bytes(key.as_bytes());
                (format!("$register {store} {key} {key}"), 260)
            }
            Ask::Enqueue(workflow, payload) => {
                let (workflow, payload) = (self.bytes(workflow.as_bytes()), self.bytes(payload.as_bytes()));
                (format!("$enqueue {workflow} {payload}"), 260)
            }
            Ask::EnqueueLarge(workflow, len) => {
                let workflow = self.bytes(workflow.as_bytes());
                (format!("$enqueue {workflow} (i32.const {ZEROS}) (i32.const {len})"), 260)
            }
            Ask::Send(to, subject, text) => {
                let (to, subject, text) = (self.texts(to), self.bytes(subject.as_bytes()), self.bytes(text.as_bytes()));
                (format!("$send {to} {subject} {text}"), 260)
            }
            Ask::Trap => {
                writeln!(self.run, "(unreachable)").unwrap();
                return;
            }
        };
        let at = 2056 + nth;
        writeln!(self.run, "(call {call} (i32.const 256))").unwrap();
        writeln!(
            self.run,
            "(i32.store8 (i32.const {at}) (if (result i32) (i32.load8_u (i32.const 256))
               (then (i32.load8_u (i32.add (i32.const 2000) (i32.load8_u (i32.const {error}))))) (else (i32.const 111))))"
        )
        .unwrap();
    }
}

/// The module.
pub(crate) fn asks(asks: &[Ask]) -> Vec<u8> {
    assert!(asks.len() < 1_000, "the letters would run into the data");
    let mut code = Code { data: String::new(), next: 4096, run: String::new() };
    asks.iter().enumerate().for_each(|(nth, ask)| code.call(nth, ask));
    let Code { data, run, .. } = code;
    let end = 2056 + asks.len();
    let memory = r#"(memory (core memory $rt "memory")) (realloc (core func $rt "realloc")) string-encoding=utf8"#;
    let functions = [
        ("http", "request"),
        ("files", "read"),
        ("files", "list"),
        ("files", "write"),
        ("registry", "count"),
        ("registry", "register"),
        ("workflow", "enqueue"),
        ("outbox", "send"),
    ];
    let lowered: String = functions
        .iter()
        .map(|(interface, name)| format!("(core func ${name} (canon lower (func ${interface} \"{name}\") {memory}))\n"))
        .collect();
    let error = r#"(alias outer 1 $error (type $e)) (export "error" (type $err (eq $e)))"#;
    let runtime = RUNTIME.replace("PAGES", "40");
    let lifted = lift("side-effect", "", "utf8");
    binary(&format!(
        r#"(component
      (import "enact:capability/fault@0.1.0" (instance $fault
        (type $e (variant (case "denied" string) (case "limit" string) (case "unavailable" string) (case "invalid" string)))
        (export "error" (type (eq $e)))))
      (alias export $fault "error" (type $error))
      (import "enact:capability/http@0.1.0" (instance $http {error}
        (type $c (record (field "method" string) (field "url" string) (field "headers" (list (tuple string string)))
          (field "body" (list u8))))
        (export "call" (type $call (eq $c)))
        (type $r (record (field "status" u16) (field "headers" (list (tuple string string))) (field "body" (list u8))))
        (export "response" (type $response (eq $r)))
        (export "request" (func (param "call" $call) (result (result $response (error $err)))))))
      (import "enact:capability/files@0.1.0" (instance $files {error}
        (export "read" (func (param "path" string) (result (result (list u8) (error $err)))))
        (export "list" (func (param "path" string) (result (result (list string) (error $err)))))
        (type $w (enum "created" "replaced" "exists"))
        (export "written" (type $written (eq $w)))
        (export "write" (func (param "path" string) (param "content" (list u8)) (param "replace" bool)
          (result (result $written (error $err)))))))
      (import "enact:capability/registry@0.1.0" (instance $registry {error}
        (export "register" (func (param "store" string) (param "key" string) (param "value" string)
          (result (result (option string) (error $err)))))
        (export "count" (func (param "store" string) (result (result u64 (error $err)))))))
      (import "enact:capability/workflow@0.1.0" (instance $workflow {error}
        (export "enqueue" (func (param "workflow" string) (param "payload" string) (result (result string (error $err)))))))
      (import "enact:capability/outbox@0.1.0" (instance $outbox {error}
        (type $m (record (field "to" (list string)) (field "subject" string) (field "text" string)))
        (export "message" (type $message (eq $m)))
        (export "send" (func (param "message" $message) (result (result string (error $err)))))))
      (core module $runtime {runtime})
      (core instance $rt (instantiate $runtime))
      {lowered}
      (core module $m
        (import "rt" "memory" (memory 1))
        (import "rt" "success" (func $success (param i32 i32) (result i32)))
        (import "host" "request" (func $request (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))
        (import "host" "read" (func $read (param i32 i32 i32)))
        (import "host" "list" (func $list (param i32 i32 i32)))
        (import "host" "write" (func $write (param i32 i32 i32 i32 i32 i32)))
        (import "host" "count" (func $count (param i32 i32 i32)))
        (import "host" "register" (func $register (param i32 i32 i32 i32 i32 i32 i32)))
        (import "host" "enqueue" (func $enqueue (param i32 i32 i32 i32 i32)))
        (import "host" "send" (func $send (param i32 i32 i32 i32 i32 i32 i32)))
        (data (i32.const 2000) "dlui")
        (data (i32.const 2048) "{{\22out\22:\22")
        (data (i32.const {end}) "\22}}")
        {data}
        (func (export "run") (param $c i32) (param $cl i32) (param $op i32) (param $opl i32) (param $in i32) (param $len i32)
          (param $store i32) (param $store_len i32) (param $k i32) (param $kl i32) (result i32)
          {run} (call $success (i32.const 2048) (i32.const {len}))))
      (core instance $main (instantiate $m (with "rt" (instance $rt)) (with "host" (instance
        (export "request" (func $request)) (export "read" (func $read)) (export "list" (func $list)) (export "write" (func $write))
        (export "count" (func $count)) (export "register" (func $register)) (export "enqueue" (func $enqueue)) (export "send" (func $send))))))
      (core instance $i (export "run" (func $main "run")) (export "memory" (memory $rt "memory"))
        (export "realloc" (func $rt "realloc")))
      (type $call (record (field "capability" string) (field "operation" string) (field "inputs" string) (field "store" string)
        (field "idempotency-key" string)))
      (type $outcome (record (field "status" string) (field "outputs" string)))
      {lifted} )"#,
        len = end + 2 - 2048,
    ))
}

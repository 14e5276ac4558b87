//! A real mail server on this machine, in a process of its own (feature `outside`: Python 3.11 or older, whose library has one).
use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::{list, run, say, states, workspace};
use crate::support::{Ran, Scratch, ran};

/// Says what it takes, a line each; refuses one recipient, and goes away in the middle of one letter.
const SERVER: &str = r#"
import asyncore, json, os, smtpd, sys, warnings
class Server(smtpd.SMTPServer):
    def process_message(self, peer, sender, to, data, **more):
        text = data.decode()
        print(json.dumps({"from": sender, "to": to, "text": text}), flush=True)
        if "refuse" in text: return "550 no"
        if "vanish" in text: os._exit(0)
server = Server(("127.0.0.1", 0), None)
print(server.socket.getsockname()[1], flush=True)
asyncore.loop()
"#;

/// Speaks TLS from the start, by a certificate that nobody has signed, and says what it hears afterwards, or that it hears nothing.
const STRANGER: &str = r#"
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    connection, _ = listener.accept()
    try:
        with context.wrap_socket(connection, server_side=True) as stream:
            stream.sendall(b"220 localhost\r\n")
            print("heard", stream.recv(4096), flush=True)
    except OSError as error:
        print("nothing", error, flush=True)
"#;

struct Relay {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    port: u16,
}

impl Relay {
    fn start() -> Self {
        Self::run(&["-W", "ignore", "-c", SERVER])
    }

    fn run(args: &[&str]) -> Self {
        let mut command = Command::new("python3");
        command.args(args).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("`python3` cannot be started ({e})"));
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().unwrap_or_else(|| panic!("the server did not start: its library came with Python up to 3.11")).unwrap();
        Self { child, lines, port: port.parse().unwrap() }
    }

    fn took(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn send(scratch: &Scratch, port: u16, more: &[&str]) -> Ran {
    let mut command = scratch.command();
    command.env("ENACT_SMTP_URL", format!("smtp://127.0.0.1:{port}")).args(["outbox", "send", "--json"]).args(more);
    ran(&command.output().unwrap())
}

#[test]
fn b_32_a_relay_with_a_certificate_that_nobody_signed_is_told_nothing() {
    let scratch = workspace(&[say(&["a@desk.example"], "s", "t")]);
    run(&scratch);
    let [key, certificate] = ["key.pem", "certificate.pem"].map(|name| scratch.path().join(name).to_string_lossy().into_owned());
    let made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost", "-addext"];
    let made = Command::new("openssl").args(made).args(["subjectAltName=DNS:localhost", "-keyout", &key, "-out", &certificate]).output();
    assert!(made.as_ref().is_ok_and(|made| made.status.success()), "{made:?}");
    let mut relay = Relay::run(&["-c", STRANGER, &certificate, &key]);
    let mut command = scratch.command();
    command.env("ENACT_SMTP_URL", format!("smtps://ann:geheim@localhost:{}", relay.port)).args(["outbox", "send", "--json"]);
    let sent = ran(&command.output().unwrap()).exits(3);
    assert_eq!(states(&scratch), ["FAILED"], "{sent:?}");
    assert!(!format!("{sent:?}").contains("geheim"));
    let heard = relay.lines.next().unwrap().unwrap();
    assert!(heard.starts_with("nothing"), "{heard}");
}

#[test]
fn b_32_a_relay_takes_a_letter_refuses_one_and_vanishes_in_another() {
    let mut relay = Relay::start();
    let scratch = workspace(&[
        say(&["a@desk.example", "ann@mail.example"], "Grüße", "One\n.\nTwo\n"),
        say(&["b@desk.example"], "s", "refuse"),
        say(&["c@desk.example"], "s", "vanish"),
    ]);
    run(&scratch);
    let sent = send(&scratch, relay.port, &[]).exits(3);
    assert_eq!(states(&scratch), ["SENT", "FAILED", "SENDING"], "{sent:?}");
    let (first, ids) = (relay.took(), list(&scratch));
    assert_eq!((&first["from"], first["to"].as_array().unwrap().len()), (&"host@enact.example".into(), 2), "{first}");
    let text = first["text"].as_str().unwrap();
    assert!(
        text.contains(&format!("Message-ID: <{}@enact.example>", ids[0]["id"].as_str().unwrap())) && text.contains("One\n.\nTwo"),
        "{text}"
    );
    // Refused is sent again by itself; what may have arrived is not.
    let mut other = Relay::start();
    send(&scratch, other.port, &[]).exits(3);
    assert!(other.took()["text"].as_str().unwrap().contains("refuse"));
    let vanished = ids[2]["id"].as_str().unwrap();
    send(&scratch, other.port, &[vanished, "--again"]).exits(3);
    let (before, after) = ([relay.took(), relay.took()][1]["text"].clone(), other.took()["text"].clone());
    assert_eq!(before, after, "the same letter, under the same id");
    assert_eq!(list(&scratch)[2]["attempts"], 2);
}

//! To whom nothing is said without TLS (B-32): a relay that only claims to be one hears no name, no password and no letter.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpListener;
use std::thread::JoinHandle;
use std::time::Duration;

use enact_mail::{Error, Letter, Relay};

/// Says these lines, one after each that it hears, and gives back all that it has heard on the first connection.
fn claims(lines: &'static [&'static str]) -> (u16, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let hears = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut heard = Vec::new();
        let mut chunk = [0; 4096];
        for line in lines {
            let _ = stream.write_all(line.as_bytes());
            match stream.read(&mut chunk) {
                Ok(read) => heard.extend_from_slice(&chunk[..read]),
                Err(e) => assert!(matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::WouldBlock), "{e}"),
            }
        }
        heard
    });
    (port, hears)
}

fn refused(address: &str) {
    let letter =
        Letter { id: "MSG-1", from: "host@enact.example", to: &["ann@mail.example".to_owned()], subject: "s", text: "t", at_micros: 0 };
    let relay = Relay::new(address).unwrap();
    let answer = relay.send(&letter);
    assert!(matches!(&answer, Err(Error::Refused(why)) if !why.contains("geheim")), "{answer:?}");
    assert!(!format!("{relay:?}").contains("geheim"));
}

#[test]
fn b_32_a_relay_elsewhere_that_offers_no_tls_hears_a_greeting_and_no_more() {
    let (port, hears) = claims(&["220 relay.example\r\n", "250-relay.example\r\n250 AUTH PLAIN LOGIN\r\n", "221 bye\r\n"]);
    // This machine under an address that does not say so.
    refused(&format!("smtp://ann:geheim@[::ffff:127.0.0.1]:{port}"));
    let heard = String::from_utf8(hears.join().unwrap()).unwrap();
    let commands: Vec<&str> = heard.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(commands.first() == Some(&"EHLO") && commands.iter().all(|command| ["EHLO", "QUIT"].contains(command)), "{heard:?}");
}

#[test]
fn b_32_a_relay_that_speaks_no_tls_where_it_begins_with_it_hears_nothing_that_can_be_read() {
    let (port, hears) = claims(&["220 relay.example\r\n", "250-relay.example\r\n250 AUTH PLAIN LOGIN\r\n"]);
    refused(&format!("smtps://ann:geheim@127.0.0.1:{port}"));
    let heard = hears.join().unwrap();
    // A handshake record of TLS: RFC 8446, 5.1.
    assert_eq!(heard.first(), Some(&22), "{heard:?}");
    assert!(!heard.windows(4).any(|bytes| bytes == b"EHLO" || bytes == b"AUTH"), "{heard:?}");
}

//! One letter as mail programs read it. Headers come from a library that encodes and folds them; nothing is pasted together here.
use std::time::{Duration, SystemTime};

use lettre::Message;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;

use crate::Error;

/// A letter.
#[derive(Debug, Clone, Copy)]
pub struct Letter<'a> {
    /// What it is known by: equal however often it is sent.
    pub id: &'a str,
    /// From whom.
    pub from: &'a str,
    /// To whom.
    pub to: &'a [String],
    /// One line.
    pub subject: &'a str,
    /// Plain text.
    pub text: &'a str,
    /// When it was written, in microseconds since 1970.
    pub at_micros: i64,
}

impl Letter<'_> {
    /// As it is sent.
    ///
    /// # Errors
    /// [`Error::Refused`] for an address that is none, or nobody to write to.
    pub(crate) fn message(&self) -> Result<Message, Error> {
        let refused = |what: &str, e: &dyn std::fmt::Display| Error::Refused(format!("{what}: {e}"));
        let mailbox = |address: &str| {
            let address = address.parse().map_err(|e| refused(&format!("`{}` is no address", address.escape_debug()), &e))?;
            Ok::<_, Error>(Mailbox::new(None, address))
        };
        let from = mailbox(self.from)?;
        let id = format!("<{}@{}>", self.id, from.email.domain());
        let at = SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(self.at_micros).unwrap_or(0));
        let mut builder = Message::builder().from(from).subject(self.subject).message_id(Some(id)).date(at);
        for address in self.to {
            builder = builder.to(mailbox(address)?);
        }
        builder.header(ContentType::TEXT_PLAIN).body(self.text.to_owned()).map_err(|e| refused("the letter cannot be written", &e))
    }
}

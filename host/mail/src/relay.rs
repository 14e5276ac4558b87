//! A relay that takes letters by SMTP: with TLS, or on this machine.
use std::time::Duration;

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{SmtpTransport, Transport as _};
use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::{Error, Letter, NoWay};

/// How long the relay may say nothing.
const SILENCE: Duration = Duration::from_secs(30);
/// Ports without one in the address: submission with TLS from the start, and with STARTTLS.
const PORTS: [u16; 2] = [465, 587];

/// A relay.
pub struct Relay {
    transport: SmtpTransport,
    /// Without credentials.
    name: String,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Relay {
    /// `smtps://[USER:PASSWORD@]HOST[:PORT]`, or `smtp://…`: TLS by STARTTLS, without which only this machine is talked to.
    ///
    /// # Errors
    /// [`NoWay`].
    pub fn new(address: &str) -> Result<Self, NoWay> {
        let url = Url::parse(address.trim()).map_err(|_| NoWay::Address)?;
        let wrapped = match url.scheme() {
            "smtps" => true,
            "smtp" => false,
            _ => return Err(NoWay::Address),
        };
        let host = url.host().ok_or(NoWay::Address)?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(NoWay::Address);
        }
        // What is not a special scheme keeps an address as a name.
        let here = match &host {
            Host::Domain(name) => *name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()),
            Host::Ipv4(ip) => ip.is_loopback(),
            Host::Ipv6(ip) => ip.is_loopback(),
        };
        let host = host.to_string().trim_matches(['[', ']']).to_owned();
        let tls = || TlsParameters::new(host.clone()).map_err(|e| NoWay::Tls(e.to_string()));
        let tls = match (wrapped, here) {
            (true, _) => Tls::Wrapper(tls()?),
            (false, true) => Tls::None,
            (false, false) => Tls::Required(tls()?),
        };
        let port = url.port().unwrap_or(PORTS[usize::from(!wrapped)]);
        let mut builder = SmtpTransport::builder_dangerous(&host).port(port).tls(tls).timeout(Some(SILENCE));
        if !url.username().is_empty() {
            let text = |part: &str| percent_decode_str(part).decode_utf8().map(String::from).map_err(|_| NoWay::Address);
            builder = builder.credentials(Credentials::new(text(url.username())?, text(url.password().unwrap_or_default())?));
        }
        Ok(Self { transport: builder.build(), name: format!("{}://{host}:{port}", url.scheme()) })
    }

    /// Its address without credentials.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Hands a letter over.
    ///
    /// # Errors
    /// [`Error::Refused`] when the relay said no or was not there, [`Error::Unknown`] when it fell silent in between.
    pub fn send(&self, letter: &Letter<'_>) -> Result<(), Error> {
        let message = letter.message()?;
        // A relay that is not there is told apart from one that goes away in the middle.
        match self.transport.test_connection() {
            Ok(true) => {}
            Ok(false) => return Err(Error::Refused(format!("{} does not answer", self.name))),
            Err(e) => return Err(Error::Refused(format!("{}: {e}", self.name))),
        }
        match self.transport.send(&message) {
            Ok(_) => Ok(()),
            Err(e) if e.is_permanent() || e.is_transient() || e.is_client() || e.is_tls() => {
                Err(Error::Refused(format!("{}: {e}", self.name)))
            }
            Err(e) => Err(Error::Unknown(format!("{}: {e}", self.name))),
        }
    }
}

//! Secrets of a workspace: put into headers by the host, looked for in what comes back. Neither a guest nor a record sees one.
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use cap_std::fs::{Dir, MetadataExt as _};
use enact_flow::artifact::{HttpGrant, is_secret_name};
use enact_wasm::{Fault, HttpResponse};

/// A shorter one would be found in answers that do not hold it.
const BYTES_MIN: usize = 8;
/// It has to fit a header.
const BYTES_MAX: u64 = 4 << 10;

/// The headers of a row with their secrets in place. Not printable on purpose.
#[derive(Default)]
pub(super) struct Filled {
    pub(super) headers: Vec<(String, String)>,
    secrets: Vec<String>,
}

/// Fills the headers of a row.
///
/// # Errors
/// [`Fault::Unavailable`] that names a secret which is not there or cannot be used; never its value.
pub(super) fn fill(dir: &Dir, grant: &HttpGrant) -> Result<Filled, Fault> {
    let mut filled = Filled::default();
    for (name, template) in &grant.headers {
        let mut value = String::with_capacity(template.len());
        let mut rest = template.as_str();
        while let Some((before, after)) = rest.split_once("{{secret:") {
            let (secret, after) = after.split_once("}}").unwrap_or((after, ""));
            let secret = read(dir, secret)?;
            value.push_str(before);
            value.push_str(&secret);
            filled.secrets.push(secret);
            rest = after;
        }
        value.push_str(rest);
        filled.headers.push((name.clone(), value));
    }
    Ok(filled)
}

pub(super) fn read(dir: &Dir, name: &str) -> Result<String, Fault> {
    let unusable = |why: &str| Fault::Unavailable(format!("secret `{name}`: {why}"));
    if !is_secret_name(name) {
        return Err(unusable("that is no name"));
    }
    let file = dir.open(format!("keys/secrets/{name}")).map_err(|_| unusable("it is not there"))?;
    let known = file.metadata().map_err(|_| unusable("it cannot be read"))?;
    if known.mode() & 0o077 != 0 {
        return Err(unusable("others than its owner may read the file"));
    }
    let mut bytes = Vec::new();
    file.take(BYTES_MAX.saturating_add(1)).read_to_end(&mut bytes).map_err(|_| unusable("it cannot be read"))?;
    let value = bytes.trim_ascii();
    if value.len() < BYTES_MIN || value.len() as u64 > BYTES_MAX || !value.iter().all(u8::is_ascii_graphic) {
        return Err(unusable("it is not between 8 and 4096 characters of plain text"));
    }
    String::from_utf8(value.to_vec()).map_err(|_| unusable("it is not text"))
}

impl Filled {
    /// An answer in which no secret was found, and could have been.
    ///
    /// # Errors
    /// [`Fault::Denied`].
    pub(super) fn cleared(&self, response: HttpResponse) -> Result<HttpResponse, Fault> {
        let encoded = |(name, value): &(String, String)| {
            name.eq_ignore_ascii_case("content-encoding") && !value.trim().eq_ignore_ascii_case("identity") && !value.trim().is_empty()
        };
        let why = match response {
            response if self.secrets.is_empty() => return Ok(response),
            response if response.headers.iter().any(encoded) => "the answer is encoded, and might hold a secret of the row",
            response if self.leaked(&response) => "the answer holds a secret of the row",
            response => return Ok(response),
        };
        Err(Fault::Denied(format!("http: {why}; nothing of it is kept")))
    }

    /// Whether an answer holds one of the secrets, as it is, in hexadecimal or in base 64. A peer that disguises it in another way is not
    /// found out: a secret is for a peer that may know it.
    fn leaked(&self, response: &HttpResponse) -> bool {
        let shapes: Vec<Vec<u8>> = self.secrets.iter().flat_map(|secret| shapes(secret.as_bytes())).collect();
        let within = |text: &[u8]| shapes.iter().any(|shape| holds(text, shape));
        within(&response.body) || response.headers.iter().any(|(name, value)| within(name.as_bytes()) || within(value.as_bytes()))
    }
}

fn holds(text: &[u8], shape: &[u8]) -> bool {
    // Letters are compared without case: hexadecimal has two spellings, and names of headers arrive in lower case.
    let Some(first) = shape.first() else { return false };
    text.windows(shape.len()).any(|window| window[0].eq_ignore_ascii_case(first) && window.eq_ignore_ascii_case(shape))
}

/// The texts that a secret leaves in common encodings of something that holds it.
fn shapes(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut shapes = vec![secret.to_vec(), hex::encode(secret).into_bytes()];
    for before in 0..3_usize {
        let mut text = vec![0; before];
        text.extend_from_slice(secret);
        // The characters that depend on the secret alone, wherever it starts within three octets.
        let (from, to) = ((before * 8).div_ceil(6), text.len() * 8 / 6);
        for alphabet in [&STANDARD, &URL_SAFE] {
            let encoded = alphabet.encode(&text);
            shapes.extend(encoded.as_bytes().get(from..to).map(<[u8]>::to_vec));
        }
    }
    shapes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaked(secret: &str, body: &[u8], header: &str) -> bool {
        let filled = Filled { headers: Vec::new(), secrets: vec![secret.to_owned()] };
        filled.leaked(&HttpResponse { status: 200, headers: vec![("x".to_owned(), header.to_owned())], body: body.to_vec() })
    }

    #[test]
    fn b_32_an_encoded_answer_is_not_looked_into_and_not_given_to_anybody() {
        let response = |encoding: &str| HttpResponse {
            status: 200,
            headers: vec![("content-encoding".to_owned(), encoding.to_owned())],
            body: b"?".to_vec(),
        };
        let filled = Filled { headers: Vec::new(), secrets: vec!["s3cr3t-t0ken".to_owned()] };
        for encoding in ["gzip", "br", "identity, gzip"] {
            assert!(matches!(filled.cleared(response(encoding)), Err(Fault::Denied(_))), "{encoding}");
            assert_eq!(Filled::default().cleared(response(encoding)), Ok(response(encoding)), "no secret, nothing to look for");
        }
        assert_eq!(filled.cleared(response("identity")), Ok(response("identity")));
    }

    #[test]
    fn b_32_a_secret_is_found_in_common_encodings_at_any_place() {
        let secret = "s3cr3t-t0ken";
        assert!(!leaked(secret, b"nothing of the kind", "s3cr3t"));
        assert!(leaked(secret, b"", "Bearer s3cr3t-t0ken"));
        for before in ["", "a", "ab", "abc", "user:"] {
            let text = format!("{before}{secret}and more");
            assert!(leaked(secret, text.as_bytes(), ""), "{before}");
            assert!(leaked(secret, hex::encode_upper(&text).as_bytes(), ""), "{before}");
            assert!(leaked(secret, STANDARD.encode(&text).as_bytes(), ""), "{before}");
            assert!(leaked(secret, URL_SAFE.encode(&text).as_bytes(), ""), "{before}");
        }
    }
}

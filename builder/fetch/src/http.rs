//! One request to an HTTP server.

use std::io::{self, Read};

use rustls_native_certs::load_native_certs;
use ureq::http::{Response, header};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};

use crate::error::Fault;
use crate::patience::Patience;
use crate::proxy::{self, Proxies};
use crate::registry::Pull;

/// An HTTP client for the addresses of one scheme.
pub(crate) fn agent(patience: &Patience, proxies: &Proxies, address: &str) -> Agent {
    let proxy = proxies.of(address);
    let config = Agent::config_builder()
        .timeout_connect(Some(patience.connect))
        .timeout_resolve(Some(patience.connect))
        .timeout_per_read(Some(patience.stall))
        .timeout_per_write(Some(patience.stall))
        .http_status_as_error(false)
        .max_redirects(5)
        // The bytes as they are on the mirror's disk: sizes, ranges and digests are of those.
        .accept_encoding("identity")
        .tls_config(TlsConfig::builder().root_certs(roots()).build())
        .proxy(proxy)
        .user_agent(concat!("geminios/", env!("CARGO_PKG_VERSION")))
        .build();
    proxy::agent(config)
}

/// The certificates that this host trusts, which a company may have added to; Mozilla's if it has none.
fn roots() -> RootCerts {
    let host = load_native_certs().certs;
    if host.is_empty() {
        return RootCerts::WebPki;
    }
    RootCerts::new_with_certs(
        &host.iter().map(|cert| Certificate::from_der(cert).to_owned()).collect::<Vec<_>>(),
    )
}

/// Asks for a file from byte `from` on; a registry that wants a token is asked again with one.
pub(crate) fn get(
    agent: &Agent,
    address: &str,
    from: u64,
    patience: &Patience,
    pull: Option<&Pull<'_>>,
) -> Result<Response<Body>, Fault> {
    let mut response = ask(agent, address, from, patience, pull)?;
    if let (401, Some(pull)) = (response.status().as_u16(), pull)
        && pull.log_in(&response, patience)?
    {
        response = ask(agent, address, from, patience, Some(pull))?;
    }
    match response.status().as_u16() {
        200 | 206 | 416 => Ok(response),
        404 | 410 => Err(Fault::NotThere),
        other => Err(Fault::Status(other)),
    }
}

fn ask(
    agent: &Agent,
    address: &str,
    from: u64,
    patience: &Patience,
    pull: Option<&Pull<'_>>,
) -> Result<Response<Body>, Fault> {
    let mut request = agent.get(address);
    if from > 0 {
        request = request.header(header::RANGE, format!("bytes={from}-"));
    }
    for (name, value) in pull.map(Pull::headers).unwrap_or_default() {
        request = request.header(name, value);
    }
    request.call().map_err(|error| fault(error, patience))
}

/// A file of unknown size, up to `limit` bytes.
pub(crate) fn small(
    agent: &Agent,
    address: &str,
    limit: u64,
    patience: &Patience,
    pull: Option<&Pull<'_>>,
) -> Result<Vec<u8>, Fault> {
    let mut response = get(agent, address, 0, patience, pull)?;
    if response.status() != 200 {
        return Err(Fault::Status(response.status().as_u16()));
    }
    whole(&mut response.body_mut().as_reader(), limit, patience)
}

/// All that a reader gives, if it is no more than `limit` bytes.
pub(crate) fn whole(reader: &mut dyn Read, limit: u64, patience: &Patience) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let read = reader.take(limit + 1).read_to_end(&mut bytes);
    let got = bytes.len() as u64;
    read.map_err(|error| Fault::Connection(format!("cut off after {got} bytes: {}", cut(&error, patience))))?;
    if got > limit { Err(Fault::TooLong(limit)) } else { Ok(bytes) }
}

/// How many bytes an answer says to have.
pub(crate) fn length(response: &Response<Body>) -> Option<u64> {
    response.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// Whether an answer goes on at byte `from` of a file of `size` bytes (RFC 9110, section 14.4).
pub(crate) fn continues(response: &Response<Body>, from: u64, size: u64) -> bool {
    let range = response.headers().get(header::CONTENT_RANGE).and_then(|value| value.to_str().ok());
    let whole = format!("bytes {from}-{}/", size.saturating_sub(1));
    let total = range.and_then(|range| range.strip_prefix(&whole));
    total.is_some_and(|total| total == "*" || total == size.to_string())
        && length(response).is_none_or(|length| length == size - from)
}

fn fault(error: ureq::Error, patience: &Patience) -> Fault {
    match error {
        ureq::Error::Timeout(ureq::Timeout::PerRead) => {
            Fault::Connection(format!("no answer for {:?}", patience.stall))
        }
        ureq::Error::Timeout(_) => Fault::Connection(format!("no connection within {:?}", patience.connect)),
        ureq::Error::HostNotFound => Fault::Connection("its name is not known to the DNS".into()),
        ureq::Error::Io(error) => Fault::Connection(error.to_string()),
        ureq::Error::TooManyRedirects => Fault::Refused("it redirects in a circle, or too often".into()),
        ureq::Error::ConnectProxyFailed(reason) => {
            Fault::Refused(format!("the proxy does not let us through: {reason}"))
        }
        error @ (ureq::Error::BadUri(_)
        | ureq::Error::Http(_)
        | ureq::Error::Tls(_)
        | ureq::Error::Rustls(_)) => Fault::Refused(error.to_string()),
        error => Fault::Connection(error.to_string()),
    }
}

/// Why the next bytes did not come.
pub(crate) fn cut(error: &io::Error, patience: &Patience) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
    match inner {
        Some(ureq::Error::Timeout(_)) => format!("nothing came for {:?}", patience.stall),
        _ => error.to_string(),
    }
}

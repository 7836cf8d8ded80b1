//! The HTTP proxies of the environment.
//!
//! ureq asks every proxy for a tunnel (CONNECT). Caches of packages and proxies of companies mostly refuse one to
//! port 80, so plain HTTP is asked for by its whole address, as apt and curl do (RFC 9112, section 3.2.2).

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ureq::config::Config;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, DefaultConnector, NextTimeout, TcpConnector, Transport,
};
use ureq::{Agent, Error, Proxy, ProxyProtocol};

/// Proxies by the scheme of the address that is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies {
    pub http: Option<Proxy>,
    pub https: Option<Proxy>,
}

impl Proxies {
    /// `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, in small or capital letters, as curl reads them.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| {
            let value = variable(name).or_else(|| variable(&name.to_uppercase()));
            value.filter(|value| !value.trim().is_empty())
        };
        let except = get("no_proxy").unwrap_or_default();
        let proxy = |name| get(name).or_else(|| get("all_proxy")).and_then(|value| parse(&value, &except));
        Proxies { http: proxy("http_proxy"), https: proxy("https_proxy") }
    }

    pub fn of(&self, address: &str) -> Option<Proxy> {
        if address.starts_with("https:") { self.https.clone() } else { self.http.clone() }
    }
}

fn parse(value: &str, except: &str) -> Option<Proxy> {
    let given = Proxy::new(value.trim()).ok()?;
    let mut builder = Proxy::builder(given.protocol()).host(given.host()).port(given.port());
    if let Some(name) = given.username() {
        builder = builder.username(name);
    }
    if let Some(password) = given.password() {
        builder = builder.password(password);
    }
    for host in except.split([',', ' ']).filter(|host| !host.is_empty()) {
        builder = builder.no_proxy(host);
    }
    builder.build().ok()
}

/// An HTTP client that uses its proxy for plain HTTP as a proxy, not as a tunnel.
pub(crate) fn agent(config: Config) -> Agent {
    Agent::with_parts(config, Doors(DefaultConnector::new()), DefaultResolver::default())
}

/// Opens connections: to a proxy where plain HTTP goes by one, else as ureq does.
#[derive(Debug)]
struct Doors(DefaultConnector);

impl Connector<()> for Doors {
    type Out = Box<dyn Transport>;

    fn connect(&self, to: &ConnectionDetails, _: Option<()>) -> Result<Option<Self::Out>, Error> {
        let proxy = to.config.proxy().filter(|proxy| {
            proxy.protocol() == ProxyProtocol::Http && !to.needs_tls() && !proxy.is_no_proxy(to.uri)
        });
        let (Some(proxy), Some(host)) = (proxy, to.uri.host()) else { return self.0.connect(to, None) };
        let port = to.uri.port_u16().unwrap_or(80);
        let details = ConnectionDetails {
            uri: proxy.uri(),
            addrs: to.resolver.resolve(proxy.uri(), to.config, to.timeout)?,
            config: to.config,
            request_level: to.request_level,
            resolver: to.resolver,
            now: to.now,
            timeout: to.timeout,
            current_time: to.current_time.clone(),
            run_connector: to.run_connector.clone(),
            register_shutdown: to.register_shutdown.clone(),
        };
        let Some(tcp) = TcpConnector::default().connect(&details, None::<()>)? else { return Ok(None) };
        let mut lines = String::new();
        if let Some(name) = proxy.username() {
            let secret = BASE64_STANDARD.encode(format!("{name}:{}", proxy.password().unwrap_or_default()));
            lines = format!("Proxy-Authorization: Basic {secret}\r\n");
        }
        Ok(Some(Box::new(ByProxy { tcp: Box::new(tcp), host: format!("http://{host}:{port}"), lines })))
    }
}

/// A connection to a proxy: the first line of a request names the host, too.
struct ByProxy {
    tcp: Box<dyn Transport>,
    host: String,
    /// Header lines for the proxy.
    lines: String,
}

impl ByProxy {
    /// Writes the request in the output buffer anew; gives its length.
    fn readdress(&mut self, amount: usize) -> Result<usize, Error> {
        let output = self.tcp.buffers().output();
        let head = output[..amount].to_vec();
        let (Some(path), Some(end)) =
            (head.strip_prefix(b"GET "), head.windows(2).position(|w| w == b"\r\n"))
        else {
            return Ok(amount);
        };
        let line = &path[..end - 4];
        let rest = &head[end + 2..];
        let whole = [b"GET ", self.host.as_bytes(), line, b"\r\n", self.lines.as_bytes(), rest].concat();
        output
            .get_mut(..whole.len())
            .ok_or(Error::LargeResponseHeader(whole.len(), amount))?
            .copy_from_slice(&whole);
        Ok(whole.len())
    }
}

impl Transport for ByProxy {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.tcp.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let amount = self.readdress(amount)?;
        self.tcp.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.tcp.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.tcp.is_open()
    }
}

impl fmt::Debug for ByProxy {
    /// Without the header lines, which hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByProxy").field("tcp", &self.tcp).field("host", &self.host).finish_non_exhaustive()
    }
}

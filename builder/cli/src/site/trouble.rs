//! Why a node's management port gave no answer, and what to do.

use rustls::{AlertDescription, CertificateError, Error as Tls};

use super::Credentials;

/// `node`: as the user called it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Trouble {
    #[error(
        "{node} is not reached: {why}\n  help: is it on, and is that where it is? On it: systemctl status geminios-management"
    )]
    Unreached { node: String, why: String },
    #[error(
        "{node} hung up\n  help: it does so while it has too many connections; on it: journalctl -u geminios-management"
    )]
    HungUp { node: String },
    #[error(
        "what answers at {node} is no management port: {why}\n  help: it is port 7443 if nothing else was set"
    )]
    Foreign { node: String, why: String },
    #[error(
        "the certificate of {node} is not of the authority in {authority}\n  help: take the credentials of its site; if these are, somebody else answers in its place"
    )]
    NodeUnknown { node: String, authority: String },
    #[error(
        "the certificate of {node} is not for this name: {why}\n  help: call it by a name or an address that is in its certificate"
    )]
    NodeName { node: String, why: String },
    #[error(
        "the certificate of {node} does not hold now: {why}\n  help: if the clock of this host is right, put a new one into /var/lib/geminios/management on the node"
    )]
    NodeEnded { node: String, why: String },
    #[error("the certificate of {node} is not taken: {why}")]
    NodeBad { node: String, why: String },
    #[error(
        "{node} does not take {certificate}: it has ended, or does not hold yet by the clock of the node\n  help: have a new one made by the site's authority"
    )]
    ClientEnded { node: String, certificate: String },
    #[error(
        "{node} does not take {certificate}: it is not of the authority that the node knows\n  help: take the credentials of its site"
    )]
    ClientUnknown { node: String, certificate: String },
    #[error(
        "{node} does not take {certificate}: {why}\n  help: it has to be a client's certificate (extended key usage) of the site's authority"
    )]
    ClientBad { node: String, certificate: String, why: String },
    /// This certificate may not do that.
    #[error("{node} says: {said}")]
    Denied { node: String, said: String },
    /// The node's own words.
    #[error("{node} says: {said}")]
    Said { node: String, said: String },
}

impl Trouble {
    /// The node's own, so that the other one may be well.
    pub fn is_of_node(&self) -> bool {
        matches!(self, Trouble::Unreached { .. } | Trouble::HungUp { .. } | Trouble::Said { .. })
    }

    pub fn of(node: &str, credentials: &Credentials, error: &ureq::Error) -> Self {
        let node = node.to_owned();
        if let Some(error) = tls(error) {
            return Self::of_tls(node, credentials, error);
        }
        match error {
            ureq::Error::HostNotFound => {
                Trouble::Unreached { node, why: "its name is not known to the DNS".into() }
            }
            ureq::Error::Timeout(_) => Trouble::Unreached { node, why: "it does not answer in time".into() },
            ureq::Error::ConnectionFailed => Trouble::Unreached { node, why: "no connection".into() },
            ureq::Error::Io(io) => {
                use std::io::ErrorKind as Kind;
                match io.kind() {
                    Kind::UnexpectedEof
                    | Kind::ConnectionReset
                    | Kind::BrokenPipe
                    | Kind::ConnectionAborted => Trouble::HungUp { node },
                    _ => Trouble::Unreached { node, why: io.to_string() },
                }
            }
            other => Trouble::Foreign { node, why: other.to_string() },
        }
    }

    fn of_tls(node: String, credentials: &Credentials, error: &Tls) -> Self {
        let certificate = credentials.certificate.display().to_string();
        match error {
            Tls::InvalidCertificate(bad) => match bad {
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    Trouble::NodeUnknown { node, authority: credentials.authority.display().to_string() }
                }
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    Trouble::NodeName { node, why: bad.to_string() }
                }
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    Trouble::NodeEnded { node, why: "it has ended".into() }
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    Trouble::NodeEnded { node, why: "it does not hold yet".into() }
                }
                other => Trouble::NodeBad { node, why: other.to_string() },
            },
            Tls::AlertReceived(AlertDescription::CertificateExpired) => {
                Trouble::ClientEnded { node, certificate }
            }
            Tls::AlertReceived(AlertDescription::UnknownCA) => Trouble::ClientUnknown { node, certificate },
            Tls::AlertReceived(
                alert @ (AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRequired
                | AlertDescription::CertificateUnknown
                | AlertDescription::AccessDenied),
            ) => Trouble::ClientBad { node, certificate, why: format!("it says {alert:?}") },
            other => Trouble::Foreign { node, why: other.to_string() },
        }
    }
}

/// That of TLS, however deep it is.
fn tls(error: &ureq::Error) -> Option<&Tls> {
    match error {
        ureq::Error::Rustls(tls) => Some(tls),
        ureq::Error::Io(io) => {
            let inner = io.get_ref()?;
            inner.downcast_ref::<Tls>().or_else(|| tls(inner.downcast_ref::<ureq::Error>()?))
        }
        _ => None,
    }
}

//! AWS Signature Version 4 in the `Authorization` header ("Authenticating Requests: Using the Authorization Header", Amazon S3 API
//! Reference). Secrets only enter HMACs.

use std::fmt::Write as _;

use hmac::Mac as _;
use sha2::{Digest as _, Sha256};

use crate::key::mac_with;

/// Who asks.
#[derive(Clone)]
pub struct Secret {
    pub access_key: String,
    pub secret_key: String,
}

/// A request before it is signed. Header names are in lower case.
pub struct Request<'a> {
    pub method: &'a str,
    /// Escaped already.
    pub path: &'a str,
    pub headers: Vec<(&'a str, String)>,
    pub body: &'a [u8],
}

/// Adds the headers that sign the request; `host` is among its headers. `now` is as [`crate::time::basic`] writes it.
pub fn sign(request: &mut Request<'_>, secret: &Secret, region: &str, now: &str) {
    let body = hex::encode(Sha256::digest(request.body));
    request.headers.push(("x-amz-content-sha256", body.clone()));
    request.headers.push(("x-amz-date", now.to_owned()));
    request.headers.sort();
    let mut headers = String::new();
    for (name, value) in &request.headers {
        // Nothing here can fail: it is written to a string.
        let _ = writeln!(headers, "{name}:{}", value.trim());
    }
    let names: Vec<&str> = request.headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let canonical = format!("{}\n{}\n\n{headers}\n{names}\n{body}", request.method, request.path);
    let day = &now[..8];
    let scope = format!("{day}/{region}/s3/aws4_request");
    let text = format!("AWS4-HMAC-SHA256\n{now}\n{scope}\n{}", hex::encode(Sha256::digest(canonical)));
    let mut key = format!("AWS4{}", secret.secret_key).into_bytes();
    for part in [day, region, "s3", "aws4_request"] {
        key = mac(&key, part);
    }
    let signature = hex::encode(mac(&key, &text));
    let value = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope},SignedHeaders={names},Signature={signature}",
        secret.access_key
    );
    request.headers.push(("authorization", value));
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    mac_with(key, &[text.as_bytes()]).finalize().into_bytes().to_vec()
}

/// A path with all but `/` and what RFC 3986 section 2.3 calls unreserved escaped.
pub fn escape(path: &str) -> String {
    let mut escaped = String::new();
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                escaped.push(char::from(byte));
            }
            _ => drop(write!(escaped, "%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of "Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk".
    #[test]
    fn amazons_examples() {
        let secret = Secret {
            access_key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
        };
        let host = ("host", "examplebucket.s3.amazonaws.com".to_owned());
        let get = Request {
            method: "GET",
            path: "/test.txt",
            headers: vec![host.clone(), ("range", "bytes=0-9".to_owned())],
            body: b"",
        };
        let put = Request {
            method: "PUT",
            path: &escape("/test$file.text"),
            headers: vec![
                host,
                ("date", "Fri, 24 May 2013 00:00:00 GMT".to_owned()),
                ("x-amz-storage-class", "REDUCED_REDUNDANCY".to_owned()),
            ],
            body: b"Welcome to Amazon S3.",
        };
        for (mut request, signature) in [
            (get, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
            (put, "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
        ] {
            sign(&mut request, &secret, "us-east-1", "20130524T000000Z");
            let (_, value) = request.headers.last().unwrap();
            assert!(value.ends_with(signature), "{value}");
        }
    }
}

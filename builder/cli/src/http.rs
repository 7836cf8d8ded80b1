//! A server of static files, as much of HTTP/1.1 as fetching them needs: GET and HEAD, one Range, kept connections
//! (RFC 9110, RFC 9112).

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::net::TcpStream;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use percent_encoding::percent_decode_str;

/// Bytes of a request's head that are read.
const HEAD: u64 = 16 << 10;
const IDLE: Duration = Duration::from_secs(60);

struct Request {
    method: String,
    path: String,
    range: Option<String>,
    close: bool,
}

/// Answers the requests of one connection.
///
/// # Errors
/// Those of the connection.
pub fn attend(connection: &TcpStream, dir: &Path) -> io::Result<()> {
    connection.set_read_timeout(Some(IDLE))?;
    connection.set_write_timeout(Some(IDLE))?;
    let mut reader = BufReader::new(connection);
    while let Some(request) = read(&mut reader)? {
        answer(&request, dir, connection)?;
        if request.close {
            break;
        }
    }
    Ok(())
}

fn read(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut head = reader.take(HEAD);
    let mut line = String::new();
    if head.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let old = words.next() != Some("HTTP/1.1");
    let mut request = Request { method: method.into(), path: path.into(), range: None, close: old };
    loop {
        let mut line = String::new();
        if head.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some((name, value)) = line.split_once(':') else {
            if line.trim_end().is_empty() {
                return Ok(Some(request));
            }
            return Err(io::ErrorKind::InvalidData.into());
        };
        match name.to_ascii_lowercase().as_str() {
            "range" => request.range = Some(value.trim().to_owned()),
            "connection" => request.close |= value.trim().eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
}

fn answer(request: &Request, dir: &Path, mut out: impl Write) -> io::Result<()> {
    if !["GET", "HEAD"].contains(&request.method.as_str()) {
        return head(&mut out, "405 Method Not Allowed", 0, "Allow: GET, HEAD\r\n");
    }
    let Some(file) = file(dir, &request.path) else { return head(&mut out, "404 Not Found", 0, "") };
    let Ok(mut file) = File::open(file) else { return head(&mut out, "404 Not Found", 0, "") };
    let size = file.metadata()?.len();
    let (start, length) = match request.range.as_deref().map(|range| stretch(range, size)) {
        None | Some(Wish::All) => {
            head(&mut out, "200 OK", size, "Accept-Ranges: bytes\r\n")?;
            (0, size)
        }
        Some(Wish::Nothing) => {
            let more = format!("Content-Range: bytes */{size}\r\n");
            return head(&mut out, "416 Range Not Satisfiable", 0, &more);
        }
        Some(Wish::Some(start, length)) => {
            let more = format!("Content-Range: bytes {start}-{}/{size}\r\n", start + length - 1);
            head(&mut out, "206 Partial Content", length, &more)?;
            (start, length)
        }
    };
    if request.method == "HEAD" {
        return Ok(());
    }
    file.seek(SeekFrom::Start(start))?;
    // A file that was cut meanwhile must not look like a whole answer: the connection ends.
    match io::copy(&mut file.take(length), &mut out)? == length {
        true => out.flush(),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn head(out: &mut impl Write, status: &str, length: u64, more: &str) -> io::Result<()> {
    write!(
        out,
        "HTTP/1.1 {status}\r\nContent-Type: application/octet-stream\r\nContent-Length: {length}\r\n{more}\r\n"
    )
}

/// The file that a request means, if it is one below the folder.
fn file(dir: &Path, path: &str) -> Option<PathBuf> {
    let path = path.split(['?', '#']).next()?;
    let path = percent_decode_str(path.strip_prefix('/')?).decode_utf8().ok()?;
    let path = Path::new(path.as_ref());
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    let file = dir.join(path);
    (plain && !path.as_os_str().is_empty() && file.is_file()).then_some(file)
}

enum Wish {
    All,
    /// First byte, and how many.
    Some(u64, u64),
    Nothing,
}

/// Reads `bytes=2-5`, `bytes=2-`, `bytes=-5`. What is not understood is ignored (RFC 9110, 14.2).
fn stretch(range: &str, size: u64) -> Wish {
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Wish::All;
    };
    let (start, end) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last.saturating_add(1).min(size)),
        (Ok(first), Err(_)) if last.is_empty() => (first, size),
        (Err(_), Ok(last)) if first.is_empty() => (size.saturating_sub(last), size),
        _ => return Wish::All,
    };
    if start < end { Wish::Some(start, end - start) } else { Wish::Nothing }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the server answers to a request's lines.
    fn told(dir: &Path, lines: &str) -> String {
        let text = format!("{lines}\r\n\r\n");
        let request = read(&mut text.as_bytes()).unwrap().unwrap();
        let mut out = Vec::new();
        answer(&request, dir, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn files_and_their_ranges_and_nothing_outside() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("served");
        std::fs::create_dir_all(dir.join("a b")).unwrap();
        std::fs::write(dir.join("a b/c"), "0123456789").unwrap();
        std::fs::write(folder.path().join("secret"), "s").unwrap();
        let get = |rest: &str| told(&dir, &format!("GET /a%20b/c HTTP/1.1{rest}"));
        let cases = [
            ("", "200 OK", "0123456789"),
            ("\r\nRange: bytes=2-4", "206 Partial Content", "234"),
            ("\r\nrange: bytes=7-", "206 Partial Content", "789"),
            ("\r\nRange: bytes=-2", "206 Partial Content", "89"),
            ("\r\nRange: bytes=8-99", "206 Partial Content", "89"),
            ("\r\nRange: bytes=10-", "416 Range Not Satisfiable", ""),
            ("\r\nRange: bytes=5-2", "200 OK", "0123456789"),
            ("\r\nRange: lines=1-2", "200 OK", "0123456789"),
        ];
        for (rest, status, body) in cases {
            let answer = get(rest);
            let (head, sent) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{rest}: {head}");
            assert!(head.contains(&format!("Content-Length: {}", body.len())), "{rest}: {head}");
            assert_eq!(sent, body, "{rest}");
        }
        assert!(get("\r\nRange: bytes=2-4").contains("Content-Range: bytes 2-4/10\r\n"));
        assert!(told(&dir, "HEAD /a%20b/c HTTP/1.1").ends_with("\r\n\r\n"));
        assert!(told(&dir, "PUT /a%20b/c HTTP/1.1").starts_with("HTTP/1.1 405"));
        for path in
            ["/../secret", "/%2e%2e/secret", "/a%20b/../../secret", "//etc/passwd", "/", "/a%20b", "x"]
        {
            assert!(told(&dir, &format!("GET {path} HTTP/1.1")).starts_with("HTTP/1.1 404"), "{path}");
        }
    }
}

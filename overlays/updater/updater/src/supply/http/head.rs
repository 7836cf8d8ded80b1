//! The head of an answer, as curl prints it before the body.

/// Most bytes of all heads before a body, redirections included.
const MOST: u64 = 64 << 10;

/// What is used of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    /// Content-Length: bytes of this body.
    pub length: Option<u64>,
    /// Content-Range: first byte, and bytes of the whole file.
    pub start: Option<u64>,
    pub total: Option<u64>,
    /// Content-Encoding, if it is one.
    pub encoding: Option<String>,
}

/// Reads a line with its end, at most so many bytes; nothing at the end of all.
pub type Lines<'a> = &'a mut dyn FnMut(&mut Vec<u8>, u64) -> std::io::Result<()>;

impl Head {
    /// The head of the answer that counts: after "100 Continue" and redirections. None at the end of all. `size` are its bytes.
    pub fn read(lines: Lines<'_>, size: &mut u64) -> Result<Option<Head>, String> {
        loop {
            let Some(first) = line(lines, size)? else { return Ok(None) };
            let Some(status) = status(&first) else {
                return Err("more came than was asked for, or it is no web server".to_owned());
            };
            let mut head = Head { status, ..Head::default() };
            let mut moved = false;
            loop {
                let Some(text) = line(lines, size)? else { return Ok(None) };
                if text.is_empty() {
                    break;
                }
                let (name, value) = text.split_once(':').unwrap_or((&text, ""));
                moved |= name.eq_ignore_ascii_case("location");
                head.take(&name.to_ascii_lowercase(), value.trim());
            }
            // curl follows, and prints the next head.
            let follows = matches!(status, 301 | 302 | 303 | 307 | 308) && moved;
            if status >= 200 && !follows {
                return Ok(Some(head));
            }
        }
    }

    fn take(&mut self, name: &str, value: &str) {
        match name {
            "content-length" => self.length = value.parse().ok(),
            "content-encoding" if !value.eq_ignore_ascii_case("identity") => {
                self.encoding = Some(value.chars().filter(char::is_ascii_graphic).take(40).collect());
            }
            "content-range" => {
                let range = value.strip_prefix("bytes ").and_then(|range| range.split_once('/'));
                if let Some((range, total)) = range {
                    self.start = range.split_once('-').and_then(|(start, _)| start.parse().ok());
                    self.total = total.parse().ok();
                }
            }
            _ => {}
        }
    }
}

fn line(lines: Lines<'_>, size: &mut u64) -> Result<Option<String>, String> {
    let mut bytes = Vec::new();
    lines(&mut bytes, MOST - *size).map_err(|error| error.to_string())?;
    *size += bytes.len() as u64;
    if bytes.last() != Some(&b'\n') {
        // Cut; or too long, which no more reading would change.
        return if *size < MOST { Ok(None) } else { Err("the head of its answer has no end".to_owned()) };
    }
    Ok(Some(String::from_utf8_lossy(&bytes).trim_end().to_owned()))
}

/// Of `HTTP/1.1 200 OK`.
fn status(line: &str) -> Option<u16> {
    let rest = line.strip_prefix("HTTP/")?;
    let code = rest.split_ascii_whitespace().nth(1)?;
    code.parse().ok().filter(|code| (100..=599).contains(code))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, Read as _};

    use super::*;

    fn read(text: &str) -> (Result<Option<Head>, String>, String) {
        let mut input = text.as_bytes();
        let head = Head::read(
            &mut |line, most| std::io::Read::take(&mut input, most).read_until(b'\n', line).map(drop),
            &mut 0,
        );
        let mut rest = String::new();
        input.read_to_string(&mut rest).unwrap();
        (head, rest)
    }

    #[test]
    fn the_last_head_counts_and_the_body_is_left() {
        let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 9\r\n\r\n\
                    HTTP/2 206 \r\nContent-Range: bytes 5-9/10\r\ncontent-LENGTH: 5\r\nContent-Encoding: gzip\r\n\r\nHTTP/";
        let (head, rest) = read(text);
        let expected = Head {
            status: 206,
            length: Some(5),
            start: Some(5),
            total: Some(10),
            encoding: Some("gzip".to_owned()),
        };
        assert_eq!((head, rest.as_str()), (Ok(Some(expected)), "HTTP/"));
    }

    #[test]
    fn what_is_no_head() {
        let endless = format!("HTTP/1.1 200 OK\r\n{}", "x: y\r\n".repeat(20_000));
        for text in ["garbage\n", "HTTP/1.1 banana\r\n\r\n", "\r\n", endless.as_str()] {
            assert!(read(text).0.is_err(), "{text:.20}");
        }
        for text in [
            "",
            "HTTP/1.1 200",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
            "HTTP/1.1 302 F\r\nlocation: x\r\n\r\n",
        ] {
            assert_eq!(read(text).0, Ok(None), "{text:?}");
        }
    }
}

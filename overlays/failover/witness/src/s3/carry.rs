//! Carries a signed request: plain http by itself, https by the system's curl, as the device has no TLS library.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::sign::Request;
use crate::time::Deadline;

/// Of an answer, in bytes: error documents are longer than registers.
const MOST: u64 = 64 << 10;

pub enum Carrier {
    Plain(ureq::Agent),
    /// The program, and the file with the certificates that it is to trust, if not the system's.
    Curl(PathBuf, Option<PathBuf>),
}

#[derive(Debug, Default)]
pub struct Response {
    pub status: u16,
    pub etag: Option<String>,
    pub date: Option<String>,
    pub body: Vec<u8>,
}

impl Carrier {
    pub fn plain() -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
        Carrier::Plain(config.build().new_agent())
    }

    pub fn send(
        &self,
        endpoint: &str,
        request: &Request<'_>,
        deadline: Deadline,
    ) -> Result<Response, String> {
        let url = format!("{endpoint}{}", request.path);
        match self {
            Carrier::Plain(agent) => plain(agent, &url, request, deadline),
            Carrier::Curl(program, trusted) => {
                let mut command = Command::new(program);
                // `-q` comes first: no settings of anybody else. What is secret goes in by the input: arguments are seen by all.
                command.args(["-q", "--config", "-"]);
                let mut settings = settings(&url, request, deadline);
                if let Some(trusted) = trusted {
                    settings += &format!("cacert = {}\n", quoted(&trusted.to_string_lossy()));
                }
                curl(command, &settings)
            }
        }
    }
}

fn plain(
    agent: &ureq::Agent,
    url: &str,
    request: &Request<'_>,
    deadline: Deadline,
) -> Result<Response, String> {
    let mut builder = ureq::http::Request::builder().method(request.method).uri(url);
    for (name, value) in &request.headers {
        builder = builder.header(*name, value);
    }
    let said = |error: ureq::Error| error.to_string();
    let sent = if request.method == "GET" {
        let request = builder.body(()).map_err(|error| error.to_string())?;
        agent.run(agent.configure_request(request).timeout_global(Some(deadline.left())).build())
    } else {
        let request = builder.body(request.body).map_err(|error| error.to_string())?;
        agent.run(agent.configure_request(request).timeout_global(Some(deadline.left())).build())
    };
    let mut response = sent.map_err(said)?;
    let header = |name| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
    let (etag, date) = (header("etag"), header("date"));
    let body = response.body_mut().with_config().limit(MOST).read_to_vec().map_err(said)?;
    Ok(Response { status: response.status().as_u16(), etag, date, body })
}

fn settings(url: &str, request: &Request<'_>, deadline: Deadline) -> String {
    // 0 would be no limit at all.
    let time = deadline.left().as_secs_f64().max(0.001);
    let mut text = format!(
        "url = {}\nrequest = {}\ninclude\nhttp1.1\ngloboff\nsilent\nshow-error\nproto = \"=https\"\nmax-time = {time:.3}\n\
         max-filesize = {MOST}\nsuppress-connect-headers\nheader = \"expect:\"\nheader = \"content-type:\"\n",
        quoted(url),
        quoted(request.method),
    );
    for (name, value) in &request.headers {
        text += &format!("header = {}\n", quoted(&format!("{name}: {value}")));
    }
    if request.method != "GET" {
        text += &format!("data-binary = {}\n", quoted(&String::from_utf8_lossy(request.body)));
    }
    text
}

/// A value of curl's settings (curl(1), "--config").
fn quoted(value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", value.replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t"))
}

/// Killed when it is not needed any more.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// curl ends by itself when `max-time` has passed (it is not asked to retry).
fn curl(mut command: Command, settings: &str) -> Result<Response, String> {
    let said = |error: std::io::Error| format!("curl: {error}");
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut running = Running(spawned.map_err(said)?);
    let (input, output, errors) = (running.0.stdin.take(), running.0.stdout.take(), running.0.stderr.take());
    let (Some(mut input), Some(mut output), Some(errors)) = (input, output, errors) else {
        return Err("curl has no input or output".to_owned());
    };
    // If it ended already, its status says why.
    let _ = input.write_all(settings.as_bytes());
    drop(input);
    let mut answer = Vec::new();
    output.by_ref().take(2 * MOST).read_to_end(&mut answer).map_err(said)?;
    let mut problem = String::new();
    let _ = errors.take(4096).read_to_string(&mut problem);
    let status = running.0.wait().map_err(said)?;
    if !status.success() {
        return Err(problem.lines().next().unwrap_or("curl failed, and said nothing").to_owned());
    }
    parse(&answer)
}

/// An answer as `--include` prints it; interim ones (1xx) come before it.
fn parse(answer: &[u8]) -> Result<Response, String> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let size = match response.parse(answer) {
        Ok(httparse::Status::Complete(size)) => size,
        _ => return Err("curl printed no answer that can be understood".to_owned()),
    };
    let status = response.code.unwrap_or_default();
    if (100..200).contains(&status) {
        return parse(&answer[size..]);
    }
    let header = |name: &str| {
        let found = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        Some(String::from_utf8_lossy(found.value).into_owned())
    };
    Ok(Response { status, etag: header("etag"), date: header("date"), body: answer[size..].to_vec() })
}

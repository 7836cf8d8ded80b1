//! How Go is called.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::{CompileError, at};
use crate::go::GoCaches;

/// What of the user's environment says where modules come from and how they are reached (`go help environment`,
/// Go's net/http and crypto/x509). Only fetching sees it.
const OF_THE_USER: [&str; 21] = [
    "GOAUTH",
    "GOENV",
    "GOINSECURE",
    "GONOPROXY",
    "GONOSUMDB",
    "GOPRIVATE",
    "GOPROXY",
    "GOSUMDB",
    "GOVCS",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NETRC",
    "NO_PROXY",
    "PATH",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "XDG_CONFIG_HOME",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// Lets a command fetch modules, as the user's own Go would.
pub(crate) fn online(command: &mut Command) {
    for name in OF_THE_USER {
        match std::env::var_os(name) {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
}

/// Keeps a command from the network and from the user's settings.
pub(crate) fn offline(command: &mut Command) {
    command.env("GOENV", "off").env("GOPROXY", "off").env("GOSUMDB", "off").env("GOVCS", "*:off");
}

/// What every call has in common.
pub(crate) fn common(command: &mut Command, caches: &GoCaches, tmp: &Path) {
    command
        .stdin(Stdio::null())
        .env("GOTOOLCHAIN", "local")
        .env("GOWORK", "off")
        .env("GOTELEMETRY", "off")
        // Without it `clean` could not remove them.
        .env("GOFLAGS", "-modcacherw")
        .env("GOTMPDIR", tmp)
        .env("GOMODCACHE", &caches.modules)
        .env("GOCACHE", &caches.packages);
}

/// What a command printed.
pub(crate) struct Printed {
    pub success: bool,
    pub out: String,
    pub errors: String,
}

/// Runs; each line of standard error is shown to `line` first, which keeps those it knows.
pub(crate) fn run(
    mut command: Command,
    line: &(dyn Fn(&str) -> bool + Sync),
) -> Result<Printed, CompileError> {
    let program = command.get_program().to_owned();
    let failed = || at(Path::new(&program));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed())?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (out, errors) = std::thread::scope(|scope| {
        let errors = scope.spawn(|| {
            let lines = stderr.into_iter().flat_map(|pipe| BufReader::new(pipe).lines());
            let rest: Vec<String> = lines.map_while(Result::ok).filter(|text| !line(text)).collect();
            rest.join("\n")
        });
        let mut out = String::new();
        let read = stdout.map_or(Ok(0), |mut pipe| pipe.read_to_string(&mut out));
        read.map(|_| (out, errors.join().unwrap_or_default()))
    })
    .map_err(failed())?;
    let success = child.wait().map_err(failed())?.success();
    Ok(Printed { success, out, errors })
}

//! A workload to try a cluster with: a small HTTP server, and commands that ask from inside a pod.

mod dns;
mod get;
mod pod;
mod serve;
mod signals;

use std::process::ExitCode;

const USAGE: &str = "\
usage: demo                serve HTTP on port 8080 until SIGTERM
       demo hello          print who answers here
       demo resolve NAME   ask the name servers of /etc/resolv.conf for NAME
       demo get URL        fetch an http:// address and print what it answers
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        [] | ["serve"] => serve::run(),
        ["hello"] => Ok(format!("hello from {}\n", pod::name())),
        ["resolve", name] => dns::Resolver::of_this_pod().and_then(|resolver| {
            Ok(resolver.resolve(name)?.iter().map(|address| format!("{address}\n")).collect())
        }),
        ["get", url] => get::get(url),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("demo: {message}");
            ExitCode::FAILURE
        }
    }
}

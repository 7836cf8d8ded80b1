//! The `geminios` command: verbs, progress, errors. Nothing else prints.

mod args;
mod contents;
mod failure;
mod forward;
mod http;
mod image;
mod images;
mod indices;
mod inputs;
mod kubeconfig;
mod machine;
mod manifest;
mod outputs;
mod pipeline;
mod probe;
mod programs;
mod project;
mod report;
mod sbom;
mod session;
mod site;
mod terminal;
mod verbs;
mod wishes;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Command, Verb};
use crate::session::Session;

fn main() -> ExitCode {
    let command = Command::parse();
    let session = Session::new(command.global);
    failure::on_interrupt();
    let done = match command.verb {
        Verb::Lock(args) => verbs::lock::run(&session, &args),
        Verb::Build(args) => verbs::build::run(&session, &args),
        Verb::Run(args) => verbs::run::run(&session, &args),
        Verb::Inspect(args) => verbs::inspect::run(&session, &args),
        Verb::Diff(args) => verbs::diff::run(&session, &args),
        Verb::Explain(args) => verbs::explain::run(&session, &args),
        Verb::Keys(args) => verbs::keys::run(&session, &args),
        Verb::Publish(args) => verbs::publish::run(&session, &args),
        Verb::Bundle(args) => verbs::bundle::run(&session, &args),
        Verb::Verify(args) => verbs::verify::run(&session, &args),
        Verb::Serve(args) => verbs::serve::run(&session, &args),
        Verb::Status(args) => verbs::status::run(&session, &args),
        Verb::Failover(args) => verbs::failover::run(&session, &args),
        Verb::Clean(args) => verbs::clean::run(&session, &args),
        Verb::Version => verbs::version::run(&session),
        Verb::Completions(args) => verbs::completions::run(&args),
        Verb::Relay(args) => verbs::relay::run(&args),
        Verb::Schema(args) => verbs::schema::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error, session.terminal.color()),
    }
}

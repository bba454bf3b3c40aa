//! `datalab-postrender`: reads a rendered chart on stdin, writes it on stdout, held to a policy.

use std::process::ExitCode;

mod cli;

fn main() -> ExitCode {
    cli::run()
}

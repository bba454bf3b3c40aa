//! `datalab-postrender`: reads a rendered chart on stdin, writes it on stdout, held to a policy.

fn main() {}

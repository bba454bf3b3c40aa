//! The command line: flags, files, streams, exit codes.
//!
//! stdout is data, and nothing half-done is written to it; all else goes to stderr and `--log-file`.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path as FilePath, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use datalab_policy::document::KIND;
use datalab_policy::{DataLab, Diagnostics, Parsed, init};
use datalab_postrender::diff::{Colours, unified};
use datalab_postrender::{Change, Excerpt, Rendered, hub_values, render};

/// Holds a rendered chart to a `DataLab` policy.
///
/// Reads what Helm rendered on stdin and writes it on stdout: documents that the policy does not concern leave as they came,
/// in the others only the lines that must change do.
///
///   helm upgrade --install jupyterhub jupyterhub/jupyterhub -f values.yaml --post-renderer datalab-postrender
///   helm template jupyterhub jupyterhub/jupyterhub -f values.yaml | datalab-postrender --policy datalab.yaml
///
/// Exit codes: 0 done, 1 error (or with --check a difference), 2 usage.
#[derive(Debug, Parser)]
#[command(name = "datalab-postrender", version, verbatim_doc_comment, args_conflicts_with_subcommands = true)]
struct Args {
    /// The policy. A KRM function takes it from its functionConfig, too.
    #[arg(short, long, value_name = "FILE", env = "DATALAB_POLICY")]
    policy: Option<PathBuf>,

    /// Show what changed, on stderr.
    #[arg(long)]
    diff: bool,

    /// Say what the policy came to, on stderr.
    #[arg(long)]
    summary: bool,

    /// Write no stream; exit with 1 if anything would change.
    #[arg(long)]
    check: bool,

    /// Append warnings, summary and errors to a file: both Helms swallow stderr on success, Helm 4 always.
    #[arg(long, value_name = "FILE", env = "DATALAB_LOG_FILE")]
    log_file: Option<PathBuf>,

    /// When to colour what goes to stderr.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    color: Color,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write, check and explain policies.
    #[command(subcommand)]
    Policy(Policy),
    /// Print shell completions.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    Man,
}

#[derive(Debug, Subcommand)]
enum Policy {
    /// Check policies: all errors and warnings, each with its line.
    Check {
        /// Files, `-` for stdin.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Print the JSON Schema of policies.
    Schema,
    /// Print the `CustomResourceDefinition` of policies.
    Crd,
    /// Explain a field, such as `spec.profiles.nodes`.
    Explain {
        /// The field's path.
        #[arg(default_value = "")]
        field: String,
    },
    /// Write a first policy out of a release: its rendered manifests, or its values.
    Init {
        /// Manifests (`helm get manifest RELEASE`) or values (`helm get values RELEASE`), `-` for stdin.
        #[arg(default_value = "-", value_name = "FILE")]
        file: PathBuf,
    },
}

/// Usage errors, as in clap.
const USAGE: u8 = 2;

/// Runs the program.
pub fn run() -> ExitCode {
    let args = Args::parse();
    let log_file = args.log_file.clone();
    match execute(args) {
        Ok(code) => code,
        Err(error) => {
            let message = format!("error: {error:#}\n");
            report(&message);
            log(log_file.as_ref(), &message);
            ExitCode::FAILURE
        }
    }
}

fn execute(args: Args) -> anyhow::Result<ExitCode> {
    let Args { policy, diff, summary, check, log_file, color, command } = args;
    let colours = match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
    };
    if let Some(command) = command {
        return subcommand(command, colours);
    }
    if io::stdin().is_terminal() {
        report(
            "error: a rendered chart is read on stdin, such as\n  helm template RELEASE CHART | datalab-postrender --policy datalab.yaml\n",
        );
        return Ok(ExitCode::from(USAGE));
    }
    let input = read_stdin()?;
    let policy = match policy {
        Some(path) => load(&path, colours)?,
        None => {
            if let Some(policy) = function_config(&input, colours)? {
                policy
            } else {
                report(
                    "error: no policy: give it by --policy FILE or DATALAB_POLICY; `datalab-postrender policy init` writes a first one\n",
                );
                return Ok(ExitCode::from(USAGE));
            }
        }
    };
    let rendered = render(&policy, &input)?;
    report(&describe(&input, &rendered, diff, summary, Colours::new(colours)));
    log(log_file.as_ref(), &describe(&input, &rendered, diff, true, Colours::new(false)));
    if check {
        return Ok(if rendered.changes.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let output = if rendered.output.trim().is_empty() {
        // Helm 4 takes empty output for an error, also of a chart that renders nothing.
        "# datalab-postrender: the chart rendered nothing\n"
    } else {
        &rendered.output
    };
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(output.as_bytes())
        .and_then(|()| stdout.flush())
        .context("stdout was closed before the stream was written")?;
    Ok(ExitCode::SUCCESS)
}

fn subcommand(command: Command, colours: bool) -> anyhow::Result<ExitCode> {
    let text = match command {
        Command::Completions { shell } => {
            let mut out = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "datalab-postrender", &mut out);
            String::from_utf8(out)?
        }
        Command::Man => {
            let mut out = Vec::new();
            clap_mangen::Man::new(Args::command()).render(&mut out)?;
            String::from_utf8(out)?
        }
        Command::Policy(Policy::Check { files }) => return check_policies(&files, colours),
        Command::Policy(Policy::Schema) => serde_json::to_string_pretty(&datalab_policy::schema())? + "\n",
        Command::Policy(Policy::Crd) => datalab_yaml::emit(&datalab_policy::crd()),
        Command::Policy(Policy::Explain { field }) => {
            datalab_policy::explain(&field).map_err(anyhow::Error::msg)?
        }
        Command::Policy(Policy::Init { file }) => first_policy(&read_file(&file)?)?,
    };
    io::stdout().lock().write_all(text.as_bytes()).context("stdout was closed")?;
    Ok(ExitCode::SUCCESS)
}

/// Reads a policy; its warnings go to stderr.
fn load(path: &FilePath, colours: bool) -> anyhow::Result<DataLab> {
    let text = read_file(path).with_context(|| format!("cannot read policy {}", path.display()))?;
    accept(DataLab::parse(&path.display().to_string(), &text), colours)
}

/// The policy of a KRM function: `functionConfig` of a `ResourceList`.
fn function_config(input: &str, colours: bool) -> anyhow::Result<Option<DataLab>> {
    if !input.contains("ResourceList") {
        return Ok(None);
    }
    let value = datalab_yaml::Document::parse(input).and_then(|document| document.value())?;
    if value["kind"] != "ResourceList" || value["functionConfig"]["kind"] != KIND {
        return Ok(None);
    }
    accept(DataLab::from_value(&value["functionConfig"]), colours).map(Some)
}

fn accept(parsed: Result<Parsed, Diagnostics>, colours: bool) -> anyhow::Result<DataLab> {
    match parsed {
        Ok(Parsed { policy, warnings }) => {
            report(&warnings.render(colours));
            Ok(policy)
        }
        Err(problems) => bail!("the policy is not valid\n{}", problems.render(colours).trim_end()),
    }
}

fn check_policies(files: &[PathBuf], colours: bool) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for file in files {
        let text = read_file(file).with_context(|| format!("cannot read policy {}", file.display()))?;
        let problems = match DataLab::parse(&file.display().to_string(), &text) {
            Ok(Parsed { warnings, .. }) => warnings,
            Err(problems) => {
                code = ExitCode::FAILURE;
                problems
            }
        };
        report(&problems.render(colours));
        if problems.is_empty() {
            report(&format!("{}: no errors, no warnings\n", file.display()));
        }
    }
    Ok(code)
}

/// A first policy out of rendered manifests or of values.
fn first_policy(text: &str) -> anyhow::Result<String> {
    if let Some((values, facts)) = hub_values(text)? {
        return Ok(init(&values, &facts.release, Some(&facts.namespace)));
    }
    let values = datalab_yaml::Document::parse(text).and_then(|document| document.value())?;
    if !values["singleuser"].is_object() {
        bail!(
            "neither manifests with a hub (helm get manifest RELEASE) nor the JupyterHub chart's values \
             (helm get values RELEASE): there is no singleuser section"
        );
    }
    Ok(init(&values, "lab", None))
}

/// A file's text; `-` is stdin.
fn read_file(path: &FilePath) -> anyhow::Result<String> {
    if path.as_os_str() == "-" { read_stdin() } else { Ok(std::fs::read_to_string(path)?) }
}

fn read_stdin() -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes).context("cannot read stdin")?;
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        bail!(
            "stdin is UTF-16; Helm writes UTF-8, so a shell re-encoded it: call Helm with --post-renderer, or from another shell"
        );
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.as_bytes()[..error.utf8_error().valid_up_to()].to_vec();
        let good = String::from_utf8(good).unwrap_or_default();
        let at = datalab_yaml::Location::of(&good, good.len());
        anyhow::anyhow!(
            "stdin:{}:{}: the byte here is not UTF-8, which manifests are written in",
            at.line,
            at.column
        )
    })
}

fn describe(input: &str, rendered: &Rendered, diff: bool, summary: bool, colours: Colours) -> String {
    let mut out = String::new();
    if diff {
        for change in &rendered.changes {
            let (before, after) = (change.before.of(input), change.after.of(&rendered.output));
            out.push_str(&unified(&change.title, before, after, change.confidential, colours));
        }
    }
    if summary {
        for line in &rendered.summary {
            let _ = writeln!(out, "{line}");
        }
        let is_document = |change: &&Change| matches!(change.after, Excerpt::Bytes(_));
        let documents = rendered.changes.iter().filter(is_document).count();
        let _ = writeln!(out, "{documents} documents changed");
    }
    for warning in &rendered.warnings {
        let _ = writeln!(out, "warning: {warning}");
    }
    out
}

/// Writes to stderr; there is nobody to tell when that fails.
fn report(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

fn log(file: Option<&PathBuf>, text: &str) {
    let Some(file) = file else { return };
    let written = OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .and_then(|mut log| log.write_all(text.as_bytes()));
    if let Err(error) = written {
        report(&format!("warning: cannot write log file {}: {error}\n", file.display()));
    }
}

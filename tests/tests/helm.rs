//! Helm itself carries charts through the post-renderer.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use datalab_tests::cluster::Cluster;
use datalab_tests::shared::{self, Stream};
use datalab_tests::tools::{self, Tool};
use datalab_tests::{chart, meaning, output, policies, postrender, root, skip};
use tempfile::TempDir;

/// Charts that Helm 3 printed, whole: these can be replayed.
fn charts() -> Result<Vec<Stream>> {
    Ok(shared::streams()?.into_iter().filter(|stream| !stream.is_from_helm4()).collect())
}

/// A Helm that sees nothing of this machine: no plugins, no repositories, no cluster.
struct Helm {
    tool: Tool,
    home: TempDir,
}

impl Helm {
    fn new(tool: Tool) -> Result<Self> {
        Ok(Self { tool, home: tempfile::tempdir()? })
    }

    fn is_4(&self) -> bool {
        self.tool.version.starts_with("4.")
    }

    fn run(&self, args: impl FnOnce(&mut Command) -> &mut Command) -> Result<String> {
        let mut command = self.tool.command();
        for kind in ["CACHE", "CONFIG", "DATA"] {
            command.env(format!("HELM_{kind}_HOME"), self.home.path().join(kind));
        }
        output(args(command.env("KUBECONFIG", self.home.path().join("none"))), b"")
    }

    fn template(&self, chart: &Path, args: &[OsString]) -> Result<String> {
        self.run(|helm| helm.args(["template", "release"]).arg(chart).args(args))
    }

    /// What `helm install` would release: its hooks and its manifest.
    fn install_dry(&self, chart: &Path, cluster: &Cluster, args: &[OsString]) -> Result<String> {
        let printed = self.run(|helm| {
            helm.args(["install", "release"])
                .arg(chart)
                .args(["--dry-run=client", "--disable-openapi-validation"]);
            helm.args(args).env("KUBECONFIG", cluster.kubeconfig())
        })?;
        let (_, released) = printed.split_once("HOOKS:\n").context("helm printed no HOOKS")?;
        let (released, _) = released.split_once("\nNOTES:").unwrap_or((released, ""));
        Ok(released.replace("MANIFEST:\n", ""))
    }

    fn install_plugin(&self, folder: &Path) -> Result<()> {
        self.run(|helm| helm.args(["plugin", "install"]).arg(folder)).map(drop)
    }

    /// Renders a chart both ways, through the post-renderer, and compares with what the post-renderer makes
    /// of the same text by itself.
    fn carries(&self, stream: &Stream, renderer: &PostRenderer) -> Result<()> {
        let chart = chart::replay(&stream.path)?;
        let mut expected = self.expected(chart.path(), renderer, &[])?;
        let Some(documents) = meaning::documents(&expected)? else { return Ok(()) };
        let cluster = Cluster::that_knows(&documents)?;
        let released = self.install_dry(chart.path(), &cluster, &renderer.args_of_helm())?;
        meaning::expect_same(&expected, &released).context("helm install --dry-run")?;

        let mut args = renderer.args_of_helm();
        // Files of crds/ are never handed over by Helm 4, and by Helm 3 only where they are templated.
        if !self.is_4() && chart.path().join("crds").is_dir() {
            args.push("--include-crds".into());
            expected = self.expected(chart.path(), renderer, &["--include-crds".into()])?;
        }
        let templated = self.template(chart.path(), &args)?;
        meaning::expect_same(&expected, &templated).context("helm template")
    }

    fn expected(&self, chart: &Path, renderer: &PostRenderer, args: &[OsString]) -> Result<String> {
        let mut fed = self.template(chart, args)?;
        let mut kept = String::new();
        if !self.is_4() {
            // Helm 3 keeps hooks, which it prints last, from its post-renderer.
            kept = fed.split_off(self.template(chart, &[args, &["--no-hooks".into()]].concat())?.len());
        }
        Ok(renderer.run(&fed)? + &kept)
    }
}

/// A post-renderer: what Helm is told, and the program behind it.
struct PostRenderer {
    name: OsString,
    program: PathBuf,
    args: Vec<OsString>,
}

impl PostRenderer {
    fn datalab(name: impl Into<OsString>, program: &Path, policy: PathBuf) -> Self {
        Self { name: name.into(), program: program.into(), args: vec!["--policy".into(), policy.into()] }
    }

    fn args_of_helm(&self) -> Vec<OsString> {
        let args = self.args.iter().flat_map(|arg| ["--post-renderer-args".into(), arg.clone()]);
        ["--post-renderer".into(), self.name.clone()].into_iter().chain(args).collect()
    }

    fn run(&self, stream: &str) -> Result<String> {
        output(Command::new(&self.program).args(&self.args), stream.as_bytes())
    }
}

#[test]
fn replayed_charts_render_what_was_printed() -> Result<()> {
    let (Some(helm3), Some(helm4)) = (tools::helm3()?, tools::helm4()?) else { return Ok(()) };
    let both = [Helm::new(helm3)?, Helm::new(helm4)?];
    for stream in charts()? {
        let chart = chart::replay(&stream.path)?;
        for helm in &both {
            let what = format!("{} by Helm {}", stream.name, helm.tool.version);
            let rendered = helm.template(chart.path(), &["--include-crds".into()]).context(what.clone())?;
            meaning::expect_same(&stream.text, &rendered).context(what)?;
        }
    }
    Ok(())
}

#[cfg(unix)]
#[test]
fn what_a_post_renderer_leaves_alone_helm_leaves_alone() -> Result<()> {
    let (Some(helm3), Some(helm4)) = (tools::helm3()?, tools::helm4()?) else { return Ok(()) };
    let both = [Helm::new(helm3)?, Helm::new(helm4)?];
    let plugin = tempfile::tempdir()?;
    fs::write(
        plugin.path().join("plugin.yaml"),
        "apiVersion: v1\ntype: postrenderer/v1\nname: cat\nversion: 0.1.0\nruntime: subprocess\n\
         runtimeConfig:\n  platformCommand: [{command: cat}]\n",
    )?;
    both[1].install_plugin(plugin.path())?;
    let cat = PostRenderer { name: "cat".into(), program: "cat".into(), args: vec![] };
    for stream in charts()? {
        for helm in &both {
            helm.carries(&stream, &cat)
                .with_context(|| format!("{} by Helm {}", stream.name, helm.tool.version))?;
        }
    }
    Ok(())
}

#[test]
fn helm3_runs_the_post_renderer() -> Result<()> {
    let Some(helm) = tools::helm3()? else { return Ok(()) };
    let helm = Helm::new(helm)?;
    let program = postrender()?;
    for stream in charts()? {
        let renderer = PostRenderer::datalab(&program, &program, policies::for_stream(&stream)?);
        helm.carries(&stream, &renderer).context(stream.name)?;
    }
    Ok(())
}

#[test]
fn helm4_runs_the_plugin() -> Result<()> {
    let source = root().join("postrender/plugin");
    if !source.join("plugin.yaml").is_file() {
        skip("postrender/plugin/plugin.yaml is not there, so Helm 4 has no post-renderer");
        return Ok(());
    }
    let Some(helm) = tools::helm4()? else { return Ok(()) };
    let helm = Helm::new(helm)?;
    let program = postrender()?;
    let plugin = tempfile::tempdir()?;
    for file in shared::files(&source, "") {
        fs::copy(&file, plugin.path().join(file.file_name().context("a file without a name")?))?;
    }
    fs::copy(&program, plugin.path().join(format!("datalab-postrender{}", env::consts::EXE_SUFFIX)))?;
    helm.install_plugin(plugin.path())?;
    for stream in charts()? {
        let renderer = PostRenderer::datalab("datalab-postrender", &program, policies::for_stream(&stream)?);
        helm.carries(&stream, &renderer).context(stream.name)?;
    }
    Ok(())
}

//! The documented ways to run the program, as far as they go without a cluster: each page's own commands and settings are run,
//! on a chart that stands for JupyterHub's.

#![cfg(unix)]

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};
use std::{env, fs};

use anyhow::{Context as _, Result, ensure};
use datalab_tests::markdown::{self, Block};
use datalab_tests::tools::{self, Tool};
use datalab_tests::{chart, meaning, output, postrender, root, shared};
use datalab_yaml::{Document, Value};
use tempfile::TempDir;

/// A lab's folder, with the quickstart's policy and chart, and the programs that recipes call.
struct Lab {
    folder: TempDir,
    /// Charts by the release that they are installed as.
    charts: TempDir,
    helm: Tool,
}

impl Lab {
    fn new(helm: Tool) -> Result<Self> {
        let lab = Self { folder: tempfile::tempdir()?, charts: tempfile::tempdir()?, helm };
        let quickstart = root().join("examples/quickstart");
        lab.add_chart("jupyterhub", &fs::read_to_string(quickstart.join("manifests.yaml"))?)?;
        fs::copy(quickstart.join("datalab.yaml"), lab.path("datalab.yaml"))?;
        fs::write(lab.path("values.yaml"), "")?;
        if lab.helm.version.starts_with("4.") {
            let plugin = lab.path("helm/DATA/plugins/datalab-postrender");
            fs::create_dir_all(&plugin)?;
            fs::copy(root().join("postrender/plugin/plugin.yaml"), plugin.join("plugin.yaml"))?;
            symlink(postrender()?, plugin.join("datalab-postrender"))?;
        }
        Ok(lab)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn add_chart(&self, release: &str, printed: &str) -> Result<()> {
        let chart = chart::replay_text(printed)?.keep();
        output(Command::new("mv").args([chart, self.charts.path().join(release)]), b"")?;
        Ok(())
    }

    /// A program in the lab's folder that finds the others on `PATH`.
    fn command(&self, program: &str) -> Result<Command> {
        let ours = [postrender()?, self.helm.program.clone()];
        let folders = ours.iter().filter_map(|program| program.parent()).map(Path::to_path_buf);
        let others = env::var_os("PATH").unwrap_or_default();
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env("PATH", env::join_paths(folders.chain(env::split_paths(&others)))?)
            .env("CHARTS", self.charts.path())
            .env("KUBECONFIG", self.path("none"))
            .env_remove("DATALAB_POLICY")
            .env_remove("DATALAB_LOG_FILE");
        for kind in ["CACHE", "CONFIG", "DATA"] {
            command.env(format!("HELM_{kind}_HOME"), self.path("helm").join(kind));
        }
        Ok(command)
    }

    /// Runs a page's commands in bash, where charts are those of the lab, and to install is to render.
    fn shell(&self, commands: &str) -> Result<Output> {
        const HELM: &str = r#"
            helm() {
                case $1 in
                    upgrade) command helm template "$3" "$CHARTS/$3" --no-hooks "${@:5}" ;;
                    template) command helm template "$2" "$CHARTS/$2" "${@:4}" ;;
                esac
            }
        "#;
        Ok(self.command("bash")?.args(["-c", &format!("{HELM}\n{commands}")]).output()?)
    }

    /// Fails unless a stream has a chart's objects, and a policy would change nothing more in them.
    fn obeys(&self, stream: &str, release: &str, policy: &str) -> Result<()> {
        let args = ["template", "release", "--no-hooks"];
        let plain = output(self.command("helm")?.args(args).arg(self.charts.path().join(release)), b"")?;
        let (Some(plain), Some(documents)) = (meaning::documents(&plain)?, meaning::documents(stream)?)
        else {
            return Ok(());
        };
        ensure!(documents.len() >= plain.len(), "{} objects for {}", documents.len(), plain.len());
        let check = ["--check", "--diff", "--policy", policy];
        output(self.command("datalab-postrender")?.args(check), stream.as_bytes()).map(drop)
    }
}

fn succeeded(ended: Output) -> Result<String> {
    let stderr = String::from_utf8_lossy(&ended.stderr);
    ensure!(ended.status.success(), "{}: {stderr}", ended.status);
    Ok(String::from_utf8(ended.stdout)?)
}

fn both_helms() -> Result<Vec<Tool>> {
    Ok([tools::helm3()?, tools::helm4()?].into_iter().flatten().collect())
}

fn block(page: &str, holding: &str) -> Result<Block> {
    let found = markdown::blocks(page)?.into_iter().find(|block| block.text.contains(holding));
    found.with_context(|| format!("{page} has no block with {holding:?}"))
}

fn read(yaml: &str) -> Result<Value> {
    Ok(Document::parse(yaml)?.value()?)
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|item| Some(item.as_str()?.to_owned())).collect()
}

#[test]
fn commands_of_helm_users_run_under_both_helms() -> Result<()> {
    for helm in both_helms()? {
        let lab = Lab::new(helm)?;
        let mut run = 0;
        for page in ["README.md", "docs/helm.md"] {
            for block in markdown::blocks(page)? {
                if block.language != "sh" || !block.text.contains("values.yaml") {
                    continue;
                }
                let ended = lab.shell(&block.text)?;
                let stdout = succeeded(ended).with_context(|| block.place())?;
                if block.text.contains("--post-renderer") {
                    lab.obeys(&stdout, "jupyterhub", "datalab.yaml").with_context(|| block.place())?;
                }
                run += 1;
            }
        }
        ensure!(run >= 4, "only {run} commands were found");
    }
    Ok(())
}

#[test]
fn examples_are_installed_as_they_say() -> Result<()> {
    for helm in both_helms()? {
        for block in markdown::all()? {
            if block.language != "sh" || !block.file.starts_with("examples") {
                continue;
            }
            let folder = root().join(block.file.parent().context("no folder")?);
            let example = folder.file_name().context("no name")?.to_string_lossy();
            // The charts as the labs render them, by their releases.
            let streams: &[(&str, &str, &str)] = match &*example {
                "class-hubs" => &[
                    ("cs101", "class-hub-a", "cs101/datalab.yaml"),
                    ("data8", "class-hub-b", "data8/datalab.yaml"),
                ],
                "karpenter-lab" => &[
                    ("jupyterhub", "karpenter-lab", "datalab.yaml"),
                    ("traefik", "karpenter-lab-traefik", "datalab.yaml"),
                    ("cert-manager", "karpenter-lab-cert-manager", "datalab.yaml"),
                ],
                "ska-k3s" => &[("jhub-release-gitops", "ska-k3s", "datalab.yaml")],
                other => &[("jupyterhub", other, "datalab.yaml")],
            };
            let Some(shared) = shared::dir() else { return Ok(()) };
            let commands: Vec<_> = block.text.split("helm upgrade").skip(1).collect();
            assert_eq!(commands.len(), streams.len(), "{}", block.place());
            for (command, (release, stream, policy)) in commands.iter().zip(streams) {
                let lab = Lab::new(helm.clone())?;
                output(Command::new("cp").arg("-R").arg(folder.join(".")).arg(lab.folder.path()), b"")?;
                fs::remove_dir_all(lab.charts.path().join("jupyterhub"))?;
                let printed = fs::read_to_string(shared.join(format!("upstream/labs/{stream}.yaml")))?;
                lab.add_chart(release, &printed)?;
                let what = || format!("{}: {release} by Helm {}", block.place(), lab.helm.version);
                // Replayed charts have a version of their own.
                let command = command.replace("--version", "--description");
                let stdout = succeeded(lab.shell(&format!("helm upgrade{command}"))?).with_context(what)?;
                lab.obeys(&stdout, release, policy).with_context(what)?;
            }
        }
    }
    Ok(())
}

/// Runs a command of the plugin as Argo CD's plugin server does: in the application's folder.
fn run_plugin(lab: &Lab, plugin: &Value, step: &str) -> Result<Output> {
    let words = strings(&plugin["spec"][step]["command"]);
    let (program, args) = words.split_first().with_context(|| format!("no {step} command"))?;
    Ok(lab
        .command(program)?
        .args(args)
        .env("ARGOCD_APP_NAME", "jupyterhub")
        .env("ARGOCD_APP_NAMESPACE", "lab")
        .env("KUBE_VERSION", "1.33.1")
        .env("KUBE_API_VERSIONS", "v1,apps/v1,monitoring.coreos.com/v1/ServiceMonitor")
        .output()?)
}

#[test]
fn argo_cd_runs_the_plugin() -> Result<()> {
    let plugin = read(&block("docs/argo-cd.md", "ConfigManagementPlugin")?.text)?;
    for helm in both_helms()? {
        let lab = Lab::new(helm)?;
        let discovered = plugin["spec"]["discover"]["fileName"].as_str().context("no file to discover")?;
        assert!(lab.path(discovered).is_file());
        let repository = format!("file://{}", lab.charts.path().join("jupyterhub").display());
        fs::write(
            lab.path("Chart.yaml"),
            format!(
                "apiVersion: v2\nname: lab\nversion: 0.0.1\n\
                 dependencies: [{{name: replayed, version: 0.0.1, repository: '{repository}'}}]\n"
            ),
        )?;
        succeeded(run_plugin(&lab, &plugin, "init")?)?;
        let stdout = succeeded(run_plugin(&lab, &plugin, "generate")?)?;
        lab.obeys(&stdout, "jupyterhub", "datalab.yaml")?;

        // What fails says so, and gives no half of an application.
        let policy = fs::read_to_string(lab.path("datalab.yaml"))?;
        fs::write(lab.path("datalab.yaml"), policy.replace("namespace: lab", "namespace: elsewhere"))?;
        let ended = run_plugin(&lab, &plugin, "generate")?;
        assert!(!ended.status.success() && ended.stdout.is_empty(), "{ended:?}");
        let stderr = String::from_utf8(ended.stderr)?;
        assert!(stderr.contains("the policy is for namespace \"elsewhere\""), "{stderr}");

        fs::write(lab.path("datalab.yaml"), policy)?;
        fs::write(lab.path("values.yaml"), "[")?;
        let ended = run_plugin(&lab, &plugin, "generate")?;
        assert!(!ended.status.success() && ended.stdout.is_empty(), "{ended:?}");
    }
    Ok(())
}

#[test]
fn flux_gets_what_a_pipeline_renders() -> Result<()> {
    let commands = block("docs/flux.md", "git commit")?.text;
    for helm in both_helms()? {
        let lab = Lab::new(helm)?;
        fs::create_dir(lab.path("deploy"))?;
        let git = "git init --quiet && git config user.name lab && git config user.email lab@example.org";
        succeeded(lab.shell(git)?)?;
        succeeded(lab.shell(&commands)?)?;
        let committed = succeeded(lab.shell("git show HEAD:deploy/jupyterhub.yaml")?)?;
        lab.obeys(&committed, "jupyterhub", "datalab.yaml")?;

        fs::write(lab.path("values.yaml"), "[")?;
        assert!(!lab.shell(&commands)?.status.success());
        assert_eq!(succeeded(lab.shell("git rev-list --count HEAD")?)?.trim(), "1");
    }
    Ok(())
}

#[test]
fn helmfile_and_terraform_pass_arguments_that_helm_takes() -> Result<()> {
    let release = read(&block("docs/helmfile.md", "postRendererArgs")?.text)?["releases"][0].clone();
    let renderer = release["postRenderer"].as_str().context("no postRenderer")?;
    // One by one, each behind its own flag (helmfile's `appendPostRenderArgsFlags`).
    let of_helmfile = strings(&release["postRendererArgs"]);

    let terraform = block("docs/terraform.md", "binary_path")?.text;
    let of_terraform: Vec<_> = terraform
        .lines()
        .find_map(|line| line.trim().strip_prefix("args"))
        .context("no args")?
        .split('"')
        .skip(1)
        .step_by(2)
        .map(|arg| arg.replace("${path.module}", "."))
        .collect();
    assert!(terraform.contains(&format!("binary_path = \"{renderer}\"")));

    for helm in both_helms()? {
        let lab = Lab::new(helm)?;
        for args in [&of_helmfile, &of_terraform] {
            let mut command = lab.command("helm")?;
            command.args(["template", "jupyterhub"]).arg(lab.charts.path().join("jupyterhub"));
            command.args(["-n", "lab", "--post-renderer", renderer]);
            command.args(args.iter().map(|arg| format!("--post-renderer-args={arg}")));
            lab.obeys(&succeeded(command.output()?)?, "jupyterhub", "datalab.yaml")?;
        }
    }
    Ok(())
}

#[test]
fn kustomize_calls_helm() -> Result<()> {
    let Some(kustomize) = tools::kustomize()? else { return Ok(()) };
    let page = "docs/kustomize.md";
    let kustomization = block(page, "helmCharts")?.text;
    for helm in both_helms()? {
        let lab = Lab::new(helm)?;
        fs::write(lab.path("datalab.yaml"), block(page, "config.kubernetes.io/function")?.text)?;
        fs::write(lab.path("kustomization.yaml"), &kustomization)?;
        symlink(postrender()?, lab.path("datalab-postrender"))?;
        symlink(&kustomize.program, lab.path("kustomize"))?;
        // Where kustomize would download it to.
        let version =
            read(&kustomization)?["helmCharts"][0]["version"].as_str().context("no version")?.to_owned();
        let downloads = lab.path("charts").join(format!("jupyterhub-{version}"));
        fs::create_dir_all(&downloads)?;
        symlink(lab.charts.path().join("jupyterhub"), downloads.join("jupyterhub"))?;
        let build = block(page, "--enable-helm")?.text;
        let stdout = succeeded(lab.shell(&format!("PATH=.:$PATH\n{build}"))?)?;
        assert!(stdout.contains("checksum/datalab"), "{stdout}");
        lab.obeys(&stdout, "jupyterhub", "datalab.yaml")?;
    }
    Ok(())
}

//! Bad input gives one clear error, exit code 1 (usage: 2), and nothing on stdout.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

fn quickstart(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/quickstart").join(file)
}

fn manifests() -> String {
    std::fs::read_to_string(quickstart("manifests.yaml")).unwrap()
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("datalab-postrender"));
    command.args(args).env_remove("DATALAB_POLICY").env_remove("DATALAB_LOG_FILE");
    command
}

fn run(mut command: Command, input: &[u8]) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The program may stop reading early.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// What a person sees: the exit code and stderr. stdout must be empty.
fn refused(args: &[&str], input: &[u8]) -> String {
    let output = run(command(args), input);
    assert!(output.stdout.is_empty(), "stdout: {}", String::from_utf8_lossy(&output.stdout));
    assert!(!output.status.success(), "it was accepted");
    format!(
        "exit {}\n{}",
        output.status.code().unwrap(),
        String::from_utf8(output.stderr).unwrap().trim_end()
    )
}

fn render(input: impl AsRef<[u8]>) -> String {
    refused(&["--policy", quickstart("datalab.yaml").to_str().unwrap()], input.as_ref())
}

/// Renders the quickstart with another policy.
fn with_policy(edit: impl Fn(String) -> String) -> String {
    policy_on(&manifests(), edit)
}

fn policy_on(manifests: &str, edit: impl Fn(String) -> String) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("datalab.yaml"),
        edit(std::fs::read_to_string(quickstart("datalab.yaml")).unwrap()),
    )
    .unwrap();
    let mut command = command(&["--policy", "datalab.yaml"]);
    command.current_dir(folder.path());
    let output = run(command, manifests.as_bytes());
    assert!(output.stdout.is_empty());
    format!(
        "exit {}\n{}",
        output.status.code().unwrap(),
        String::from_utf8(output.stderr).unwrap().trim_end()
    )
}

/// The quickstart with other values of its hub.
fn manifests_of(edit: impl Fn(String) -> String) -> String {
    let manifests = manifests();
    let start = manifests.find("values.yaml: \"").unwrap() + "values.yaml: \"".len();
    let end = start + manifests[start..].find('"').unwrap();
    let values = String::from_utf8(BASE64.decode(&manifests[start..end]).unwrap()).unwrap();
    let edited = edit(values.clone());
    assert_ne!(values, edited);
    [&manifests[..start], &BASE64.encode(edited), &manifests[end..]].concat()
}

fn with_values(edit: impl Fn(String) -> String) -> String {
    render(manifests_of(edit))
}

#[test]
fn no_policy() {
    insta::assert_snapshot!(refused(&[], manifests().as_bytes()));
}

#[test]
fn policy_that_is_not_there() {
    insta::assert_snapshot!(refused(&["--policy", "nowhere.yaml"], manifests().as_bytes()));
}

#[test]
fn unknown_flag() {
    insta::assert_snapshot!(refused(&["--polcy", "datalab.yaml"], b""));
}

#[test]
fn broken_yaml() {
    insta::assert_snapshot!(render(manifests().replace("replicas: 1\n", "replicas: [1\n")));
}

#[test]
fn broken_base64() {
    insta::assert_snapshot!(render(manifests().replace("values.yaml: \"Q2", "values.yaml: \"Q!")));
}

#[test]
fn values_that_are_not_text() {
    let manifests = manifests();
    let start = manifests.find("values.yaml: \"").unwrap() + "values.yaml: \"".len();
    let end = start + manifests[start..].find('"').unwrap();
    insta::assert_snapshot!(render(
        [&manifests[..start], &BASE64.encode([0xff, 0xfe, 0]), &manifests[end..]].concat()
    ));
}

#[test]
fn broken_values() {
    insta::assert_snapshot!(with_values(|values| values.replace("singleuser:", "singleuser: [")));
}

#[test]
fn values_of_another_chart() {
    insta::assert_snapshot!(with_values(|values| values.replace("singleuser:", "other:")));
}

#[test]
fn typo_in_the_policy() {
    insta::assert_snapshot!(with_policy(|policy| policy.replace("instanceTypes", "instanceType")));
}

#[test]
fn unknown_profile() {
    insta::assert_snapshot!(with_policy(|policy| policy.replace("slug: small", "slug: tiny")));
}

#[test]
fn profile_for_a_group_that_is_not_there() {
    insta::assert_snapshot!(with_policy(|policy| policy.replace("groups: [imaging]", "groups: [image]")));
}

#[test]
fn two_hubs() {
    let one = manifests();
    let two =
        one.replace("name: hub\n", "name: second-hub\n").replace("secretName: hub", "secretName: second-hub");
    let two = two.replace("configMap: {name: hub}", "configMap: {name: second-hub}");
    insta::assert_snapshot!(render(format!("{one}---\n{two}")));
}

#[test]
fn policy_for_another_hub() {
    insta::assert_snapshot!(with_policy(
        |policy| policy.replace("spec:\n", "spec:\n  hub: {name: jupyterhub-hub}\n")
    ));
}

#[test]
fn policy_for_another_namespace() {
    insta::assert_snapshot!(with_policy(|policy| policy.replace("namespace: lab", "namespace: other")));
}

#[test]
fn policy_for_another_service_account() {
    insta::assert_snapshot!(with_policy(
        |policy| policy.replace("spec:\n", "spec:\n  hub: {serviceAccount: someone}\n")
    ));
}

#[test]
fn secret_without_values() {
    insta::assert_snapshot!(render(manifests().replace("  values.yaml: \"", "  other.yaml: \"")));
}

#[test]
fn hidden_secrets() {
    let manifests = manifests();
    let start = manifests.find("apiVersion: v1\nkind: Secret").unwrap();
    let end = start + manifests[start..].find("---").unwrap();
    let hidden =
        "# Source: jupyterhub/templates/hub/secret.yaml\n# HIDDEN: The Secret output has been suppressed\n";
    insta::assert_snapshot!(render([&manifests[..start], hidden, &manifests[end..]].concat()));
}

#[test]
fn secret_left_out() {
    let manifests = manifests();
    let start = manifests.find("apiVersion: v1\nkind: Secret").unwrap();
    let end = start + manifests[start..].find("---\n").unwrap() + "---\n".len();
    insta::assert_snapshot!(render([&manifests[..start], &manifests[end..]].concat()));
}

#[test]
fn alias_on_the_path_of_an_edit() {
    let aliased = manifests()
        .replacen("labels: {component: hub, app: jupyterhub, release: lab}\n    spec:\n      serviceAccountName: hub\n",
            "labels: &labels {component: hub, app: jupyterhub, release: lab}\n      annotations: *labels\n    spec:\n      serviceAccountName: hub\n", 1);
    assert_ne!(aliased, manifests());
    insta::assert_snapshot!(render(aliased));
}

#[test]
fn merge_key_on_the_path_of_an_edit() {
    let merged = manifests().replace(
        "    spec:\n      serviceAccountName: hub\n",
        "    spec:\n      <<: {nodeSelector: {a: b}, affinity: {podAffinity: {}}}\n      serviceAccountName: hub\n",
    );
    assert_ne!(merged, manifests());
    insta::assert_snapshot!(render(merged));
}

#[test]
fn duplicate_key_on_the_path_of_an_edit() {
    insta::assert_snapshot!(with_values(
        |values| values.replace("    slug: gpu\n", "    slug: gpu\n    kubespawner_override: {}\n")
    ));
}

#[test]
fn placeholders_without_priority() {
    insta::assert_snapshot!(render(
        manifests().replace("      priorityClassName: lab-user-placeholder-priority\n", "")
    ));
}

fn with_spares(policy: &str) -> String {
    policy.replace("    - slug: gpu\n", "    - slug: gpu\n      spares: 2\n")
}

#[test]
fn spares_without_an_image() {
    insta::assert_snapshot!(with_policy(|policy| with_spares(&policy)));
}

#[test]
fn spares_without_priority() {
    let manifests = manifests_of(|values| values.replace("    enabled: true\n", "    enabled: false\n"));
    insta::assert_snapshot!(policy_on(&manifests, |policy| with_spares(&policy)));
}

#[test]
fn node_selector_that_contradicts() {
    insta::assert_snapshot!(render(manifests().replace(
        "      serviceAccountName: hub\n",
        "      serviceAccountName: hub\n      nodeSelector: {karpenter.sh/capacity-type: spot}\n"
    )));
}

#[test]
fn fifty_megabytes_of_brackets() {
    insta::assert_snapshot!(render("[".repeat(50 << 20)));
}

#[test]
fn utf_16() {
    let utf16: Vec<u8> =
        std::iter::once(0xfeff).chain(manifests().encode_utf16()).flat_map(u16::to_le_bytes).collect();
    insta::assert_snapshot!(render(utf16));
}

#[test]
fn bytes_that_are_not_utf_8() {
    let mut bytes = manifests().into_bytes();
    bytes.extend(b"---\nkind: \xff\n");
    insta::assert_snapshot!(render(bytes));
}

#[test]
fn separator_with_text() {
    insta::assert_snapshot!(render(manifests().replacen("---\n", "---x\n", 1)));
}

#[test]
fn separator_with_content() {
    insta::assert_snapshot!(render(manifests().replacen(
        "---\napiVersion: v1\n",
        "--- {a: 1}\napiVersion: v1\n",
        1
    )));
}

#[test]
fn closed_stdout() {
    let mut command = command(&["--policy", quickstart("datalab.yaml").to_str().unwrap()]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    child.stdin.take().unwrap().write_all(manifests().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    insta::assert_snapshot!(format!("exit {}\n{}", output.status.code().unwrap(), stderr.trim_end()));
}

#[test]
fn byte_order_mark_is_no_harm() {
    let policy = quickstart("datalab.yaml");
    let plain = run(command(&["--policy", policy.to_str().unwrap()]), manifests().as_bytes());
    let marked =
        run(command(&["--policy", policy.to_str().unwrap()]), format!("\u{feff}{}", manifests()).as_bytes());
    assert!(marked.status.success());
    assert_eq!(marked.stdout, [&b"\xef\xbb\xbf"[..], &plain.stdout].concat());
}

#[test]
fn empty_stream_gives_a_comment() {
    for input in ["", "\n", "# Source: nothing\n---\n"] {
        let output =
            run(command(&["--policy", quickstart("datalab.yaml").to_str().unwrap()]), input.as_bytes());
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!text.trim().is_empty(), "{input:?} gave nothing");
        assert!(text.lines().all(|line| line.is_empty() || line.starts_with('#') || line == "---"), "{text}");
    }
}

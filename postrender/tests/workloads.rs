//! What labels and placement do to each kind of workload: never into selectors, Job templates or claim templates.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

use datalab_policy::DataLab;
use datalab_postrender::diff::{Colours, unified};

const POLICY: &str = "\
apiVersion: datalab.dev/v1alpha1
kind: DataLab
metadata: {name: lab}
spec:
  labels: {example.org/lab: ours, example.org/team: ours}
  annotations: {example.org/note: ours}
  placement:
    - match: {component: special}
      nodes: {instanceTypes: [m5.large, m5a.large]}
    - match: {chart: parts}
      nodes: {labels: {pool: core}}
      tolerations: [{key: core, operator: Exists}]
";

fn rendered(stream: &str) -> String {
    let policy = DataLab::parse("datalab.yaml", POLICY).unwrap().policy;
    let rendered = datalab_postrender::render(&policy, stream).unwrap();
    assert_eq!(datalab_postrender::render(&policy, &rendered.output).unwrap().output, rendered.output);
    let diff = unified("stream", stream, &rendered.output, false, Colours::new(false));
    [diff, rendered.warnings.join("\n")].concat()
}

fn workload(kind: &str, extra: &str) -> String {
    format!(
        "---\napiVersion: x/v1\nkind: {kind}\nmetadata:\n  name: one\n  labels: {{helm.sh/chart: parts-1.0.0, example.org/team: theirs}}\n{extra}"
    )
}

const TEMPLATE: &str = "  selector:\n    matchLabels: {app: one}\n  template:\n    metadata:\n      labels: {app: one}\n    spec:\n      containers: []\n";

#[test]
fn deployment() {
    insta::assert_snapshot!(rendered(&workload("Deployment", &format!("spec:\n{TEMPLATE}"))));
}

#[test]
fn stateful_set_keeps_its_claim_templates() {
    let claims = "  volumeClaimTemplates:\n    - metadata: {name: data, labels: {app: one}}\n";
    insta::assert_snapshot!(rendered(&workload("StatefulSet", &format!("spec:\n{TEMPLATE}{claims}"))));
}

#[test]
fn job_keeps_its_template() {
    insta::assert_snapshot!(rendered(&workload("Job", &format!("spec:\n{TEMPLATE}"))));
}

#[test]
fn job_of_a_hook_is_placed() {
    let hook = "  annotations: {helm.sh/hook: pre-install}\n";
    insta::assert_snapshot!(rendered(&workload("Job", &format!("{hook}spec:\n{TEMPLATE}"))));
}

#[test]
fn cron_job() {
    let spec = "spec:\n  jobTemplate:\n    spec:\n      template:\n        spec:\n          containers: []\n";
    insta::assert_snapshot!(rendered(&workload("CronJob", spec)));
}

#[test]
fn pod_of_a_component_with_terms_of_its_own() {
    let pod = "    app.kubernetes.io/component: special
spec:
  nodeSelector: {arch: amd64}
  affinity:
    nodeAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
        nodeSelectorTerms:
          - matchExpressions:
              - {key: node.kubernetes.io/instance-type, operator: In, values: [m5.large]}
          - matchFields: [{key: metadata.name, operator: In, values: [node-1]}]
          - {}
  tolerations: [{operator: Exists}]
  containers: []
";
    let head =
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: one\n  labels:\n    helm.sh/chart: parts-1.0.0\n";
    insta::assert_snapshot!(rendered(&[head, pod].concat()));
}

#[test]
fn list_and_what_is_not_a_workload() {
    let list = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata:\n    name: two\n  spec:\n    selector: {app: two}\n\
                - apiVersion: apps/v1\n  kind: Deployment\n  metadata: {name: three, labels: {chart: parts-2}}\n  spec: {template: {spec: {containers: []}}}\n";
    insta::assert_snapshot!(rendered(
        &["apiVersion: v1\nkind: Namespace\nmetadata: {name: four}\n---\n", list].concat()
    ));
}

#[test]
fn a_comment_does_not_hide_a_workload() {
    let plain = rendered(&workload("DaemonSet", &format!("spec:\n{TEMPLATE}")));
    let commented = rendered(&workload("DaemonSet", &format!("spec: # HIDDEN\n{TEMPLATE}")));
    assert!(plain.contains("+      tolerations:"), "{plain}");
    assert_eq!(plain, commented.replace("spec: # HIDDEN", "spec:"));
}

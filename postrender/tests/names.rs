//! The hub is found, and its objects are known, whatever they are called and whatever stands beside them.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use datalab_policy::DataLab;
use datalab_postrender::render;

const MANIFESTS: &str = include_str!("../../examples/quickstart/manifests.yaml");
const VALUES: &str = include_str!("../../examples/quickstart/hub-values.yaml");
const POLICY: &str = include_str!("../../examples/quickstart/datalab.yaml");

/// How a release names its objects: by what it is set to.
struct Names {
    /// Before each name: `fullnameOverride`, or the release's name.
    prefix: &'static str,
    /// `nameOverride`, or the alias.
    app: &'static str,
    /// The chart's name, or its alias as a subchart.
    chart: &'static str,
    release: &'static str,
}

const QUICKSTART: Names = Names { prefix: "", app: "jupyterhub", chart: "jupyterhub", release: "lab" };

impl Names {
    /// Names the quickstart's objects anew, in its manifests or its values.
    fn rename(&self, text: &str) -> String {
        let Self { prefix, app, chart, release } = self;
        let mut text = text.to_owned();
        for name in ["hub", "user-placeholder"] {
            for place in ["metadata:\n  name: ", "configMap: {name: ", "secretName: ", "serviceName: "] {
                text = text.replace(&format!("{place}{name}"), &format!("{place}{prefix}{name}"));
            }
            text = text.replace(&format!("\n  {name}: {name}\n"), &format!("\n  {name}: {prefix}{name}\n"));
        }
        text.replace("app: jupyterhub", &format!("app: {app}"))
            .replace("helm.sh/chart: jupyterhub-", &format!("helm.sh/chart: {chart}-"))
            .replace("release: lab", &format!("release: {release}"))
            .replace("Chart:\n  Name: jupyterhub", &format!("Chart:\n  Name: {chart}"))
            .replace("Release:\n  Name: lab", &format!("Release:\n  Name: {release}"))
    }

    /// The quickstart's stream, so named.
    fn stream(&self) -> String {
        self.rename(MANIFESTS).replace(&BASE64.encode(VALUES), &BASE64.encode(self.rename(VALUES)))
    }
}

fn policy(edit: impl FnOnce(&str) -> String) -> DataLab {
    DataLab::parse("datalab.yaml", &edit(POLICY)).unwrap().policy
}

fn rendered(policy: &DataLab, stream: &str) -> String {
    let output = render(policy, stream).unwrap().output;
    assert_eq!(render(policy, &output).unwrap().output, output);
    output
}

/// A stream with its hub's values decoded, and without their checksum.
fn shown(stream: &str) -> String {
    let mut shown = String::new();
    for line in stream.lines().filter(|line| !line.contains("checksum/datalab")) {
        let encoded = line.strip_prefix("  values.yaml: ").map(|value| value.trim_matches('"'));
        let decoded = encoded.map(|value| String::from_utf8(BASE64.decode(value).unwrap()).unwrap());
        shown.push_str(decoded.as_deref().unwrap_or(line));
        shown.push('\n');
    }
    shown
}

#[test]
fn the_quickstart_holds_its_values() {
    assert!(MANIFESTS.contains(&BASE64.encode(VALUES)));
}

#[test]
fn the_same_is_done_under_any_names() {
    let policy = policy(str::to_owned);
    let usual = rendered(&policy, MANIFESTS);
    assert_ne!(usual, MANIFESTS);
    for names in [
        Names { prefix: "mine-", ..QUICKSTART },
        Names { prefix: "east-jupyterhub-", release: "east", ..QUICKSTART },
        Names { app: "notebooks", ..QUICKSTART },
        Names { app: "courses", chart: "courses", ..QUICKSTART },
        Names { prefix: "east-courses-", app: "courses", chart: "courses", release: "east" },
    ] {
        let stream = names.stream();
        assert_ne!(stream, MANIFESTS);
        assert_eq!(shown(&rendered(&policy, &stream)), names.rename(&shown(&usual)));
    }
}

#[test]
fn a_policy_leaves_other_hubs_alone() {
    let aliased = [("one-", "one"), ("two-", "two")].map(|(prefix, alias)| Names {
        prefix,
        app: alias,
        chart: alias,
        ..QUICKSTART
    });
    let releases =
        [("one-", "east"), ("two-", "west")].map(|(prefix, release)| Names { prefix, release, ..QUICKSTART });
    for pair in [aliased, releases] {
        let [one, two] = pair.map(|names| names.stream() + "---\n");
        let both = one.clone() + &two;
        // One that says something of every object.
        let policy_of = |hub: &str| {
            let more = format!("spec:\n  hub: {{name: {hub}}}\n  labels: {{example.org/lab: archive}}\n");
            policy(|policy| policy.replace("spec:\n", &more))
        };
        let of_one = policy_of("one-hub");
        let of_two = policy_of("two-hub");
        assert_eq!(rendered(&of_one, &both), rendered(&of_one, &one) + &two);
        assert_eq!(rendered(&of_two, &both), one.clone() + &rendered(&of_two, &two));
        let either_order =
            [(&of_one, &of_two), (&of_two, &of_one)].map(|(a, b)| rendered(b, &rendered(a, &both)));
        assert_eq!(either_order[0], either_order[1]);
    }
}

/// What looks like a hub and is none: values in plain text, and a Deployment of that component.
const LOOKALIKE: &str = r#"---
# Source: binderhub/templates/secret.yaml
kind: Secret
apiVersion: v1
metadata:
  name: binder-secret
type: Opaque
stringData:
  values.yaml: |
    singleuser: {}
---
# Source: binderhub/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: binder
  labels: {component: hub}
spec:
  selector:
    matchLabels: {app: binder}
  template:
    metadata:
      labels: {app: binder}
    spec:
      containers: [{name: binder, image: "quay.io/jupyterhub/k8s-binderhub:1.0.0"}]
      volumes: [{name: secret, secret: {secretName: binder-secret}}]
"#;

#[test]
fn what_looks_like_a_hub_is_left_alone() {
    let policy = policy(str::to_owned);
    let umbrella =
        MANIFESTS.replace("---\n", "---\n# Source: basehub/charts/jupyterhub/templates/all.yaml\n");
    for hub in [MANIFESTS, &umbrella] {
        let both = LOOKALIKE.to_owned() + hub;
        assert_eq!(rendered(&policy, &both), LOOKALIKE.to_owned() + &rendered(&policy, hub));
    }
}

#[test]
fn objects_without_labels_are_placed_by_their_chart_under_both_helms() {
    let placed = |name: &str| {
        format!("placement:\n    - match: {{chart: {name}}}\n      nodes: {{pools: [builds]}}\n")
    };
    let helm4 = LOOKALIKE
        .replace("  name: binder\n", "  name: binder\n  annotations: {postrenderer.helm.sh/postrender-filename: binderhub/templates/deployment.yaml}\n")
        .replace("# Source: binderhub/templates/deployment.yaml\n", "");
    for stream in [LOOKALIKE, &helm4] {
        let of_binderhub = policy(|policy| policy.replace("placement:\n", &placed("binderhub")));
        assert!(rendered(&of_binderhub, stream).contains("- builds"));
        let of_others = policy(|policy| policy.replace("placement:\n", &placed("basehub")));
        assert_eq!(rendered(&of_others, stream), stream);
    }
}

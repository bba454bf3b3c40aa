//! Speed on a stream like a large chart's: `cargo bench -p datalab-yaml`.
#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::fmt::Write;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use datalab_yaml::{Document, Edit, Editor, Path, Value, split};
use serde_json::json;

/// About `bytes` of documents, in shares like those of charts: of ten two are deployments, two services, …
fn stream(bytes: usize) -> String {
    let mut out = String::with_capacity(bytes + 4096);
    let mut n = 0;
    while out.len() < bytes {
        let _ = write!(out, "---\n# Source: lab/templates/part-{n}.yaml\n");
        match n % 10 {
            0 | 1 => deployment(&mut out, n),
            2 | 3 => service(&mut out, n),
            4..=6 => config(&mut out, n),
            _ => role(&mut out, n),
        }
        n += 1;
    }
    out
}

fn metadata(out: &mut String, api: &str, kind: &str, n: usize) {
    let _ = write!(
        out,
        "apiVersion: {api}\nkind: {kind}\nmetadata:\n  name: part-{n}\n  namespace: lab\n  labels:\n    \
         app.kubernetes.io/name: part\n    app.kubernetes.io/instance: \"part-{n}\"\n    helm.sh/chart: lab-1.2.{n}\n"
    );
}

fn deployment(out: &mut String, n: usize) {
    metadata(out, "apps/v1", "Deployment", n);
    let _ = write!(
        out,
        "spec:\n  replicas: 1\n  selector:\n    matchLabels: {{app: part-{n}}}\n  template:\n    metadata:\n      \
         labels: {{app: part-{n}}}\n      annotations:\n        checksum/config: \"{:064x}\"\n    spec:\n      \
         serviceAccountName: part-{n}\n      containers:\n        - name: main\n          image: \
         \"registry.example/part:{n}\"\n          args: [--port=8080, --log-level=info]\n          ports:\n            \
         - {{name: http, containerPort: 8080}}\n          env:\n            # where the others are\n            \
         - name: POD_NAMESPACE\n              valueFrom:\n                fieldRef:\n                  fieldPath: \
         metadata.namespace\n            - name: UPSTREAM\n              value: \"http://part-{n}:8080\"\n          \
         resources:\n            requests:\n              cpu: 100m\n              memory: 128Mi\n          \
         readinessProbe:\n            httpGet: {{path: /health, port: http}}\n            periodSeconds: 10\n      \
         volumes: []\n",
        n * 7919
    );
}

fn service(out: &mut String, n: usize) {
    metadata(out, "v1", "Service", n);
    let _ = write!(
        out,
        "spec:\n  type: ClusterIP\n  selector:\n    app: part-{n}\n  ports:\n  - port: 80\n    targetPort: http\n    \
         protocol: TCP\n"
    );
}

fn config(out: &mut String, n: usize) {
    metadata(out, "v1", "ConfigMap", n);
    out.push_str("data:\n  settings.toml: |\n");
    for line in 0..20 {
        let _ = writeln!(out, "    key_{line} = \"value {n} of {line}\"");
    }
}

fn role(out: &mut String, n: usize) {
    metadata(out, "rbac.authorization.k8s.io/v1", "Role", n);
    out.push_str("rules:\n");
    for resource in ["pods", "services", "secrets", "events"] {
        let _ = write!(
            out,
            "  - apiGroups: [\"\"]\n    resources: [{resource}]\n    verbs: [get, list, 'watch']\n"
        );
    }
}

/// What a rule writes into a workload, or a label into anything else.
fn edits(value: &Value) -> Vec<Edit> {
    let mut editor = Editor::new(value.clone());
    let labels: Path = ["metadata", "labels"].into_iter().collect();
    editor.set(&labels.join("datalab.dev/managed"), json!("true"));
    if value["kind"] == "Deployment" {
        let template: Path = ["spec", "template"].into_iter().collect();
        editor.set(&template.join("metadata").join("labels").join("datalab.dev/part"), json!("core"));
        editor.set(
            &template.join("spec").join("affinity").join("nodeAffinity"),
            json!({"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": "datalab.dev/role", "operator": "In", "values": ["core"]}]}]}}),
        );
    }
    editor.finish().1
}

fn benches(c: &mut Criterion) {
    let stream = stream(1 << 20);
    let pieces = split(&stream).expect("splits");
    let bodies: Vec<&str> = pieces.iter().map(|piece| &piece.text[piece.body.clone()]).collect();
    let documents: Vec<Document> = bodies.iter().map(|body| Document::parse(body).expect("parses")).collect();
    let edits: Vec<_> = documents.iter().map(|d| edits(&d.value().expect("has a value"))).collect();

    let mut group = c.benchmark_group("yaml");
    group.throughput(Throughput::Bytes(stream.len() as u64));
    group.bench_function("split", |b| b.iter(|| split(black_box(&stream)).map(|pieces| pieces.len())));
    group.bench_function("parse", |b| {
        b.iter(|| bodies.iter().filter(|body| Document::parse(black_box(body)).is_ok()).count());
    });
    group.bench_function("value", |b| {
        b.iter(|| documents.iter().filter(|document| black_box(document).value().is_ok()).count());
    });
    group.bench_function("apply to all", |b| {
        b.iter(|| {
            documents.iter().zip(&edits).map(|(d, e)| d.apply(e).map_or(0, |text| text.len())).sum::<usize>()
        });
    });
    // The whole of a run that edits four documents in ten.
    group.bench_function("split, then parse, value, apply 40 %", |b| {
        b.iter(|| {
            let pieces = split(black_box(&stream)).expect("splits");
            let mut out = String::with_capacity(stream.len() * 2);
            for (n, piece) in pieces.iter().enumerate() {
                let body = &piece.text[piece.body.clone()];
                if n % 10 < 4 {
                    let document = Document::parse(body).expect("parses");
                    black_box(document.value().expect("has a value"));
                    out.push_str(&document.apply(&edits[n]).expect("applies"));
                } else {
                    out.push_str(body);
                }
            }
            out.len()
        });
    });
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);

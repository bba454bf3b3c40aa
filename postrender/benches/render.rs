//! Where the time of a pass goes, on streams in the shape of charts: `cargo bench -p datalab-postrender`.
//!
//! Also on real charts where `DATALAB_SHARED` names a folder of them.

use std::fmt::Write;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use datalab_policy::DataLab;
use datalab_postrender::render;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn policy(file: &str) -> DataLab {
    let text = std::fs::read_to_string(root().join(file)).expect("a policy file");
    DataLab::parse(file, &text).expect("a policy").policy
}

/// About `size` bytes of documents, 40 % of them Deployments, as charts lay them out.
fn stream(size: usize) -> String {
    let mut out = String::new();
    let mut i = 0;
    while out.len() < size {
        let (kind, version) = if i % 5 < 2 { ("Deployment", "apps/v1") } else { ("Service", "v1") };
        let _ = write!(
            out,
            "---\n# Source: bench/templates/part-{i}.yaml\napiVersion: {version}\nkind: {kind}\nmetadata:\n  name: part-{i}\n  \
             labels:\n    app.kubernetes.io/name: part\n    app.kubernetes.io/instance: bench\n    helm.sh/chart: bench-1.0.0\n"
        );
        out.push_str(if kind == "Service" {
            "spec:\n  type: ClusterIP\n  selector:\n    app.kubernetes.io/name: part\n  ports:\n    - name: http\n      \
             port: 80\n      targetPort: http\n      protocol: TCP\n"
        } else {
            "spec:\n  replicas: 2\n  selector:\n    matchLabels:\n      app.kubernetes.io/name: part\n  template:\n    \
             metadata:\n      labels:\n        app.kubernetes.io/name: part\n      annotations:\n        checksum/config: \
             \"0123456789abcdef0123456789abcdef\"\n    spec:\n      serviceAccountName: part\n      containers:\n        \
             - name: part\n          image: \"registry.example.org/part:1.2.3\"\n          imagePullPolicy: IfNotPresent\n\
             \u{20}         args:\n            - --port=8080\n            - --verbose\n          env:\n            - name: \
             MODE\n              value: production\n          ports:\n            - name: http\n              \
             containerPort: 8080\n          resources:\n            requests:\n              cpu: 100m\n              \
             memory: 128Mi\n          livenessProbe:\n            httpGet:\n              path: /healthz\n              \
             port: http\n"
        });
        i += 1;
    }
    out
}

fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("render");
    let placed = policy("tests/policies/without-hub.yaml");
    for megabytes in [1, 5] {
        let stream = stream(megabytes << 20);
        group.throughput(Throughput::Bytes(stream.len() as u64));
        group.bench_function(format!("{megabytes} MB, every document labelled, 40 % placed"), |b| {
            b.iter(|| render(&placed, black_box(&stream)).expect("a render"));
        });
    }
    let stream_1 = stream(1 << 20).replace("kind: Deployment", "kind: Widget");
    let mut untouched = placed.clone();
    untouched.spec.labels.clear();
    group.throughput(Throughput::Bytes(stream_1.len() as u64));
    group.bench_function("1 MB that nothing touches", |b| {
        b.iter(|| render(&untouched, black_box(&stream_1)).expect("a render"));
    });

    let quickstart =
        std::fs::read_to_string(root().join("examples/quickstart/manifests.yaml")).expect("a stream");
    let quickstart_policy = policy("examples/quickstart/datalab.yaml");
    group.throughput(Throughput::Bytes(quickstart.len() as u64));
    group.bench_function("quickstart", |b| {
        b.iter(|| render(&quickstart_policy, black_box(&quickstart)).expect("a render"));
    });

    match std::env::var_os("DATALAB_SHARED") {
        None => eprintln!("SKIPPED: DATALAB_SHARED is not set, so no real chart is measured"),
        Some(shared) => {
            for lab in ["karpenter-lab", "research-archive", "energy-platform", "ska-k3s"] {
                let file = Path::new(&shared).join("upstream/labs").join(lab).with_extension("yaml");
                let Ok(stream) = std::fs::read_to_string(&file) else { continue };
                let policy = policy(&format!("examples/{lab}/datalab.yaml"));
                group.throughput(Throughput::Bytes(stream.len() as u64));
                group.bench_function(lab, |b| {
                    b.iter(|| render(&policy, black_box(&stream)).expect("a render"))
                });
            }
        }
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);

//! Where the time of a pass goes, on streams in the shape of charts: `cargo bench -p datalab-tests`.
//!
//! Also on real charts where `DATALAB_SHARED` names a folder of them.

use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use datalab_policy::DataLab;
use datalab_postrender::render;
use datalab_tests::generate::stream;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn policy(file: &str) -> DataLab {
    let text = std::fs::read_to_string(root().join(file)).expect("a policy file");
    DataLab::parse(file, &text).expect("a policy").policy
}

fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("render");
    let placed = policy("tests/policies/without-hub.yaml");
    let mut unlabelled = placed.clone();
    unlabelled.spec.labels.clear();
    for megabytes in [1, 5] {
        let stream = stream(megabytes << 20);
        let widgets = stream.replace("kind: Deployment", "kind: Widget");
        group.throughput(Throughput::Bytes(stream.len() as u64));
        for (what, policy, stream) in [
            ("40 % of documents edited", &unlabelled, &stream),
            ("every document labelled, 40 % placed", &placed, &stream),
            ("nothing edited", &unlabelled, &widgets),
        ] {
            group.bench_function(format!("{megabytes} MB, {what}"), |b| {
                b.iter(|| render(policy, black_box(stream)).expect("a render"));
            });
        }
    }

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
                    b.iter(|| render(&policy, black_box(&stream)).expect("a render"));
                });
            }
        }
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);

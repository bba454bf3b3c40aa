//! Streams of any size in the shape of charts, for benchmarks.

use std::fmt::Write as _;

/// At least `size` bytes of documents: two of five are Deployments of two kilobytes, the others Services of half of one.
pub fn stream(size: usize) -> String {
    let mut out = String::with_capacity(size + 4096);
    for i in 0.. {
        if out.len() >= size {
            break;
        }
        let workload = i % 5 < 2;
        let (kind, version) = if workload { ("Deployment", "apps/v1") } else { ("Service", "v1") };
        let _ = write!(
            out,
            "---\n# Source: parts/templates/part-{i}.yaml\napiVersion: {version}\nkind: {kind}\nmetadata:\n  name: \
             part-{i}\n  labels:\n    app.kubernetes.io/name: part-{i}\n    app.kubernetes.io/instance: parts\n    \
             app.kubernetes.io/managed-by: Helm\n    helm.sh/chart: parts-1.0.0\n  annotations:\n    \
             example.org/description: \"Part {i} of many: it has a port, and a purpose\"\nspec:\n"
        );
        if workload { deployment(&mut out, i) } else { service(&mut out, i) }
    }
    out
}

fn service(out: &mut String, i: usize) {
    let _ = write!(out, "  type: ClusterIP\n  selector:\n    app.kubernetes.io/name: part-{i}\n  ports:\n");
    for (name, port) in [("http", 80), ("metrics", 9090), ("admin", 8443)] {
        let _ = write!(
            out,
            "    - name: {name}\n      port: {port}\n      targetPort: {name}\n      protocol: TCP\n"
        );
    }
}

fn deployment(out: &mut String, i: usize) {
    let _ = write!(
        out,
        "  replicas: 2\n  revisionHistoryLimit: 3\n  selector:\n    matchLabels:\n      app.kubernetes.io/name: part-{i}\n  \
         template:\n    metadata:\n      labels:\n        app.kubernetes.io/name: part-{i}\n      annotations:\n        \
         checksum/config: 6f1ed002ab5595859014ebf0951522d9\n    spec:\n      serviceAccountName: part-{i}\n      \
         securityContext:\n        runAsNonRoot: true\n      containers:\n        - name: part\n          image: \
         \"registry.example.org/parts/part:1.2.3\"\n          imagePullPolicy: IfNotPresent\n          args:\n            \
         - --port=8080\n            - --config=/etc/part/part.yaml\n            - --verbose\n          env:\n"
    );
    for name in ["MODE", "REGION", "ENDPOINT", "TIMEOUT", "WORKERS", "CACHE"] {
        let _ = write!(out, "            - name: PART_{name}\n              value: \"{name} of part {i}\"\n");
    }
    out.push_str(
        "          ports:\n            - name: http\n              containerPort: 8080\n              protocol: TCP\n          \
         resources:\n            requests:\n              cpu: 100m\n              memory: 128Mi\n            limits:\n              \
         memory: 256Mi\n",
    );
    for probe in ["livenessProbe", "readinessProbe"] {
        let _ = write!(
            out,
            "          {probe}:\n            httpGet:\n              path: /healthz\n              port: http\n            \
             periodSeconds: 10\n"
        );
    }
    out.push_str(
        "          volumeMounts:\n            - name: config\n              mountPath: /etc/part\n              readOnly: \
         true\n      volumes:\n        - name: config\n          configMap:\n            name: part\n",
    );
}

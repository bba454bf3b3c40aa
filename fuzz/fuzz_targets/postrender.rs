//! The whole program but its command line: any stream under a policy that asks for everything never panics, and what it writes
//! is final.
#![no_main]

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use datalab_policy::DataLab;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static POLICY: LazyLock<DataLab> = LazyLock::new(|| {
    // A caught panic is an error like any other, and libFuzzer's own hook would abort.
    std::panic::set_hook(Box::new(|_| {}));
    DataLab::parse("datalab.yaml", include_str!("../../tests/hubs/overriding.datalab.yaml")).expect("a policy").policy
});
const STREAM: &str = include_str!("../../examples/quickstart/manifests.yaml");

/// The stream with other values in its hub's Secret.
fn with_values(values: &str) -> String {
    let start = STREAM.find("values.yaml: \"").expect("values") + "values.yaml: \"".len();
    let end = start + STREAM[start..].find('"').expect("a quote");
    [&STREAM[..start], &BASE64.encode(values), &STREAM[end..]].concat()
}

fuzz_target!(|data: &[u8]| {
    let Some((kind, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let stream = match kind % 3 {
        0 => text.to_owned(),
        1 => with_values(text),
        _ => format!("{STREAM}---\n{text}"),
    };
    let outcome = std::panic::catch_unwind(|| datalab_postrender::render(&POLICY, &stream));
    let rendered = outcome.unwrap_or_else(|_| std::process::abort());
    let Ok(rendered) = rendered else { return };
    let again = datalab_postrender::render(&POLICY, &rendered.output).map(|again| again.output == rendered.output);
    if again != Ok(true) {
        std::process::abort();
    }
});

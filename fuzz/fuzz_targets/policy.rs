//! Whatever the text: a policy is read or explained, never a panic; what was read is written and read again.
#![no_main]

use datalab_policy::{DataLab, Quantity, init};
use datalab_yaml::{Document, emit};
use libfuzzer_sys::fuzz_target;

const HEAD: &str = "apiVersion: datalab.dev/v1alpha1\nkind: DataLab\nmetadata: {name: lab}\nspec:\n";

fuzz_target!(
    init: std::panic::set_hook(Box::new(|panic| {
        // The scanner's own panics are caught; libFuzzer's hook would abort on them. Others still end the run.
        if !panic.location().is_some_and(|place| place.file().contains("libyaml-safer")) {
            eprintln!("{panic}");
        }
    })),
    |text: &str| {
        read(text);
        // Most texts lack a head, and would get no further.
        read(&format!("{HEAD}{text}"));
        if let Ok(quantity) = text.parse::<Quantity>() {
            let again: Quantity = quantity.canonical().parse().expect("what is printed is read");
            assert_eq!(again, quantity);
            quantity.to_kubespawner_memory();
            quantity.to_kubespawner_cpu();
        }
        if let Ok(values) = Document::parse(text).and_then(|document| document.value()) {
            if let Err(errors) = DataLab::parse("init", &init(&values, "lab", None)) {
                panic!("a first policy is wrong: {errors}");
            }
        }
    }
);

fn read(text: &str) {
    match DataLab::parse("policy", text) {
        Ok(parsed) => {
            let written = emit(&serde_json::to_value(&parsed.policy).expect("a policy is JSON"));
            match DataLab::parse("written", &written) {
                Ok(again) => assert_eq!(again.policy, parsed.policy),
                Err(errors) => panic!("what was read is wrong when written: {errors}"),
            }
        }
        Err(errors) => {
            assert!(!errors.render(true).is_empty() && errors.lines().count() > 0);
            for error in &errors {
                assert!(text.get(error.span.clone()).is_some());
            }
        }
    }
}

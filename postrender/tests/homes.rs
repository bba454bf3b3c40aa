//! Homes stay where they are, or a warning says that they move.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use datalab_policy::DataLab;

const MANIFESTS: &str = include_str!("../../examples/quickstart/manifests.yaml");
const VALUES: &str = include_str!("../../examples/quickstart/hub-values.yaml");

/// Warnings about a hub whose homes are folders of a claim.
fn warnings(sub_path: &str) -> Vec<String> {
    let values = VALUES.replace(
        "    type: dynamic",
        &format!("    type: static\n    static:\n      pvcName: homes\n      subPath: \"{sub_path}\""),
    );
    assert_ne!(values, VALUES);
    let start = MANIFESTS.find("values.yaml: \"").unwrap() + "values.yaml: \"".len();
    let end = start + MANIFESTS[start..].find('"').unwrap();
    let stream = [&MANIFESTS[..start], &BASE64.encode(values), &MANIFESTS[end..]].concat();
    let policy = "apiVersion: datalab.dev/v1alpha1\nkind: DataLab\nmetadata: {name: lab}\nspec:\n  hub: {unknownProfiles: keep}\n  \
                  mounts:\n    - {name: home, claim: homes, subPath: \"{user}\", mountPath: /home/jovyan}\n";
    let policy = DataLab::parse("datalab.yaml", policy).unwrap().policy;
    let rendered = datalab_postrender::render(&policy, &stream).unwrap();
    rendered.warnings.into_iter().filter(|warning| warning.contains("/home/jovyan")).collect()
}

#[test]
fn homes_of_the_same_name_stay() {
    assert!(warnings("{username}").is_empty());
}

#[test]
fn homes_of_another_name_move_with_a_warning() {
    assert_eq!(
        warnings("{escaped_username}"),
        [
            "/home/jovyan was the folder \"{escaped_username}\" of its volume and becomes \"{username}\": what users have \
          there stays behind unless it is moved"
        ]
    );
}

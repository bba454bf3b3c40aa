//! What `explain` prints.

use datalab_policy::explain;
use insta::assert_snapshot;

#[test]
fn explains_lists_of_objects_by_any_spelling() {
    let expected = explain("spec.images.named").unwrap();
    for spelling in ["images.named", "spec.images.named[]", "spec.images.named[0]", ".spec.images.named"] {
        assert_eq!(explain(spelling).unwrap(), expected, "{spelling}");
    }
    assert_snapshot!(expected, @r"
    GROUP:      datalab.dev
    KIND:       DataLab
    VERSION:    v1alpha1

    FIELD:      spec.images.named <[]NamedImage>

    DESCRIPTION:
        Names for images, which profiles use. A named image is allowed where its profile is.

    FIELDS:
      name <string> -required-
        The name that profiles use.

      image <string> -required-
        The image reference.
    ");
}

#[test]
fn explains_words() {
    assert_snapshot!(explain("isolation.onePodPerNode").unwrap(), @r"
    GROUP:      datalab.dev
    KIND:       DataLab
    VERSION:    v1alpha1

    FIELD:      spec.isolation.onePodPerNode <none|preferred|required>

    DESCRIPTION:
        Whether a user's server (or a placeholder) has its node to itself.

    WORDS:
      none
        They may.

      preferred
        They do where nothing else is free.

      required
        They never do.
    ");
}

#[test]
fn explains_maps_by_their_values() {
    let values = explain("spec.rules.images").unwrap();
    assert!(values.contains("spec.rules <enforce|warn|audit>"), "{values}");
    assert!(explain("spec.rules").unwrap().contains("spec.rules <map[string]enforce|warn|audit>"));
}

#[test]
fn suggests_what_was_meant() {
    for (field, error) in [
        ("spec.profiles.nods", "spec.profiles has no field nods: did you mean nodes?"),
        ("spec.profiles.slug.x", "spec.profiles.slug has no fields"),
        ("hubb", "spec has no field hubb: did you mean hub?"),
        ("metadata.x", "metadata has no field x: its fields are name, namespace, labels, annotations"),
    ] {
        assert_eq!(explain(field).unwrap_err(), error);
    }
}

#[test]
fn explains_the_whole() {
    let whole = explain("").unwrap();
    assert!(whole.contains("\n  spec <Spec> -required-\n    The policy.\n"), "{whole}");
}

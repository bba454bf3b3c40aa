//! Edits in awkward layouts: what the text is afterwards, or why it cannot be edited.

use datalab_yaml::{Document, Editor, Path, Value, emit, split};
use insta::assert_snapshot;
use serde_json::json;

/// The path of `a.b[0].c`.
fn path(text: &str) -> Path {
    let mut path = Path::ROOT;
    for part in text.split('.').filter(|part| !part.is_empty()) {
        let (key, indices) = part.split_once('[').unwrap_or((part, ""));
        if !key.is_empty() {
            path = path.join(key);
        }
        for index in indices.split('[').filter_map(|index| index.trim_end_matches(']').parse::<usize>().ok())
        {
            path = path.join(index);
        }
    }
    path
}

fn edit(text: &str, change: impl FnOnce(&mut Editor)) -> String {
    let document = Document::parse(text).expect("parses");
    let mut editor = Editor::new(document.value().expect("has a value"));
    change(&mut editor);
    document.apply(editor.edits()).unwrap_or_else(|e| format!("error: {e}"))
}

fn set(text: &str, at: &str, value: Value) -> String {
    edit(text, |editor| editor.set(&path(at), value))
}

fn append(text: &str, at: &str, value: Value) -> String {
    edit(text, |editor| editor.append(&path(at), value))
}

fn remove(text: &str, at: &str) -> String {
    edit(text, |editor| editor.remove(&path(at)))
}

fn parse_error(text: &str) -> String {
    Document::parse(text).and_then(|d| d.value()).expect_err("is refused").to_string()
}

fn split_error(text: &str) -> String {
    split(text).expect_err("is refused").to_string()
}

#[test]
fn new_keys_stand_behind_the_last_leaf() {
    assert_snapshot!(set("a:\n  b:\n    c: 1 # one\n\n# next\nd: 2\n", "a.b.x", json!("y")), @r#"
    a:
      b:
        c: 1 # one
        x: "y"

    # next
    d: 2
    "#);
    assert_snapshot!(set("a:\n    b: |\n        text\n\n\nd: 2\n", "a.x", json!({"y": {"z": 1}})), @r#"
    a:
        b: |
            text
        x:
            "y":
                z: 1


    d: 2
    "#);
    assert_snapshot!(set("a:\n  b: |+\n    text\n\n\nd: 2\n", "a.x", json!(1)), @"
    a:
      b: |+
        text


      x: 1
    d: 2
    ");
    assert_snapshot!(set("items:\n- a: 1\n  b: {c: 1}\n- a: 2\n", "items[0].x", json!(["y"])), @r#"
    items:
    - a: 1
      b: {c: 1}
      x:
      - "y"
    - a: 2
    "#);
    assert_snapshot!(set("a: 1", "x", json!(2)), @"
    a: 1
    x: 2
    ");
    assert_snapshot!(set("a:\n  b: 'one\n    two' # c\n", "a.x", json!(null)), @"
    a:
      b: 'one
        two' # c
      x: null
    ");
    assert_snapshot!(set("? a\n: 1\n? b\n", "x", json!(2)), @"
    ? a
    : 1
    ? b
    x: 2
    ");
    assert_snapshot!(set("a:\n  b:\n    c: 1\n", "a", json!({"b": {"c": 1, "x": 2}, "y": 3})), @r#"
    a:
      b:
        c: 1
        x: 2
      "y": 3
    "#);
    assert_snapshot!(edit("a:\n  b:\n    c: 1\n", |e| {
        e.set(&path("a.x"), json!(1));
        e.set(&path("a.b.x"), json!(2));
        e.set(&path("x"), json!(3));
    }), @"
    a:
      b:
        c: 1
        x: 2
      x: 1
    x: 3
    ");
    assert_snapshot!(set("a: 1\r\nb:\r\n  c: 2\r\n", "b.x", json!({"y": "z"})).escape_debug(), @r#"a: 1\r\nb:\r\n  c: 2\r\n  x:\r\n    \"y\": z\r\n"#);
    assert_snapshot!(set("\u{feff}a: 1\n", "x", json!(2)).escape_debug(), @r#"\u{feff}a: 1\nx: 2\n"#);
}

#[test]
fn empty_values_are_filled() {
    assert_snapshot!(set("a:\nb: 1\n", "a.x", json!("y")), @r#"
    a:
      x: "y"
    b: 1
    "#);
    assert_snapshot!(set("a:\n  b: # none yet\n  c: 1\n", "a.b.x", json!("y")), @r#"
    a:
      b: # none yet
        x: "y"
      c: 1
    "#);
    assert_snapshot!(set("a: # none yet\nb: 1\n", "a", json!("yes")), @r#"
    a: "yes" # none yet
    b: 1
    "#);
    assert_snapshot!(set("a: {} # none\n", "a.x", json!({"y": 1})), @r#"
    a: # none
      x:
        "y": 1
    "#);
    assert_snapshot!(append("a: []\n", "a", json!({"y": 1, "z": 2})), @r#"
    a:
      - "y": 1
        z: 2
    "#);
    assert_snapshot!(append("a:\n  b:\n    c: 1\n  d: ~ # no\n", "a.d", json!("y")), @r#"
    a:
      b:
        c: 1
      d: # no
        - "y"
    "#);
    assert_snapshot!(set("- \n- a\n", "", json!([{"x": 1}])), @"- x: 1");
    assert_snapshot!(edit("-\n- a\n", |e| e.set(&Path::ROOT.join(0).join("x"), json!({"y": 1}))), @r#"
    - x:
        "y": 1
    - a
    "#);
    assert_snapshot!(set("# nothing\n", "a", json!(1)), @"
    # nothing
    a: 1
    ");
    assert_snapshot!(set("{}\n", "a.b", json!(1)), @"
    a:
      b: 1
    ");
    assert_snapshot!(set("--- {}\n", "a.b", json!(1)), @"--- {a: {b: 1}}");
}

#[test]
fn sequences_grow() {
    assert_snapshot!(append("a:\n- 1 # one\n- 2\n# end\nb: 3\n", "a", json!({"x": 1, "y": [2]})), @r#"
    a:
    - 1 # one
    - 2
    - x: 1
      "y":
      - 2
    # end
    b: 3
    "#);
    assert_snapshot!(append("a:\n    - b: 1\n      c: 2\n", "a", json!("0755")), @r#"
    a:
        - b: 1
          c: 2
        - "0755"
    "#);
    assert_snapshot!(append("a: [1, 2 ] # two\n", "a", json!({"x": "on"})), @r#"a: [1, 2, {x: "on"} ] # two"#);
    assert_snapshot!(append("a: [\n  1,\n  2, # two\n]\n", "a", json!(3)), @"
    a: [
      1,
      2, 3, # two
    ]
    ");
    assert_snapshot!(append("- - 1\n  - 2\n- 3\n", "", json!([4, 5])), @"
    - - 1
      - 2
    - 3
    - - 4
      - 5
    ");
}

#[test]
fn flow_collections_stay() {
    assert_snapshot!(set("a: {b: 1, c: {d: 2}} # c\n", "a.c.x", json!("a: b")), @r#"a: {b: 1, c: {d: 2, x: "a: b"}} # c"#);
    assert_snapshot!(set("a: {b: , c}\n", "a.b", json!(1)), @"a: {b: 1, c}");
    assert_snapshot!(set("a: {b: , c}\n", "a.c", json!([1])), @"a: {b: , c: [1]}");
    assert_snapshot!(set("a: [b: 1, c]\n", "a[0].x", json!(1)), @"a: [{b: 1, x: 1}, c]");
    assert_snapshot!(set("{\"a\":{\"b\":[1]},\"c\":\"d\"}", "a.x", json!({"y": "z"})), @r#"{"a":{"b":[1], "x": {"y": "z"}},"c":"d"}"#);
    assert_snapshot!(remove("a: {b: 1, c: 2, d: 3}\n", "a.b"), @"a: {c: 2, d: 3}");
    assert_snapshot!(remove("a: {b: 1, c: 2, d: 3 }\n", "a.d"), @"a: {b: 1, c: 2 }");
    assert_snapshot!(remove("a: {b: 1}\n", "a.b"), @"a: {}");
}

#[test]
fn scalars_keep_their_style() {
    assert_snapshot!(set("a: x # c\n", "a", json!("y")), @r#"a: "y" # c"#);
    assert_snapshot!(set("a: x # c\n", "a", json!("12")), @r#"a: "12" # c"#);
    assert_snapshot!(set("a: \"eA==\" # c\n", "a", json!("eQ==")), @r#"a: "eQ==" # c"#);
    assert_snapshot!(set("a:   'x'\n", "a", json!("it's")), @"a:   'it''s'");
    assert_snapshot!(set("a: 'x'\n", "a", json!("two\nlines")), @r#"a: "two\nlines""#);
    assert_snapshot!(set("a: |\n    one\n    two\n\nb: 1\n", "a", json!("one\nthree\n")), @"
    a: |
        one
        three

    b: 1
    ");
    assert_snapshot!(set("a: >-\n  one\n  two\nb: 1\n", "a", json!(" no literal")), @r#"
    a: " no literal"
    b: 1
    "#);
    assert_snapshot!(set("a: one\n  two # c\nb: 1\n", "a", json!(7)), @"
    a: 7 # c
    b: 1
    ");
    assert_snapshot!(set("a: !!str 1\n", "a", json!("2")), @r#"a: "2""#);
}

#[test]
fn collections_give_way() {
    assert_snapshot!(set("a: # c\n  b: 1\n  # in\n  c: 2\nd: 3\n", "a", json!("x")), @"
    a: x # c
    d: 3
    ");
    assert_snapshot!(set("a:\n  b: 1\n  c: 2\nd: 3\n", "a", json!({"x": [1]})), @"
    a:
      x:
        - 1
    d: 3
    ");
    assert_snapshot!(set("a: 1 # c\nd: 3\n", "a", json!({"x": [1]})), @"
    a: # c
      x:
        - 1
    d: 3
    ");
    assert_snapshot!(set("a:\n- 1\n- 2\nd: 3\n", "a", json!([])), @"
    a: []
    d: 3
    ");
    assert_snapshot!(set("a:\n- b: 1\n  c: 2\n- d\n", "a[0]", json!("x")), @"
    a:
    - x
    - d
    ");
    assert_snapshot!(set("a:\n- b # c\n- d\n", "a[0]", json!({"x": 1, "y": 2})), @r#"
    a:
    - x: 1
      "y": 2 # c
    - d
    "#);
}

#[test]
fn keys_leave_with_their_lines() {
    assert_snapshot!(remove("a: 1\n# b\nb:\n  c: 1\n  d: 2\n# e\ne: 3\n", "b"), @"
    a: 1
    # b
    # e
    e: 3
    ");
    assert_snapshot!(remove("a:\n  b: 1\nc: 2\n", "a.b"), @"
    a: {}
    c: 2
    ");
    assert_snapshot!(remove("- a: 1\n  b: 2\n", "[0].a"), @"- b: 2");
    assert_snapshot!(remove("- a: 1\n  # b\n  b: 2\n", "[0].a"), @"
    -
      # b
      b: 2
    ");
    assert_snapshot!(remove("a: 1\nb: 2", "b"), @"a: 1");
    assert_snapshot!(remove("a: 1\n", "a"), @"{}");
    assert_snapshot!(edit("a: 1\nb: 2\n", |e| {
        e.remove(&path("b"));
        e.set(&path("x"), json!(3));
    }), @"
    a: 1
    x: 3
    ");
    assert_snapshot!(edit("a: 1\n", |e| {
        e.remove(&path("a"));
        e.set(&path("x"), json!(3));
    }), @"x: 3");
}

#[test]
fn shared_values_are_not_edited() {
    let text = "base: &b\n  x: 1\nother:\n  <<: *b\n  z: 2\nsame: *b\ntwice: 1\ntwice: 2\nfree: 1\n";
    assert_snapshot!(set(text, "free", json!(2)).replace(text.trim_end_matches("free: 1\n"), "…"), @"…free: 2");
    assert_snapshot!(set(text, "base.x", json!(2)), @"error: line 1, column 7: `*b` on line 4 repeats this value (write the alias out to have the value edited)");
    assert_snapshot!(set(text, "base", json!(2)), @"error: line 1, column 7: `*b` on line 4 repeats this value (write the alias out to have the value edited)");
    assert_snapshot!(remove(text, "base"), @"error: line 1, column 7: `*b` on line 4 repeats this value (write the alias out to have the value edited)");
    assert_snapshot!(set(text, "same.x", json!(2)), @"error: line 6, column 7: `*b` stands for a value elsewhere (write the value out to have it edited)");
    assert_snapshot!(set(text, "same", json!(2)), @"error: line 6, column 7: `*b` stands for a value elsewhere (write the value out to have it edited)");
    assert_snapshot!(set(text, "other.x", json!(2)), @"error: line 4, column 3: `x` comes from a merge key (write the merged keys out to have them edited)");
    assert_snapshot!(set(text, "other.z", json!(2.5)).replace(text.split_once("  z").map_or("", |t| t.0), "…"), @"
    …  z: 2.5
    same: *b
    twice: 1
    twice: 2
    free: 1
    ");
    assert_snapshot!(set(text, "twice", json!(3)), @"error: line 8, column 1: duplicate key `twice`, first on line 7 (keep one of them to have it edited)");
    assert_snapshot!(set("? a\n? b\n", "a", json!(3)), @"error: line 1, column 3: the key has no `:` behind which a value could stand (write `key: value`)");
}

#[test]
fn values_are_emitted_for_every_reader() {
    assert_snapshot!(emit(&json!({
        "plain": "app.kubernetes.io/name", "number": "0755", "yes": "y", "empty": "", "lines": "a\n\tb\n",
        "odd": "é\u{85}\u{2028}\u{feff}\u{0}😀\\/\"", "float": 1e300, "small": 1.5e-9, "whole": 2.0,
        "list": [[1, [2]], {"a": {}, "b": []}, null], "": {"on": true}
    })), @r#"
    plain: app.kubernetes.io/name
    number: "0755"
    "yes": "y"
    empty: ""
    lines: "a\n\tb\n"
    odd: "é\u0085\u2028\ufeff\u0000😀\\/\""
    float: 1.0e+300
    small: 1.5e-9
    whole: 2.0
    list:
      - - 1
        - - 2
      - a: {}
        b: []
      - null
    "":
      "on": true
    "#);
}

#[test]
fn errors_of_documents_say_what_would_be_right() {
    assert_snapshot!(parse_error("a:\n\tb: 1\n"), @"line 2, column 1: found character that cannot start any token while scanning for the next token (indent with spaces)");
    assert_snapshot!(parse_error("a: b: c\n"), @"line 1, column 5: mapping values are not allowed in this context (put a value that contains `: ` in quotes, and indent keys alike)");
    assert_snapshot!(parse_error("a:\n   b: 1\n  c: 2\n"), @"line 3, column 3: did not find expected key while parsing a block mapping (indent the line like the lines of the same collection)");
    assert_snapshot!(parse_error("a: @x\n"), @"line 1, column 4: found character that cannot start any token while scanning for the next token (put the value in quotes)");
    assert_snapshot!(parse_error("a: \"\\/\"\n"), @r#"line 1, column 5: Helm's parser does not know the escape `\/` (write `/`)"#);
    assert_snapshot!(parse_error("a: \"é\\q\"\n"), @r#"line 1, column 6: found unknown escape character while parsing a quoted scalar (in double quotes write `\\` for a backslash)"#);
    assert_snapshot!(parse_error("a: \"x\n"), @"line 1, column 4: found unexpected end of stream while scanning a quoted scalar (close the quote)");
    assert_snapshot!(parse_error("a: \u{7}\n"), @r#"line 1, column 4: control characters are not allowed (write it as an escape such as `\x07` in double quotes)"#);
    assert_snapshot!(parse_error("a: *x\n"), @"line 1, column 4: unknown anchor `x` (a value above must carry `&x`)");
    assert_snapshot!(parse_error("a: &x [*x]\n"), @"line 1, column 8: the value of anchor `x` contains itself");
    assert_snapshot!(parse_error("~: 1\n"), @"line 1, column 1: a key must not be null (put it in quotes)");
    assert_snapshot!(parse_error("a: .inf\n"), @"line 1, column 4: JSON has no infinite numbers (put it in quotes)");
    assert_snapshot!(parse_error("1: a\n'1': b\n"), @r#"line 2, column 1: two keys of the mapping are read as "1", and either may win (keep one of them)"#);
    assert_snapshot!(parse_error("a: !!int x\n"), @r#"line 1, column 4: cannot read "x" as `!!int`"#);
    assert_snapshot!(parse_error("a: [b?, c]\n"), @"line 1, column 5: Helm's parser allows no `?` in a bare value within brackets (put the value in quotes)");
    assert_snapshot!(parse_error("%YAML 1.2\n---\na: 1\n"), @"line 1, column 1: Helm reads YAML 1.1 only (leave the `%YAML` line out)");
    assert_snapshot!(parse_error("{a: 1}\n{b: 2}\n"), @"line 2, column 1: text behind the end of the document, which readers drop (separate documents by `---`)");
    assert_snapshot!(parse_error(&"[".repeat(10_000)), @"line 1, column 513: more than 512 collections inside each other");
}

#[test]
fn errors_of_streams_say_what_would_be_right() {
    assert_snapshot!(split_error("a: 1\n---b: 2\n"), @"line 2, column 1: a line begins with `---` and is not a separator (write `---` alone on its line, or indent the line if it belongs to a string)");
    assert_snapshot!(split_error("a: 1\n--- {b: 2}\n"), @"line 2, column 1: text behind the separator `---` (begin the document on the next line)");
    assert_snapshot!(split_error("----\na: 1\n"), @"line 1, column 1: a line begins with `---` and is not a separator (write `---` alone on its line, or indent the line if it belongs to a string)");
    assert_snapshot!(split_error("a: \"x\n---\ny\"\n"), @"line 2, column 1: a separator `---` inside of a quoted string (indent the lines of the string)");
    assert_snapshot!(split_error("a: 1\n...\nb: 2\n"), @"line 3, column 1: text behind the end of a document, `...`, which readers drop (separate documents by `---`)");
    assert_snapshot!(split_error("a: 1\n---\n%YAML 1.1\n---\nb: 2\n"), @"line 3, column 1: a directive, which Helm takes for a document (leave the `%` line out)");
    assert_snapshot!(split_error("a: 1\n---\n{\"a\": 1}\n{\"b\": 2}\n"), @"line 4, column 1: text behind the end of the document, which readers drop (separate documents by `---`)");
    assert_snapshot!(split_error("a: 1\n---\n  b: 1\n  c: 2\n"), @"line 3, column 3: a document whose first line is indented, which Helm unindents (begin it in the first column)");
}

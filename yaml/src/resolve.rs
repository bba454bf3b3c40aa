//! What a scalar means: the rules of go-yaml v2, which Helm and the API server's own tools read with.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Number, Value};

use crate::events::Style;

/// The tags that change what a scalar means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    None,
    /// `!`, and every tag that go-yaml does not know: the text as it stands.
    Other,
    /// `!` alone also lets a quoted `<<` merge.
    NonSpecific,
    Str,
    Bool,
    Int,
    Float,
    Null,
    Binary,
    Timestamp,
    Merge,
}

impl Tag {
    pub fn of(tag: Option<&str>) -> Self {
        match tag {
            None | Some("") => Self::None,
            Some("!") => Self::NonSpecific,
            Some("tag:yaml.org,2002:str") => Self::Str,
            Some("tag:yaml.org,2002:bool") => Self::Bool,
            Some("tag:yaml.org,2002:int") => Self::Int,
            Some("tag:yaml.org,2002:float") => Self::Float,
            Some("tag:yaml.org,2002:null") => Self::Null,
            Some("tag:yaml.org,2002:binary") => Self::Binary,
            Some("tag:yaml.org,2002:timestamp") => Self::Timestamp,
            Some("tag:yaml.org,2002:merge") => Self::Merge,
            Some(_) => Self::Other,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    /// Above `i64::MAX`.
    Uint(u64),
    Float(f64),
    /// The text itself.
    Text,
    /// Text that a `!!binary` tag made.
    Decoded(String),
}

/// Whether a key merges the mapping behind it.
pub fn is_merge(style: Style, tag: Tag, text: &str) -> bool {
    text == "<<"
        && match tag {
            Tag::None => style == Style::Plain,
            Tag::NonSpecific | Tag::Merge => true,
            _ => false,
        }
}

/// Reads a scalar; the error says what is wrong.
pub fn scalar(style: Style, tag: Tag, text: &str) -> Result<Scalar, String> {
    let (found, wanted) = match tag {
        Tag::None if style == Style::Plain => return Ok(plain(text)),
        Tag::None | Tag::NonSpecific | Tag::Other | Tag::Merge | Tag::Str => return Ok(Scalar::Text),
        Tag::Binary => return binary(text).map(Scalar::Decoded),
        Tag::Timestamp => return Err("`!!timestamp` is not read: write the date as a string".to_owned()),
        Tag::Bool => (plain(text), "bool"),
        Tag::Int => (plain(text), "int"),
        Tag::Null => (plain(text), "null"),
        Tag::Float => match plain(text) {
            #[expect(clippy::cast_precision_loss, reason = "as Go converts")]
            Scalar::Int(int) => return Ok(Scalar::Float(int as f64)),
            found => (found, "float"),
        },
    };
    let fits = matches!(
        (tag, &found),
        (Tag::Bool, Scalar::Bool(_))
            | (Tag::Int, Scalar::Int(_) | Scalar::Uint(_))
            | (Tag::Null, Scalar::Null)
            | (Tag::Float, Scalar::Float(_))
    );
    if fits { Ok(found) } else { Err(format!("cannot read {text:?} as `!!{wanted}`")) }
}

fn plain(text: &str) -> Scalar {
    let Some(first) = text.bytes().next() else { return Scalar::Null };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => match text {
            "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
                Scalar::Bool(true)
            }
            "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
                Scalar::Bool(false)
            }
            "~" | "null" | "Null" | "NULL" => Scalar::Null,
            _ => Scalar::Text,
        },
        b'.' | b'+' | b'-' | b'0'..=b'9' => number(text).unwrap_or(Scalar::Text),
        _ => Scalar::Text,
    }
}

fn number(text: &str) -> Option<Scalar> {
    match text {
        ".nan" | ".NaN" | ".NAN" => return Some(Scalar::Float(f64::NAN)),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Some(Scalar::Float(f64::INFINITY)),
        "-.inf" | "-.Inf" | "-.INF" => return Some(Scalar::Float(f64::NEG_INFINITY)),
        _ => {}
    }
    if let Some(fraction) = text.strip_prefix('.') {
        // Here Go wants a digit on both sides of every underscore.
        let between = |(at, _): (usize, &str)| {
            let digit = |b: Option<&u8>| b.is_some_and(u8::is_ascii_digit);
            digit(at.checked_sub(1).and_then(|before| fraction.as_bytes().get(before)))
                && digit(fraction.as_bytes().get(at + 1))
        };
        return if fraction.match_indices('_').all(between) { float(&text.replace('_', "")) } else { None };
    }
    let owned;
    let digits = if text.contains('_') {
        owned = text.replace('_', "");
        &owned
    } else {
        text
    };
    integer(digits).or_else(|| float(digits)).or_else(|| binary_integer(digits))
}

/// Go's `ParseInt` and `ParseUint` with base 0.
fn integer(text: &str) -> Option<Scalar> {
    let (sign, magnitude) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("+", &text[1..]),
        _ => ("", text),
    };
    let lower = |prefix: &str| {
        magnitude.get(..2).is_some_and(|p| p.eq_ignore_ascii_case(prefix)) && magnitude.len() > 2
    };
    let (base, digits) = if lower("0x") {
        (16, &magnitude[2..])
    } else if lower("0o") {
        (8, &magnitude[2..])
    } else if lower("0b") {
        (2, &magnitude[2..])
    } else if magnitude.len() > 1 && magnitude.starts_with('0') {
        (8, &magnitude[1..])
    } else {
        (10, magnitude)
    };
    if !digits.chars().all(|c| c.is_digit(base)) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, base).ok()?;
    match (i64::try_from(magnitude), sign) {
        (Ok(int), "-") => Some(Scalar::Int(-int)),
        (Ok(int), _) => Some(Scalar::Int(int)),
        (Err(_), "-") if magnitude == i64::MIN.unsigned_abs() => Some(Scalar::Int(i64::MIN)),
        (Err(_), "") => Some(Scalar::Uint(magnitude)),
        _ => None,
    }
}

fn float(text: &str) -> Option<Scalar> {
    // Rust also reads `inf` and `nan`.
    let decimal = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    let value = if decimal { text.parse().ok()? } else { f64::NAN };
    value.is_finite().then_some(Scalar::Float(value))
}

/// go-yaml's own second look at `0b`: only a sign behind the prefix gets here.
fn binary_integer(text: &str) -> Option<Scalar> {
    let int = match text.strip_prefix("-0b") {
        Some(digits) if digits.starts_with(|c: char| c.is_ascii_digit()) => {
            i64::from_str_radix(&format!("-{digits}"), 2)
        }
        Some(_) => return None,
        None => i64::from_str_radix(text.strip_prefix("0b")?, 2),
    };
    int.ok().map(Scalar::Int)
}

fn binary(text: &str) -> Result<String, String> {
    // Go skips line breaks and does not mind bits beyond the last byte.
    const GO: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
    );
    let text: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let bytes = GO.decode(text).map_err(|e| format!("`!!binary` value is not base64: {e}"))?;
    let mut decoded = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        decoded.push_str(chunk.valid());
        decoded.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Ok(decoded)
}

/// A float as the API server gets it: by way of Go's JSON, which writes `1.0` as `1`.
pub fn float_value(float: f64) -> Option<Value> {
    let integral = float.fract() == 0.0 && float.abs() < 1e19 && !(float == 0.0 && float.is_sign_negative());
    // Both languages write the shortest digits that read back, then zeros.
    let digits = if integral { float.to_string() } else { String::new() };
    if let Ok(int) = digits.parse::<i64>() {
        return Some(int.into());
    }
    if let Ok(int) = digits.parse::<u64>() {
        return Some(int.into());
    }
    Number::from_f64(float).map(Value::Number)
}

/// A float as a mapping's key: Go's `FormatFloat(f, 'g', -1, 32)`.
pub fn float_key(float: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "as Go converts")]
    let float = float as f32;
    if float.is_nan() {
        return ".nan".to_owned();
    }
    if float.is_infinite() {
        return if float > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = format!("{float:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{:02}", exponent.abs())
        }
        _ => float.to_string(),
    }
}

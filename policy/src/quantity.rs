use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Value;

/// Nanos in one: the finest step of a quantity.
const ONE: i128 = 1_000_000_000;
/// Decimal suffixes and their powers of ten.
const DECIMAL: [(&str, i64); 10] =
    [("", 0), ("n", -9), ("u", -6), ("m", -3), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
/// Binary suffixes, each 1024 times the one before. `KubeSpawner` writes them without the `i`.
const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
/// The last of [`BINARY`] that `KubeSpawner` knows, counted from 1.
const LARGEST_OF_KUBESPAWNER: u32 = 4;

/// An amount of a resource, read as Kubernetes' `resource.Quantity` reads it and written as it was.
///
/// Amounts are compared, not spellings: `0.5` is `500m`. As in Go, what is finer than a nano is rounded away from zero,
/// and binary amounts end at 2⁶³-1. Unlike in Go, a number needs a digit (`Mi` alone is zero there), and amounts beyond
/// ±1.7·10²⁹ are all the same.
#[derive(Clone)]
pub struct Quantity {
    nanos: i128,
    text: String,
}

/// A text that is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a quantity: a number and n, u, m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei or none, such as 500m or 4Gi"
)]
pub struct QuantityError(String);

#[derive(Clone, Copy, PartialEq)]
enum Format {
    Decimal,
    Exponent,
    Binary,
}

impl Quantity {
    /// The exact amount in billionths.
    pub fn nanos(&self) -> i128 {
        self.nanos
    }

    /// The amount in thousandths, rounded away from zero, as in Go.
    pub fn milli(&self) -> i128 {
        self.in_units_of(ONE / 1000)
    }

    /// The amount in whole units (cores, bytes, pieces), rounded away from zero, as in Go.
    pub fn value(&self) -> i128 {
        self.in_units_of(ONE)
    }

    /// Whether it is nothing.
    pub fn is_zero(&self) -> bool {
        self.nanos == 0
    }

    /// The sum, in this quantity's notation (a zero takes the other's); `None` beyond the largest amount.
    pub fn add(&self, other: &Self) -> Option<Self> {
        let nanos = self.nanos.checked_add(other.nanos)?;
        let format = if self.is_zero() { other.format() } else { self.format() };
        Some(Self { nanos, text: canonical(nanos, format) })
    }

    /// The amount as Go prints it after a calculation: `1024Mi` is `1Gi`, `0.5` is `500m`.
    pub fn canonical(&self) -> String {
        canonical(self.nanos, self.format())
    }

    /// For `mem_limit` and `mem_guarantee`. JupyterHub's `ByteSpecification` takes bytes, or a number with K, M, G or T,
    /// which it reads as powers of 1024, and refuses `4Gi`: that becomes `"4G"`, and `512M` becomes 512000000.
    pub fn to_kubespawner_memory(&self) -> Value {
        let bytes = self.value();
        let power =
            if self.format() == Format::Binary { factors(bytes, 1024, LARGEST_OF_KUBESPAWNER) } else { 0 };
        match BINARY.get(power.wrapping_sub(1) as usize) {
            Some(suffix) => {
                format!("{}{}", bytes / 1024_i128.pow(power), suffix.trim_end_matches('i')).into()
            }
            None => i64::try_from(bytes).unwrap_or(i64::MAX).into(),
        }
    }

    /// For `cpu_limit` and `cpu_guarantee`, which take numbers only.
    #[expect(clippy::cast_precision_loss, reason = "the hub reads a float")]
    pub fn to_kubespawner_cpu(&self) -> Value {
        match i64::try_from(self.nanos / ONE) {
            Ok(whole) if self.nanos % ONE == 0 => whole.into(),
            _ => (self.nanos as f64 / ONE as f64).into(),
        }
    }

    /// Reads `mem_limit` or `mem_guarantee` as JupyterHub does: `4G` is 4Gi. `None` for what it refuses, and for null.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "so does the hub")]
    pub fn from_kubespawner_memory(value: &Value) -> Option<Self> {
        let (bytes, format) = match value {
            Value::Number(number) => {
                let whole = number.as_i64().map(i128::from);
                (whole.or_else(|| number.as_f64().map(|float| float as i128))?, Format::Decimal)
            }
            Value::String(text) => {
                let mut powers = (1_u32..).zip(BINARY).take(LARGEST_OF_KUBESPAWNER as usize);
                let (number, power) = powers.find_map(|(power, suffix)| {
                    Some((text.strip_suffix(suffix.trim_end_matches('i'))?, power))
                })?;
                let number: f64 = number.trim().parse().ok().filter(|number: &f64| number.is_finite())?;
                ((number * 1024_i128.pow(power) as f64) as i128, Format::Binary)
            }
            _ => return None,
        };
        let nanos = bytes.saturating_mul(ONE);
        Some(Self { nanos, text: canonical(nanos, format) })
    }

    /// Reads `cpu_limit` or `cpu_guarantee`: a number. `None` for what the hub refuses, and for null.
    pub fn from_kubespawner_cpu(value: &Value) -> Option<Self> {
        let quantity: Self = value.as_number()?.to_string().parse().ok()?;
        Some(Self { text: canonical(quantity.nanos, Format::Decimal), ..quantity })
    }

    fn in_units_of(&self, nanos: i128) -> i128 {
        self.nanos / nanos + (self.nanos % nanos).signum()
    }

    fn format(&self) -> Format {
        match split(&self.text) {
            Some(Parts { binary: 1.., .. }) => Format::Binary,
            Some(Parts { exponent: true, .. }) => Format::Exponent,
            _ => Format::Decimal,
        }
    }
}

/// What a quantity's text is made of.
struct Parts<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    /// Power of ten.
    decimal: i64,
    /// Power of 1024.
    binary: u32,
    /// Whether the power of ten is written as an exponent.
    exponent: bool,
}

fn split(text: &str) -> Option<Parts<'_>> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (whole, rest) = unsigned.split_at(digits(unsigned));
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(digits(rest)),
        None => ("", rest),
    };
    let mut parts =
        Parts { negative: text.starts_with('-'), whole, fraction, decimal: 0, binary: 0, exponent: false };
    if let Some((_, power)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
        parts.decimal = *power;
    } else if let Some((power, _)) = (1..).zip(BINARY).find(|(_, name)| *name == suffix) {
        parts.binary = power;
    } else {
        parts.decimal = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
        parts.exponent = true;
    }
    (!whole.is_empty() || !fraction.is_empty()).then_some(parts)
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let parts = split(text).ok_or_else(|| QuantityError(text.to_owned()))?;
        // The digits without the point, and where the point is after the power of ten has moved it.
        let digits: Vec<u8> =
            parts.whole.bytes().chain(parts.fraction.bytes()).map(|digit| digit - b'0').collect();
        let zeros = digits.iter().take_while(|digit| **digit == 0).count();
        let digits = &digits[zeros..];
        let point = length(parts.whole.len()).saturating_add(parts.decimal).saturating_sub(length(zeros));
        // Beyond these, all amounts are the largest, and less than a nano.
        let point = if digits.is_empty() { 0 } else { point.clamp(-30, 40) };
        let digit_at =
            |place: i64| usize::try_from(place).ok().and_then(|i| digits.get(i)).copied().unwrap_or(0);

        let whole =
            (0..point).fold(0_i128, |sum, i| sum.saturating_mul(10).saturating_add(digit_at(i).into()));
        let unit = ONE * 1024_i128.pow(parts.binary);
        // From the last digit to the first, so that each step divides by ten only.
        let (mut fraction, mut inexact) = (0_i128, false);
        for place in (point..length(digits.len())).rev() {
            let sum = fraction + i128::from(digit_at(place)) * unit;
            fraction = sum / 10;
            inexact |= sum % 10 != 0;
        }
        let mut nanos =
            whole.saturating_mul(unit).saturating_add(fraction).saturating_add(i128::from(inexact));
        if parts.binary > 0 {
            nanos = nanos.min(i128::from(i64::MAX) * ONE);
        }
        Ok(Self { nanos: if parts.negative { -nanos } else { nanos }, text: text.to_owned() })
    }
}

fn length(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

/// How often a factor divides a number, at most `limit` times.
fn factors(mut number: i128, factor: i128, limit: u32) -> u32 {
    let mut times = 0;
    while times < limit && number != 0 && number % factor == 0 {
        number /= factor;
        times += 1;
    }
    times
}

/// As Go's `CanonicalizeBytes`: the largest suffix that leaves a whole number; binary amounts below 1024 or with a fraction are
/// written in decimal.
fn canonical(nanos: i128, format: Format) -> String {
    if nanos == 0 {
        return "0".to_owned();
    }
    if format == Format::Binary && nanos % ONE == 0 && nanos.abs() >= 1024 * ONE {
        let bytes = nanos / ONE;
        let power = factors(bytes, 1024, 6);
        let suffix = BINARY.get(power.wrapping_sub(1) as usize).unwrap_or(&"");
        return format!("{}{suffix}", bytes / 1024_i128.pow(power));
    }
    let limit = if format == Format::Exponent { u32::MAX } else { 9 };
    let thousands = factors(nanos, 1000, limit);
    let number = nanos / 1000_i128.pow(thousands);
    let power = i64::from(thousands) * 3 - 9;
    match DECIMAL.iter().find(|(_, exponent)| *exponent == power) {
        _ if format == Format::Exponent && power != 0 => format!("{number}e{power}"),
        Some((suffix, _)) => format!("{number}{suffix}"),
        None => number.to_string(),
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl Hash for Quantity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.nanos.hash(state);
    }
}

impl Default for Quantity {
    fn default() -> Self {
        Self { nanos: 0, text: "0".to_owned() }
    }
}

impl From<u32> for Quantity {
    fn from(number: u32) -> Self {
        Self { nanos: i128::from(number) * ONE, text: number.to_string() }
    }
}

/// As it was written.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// From a string or a number: Kubernetes takes both.
impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::String(text) => text,
            other => other.to_string(),
        };
        text.parse().map_err(D::Error::custom)
    }
}

//! Lengths of time, as a policy writes them.

/// Units from the largest, each with its seconds.
const UNITS: [(char, i64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Seconds in a length of time such as `12h`, `1h30m` or `7d`: whole numbers of days, hours, minutes and seconds, each unit at
/// most once and the larger first. `None` for anything else and beyond 2⁶³ seconds.
pub fn seconds(text: &str) -> Option<i64> {
    let mut units = UNITS.iter();
    let mut total = 0_i64;
    for part in text.split_inclusive(|c: char| !c.is_ascii_digit()) {
        let number: i64 = part.get(..part.len().checked_sub(1)?)?.parse().ok()?;
        let (_, unit) = units.find(|(name, _)| part.ends_with(*name))?;
        total = total.checked_add(number.checked_mul(*unit)?)?;
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn reads_lengths_of_time() {
        for (text, expected) in [
            ("12h", Some(43_200)),
            ("90m", Some(5_400)),
            ("1h30m", Some(5_400)),
            ("7d", Some(604_800)),
            ("1d2h3m4s", Some(93_784)),
            ("0s", Some(0)),
            ("", None),
            ("12", None),
            ("h", None),
            ("30m1h", None),
            ("1h1h", None),
            ("1.5h", None),
            ("-1h", None),
            ("+1h", None),
            ("1 h", None),
            ("1h ", None),
            ("1w", None),
            ("1ö", None),
            ("9223372036854775807d", None),
        ] {
            assert_eq!(seconds(text), expected, "{text:?}");
        }
    }
}

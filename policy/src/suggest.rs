//! The word that was meant.

/// The known word that is nearest to a wrong one, if any is near: other capitals, separators or plural, or a slip or two.
pub(crate) fn closest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |word: &str| word.to_lowercase().replace(['-', '_'], "");
    let target = plain(wrong);
    known
        .map(|word| (strsim::damerau_levenshtein(&target, &plain(word)), word))
        .filter(|(distance, word)| *distance <= word.len().max(target.len()).saturating_sub(1).min(9) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

//! The name that somebody meant who wrote another one.

/// The name nearest to what was written, if one is near enough to be meant.
pub(crate) fn nearest<'a>(written: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_lowercase();
    let near = names.map(|name| (edits(&written, name), name));
    let (edits, name) = near.min_by_key(|(edits, _)| *edits)?;
    let may_differ_in = (written.chars().count() / 3).max(1) + 1;
    (edits <= may_differ_in).then_some(name)
}

/// How many letters have to be put in, left out or replaced to make one of the other; two that changed places count once.
fn edits(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut before = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let mut fewest = (last[j] + usize::from(a != b))
                .min(last[j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                let before: &Vec<usize> = &before;
                fewest = fewest.min(before[j - 1] + 1);
            }
            row.push(fewest);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[other.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_of_the_finger_is_understood_and_another_word_is_not() {
        let names = || ["send", "search", "quit", "members"].into_iter();
        for (written, meant) in [
            ("sned", Some("send")),
            ("Serach", Some("search")),
            ("member", Some("members")),
            ("frobnicate", None),
        ] {
            assert_eq!(nearest(written, names()), meant, "{written}");
        }
    }
}

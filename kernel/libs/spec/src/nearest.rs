//! "Did you mean …?": the known word that is nearest to one that is not known.

use alloc::vec::Vec;

/// The word of `known` that is nearest to `word`, if it is near enough to be a slip of the pen: at
/// most a third of its letters differ, or two letters of a short word, and not all of them.
pub fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let (distance, best) = known.iter().map(|k| (distance(word, k), *k)).min()?;
    let near = distance <= (best.len() / 3).max(2);
    (near && distance < best.len().min(word.len())).then_some(best)
}

/// Levenshtein's distance: how many letters must be put in, taken out or changed.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.chars().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[row.len() - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_letters_put_in_taken_out_and_changed() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("port", "port"), 0);
    }

    #[test]
    fn a_slip_is_answered_and_a_different_word_is_not() {
        let known = ["relative-deadline-us", "route", "path"];
        assert_eq!(
            nearest("relative-deadlin-us", &known),
            Some("relative-deadline-us")
        );
        assert_eq!(nearest("rute", &known), Some("route"));
        assert_eq!(nearest("colour", &known), None);
        assert_eq!(nearest("paht", &known), Some("path"));
        assert_eq!(nearest("x", &["ip"]), None);
        assert_eq!(nearest("colour", &[]), None);
    }
}

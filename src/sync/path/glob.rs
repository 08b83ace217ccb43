//! Wildcards: `*` is any text, `?` any one character, and a backslash takes the next character as it is.

/// Whether the whole of `text` is what `pattern` says. Takes at most as many steps as the product of their lengths: where
/// it goes on wrong, only the last star gives way.
pub(super) fn is_match(text: &str, pattern: &str) -> bool {
    let (mut text, mut pattern) = (text.chars(), pattern.chars());
    // Where to go on if what follows the last star does not fit: behind the star, with one character more given to it.
    let mut again = None;
    loop {
        let (before_text, mut ahead) = (text.clone(), pattern.clone());
        match (ahead.next(), text.next()) {
            (Some('*'), _) => {
                pattern = ahead.clone();
                text = before_text.clone();
                again = Some((before_text, ahead));
                continue;
            }
            (Some('?'), Some(_)) => {
                pattern = ahead;
                continue;
            }
            (Some(expected), Some(found)) => {
                let expected = if expected == '\\' { ahead.next() } else { Some(expected) };
                if expected == Some(found) {
                    pattern = ahead;
                    continue;
                }
            }
            (None, None) => return true,
            (_, None) | (None, _) => {}
        }
        let Some((mut from, behind)) = again.take() else { return false };
        if from.next().is_none() {
            return false;
        }
        text = from.clone();
        pattern = behind.clone();
        again = Some((from, behind));
    }
}

#[cfg(test)]
mod tests {
    use super::is_match;

    #[test]
    fn stars_and_question_marks_stand_for_others() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("?", "", false),
            ("a*c", "abbbc", true),
            ("a*c", "abbb", false),
            ("*b*", "abc", true),
            ("a?c", "aéc", true),
            ("a**c", "ac", true),
            ("*a*b*c", "xxaxxbxxc", true),
            ("*a*b*c", "xxaxxcxxb", false),
            (r"a\*", "a*", true),
            (r"a\*", "ab", false),
            ("ab*ab", "ab", false),
            ("*ab", "aab", true),
        ] {
            assert_eq!(is_match(text, pattern), expected, "{pattern:?} {text:?}");
        }
    }
}

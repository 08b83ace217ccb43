//! Constraints on versions: `^1.2`, `~1.4.0`, `>=1.0 <3 || 5.x`, `1.2 - 2.0`.

use super::semver::{Version, compare_pre, identifiers};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operator {
    Equal,
    Not,
    Greater,
    Less,
    AtLeast,
    AtMost,
    Tilde,
    Caret,
}

/// One comparison.
pub(super) struct Comparison {
    operator: Operator,
    version: Version,
    /// A number was left out, or is `x` or `*`.
    dirty: bool,
    minor_dirty: bool,
    patch_dirty: bool,
}

/// Alternatives, in each of which all comparisons must hold.
type Constraint = Vec<Vec<Comparison>>;

/// Reads a constraint; none where it is improper.
pub(super) fn parse(text: &str) -> Option<Constraint> {
    text.split("||").map(all_of).collect()
}

fn all_of(text: &str) -> Option<Vec<Comparison>> {
    let mut all = Vec::new();
    let mut rest = text.trim_start();
    loop {
        let (comparison, after) = comparison(rest)?;
        // `1.2 - 2.0` is a range, both ends included.
        let trimmed = after.trim_start();
        let range = trimmed
            .strip_prefix('-')
            .filter(|tail| trimmed.len() < after.len() && tail.starts_with(char::is_whitespace));
        match range {
            Some(tail) if comparison.1 => {
                let (last, after) = version(tail.trim_start())?;
                all.push(Comparison { operator: Operator::AtLeast, ..comparison.0 });
                all.push(Comparison { operator: Operator::AtMost, ..last });
                rest = after;
            }
            _ => {
                all.push(comparison.0);
                rest = after;
            }
        }
        let trimmed = rest.trim_start();
        if trimmed.is_empty() {
            return Some(all);
        }
        match trimmed.strip_prefix(',') {
            Some(tail) => rest = tail.trim_start(),
            None if trimmed.len() < rest.len() || range.is_some() => rest = trimmed,
            None => return None,
        }
    }
}

/// A comparison, whether it has no operator, and what follows.
fn comparison(text: &str) -> Option<((Comparison, bool), &str)> {
    let length = text.bytes().take_while(|b| b"=!<>~^".contains(b)).count();
    let (sign, rest) = text.split_at_checked(length)?;
    let operator = match sign {
        "" | "=" => Operator::Equal,
        "!=" => Operator::Not,
        ">" => Operator::Greater,
        "<" => Operator::Less,
        ">=" | "=>" => Operator::AtLeast,
        "<=" | "=<" => Operator::AtMost,
        "~" | "~>" => Operator::Tilde,
        "^" => Operator::Caret,
        _ => return None,
    };
    let (found, rest) = version(rest.trim_start())?;
    Some(((Comparison { operator, ..found }, sign.is_empty()), rest))
}

fn version(text: &str) -> Option<(Comparison, &str)> {
    let end = text.find(|c: char| c.is_whitespace() || c == ',').unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end)?;
    let bare = word.strip_prefix('v').unwrap_or(word);
    let (bare, metadata) = bare.split_once('+').map_or((bare, None), |(bare, meta)| (bare, Some(meta)));
    let (numbers, pre) = bare.split_once('-').map_or((bare, None), |(numbers, pre)| (numbers, Some(pre)));
    if !pre.is_none_or(identifiers) || !metadata.is_none_or(identifiers) {
        return None;
    }
    let parts: Vec<&str> = numbers.split('.').collect();
    if parts.len() > 3
        || parts.iter().any(|part| part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit() || b"xX*".contains(&b)))
    {
        return None;
    }
    let open = |n: usize| parts.get(n).is_none_or(|part| matches!(*part, "x" | "X" | "*"));
    let part = |n: usize| parts.get(n).copied().unwrap_or("0");
    let (known, minor_dirty, patch_dirty) = match (open(0), open(1), open(2)) {
        (true, _, _) => ("0.0.0".to_owned(), false, false),
        (_, true, _) => (format!("{}.0.0", part(0)), true, false),
        (_, _, true) => (format!("{}.{}.0", part(0), part(1)), false, true),
        _ => (numbers.to_owned(), false, false),
    };
    let known = pre.map_or(known.clone(), |pre| format!("{known}-{pre}"));
    let dirty = open(0) || open(1) || open(2);
    Some((
        Comparison { operator: Operator::Equal, version: Version::parse(&known)?, dirty, minor_dirty, patch_dirty },
        rest,
    ))
}

/// Whether a version meets a constraint.
pub(super) fn meets(constraint: &Constraint, version: &Version) -> bool {
    constraint.iter().any(|all| all.iter().all(|comparison| comparison.holds(version)))
}

impl Comparison {
    fn holds(&self, version: &Version) -> bool {
        let wanted = &self.version;
        // Pre-releases are only for those who ask for them; `!=` of a full version does not care.
        if !version.pre.is_empty() && wanted.pre.is_empty() && (self.operator != Operator::Not || self.dirty) {
            return false;
        }
        let order = version.compare(wanted);
        match self.operator {
            Operator::Equal if self.dirty => self.tilde(version),
            Operator::Equal => order.is_eq(),
            Operator::Not if self.dirty => self.differs(version),
            Operator::Not => order.is_ne(),
            Operator::Less => order.is_lt(),
            Operator::AtLeast => order.is_ge(),
            Operator::AtMost if !self.dirty => order.is_le(),
            Operator::AtMost => {
                version.major < wanted.major
                    || version.major == wanted.major && (version.minor <= wanted.minor || self.minor_dirty)
            }
            Operator::Greater if !self.dirty || version.major != wanted.major => {
                if self.dirty {
                    version.major > wanted.major
                } else {
                    order.is_gt()
                }
            }
            Operator::Greater if self.minor_dirty => false,
            Operator::Greater if self.patch_dirty => version.minor > wanted.minor,
            Operator::Greater => order.is_gt(),
            Operator::Tilde => self.tilde(version),
            Operator::Caret => self.caret(version),
        }
    }

    fn tilde(&self, version: &Version) -> bool {
        let wanted = &self.version;
        if version.compare(wanted).is_lt() {
            return false;
        }
        let zero = (wanted.major, wanted.minor, wanted.patch) == (0, 0, 0);
        if zero && !self.minor_dirty && !self.patch_dirty {
            return true;
        }
        version.major == wanted.major && (version.minor == wanted.minor || self.minor_dirty)
    }

    fn caret(&self, version: &Version) -> bool {
        let wanted = &self.version;
        if version.compare(wanted).is_lt() {
            return false;
        }
        if wanted.major > 0 || self.minor_dirty {
            return version.major == wanted.major;
        }
        if version.major > 0 {
            return false;
        }
        if wanted.minor > 0 || self.patch_dirty {
            return version.minor == wanted.minor;
        }
        version.minor == 0 && version.patch == wanted.patch
    }

    /// `!=` of a version that was left open.
    fn differs(&self, version: &Version) -> bool {
        let wanted = &self.version;
        if version.major != wanted.major {
            return true;
        }
        if self.minor_dirty {
            return false;
        }
        if version.minor != wanted.minor {
            return true;
        }
        if self.patch_dirty {
            return (!version.pre.is_empty() || !wanted.pre.is_empty())
                && compare_pre(&version.pre, &wanted.pre).is_ne();
        }
        version.patch != wanted.patch || version.compare(wanted).is_ne()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn improper_constraints_are_none() {
        for text in ["", "x y", ">1<2", ">>1", "1.2.3.4", "1 -", "|| 1", "^", "1.a", "1,,2"] {
            assert!(parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn pre_releases_are_for_those_who_ask() {
        let meets =
            |constraint: &str, version: &str| meets(&parse(constraint).unwrap(), &Version::parse(version).unwrap());
        assert!(
            !meets(">=1.0.0", "1.1.0-beta")
                && meets(">=1.0.0-0", "1.1.0-beta")
                && meets("1.2 - 1.4, !=1.3.x", "1.4.9")
                && !meets("1.2 - 1.4, !=1.3.x", "1.3.1")
        );
    }
}

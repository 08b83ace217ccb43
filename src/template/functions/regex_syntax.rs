//! Go's syntax of regular expressions, said in the crate's.

/// A pattern in the crate's syntax; an error where it is none in Go's.
pub(super) fn translate(pattern: &str) -> Result<String, &'static str> {
    let mut translator = Translator { rest: pattern, out: String::with_capacity(pattern.len() + 8), repeated: true };
    while translator.step()? {}
    Ok(translator.out)
}

struct Translator<'p> {
    rest: &'p str,
    out: String,
    /// What stands last is a repetition, or nothing: no repetition may follow.
    repeated: bool,
}

impl<'p> Translator<'p> {
    fn take(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = self.rest.get(c.len_utf8()..).unwrap_or_default();
        Some(c)
    }

    fn eat(&mut self, front: &str) -> bool {
        match self.rest.strip_prefix(front) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn step(&mut self) -> Result<bool, &'static str> {
        let Some(c) = self.take() else {
            return Ok(false);
        };
        match c {
            '*' | '+' | '?' => self.repetition(&c.to_string())?,
            '{' => match self.bounds() {
                Some(bounds) => self.repetition(&bounds?)?,
                None => self.atom("\\{"),
            },
            '}' => self.atom("\\}"),
            ']' => self.atom("\\]"),
            '[' => self.set()?,
            '\\' => self.escape(false)?,
            '(' => self.group()?,
            '|' => {
                self.out.push('|');
                self.repeated = true;
            }
            c => {
                self.out.push(c);
                self.repeated = false;
            }
        }
        Ok(true)
    }

    fn atom(&mut self, text: &str) {
        self.out.push_str(text);
        self.repeated = false;
    }

    fn repetition(&mut self, sign: &str) -> Result<(), &'static str> {
        if self.repeated {
            return Err("the regular expression repeats a repetition, or nothing");
        }
        self.out.push_str(sign);
        if self.eat("?") {
            self.out.push('?');
        }
        self.repeated = true;
        Ok(())
    }

    /// `{2,5}`, at most a thousand, as in Go; none where the brace stands for itself.
    fn bounds(&mut self) -> Option<Result<String, &'static str>> {
        let (inner, rest) = self.rest.split_once('}')?;
        let (least, most) = inner.split_once(',').unwrap_or((inner, inner));
        let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if least.is_empty() || !number(least) || !number(most) {
            return None;
        }
        self.rest = rest;
        let value = |text: &str| text.parse::<u32>().unwrap_or(if text.is_empty() { 0 } else { u32::MAX });
        if value(least) > 1000 || value(most) > 1000 || (!most.is_empty() && value(most) < value(least)) {
            return Some(Err("the regular expression repeats more than 1000 times"));
        }
        Some(Ok(format!("{{{inner}}}")))
    }

    fn group(&mut self) -> Result<(), &'static str> {
        self.out.push('(');
        self.repeated = true;
        if !self.eat("?") {
            return Ok(());
        }
        self.out.push('?');
        if self.rest.starts_with("P<") || self.rest.starts_with('<') {
            let Some((name, rest)) = self.rest.split_once('>') else {
                return Err("the regular expression names a group badly");
            };
            self.out.push_str(name);
            self.out.push('>');
            self.rest = rest;
            return Ok(());
        }
        let Some(length) = self.rest.find([':', ')']) else {
            return Err("the regular expression has an open group");
        };
        let (flags, rest) = self.rest.split_at_checked(length).unwrap_or_default();
        if !flags.chars().all(|c| matches!(c, 'i' | 'm' | 's' | 'U' | '-')) {
            return Err("the regular expression has unknown flags");
        }
        self.out.push_str(flags);
        self.rest = rest;
        if self.eat(":") {
            self.out.push(':');
        } else if self.eat(")") {
            self.out.push(')');
        }
        Ok(())
    }

    fn escape(&mut self, in_set: bool) -> Result<(), &'static str> {
        let Some(c) = self.take() else {
            return Err("the regular expression ends in a backslash");
        };
        self.repeated = false;
        let text = match (c, in_set) {
            ('d', true) => "0-9",
            ('d', false) => "[0-9]",
            ('D', _) => "[^0-9]",
            ('w', true) => "0-9A-Za-z_",
            ('w', false) => "[0-9A-Za-z_]",
            ('W', _) => "[^0-9A-Za-z_]",
            ('s', true) => "\\t\\n\\x0c\\r ",
            ('s', false) => "[\\t\\n\\x0c\\r ]",
            ('S', _) => "[^\\t\\n\\x0c\\r ]",
            ('b', false) => "(?-u:\\b)",
            ('B', false) => "(?-u:\\B)",
            ('A', false) => "\\A",
            ('z', false) => "\\z",
            ('a', _) => "\\x07",
            ('f', _) => "\\x0c",
            ('n', _) => "\\n",
            ('r', _) => "\\r",
            ('t', _) => "\\t",
            ('v', _) => "\\x0b",
            ('Q', false) => {
                let (quoted, rest) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
                self.out.push_str(&regex::escape(quoted));
                self.rest = rest;
                return Ok(());
            }
            ('p' | 'P', _) => return self.class(c),
            ('x', _) => return self.hex(),
            ('0'..='7', _) => return self.octal(c),
            (c, _) if c.is_ascii_punctuation() => {
                self.literal(c);
                return Ok(());
            }
            _ => return Err("the regular expression has an unknown escape"),
        };
        self.out.push_str(text);
        Ok(())
    }

    fn literal(&mut self, c: char) {
        self.out.push_str(&format!("\\x{{{:x}}}", u32::from(c)));
    }

    fn class(&mut self, letter: char) -> Result<(), &'static str> {
        self.out.push('\\');
        self.out.push(letter);
        if self.rest.starts_with('{') {
            let Some((name, rest)) = self.rest.split_once('}') else {
                return Err("the regular expression names a class badly");
            };
            self.out.push_str(name);
            self.out.push('}');
            self.rest = rest;
        } else if let Some(name) = self.take() {
            self.out.push(name);
        }
        Ok(())
    }

    fn hex(&mut self) -> Result<(), &'static str> {
        let bad = "the regular expression has a bad hexadecimal escape";
        let digits = match self.rest.strip_prefix('{') {
            Some(rest) => {
                let (digits, rest) = rest.split_once('}').ok_or(bad)?;
                self.rest = rest;
                digits
            }
            None => {
                let (digits, rest) = self.rest.split_at_checked(2).ok_or(bad)?;
                self.rest = rest;
                digits
            }
        };
        let code = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).ok_or(bad)?;
        self.literal(code);
        Ok(())
    }

    /// `\0`, or `\123`; a single digit would be a reference, which there is none of.
    fn octal(&mut self, first: char) -> Result<(), &'static str> {
        let mut digits = first.to_string();
        while digits.len() < 3 && self.rest.starts_with(|c: char| ('0'..='7').contains(&c)) {
            digits.extend(self.take());
        }
        if digits.len() == 1 && first != '0' {
            return Err("regular expressions have no references to groups");
        }
        let code = u32::from_str_radix(&digits, 8).ok().and_then(char::from_u32).unwrap_or_default();
        self.literal(code);
        Ok(())
    }

    fn set(&mut self) -> Result<(), &'static str> {
        self.out.push('[');
        if self.eat("^") {
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let Some(c) = self.take() else {
                return Err("the regular expression has an open set");
            };
            match c {
                ']' if !first => break,
                '[' if self.rest.starts_with(':') => {
                    let Some((name, rest)) = self.rest.split_once(":]") else {
                        return Err("the regular expression names a class badly");
                    };
                    self.out.push('[');
                    self.out.push_str(name);
                    self.out.push_str(":]");
                    self.rest = rest;
                }
                '\\' => self.escape(true)?,
                '-' if self.rest.starts_with(']') || first => self.literal('-'),
                '-' => self.out.push('-'),
                c if c.is_ascii_punctuation() => self.literal(c),
                c => self.out.push(c),
            }
            first = false;
        }
        self.out.push(']');
        self.repeated = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::translate;

    #[test]
    fn what_differs_is_translated() {
        for (go, ours) in [
            (r"\d+", "[0-9]+"),
            (r"[\w-]", r"[0-9A-Za-z_\x{2d}]"),
            (r"\Qa.b\E*", r"a\.b*"),
            ("a{,2}", r"a\{,2\}"),
            ("a{2,3}?", "a{2,3}?"),
            (r"\bx", r"(?-u:\b)x"),
            ("[a&&b]", r"[a\x{26}\x{26}b]"),
            (r"\<", r"\x{3c}"),
            ("[]a]", r"[\x{5d}a]"),
            ("(?P<n>a)", "(?P<n>a)"),
        ] {
            assert_eq!(translate(go).as_deref(), Ok(ours), "{go}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for pattern in ["a**", "*", "a|*", "(?x)a", "a{1001}", r"\1", r"\", "[a", r"\u0041", "(?P<n", r"\Z", "a{3,2}"] {
            assert!(translate(pattern).is_err(), "{pattern}");
        }
    }
}

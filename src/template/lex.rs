//! Cuts a template's text into tokens, by the rules of Go's text/template.

/// What a token is. Its text is the slice `start..end` of the template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text outside of actions.
    Text,
    Open,
    Close,
    Space,
    Pipe,
    Assign,
    Declare,
    Comma,
    LeftParen,
    RightParen,
    Bool,
    Char,
    Number,
    String,
    RawString,
    Identifier,
    /// `.name`
    Field,
    /// `$` or `$name`
    Variable,
    Dot,
    Nil,
    Keyword(Keyword),
    /// A printable character that no action may hold.
    Other,
    /// No token: the text ends in what the message tells.
    Error(&'static str),
    End,
}

/// The words that open, divide and end blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keyword {
    Block,
    Break,
    Continue,
    Define,
    Else,
    End,
    If,
    Range,
    Template,
    With,
}

/// A token and where it stands, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// All tokens of `text`. The last one is `End` or `Error`.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { text, at: 0, tokens: Vec::new() };
    while lexer.outside() && lexer.action() {}
    lexer.tokens
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    tokens: Vec<Token>,
}

const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn push(&mut self, kind: Kind, start: usize) {
        self.tokens.push(Token { kind, start, end: self.at });
    }

    fn fail(&mut self, message: &'static str) -> bool {
        self.push(Kind::Error(message), self.at);
        false
    }

    /// Text and comments up to an action; false where the template ends.
    fn outside(&mut self) -> bool {
        loop {
            let start = self.at;
            let Some(length) = self.rest().find("{{") else {
                self.at = self.text.len();
                if self.at > start {
                    self.push(Kind::Text, start);
                }
                self.push(Kind::End, self.at);
                return false;
            };
            let open = start + length;
            let after = self.text.get(open + 2..).unwrap_or_default();
            let trims = after.starts_with('-') && after.get(1..).is_some_and(|s| s.starts_with(SPACE));
            let text = self.text.get(start..open).unwrap_or_default();
            let kept = if trims { text.trim_end_matches(SPACE) } else { text };
            if !kept.is_empty() {
                self.tokens.push(Token { kind: Kind::Text, start, end: start + kept.len() });
            }
            let skip = if trims { 4 } else { 2 };
            self.at = open + skip;
            if self.rest().starts_with("/*") || (trims && after.get(2..).is_some_and(|s| s.starts_with("/*"))) {
                if !self.comment() {
                    return false;
                }
                continue;
            }
            // The blank after a trim marker stays: it separates nothing, and the parser skips it.
            self.tokens.push(Token { kind: Kind::Open, start: open, end: self.at });
            return true;
        }
    }

    fn comment(&mut self) -> bool {
        let Some(length) = self.rest().find("*/") else {
            return self.fail("the comment is not closed; expected \"*/}}\"");
        };
        self.at += length + 2;
        match self.close() {
            Some(trims) => {
                self.skip_close(trims);
                true
            }
            None => self.fail("a comment must fill its action; expected \"}}\" right after \"*/\""),
        }
    }

    /// Whether an action ends here, and if so, whether it trims the text behind it.
    fn close(&self) -> Option<bool> {
        let rest = self.rest();
        if rest.starts_with("}}") {
            return Some(false);
        }
        let marked = rest.starts_with(SPACE) && rest.get(1..).is_some_and(|s| s.starts_with("-}}"));
        marked.then_some(true)
    }

    fn skip_close(&mut self, trims: bool) {
        self.at += if trims { 4 } else { 2 };
        if trims {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start_matches(SPACE).len();
        }
    }

    /// The inside of an action; false where the text is broken.
    fn action(&mut self) -> bool {
        let mut parens = 0u32;
        loop {
            if let Some(trims) = self.close() {
                if parens > 0 {
                    return self.fail("a \"(\" is not closed; expected \")\"");
                }
                let start = self.at;
                self.at += if trims { 4 } else { 2 };
                self.push(Kind::Close, start);
                self.at = start;
                self.skip_close(trims);
                return true;
            }
            let start = self.at;
            let Some(c) = self.peek() else {
                return self.fail("the action is not closed; expected \"}}\"");
            };
            match c {
                ' ' | '\t' | '\r' | '\n' => {
                    while self.peek().is_some_and(|c| SPACE.contains(&c)) && self.close() != Some(true) {
                        self.at += 1;
                    }
                    if self.at > start {
                        self.push(Kind::Space, start);
                    }
                }
                '(' => {
                    parens += 1;
                    self.single(Kind::LeftParen);
                }
                ')' => {
                    let Some(fewer) = parens.checked_sub(1) else {
                        return self.fail("unexpected \")\"");
                    };
                    parens = fewer;
                    self.single(Kind::RightParen);
                }
                _ if !self.token(c) => return false,
                _ => {}
            }
        }
    }

    fn single(&mut self, kind: Kind) {
        let start = self.at;
        self.at += 1;
        self.push(kind, start);
    }

    fn token(&mut self, c: char) -> bool {
        match c {
            '=' => self.single(Kind::Assign),
            '|' => self.single(Kind::Pipe),
            ',' => self.single(Kind::Comma),
            ':' if self.rest().starts_with(":=") => {
                let start = self.at;
                self.at += 2;
                self.push(Kind::Declare, start);
            }
            ':' => return self.fail("expected \":=\""),
            '"' => {
                return self.quoted('"', Kind::String, "the quoted string is not closed; expected '\"'");
            }
            '\'' => {
                return self.quoted('\'', Kind::Char, "the character constant is not closed; expected \"'\"");
            }
            '`' => return self.raw(),
            '$' => return self.word(Kind::Variable, 1),
            '.' if !self.rest().get(1..).is_some_and(|s| s.starts_with(|c: char| c.is_ascii_digit())) => {
                return self.word(Kind::Field, 1);
            }
            '.' | '+' | '-' | '0'..='9' => return self.number(),
            _ if alphanumeric(c) => return self.word(Kind::Identifier, 0),
            _ if c.is_ascii_graphic() => self.single(Kind::Other),
            _ => return self.fail("a character that no action may hold"),
        }
        true
    }

    fn quoted(&mut self, quote: char, kind: Kind, unclosed: &'static str) -> bool {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                None | Some('\n') => return self.fail(unclosed),
                Some('\\') => {
                    self.at += 1;
                    match self.peek() {
                        None | Some('\n') => return self.fail(unclosed),
                        Some(c) => self.at += c.len_utf8(),
                    }
                }
                Some(c) => {
                    self.at += c.len_utf8();
                    if c == quote {
                        self.push(kind, start);
                        return true;
                    }
                }
            }
        }
    }

    fn raw(&mut self) -> bool {
        let start = self.at;
        match self.rest().get(1..).and_then(|s| s.find('`')) {
            Some(length) => {
                self.at += length + 2;
                self.push(Kind::RawString, start);
                true
            }
            None => self.fail("the raw string is not closed; expected \"`\""),
        }
    }

    /// An identifier, field or variable, `prefix` bytes into it.
    fn word(&mut self, kind: Kind, prefix: usize) -> bool {
        let start = self.at;
        self.at += prefix;
        while let Some(c) = self.peek().filter(|c| alphanumeric(*c)) {
            self.at += c.len_utf8();
        }
        if !self.terminated() {
            return self
                .fail("a name ends in a character that no name may hold; for such keys write: index . \"the-key\"");
        }
        let word = self.text.get(start..self.at).unwrap_or_default();
        let kind = match (kind, word) {
            (Kind::Field, ".") => Kind::Dot,
            (Kind::Identifier, _) => keyword(word),
            _ => kind,
        };
        self.push(kind, start);
        true
    }

    fn terminated(&self) -> bool {
        match self.peek() {
            None | Some(' ' | '\t' | '\r' | '\n' | '.' | ',' | '|' | ':' | ')' | '(') => true,
            Some(_) => self.rest().starts_with("}}"),
        }
    }

    fn number(&mut self) -> bool {
        let start = self.at;
        self.accept(&['+', '-']);
        let mut digits: fn(char) -> bool = |c| c.is_ascii_digit() || c == '_';
        let mut exponent: &[char] = &['e', 'E'];
        if self.accept(&['0']) {
            if self.accept(&['x', 'X']) {
                (digits, exponent) = (|c: char| c.is_ascii_hexdigit() || c == '_', &['p', 'P']);
            } else if self.accept(&['o', 'O']) {
                (digits, exponent) = (|c: char| matches!(c, '0'..='7' | '_'), &[]);
            } else if self.accept(&['b', 'B']) {
                (digits, exponent) = (|c: char| matches!(c, '0' | '1' | '_'), &[]);
            }
        }
        self.run(digits);
        if self.accept(&['.']) {
            self.run(digits);
        }
        if self.accept(exponent) {
            self.accept(&['+', '-']);
            self.run(|c| c.is_ascii_digit() || c == '_');
        }
        match self.peek() {
            Some('i') => self.fail("complex numbers are not supported"),
            Some(c) if alphanumeric(c) || c == '+' || c == '-' => self.fail("bad number syntax"),
            _ => {
                self.push(Kind::Number, start);
                true
            }
        }
    }

    fn accept(&mut self, any: &[char]) -> bool {
        let found = self.peek().is_some_and(|c| any.contains(&c));
        if found {
            self.at += 1;
        }
        found
    }

    fn run(&mut self, accepts: fn(char) -> bool) {
        while self.peek().is_some_and(accepts) {
            self.at += 1;
        }
    }
}

fn alphanumeric(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn keyword(word: &str) -> Kind {
    Kind::Keyword(match word {
        "block" => Keyword::Block,
        "break" => Keyword::Break,
        "continue" => Keyword::Continue,
        "define" => Keyword::Define,
        "else" => Keyword::Else,
        "end" => Keyword::End,
        "if" => Keyword::If,
        "range" => Keyword::Range,
        "template" => Keyword::Template,
        "with" => Keyword::With,
        "nil" => return Kind::Nil,
        "true" | "false" => return Kind::Bool,
        _ => return Kind::Identifier,
    })
}

//! What a query in PromQL asks for: metrics, the labels that each is matched by, and the labels that it groups by. No parser: a
//! tokenizer, and what stands before and after a name tells what it is.

use std::collections::BTreeSet;

/// The names in one query.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Each metric with the labels in the braces behind it.
    pub metrics: Vec<(String, BTreeSet<String>)>,
    /// Labels of `by`, `without`, `on`, `ignoring`, `group_left` and `group_right`.
    pub grouping: BTreeSet<String>,
}

/// Words that are no metric without a parenthesis behind them.
const WORDS: &[&str] = &["and", "or", "unless", "bool", "offset", "inf", "nan", "start", "end"];
/// Words whose parenthesis holds labels.
const GROUPING: &[&str] = &["by", "without", "on", "ignoring", "group_left", "group_right"];

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Name(String),
    Symbol(char),
}

/// Strings, numbers, durations and what is in brackets say nothing of names.
fn tokens(query: &str) -> Vec<Token> {
    let mut rest = query.chars().peekable();
    let mut tokens = Vec::new();
    while let Some(first) = rest.next() {
        match first {
            '"' | '\'' | '`' => {
                while let Some(next) = rest.next() {
                    match next {
                        '\\' if first != '`' => drop(rest.next()),
                        next if next == first => break,
                        _ => {}
                    }
                }
            }
            '[' => while rest.next().is_some_and(|next| next != ']') {},
            '#' => while rest.next().is_some_and(|next| next != '\n') {},
            '0'..='9' => while rest.next_if(|next| next.is_ascii_alphanumeric() || *next == '.').is_some() {},
            '_' | ':' | 'a'..='z' | 'A'..='Z' => {
                let mut name = String::from(first);
                while let Some(next) = rest.next_if(|next| next.is_ascii_alphanumeric() || "_:".contains(*next)) {
                    name.push(next);
                }
                tokens.push(Token::Name(name));
            }
            symbol if symbol.is_whitespace() => {}
            symbol => tokens.push(Token::Symbol(symbol)),
        }
    }
    tokens
}

/// The names in a query.
pub fn names(query: &str) -> Names {
    let tokens = tokens(query);
    let mut names = Names::default();
    let mut rest = tokens.into_iter().peekable();
    let until = |rest: &mut std::iter::Peekable<std::vec::IntoIter<Token>>, end: char| -> BTreeSet<String> {
        rest.next();
        let inside = rest.by_ref().take_while(|token| *token != Token::Symbol(end));
        inside.filter_map(|token| if let Token::Name(name) = token { Some(name) } else { None }).collect()
    };
    while let Some(token) = rest.next() {
        let Token::Name(name) = token else { continue };
        let next = rest.peek().cloned();
        match next {
            Some(Token::Symbol('(')) if GROUPING.contains(&name.as_str()) => {
                names.grouping.extend(until(&mut rest, ')'));
            }
            // A function, or an aggregation with its grouping behind it.
            Some(Token::Symbol('(')) => {}
            // An aggregation with its grouping before it.
            Some(Token::Name(word)) if GROUPING[..2].contains(&word.as_str()) => {}
            Some(Token::Symbol('{')) => names.metrics.push((name, until(&mut rest, '}'))),
            _ if WORDS.contains(&name.to_ascii_lowercase().as_str()) || GROUPING.contains(&name.as_str()) => {}
            _ => names.metrics.push((name, BTreeSet::new())),
        }
    }
    names
}

fn sets(metrics: &[(&str, &[&str])], grouping: &[&str]) -> Names {
    let set = |labels: &[&str]| labels.iter().map(ToString::to_string).collect();
    Names {
        metrics: metrics.iter().map(|(name, labels)| ((*name).to_owned(), set(labels))).collect(),
        grouping: set(grouping),
    }
}

#[test]
fn names_are_told_from_words() {
    for (query, expected) in [
        ("up", sets(&[("up", &[])], &[])),
        ("sum(up) or vector(0)", sets(&[("up", &[])], &[])),
        (
            "sum by (a, b) (rate(x_total{c=\"by (no)\",d!~'\\'e{'}[$__rate_interval])) > 1e9",
            sets(&[("x_total", &["c", "d"])], &["a", "b"]),
        ),
        ("sum(x) by (a) / on (b) group_left (c) y{} offset 5m", sets(&[("x", &[]), ("y", &[])], &["a", "b", "c"])),
        ("x and ignoring(a) y unless z == bool 0.5", sets(&[("x", &[]), ("y", &[]), ("z", &[])], &["a"])),
        ("label_replace(x, \"n\", \"$1\", `e\\`, \"(.+)\") # y\n- time()", sets(&[("x", &[])], &[])),
        ("a:b:rate5m > 3 * x[5m:1m] + Inf", sets(&[("a:b:rate5m", &[]), ("x", &[])], &[])),
        ("topk(10, 2 * sum without (a) (x))", sets(&[("x", &[])], &["a"])),
    ] {
        assert_eq!(names(query), expected, "{query}");
    }
}

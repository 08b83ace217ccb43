//! What stands on the screen: 80 columns, in colour where standard output is a terminal and NO_COLOR is not set.

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

const WIDTH: usize = 80;
const INDENT: usize = 3;

const BOLD: &str = "1";
const GREEN: &str = "32";
const RED: &str = "31";
const DIM: &str = "2";

/// A heading with a rule below.
pub fn title(text: &str) {
    line(&painted(BOLD, text));
    line(&"─".repeat(WIDTH));
}

/// A numbered heading.
pub fn step(number: u32, text: &str) {
    line("");
    line(&format!("{}  {}", painted(BOLD, &number.to_string()), painted(BOLD, text)));
}

/// A paragraph, wrapped.
pub fn say(text: &str) {
    wrapped("", text, 0);
}

/// What a person would type to see what follows.
pub fn command(text: &str, remark: &str) {
    line("");
    let remark = if remark.is_empty() { String::new() } else { format!("  {}", painted(DIM, &format!("# {remark}"))) };
    line(&format!("{}$ {}{remark}", " ".repeat(INDENT), painted(BOLD, text)));
}

/// A line as it is.
pub fn plain(text: &str) {
    line(&format!("{}{text}", " ".repeat(INDENT)));
}

/// `label` and a text, wrapped, its further lines below its first.
pub fn wrapped(label: &str, text: &str, hang: usize) {
    let room = WIDTH - INDENT - hang;
    let mut rows: Vec<String> = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(row) = rows.last_mut() else { return };
        if !row.is_empty() && row.chars().count() + 1 + word.chars().count() > room {
            rows.push(word.to_owned());
            continue;
        }
        if !row.is_empty() {
            row.push(' ');
        }
        row.push_str(word);
    }
    for (number, row) in rows.iter().enumerate() {
        let label = if number == 0 { label } else { "" };
        plain(&format!("{label:hang$}{row}"));
    }
}

/// What was reached, and how long it took.
pub fn done(what: &str, took: Duration) {
    reached(&format!("{}{} {what}", " ".repeat(INDENT), painted(GREEN, "✓")), what.chars().count() + INDENT + 2, took);
}

/// As [`done`], for what comes before the first step.
pub fn ready(what: &str, took: Duration) {
    reached(what, what.chars().count(), took);
}

fn reached(text: &str, width: usize, took: Duration) {
    let took = seconds(took);
    let dots = WIDTH.saturating_sub(width + took.chars().count() + 2).max(1);
    line(&format!("{text} {} {}", painted(DIM, &".".repeat(dots)), painted(BOLD, &took)));
}

/// What went wrong.
pub fn failed(text: &str) {
    line("");
    line(&format!("{} {text}", painted(RED, "✗")));
}

/// `0.12 s`, `12.3 s`.
pub fn seconds(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 10.0 { format!("{seconds:.2} s") } else { format!("{seconds:.1} s") }
}

fn painted(code: &str, text: &str) -> String {
    let is_wanted =
        std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if is_wanted { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// A line without indent. Where nobody reads any more there is nobody to tell.
pub fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

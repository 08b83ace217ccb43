//! The tables in docs/templates.md are those of the engine. To write them anew: UPDATE_DOCS=1 cargo test --test template docs

use std::fmt::Write;
use std::path::Path;

use external_secrets_rs::template::{REFUSED, functions};

/// The text with what stands between two markers replaced.
fn replaced(text: &str, marker: &str, content: &str) -> String {
    let (begin, end) = (format!("<!-- {marker} -->\n"), format!("<!-- /{marker} -->"));
    let (before, rest) = text.split_once(&begin).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    format!("{before}{begin}{content}{end}{after}")
}

fn function_table() -> String {
    let mut table = String::new();
    let mut family = "";
    for function in functions() {
        if function.family != family {
            family = function.family;
            write!(table, "\n### {family}\n| function | takes |\n|---|---|\n").unwrap();
        }
        let star = if function.varies { " *" } else { "" };
        let parameters =
            if function.parameters.is_empty() { "nothing".to_owned() } else { format!("`{}`", function.parameters) };
        writeln!(table, "| `{}`{star} | {parameters} |", function.name).unwrap();
    }
    table + "\n"
}

#[test]
fn the_tables_in_the_docs_are_those_of_the_engine() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/templates.md");
    let found = std::fs::read_to_string(&path).unwrap();
    let rows: String = REFUSED.iter().map(|(name, reason)| format!("| `{name}` | {reason} |\n")).collect();
    let refused = format!("| function | why |\n|---|---|\n{rows}");
    let expected = replaced(&replaced(&found, "refused", &refused), "functions", &function_table());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), expected, "run: UPDATE_DOCS=1 cargo test --test template docs");
}

//! What the documents promise about themselves: commands that say how they are tested, links that lead somewhere, and something to
//! do for each alert.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::Result;
use common::kustomize::in_repository;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Says before a block of commands who runs them, or why nobody does.
const MARK: &str = "<!-- commands: ";

/// Markdown for users, by its path in the repository.
fn documents() -> Result<Vec<(String, String)>> {
    let mut names: Vec<String> =
        ["README.md", "CHANGELOG.md", "SECURITY.md", "deploy/flux/README.md"].map(str::to_owned).into();
    for file in std::fs::read_dir(in_repository("docs"))? {
        let name = file?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".md") {
            names.push(format!("docs/{name}"));
        }
    }
    names.sort();
    assert!(names.len() > 10, "{names:?}");
    names.into_iter().map(|name| Ok((name.clone(), std::fs::read_to_string(in_repository(&name))?))).collect()
}

/// Blocks of commands, each with the line before it and the line that it begins at.
fn command_blocks(text: &str) -> Vec<(usize, &str, Vec<&str>)> {
    let lines: Vec<&str> = text.lines().collect();
    let begins = |line: &str| matches!(line.trim_start(), "```sh" | "```console" | "```bash");
    let starts = lines.iter().enumerate().filter(|(_, line)| begins(line)).map(|(at, _)| at);
    starts
        .map(|at| {
            let block = lines[at + 1..].iter().take_while(|line| line.trim_start() != "```");
            (at + 1, at.checked_sub(1).map_or("", |before| lines[before]), block.copied().collect())
        })
        .collect()
}

/// `docs/migrating.md` needs no marks: `tests/migrate.rs` runs every command of it and refuses a section that it does not know.
#[test]
fn every_command_is_run_by_a_test_or_says_why_not() -> Result {
    let mut unmarked = Vec::new();
    for (name, text) in documents()?.iter().filter(|(name, _)| name != "docs/migrating.md") {
        for (at, before, lines) in command_blocks(text) {
            let said = before.trim().strip_prefix(MARK).and_then(|rest| rest.strip_suffix(" -->"));
            let Some(said) = said else {
                unmarked.push(format!("{name}:{at}"));
                continue;
            };
            assert!(said.contains("not run, ") || said.contains("by ") || said == "all tested", "{name}:{at}: {said}");
            for file in said.split_whitespace().map(|word| word.trim_matches([',', ';', '.'])) {
                let is_file = file.starts_with("tests/") || file == ".ci/run";
                assert!(!is_file || in_repository(file).is_file(), "{name}:{at}: there is no {file}");
            }
            let all_are = lines.iter().filter(|line| !line.is_empty()).all(|line| line.ends_with("   # tested"));
            assert!(said != "all tested" || all_are, "{name}:{at}: not all are");
        }
    }
    assert_eq!(unmarked, Vec::<String>::new(), "say {MARK}run by tests/… or not run, why --> before these blocks");
    Ok(())
}

/// As GitHub makes it from a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|one| one.is_alphanumeric() || " -_".contains(*one));
    kept.map(|one| if one == ' ' { '-' } else { one.to_ascii_lowercase() }).collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#'));
    headings.map(anchor).collect()
}

/// Targets of links and pictures.
fn links(text: &str) -> Vec<&str> {
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect()
}

#[test]
fn every_link_leads_somewhere() -> Result {
    for (name, text) in documents()? {
        let folder = PathBuf::from(&name).parent().expect("a folder").to_owned();
        for link in links(&text).into_iter().filter(|link| !link.starts_with("http")) {
            let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { PathBuf::from(&name) } else { folder.join(path) };
            let file = in_repository(&target.to_string_lossy());
            assert!(file.exists(), "{name}: there is no {link}");
            if !fragment.is_empty() {
                assert!(anchors(&std::fs::read_to_string(&file)?).contains(fragment), "{name}: no heading for {link}");
            }
        }
    }
    Ok(())
}

/// Every document is found from the README, at first or at second hand.
#[test]
fn every_document_is_linked() -> Result {
    let documents = documents()?;
    let all: String = documents.iter().map(|(_, text)| text.as_str()).collect();
    for (name, _) in documents.iter().filter(|(name, _)| name != "README.md") {
        let file = name.rsplit('/').next().expect("a name");
        assert!(
            all.contains(&format!("{file})")) || all.contains(&format!("{file}#")) || name.contains("flux"),
            "{name}"
        );
    }
    Ok(())
}

#[test]
fn there_is_something_to_do_for_each_alert() -> Result {
    let rules = std::fs::read_to_string(in_repository("deploy/observability/alerts.yaml"))?;
    let rules: Value = serde_saphyr::from_str(&rules)?;
    let rules = rules["groups"][0]["rules"].as_array().expect("rules");
    let alerts: BTreeSet<&str> = rules.iter().filter_map(|rule| rule["alert"].as_str()).collect();
    let text = std::fs::read_to_string(in_repository("docs/troubleshooting.md"))?;
    let told: BTreeSet<&str> = text.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert_eq!(told, alerts);
    Ok(())
}

#[test]
fn anchors_are_as_github_makes_them() {
    assert_eq!(anchor(" What `the operator` needs, in Vault"), "what-the-operator-needs-in-vault");
    assert_eq!(anchors("# A\ntext\n### 4. Finish\n").into_iter().collect::<Vec<_>>(), ["4-finish", "a"]);
}

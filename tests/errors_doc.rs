//! docs/errors.md has each condition, each reason and each event that the code knows, and no other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use external_secrets_rs::api::{ConditionReason, ConditionType};
use external_secrets_rs::telemetry::events::EventReason;
use std::collections::BTreeSet;

/// The words in the first column of the tables under a heading.
fn told(doc: &str, heading: &str) -> BTreeSet<String> {
    let (_, section) = doc.split_once(&format!("\n## {heading}\n")).expect(heading);
    let section = section.split("\n## ").next().unwrap();
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    cells.map(str::to_owned).collect()
}

fn words(all: impl IntoIterator<Item = &'static str>) -> BTreeSet<String> {
    all.into_iter().map(str::to_owned).collect()
}

#[test]
fn it_has_every_word_and_no_other() {
    let doc = include_str!("../docs/errors.md");
    assert_eq!(told(doc, "Conditions"), words(ConditionType::ALL.iter().map(|word| word.as_str())));
    assert_eq!(told(doc, "Reasons of conditions"), words(ConditionReason::ALL.iter().map(|word| word.as_str())));
    assert_eq!(told(doc, "Events"), words(EventReason::ALL.iter().map(|word| word.as_str())));
}

/// The messages' beginnings in the doc stand in the code as they are.
#[test]
fn its_messages_are_the_codes() {
    let doc = include_str!("../docs/errors.md");
    let sources = [
        include_str!("../src/controller/error.rs"),
        include_str!("../src/sync/collect.rs"),
        include_str!("../src/sync/plan.rs"),
        include_str!("../src/sync/spec.rs"),
        include_str!("../src/vault/error.rs"),
        include_str!("../src/lease/mod.rs"),
    ];
    let (_, section) = doc.split_once("\n## Messages\n").expect("the section");
    let mut messages = 0;
    for line in section.split("\n## ").next().unwrap().lines() {
        let Some(cell) = line.strip_prefix("| \"").and_then(|rest| rest.split("\" |").next()) else { continue };
        messages += 1;
        for part in cell.split('…').map(str::trim).filter(|part| !part.is_empty()) {
            let is_there = sources.iter().any(|source| source.replace("\\\"", "\"").contains(part));
            assert!(is_there, "no message of the code has {part:?}");
        }
    }
    assert!(messages > 20, "{messages} messages");
}

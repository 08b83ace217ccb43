//! Judgements for people and for programs.

use crate::migrate::{Judgement, Verdict};
use serde_json::json;

const HEAD: [&str; 5] = ["KIND", "NAMESPACE", "NAME", "VERDICT", "WHY"];

/// A table as kubectl prints them, a line for each reason, and a summary.
pub fn table(judgements: &[Judgement]) -> String {
    if judgements.is_empty() {
        return "No objects of External Secrets Operator found.\n".to_owned();
    }
    let mut rows = vec![HEAD.map(str::to_owned)];
    for judgement in judgements {
        let mut why = judgement.why.iter();
        let namespace = judgement.namespace.clone().unwrap_or_else(|| "-".to_owned());
        let first = why.next().cloned().unwrap_or_default();
        let (kind, verdict) = (judgement.kind.clone(), judgement.verdict.as_str().to_owned());
        rows.push([kind, namespace, judgement.name.clone(), verdict, first]);
        rows.extend(why.map(|why| ["", "", "", "", why.as_str()].map(str::to_owned)));
    }
    let mut widths = [0; 5];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(cells.join("   ").trim_end());
        text.push('\n');
    }
    text + "\n" + &summary(judgements) + "\n"
}

fn count(judgements: &[Judgement], verdict: Verdict) -> usize {
    judgements.iter().filter(|judgement| judgement.verdict == verdict).count()
}

fn summary(judgements: &[Judgement]) -> String {
    let count = |verdict| count(judgements, verdict);
    let all = judgements.len();
    format!(
        "{all} {}: {} as with External Secrets Operator, {} with a difference, {} to edit first, {} not served",
        if all == 1 { "object" } else { "objects" },
        count(Verdict::Works),
        count(Verdict::Differs),
        count(Verdict::NeedsEdit),
        count(Verdict::NotServed),
    )
}

/// The same as JSON.
pub fn json(judgements: &[Judgement]) -> String {
    let verdicts = [Verdict::Works, Verdict::Differs, Verdict::NeedsEdit, Verdict::NotServed];
    let summary: serde_json::Map<_, _> =
        verdicts.iter().map(|verdict| (verdict.as_str().to_owned(), count(judgements, *verdict).into())).collect();
    format!("{:#}\n", json!({"objects": judgements, "summary": summary}))
}

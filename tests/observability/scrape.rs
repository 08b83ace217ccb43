//! What an operator exports: metrics with their kind and the labels of each series.

use std::collections::{BTreeMap, BTreeSet};

/// One metric of a scrape.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Metric {
    /// counter, gauge or histogram.
    pub kind: String,
    /// The labels of its series; none where there is no series yet.
    pub labels: Option<BTreeSet<String>>,
}

/// A scrape by the names that a query uses: a histogram is there three times.
pub type Scrape = BTreeMap<String, Metric>;

/// Reads a scrape.
pub fn read(text: &str) -> Scrape {
    let mut scrape = Scrape::new();
    for line in text.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').unwrap();
            let suffixes: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            for suffix in suffixes {
                scrape.insert(format!("{name}{suffix}"), Metric { kind: kind.to_owned(), labels: None });
            }
        } else if !line.starts_with('#') {
            let end = line.find(['{', ' ']).unwrap();
            let metric = scrape.get_mut(&line[..end]).unwrap_or_else(|| panic!("no TYPE before {line}"));
            let labels = super::promql::names(&line[..line.rfind(' ').unwrap()]).metrics.remove(0).1;
            metric.labels.get_or_insert_default().extend(labels);
        }
    }
    scrape
}

#[test]
fn series_are_read_with_their_labels() {
    let text = "# HELP a b\n# TYPE a gauge\na{x=\"1 {y\",z=\"\"} 1\n# TYPE b counter\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 2\nh_count 1\n";
    let scrape = read(text);
    let told = |name: &str| {
        let metric = &scrape[name];
        (
            metric.kind.as_str(),
            metric.labels.as_ref().map(|labels| labels.iter().map(String::as_str).collect::<Vec<_>>()),
        )
    };
    assert_eq!(told("a"), ("gauge", Some(vec!["x", "z"])));
    assert_eq!(told("b"), ("counter", None));
    assert_eq!(told("h_bucket"), ("histogram", Some(vec!["le"])));
    assert_eq!(told("h_sum"), ("histogram", Some(vec![])));
    assert_eq!(scrape.len(), 5);
}

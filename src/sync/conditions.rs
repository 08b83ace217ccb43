//! Which namespaces a ClusterSecretStore admits.

use crate::api::StoreCondition;
use kube::core::{Selector, SelectorExt};
use regex::Regex;
use std::collections::BTreeMap;
use thiserror::Error;

/// Why conditions can't be evaluated. Only an edit mends either.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConditionsError {
    /// A regular expression that does not compile.
    #[error("spec.conditions holds the regular expression {regex:?}, which can't be compiled; correct it")]
    Regex {
        /// As it is written.
        regex: String,
    },
    /// A label selector that makes no sense.
    #[error("spec.conditions holds a namespaceSelector that can't be used; see `kubectl explain` for its operators")]
    Selector,
}

/// Whether any of `conditions` asks for a Namespace's labels.
pub fn need_labels(conditions: &[StoreCondition]) -> bool {
    conditions.iter().any(|condition| condition.namespace_selector.is_some())
}

/// Whether all of `conditions` can be evaluated, whichever namespace asks.
pub fn check(conditions: &[StoreCondition]) -> Result<(), ConditionsError> {
    for condition in conditions {
        condition.namespace_regexes.iter().try_for_each(|regex| compile(regex).map(drop))?;
        if let Some(selector) = &condition.namespace_selector {
            Selector::try_from(selector.clone()).map_err(|_| ConditionsError::Selector)?;
        }
    }
    Ok(())
}

/// Whether a store with these conditions may be used from `namespace`: none admits all, else any that matches does.
pub fn admit(
    conditions: &[StoreCondition],
    namespace: &str,
    labels: &BTreeMap<String, String>,
) -> Result<bool, ConditionsError> {
    if conditions.is_empty() {
        return Ok(true);
    }
    for condition in conditions {
        if matches(condition, namespace, labels)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn matches(
    condition: &StoreCondition,
    namespace: &str,
    labels: &BTreeMap<String, String>,
) -> Result<bool, ConditionsError> {
    if condition.namespaces.iter().any(|named| named == namespace) {
        return Ok(true);
    }
    for regex in &condition.namespace_regexes {
        if compile(regex)?.is_match(namespace) {
            return Ok(true);
        }
    }
    match &condition.namespace_selector {
        Some(selector) => {
            let selector = Selector::try_from(selector.clone()).map_err(|_| ConditionsError::Selector)?;
            Ok(selector.matches(labels))
        }
        None => Ok(false),
    }
}

fn compile(regex: &str) -> Result<Regex, ConditionsError> {
    Regex::new(regex).map_err(|_| ConditionsError::Regex { regex: regex.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn conditions(json: serde_json::Value) -> Vec<StoreCondition> {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn any_condition_that_matches_admits() {
        let labels = BTreeMap::from([("tier".to_owned(), "gold".to_owned())]);
        let table = [
            (json!([]), true),
            (json!([{"namespaces": ["team-a"]}]), true),
            (json!([{"namespaces": ["team-b"]}]), false),
            (json!([{"namespaces": ["team-b"]}, {"namespaceRegexes": ["^team-.*$"]}]), true),
            (json!([{"namespaceRegexes": ["^prod-"]}]), false),
            (json!([{"namespaceSelector": {"matchLabels": {"tier": "gold"}}}]), true),
            (
                json!([{"namespaceSelector": {"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["gold"]}]}}]),
                false,
            ),
            (json!([{"namespaceSelector": {}}]), true),
            (json!([{}]), false),
        ];
        for (given, admitted) in table {
            assert_eq!(admit(&conditions(given.clone()), "team-a", &labels), Ok(admitted), "{given}");
        }
    }

    #[test]
    fn a_bad_regular_expression_admits_nobody_and_says_so() {
        let given = conditions(json!([{"namespaceRegexes": ["("]}]));
        assert!(matches!(admit(&given, "a", &BTreeMap::new()), Err(ConditionsError::Regex { .. })));
        let behind = conditions(json!([{"namespaces": ["a"]}, {"namespaceRegexes": ["("]}]));
        assert_eq!(admit(&behind, "a", &BTreeMap::new()), Ok(true));
        assert!(matches!(check(&behind), Err(ConditionsError::Regex { .. })));
    }
}

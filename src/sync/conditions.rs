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

/// Whether a store may be used from a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Admitted,
    /// It may not.
    Refused,
    /// The Namespace's labels decide, and they are not known.
    NeedsLabels,
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

/// Whether a store with these conditions may be used from `namespace`: none admits all, else any that matches does. Labels
/// that are not known match no selector, not even one for their absence.
pub fn admit(
    conditions: &[StoreCondition],
    namespace: &str,
    labels: Option<&BTreeMap<String, String>>,
) -> Result<Admission, ConditionsError> {
    if conditions.is_empty() {
        return Ok(Admission::Admitted);
    }
    let mut undecided = Admission::Refused;
    for condition in conditions {
        match matches(condition, namespace, labels)? {
            Admission::Admitted => return Ok(Admission::Admitted),
            Admission::NeedsLabels => undecided = Admission::NeedsLabels,
            Admission::Refused => {}
        }
    }
    Ok(undecided)
}

fn matches(
    condition: &StoreCondition,
    namespace: &str,
    labels: Option<&BTreeMap<String, String>>,
) -> Result<Admission, ConditionsError> {
    if condition.namespaces.iter().any(|named| named == namespace) {
        return Ok(Admission::Admitted);
    }
    for regex in &condition.namespace_regexes {
        if compile(regex)?.is_match(namespace) {
            return Ok(Admission::Admitted);
        }
    }
    let Some(selector) = &condition.namespace_selector else { return Ok(Admission::Refused) };
    let selector = Selector::try_from(selector.clone()).map_err(|_| ConditionsError::Selector)?;
    Ok(match labels {
        None => Admission::NeedsLabels,
        Some(labels) if selector.matches(labels) => Admission::Admitted,
        Some(_) => Admission::Refused,
    })
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
        use Admission::{Admitted, NeedsLabels, Refused};
        let expression = |operator: &str, values: serde_json::Value| {
            let expression = json!({"key": "tier", "operator": operator, "values": values});
            json!([{"namespaceSelector": {"matchExpressions": [expression]}}])
        };
        let labels = BTreeMap::from([("tier".to_owned(), "gold".to_owned())]);
        // With what is to come of it where the labels are known, and where they are not.
        let table = [
            (json!([]), Admitted, Admitted),
            (json!([{"namespaces": ["team-a"]}]), Admitted, Admitted),
            (json!([{"namespaces": ["team-b"]}]), Refused, Refused),
            (json!([{"namespaces": ["team-b"]}, {"namespaceRegexes": ["^team-.*$"]}]), Admitted, Admitted),
            (
                json!([{"namespaceSelector": {"matchLabels": {"tier": "tin"}}}, {"namespaces": ["team-a"]}]),
                Admitted,
                Admitted,
            ),
            (json!([{"namespaceRegexes": ["^prod-"]}]), Refused, Refused),
            (json!([{"namespaceSelector": {"matchLabels": {"tier": "gold"}}}]), Admitted, NeedsLabels),
            (expression("NotIn", json!(["gold"])), Refused, NeedsLabels),
            (expression("NotIn", json!(["tin"])), Admitted, NeedsLabels),
            (expression("DoesNotExist", json!([])), Refused, NeedsLabels),
            (json!([{"namespaceSelector": {}}]), Admitted, NeedsLabels),
            (json!([{}]), Refused, Refused),
        ];
        for (given, known, unknown) in table {
            let conditions = conditions(given.clone());
            assert_eq!(admit(&conditions, "team-a", Some(&labels)), Ok(known), "{given}");
            assert_eq!(admit(&conditions, "team-a", None), Ok(unknown), "{given} without labels");
        }
    }

    #[test]
    fn a_bad_regular_expression_admits_nobody_and_says_so() {
        let given = conditions(json!([{"namespaceRegexes": ["("]}]));
        assert!(matches!(admit(&given, "a", None), Err(ConditionsError::Regex { .. })));
        let behind = conditions(json!([{"namespaces": ["a"]}, {"namespaceRegexes": ["("]}]));
        assert_eq!(admit(&behind, "a", None), Ok(Admission::Admitted));
        assert!(matches!(check(&behind), Err(ConditionsError::Regex { .. })));
    }
}

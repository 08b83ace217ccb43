use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn ready(status: ConditionStatus, message: &str) -> Condition {
    Condition::new(ConditionType::Ready, status, ConditionReason::SecretSynced, message)
}

#[test]
fn the_time_changes_only_with_the_status() {
    let mut conditions = Vec::new();
    assert!(set_condition(&mut conditions, ready(ConditionStatus::True, "one"), at(1)), "it is new");
    assert!(!set_condition(&mut conditions, ready(ConditionStatus::True, "one"), at(2)), "nothing to write");
    assert!(set_condition(&mut conditions, ready(ConditionStatus::True, "two"), at(3)), "another message");
    let time = |conditions: &[Condition]| {
        find_condition(conditions, ConditionType::Ready).unwrap().last_transition_time.clone()
    };
    assert_eq!(time(&conditions), Some(Time(at(1))));
    assert!(set_condition(&mut conditions, ready(ConditionStatus::False, "two"), at(4)));
    assert_eq!(time(&conditions), Some(Time(at(4))));
    assert_eq!(conditions.len(), 1);
}

#[test]
fn a_condition_without_a_time_gets_one() {
    let mut conditions = vec![ready(ConditionStatus::True, "from an operator that wrote no time")];
    assert!(set_condition(&mut conditions, ready(ConditionStatus::True, "ours"), at(5)));
    assert_eq!(conditions[0].last_transition_time, Some(Time(at(5))));
}

#[test]
fn others_conditions_stay() {
    let stalled = Condition::new(ConditionType::Stalled, ConditionStatus::True, ConditionReason::InvalidSpec, "m");
    let mut conditions = vec![ready(ConditionStatus::True, "one")];
    set_condition(&mut conditions, stalled, at(1));
    assert!(remove_condition(&mut conditions, ConditionType::Stalled));
    assert!(!remove_condition(&mut conditions, ConditionType::Stalled));
    assert!(find_condition(&conditions, ConditionType::Stalled).is_none());
    assert!(find_condition(&conditions, ConditionType::Ready).is_some());
}

#[test]
fn reads_what_eso_wrote() {
    let json = r#"{"lastTransitionTime":"2024-05-06T07:08:09Z","message":"secret synced","reason":"SecretSynced","status":"True","type":"Ready"}"#;
    let condition: Condition = serde_json::from_str(json).unwrap();
    assert_eq!((condition.type_.as_str(), condition.status), ("Ready", ConditionStatus::True));
    assert_eq!(serde_json::to_value(&condition).unwrap(), serde_json::from_str::<serde_json::Value>(json).unwrap());
    let bare: Condition = serde_json::from_str(r#"{"status":"Unknown","type":"Deleted"}"#).unwrap();
    assert_eq!(bare.reason, "");
}

#[test]
fn words_in_code_are_the_words_in_json() {
    for status in [ConditionStatus::True, ConditionStatus::False, ConditionStatus::Unknown] {
        assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
    }
}

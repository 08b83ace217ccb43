//! kstatus: what Flux, `kpt` and `helm --wait` of Helm 4 make of an object. Its generic rules, in the order of
//! `sigs.k8s.io/cli-utils` v0.37.2, in which no kind of ours has rules of its own.

use serde_json::Value;

/// What kstatus calls the status of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kstatus {
    /// It is as its spec wants it: who waits goes on.
    Current,
    /// It is on its way: who waits goes on waiting.
    InProgress,
    /// It won't get there by itself: who waits gives up.
    Failed,
    /// It is being deleted.
    Terminating,
}

/// The status of an object as the API server gives it.
pub fn kstatus(object: &Value) -> Kstatus {
    if object["metadata"]["deletionTimestamp"].as_str().is_some_and(|time| !time.is_empty()) {
        return Kstatus::Terminating;
    }
    let (generation, observed) = (&object["metadata"]["generation"], &object["status"]["observedGeneration"]);
    if generation.is_i64() && observed.is_i64() && generation != observed {
        return Kstatus::InProgress;
    }
    let conditions: Vec<&Value> = object["status"]["conditions"].as_array().into_iter().flatten().collect();
    for condition in conditions.iter().filter(|condition| condition["status"] == "True") {
        match condition["type"].as_str() {
            Some("Reconciling") => return Kstatus::InProgress,
            Some("Stalled") => return Kstatus::Failed,
            _ => {}
        }
    }
    match conditions.iter().find(|condition| condition["type"] == "Ready") {
        Some(ready) if ready["status"] != "True" => Kstatus::InProgress,
        _ => Kstatus::Current,
    }
}

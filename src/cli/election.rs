//! The flags of leader election, and a controller that runs only while it holds the lease.

use crate::api::GoDuration;
use crate::controller::Controller;
use crate::controller::key::ObjectKey;
use crate::lease::claim::{Terms, TermsError};
use crate::lease::{Candidate, Claim, Lost};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::readiness::Readiness;
use clap::{ArgAction, Args};
use kube::Client;
use prometheus::IntGauge;
use tokio_util::sync::CancellationToken;

/// Flags are named, and default, as External Secrets Operator's, but for the lease's name: the two do not wait for each other.
#[derive(Debug, Args)]
pub struct ElectionArgs {
    /// Work only while holding a Lease, so that replicas can stand by
    #[arg(long, alias = "leader-elect", value_name = "BOOL", action = ArgAction::Set, default_value_t = false,
        num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    enable_leader_election: bool,
    /// The Lease's name; operators that share out a cluster between them have one each
    #[arg(long, default_value = "external-secrets-rs", value_name = "NAME")]
    leader_election_id: String,
    /// The Lease's namespace [default: the pod's, or the kubeconfig's]
    #[arg(long, value_name = "NAMESPACE")]
    leader_election_namespace: Option<String>,
    /// A Lease that was not renewed for this long is free for another
    #[arg(long, default_value = "15s", value_name = "DURATION")]
    leader_election_lease_duration: GoDuration,
    /// An operator that could not renew its Lease for this long ends
    #[arg(long, default_value = "10s", value_name = "DURATION")]
    leader_election_renew_deadline: GoDuration,
    /// How often to renew the Lease, or to look whether it is free
    #[arg(long, default_value = "2s", value_name = "DURATION")]
    leader_election_retry_period: GoDuration,
}

impl ElectionArgs {
    /// The election to stand in; none where it is off.
    pub fn candidate(
        &self,
        client: &Client,
        instance: &str,
        metrics: &Metrics,
    ) -> Result<Option<Election>, super::run::RunError> {
        if !self.enable_leader_election {
            return Ok(None);
        }
        let namespace = self.leader_election_namespace.as_deref().filter(|namespace| !namespace.is_empty());
        let namespace = namespace.unwrap_or_else(|| client.default_namespace());
        // The pod's name alone is not enough: outside of a cluster two processes may have it.
        let process = getrandom::u64().map_err(std::io::Error::other)?;
        let claim = Claim {
            key: ObjectKey::new(namespace, self.leader_election_id.as_str()),
            identity: format!("{instance}_{process:016x}"),
            terms: self.terms()?,
        };
        let is_leader = metrics.leader_election(&self.leader_election_id)?;
        Ok(Some(Election { candidate: Candidate::new(client.clone(), claim), is_leader }))
    }

    fn terms(&self) -> Result<Terms, TermsError> {
        Terms::new(
            self.leader_election_lease_duration.as_std(),
            self.leader_election_renew_deadline.as_std(),
            self.leader_election_retry_period.as_std(),
        )
    }
}

/// A candidate, and where to tell whether it leads.
pub struct Election {
    candidate: Candidate,
    is_leader: IntGauge,
}

impl Election {
    /// Runs the controller once the lease is ours, and until `stop` or until it is lost; then nothing of it goes on.
    ///
    /// One that waits is ready, watches nothing and keeps nothing: an upgrade can go on, and the new leader lists afresh.
    pub async fn lead(
        mut self,
        controller: Controller,
        readiness: Readiness,
        stop: CancellationToken,
    ) -> Result<(), Lost> {
        let gate = readiness.gate("the lease of leader election");
        tokio::select! {
            () = self.candidate.acquire(|| gate.open()) => {}
            () = stop.cancelled() => return Ok(()),
        }
        self.is_leader.set(1);
        tokio::select! {
            () = controller.run(readiness, stop) => {}
            lost = self.candidate.hold() => return Err(lost),
        }
        self.is_leader.set(0);
        self.candidate.release().await;
        Ok(())
    }
}

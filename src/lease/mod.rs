//! Leader election: of several replicas, the one that holds a Lease works, and the others wait.
//!
//! ```text
//! look ──► held by another ──► wait a little, look again
//!   └────► free ──► claim ──► work, and renew meanwhile ──► stopped: work ends, then release
//!                                   └──► not renewed in time, or another's name in it: end at once
//! ```
//!
//! Not one of the crates for it: those that there are compare the holder's time with their own node's clock, and have no
//! deadline after which a holder that can't reach the API server stops.

pub mod claim;

use crate::controller::error::ApiServerError;
use crate::controller::key::ObjectKey;
use claim::{Move, Sight, Terms, claimed, released};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::time::{sleep, timeout};

/// Which lease, in whose name, on which terms.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Namespace and name of the lease.
    pub key: ObjectKey,
    /// Told in the lease: unlike any other process's.
    pub identity: String,
    /// How long it lasts.
    pub terms: Terms,
}

/// Why the lease is no longer ours.
#[derive(Debug, Error)]
pub enum Lost {
    /// Another's name is in it, or nobody's.
    #[error("the lease {key} was taken by {holder:?}")]
    Taken {
        /// Which lease.
        key: ObjectKey,
        /// The new holder.
        holder: String,
    },
    /// It could not be renewed.
    #[error("the lease {key} could not be renewed for {} s: {why}", .after.as_secs_f32())]
    NotRenewed {
        /// Which lease.
        key: ObjectKey,
        /// For how long.
        after: Duration,
        /// The last attempt's failure.
        why: String,
    },
}

/// One process that wants the lease.
pub struct Candidate {
    claim: Claim,
    api: Api<Lease>,
    sight: Sight,
    /// As last read or written; none where it has to be read.
    lease: Option<Lease>,
}

/// What an attempt came to.
enum Attempt {
    Held,
    HeldBy(String),
}

impl Candidate {
    /// A candidate that has not looked yet.
    pub fn new(client: Client, claim: Claim) -> Self {
        Self { api: Api::namespaced(client, &claim.key.namespace), claim, sight: Sight::default(), lease: None }
    }

    /// Waits until the lease is ours. `looked` is called when the lease has been seen, each time.
    pub async fn acquire(&mut self, looked: impl Fn()) {
        let lease = self.claim.key.clone();
        let mut last = String::new();
        loop {
            let news = match self.attempt_in_time().await {
                Ok(Attempt::Held) => {
                    looked();
                    tracing::info!(%lease, identity = self.claim.identity, "leading");
                    return;
                }
                Ok(Attempt::HeldBy(holder)) => {
                    looked();
                    let news = format!("waiting for the lease, which {holder} holds");
                    if news != last {
                        tracing::info!(%lease, "{news}");
                    }
                    news
                }
                Err(why) => {
                    if why != last {
                        tracing::warn!(%lease, "can't look for the lease: {why}; trying again");
                    }
                    why
                }
            };
            last = news;
            sleep(self.jittered()).await;
        }
    }

    /// Renews the lease; ends when it is lost.
    pub async fn hold(&mut self) -> Lost {
        let (key, terms) = (self.claim.key.clone(), self.claim.terms);
        let mut renewed = Instant::now();
        let mut why = "no attempt was made".to_owned();
        loop {
            sleep(terms.retry_period).await;
            let begun = Instant::now();
            let left = terms.renew_deadline.saturating_sub(begun - renewed);
            match timeout(left, self.attempt_in_time()).await {
                Ok(Ok(Attempt::Held)) => {
                    renewed = begun;
                    continue;
                }
                Ok(Ok(Attempt::HeldBy(holder))) => return Lost::Taken { key, holder },
                Ok(Err(error)) => {
                    tracing::warn!(lease = %key, "the lease could not be renewed: {error}; trying again");
                    why = error;
                }
                Err(_) => {}
            }
            if renewed.elapsed() >= terms.renew_deadline {
                return Lost::NotRenewed { key, after: renewed.elapsed(), why };
            }
        }
    }

    /// Gives the lease back, so that the next one need not wait for its end. Where that fails, it does.
    pub async fn release(mut self) {
        let written = timeout(self.claim.terms.retry_period, self.give_back()).await;
        match written {
            Ok(Ok(true)) => tracing::info!(lease = %self.claim.key, "lease released"),
            Ok(Ok(false)) => {}
            Ok(Err(why)) => tracing::warn!(lease = %self.claim.key, "the lease could not be released: {why}"),
            Err(_) => tracing::warn!(lease = %self.claim.key, "the lease could not be released in time"),
        }
    }

    /// False where it is not ours any more.
    async fn give_back(&mut self) -> Result<bool, ApiServerError> {
        let mut last = self.lease.take();
        loop {
            // A stop may cut a renewal off: only the lease itself tells whether that arrived, before the look at it or after.
            let current = match last.take() {
                Some(lease) => Some(lease),
                None => self.read().await?,
            };
            let Some(mut lease) = current.filter(|lease| self.is_ours(lease)) else { return Ok(false) };
            lease.spec = lease.spec.as_ref().map(|spec| released(spec, Timestamp::now()));
            match self.replace(&lease).await {
                Err(error) if error.is_conflict() => {}
                written => return written.map(|_| true),
            }
        }
    }

    /// A look or a write that hangs must not use up all the time there is.
    async fn attempt_in_time(&mut self) -> Result<Attempt, String> {
        match timeout(self.claim.terms.renew_deadline / 2, self.attempt()).await {
            Ok(Ok(attempt)) => Ok(attempt),
            Ok(Err(error)) => {
                self.lease = None;
                Err(error.to_string())
            }
            Err(_) => {
                self.lease = None;
                Err("the API server did not answer".to_owned())
            }
        }
    }

    /// Looks where that is needed, and writes where that is allowed.
    async fn attempt(&mut self) -> Result<Attempt, ApiServerError> {
        // What we wrote last is what there is, or the write below is refused.
        let ours = self.lease.take().filter(|lease| self.is_ours(lease));
        let current = match ours {
            Some(lease) => Some(lease),
            None => self.read().await?,
        };
        let spec = current.as_ref().and_then(|lease| lease.spec.as_ref());
        if let Some(spec) = spec {
            self.sight.see(spec, Instant::now());
        }
        if let (Some(_), Move::Wait { holder }) = (spec, self.sight.next_move(&self.claim.identity, Instant::now())) {
            return Ok(Attempt::HeldBy(holder));
        }
        let spec = claimed(spec, &self.claim.identity, &self.claim.terms, Timestamp::now());
        let written = match current {
            Some(lease) => self.replace(&Lease { spec: Some(spec), ..lease }).await,
            None => self.create(spec).await,
        };
        match written {
            Ok(lease) => {
                self.lease = Some(lease);
                Ok(Attempt::Held)
            }
            Err(error) if error.is_conflict() => self.look().await,
            Err(error) => Err(error),
        }
    }

    /// Who was faster.
    async fn look(&mut self) -> Result<Attempt, ApiServerError> {
        let Some(lease) = self.read().await? else { return Ok(Attempt::HeldBy(String::new())) };
        if let Some(spec) = &lease.spec {
            self.sight.see(spec, Instant::now());
        }
        if self.is_ours(&lease) {
            // A write of ours whose answer was lost, or somebody's new label.
            self.lease = Some(lease);
            return Ok(Attempt::Held);
        }
        Ok(Attempt::HeldBy(lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default()))
    }

    fn is_ours(&self, lease: &Lease) -> bool {
        let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
        holder == Some(&*self.claim.identity)
    }

    async fn read(&self) -> Result<Option<Lease>, ApiServerError> {
        self.api.get_opt(&self.claim.key.name).await.map_err(|error| self.failed("read", &error))
    }

    async fn create(&self, spec: LeaseSpec) -> Result<Lease, ApiServerError> {
        let metadata = ObjectMeta { name: Some(self.claim.key.name.to_string()), ..ObjectMeta::default() };
        let lease = Lease { metadata, spec: Some(spec) };
        self.api.create(&PostParams::default(), &lease).await.map_err(|error| self.failed("create", &error))
    }

    async fn replace(&self, lease: &Lease) -> Result<Lease, ApiServerError> {
        let name = &self.claim.key.name;
        self.api.replace(name, &PostParams::default(), lease).await.map_err(|error| self.failed("renew", &error))
    }

    fn failed(&self, verb: &'static str, error: &kube::Error) -> ApiServerError {
        ApiServerError::new(verb, "Lease", &self.claim.key, error)
    }

    /// From one period to a bit more than two, so that those who wait don't all look at the same moment.
    fn jittered(&self) -> Duration {
        let random = f64::from(getrandom::u32().unwrap_or(0)) / f64::from(u32::MAX);
        self.claim.terms.retry_period.mul_f64(1.2f64.mul_add(random, 1.0))
    }
}

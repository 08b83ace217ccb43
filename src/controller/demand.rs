//! Watches that most clusters never need: of ConfigMaps, ServiceAccounts and Namespaces. Each begins when the first store refers to one.

use std::time::Duration;
use tokio::sync::watch::{Receiver, Sender, channel};

/// Whoever starts a watch waits this long for its first list. After that, what it would tell is not known, and must not be
/// taken for known.
const FIRST_LIST: Duration = Duration::from_secs(10);

/// The watches on demand.
#[derive(Debug, Default)]
pub struct Demand {
    /// Of ConfigMaps: certificates of servers.
    pub config_maps: OnDemand,
    /// Of ServiceAccounts: those that stores log in as.
    pub service_accounts: OnDemand,
    /// Of Namespaces: their labels, for the conditions of ClusterSecretStores.
    pub namespaces: OnDemand,
}

/// One watch that begins when it is asked for.
#[derive(Debug)]
pub struct OnDemand {
    wanted: Sender<bool>,
    listed: Sender<bool>,
}

impl Default for OnDemand {
    fn default() -> Self {
        Self { wanted: channel(false).0, listed: channel(false).0 }
    }
}

impl OnDemand {
    /// Starts the watch where it does not run yet.
    pub fn start(&self) {
        self.wanted.send_if_modified(|wanted| !std::mem::replace(wanted, true));
    }

    /// Starts the watch where it does not run yet, and waits for its first list.
    pub async fn ready(&self) {
        self.start();
        let mut listed = self.listed.subscribe();
        let _ = tokio::time::timeout(FIRST_LIST, listed.wait_for(|listed| *listed)).await;
    }

    /// Is told once the watch is asked for.
    pub fn wanted(&self) -> Receiver<bool> {
        self.wanted.subscribe()
    }

    /// To be told when the first list is complete.
    pub fn listed(&self) -> Sender<bool> {
        self.listed.clone()
    }
}

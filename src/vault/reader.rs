//! Reading KV secrets: what an answer holds, and what "not found" means.

use std::time::Instant;

use parking_lot::Mutex;

use super::caller::{Caller, Question};
use super::error::{Action, ErrorKind, Garbled, Gone, VaultError};
use super::http::Answer;
use super::kv::{self, KvMetadata, KvPath, KvSecret, KvVersion, Missing};
use super::mounts::{Mount, Mounts, UiMountAnswer};
use super::session::Urgency;
use super::settings::Call;

/// Reads for one session, and learns about mounts on the way.
pub(super) struct Reader {
    pub(super) caller: Caller,
    mounts: Mutex<Mounts>,
}

/// What is known about the mount of a path.
enum About {
    Known(Mount),
    /// The token may not ask.
    Hidden,
}

impl Reader {
    pub(super) fn new(caller: Caller) -> Self {
        Self { caller, mounts: Mutex::default() }
    }

    pub(super) async fn secret(&self, path: &KvPath, urgency: Urgency) -> Result<KvSecret, VaultError> {
        let query = path.pinned.map(|version| ("version", version));
        let question = Question { call: Call::ReadSecret, action: Action::Read, path: &path.path, query, urgency };
        let answer = match self.caller.ask(question).await {
            Ok(answer) => answer,
            Err(error) => return Err(self.denied(path, error).await),
        };
        if answer.status == 404 {
            return Err(self.not_found(path, &answer).await);
        }
        match kv::secret(&answer, path) {
            Ok(secret) => {
                self.mounts.lock().proved(&path.path, path.version, Instant::now());
                Ok(secret)
            }
            // A v1 secret that happens to be named "data/…" looks like this.
            Err(Garbled::Shape) if path.version == KvVersion::V2 => Err(self.misread(path, Garbled::Shape).await),
            Err(what) => Err(self.caller.place(&path.path).garbled(200, what)),
        }
    }

    pub(super) async fn metadata(&self, path: &str, urgency: Urgency) -> Result<KvMetadata, VaultError> {
        let question = Question { call: Call::ReadMetadata, action: Action::Read, path, query: None, urgency };
        let answer = self.caller.ask(question).await?;
        if answer.status == 404 {
            return Err(self.not_found(&KvPath::latest(KvVersion::V2, path), &answer).await);
        }
        let metadata = kv::metadata(&answer, jiff::Timestamp::now());
        let metadata = metadata.map_err(|what| self.caller.place(path).garbled(200, what))?;
        self.mounts.lock().proved(path, KvVersion::V2, Instant::now());
        Ok(metadata)
    }

    pub(super) async fn list(
        &self,
        version: KvVersion,
        folder: &str,
        urgency: Urgency,
    ) -> Result<Vec<String>, VaultError> {
        let path = folder.trim_end_matches('/');
        let question = Question { call: Call::List, action: Action::List, path, query: None, urgency };
        let answer = self.caller.ask(question).await?;
        if answer.status == 404 {
            let error = self.not_found(&KvPath::latest(version, path), &answer).await;
            return if error.gone() == Some(Gone::Missing) { Ok(Vec::new()) } else { Err(error) };
        }
        kv::listed(&answer).map_err(|what| self.caller.place(path).garbled(200, what))
    }

    /// Fails where the mount of `path` is certainly not KV of this version.
    pub(super) async fn check_mount(&self, version: KvVersion, path: &str) -> Result<(), VaultError> {
        match self.about(path, version).await? {
            About::Known(mount) => mount.mismatch(version).map_or(Ok(()), |kind| Err(kind.into())),
            About::Hidden => Ok(()),
        }
    }

    /// What a 404 means: certainly gone only where nothing else is possible.
    async fn not_found(&self, path: &KvPath, answer: &Answer) -> VaultError {
        let place = path.path.clone();
        let gone = |how| VaultError::from(ErrorKind::Gone { path: place.clone(), how });
        match (kv::missing(answer), path.pinned) {
            (Missing::Certain(_) | Missing::Bare, Some(version)) => {
                ErrorKind::NoSuchVersion { path: place, version }.into()
            }
            (Missing::Certain(how), None) if path.version == KvVersion::V2 => gone(how),
            (Missing::NoMount, _) => ErrorKind::NoMount { path: place }.into(),
            (Missing::NoNamespace, _) => {
                ErrorKind::NoNamespace { namespace: self.caller.namespace.clone().unwrap_or_default() }.into()
            }
            (Missing::Foreign(what), _) => self.caller.place(&path.path).garbled(404, what),
            (missing, None) => match (self.about(&path.path, path.version).await, missing) {
                (Err(error), _) => error,
                (Ok(About::Known(mount)), missing) => match mount.mismatch(path.version) {
                    Some(kind) => kind.into(),
                    None if missing == Missing::Bare => gone(Gone::Missing),
                    None => ErrorKind::NotFound { path: place, version: path.version }.into(),
                },
                (Ok(About::Hidden), _) => ErrorKind::NotFound { path: place, version: path.version }.into(),
            },
            (_, Some(version)) => ErrorKind::NoSuchVersion { path: place, version }.into(),
        }
    }

    /// A policy for the mount's KV version does not cover the paths of the other: the version is then the cause to tell.
    async fn denied(&self, path: &KvPath, error: VaultError) -> VaultError {
        if !matches!(error.kind(), ErrorKind::Denied { .. }) {
            return error;
        }
        match self.about(&path.path, path.version).await {
            Ok(About::Known(mount)) => mount.mismatch(path.version).map_or(error, VaultError::from),
            _ => error,
        }
    }

    /// A 200 that is no secret of this KV version: the mount may be of the other.
    async fn misread(&self, path: &KvPath, what: Garbled) -> VaultError {
        let mismatch = match self.about(&path.path, path.version).await {
            Ok(About::Known(mount)) => mount.mismatch(path.version),
            _ => None,
        };
        mismatch.map_or_else(|| self.caller.place(&path.path).garbled(200, what), VaultError::from)
    }

    async fn about(&self, path: &str, version: KvVersion) -> Result<About, VaultError> {
        {
            let mounts = self.mounts.lock();
            let now = Instant::now();
            if let Some(mount) = mounts.of(path, version, now) {
                return Ok(About::Known(mount));
            }
            if mounts.is_hidden(path, now) {
                return Ok(About::Hidden);
            }
        }
        let asked = format!("sys/internal/ui/mounts/{path}");
        let question = Question {
            call: Call::LookupMount,
            action: Action::Read,
            path: &asked,
            query: None,
            urgency: Urgency::Refresh,
        };
        let answer = match self.caller.ask_once(question).await? {
            answer if answer.status == 200 => answer,
            // Old servers have no such endpoint, and some proxies hide it.
            _ => {
                self.mounts.lock().hidden(path, Instant::now());
                return Ok(About::Hidden);
            }
        };
        let told: UiMountAnswer = answer.json().map_err(|what| self.caller.place(&asked).garbled(200, what))?;
        let mount = Mount::from(told);
        self.mounts.lock().told(&mount, Instant::now());
        Ok(About::Known(mount))
    }
}

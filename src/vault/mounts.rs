//! Which mounts a session knows to be KV of which version, and how it came to know.
//!
//! "Not found" is only a certain "gone" on a mount of the right version: read with the other version's API, every
//! path of a mount is not found. A mount is known from an earlier 200, or from `sys/internal/ui/mounts`, which any
//! token that may use a path may ask about it. Mounts never nest, so what is known of a path's mount holds for all
//! paths below it. What is known counts for ten minutes, since a mount can be replaced.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::error::ErrorKind;
use super::kv::KvVersion;

const KNOWN: Duration = Duration::from_secs(600);
/// How long a 403 from `sys/internal/ui/mounts` stands.
const UNKNOWABLE: Duration = Duration::from_secs(300);
const MOST: usize = 1024;

/// What a mount holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Engine {
    Kv(KvVersion),
    Other(String),
}

/// A mount and what it holds. The path has no slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) path: String,
    pub(super) engine: Engine,
}

impl Mount {
    /// The error of a mount that the store says is KV of `version`; none if it is.
    pub(super) fn mismatch(&self, version: KvVersion) -> Option<ErrorKind> {
        match &self.engine {
            Engine::Kv(actual) if *actual == version => None,
            Engine::Kv(actual) => Some(ErrorKind::WrongKvVersion { mount: self.path.clone(), actual: *actual }),
            Engine::Other(engine) => Some(ErrorKind::NotKv { mount: self.path.clone(), engine: engine.clone() }),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Mounts {
    /// By mount path; for v1 known from a read, by the folder of what was read, since its mount can't be told.
    known: HashMap<String, Known>,
    unknowable: HashMap<String, Instant>,
}

#[derive(Debug)]
struct Known {
    engine: Engine,
    at: Instant,
    /// By the server itself. A read alone proves that its version works, not that the other would not: anything can
    /// be read with the v1 API.
    told: bool,
}

impl Mounts {
    /// What is known of the mount that `path` is on, as far as it serves a store that says `version`: proof that it
    /// is right, or the server's word that it is wrong.
    pub(super) fn of(&self, path: &str, version: KvVersion, now: Instant) -> Option<Mount> {
        ancestors(path).chain([path]).find_map(|prefix| {
            let known = self.known.get(prefix)?;
            // A folder that holds secrets may also be the name of one, on whatever mount.
            let proved = known.engine == Engine::Kv(version) && prefix != path;
            let serves = known.told || proved;
            let fresh = now.duration_since(known.at) < KNOWN;
            (serves && fresh).then(|| Mount { path: prefix.to_owned(), engine: known.engine.clone() })
        })
    }

    /// A secret was read: its mount is what the store says.
    pub(super) fn proved(&mut self, path: &str, version: KvVersion, now: Instant) {
        let mount = match version {
            KvVersion::V1 => path.rsplit_once('/').map(|(folder, _)| folder),
            KvVersion::V2 => mount_of_v2(path),
        };
        if let Some(mount) = mount {
            let engine = Engine::Kv(version);
            let told = self.known.get(mount).is_some_and(|known| known.told && known.engine == engine);
            self.remember(mount, Known { engine, at: now, told });
        }
    }

    /// The server said what a mount is.
    pub(super) fn told(&mut self, mount: &Mount, now: Instant) {
        self.remember(&mount.path, Known { engine: mount.engine.clone(), at: now, told: true });
    }

    fn remember(&mut self, mount: &str, known: Known) {
        let now = known.at;
        if let Some(old) = self.known.get_mut(mount) {
            *old = known;
            return;
        }
        if self.known.len() >= MOST {
            self.known.retain(|_, known| now.duration_since(known.at) < KNOWN);
        }
        if self.known.len() < MOST {
            self.known.insert(mount.to_owned(), known);
        }
    }

    /// The token may not ask about this path.
    pub(super) fn hidden(&mut self, path: &str, now: Instant) {
        if self.unknowable.len() >= MOST {
            self.unknowable.retain(|_, at| now.duration_since(*at) < UNKNOWABLE);
        }
        if self.unknowable.len() < MOST {
            self.unknowable.insert(path.to_owned(), now);
        }
    }

    /// It was asked in vain a while ago.
    pub(super) fn is_hidden(&self, path: &str, now: Instant) -> bool {
        self.unknowable.get(path).is_some_and(|at| now.duration_since(*at) < UNKNOWABLE)
    }
}

/// `a/b/c` → `a`, `a/b`
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').filter_map(|(at, _)| path.get(..at))
}

/// The mount of a v2 API path, where only one reading of the path is possible: with several `data` or `metadata`
/// segments the mount could end before any of them.
fn mount_of_v2(path: &str) -> Option<&str> {
    let mut markers = ancestors(path).filter(|prefix| prefix.ends_with("/data") || prefix.ends_with("/metadata"));
    let (first, second) = (markers.next()?, markers.next());
    match second {
        None => first.rsplit_once('/').map(|(mount, _)| mount),
        Some(_) => None,
    }
}

/// `data` of `sys/internal/ui/mounts/<path>`
#[derive(Deserialize)]
struct UiMount {
    path: String,
    #[serde(rename = "type")]
    engine: String,
    options: Option<Options>,
}

#[derive(Deserialize)]
struct Options {
    version: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct UiMountAnswer {
    data: UiMount,
}

impl From<UiMountAnswer> for Mount {
    fn from(answer: UiMountAnswer) -> Self {
        let UiMount { path, engine, options } = answer.data;
        let version = options.and_then(|options| options.version);
        let engine = match (engine.as_str(), version.as_deref()) {
            ("kv", Some("2")) => Engine::Kv(KvVersion::V2),
            ("kv" | "generic", _) => Engine::Kv(KvVersion::V1),
            _ => Engine::Other(engine),
        };
        Self { path: path.trim_end_matches('/').to_owned(), engine }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kv(path: &str, version: KvVersion) -> Option<Mount> {
        Some(Mount { path: path.to_owned(), engine: Engine::Kv(version) })
    }

    #[test]
    fn a_read_proves_its_mount_for_ten_minutes() {
        let now = Instant::now();
        let mut mounts = Mounts::default();
        mounts.proved("team/kv/data/a/b", KvVersion::V2, now);
        let of = |path: &str, at| mounts.of(path, KvVersion::V2, at);
        assert_eq!(of("team/kv/data/x", now), kv("team/kv", KvVersion::V2));
        assert_eq!(of("team/kv/metadata/x", now), kv("team/kv", KvVersion::V2));
        assert_eq!(of("team/other/data/x", now), None);
        assert_eq!(of("team/kv2/data/x", now), None);
        assert_eq!(of("team/kv/data/x", now + KNOWN), None);
    }

    #[test]
    fn only_the_server_says_that_a_version_is_wrong() {
        let now = Instant::now();
        let mut mounts = Mounts::default();
        mounts.proved("kv/data/a", KvVersion::V1, now);
        assert_eq!(mounts.of("kv/data/a", KvVersion::V2, now), None, "v1 can read what v2 keeps");
        mounts.told(&Mount { path: "kv".to_owned(), engine: Engine::Kv(KvVersion::V2) }, now);
        assert_eq!(mounts.of("kv/data/a", KvVersion::V1, now), kv("kv", KvVersion::V2));
    }

    #[test]
    fn an_ambiguous_path_proves_nothing() {
        let now = Instant::now();
        let mut mounts = Mounts::default();
        for path in
            ["kv/data/a/data/b", "kv/data/data/b", "kv/data/metadata/b", "kv/metadata/data/b", "kv/metadata/x/data/b"]
        {
            mounts.proved(path, KvVersion::V2, now);
            assert_eq!(mounts.of(path, KvVersion::V2, now), None, "{path}");
        }
    }

    #[test]
    fn v1_proves_only_the_folder() {
        let now = Instant::now();
        let mut mounts = Mounts::default();
        mounts.proved("secret/app/a", KvVersion::V1, now);
        let of = |path: &str| mounts.of(path, KvVersion::V1, now);
        assert_eq!(of("secret/app/b"), kv("secret/app", KvVersion::V1));
        assert_eq!(of("secret/app/b/c"), kv("secret/app", KvVersion::V1));
        assert_eq!(of("secret/other"), None, "the mount may end at secret/app");
    }

    #[test]
    fn what_the_server_says_of_a_mount() {
        let mount = |json: &str| Mount::from(serde_json::from_str::<UiMountAnswer>(json).unwrap());
        let v2 = mount(r#"{"data":{"path":"kv/","type":"kv","options":{"version":"2"}}}"#);
        assert_eq!(Some(v2.clone()), kv("kv", KvVersion::V2));
        assert!(v2.mismatch(KvVersion::V2).is_none());
        assert_eq!(
            v2.mismatch(KvVersion::V1).unwrap().to_string(),
            "the mount \"kv\" is KV v2: set `version: v2` in the store's provider.vault"
        );
        let v1 = mount(r#"{"data":{"path":"kv1/","type":"kv","options":null}}"#);
        assert_eq!(Some(v1), kv("kv1", KvVersion::V1));
        let pki = mount(r#"{"data":{"path":"pki/","type":"pki","options":null}}"#);
        assert!(matches!(pki.mismatch(KvVersion::V2), Some(ErrorKind::NotKv { .. })));
    }

    #[test]
    fn memory_is_bounded() {
        let now = Instant::now();
        let mut mounts = Mounts::default();
        for n in 0..2 * MOST {
            mounts.hidden(&n.to_string(), now);
            mounts.proved(&format!("{n}/a"), KvVersion::V1, now);
        }
        assert_eq!((mounts.known.len(), mounts.unknowable.len()), (MOST, MOST));
        assert!(mounts.is_hidden("0", now) && !mounts.is_hidden("0", now + UNKNOWABLE));
    }
}

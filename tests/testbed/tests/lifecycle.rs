//! What a person at a command line meets: exit codes, and that nothing is left, whatever ended the testbed.

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use testbed::{Guard, wait_until};
use tokio::process::{Child, Command};

/// For a start of the whole stack beside other tests.
const START: Duration = Duration::from_secs(60);
/// The servers are killed, not asked.
const END: Duration = Duration::from_secs(10);

/// The testbed's binary, as if no stack were around us.
fn testbed(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_testbed"));
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TESTBED_")) {
        command.env_remove(name);
    }
    command
}

/// `testbed exec` around a script that writes the stack's folder and its own id to a file and stays.
struct Staying {
    testbed: Child,
    folder: PathBuf,
    processes: Vec<u32>,
}

impl Staying {
    async fn start(guard: &Guard) -> Self {
        let note = guard.dir().join("note");
        let script = format!(
            "echo $TESTBED_DIR $$ > {0}.new; mv {0}.new {0}; exec sleep 60",
            note.display()
        );
        let testbed = testbed(&["exec", "--", "sh", "-c", &script])
            .spawn()
            .unwrap();
        let text = wait_until("the command in the stack", START, async || {
            fs::read_to_string(&note)
        })
        .await
        .unwrap();
        let (folder, command) = text.trim().split_once(' ').unwrap();
        let mut processes = children(testbed.id().unwrap());
        assert!(
            processes.contains(&command.parse().unwrap()),
            "{processes:?} {text}"
        );
        assert_eq!(
            processes.len(),
            6,
            "a guard, four servers, the command: {processes:?}"
        );
        processes.extend(testbed.id());
        Self {
            folder: PathBuf::from(folder),
            processes,
            testbed,
        }
    }

    /// Waits until all processes and the folder are gone.
    async fn gone(mut self) -> std::process::ExitStatus {
        let status = self.testbed.wait().await.unwrap();
        wait_until("the end of all processes", END, async || {
            let left: Vec<_> = self.processes.iter().filter(|&&id| lives(id)).collect();
            if left.is_empty() && !self.folder.exists() {
                Ok(())
            } else {
                Err(format!("{left:?} and {}", self.folder.display()))
            }
        })
        .await
        .unwrap();
        status
    }
}

fn children(parent: u32) -> Vec<u32> {
    let output = std::process::Command::new("ps")
        .args(["-A", "-o", "pid=,ppid="])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let pairs = text.lines().map(|line| {
        line.split_whitespace()
            .map(|word| word.parse::<u32>().unwrap())
            .collect::<Vec<_>>()
    });
    pairs
        .filter(|pair| pair[1] == parent)
        .map(|pair| pair[0])
        .collect()
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(i32::try_from(id).unwrap()).unwrap()
}

fn lives(id: u32) -> bool {
    test_kill_process(pid(id)).is_ok()
}

#[tokio::test]
async fn sigkill_leaves_nothing() {
    let guard = Guard::new().unwrap();
    let staying = Staying::start(&guard).await;
    kill_process(pid(staying.testbed.id().unwrap()), Signal::KILL).unwrap();
    staying.gone().await;
}

#[tokio::test]
async fn sigint_and_sigterm_end_the_command_and_leave_nothing() {
    let guard = Guard::new().unwrap();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let staying = Staying::start(&guard).await;
        fs::remove_file(guard.dir().join("note")).unwrap();
        kill_process(pid(staying.testbed.id().unwrap()), signal).unwrap();
        assert_eq!(staying.gone().await.code(), Some(code));
    }
}

#[tokio::test]
async fn the_exit_code_is_the_commands_and_an_inner_exec_joins_the_outer_stack() {
    let inner = env!("CARGO_BIN_EXE_testbed");
    let script = format!(
        "echo $TESTBED_KUBE_URL $TESTBED_VAULT_ADDR; {inner} exec -- sh -c 'echo $TESTBED_KUBE_URL $TESTBED_VAULT_ADDR; exit 7'"
    );
    let output = testbed(&["exec", "--no-controller-manager", "--", "sh", "-c", &script]);
    let with = output_of(output).await;
    assert_eq!(with.code, Some(7), "{}", with.text);
    let addresses: Vec<_> = with.stdout.lines().collect();
    assert_eq!(addresses.len(), 2, "{addresses:?}");
    // The outer one has no controller-manager, which the inner one wants.
    assert_ne!(addresses[0], addresses[1]);

    let script = script.replace("exec --", "exec --no-controller-manager --");
    let without = output_of(testbed(&[
        "exec",
        "--no-controller-manager",
        "--",
        "sh",
        "-c",
        &script,
    ]))
    .await;
    let addresses: Vec<_> = without.stdout.lines().collect();
    assert_eq!(addresses[0], addresses[1]);
    assert_eq!(without.code, Some(7));
}

struct Ended {
    code: Option<i32>,
    stdout: String,
    text: String,
}

async fn output_of(mut command: Command) -> Ended {
    let output = tokio::time::timeout(START, command.output())
        .await
        .unwrap()
        .unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        text: String::from_utf8(output.stderr).unwrap(),
    }
}

fn script(folder: &Path, name: &str, text: &str) {
    fs::create_dir_all(folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn a_server_that_fails_is_named_with_its_last_lines_and_its_log_stays() {
    let guard = Guard::new().unwrap();
    let assets = guard.dir().join("assets");
    script(
        &assets,
        "etcd",
        "[ \"$1\" = --version ] && echo 'etcd Version: 3.6.8' || { echo 'no space left on device'; exit 3; }",
    );
    let mut command = testbed(&["exec", "--", "true"]);
    command.env("KUBEBUILDER_ASSETS", &assets);
    let ended = output_of(command).await;
    assert_eq!(ended.code, Some(1));
    assert!(
        ended
            .text
            .contains("etcd ended at its start (exit status: 3)"),
        "{}",
        ended.text
    );
    assert!(
        ended.text.contains("  no space left on device"),
        "{}",
        ended.text
    );
    let log = ended
        .text
        .lines()
        .find_map(|line| line.strip_prefix("whole log: "))
        .unwrap();
    assert_eq!(
        fs::read_to_string(log).unwrap(),
        "no space left on device\n"
    );
    fs::remove_dir_all(Path::new(log).parent().unwrap()).unwrap();
}

/// Between choosing a port and binding it somebody else may take it.
#[tokio::test]
async fn a_taken_port_is_tried_again_with_another() {
    let guard = Guard::new().unwrap();
    let assets = guard.dir().join("assets");
    let real = testbed::cache_dir().unwrap().join("etcd/v3.6.8/etcd");
    let mark = guard.dir().join("mark");
    let fake = format!(
        "[ -e {mark} ] && exec {real} \"$@\"\n[ \"$1\" = --version ] && exec {real} --version\ntouch {mark}\n\
         echo 'listen tcp 127.0.0.1:2379: bind: address already in use'; exit 1",
        mark = mark.display(),
        real = real.display(),
    );
    script(&assets, "etcd", &fake);
    let mut command = testbed(&["exec", "--no-controller-manager", "--", "true"]);
    command.env("KUBEBUILDER_ASSETS", &assets);
    let ended = output_of(command).await;
    assert_eq!(ended.code, Some(0), "{}", ended.text);
    assert!(mark.exists());
}

/// A build that is killed half-way, then one that succeeds: the cache never holds the half-written file. An etcd that is too old is
/// told and not used.
#[tokio::test]
async fn an_interrupted_build_leaves_no_half_written_binary() {
    let guard = Guard::new().unwrap();
    let cache = guard.dir().join("cache");
    let path = guard.dir().join("path");
    script(&path, "etcd", "echo 'etcd Version: 3.4.23'");
    script(&path, "bao", "echo 'OpenBao v2.7.2'");
    for name in ["kube-apiserver", "kube-controller-manager"] {
        script(&path, name, "echo 'Kubernetes v1.36.3'");
    }
    // The output is the word after -o; started is told by a file.
    let go = "while [ \"$1\" != -o ]; do shift; done\nprintf half > $2; touch $2.started; [ -e \"$GO_FAST\" ] || sleep 60; printf whole > $2";
    script(&path, "go", go);
    let fast = guard.dir().join("fast");
    let command = || {
        let mut command = testbed(&["fetch"]);
        command
            .env("KUBEBUILDER_ASSETS", "")
            .env("PATH", format!("{}:/usr/bin:/bin", path.display()))
            .env("XDG_CACHE_HOME", &cache)
            .env("GO_FAST", &fast)
            .env("HTTPS_PROXY", "http://127.0.0.1:1");
        command
    };
    let target = cache.join("external-secrets-rs/testbed/etcd/v3.6.8/etcd");
    let started = target.with_file_name("unfinished").join("etcd.started");

    let mut first = command().spawn().unwrap();
    wait_until("the build", START, async || fs::metadata(&started))
        .await
        .unwrap();
    first.kill().await.unwrap();
    assert!(!target.exists());

    fs::write(&fast, "").unwrap();
    let second = output_of(command()).await;
    assert_eq!(second.code, Some(0), "{}", second.text);
    assert_eq!(fs::read_to_string(&target).unwrap(), "whole");
    assert!(!started.exists());
    let told = &second.text;
    assert!(
        told.contains("etcd is version 3.4, the testbed needs 3.5: not used"),
        "{told}"
    );
    assert!(
        told.contains("the release downloads can't be reached"),
        "{told}"
    );
    assert!(
        told.contains("building etcd v3.6.8 with go (about 45 seconds on 2 cores, once)…"),
        "{told}"
    );
    assert!(
        second.stdout.contains(target.to_str().unwrap()),
        "{}",
        second.stdout
    );

    fs::remove_file(path.join("go")).unwrap();
    fs::remove_file(&target).unwrap();
    let without = output_of(command()).await;
    if !Path::new("/usr/bin/go").exists() {
        assert_eq!(without.code, Some(1));
        assert!(
            without.text.contains("install Go 1.26 or newer"),
            "{}",
            without.text
        );
    }
}

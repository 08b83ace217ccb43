//! What a person at a command line meets: exit codes, and that nothing is left, whatever ended the testbed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what helps a test may fail as the test does")]

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use testbed::{Guard, wait_until};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// For a start of the whole stack beside other tests.
const START: Duration = Duration::from_secs(60);
/// The servers are killed, not asked.
const END: Duration = Duration::from_secs(10);

/// The testbed's binary, as if no stack were around us.
fn testbed(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_testbed"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
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
        let script = format!("echo $TESTBED_DIR $$ > {0}.new; mv {0}.new {0}; exec sleep 60", note.display());
        let testbed = testbed(&["exec", "--", "sh", "-c", &script]).spawn().unwrap();
        let text = wait_until("the command in the stack", START, async || fs::read_to_string(&note)).await.unwrap();
        let (folder, command) = text.trim().split_once(' ').unwrap();
        let mut processes = children(testbed.id().unwrap());
        assert!(processes.contains(&command.parse().unwrap()), "{processes:?} {text}");
        assert_eq!(processes.len(), 6, "a guard, four servers, the command: {processes:?}");
        processes.extend(testbed.id());
        Self { folder: PathBuf::from(folder), processes, testbed }
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
    let output = std::process::Command::new("ps").args(["-A", "-o", "pid=,ppid="]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let pairs =
        text.lines().map(|line| line.split_whitespace().map(|word| word.parse::<u32>().unwrap()).collect::<Vec<_>>());
    pairs.filter(|pair| pair[1] == parent).map(|pair| pair[0]).collect()
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
    let without = output_of(testbed(&["exec", "--no-controller-manager", "--", "sh", "-c", &script])).await;
    let addresses: Vec<_> = without.stdout.lines().collect();
    assert_eq!(addresses[0], addresses[1]);
    assert_eq!(without.code, Some(7));
}

/// A `cargo` in the command would else build anew what asks for them, each time.
#[tokio::test]
async fn the_command_is_not_told_of_our_package() {
    let mut command = testbed(&["exec", "--no-controller-manager", "--", "sh", "-c", "env"]);
    command.env("CARGO_MANIFEST_DIR", "here").env("CARGO_PKG_NAME", "testbed").env("CARGO_TERM_COLOR", "never");
    let ended = output_of(command).await;
    assert!(ended.stdout.contains("CARGO_TERM_COLOR=never"), "{}", ended.text);
    assert!(!ended.stdout.contains("CARGO_MANIFEST_DIR") && !ended.stdout.contains("CARGO_PKG_"), "{}", ended.stdout);
}

struct Ended {
    code: Option<i32>,
    stdout: String,
    text: String,
}

async fn output_of(mut command: Command) -> Ended {
    let output = tokio::time::timeout(START, command.output()).await.unwrap().unwrap();
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
    assert!(ended.text.contains("etcd ended at its start (exit status: 3)"), "{}", ended.text);
    assert!(ended.text.contains("  no space left on device"), "{}", ended.text);
    let log = ended.text.lines().find_map(|line| line.strip_prefix("whole log: ")).unwrap();
    assert_eq!(fs::read_to_string(log).unwrap(), "no space left on device\n");
    fs::remove_dir_all(Path::new(log).parent().unwrap()).unwrap();
}

/// Between choosing a port and binding it somebody else may take it.
#[tokio::test]
async fn a_taken_port_is_tried_again_with_another() {
    let guard = Guard::new().unwrap();
    let assets = guard.dir().join("assets");
    let fetched = output_of(testbed(&["fetch", "--no-controller-manager"])).await.stdout;
    let real = Path::new(fetched.lines().next().unwrap());
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

/// A machine with an old etcd, no internet, and a `go` of ours: it writes half of its output, waits for `fast`, and writes the rest.
struct Builder {
    guard: Guard,
}

impl Builder {
    fn new() -> Self {
        let guard = Guard::new().unwrap();
        let path = guard.dir().join("path");
        script(&path, "etcd", "echo 'etcd Version: 3.4.23'");
        script(&path, "bao", "echo 'OpenBao v2.7.2'");
        script(&path, "kube-apiserver", "echo 'Kubernetes v1.36.3'");
        let go = "echo run >> $RUNS\nwhile [ \"$1\" != -o ]; do shift; done\nprintf half > $2\n\
                  until [ -e $FAST ]; do sleep 0.05; done\nprintf whole > $2";
        script(&path, "go", go);
        for name in ["rm", "sleep"] {
            let real =
                ["/bin", "/usr/bin"].map(|folder| Path::new(folder).join(name)).into_iter().find(|file| file.exists());
            std::os::unix::fs::symlink(real.unwrap(), path.join(name)).unwrap();
        }
        Self { guard }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.guard.dir().join(name)
    }

    fn target(&self) -> PathBuf {
        self.file("cache/external-secrets-rs/testbed/etcd/v3.6.8/etcd")
    }

    fn fetch(&self) -> Command {
        let mut command = testbed(&["fetch", "--no-controller-manager"]);
        command
            .env_remove("KUBEBUILDER_ASSETS")
            .env("PATH", self.file("path"))
            .env("XDG_CACHE_HOME", self.file("cache"))
            .env("RUNS", self.file("runs"))
            .env("FAST", self.file("fast"))
            .env("HTTPS_PROXY", "http://127.0.0.1:1");
        command
    }

    async fn half_written(&self) {
        let half = self.target().with_file_name("unfinished").join("etcd");
        wait_until("half of a binary", START, async || match fs::read_to_string(&half) {
            Ok(text) if text == "half" => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn an_interrupted_build_leaves_no_half_written_binary() {
    let builder = Builder::new();
    let mut first = builder.fetch().spawn().unwrap();
    builder.half_written().await;
    first.kill().await.unwrap();
    assert!(!builder.target().exists());

    fs::write(builder.file("fast"), "").unwrap();
    let second = output_of(builder.fetch()).await;
    assert_eq!(second.code, Some(0), "{}", second.text);
    assert_eq!(fs::read_to_string(builder.target()).unwrap(), "whole");
    assert!(!builder.target().with_file_name("unfinished").exists());
    assert!(second.stdout.contains(builder.target().to_str().unwrap()), "{}", second.stdout);
    for told in [
        "etcd is version 3.4, the testbed needs 3.5: not used",
        "the release downloads can't be reached",
        "building etcd v3.6.8 with go (about 45 seconds on 2 cores, once)…",
    ] {
        assert!(second.text.contains(told), "{told}: {}", second.text);
    }
}

#[tokio::test]
async fn two_testbeds_build_a_binary_once() {
    let builder = Builder::new();
    let first = tokio::spawn(output_of(builder.fetch()));
    builder.half_written().await;
    let mut second = builder.fetch().spawn().unwrap();
    let mut lines = BufReader::new(second.stderr.take().unwrap()).lines();
    while let Some(line) = tokio::time::timeout(START, lines.next_line()).await.unwrap().unwrap() {
        if line == "testbed: another testbed is getting etcd: waiting for it" {
            break;
        }
    }
    fs::write(builder.file("fast"), "").unwrap();
    assert_eq!(first.await.unwrap().code, Some(0));
    assert!(second.wait().await.unwrap().success());
    assert_eq!(fs::read_to_string(builder.file("runs")).unwrap(), "run\n");
}

#[tokio::test]
async fn without_go_it_is_told_what_to_install() {
    let builder = Builder::new();
    fs::remove_file(builder.file("path/go")).unwrap();
    let ended = output_of(builder.fetch()).await;
    assert_eq!(ended.code, Some(1));
    for told in [
        "no etcd to be had",
        "the release downloads can't be reached",
        "install Go 1.26 or newer",
        "KUBEBUILDER_ASSETS",
    ] {
        assert!(ended.text.contains(told), "{told}: {}", ended.text);
    }
}

#!/usr/bin/env python3
"""Where the operator's heap is, at its largest, with 5,000 ExternalSecrets synced by an operator before it.

Builds the release binary with its symbols into target/heap, runs the bench's restart scenario with heaptrack in it, and
prints what each part of the operator holds. Needs heaptrack (Debian: apt install heaptrack) and `make bench`'s build.
"""
import collections
import glob
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
FOLDER = os.path.join(ROOT, "target", "heap")

# The first that fits the innermost frame of ours, or, where there is none, of a library's.
PARTS = [
    ("index: what is kept of each ExternalSecret, with its spec", r"watch::external_secrets|index::external_secrets"),
    ("index: targets and other Secrets by name", r"index::sources"),
    ("index: stores", r"watch::stores|index::stores|start_watches"),
    ("queue: when each is due", r"controller::queue"),
    ("Vault sessions: clients, certificates, mounts", r"::vault::|rustls::client"),
    ("bodies being sent and read: API server", r"api_secrets|status::send|events::"),
    ("buffers of connections", r"hyper|bytes_mut|read_tls"),
]
OWN = "external_secrets_rs::"


def find(name):
    for folder in ("/usr/lib", "/usr/local/lib"):
        for inner, _, files in os.walk(folder):
            if name in files:
                return os.path.join(inner, name)
    sys.exit(f"{name} is not here: install heaptrack")


def record():
    environment = dict(os.environ, CARGO_PROFILE_RELEASE_STRIP="none", CARGO_TARGET_DIR=FOLDER)
    subprocess.run(["cargo", "build", "--release", "--bin", "external-secrets"], cwd=ROOT, env=environment, check=True)
    # The bench runs the operator that lies beside it.
    scale = os.path.join(FOLDER, "release", "scale")
    shutil.copy(os.path.join(ROOT, "target", "release", "scale"), scale)
    raw = os.path.join(FOLDER, "raw")
    for old in glob.glob(raw + ".*"):
        os.remove(old)
    environment = dict(os.environ, SCALE_PRELOAD=find("libheaptrack_preload.so"), DUMP_HEAPTRACK_OUTPUT=raw + ".$$")
    subprocess.run([scale, "--only", "restart"], env=environment, check=False)
    # The first operator syncs them; the one after it finds them synced.
    return max(glob.glob(raw + ".*"), key=os.path.getmtime)


def stacks(raw):
    interpreted = os.path.join(FOLDER, "heap.txt")
    with open(raw, "rb") as source, open(interpreted, "wb") as target:
        subprocess.run([find("heaptrack_interpret")], stdin=source, stdout=target, check=True)
    flames = os.path.join(FOLDER, "heap.flames")
    command = ["heaptrack_print", "-f", interpreted, "--flamegraph-cost-type", "peak", "-F", flames]
    subprocess.run(command + ["-p", "0", "-a", "0", "-l", "0", "-T", "0"], stdout=subprocess.DEVNULL, check=True)
    for line in open(flames):
        stack, _, cost = line.rstrip().rpartition(" ")
        yield stack.split(";"), int(cost)


def part(frames):
    own = [frame for frame in frames if OWN in frame and "cli::run" not in frame]
    frame = own[-1] if own else ";".join(frames[-8:])
    return next((name for name, pattern in PARTS if re.search(pattern, frame)), "everything else")


def main():
    raw = sys.argv[1] if len(sys.argv) > 1 else record()
    sizes = collections.Counter()
    for frames, cost in stacks(raw):
        sizes[part(frames)] += cost
    print("| part of the heap, at its largest | kB |\n|---|---|")
    for name, size in sizes.most_common():
        print(f"| {name} | {size / 1000:,.0f} |")
    print(f"| all | {sum(sizes.values()) / 1000:,.0f} |")


main()

# SPDX-License-Identifier: BSD-3-Clause
"""What bench/run and bench/against_floor have in common: building, hugepages, running, facts."""
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
HUGEPAGES = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB")


def build_folder():
    """$BUILD, or else build/ of the repository."""
    return pathlib.Path(os.environ.get("BUILD") or ROOT / "build")


def build(folder, programs):
    if not (folder / "build.ninja").exists():
        subprocess.run(["meson", "setup", folder, ROOT], check=True, stdout=subprocess.DEVNULL)
    targets = [f"bench/{name}_bench" for name in programs]
    subprocess.run(["ninja", "-C", folder, "--quiet", *targets], check=True, stdout=sys.stderr)


def available_mb():
    return int(re.search(r"MemAvailable: +(\d+)", pathlib.Path("/proc/meminfo").read_text())[1]) // 1024


@contextlib.contextmanager
def hugepages(mb):
    """So much in hugepages, if the machine gives it, until the block ends; and at most a third of what it has free."""
    try:
        before = int((HUGEPAGES / "nr_hugepages").read_text())
        missing = mb // 2 - int((HUGEPAGES / "free_hugepages").read_text())
        reserve = missing > 0 and available_mb() >= 3 * mb
        if reserve:
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # give them back then, too
            (HUGEPAGES / "nr_hugepages").write_text(str(before + missing))
    except OSError:
        reserve = False
    try:
        yield
    finally:
        if reserve:
            (HUGEPAGES / "nr_hugepages").write_text(str(before))


def run(folder, name, *arguments):
    """Benchmarks of one program by name, and what it says of the machine. What failed says so and ends the run."""
    command = [folder / f"bench/{name}_bench", "--benchmark_format=json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"bench: {name}_bench failed: {done.stderr[-500:]}")
    said = json.loads(done.stdout)
    results = {}
    for result in said["benchmarks"]:
        if result.get("error_occurred"):
            sys.exit(f"bench: {result['name']}: {result['error_message']}")
        results[re.sub(r"/(iterations:\d+|manual_time)", "", result["name"])] = result
    return results, said["context"]


def machine(context):
    """Facts that figures depend on. `context` is what a program said; only those with EAL know all."""
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())[1]
    facts = {"cpu": cpu, "cores": os.cpu_count(), "kernel": os.uname().release}
    return facts | {key: context[key] for key in ("tsc_hz", "compiler", "dpdk", "hugepages") if key in context}

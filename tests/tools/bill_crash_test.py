#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""anabranch bill close is killed, and its disk fails, at each write and sync in turn (strace injects
it); closing again completes the month: the same statements as without, each octet on exactly one.

    bill_crash_test.py ANABRANCH MONTH_GENERATOR [EACH STEP]

The first calls of a kind EACH, then every STEP-th, until none is left to fail; 12 and 23, or 40 and 7
where there are five minutes.
"""
import collections
import concurrent.futures
import fractions
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ANABRANCH, GENERATOR = sys.argv[1:3]
EACH, STEP = map(int, sys.argv[3:5] or (12, 23))
CALLS = {"pwrite64": ("signal=KILL", "error=ENOSPC", "error=EIO"), "fdatasync": ("signal=KILL", "error=ENOSPC", "error=EIO"),
         "fsync": ("signal=KILL", "error=EIO"), "write": ("signal=KILL", "error=ENOSPC")}


def run(*command, allow=(0,)):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=60)
    assert done.returncode in allow, (command, done.returncode, done.stdout, done.stderr)
    return done.stdout


class Month:
    """A ledger that is not closed yet, and its journals; each run has a copy of the ledger."""

    def __init__(self, folder):
        self.folder = folder
        # More accounts than are closed in one transaction.
        self.made = json.loads(run(GENERATOR, folder / "ledger.sqlite", folder / "journals", "--clients", 50, "--gateways", 1))
        self.journals = list((folder / "journals").iterdir())
        copy = self.copy("whole")
        self.close(copy)
        self.expected = self.statements(copy)
        assert len(self.expected) > 50

    def copy(self, name):
        copy = self.folder / name
        copy.mkdir()
        shutil.copy(self.folder / "ledger.sqlite", copy)
        return copy

    def command(self, copy, call):
        deliver = ("--to", copy / "out") if call in ("fsync", "write") else ()
        return [ANABRANCH, "--json", "bill", "close", "--threads", "1", "--ledger", copy / "ledger.sqlite", *deliver, *self.journals]

    def close(self, copy, call="none"):
        run(*self.command(copy, call))

    def statements(self, copy):
        """By issuer and number: account and sums. Checks what holds for any ledger."""
        ledger = copy / "ledger.sqlite"
        run(ANABRANCH, "ledger", "verify", ledger)
        balances = json.loads(run(ANABRANCH, "--json", "ledger", "balance", ledger))
        sums = collections.Counter()
        for account in balances.values():
            for currency, amount in account.items():
                sums[currency] += fractions.Fraction(amount)
        assert not any(sums.values()), sums
        all = [json.loads(line) for line in run(ANABRANCH, "bill", "export", "--ledger", ledger).splitlines()]
        octets = sum(usage["octets"] for s in all for usage in s["usage"])
        assert octets == self.made["octets"], (octets, self.made["octets"])
        series = collections.defaultdict(list)
        for s in all:
            name, number = s["number"].rsplit("-", 1)
            series[s["issuer"]["id"], name].append(int(number))
        for numbers in series.values():
            assert sorted(numbers) == list(range(1, len(numbers) + 1)), numbers
        return {(s["issuer"]["id"], s["number"]): (s["account"], s["gross"], s["usage"]) for s in all}

    def closes_after(self, call, fault, nth):
        """False: there is no nth such call any more."""
        copy = self.copy(f"{call}-{fault.split('=')[1]}-{nth}")
        log = copy / "strace"
        done = subprocess.run(["strace", "-f", "-qq", "-o", log, "-e", f"trace={call}", "-e", f"inject={call}:{fault}:when={nth}",
                               *map(str, self.command(copy, call))], capture_output=True, text=True, timeout=60)
        text = log.read_text()
        hit = "INJECTED" in text or "killed by SIGKILL" in text
        assert hit or done.returncode == 0, done.stderr
        if hit and done.returncode > 0:
            assert done.stderr.startswith("anabranch: "), (call, fault, nth, done.returncode, done.stderr)
        self.close(copy, call)
        found = self.statements(copy)
        assert found == self.expected, (call, fault, nth, "other statements than without")
        assert not list((copy / "out").rglob("*.part")), (call, fault, nth)
        shutil.rmtree(copy)
        return hit


def steps():
    return itertools.chain(range(1, EACH + 1), itertools.count(EACH + STEP, STEP))


def main():
    if shutil.which("strace") is None:
        print("bill_crash_test: strace is not there; install it (apt-get install strace)")
        sys.exit(77)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="anabranch-bill-crash-", dir="/var/tmp"))
    try:
        month = Month(folder)
        workers = os.cpu_count() or 1
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            for call, faults in CALLS.items():
                for fault in faults:
                    nths, hits = steps(), 0
                    while True:
                        some = [pool.submit(month.closes_after, call, fault, nth) for nth in itertools.islice(nths, workers)]
                        hit = [f.result() for f in some]
                        hits += sum(hit)
                        if not all(hit):
                            break
                    print(f"{call} {fault}: closed again after each of {hits}", flush=True)
                    assert hits > 0, "nothing was hit"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


main()

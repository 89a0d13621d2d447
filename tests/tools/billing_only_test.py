#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""anabranchd --billing-only over the journals of two gateways: statements are issued and delivered,
once, whatever ends it. Needs neither root nor a gateway.

    billing_only_test.py ANABRANCHD ANABRANCH MONTH_GENERATOR
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ANABRANCHD, ANABRANCH, GENERATOR = sys.argv[1:4]
DEADLINE_S = 60


class BillingOnly(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="anabranch-billing-only-", dir="/var/tmp"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.ledger, self.out = self.folder / "ledger.sqlite", self.folder / "statements"
        made = subprocess.run([GENERATOR, self.ledger, self.folder / "journals", "--clients", "6"], check=True, capture_output=True, timeout=60)
        self.month = json.loads(made.stdout)
        self.journals = sorted(str(j) for j in (self.folder / "journals").iterdir())
        self.config = self.folder / "billing.toml"
        self.write()

    def write(self, **others):
        settings = {"ledger": str(self.ledger), "journals": self.journals, "statements_dir": str(self.out)} | others
        lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items() if value is not None]
        self.config.write_text("[billing]\n" + "\n".join(lines) + "\n")

    def start(self):
        process = subprocess.Popen([ANABRANCHD, "--billing-only", self.config], stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(lambda: process.poll() is None and (process.kill(), process.wait()))
        return process

    def statements(self):
        done = subprocess.run([ANABRANCH, "bill", "export", "--ledger", self.ledger], capture_output=True, text=True, timeout=60)
        return [json.loads(line) for line in done.stdout.splitlines()] if done.returncode == 0 else []

    def wait_until(self, condition, what):
        until = time.monotonic() + DEADLINE_S
        while not condition():
            self.assertLess(time.monotonic(), until, what)
            time.sleep(0.05)  # between two looks at the condition

    def all_is_stated(self):
        return sum(u["octets"] for s in self.statements() for u in s["usage"]) == self.month["octets"]

    def files(self):
        return sorted(f for f in self.out.rglob("*") if f.is_file() and f.suffix != ".part") if self.out.exists() else []

    def test_a_month_is_stated_and_delivered_and_it_ends_when_told(self):
        process = self.start()
        self.wait_until(lambda: self.all_is_stated() and self.files(), "no statements are delivered")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=DEADLINE_S)
        self.assertEqual(process.returncode, 0, err)
        self.assertIn("statement", err)
        self.assertNotIn("not closed", err)

    def test_killed_at_any_moment_the_next_one_goes_on(self):
        for _ in range(4):
            process = self.start()
            begun = len(self.statements())
            self.wait_until(lambda: len(self.statements()) > begun or self.all_is_stated(), "nothing is issued")
            process.kill()
            process.communicate()
        process = self.start()
        self.wait_until(self.all_is_stated, "not all is stated")
        process.terminate()
        process.communicate(timeout=DEADLINE_S)
        numbers = [(s["issuer"]["id"], s["number"]) for s in self.statements()]
        self.assertEqual(len(numbers), len(set(numbers)))
        verified = subprocess.run([ANABRANCH, "ledger", "verify", self.ledger], capture_output=True, text=True, timeout=60)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)

    def test_a_journal_that_is_missing_is_told_and_nothing_is_closed_without_it(self):
        self.write(journals=self.journals[:1])
        process = self.start()
        line = ""
        while "not closed" not in line:
            line = process.stderr.readline()
            self.assertNotEqual(line, "", "it ended")
        self.assertIn("site-b", line)
        self.assertEqual(self.statements(), [])

    def test_mistakes_are_told_with_their_place(self):
        self.write(statements_dir=None, discount=3)
        done = subprocess.run([ANABRANCHD, "--billing-only", "--check", self.config], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn(f"{self.config}:1:1: billing.statements_dir", done.stderr)
        self.assertIn("billing.discount", done.stderr)
        done = subprocess.run([ANABRANCHD, "--billing-only", self.folder / "none.toml"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 2)
        self.assertIn("none.toml: cannot be read", done.stderr)


if __name__ == "__main__":
    os.environ.pop("ANABRANCH_API", None)
    unittest.main(argv=[sys.argv[0], "-v"])

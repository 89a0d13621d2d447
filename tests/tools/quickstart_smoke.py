#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The main job with its figures checked. Needs root.

    quickstart_smoke.py BUILD FALSIFY_METER
"""
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MAIN_JOB = ROOT / "tools/quickstart.d/main_job.py"
BUILD = FALSIFY_METER = ""
RATES = {"fibre": 100, "mobile": 50, "dsl": 20}


def namespaces():
    return {line.split()[0] for line in subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout.splitlines()}


class Quickstart(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.figures = pathlib.Path(self.folder.name) / "figures.json"

    def start(self, *options):
        self.job = subprocess.Popen(
            [sys.executable, MAIN_JOB, "--build", BUILD, "--json", self.figures, *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.end)

    def end(self):
        """Also when the test gave up on it; what a failed job leaves for a human goes, too."""
        if self.job.poll() is None:
            self.job.terminate()
            self.job.communicate()
        self.job.stdout.close()
        self.job.stderr.close()
        shutil.rmtree(f"/var/tmp/anabranch-{self.job.pid}", ignore_errors=True)

    def run_job(self, *options):
        self.start(*options)
        self.out, self.err = self.job.communicate(timeout=240)
        self.assert_nothing_is_left()
        return self.job.returncode

    def assert_nothing_is_left(self):
        left = {name for name in namespaces() if name.startswith(f"anabranch-{self.job.pid}-")}
        self.assertEqual(left, set())
        self.assertFalse(pathlib.Path(f"/run/anabranch-{self.job.pid}").exists())
        held = [pid for pid in pathlib.Path("/proc").iterdir() if pid.name.isdigit() and self.is_of_this_job(pid)]
        self.assertEqual(held, [])

    def is_of_this_job(self, pid):
        try:
            return f"anabranch-{self.job.pid}".encode() in (pid / "cmdline").read_bytes()
        except OSError:
            return False

    def assert_files_and_octets(self):
        result = json.loads(self.figures.read_text())
        self.assertTrue(result["sha256_ok"])
        self.assertEqual({path["name"] for path in result["paths"]}, set(RATES))
        for path in result["paths"]:
            self.assertEqual(path["octets_billed"] + path["octets_house"], path["octets_on_wire"], path)
            self.assertGreater(path["octets_billed"], 0, path)
        self.assertGreater(float(result["statement"]["total"]), 0)
        self.assertEqual(result["statement"]["currency"], "EUR")
        return result

    def test_files_arrive_intact_and_every_octet_is_on_the_bill(self):
        status = self.run_job()
        self.assertEqual(status, 0, self.out + self.err)
        result = self.assert_files_and_octets()
        self.assertEqual(result["sum_mbps"], sum(RATES.values()))
        for way in ("up", "down"):
            self.assertGreaterEqual(result["goodput_mbps"][way], 0.6 * result["sum_mbps"], f"{way}\n{self.out}")
        # Two files of 100 MB, and what it costs to carry them.
        self.assertGreater(sum(path["octets_billed"] for path in result["paths"]), 200_000_000)

    def test_two_workers_in_each_gateway_lose_no_octet(self):
        status = self.run_job("--workers", "2", "--kill")
        self.assertEqual(status, 0, self.out + self.err)
        self.assert_files_and_octets()

    def test_a_gateway_killed_in_the_middle_loses_no_octet(self):
        status = self.run_job("--kill")
        self.assertEqual(status, 0, self.out + self.err)
        self.assertIn("kill -9", self.out)
        self.assert_files_and_octets()

    def test_a_meter_falsified_by_one_octet_is_caught(self):
        status = self.run_job("--megabytes", "5", "--falsify", FALSIFY_METER)
        self.assertEqual(status, 1, self.out + self.err)
        self.assertRegex(self.err, r"accounts and wire differ:\n  fibre, sent: \d+ octets on accounts, \d+ on the wire \(\+1\)")

    def test_interrupted_it_takes_everything_down(self):
        self.start()
        while "3. A file" not in (line := self.job.stdout.readline()):
            self.assertTrue(line, "ended before the transfer")
        self.job.send_signal(signal.SIGINT)
        self.out, self.err = self.job.communicate(timeout=60)
        self.assertEqual(self.job.returncode, 1, self.out + self.err)
        self.assertIn("interrupted by SIGINT", self.err)
        self.assert_nothing_is_left()
        self.assertFalse(pathlib.Path(f"/var/tmp/anabranch-{self.job.pid}").exists())


if __name__ == "__main__":
    FALSIFY_METER, BUILD = sys.argv.pop(), sys.argv.pop()
    unittest.main(verbosity=2)

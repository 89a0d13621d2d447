#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""anabranch journal, on journals of a writer that may still run. Needs neither root nor a gateway.

    journal_cli_test.py ANABRANCH JOURNAL_LOAD
"""
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ANABRANCH, LOAD = sys.argv[1:3]


class Journal(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="anabranch-journal-cli-", dir="/var/tmp"))
        self.started = []

    def tearDown(self):
        for process in self.started:
            process.kill()
            process.communicate()
        shutil.rmtree(self.folder)

    def run_it(self, *command, status=0):
        done = subprocess.run([ANABRANCH, *map(str, command)], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout, done.stderr

    def start(self, *command):
        self.started.append(subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return self.started[-1]

    def write(self, name, rounds, *options):
        subprocess.run([LOAD, "write", self.folder / name, "--rounds", str(rounds), "--segment-mb", "1", *options], check=True, capture_output=True, timeout=60)
        return self.folder / name

    def dump(self, *options):
        return [json.loads(line) for line in self.run_it("--json", "journal", "dump", *options)[0].splitlines()]

    def test_verify_says_what_is_there(self):
        a, b = self.write("a", 300), self.write("b", 20)
        out, _ = self.run_it("journal", "verify", a, b)
        self.assertEqual(out.count("  whole\n"), 2, out)
        reports = json.loads(self.run_it("--json", "journal", "verify", a, b)[0])
        self.assertEqual([r["gateway"] for r in reports], ["bench", "bench"])
        self.assertGreater(reports[0]["segments"]["count"], 1)
        records = self.dump(a)
        self.assertEqual(len(records), reports[0]["records"])
        for direction in ("sent", "received"):
            self.assertEqual(sum(r["octets"] for r in records if r["direction"] == direction), reports[0]["octets"][direction])

    def test_damage_is_told_and_repaired(self):
        a = self.write("a", 300)
        octets = json.loads(self.run_it("--json", "journal", "verify", a)[0])[0]["octets"]
        with open(a / "00000001.journal", "r+b") as file:
            file.seek(40 * 4096 + 300)
            file.write(b"rot")
        out, _ = self.run_it("journal", "verify", a, status=1)
        self.assertRegex(out, r"DAMAGED .*00000001\.journal, offset 163840, frame \d+: damaged: .*anabranch journal repair")
        self.assertIn("NOT WHOLE", out)
        _, err = self.run_it("journal", "dump", a, status=1)
        self.assertIn("offset 163840", err)
        self.run_it("journal", "repair", a)
        self.assertEqual(json.loads(self.run_it("--json", "journal", "verify", a)[0])[0]["octets"], octets)
        self.assertTrue((a / "00000001.journal.damaged").exists())
        self.assertIn("nothing was done", self.run_it("journal", "repair", a)[0])

    def test_dump_filters(self):
        a = self.write("a", 50)
        for r in self.dump(a, "--service", 2, "--path", "fibre"):
            self.assertEqual((r["service"], r["path_name"], r["provider"], r["client"]), (2, "fibre", "northfibre", "acme"))
        times = sorted({r["to"] for r in self.dump(a)})
        some = self.dump(a, "--from", times[10][:19], "--to", times[12][:19])
        self.assertTrue(some)
        self.assertLessEqual(len({r["to"] for r in some}), 4)
        self.assertEqual(self.dump(a, "--path", "nowhere"), [])

    def test_wrong_arguments_and_folders(self):
        self.run_it("journal", status=2)
        self.run_it("journal", "verify", status=2)
        self.run_it("journal", "dump", self.write("a", 1), "--from", "yesterday", status=2)
        for command in ("verify", "dump", "follow", "repair"):
            _, err = self.run_it("journal", command, self.folder / "nowhere", status=3)
            self.assertIn("STATE_DIR/journal", err)

    def test_follow_prints_what_is_written_and_ends(self):
        a = self.write("a", 10)
        before = len(self.dump(a))
        follower = self.start(ANABRANCH, "--json", "journal", "follow", a)
        lines = []
        # The follower says nothing of what was there; write until it is seen to have begun.
        deadline = time.monotonic() + 30
        reader = threading.Thread(target=lambda: lines.extend(follower.stdout))
        reader.start()
        while not lines:
            self.assertLess(time.monotonic(), deadline, "follow prints nothing")
            self.write("a", 5)
        last = self.dump(a)[-1]
        while json.loads(lines[-1]) != last:
            self.assertLess(time.monotonic(), deadline, "follow does not print the last record")
            time.sleep(0.05)
        follower.send_signal(signal.SIGINT)
        self.assertEqual(follower.wait(10), 0)
        reader.join()
        self.assertLessEqual(len(lines), len(self.dump(a)) - before)
        self.assertEqual([json.loads(line) for line in lines], self.dump(a)[-len(lines):])

    def test_a_journal_in_use_is_read_and_not_repaired(self):
        writer = self.start(LOAD, "write", self.folder / "a", "--seconds", "20", "--mb", "100000", "--segment-mb", "1", "--background")
        deadline = time.monotonic() + 20
        while not (self.folder / "a/00000003.journal").exists():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)
        for _ in range(5):
            self.assertTrue(json.loads(self.run_it("--json", "journal", "verify", self.folder / "a")[0])[0]["whole"])
        _, err = self.run_it("journal", "repair", self.folder / "a", status=1)
        self.assertIn("in use", err)
        self.assertIsNone(writer.poll())
        writer.kill()
        writer.wait()
        self.assertTrue(json.loads(self.run_it("--json", "journal", "verify", self.folder / "a")[0])[0]["whole"])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])

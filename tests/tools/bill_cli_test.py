#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""anabranch bill, on journals written here. Needs neither root nor a gateway.

    bill_cli_test.py ANABRANCH JOURNAL_LOAD
"""
import fractions
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ANABRANCH, LOAD = sys.argv[1:3]
TARIFF = {"id": "std", "currency": "EUR", "tax": {"category": "S", "percent": "19"}, "items": [
    {"id": "fibre", "providers": ["northfibre"], "graduated": [{"up_to_gb": "0.004", "per_gb": "500"}, {"per_gb": "300"}]},
    {"id": "mobile", "providers": ["airmobile"], "per_gb": "2400"}]}


class Preview(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="anabranch-bill-cli-", dir="/var/tmp"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.journal = self.folder / "journal"
        # Its usage is of 2026-09-21, from 14:13:21 UTC on, 450 s between readings: over midnight.
        subprocess.run([LOAD, "write", self.journal, "--rounds", "200", "--segment-mb", "1", "--seconds-apart", "450"], check=True, capture_output=True, timeout=60)

    def run_it(self, *command, status=0):
        done = subprocess.run([ANABRANCH, *map(str, command)], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout, done.stderr

    def preview(self, *options, tariff=TARIFF, journals=None, client="acme", status=0):
        file = self.folder / "tariff.json"
        file.write_text(json.dumps(tariff))
        return self.run_it("--json", "bill", "preview", *(journals or [self.journal]), "--client", client, "--tariff", file, *options, status=status)

    def charges(self, *options, **rest):
        return json.loads(self.preview(*options, **rest)[0])

    def octets(self, charges):
        return {line["provider"]: line["octets"] for line in charges["lines"]}

    def dumped(self, client="acme"):
        octets = {}
        for line in self.run_it("--json", "journal", "dump", self.journal)[0].splitlines():
            record = json.loads(line)
            if record["client"] == client:
                octets[record["provider"]] = octets.get(record["provider"], 0) + record["octets"]
        return octets

    def test_what_the_journal_has_is_priced_exactly(self):
        charges = self.charges("--period", "2026-09")
        self.assertEqual(self.octets(charges), self.dumped())
        per_gb = {"northfibre": lambda o: min(o, 4_000_000) * 500 + max(0, o - 4_000_000) * 300, "airmobile": lambda o: o * 2400}
        net = 0
        for line in charges["lines"]:
            exact = fractions.Fraction(per_gb[line["provider"]](line["octets"]), 10**9)
            self.assertEqual(fractions.Fraction(line["exact"]), exact)
            cents = int(exact * 100 + fractions.Fraction(1, 2))
            self.assertEqual(fractions.Fraction(line["amount"]), fractions.Fraction(cents, 100))
            net += cents
        self.assertEqual(fractions.Fraction(charges["net"]), fractions.Fraction(net, 100))

    def test_a_journal_that_is_given_twice_is_counted_once(self):
        copy = self.folder / "copy"
        shutil.copytree(self.journal, copy)
        self.assertEqual(self.charges("--period", "2026-09", journals=[self.journal, copy]), self.charges("--period", "2026-09"))

    def test_days_add_up_to_the_month_wherever_they_begin(self):
        month = self.octets(self.charges("--period", "2026-09"))
        for zone in ("Etc/UTC", "Europe/Berlin", "America/New_York"):
            parts = [self.octets(self.charges("--from", begin, "--to", end, "--zone", zone))
                     for begin, end in (("2026-09-01", "2026-09-22"), ("2026-09-22", "2026-10-01"))]
            self.assertTrue(all(all(part.values()) for part in parts), zone)
            self.assertEqual({p: sum(part[p] for part in parts) for p in month}, month, zone)

    def test_a_cycle_begins_on_its_day(self):
        self.assertEqual(self.charges("--period", "2026-09", "--cycle-day", "25")["lines"], [])
        self.assertEqual(self.octets(self.charges("--period", "2026-08", "--cycle-day", "25")), self.dumped())

    def test_what_nobody_pays_is_the_houses(self):
        house = self.octets(self.charges("--period", "2026-09", client="house"))
        self.assertEqual(house, self.dumped("house"))

    def test_people_get_a_table(self):
        out, _ = self.run_it("bill", "preview", self.journal, "--client", "acme", "--tariff", self.write_tariff(), "--period", "2026-09")
        self.assertRegex(out, r"(?m)^airmobile +mobile +[\d ]+ octets +[\d.]+$")
        self.assertRegex(out, r"(?m)^gross EUR +[\d.]+$")

    def write_tariff(self):
        file = self.folder / "tariff.json"
        file.write_text(json.dumps(TARIFF))
        return file

    def test_mistakes_are_told(self):
        _, err = self.preview("--period", "2026-09", tariff={"id": "std", "currency": "EUR", "items": [{"id": "x", "per_gb": "cheap", "colour": 1}]}, status=1)
        self.assertRegex(err, r"tariff\.json: /items/0/per_gb: ")
        self.assertRegex(err, r"tariff\.json: /items/0/colour: ")
        _, err = self.preview("--period", "2026-09", client="acm", status=1)
        self.assertIn('no service of client "acm" is in these journals; there are acme', err)
        _, err = self.preview("--period", "2026-09", tariff=TARIFF | {"items": TARIFF["items"][:1]}, status=1)
        self.assertIn("airmobile", err)
        self.preview("--period", "2026-13", status=2)
        self.preview("--period", "2026-09", "--from", "2026-09-01", "--to", "2026-09-02", status=2)
        self.preview("--period", "2026-09", "--zone", "Europe/Atlantis", status=1)
        _, err = self.preview("--period", "2026-09", journals=[self.folder / "nowhere"], status=1)
        self.assertIn("STATE_DIR/journal", err)

    def test_damage_is_told_and_not_billed_around(self):
        with open(self.journal / "00000001.journal", "r+b") as file:
            file.seek(40 * 4096 + 300)
            file.write(b"rot")
        out, err = self.preview("--period", "2026-09", status=1)
        self.assertEqual(out, "")
        self.assertIn("offset 163840", err)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])

#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""anabranch bill on a ledger: usage, close, statement, rerate, settle, export, as a user sees them,
on a month of three clients at two gateways. Needs neither root nor a gateway.

    bill_close_test.py ANABRANCH MONTH_GENERATOR
"""
import csv
import io
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ANABRANCH, GENERATOR = sys.argv[1:3]
FORMATS = ("text", "json", "csv", "html")


class Bill(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="anabranch-bill-close-", dir="/var/tmp"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.ledger = self.folder / "ledger.sqlite"
        made = subprocess.run([GENERATOR, self.ledger, self.folder / "journals", "--clients", "3"], check=True, capture_output=True, timeout=60)
        self.month = json.loads(made.stdout)
        self.journals = sorted((self.folder / "journals").iterdir())

    def run_it(self, *command, status=0):
        done = subprocess.run([ANABRANCH, *map(str, command)], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout, done.stderr

    def bill(self, command, *options, status=0, ledger=None):
        return self.run_it("bill", command, "--ledger", ledger or self.ledger, *options, status=status)

    def bill_json(self, command, *options, status=0):
        return json.loads(self.run_it("--json", "bill", command, "--ledger", self.ledger, *options, status=status)[0])

    def close(self):
        return self.bill_json("close", *self.journals)

    def write(self, name, document):
        file = self.folder / name
        file.write_text(json.dumps(document))
        return file

    # --- close ---

    def test_a_month_is_closed_once(self):
        out, err = self.bill("close", *self.journals)
        self.assertEqual(err, "")
        self.assertRegex(out, rf"(?m)^client:client-1 +{self.month['from']} up to {self.month['to']} +[\d ]+ octets$")
        self.assertRegex(out, r"(?m)^    statement \d{4}-000001 of co: \d+\.\d\d EUR$")
        out, err = self.bill("close", *self.journals)
        self.assertRegex(out, r"^nothing is due; the next is at \d{4}-\d\d-\d\dT\S+\n$")
        self.assertIn("nothing is wrong", self.run_it("ledger", "verify", self.ledger)[0])

    def test_each_octet_is_on_one_statement(self):
        closed = self.close()
        self.assertEqual(closed["records"], self.month["records"])
        self.assertEqual(closed["problems"], {})
        octets = {c["account"]: c["octets"] for c in closed["closed"]}
        expected = {a if a.startswith("house:") else f"client:{a}": n for a, n in self.month["accounts"].items()}
        expected |= {f"payable:{p}": n for p, n in self.month["providers"].items()}
        self.assertEqual(octets, expected)
        stated = sum(u["octets"] for s in self.exported() for u in s["usage"])
        self.assertEqual(stated, self.month["octets"])
        again = self.close()
        self.assertEqual(again["closed"], [])
        self.assertIsNotNone(again["next_due"])

    def test_one_client_alone_is_closed(self):
        closed = self.bill_json("close", *self.journals, "--client", "client-2")
        self.assertEqual([c["account"] for c in closed["closed"]], ["client:client-2"])
        self.assertEqual(len(self.close()["closed"]), 7)
        self.assertEqual(sum(u["octets"] for s in self.exported() for u in s["usage"]), self.month["octets"])

    def test_statements_are_delivered(self):
        files = self.bill_json("close", *self.journals, "--to", self.folder / "out")["files"]
        self.assertEqual(files, len([f for f in (self.folder / "out").rglob("*") if f.is_file()]))
        self.assertGreater(files, 0)

    # --- what is open ---

    def test_usage_is_what_is_not_stated_yet(self):
        usage = self.bill_json("usage", *self.journals, "--client", "client-1")
        self.assertEqual(sum(u["octets"] for u in usage), self.month["accounts"]["client-1"])
        self.assertEqual({u["provider"] for u in usage}, {"northfibre", "airmobile", "coppertel"})
        out, _ = self.bill("usage", *self.journals, "--client", "client-1")
        self.assertRegex(out, r"(?m)^site-b +northfibre +northfibre-link +received +first +[\d ]+$")
        self.assertRegex(out, rf"(?m)^all +{self.grouped(self.month['accounts']['client-1'])}$")
        self.close()
        self.assertEqual(self.bill_json("usage", *self.journals, "--client", "client-1"), [])

    def test_a_preview_is_the_statement_to_be(self):
        preview = self.bill_json("preview", *self.journals, "--client", "client-2")
        text, _ = self.bill("preview", *self.journals, "--client", "client-2")
        self.assertIn("Client 2 Ltd", text)
        self.assertEqual(self.bill_json("statement"), [])
        self.close()
        number = self.bill_json("statement", "--client", "client-2")[0]["number"]
        statement = self.bill_json("statement", number)
        self.assertEqual(preview[0]["kind"], "preview")
        for same in ("sections", "usage", "net", "gross", "from", "to"):
            self.assertEqual(preview[0][same], statement[same], same)

    # --- statements ---

    def exported(self, *options):
        return [json.loads(line) for line in self.bill("export", *options)[0].splitlines()]

    def test_statements_are_listed_and_shown_in_each_format(self):
        self.close()
        listed = self.bill_json("statement")
        self.assertEqual(len(listed), 5)
        out, _ = self.bill("statement")
        self.assertEqual(len(out.splitlines()), 5)
        self.assertRegex(out, rf"(?m)^co +{listed[0]['number']} +statement +client:client-1 +{self.month['from']} to {self.month['to']} +{listed[0]['gross']} EUR$")
        number = listed[0]["number"]
        texts = {f: self.bill("statement", number, "--format", f)[0] for f in FORMATS}
        statement = json.loads(texts["json"])
        self.assertEqual(statement, self.bill_json("statement", number))
        self.assertEqual(texts["text"], self.bill("statement", number)[0])
        for format in FORMATS:
            self.assertIn(number, texts[format], format)
            self.assertIn(statement["gross"], texts[format], format)
        self.assertTrue(texts["html"].startswith("<!DOCTYPE html>"))
        self.assertEqual(len({len(row) for row in csv.reader(io.StringIO(texts["csv"]))}), 1)

    def test_an_export_has_all_of_a_client_or_issuer(self):
        self.close()
        self.assertEqual([s["number"] for s in self.exported()], [s["number"] for s in self.bill_json("statement")])
        self.assertEqual({s["account"] for s in self.exported("--client", "client-3")}, {"client:client-3"})
        self.assertEqual(self.exported("--issuer", "nobody"), [])

    # --- corrections ---

    def test_another_tariff_posts_the_difference(self):
        self.close()
        dear = self.write("dear.json", {"id": "dear", "currency": "EUR", "items": [{"id": "data", "per_gb": "1000"}]})
        options = (*self.journals, "--client", "client-1", "--period", self.month["from"], "--tariff", dear)
        before = self.gross()
        [issued] = self.bill_json("rerate", *options)
        self.assertEqual(issued["kind"], "adjustment")
        self.assertEqual(self.gross(), before + self.cents(issued["gross"]))
        self.assertEqual(self.cents(issued["net"]) + self.net_of_the_first(), self.priced_dear(), "the difference, and no more")
        self.assertEqual(self.bill("rerate", *options)[0], "it comes to the same; nothing is posted\n")
        self.assertEqual(self.bill_json("rerate", *options), [])
        self.assertIn("nothing is wrong", self.run_it("ledger", "verify", self.ledger)[0])

    def priced_dear(self):
        by_provider = {}
        for u in self.exported("--client", "client-1")[0]["usage"]:
            by_provider[u["provider"]] = by_provider.get(u["provider"], 0) + u["octets"]
        return sum((octets * 100_000 + 500_000_000) // 1_000_000_000 for octets in by_provider.values())

    def net_of_the_first(self):
        return self.cents(self.exported("--client", "client-1")[0]["net"])

    def gross(self):
        return self.cents(json.loads(self.run_it("--json", "ledger", "balance", self.ledger)[0])["client:client-1"]["EUR"])

    @staticmethod
    def cents(text):
        return round(float(text) * 100)

    # --- providers ---

    def settle(self, provider, *options, status):
        return self.bill_json("settle", provider, "--from", self.month["from"], "--to", self.month["to"], *options, status=status)

    def claim(self, provider, factor=1):
        ours = self.settle(provider, status=1)
        self.assertEqual({line["state"] for line in ours["lines"]}, {"not claimed"})
        self.assertEqual(sum(line["metered_octets"] for line in ours["lines"]), self.month["providers"][provider])
        lines = [{"gateway": line["gateway"], "path": line["path"], "from": self.month["from"], "to": self.month["to"],
                  "octets": line["metered_octets"] * factor, "currency": line["currency"], "amount": line["cost"]} for line in ours["lines"]]
        return self.write("claim.json", {"reference": "R-17", "lines": lines})

    def test_a_providers_bill_agrees_or_does_not(self):
        self.close()
        agreed = self.settle("northfibre", "--claim", self.claim("northfibre"), status=0)
        self.assertEqual({line["state"] for line in agreed["lines"]}, {"agreed"})
        self.assertTrue(self.settle("northfibre", status=0)["agreed"], "what was stored is remembered")
        dear = self.claim("airmobile", factor=2)
        disputed = self.settle("airmobile", "--claim", dear, status=1)
        self.assertEqual({line["state"] for line in disputed["lines"]}, {"disputed"})
        out, err = self.bill("settle", "airmobile", "--from", self.month["from"], "--to", self.month["to"], "--claim", dear, status=1)
        self.assertRegex(out, r"(?m)^site-a +airmobile-link +EUR +\d+ +\d+ +[\d.]+ +[\d.]+  disputed$")
        self.claim("coppertel")
        _, err = self.bill("settle", "airmobile", "--from", self.month["from"], "--to", self.month["to"], "--claim", self.folder / "claim.json", status=1)
        self.assertIn("claim R-17 of airmobile is stored with another content", err)

    def test_mistakes_in_a_providers_bill_are_told(self):
        self.close()
        file = self.write("claim.json", {"reference": "R-1", "lines": [{"gateway": "site-a", "path": "x", "from": "October", "to": self.month["to"], "octets": -1, "currency": "EUR", "amount": "1"}]})
        _, err = self.bill("settle", "northfibre", "--from", self.month["from"], "--to", self.month["to"], "--claim", file, status=1)
        self.assertRegex(err, r"claim\.json: /lines/0/from: ")
        self.assertRegex(err, r"claim\.json: /lines/0/octets: ")
        _, err = self.bill("settle", "nobody", "--from", self.month["from"], "--to", self.month["to"], status=1)
        self.assertIn("nobody", err)

    # --- mistakes ---

    def test_a_journal_that_is_missing_is_asked_for(self):
        _, err = self.bill("close", self.journals[0], status=1)
        self.assertIn("gateway site-b, whose journal was not given", err)
        self.assertIn("--without site-b", err)
        self.assertEqual(self.bill_json("statement"), [])
        first = self.bill_json("close", self.journals[0], "--without", "site-b")
        self.assertLess(first["records"], self.month["records"])
        self.close()
        self.assertNotEqual(self.stated(), self.month["octets"], "the rest is on the next statement")

    def stated(self):
        return sum(u["octets"] for s in self.exported() for u in s["usage"])

    def test_what_is_no_journal_or_ledger_is_told(self):
        (self.folder / "empty").mkdir()
        for folder in ("empty", "nowhere"):
            _, err = self.bill("close", self.folder / folder, status=1)
            self.assertIn(f"{folder}", err)
            self.assertIn("STATE_DIR/journal", err)
        for command in ("close", "usage", "rerate"):
            more = {"close": (), "usage": ("--client", "x"), "rerate": ("--client", "x", "--period", "2026-01-01", "--tariff", "t")}[command]
            _, err = self.bill(command, *self.journals, *more, ledger=self.folder / "none.sqlite", status=3)
            self.assertIn("none.sqlite", err)
        for command in ("statement", "export"):
            self.bill(command, ledger=self.folder / "none.sqlite", status=3)
        self.assertFalse((self.folder / "none.sqlite").exists())
        self.write("text.sqlite", {})
        _, err = self.bill("statement", ledger=self.folder / "text.sqlite", status=3)
        self.assertIn("text.sqlite", err)

    def test_who_is_not_known_is_told(self):
        self.close()
        for command in ("usage", "close", "preview"):
            _, err = self.bill(command, *self.journals, "--client", "client-9", status=1)
            self.assertIn('client "client-9"', err)
        for command in ("statement", "export"):
            _, err = self.bill(command, "--client", "client-9", status=1)
            self.assertIn('client "client-9"', err)
        _, err = self.bill("statement", "2026-000999", status=1)
        self.assertIn("2026-000999", err)

    def test_wrong_arguments_are_refused(self):
        for wrong in (("close",), ("close", "--ledger", self.ledger), ("close", *self.journals), ("usage", "--ledger", self.ledger, *self.journals),
                      ("statement", "--ledger", self.ledger, "--format", "gif"), ("close", "--ledger", self.ledger, *self.journals, "--threads", "0"),
                      ("settle", "northfibre", "--ledger", self.ledger, "--from", "October", "--to", self.month["to"]),
                      ("rerate", "--ledger", self.ledger, *self.journals, "--client", "client-1", "--period", "2026-13-01", "--tariff", self.write("t.json", {}))):
            _, err = self.run_it("bill", *wrong, status=2)
            self.assertNotEqual(err, "", wrong)

    def test_damage_is_told_and_not_billed_around(self):
        with open(self.journals[0] / "00000001.journal", "r+b") as file:
            file.seek(8 * 4096 + 300)
            file.write(b"rot")
        _, err = self.bill("close", *self.journals, status=1)
        self.assertIn("offset 32768", err)
        self.assertEqual(self.bill_json("statement"), [])

    @staticmethod
    def grouped(number):
        return f"{number:,}".replace(",", " ")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])

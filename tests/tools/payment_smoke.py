#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""From packets to a charged card, and from an unpaid statement to a suspended service, on real gateways. Needs root.

    payment_smoke.py BUILD
"""
import decimal
import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path()

sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / "tools/quickstart.d"), str(ROOT / "tests/billing")]
import card_processor  # noqa: E402
import main_job  # noqa: E402
import sites  # noqa: E402

SITE_A = ROOT / "tools/quickstart.d/site-a"


class World(unittest.TestCase):
    def setUp(self):
        self.sites = sites.Sites(BUILD)
        self.addCleanup(self.close)
        self.sites.open()
        self.ledger = self.sites.state / "state/site-a/ledger.sqlite"

    def close(self):
        try:
            self.sites.close(keep_logs=False)
        finally:
            shutil.rmtree(self.sites.state, ignore_errors=True)

    def example(self, kind, name, **more):
        return json.dumps(json.loads((SITE_A / kind / f"{name}.json").read_text()) | more)

    def start(self):
        self.sites.start_links()
        for site in ("b", "a"):
            self.sites.start_gateway(site)
        self.sites.wait_for(self.sites.paths_up, 20, "not all paths came up", "site-a")

    def bill(self, command, *words, later=None):
        """Of the ledger; as it would be so much later."""
        clock = ["faketime", later] if later else []
        done = subprocess.run([*clock, BUILD / "tools/anabranch", "--json", "bill", command, "--ledger", self.ledger, *words], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def reaches_the_server(self):
        return subprocess.run(self.sites.command("client", "ping", "-c", "1", "-W", "1", "10.20.0.2"), capture_output=True, timeout=10).returncode == 0


class Carded(World):
    def test_claim_c11_card_is_billed(self):
        processor = card_processor.Processor()
        self.addCleanup(processor.close)
        key = self.sites.state / "key"
        key.write_text("sk_test_anabranch\n")
        self.sites.documents = {
            "site-a/issuers/co.json": json.dumps({"id": "co", "name": "Anabranch Co", "grace_hours": 0, "cards": {"key_file": str(key), "url": processor.url}}),
            "site-a/profiles/bonded.json": self.example("profiles", "bonded", billing={"payment": {"by": "card"}}),
            "site-a/clients/acme.json": self.example("clients", "acme", card={"customer": "cus_acme", "method": "pm_fine"})}
        self.start()
        identity = self.sites.cli_json("request", "--client", "acme", "--from", "10.10.0.0/24")["id"]
        source, target = self.sites.state / "file", self.sites.state / "received"
        source.write_bytes(os.urandom(20_000_000))
        main_job.transfer(self.sites, source, target, "client", "server", "10.20.0.2", 5001)
        self.assertEqual(target.read_bytes(), source.read_bytes())
        self.sites.cli("end", identity)
        client, _, _ = main_job.settled(self.sites)
        used = sum(line["octets"] for statement in client for line in statement["usage"])
        self.assertGreater(used, 20_000_000)
        self.assertEqual(self.sites.stop("site-a"), 0, self.sites.log("site-a"))

        closed = self.bill("close", self.sites.state / "state/site-a/journal", later="+40 days")
        [(account, number)] = [(c["account"], s["number"]) for c in closed["closed"] for s in c["statements"] if c["account"] == "client:acme" and c["octets"] > 0]
        statement = self.bill("statement", number, "--issuer", "co", later="+40 days")
        statement = statement[0] if isinstance(statement, list) else statement
        self.assertEqual(sum(line["octets"] for line in statement["usage"]), used, "each octet is on the statement")
        self.assertEqual(processor.charged(), 0)

        [payment] = self.bill("dun", later="+40 days")["moved"]
        self.assertEqual((payment["state"], payment["statement"], payment["amount"]), ("succeeded", number, statement["gross"]))
        self.assertEqual(processor.charged(), decimal.Decimal(statement["gross"]) * 100)
        self.assertEqual(self.bill("dun", later="+41 days")["moved"], [])
        self.assertEqual(processor.charged(), decimal.Decimal(statement["gross"]) * 100, "once")
        said = self.sites.run(None, BUILD / "tools/anabranch", "ledger", "balance", self.ledger)
        self.assertRegex(said, rf"cash:cards +{statement['gross']}")
        self.assertIn("nothing is wrong", self.sites.run(None, BUILD / "tools/anabranch", "ledger", "verify", self.ledger))


class InArrears(World):
    """A client whose statement of last month is overdue."""

    def owe(self, **then):
        payment = {"by": "invoice", "due_days": 0, **then}
        self.sites.documents = {
            "site-a/issuers/co.json": json.dumps({"id": "co", "name": "Anabranch Co", "grace_hours": 0}),
            "site-a/profiles/bonded.json": self.example("profiles", "bonded", billing={"payment": payment}),
            "site-a/clients/acme.json": self.example("clients", "acme", id="client-1")}
        self.ledger.parent.mkdir(parents=True)
        journals, documents = self.sites.state / "journals", self.sites.state / "documents.json"
        # In force already: what the gateway stores when it starts is, in some minutes.
        documents.write_text(json.dumps({"profiles": [{"id": "late", "billing": {"payment": payment}}], "clients": [{"id": "client-1", "tariff": "plain", "profile": "late"}]}))
        self.sites.run(None, BUILD / "tests/billing/month_generator", self.ledger, journals, "--clients", "1", "--gateways", "1", "--documents", documents)
        closed = self.bill("close", journals / "site-a")
        [self.statement] = [s for c in closed["closed"] for s in c["statements"] if c["account"] == "client:client-1"]
        self.start()

    def service(self, identity):
        [service] = [s for s in self.sites.cli_json("services") if s["id"] == identity]
        return service

    def pay(self):
        self.bill("pay", "--received", self.statement["gross"], "--currency", "EUR", "--client", "client-1", "--reference", "T1", self.statement["number"], "--issuer", "co")

    def test_its_service_is_suspended_until_it_is_paid(self):
        self.owe(then="suspend")
        identity = self.sites.cli_json("request", "--client", "client-1", "--from", "10.10.0.0/24")["id"]
        self.sites.wait_for(lambda: self.service(identity).get("overdue") == {"statement": self.statement["number"], "then": "suspend"}, 30, "it is not suspended", "site-a")
        self.sites.wait_for(lambda: not self.reaches_the_server(), 10, "it carries what the client sends")
        self.assertIn(f"suspended, for statement {self.statement['number']} is overdue", self.sites.log("site-a"))
        self.pay()
        self.sites.wait_for(lambda: "overdue" not in self.service(identity), 30, "it stays suspended", "site-a")
        self.sites.wait_for(self.reaches_the_server, 10, "it does not carry what the client sends")

    def test_its_service_is_restricted_to_a_rate(self):
        self.owe(then="restrict", restrict_kbps=256)
        identity = self.sites.cli_json("request", "--client", "client-1", "--from", "10.10.0.0/24")["id"]
        self.sites.wait_for(lambda: "overdue" in self.service(identity), 30, "it is not restricted", "site-a")
        source, target = self.sites.state / "file", self.sites.state / "received"
        source.write_bytes(os.urandom(200_000))
        clock = os.times().elapsed
        main_job.transfer(self.sites, source, target, "client", "server", "10.20.0.2", 5001)
        self.assertGreater(os.times().elapsed - clock, 200_000 * 8 / 256_000 * 0.8, "no faster than the rate")
        self.assertTrue(self.reaches_the_server())


if __name__ == "__main__":
    BUILD = pathlib.Path(sys.argv.pop()).resolve()
    unittest.main(verbosity=2)

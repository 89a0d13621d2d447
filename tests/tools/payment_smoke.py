#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""From packets to a charged card, from an unpaid statement to a suspended service, and from credit that is used up to
one that stands still, on real gateways. Needs root.

    payment_smoke.py BUILD
"""
import concurrent.futures
import ctypes
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


class Service(World):
    def service(self, identity):
        [service] = [s for s in self.sites.cli_json("services") if s["id"] == identity]
        return service

    def assert_nothing_is_wrong(self):
        self.assertIn("nothing is wrong", self.sites.run(None, BUILD / "tools/anabranch", "ledger", "verify", self.ledger))


def processor_at(namespace):
    """One that listens where a gateway is: sockets are of the namespace of the thread that makes them."""
    def enter_and_make():
        with open(f"/run/netns/{namespace}") as there:
            if ctypes.CDLL(None, use_errno=True).setns(there.fileno(), 0) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        return card_processor.Processor()
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(enter_and_make).result()


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


class Ahead(Service):
    """A client that pays ahead, at 20 EUR a gigabyte, and sends at most 5 MB/s: 0.10 EUR a second."""

    FILE = 60_000_000

    def setUp(self):
        super().setUp()
        self.journal = self.sites.state / "state/site-a/journal"

    def ask(self, payment, issuer={}, client={}):
        self.sites.documents = {
            "site-a/issuers/co.json": json.dumps({"id": "co", "name": "Anabranch Co", "grace_hours": 0, **issuer}),
            "site-a/profiles/bonded.json": self.example("profiles", "bonded", rate_up_max="40 Mbit/s", billing={"payment": {"charge": "ahead", **payment}}),
            "site-a/tariffs/metered.json": json.dumps({"id": "metered", "currency": "EUR", "items": [{"id": "traffic", "per_gb": "20"}]}),
            "site-a/clients/acme.json": self.example("clients", "acme", tariff="metered", **client)}
        self.start()
        self.identity = self.sites.cli_json("request", "--client", "acme", "--from", "10.10.0.0/24")["id"]

    def wait_until(self, used_up):
        self.sites.wait_for(lambda: self.service(self.identity).get("used_up") == used_up, 60, f"it is not as it should be: {used_up}", "site-a")

    def pay(self, amount, reference):
        self.bill("pay", "--received", amount, "--currency", "EUR", "--client", "acme", "--reference", reference)

    def balance(self):
        [balance] = self.bill("balance", "--client", "acme", self.journal)
        return {name: decimal.Decimal(value) for name, value in balance.items() if name != "currency"}

    def send(self, octets, meanwhile=None):
        source, target = self.sites.state / "file", self.sites.state / "received"
        source.write_bytes(os.urandom(octets))
        main_job.transfer(self.sites, source, target, "client", "server", "10.20.0.2", 5001, meanwhile)
        self.assertEqual(target.read_bytes(), source.read_bytes())

    def settle(self, paid):
        """Closes the period: what was used is drawn from what was paid."""
        self.sites.cli("end", self.identity)
        client, _, _ = main_job.settled(self.sites)
        used = sum(line["octets"] for statement in client for line in statement["usage"])
        self.assertEqual(self.sites.stop("site-a"), 0, self.sites.log("site-a"))
        closed = self.bill("close", self.journal, later="+40 days")
        numbers = [s["number"] for c in closed["closed"] for s in c["statements"] if c["account"] == "client:acme"]
        statements = [self.bill("statement", number, "--issuer", "co", later="+40 days") for number in numbers]
        statements = [s[0] if isinstance(s, list) else s for s in statements]
        self.assertEqual(sum(line["octets"] for s in statements for line in s["usage"]), used, "each octet is on a statement")
        total = sum(decimal.Decimal(s["gross"]) for s in statements)
        self.assertGreater(total, decimal.Decimal(self.FILE * 20) / 10**9)
        balance = self.bill("balance", "--client", "acme", later="+40 days")[0]
        self.assertEqual(decimal.Decimal(balance["credit"]), paid - total, "it is drawn from what was paid")
        self.assert_nothing_is_wrong()

    def test_its_service_stops_when_it_is_used_up_and_goes_on_when_it_pays(self):
        self.ask({"by": "invoice"})
        self.wait_until({"then": "suspend"})
        self.sites.wait_for(lambda: not self.reaches_the_server(), 10, "it carries what nobody has paid")
        self.pay("0.40", "T1")
        self.wait_until(None)
        self.sites.wait_for(self.reaches_the_server, 10, "it does not carry what is paid")

        def used_up(target):
            self.wait_until({"then": "suspend"})
            self.sites.wait_for(lambda: not self.reaches_the_server(), 10, "it goes on with nothing left")
            size = target.stat().st_size
            self.assertFalse(any(self.reaches_the_server() for _ in range(4)))
            self.assertEqual(target.stat().st_size, size, "it stands still")
            self.assertLess(size, self.FILE)
            left = self.balance()["left"]
            print(f"\n{size / 1e6:.1f} MB arrived of 20 MB that were paid; left: {left} EUR")
            self.assertLessEqual(left, decimal.Decimal("0.02"), "all of it was used")
            self.assertGreater(left, decimal.Decimal("-0.60"), "at most what it carries in five seconds is not paid")
            self.pay("2.00", "T2")
        self.send(self.FILE, used_up)
        self.wait_until(None)
        self.settle(decimal.Decimal("2.40"))

    def test_its_card_is_charged_before_it_is_used_up(self):
        processor = processor_at(self.sites.ns("a"))
        self.addCleanup(processor.close)
        key = self.sites.state / "key"
        key.write_text("sk_test_anabranch\n")
        self.ask({"by": "card", "top_up": "1", "floor": "0.80"}, {"cards": {"key_file": str(key), "url": processor.url}}, {"card": {"customer": "cus_acme", "method": "pm_fine"}})
        self.sites.wait_for(lambda: processor.charged() == 100, 120, "the card is not charged", "site-a")
        self.wait_until(None)
        self.sites.wait_for(self.reaches_the_server, 10, "it does not carry what is paid")
        self.send(self.FILE)
        self.sites.wait_for(lambda: processor.charged() >= 200, 60, "the card is not charged again", "site-a")
        self.sites.wait_for(lambda: self.balance()["left"] >= decimal.Decimal("0.80"), 60, "too little is left", "site-a")
        self.settle(decimal.Decimal(processor.charged()) / 100)
        said = self.sites.run(None, BUILD / "tools/anabranch", "ledger", "balance", self.ledger)
        self.assertRegex(said, rf"cash:cards +{processor.charged() // 100}.00")

    def test_its_service_is_slow_when_it_is_used_up(self):
        self.ask({"by": "invoice", "used_up": "slow", "slow_kbps": 256})
        self.wait_until({"then": "restrict"})
        clock = os.times().elapsed
        self.send(200_000)
        self.assertGreater(os.times().elapsed - clock, 200_000 * 8 / 256_000 * 0.8, "no faster than the rate")


class InArrears(Service):
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

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
import time
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


class Told(World):
    """A processor, beside the gateway, that tells what became of payments."""

    def setUp(self):
        super().setUp()
        self.processor = processor_at(self.sites.ns("a"))
        self.addCleanup(self.processor.close)
        for name, text in (("key", "sk_test_anabranch"), ("events", f"whsec_of_before\n{card_processor.EVENTS_SECRET}")):
            (self.sites.state / name).write_text(text + "\n")

    def owe(self, by, payer=None):
        """A statement of last month, for a client to pay, or for another that pays for it."""
        cards = {"key_file": str(self.sites.state / "key"), "url": self.processor.url, "events_key_file": str(self.sites.state / "events")}
        documents = {
            "issuers": [{"id": "co", "name": "Anabranch Co", "zone": "Europe/Berlin", "grace_hours": 0, "cards": cards}],
            "profiles": [{"id": "bonded", "billing": {"payment": {"by": by}}}],
            "clients": [{"id": "client-1", "tariff": "plain", "profile": "bonded", "card": {"customer": "cus_1", "method": "pm_fine"}}]}
        if payer:
            documents["clients"].append({**documents["clients"][0], "id": payer})
            documents["clients"][0]["paid_by"] = payer
        ours, *others = documents["clients"]
        self.sites.documents = {
            "site-a/issuers/co.json": json.dumps(documents["issuers"][0]),
            "site-a/profiles/bonded.json": self.example("profiles", "bonded", billing=documents["profiles"][0]["billing"]),
            "site-a/clients/acme.json": self.example("clients", "acme", **ours), **{f"site-a/clients/{c['id']}.json": self.example("clients", "acme", **c, prefixes=["10.30.0.0/24"]) for c in others}}
        self.ledger.parent.mkdir(parents=True)
        journals, file = self.sites.state / "journals", self.sites.state / "documents.json"
        file.write_text(json.dumps(documents))
        self.sites.run(None, BUILD / "tests/billing/month_generator", self.ledger, journals, "--clients", "1", "--gateways", "1", "--documents", file)
        closed = self.bill("close", journals / "site-a")
        [self.statement] = [s for c in closed["closed"] for s in c["statements"] if c["account"] == "client:client-1"]
        self.gross = decimal.Decimal(self.statement["gross"]) * 100

    def dun(self):
        done = subprocess.run(self.sites.command("a", BUILD / "tools/anabranch", "--json", "bill", "dun", "--ledger", self.ledger), capture_output=True, text=True, timeout=90)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def ask(self, method, path, body="", **headers):
        """Status and document, from the client's namespace."""
        code = ("import http.client,json,sys;c=http.client.HTTPConnection('10.10.0.1',8080,timeout=60);"
                "c.request(sys.argv[1],sys.argv[2],sys.stdin.buffer.read() or None,json.loads(sys.argv[3]));r=c.getresponse();"
                "print(json.dumps([r.status,json.loads(r.read())]))")
        done = subprocess.run(self.sites.command("client", sys.executable, "-c", code, method, path, json.dumps(headers)),
                              input=body.encode(), capture_output=True, timeout=90, check=True)
        return json.loads(done.stdout)

    def ask_as(self, who, method, path, body=None, **headers):
        return self.ask(method, path, "" if body is None else json.dumps(body), Authorization=f"Bearer {who}", **headers)

    def token(self, operator, name, *words):
        done = subprocess.run(self.sites.command("client", "env", f"ANABRANCH_TOKEN={operator}", BUILD / "tools/anabranch", "--api", "http://10.10.0.1:8080", "token", name, *words),
                              capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.strip()

    def tell(self, body, signature=None):
        return self.ask("POST", "/v1/payments/events", body, **{"Stripe-Signature": signature or card_processor.signed(body), "Content-Type": "application/json"})

    def payments(self):
        return {p["key"]: p for p in self.bill("payments")}

    def test_what_it_tells_is_asked_for_at_once(self):
        self.owe(by="card")
        # It acts, and nothing of its answers comes back.
        self.processor.arm("drop_after", 2, 9)  # behind whether it has a payment that is not known here
        [payment] = self.dun()["moved"]
        self.assertEqual(payment["state"], "unknown")
        self.processor.arm(None, 1, 0)
        self.start()
        [intent] = self.processor.intents.values()
        event = card_processor.event("payment_intent.succeeded", intent)
        for signature, why in ((card_processor.signed(event, "whsec_guessed"), "no signature of it is by a secret"),
                               (card_processor.signed(event, at=time.time() - 310), "s ago; expected at most 300 s"),
                               ("v1=00", "has no time")):
            status, problem = self.tell(event, signature)
            self.assertEqual((status, problem["title"]), (400, "Not believed"))
            self.assertIn(why, problem["detail"])
        status, problem = self.ask("POST", "/v1/payments/events", event)
        self.assertEqual((status, problem["detail"]), (400, "it has no header Stripe-Signature"))
        self.assertEqual(self.tell("nonsense")[0], 400)
        self.assertEqual(self.tell(" " * 300_000)[0], 413)
        self.assertEqual(self.payments()[payment["key"]]["state"], "unknown")
        # It needs no token, when others do; kinds that are of nothing here are taken.
        token = self.sites.cli("token", "ops", "--role", "operator").strip()
        self.assertEqual(self.ask("GET", "/v1/services")[0], 401)
        self.assertEqual(self.tell(card_processor.event("customer.created", {"id": "cus_1"})), [200, {"received": True}])
        # A failure it tells of is not believed either: it is asked.
        for kind in ("payment_intent.payment_failed", "payment_intent.succeeded", "payment_intent.succeeded"):
            told = card_processor.event(kind, intent)
            self.assertEqual(self.tell(told, "t=1,v0=x," + card_processor.signed(told)), [200, {"received": True}])
        self.sites.wait_for(lambda: self.payments()[payment["key"]]["state"] == "succeeded", 20, "it is not asked for", "site-a")
        self.assertEqual(self.processor.charged(), self.gross)
        self.assertIn(f"payment {payment['key']} of statement {self.statement['number']} for client:client-1: succeeded", self.sites.log("site-a"))
        self.assertNotIn("whsec_", self.sites.log("site-a"))
        self.assertTrue(token)
        self.assertIn("nothing is wrong", self.sites.run(None, BUILD / "tools/anabranch", "ledger", "verify", self.ledger))

    def test_payments_are_made_and_shown_over_the_api(self):
        self.owe(by="invoice")  # or the gateway charges the card by itself
        self.start()
        operator = self.sites.cli("token", "ops", "--role", "operator").strip()
        self.ask("PUT", "/v1/clients/other", json.dumps({"id": "other", "tariff": "plain", "profile": "bonded"}), Authorization=f"Bearer {operator}")

        def token(name, *words):
            return self.token(operator, name, *words)

        auditor, mine, theirs = token("a", "--role", "auditor"), token("c1", "--role", "client", "--client", "client-1"), token("c2", "--role", "client", "--client", "other")
        ask = self.ask_as
        pay = f"/v1/statements/clients/client-1/issued/co/{self.statement['number']}/payments"
        for who, status in ((auditor, 403), (theirs, 404)):
            self.assertEqual(ask(who, "POST", pay)[0], status)
        self.assertEqual(ask(mine, "POST", pay.replace(self.statement["number"], "2026-000099"))[0], 404)

        # A processor that cannot be reached: the payment is there, and goes on.
        self.processor.arm("drop_before", 1, 99)
        once = {"Idempotency-Key": "mine-1"}
        status, waiting = ask(mine, "POST", pay, **once)
        self.assertEqual((status, waiting["state"], waiting["amount"]), (202, "unknown", self.statement["gross"]))
        where = "/v1/payments/" + waiting["key"]
        self.assertEqual(ask(mine, "GET", where), [200, waiting])
        self.assertEqual(ask(theirs, "GET", where)[0], 404)
        status, problem = ask(operator, "POST", pay)
        self.assertEqual((status, problem["title"]), (409, "Not paid"))
        self.assertIn("is being paid by", problem["detail"])
        self.processor.arm(None, 1, 0)
        for _ in range(2):
            status, paid = ask(mine, "POST", pay, **once)
            self.assertEqual((status, paid["key"], paid["state"]), (201, waiting["key"], "succeeded"))
        self.assertEqual(self.processor.charged(), self.gross)
        self.assertIn("nothing is owed", ask(mine, "POST", pay)[1]["detail"])

        # Who sees what.
        for who, seen in ((mine, [paid]), (theirs, []), (auditor, [paid]), (operator, [paid])):
            self.assertEqual(ask(who, "GET", "/v1/payments"), [200, seen])
        self.assertEqual(ask(auditor, "GET", "/v1/payments?client=other"), [200, []])
        self.assertEqual(ask(theirs, "GET", "/v1/payments?client=client-1"), [200, []])
        self.assertEqual(ask(auditor, "GET", f"/v1/payments?statement={self.statement['number']}"), [200, [paid]])

        # Back: by operators, once.
        back = where + "/refunds"
        for who in (mine, auditor):
            self.assertEqual(ask(who, "POST", back, {"amount": "0.05"})[0], 403)
        for wrong in ({"amount": "0.001"}, {"amount": "-1"}, {"amount": 5}, {}, {"amount": "1", "colour": "red"}):
            self.assertEqual(ask(operator, "POST", back, wrong)[0], 400, wrong)
        self.assertEqual(ask(operator, "POST", back, {"amount": "1000000"})[0], 409)
        self.assertEqual(ask(operator, "POST", "/v1/payments/none/refunds", {"amount": "1"})[0], 404)
        refunds = [ask(operator, "POST", back, {"amount": "0.05"}, **{"Idempotency-Key": "back-1"}) for _ in range(2)]
        self.assertEqual(refunds[0], refunds[1])
        self.assertEqual((refunds[0][0], refunds[0][1]["state"], refunds[0][1]["of"]), (201, "succeeded", waiting["key"]))
        self.assertEqual(ask(operator, "POST", back, {"amount": "0.06"}, **{"Idempotency-Key": "back-1"})[0], 409)
        self.assertEqual(self.processor.returned(), 5)

        # By transfer.
        transfer = {"client": "client-1", "currency": "EUR", "amount": "0.05", "reference": "bank-1"}
        for who in (mine, auditor):
            self.assertEqual(ask(who, "POST", "/v1/payments", transfer)[0], 403)
        for wrong in ({"amount": "0.001"}, {"currency": "XXX"}, {"reference": ""}, {"statement": self.statement["number"]}, {"colour": "red"}):
            self.assertEqual(ask(operator, "POST", "/v1/payments", {**transfer, **wrong})[0], 400, wrong)
        self.assertEqual(ask(operator, "POST", "/v1/payments", {**transfer, "client": "nobody"})[0], 409)
        noted = [ask(operator, "POST", "/v1/payments", transfer) for _ in range(2)]
        self.assertEqual((noted[0], noted[0][0], noted[0][1]["kind"]), (noted[1], 201, "transfer"))
        self.assertEqual(len(ask(mine, "GET", "/v1/payments")[1]), 3)

        # Dunning; and what is disputed, as the processor tells.
        self.assertEqual(ask(auditor, "POST", "/v1/payments/dun", {})[0], 403)
        status, report = ask(operator, "POST", "/v1/payments/dun", {"client": "client-1"})
        self.assertEqual((status, report["moved"], report["overdue"], report["problems"]), (200, [], [], {}))
        [intent] = self.processor.intents
        dispute = self.processor.dispute(intent, 10)
        self.assertEqual(self.tell(card_processor.event("charge.dispute.created", dispute))[0], 200)
        self.sites.wait_for(lambda: ask(mine, "GET", where)[1].get("disputed"), 20, "it is not asked for", "site-a")
        self.assertIn("is disputed, 0.10 EUR: fraudulent (dp_1)", self.sites.log("site-a"))
        self.assertIn("is disputed", ask(operator, "POST", back, {"amount": "0.01"})[1]["detail"])
        self.processor.decide(dispute, "lost")
        self.assertEqual(self.tell(card_processor.event("charge.dispute.closed", dispute))[0], 200)
        self.sites.wait_for(lambda: ask(mine, "GET", where)[1].get("lost") == "0.10", 20, "it is not asked for", "site-a")
        self.assertIn("nothing is wrong", self.sites.run(None, BUILD / "tools/anabranch", "ledger", "verify", self.ledger))


    def test_who_pays_for_another_pays_its_statements_over_the_api(self):
        self.owe(by="invoice", payer="holding")
        self.start()
        operator = self.sites.cli("token", "ops", "--role", "operator").strip()
        mine = self.token(operator, "h", "--role", "client", "--client", "holding")
        statements = self.ask_as(mine, "GET", "/v1/statements/clients/holding/issued")[1]
        self.assertIn(self.statement["number"], [s["number"] for s in statements])
        status, paid = self.ask_as(mine, "POST", f"/v1/statements/clients/holding/issued/co/{self.statement['number']}/payments")
        self.assertEqual((status, paid["state"], paid["amount"], paid["account"]), (201, "succeeded", self.statement["gross"], "client:holding"), paid)
        self.assertEqual(self.processor.charged(), self.gross)
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

            def stands_still():  # once what was under way has arrived
                size = target.stat().st_size
                self.assertFalse(any(self.reaches_the_server() for _ in range(4)))
                return target.stat().st_size == size

            self.sites.wait_for(stands_still, 10, "it goes on with nothing left")
            size = target.stat().st_size
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

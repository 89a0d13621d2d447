#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Claims c08, c09, c10, c12, c13 and c14 over the command line, on what gateways carried: clients that differ in one
preference each use all links, and their months are closed. Needs root.

    statements_smoke.py BUILD
"""
import collections
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
sys.path.insert(0, str(ROOT / "tools/quickstart.d"))
import main_job  # noqa: E402
import sites  # noqa: E402

SITE_A = ROOT / "tools/quickstart.d/site-a"
OWN = ""  # the section of what is no provider's
TARIFF = {"id": "mixed", "currency": "EUR", "tax": {"category": "S", "percent": "19"}, "items": [
    {"id": "line", "flat": "10.00"},
    *({"id": p, "providers": [p], "per_gb": price} for p, price in (("northfibre", "10"), ("airmobile", "40"), ("coppertel", "20")))]}
BILLING = {
    "usual": {},
    "each": {"statements": "by-provider"},
    "summary": {"provider_charges": "summarised"},
    "apart": {"provider_charges": "separate"},
    "own-cycle": {"cycle_day": 15, "zone": "America/New_York"},
    "agreed": {"statements": "by-provider", "provider_charges": "itemised"}}
AGREED = {"id": "gold", "billing": {"statements": "aggregated", "provider_charges": "summarised"}}


class Statements(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sites = sites.Sites(BUILD)
        try:
            cls.sites.open()
            cls.use_and_close()
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        try:
            cls.sites.close(keep_logs=False)
        finally:
            shutil.rmtree(cls.sites.state, ignore_errors=True)

    @classmethod
    def use_and_close(cls):
        documents = {"issuers/co.json": {"id": "co", "name": "Anabranch Co", "grace_hours": 0}, "tariffs/mixed.json": TARIFF, "slas/gold.json": AGREED}
        profile, client = (json.loads((SITE_A / name).read_text()) for name in ("profiles/bonded.json", "clients/acme.json"))
        for name, billing in BILLING.items():
            documents[f"profiles/{name}.json"] = profile | {"id": name, "billing": billing}
            documents[f"clients/{name}.json"] = client | {"id": name, "profile": name, "tariff": "mixed"} | ({"sla": "gold"} if name == "agreed" else {})
        cls.sites.documents = {f"site-a/{path}": json.dumps(document) for path, document in documents.items()}
        cls.sites.start_links()
        for site in ("b", "a"):
            cls.sites.start_gateway(site)
        cls.sites.wait_for(cls.sites.paths_up, 20, "not all paths came up", "site-a")
        for name in BILLING:
            identity = cls.sites.cli_json("request", "--client", name, "--from", "10.10.0.0/24")["id"]
            source, target = cls.sites.state / "file", cls.sites.state / "received"
            source.write_bytes(os.urandom(10_000_000))
            main_job.transfer(cls.sites, source, target, "client", "server", "10.20.0.2", 5001)
            cls.sites.cli("end", identity)
        cls.used = {name: cls.by_provider(cls.sites.cli_json("statement", name)) for name in BILLING}
        assert cls.sites.stop("site-a") == 0
        folder = cls.sites.state / "state/site-a"
        clock, tool, ledger = ["faketime", "+40 days"], str(BUILD / "tools/anabranch"), ["--ledger", str(folder / "ledger.sqlite")]
        subprocess.run([*clock, tool, "bill", "close", *ledger, str(folder / "journal")], check=True, capture_output=True, timeout=60)
        said = subprocess.run([tool, "bill", "export", *ledger], check=True, capture_output=True, text=True, timeout=60)
        cls.all = collections.defaultdict(list)
        for statement in map(json.loads, said.stdout.splitlines()):
            if statement["usage"]:  # of the months after, there is none
                cls.all[statement["customer"]["id"]].append(statement)

    @staticmethod
    def by_provider(statements):
        """Octets of what statements say was used, by provider and network."""
        result = collections.Counter()
        for statement in statements:
            for line in statement["usage"]:
                result[(line["provider"], line["network"])] += line["octets"]
        return result

    @staticmethod
    def lines(statement):
        return [(section["provider"], line["item"]) for section in statement["sections"] for line in section["lines"]]

    def one(self, name):
        [statement] = self.all[name]
        return statement

    def assert_adds_up(self, name):
        """Each octet that was carried is on one statement, and each amount in one sum."""
        self.assertEqual(self.by_provider(self.all[name]), self.used[name])
        self.assertGreater(min(self.used[name].values()), 100_000)
        for statement in self.all[name]:
            amounts = sum(decimal.Decimal(line["amount"]) for section in statement["sections"] for line in section["lines"])
            self.assertEqual(amounts, decimal.Decimal(statement["net"]))

    def test_claim_c08_charges_of_several_providers_of_several_networks_are_aggregated(self):
        self.assert_adds_up("usual")
        statement = self.one("usual")
        self.assertEqual({provider for provider, _ in self.used["usual"]}, {"northfibre", "airmobile", "coppertel"})
        self.assertEqual(len({network for _, network in self.used["usual"]}), 3)
        charged = {section["provider"]: section["octets"] for section in statement["sections"] if section["provider"] != OWN}
        self.assertEqual(charged, {provider: octets for (provider, _), octets in self.used["usual"].items()})

    def test_claim_c09_one_statement_aggregates_other_providers_charges(self):
        statement = self.one("usual")
        self.assertEqual(statement["issuer"]["id"], "co")
        self.assertEqual(sorted(self.lines(statement)), [(OWN, "line"), ("airmobile", "airmobile"), ("coppertel", "coppertel"), ("northfibre", "northfibre")])

    def test_claim_c10_several_statements_of_several_providers(self):
        self.assert_adds_up("each")
        issuers = {statement["issuer"]["id"]: statement for statement in self.all["each"]}
        self.assertEqual(sorted(issuers), ["airmobile", "coppertel", "northfibre"] if "co" not in issuers else ["airmobile", "co", "coppertel", "northfibre"])
        for provider in ("airmobile", "coppertel", "northfibre"):
            self.assertEqual(self.lines(issuers[provider]), [(provider, provider)])
            self.assertEqual(sum(line["octets"] for line in issuers[provider]["usage"]), sum(n for (p, _), n in self.used["each"].items() if p == provider))

    def test_claim_c12_the_profile_says_when_and_where_a_cycle_begins(self):
        self.assert_adds_up("own-cycle")
        self.assertRegex(self.one("own-cycle")["to"], r"^\d{4}-\d\d-15T00:00:00-0[45]:00$")
        self.assertRegex(self.one("usual")["to"], r"^\d{4}-\d\d-01T00:00:00")

    def test_claim_c13_the_profile_says_how_other_providers_charges_are_presented(self):
        self.assert_adds_up("summary")
        self.assertEqual(sorted(self.lines(self.one("summary"))), [(OWN, "line"), ("airmobile", "sum"), ("coppertel", "sum"), ("northfibre", "sum")])
        self.assert_adds_up("apart")
        others = self.one("apart")  # the one with usage: what is ours is on another
        self.assertEqual(sorted(self.lines(others)), [("airmobile", "airmobile"), ("coppertel", "coppertel"), ("northfibre", "northfibre")])

    def test_claim_c14_the_agreement_says_otherwise_than_the_profile_and_wins(self):
        self.assert_adds_up("agreed")
        self.assertEqual(sorted(self.lines(self.one("agreed"))), [(OWN, "line"), ("airmobile", "sum"), ("coppertel", "sum"), ("northfibre", "sum")])


if __name__ == "__main__":
    BUILD = pathlib.Path(sys.argv.pop()).resolve()
    unittest.main(verbosity=2)

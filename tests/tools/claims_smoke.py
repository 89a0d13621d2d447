#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The claims of the Analysis Module by their numbers, each on real gateways: asked for over the API, and seen on the wire whose
octets moved (c03 is in negotiation_smoke.py; those of billing are in tests/billing). Needs root.

    claims_smoke.py BUILD
"""
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

# What a service needs that one link can carry; whole flows, so that a link alone is a scenario like others.
ONE_LINK = ("--rate-up", "10 Mbit/s", "--rate-down", "10 Mbit/s")


class Claims(unittest.TestCase):
    """One pair of gateways for all tests of a class. Coppertel is the cheapest, and the slowest; fibre is the quickest."""
    edits = []

    @classmethod
    def setUpClass(cls):
        cls.sites = sites.Sites(BUILD)
        cls.addClassCleanup(cls.close)
        cls.sites.edits = cls.edits
        tariff = {"id": "standard", "currency": "EUR", "charged": ["first", "repair", "copy", "overhead"],
                  "prices": [{"provider": name, "per_gb": price}
                             for name, price in (("northfibre", "0.50"), ("airmobile", "0.50"), ("coppertel", "0.35"))]}
        client = {"id": "acme", "name": "Acme Ltd", "profile": "wanted", "tariff": "standard", "sla": "gold", "prefixes": ["10.10.0.0/24"]}
        cls.sites.documents = {"site-a/tariffs/standard.json": json.dumps(tariff), "site-a/clients/acme.json": json.dumps(client)}
        cls.sites.open()
        cls.sites.start_links()
        cls.link("dsl", "delay=70ms")
        for site in ("b", "a"):
            cls.sites.start_gateway(site)
        cls.sites.wait_for(cls.sites.paths_up, 20, "not all paths came up", "site-a")
        cls.put("slas", id="gold")

    @classmethod
    def close(cls):
        try:
            cls.sites.close(keep_logs=False)
        finally:
            shutil.rmtree(cls.sites.state, ignore_errors=True)

    @classmethod
    def link(cls, name, change):
        cls.sites.run("net", cls.sites.tools / "linkemu/linkemu", "set", "--socket", cls.sites.run_dir / "linkemu", name, "both", change)

    def tearDown(self):
        for service in self.sites.cli_json("services"):
            self.sites.cli("end", service["id"])

    def wait_for(self, condition, otherwise, seconds=20):
        self.sites.wait_for(condition, seconds, otherwise, "site-a")

    @classmethod
    def put(cls, kind, **document):
        file = cls.sites.state / f"{kind}.json"
        file.write_text(json.dumps(document))
        cls.sites.cli("put", kind, file)

    def profile(self, **fields):
        """The client's, in force at once."""
        self.put("profiles", id="wanted", **fields)

    def request(self, *limits):
        return self.sites.cli_json("request", "--client", "acme", "--from", "10.10.0.0/24", *limits)

    def refused(self, *limits):
        """The problem, as JSON."""
        done = subprocess.run(self.sites.command("client", BUILD / "tools/anabranch", "--json", "--api", "http://10.10.0.1:8080", "request",
                                                 "--client", "acme", "--from", "10.10.0.0/24", *limits), capture_output=True, text=True, timeout=60)
        problem = json.loads(done.stderr)
        self.assertEqual((done.returncode, problem["status"]), (1, 409), problem)
        return problem

    def shown(self, service):
        one, = (s for s in self.sites.cli_json("services") if s["id"] == service["id"])
        return one

    def shares(self, service):
        return {share["path"]: share["provider"] for share in self.shown(service)["scenario"]["shares"]}

    def send(self, octets=2_000_000):
        """A file over TCP from client to server. Octets of each link meanwhile, as its provider counts what we send."""
        source, target = self.sites.state / "file", self.sites.state / "received"
        source.write_bytes(os.urandom(octets))
        before = main_job.tunnel_octets(self.sites.link_stats())
        main_job.transfer(self.sites, source, target, "client", "server", "10.20.0.2", 5001)
        after = main_job.tunnel_octets(self.sites.link_stats())
        self.assertEqual(target.read_bytes(), source.read_bytes())
        return {name: after[name, "sent"] - before[name, "sent"] for name, way in after if way == "sent"}

    def assert_carried_by(self, service, link):
        self.wait_for(lambda: set(self.shares(service)) == {link}, f"the scenario is not {link} alone")
        moved = self.send()
        self.assertGreater(moved[link], 0.95 * sum(moved.values()), moved)

    def billed(self):
        """The bill is what the links carried, to the octet; its usage."""
        client, house, stats = main_job.settled(self.sites)
        self.assertEqual(main_job.compare(client, house, stats)[1], [])
        return client[0]

    def highest_rated(self, kind):
        return max(self.sites.cli_json("ratings")[kind], key=lambda rated: rated["rating"])["name"]

    def assert_follows_ratings(self, kind, names):
        """`names`: of providers, or networks, by link."""
        plain = {"quality_percent": 50, "dispersion": ["flow"]}
        self.profile(**plain)
        service = self.request(*ONE_LINK)
        self.assert_carried_by(service, "dsl")
        self.assertEqual(self.highest_rated(kind), names["fibre"])
        self.profile(**plain, prefer_highest_rated=kind.removesuffix("s"))
        self.assert_carried_by(service, "fibre")
        self.link("fibre", "loss=6%")
        self.addCleanup(self.link, "fibre", "loss=0%")
        self.wait_for(lambda: self.highest_rated(kind) == names["mobile"], "the rating does not change")
        self.assert_carried_by(service, "mobile")
        self.assertIn("rated highest", self.sites.cli("explain", service["id"]))


class Providers(Claims):
    """Three networks of three providers."""

    def test_claim_c01_request_scenario_and_bill(self):
        self.profile()
        service = self.request()
        scenario = service["scenario"]
        self.assertEqual((scenario["segmentation"], scenario["dispersion"], scenario["assemblage"]), ("packet", "earliest-delivery", "resequence"))
        moved = self.send(20_000_000)
        self.assertEqual({name for name, octets in moved.items() if octets > 1_000_000}, {"fibre", "mobile", "dsl"}, moved)
        self.sites.cli("end", service["id"])
        statement = self.billed()
        sent = sum(line["octets"] for line in statement["usage"] if (line["kind"], line["direction"]) == ("first", "sent"))
        self.assertGreater(sent, 20_000_000)
        self.assertGreater(float(statement["gross"]), 0)

    def test_claim_c01_a_class_of_traffic_is_dispersed_by_its_rule(self):
        self.profile(segmentation_rules=[{"class": "voice", "dscp": ["EF"], "dispersion": ["redundant"]}])
        plain, voice = self.request(), self.request("--dscp", "46")
        self.assertEqual((plain["scenario"]["dispersion"], voice["scenario"]["dispersion"]), ("earliest-delivery", "redundant"))
        self.assertIn("class \"voice\"", self.sites.cli("explain", voice["id"]))
        before = main_job.tunnel_octets(self.sites.link_stats())
        packets, octets = 2000, 1000
        subprocess.run(self.sites.command("client", sys.executable, "-c",
                                          "import socket,time\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n"
                                          "s.setsockopt(socket.IPPROTO_IP,socket.IP_TOS,46<<2)\n"
                                          f"for n in range({packets}): s.sendto(bytes({octets}),('10.20.0.2',9)); time.sleep(0.001)"),
                       check=True, timeout=60)
        after = main_job.tunnel_octets(self.sites.link_stats())
        sent = sum(after[name, way] - before[name, way] for name, way in after if way == "sent")
        self.assertGreater(sent, 1.95 * packets * octets, "each packet takes two links")

    def test_claim_c01_what_the_agreement_says_is_kept(self):
        self.addCleanup(self.put, "slas", id="gold")
        self.profile(quality_percent=0, dispersion=["flow"])
        service = self.request(*ONE_LINK)
        self.assert_carried_by(service, "dsl")
        self.put("slas", id="gold", objectives=[{"of": "latency", "ms": "15", "window": "1s"}])
        self.wait_for(lambda: "dsl" not in self.shares(service), "the late link is still used")
        self.assertLess(self.send()["dsl"], 50_000)
        self.assertIn("keeps the agreement: ", self.sites.cli("explain", service["id"]))
        self.put("slas", id="gold", objectives=[{"of": "rate-up", "rate": "20 Mbit/s", "window": "1s"}, {"of": "latency", "ms": "0.01", "window": "1s"}])
        problem = self.refused()
        self.assertIn("the agreement's 0.01 ms one way over 1s", problem["detail"])
        self.assertEqual([field["pointer"] for field in problem["nearest"]["fields"]], ["/agreement/objectives/1"])
        self.wait_for(lambda: "the agreement's 0.01 ms" in self.shown(service).get("note", ""), "what is not kept is not told")

    def test_claim_c02_networks_of_another_provider(self):
        # Fibre, the best link, carries 100 Mbit/s.
        wanted = ("--rate-up", "120 Mbit/s")
        self.profile(providers={"airmobile": "never", "coppertel": "never"})
        field, = self.refused(*wanted)["nearest"]["fields"]
        self.assertEqual((field["pointer"], field["asked"]), ("/rate_up", "120 Mbit/s"))
        self.assertTrue(80 < float(field["possible"].removesuffix(" Mbit/s")) < 100, field)
        self.profile()
        service = self.request(*wanted)
        self.assertTrue({"northfibre", "airmobile"} <= set(self.shares(service).values()))
        moved = self.send(20_000_000)
        self.assertGreater(min(moved["fibre"], moved["mobile"]), 1_000_000, moved)

    def test_claim_c04_profile_prefers_provider(self):
        self.profile(dispersion=["flow"], providers={"northfibre": "prefer"})
        service = self.request(*ONE_LINK)
        self.assert_carried_by(service, "fibre")
        self.profile(dispersion=["flow"], providers={"airmobile": "prefer"})
        self.assert_carried_by(service, "mobile")

    def test_claim_c06_highest_rated_provider(self):
        self.assert_follows_ratings("providers", {"fibre": "northfibre", "mobile": "airmobile"})

    def test_claim_c15_one_module_receives_ascertains_and_bills(self):
        # All of it is one process, and nobody else is there.
        self.assertEqual(self.sites.run(None, "ip", "netns", "pids", self.sites.ns("a")).split(), [str(self.sites.processes["site-a"].pid)])
        self.profile()
        service = self.request()
        self.assertIn("mobile", self.shares(service))
        self.send()
        self.link("mobile", "down")
        self.addCleanup(self.link, "mobile", "up")
        self.wait_for(lambda: set(self.shares(service)) == {"fibre", "dsl"}, "no other scenario is ascertained")
        moved = self.send()
        self.assertLess(moved["mobile"], 50_000, "beats, of a link that does not answer")
        self.sites.cli("end", service["id"])
        self.link("mobile", "up")
        self.wait_for(self.sites.paths_up, "the link does not come back")
        self.assertEqual({section["provider"] for section in self.billed()["sections"]} & {"northfibre", "airmobile", "coppertel"},
                         {"northfibre", "airmobile", "coppertel"})
        decisions = self.sites.state / "state/site-a"
        self.wait_for(lambda: "0 not;" in self.sites.run("a", self.sites.tools / "anabranch", "replay", "--state", decisions, "--service", service["id"]),
                      "what was decided does not come out the same again")


class Networks(Claims):
    """Fibre and mobile are networks of one provider."""
    edits = [('provider = "airmobile"\nnetwork = "airmobile-5g"', 'provider = "northfibre"\nnetwork = "northfibre-5g"')]

    def test_claim_c01_an_octet_costs_what_its_tier_does(self):
        self.put("tariffs", id="tiered", currency="EUR", items=[
            {"id": "dsl", "providers": ["coppertel"], "graduated": [{"up_to_gb": "0.001", "per_gb": "0.10"}, {"per_gb": "9.00"}]},
            {"id": "others", "per_gb": "0.50"}])
        self.put("clients", id="tiered", name="Tiered Ltd", profile="wanted", tariff="tiered", prefixes=["10.10.0.0/24"])
        self.profile(quality_percent=0, dispersion=["flow"], networks={"northfibre-5g": "never"})
        service = self.sites.cli_json("request", "--client", "tiered", "--from", "10.10.0.0/24", *ONE_LINK)
        self.assert_carried_by(service, "dsl")
        self.sites.cli("flush")  # to the journal, by which it is looked up
        self.wait_for(lambda: set(self.shares(service)) == {"fibre"}, "it goes on where it has become dear", 60)
        self.assert_carried_by(service, "fibre")
        self.assertIn("at 9.00 EUR/GB, by what is used of the tariff's tiers", self.sites.cli("explain", service["id"]))

    def test_claim_c05_profile_prefers_network(self):
        self.profile(dispersion=["flow"], networks={"northfibre-ftth": "prefer"})
        service = self.request(*ONE_LINK)
        self.assert_carried_by(service, "fibre")
        self.profile(dispersion=["flow"], networks={"northfibre-5g": "prefer"})
        self.assert_carried_by(service, "mobile")

    def test_claim_c07_highest_rated_network(self):
        self.assert_follows_ratings("networks", {"fibre": "northfibre-ftth", "mobile": "northfibre-5g"})


if __name__ == "__main__":
    BUILD = pathlib.Path(sys.argv.pop()).resolve()
    unittest.main(verbosity=2)

# SPDX-License-Identifier: BSD-3-Clause
"""negotiate() among twenty providers and more, of which most are not to be relied on: the right one is chosen within
the deadline, and at the end none has a firm quote or an unwanted order open."""
import json
import subprocess
import sys
import tempfile
import time
import unittest

import providers as p

CLI = sys.argv.pop(1)


def negotiate(sellers, **more):
    asked = {"wish": dict({"id": "w-1"}, **more.pop("wish", {})), "takes_ms": 3000, **more,
             "sellers": [dict({"provider": s.name, "url": s.url}, **getattr(s, "document", {})) for s in sellers]}
    done = subprocess.run([CLI], input=json.dumps(asked), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Negotiation(unittest.TestCase):
    def start(self, *sellers):
        for s in sellers:
            self.addCleanup(s.stop)
        return list(sellers)

    def told(self, result, provider):
        return next(t["what"] for t in result["told"] if t["provider"] == provider)

    def assert_none_open(self, sellers, winner):
        for s in sellers:
            self.assertEqual([], s.firm_open(), s.name)
            self.assertEqual(1 if s.name == winner else 0, len(s.orders_open()), s.name)

    def test_claim_c03_twenty_providers(self):
        good = p.Provider("good", "0.3")
        sellers = self.start(
            good, p.Provider("dear", "0.5"), p.Provider("dearest", "0.500000001"), p.Unsure("unsure", "0.31"),
            p.BrokenOnce("brokenonce", "0.32"), p.Slow("slow", "0.01"), p.Dead("dead"), p.Refusing("refusing"),
            p.Liar("infinite", "1e400"), p.Liar("decimals", "0.123456789012"), p.Liar("dollars", "0.01", unit="USD"),
            p.Liar("halftotal", "0.4", total="0.02"), p.Liar("negative", "-1"), p.Garbage("garbage", "0.01"),
            p.Expiring("expiring", "0.01"), p.Expired("expired", "0.01"), p.OrderRejected("rejects", "0.02"),
            p.OrderRefused("refuses", "0.03"), p.Broken("broken", "0.01"), p.Endless("endless", "0.01"),
            p.Full("full", "0.01"), p.NeverSure("neversure", "0.01"), p.OrderDearer("cheat", "0.04"),
            p.RejectionForgotten("forgets", "0.4"), p.Redirect("redirect", "0.01", good.url))
        mute = p.Dead("mute")
        mute.document = {"availability": False}  # so that it is asked for a quote, and never says whether it made one
        sellers += self.start(mute)
        never = p.Provider("never", "0.001")
        never.document = {"approved": False}
        sellers += self.start(never)
        result = negotiate(sellers)
        self.assertEqual("good", result["held"]["provider"], result["told"])
        self.assertEqual("300.00", result["held"]["total"])
        self.assertLess(result["decided_ms"], 3000)
        self.assert_none_open(sellers, "good")
        self.assertEqual([], never.calls)
        # Only who never answered may still have something, for all we know.
        self.assertEqual([("mute", "quote", "")], [(o["provider"], o["kind"], o["id"]) for o in result["open"]])
        for provider, words in {
                "good": "won at 300.00 EUR", "dear": "costs", "dead": "did not answer in time", "slow": "in time",
                "refusing": "failed", "infinite": "the number 1e400 does not fit", "decimals": "more than 9 decimals",
                "dollars": "\"USD\"; prices are asked for in EUR", "halftotal": "is 0.02 a GB, but its item says 0.40",
                "negative": "is negative", "garbage": "no JSON", "expiring": "less than 10 s", "expired": "has passed",
                "rejects": "\"rejected\"", "refuses": "answered 409 \"sold to somebody else\" (66)",
                "broken": "answered 500 \"null pointer\"", "endless": "more than 262144 octets",
                "full": "no capacity left", "neversure": " in time", "cheat": "quoted was",
                "never": "does not approve", "redirect": "not followed"}.items():
            self.assertIn(words, self.told(result, provider))
        records = result["records"]
        self.assertTrue(all(r["status"] or r["failure"] for r in records))
        self.assertTrue(all(len(r["request_sha256"]) == 64 for r in records if r["method"] != "GET"))
        called = sum(len(s.calls) for s in sellers if hasattr(s, "calls"))
        recorded = sum(r["provider"] not in ("dead", "mute", "refusing") for r in records)
        self.assertEqual(called, recorded)

    def test_ranking_is_profile_then_rating_then_price(self):
        sellers = self.start(p.Provider("a", "0.1"), p.Provider("b", "0.2"), p.Provider("c", "0.3"))
        for ranking, winner in (({}, "a"), ({"b": {"rating": 90}, "a": {"rating": 80}}, "b"),
                                ({"c": {"place": 0}, "b": {"place": 1, "rating": 99}}, "c")):
            with self.subTest(winner=winner):
                result = negotiate(sellers, ranking=ranking, wish={"id": "w-" + winner})
                self.assertEqual(winner, result["held"]["provider"])
                self.assertEqual([], result["open"])
        self.assertEqual([1, 1, 1], [len(s.orders_open()) for s in sellers])
        self.assertEqual([[], [], []], [s.firm_open() for s in sellers])

    def test_good_ones_are_decided_at_once(self):
        sellers = self.start(*[p.Provider(f"p{i:02}", f"0.{50 - i}") for i in range(20)])
        result = negotiate(sellers, takes_ms=20000)
        self.assertEqual("p19", result["held"]["provider"])
        self.assertLess(result["ended_ms"], 5000)
        self.assert_none_open(sellers, "p19")

    def test_an_order_whose_answer_is_lost_is_placed_once(self):
        sellers = self.start(p.OrderLost("lost", "0.1"), p.Provider("other", "0.2"))
        result = negotiate(sellers)
        self.assertEqual("lost", result["held"]["provider"], result["told"])
        self.assertEqual(2, sellers[0].lost)
        self.assertEqual(list(sellers[0].orders), [result["held"]["order"]])
        self.assert_none_open(sellers, "lost")

    def test_an_order_that_is_never_confirmed_is_cancelled(self):
        sellers = self.start(p.OrderSilent("silent", "0.1"), p.Provider("other", "0.2"))
        result = negotiate(sellers)
        self.assertEqual("other", result["held"]["provider"], result["told"])
        self.assertIn("did not answer in time", self.told(result, "silent"))
        self.assertEqual([], sellers[0].orders_open())
        self.assertEqual(["cancelled"], [o["state"] for o in sellers[0].orders.values()])

    def test_an_order_answered_twice_is_taken_once(self):
        sellers = self.start(p.OrderTwice("twice", "0.1"), p.Provider("other", "0.2"))
        result = negotiate(sellers)
        self.assertEqual("twice", result["held"]["provider"])
        self.assertEqual(list(sellers[0].orders), [result["held"]["order"]])
        self.assert_none_open(sellers, "twice")

    def test_the_same_wish_again_is_the_same_order(self):
        sellers = self.start(p.Provider("a", "0.1"))
        orders = {negotiate(sellers)["held"]["order"] for _ in range(2)}
        self.assertEqual(1, len(orders))
        self.assertEqual(1, len(sellers[0].quotes))

    def test_above_the_budget_nothing_is_ordered(self):
        sellers = self.start(p.Provider("a", "0.100000001"))
        result = negotiate(sellers, wish={"budget": "100"})
        self.assertNotIn("held", result)
        self.assertIn("costs 100.000001 EUR, more than the 100.00", self.told(result, "a"))
        self.assert_none_open(sellers, None)

    def test_who_is_objected_to_takes_no_order(self):
        sellers = self.start(p.Provider("a", "0.1"), p.Provider("b", "0.2"), p.Provider("c", "0.3"))
        result = negotiate(sellers, objections={"a": "the client would pay too much"})
        self.assertEqual("b", result["held"]["provider"])
        self.assertEqual("a is not ordered from at 100.00 EUR: the client would pay too much", self.told(result, "a"))
        self.assertEqual("b won at 200.00 EUR: b costs 200.00 EUR, c 300.00 EUR; those before it could not be had", self.told(result, "b"))
        self.assertEqual({}, sellers[0].orders)
        self.assert_none_open(sellers, "b")
        nobody = negotiate(sellers, wish={"id": "w-2"}, objections={s.name: "no" for s in sellers})
        self.assertNotIn("held", nobody)
        self.assertEqual([[], ["b"], []], [[o["id"].split("-")[0] for o in s.orders.values()] for s in sellers])
        self.assertEqual([[], [], []], [s.firm_open() for s in sellers])

    def test_what_could_not_be_released_is_tried_again(self):
        class Stubborn(p.RejectionForgotten):
            failures = 10
        sellers = self.start(Stubborn("stubborn", "0.2"), p.Provider("a", "0.1"))
        result = negotiate(sellers, takes_ms=1000, again_ms=20000)
        self.assertEqual([("stubborn", "stubborn-q1")], [(o["provider"], o["id"]) for o in result["open"]])
        self.assertIn("try again", result["open"][0]["why"])
        self.assertEqual([], result["open_after"])
        self.assert_none_open(sellers, "a")

    def test_cancelling_ends_it_and_tells_what_is_open(self):
        sellers = self.start(p.NeverSure("neversure", "0.1"), p.Dead("dead"))
        began = time.monotonic()
        result = negotiate(sellers, takes_ms=30000, cancel_after_ms=1000, again_ms=3000)
        self.assertLess(result["ended_ms"], 2000)
        self.assertLess(time.monotonic() - began, 10)
        self.assertNotIn("held", result)
        self.assertEqual({"neversure"}, {o["provider"] for o in result["open"]} - {"dead"})
        self.assert_none_open(sellers, None)


class Identity(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        for name in ("server", "client", "stranger"):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                            "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
                            "-keyout", cls.at(name + ".key"), "-out", cls.at(name + ".pem")],
                           check=True, capture_output=True, timeout=30)

    @classmethod
    def at(cls, name):
        return f"{cls.folder.name}/{name}"

    def ask(self, document, **server):
        seller = p.Provider("tls", "0.1", certificate=(self.at("server.pem"), self.at("server.key")), **server)
        self.addCleanup(seller.stop)
        seller.document = document
        result = negotiate([seller])
        return result["held"]["provider"] if "held" in result else result["told"][0]["what"]

    def test_a_server_is_whom_its_certificate_says(self):
        self.assertEqual("tls", self.ask({"ca": self.at("server.pem")}))
        self.assertIn("certificate", self.ask({}))
        self.assertIn("certificate", self.ask({"ca": self.at("stranger.pem")}))

    def test_mutual_tls(self):
        ours = {"ca": self.at("server.pem"), "certificate": self.at("client.pem"), "key": self.at("client.key")}
        self.assertEqual("tls", self.ask(ours, client_ca=self.at("client.pem")))
        self.assertNotEqual("tls", self.ask({"ca": self.at("server.pem")}, client_ca=self.at("client.pem")))

    def test_a_token(self):
        ours = {"ca": self.at("server.pem")}
        self.assertEqual("tls", self.ask(dict(ours, token="s3cret"), token="s3cret"))
        self.assertIn("401 \"who are you?\"", self.ask(dict(ours, token="wrong"), token="s3cret"))

    def test_plain_http_is_for_loopback(self):
        class Elsewhere:
            name, url = "far", "http://192.0.2.1/tmf-api"
        self.assertIn("plain http", negotiate([Elsewhere])["told"][0]["what"])
        for url in ("ftp://127.0.0.1/x", "https://127.0.0.1/x/", "https://127.0.0.1/?a=", "127.0.0.1",
                    "file:///etc/passwd"):
            Elsewhere.url = url
            self.assertIn("was not asked", negotiate([Elsewhere])["told"][0]["what"], url)


if __name__ == "__main__":
    unittest.main(verbosity=2)

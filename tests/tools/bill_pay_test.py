#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""anabranch bill pay, refund, payments and dun, against processors of cards: one of the tests' own, which goes wrong
in every way at every request, and stripe-stateful-mock. Needs neither root nor a gateway; npm for some.

    bill_pay_test.py ANABRANCH MONTH_GENERATOR SOURCE_ROOT BUILD_ROOT
"""
import decimal
import functools
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse
import urllib.request

ANABRANCH, GENERATOR, ROOT, BUILD = sys.argv[1:5]
sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(ROOT) / "tests/billing"))
import card_processor  # noqa: E402

NPM = pathlib.Path(BUILD) / "tests/npm-cards"
OFFICIAL = """
const stripe = require('stripe')('sk_test_anabranch', {host: '127.0.0.1', port: +process.argv[2], protocol: 'http', maxNetworkRetries: 0});
const assert = require('assert');
(async () => {
  const wanted = {amount: 1234, currency: 'eur', customer: 'cus_1', payment_method: 'pm_fine', off_session: true, confirm: true, metadata: {a: 'b'}};
  const made = await stripe.paymentIntents.create(wanted, {idempotencyKey: 'k1'});
  assert.equal(made.status, 'succeeded');
  assert.equal((await stripe.paymentIntents.create(wanted, {idempotencyKey: 'k1'})).id, made.id);
  await assert.rejects(stripe.paymentIntents.create({...wanted, amount: 1}, {idempotencyKey: 'k1'}), stripe.errors?.StripeIdempotencyError ?? /idempotent/);
  const got = await stripe.paymentIntents.retrieve(made.id, {expand: ['latest_charge']});
  assert.equal(got.latest_charge.amount_refunded, 0);
  for (const [method, code] of [['pm_poor', 'insufficient_funds'], ['pm_auth', undefined]]) {
    const error = await stripe.paymentIntents.create({...wanted, payment_method: method}, {idempotencyKey: method}).then(() => null, e => e);
    assert.equal(error.type, 'StripeCardError');
    assert.equal(error.decline_code || undefined, code);
    assert.equal((await stripe.paymentIntents.cancel(error.payment_intent.id)).status, 'canceled');
  }
  const refund = await stripe.refunds.create({payment_intent: made.id, amount: 234}, {idempotencyKey: 'r1'});
  assert.equal(refund.status, 'succeeded');
  assert.equal((await stripe.paymentIntents.retrieve(made.id, {expand: ['latest_charge']})).latest_charge.amount_refunded, 234);
  const all = [];
  for await (const intent of stripe.paymentIntents.list({customer: 'cus_1', limit: 1})) all.push(intent.id);
  assert.equal(all.length, 3);
  const back = (await stripe.refunds.list({payment_intent: made.id})).data;
  assert.deepEqual(back.map(r => [r.id, r.payment_intent, r.status]), [[refund.id, made.id, 'succeeded']]);
  const now = Math.floor(Date.now() / 1000);
  assert.equal((await stripe.refunds.list({created: {gte: now - 60}})).data.length, 1);
  assert.equal((await stripe.refunds.list({created: {gte: now + 60}})).data.length, 0);
  const disputes = (await stripe.disputes.list({payment_intent: 'pi_1', limit: 100})).data;
  assert.deepEqual(disputes.map(d => [d.amount, d.status, d.balance_transactions[0].net]), [[1000, 'needs_response', -2500]]);
  console.log('content');
})().catch(e => { console.error(e); process.exit(1); });
"""


SIGNATURES = """
const stripe = require('stripe')('sk_test_anabranch');
const assert = require('assert');
const [ours, header, secret] = process.argv.slice(2);
assert.equal(stripe.webhooks.constructEvent(ours, header, secret).type, 'refund.updated');
const now = 1700000000;
const body = JSON.stringify({id: 'evt_1', type: 'charge.refunded', data: {object: {description: 'für Zoë ☂'}}}, null, 2);
const made = (secret, timestamp = now, payload = body) => stripe.webhooks.generateTestHeaderString({payload, secret, timestamp});
const v1 = header => header.split(',')[1];
const cases = [];
for (const header of [
  made('s1'), made('s2'), made('s3'), made('s1', now - 300), made('s1', now - 301), made('s1', now - 1e6), made('s1', now, body + ' '),
  made('s2') + ',' + v1(made('s1')), made('s3') + ',' + v1(made('s1')), made('s3') + ',' + v1(made('s4')), 'v0=abc,' + made('s1'),
  made('s1').replace('v1=', 'v0='), made('s1').replace(/^t=\\d+/, 't=' + (now - 1)), made('s1').replace(/^t=/, 'T='), made('s1').toUpperCase(),
  made('s1').slice(0, -1), made('s1') + '0', v1(made('s1')), 't=' + now, '', ',', 't=,v1=', 'v1=' + 'a'.repeat(64) + ',' + made('s1'),
  v1(made('s1')) + ',t=' + now]) {
  for (const secrets of [['s1'], ['s2'], ['s1', 's2'], ['s2', 's1']]) {
    const believed = secrets.some(s => { try { stripe.webhooks.constructEvent(body, header, s, 300, undefined, now * 1000); return true; } catch { return false; } });
    cases.push({header, secrets, believed});
  }
}
console.log(JSON.stringify({now, body, cases}));
"""


@functools.cache
def npm_ready():
    """stripe and stripe-stateful-mock, where npm is and its registry answers."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        return False
    if not (NPM / "node_modules/stripe-stateful-mock").is_dir():
        NPM.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--prefix", NPM, "stripe@23.1.0", "stripe-stateful-mock@0.0.16"],
                           check=True, timeout=240, stdout=subprocess.DEVNULL)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as failure:
            print(f"SKIPPED what needs npm: {failure}")
            return False
    return True


class Paying(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="anabranch-bill-pay-", dir="/var/tmp"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.ledger = self.folder / "ledger.sqlite"
        (self.folder / "key").write_text("sk_test_anabranch\n")

    def generate(self, cards, card, **terms):
        """A ledger and journals of a month in which client-1 had a service; it pays by that card."""
        documents = {
            "issuers": [{"id": "co", "name": "Anabranch Co", "zone": "Europe/Berlin", "grace_hours": 0, "cards": cards | {"key_file": str(self.folder / "key")}}],
            "profiles": [{"id": "carded", "billing": {"payment": {"by": "card", **terms}}}],
            "clients": [{"id": "client-1", "name": "Client 1 Ltd", "tariff": "plain", "profile": "carded", "card": card}]}
        file = self.folder / "documents.json"
        file.write_text(json.dumps(documents))
        subprocess.run([GENERATOR, self.ledger, self.folder / "journals", "--clients", "1", "--documents", file], check=True, capture_output=True, timeout=60)

    def owe(self, cards, card, **terms):
        """A ledger in which client-1 owes one statement, and pays by that card."""
        self.generate(cards, card, **terms)
        copy = self.folder / "unclosed.sqlite"
        self.run_it("ledger", "backup", self.ledger, "--to", copy)
        self.unclosed = copy.read_bytes()
        closed = self.bill_json("close", *sorted((self.folder / "journals").iterdir()))
        [self.statement] = [s for c in closed["closed"] for s in c["statements"] if c["account"] == "client:client-1"]
        self.gross = int(decimal.Decimal(self.statement["gross"]) * 100)

    def start(self, *command):
        self.process = subprocess.Popen([ANABRANCH, *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err

    def run_it(self, *command, status=0):
        code, out, err = self.start(*command)
        self.assertEqual(code, status, out + err)
        return out, err

    def bill(self, command, *options, status=0):
        return self.run_it("bill", command, "--ledger", self.ledger, *options, status=status)

    def bill_json(self, command, *options, status=0):
        return json.loads(self.run_it("--json", "bill", command, "--ledger", self.ledger, *options, status=status)[0])

    def assert_paid_once(self, charged):
        self.assertEqual(charged, self.gross)
        paid = [p for p in self.bill_json("payments") if p["state"] == "succeeded"]
        self.assertEqual([p["amount"] for p in paid], [self.statement["gross"]])
        self.assertIn("nothing is wrong", self.run_it("ledger", "verify", self.ledger)[0])


class Intents(Paying):
    def setUp(self):
        super().setUp()
        self.processor = card_processor.Processor()
        self.processor.victim = lambda: self.process.pid
        self.addCleanup(self.processor.close)

    def owe_by(self, method="pm_fine", **terms):
        self.owe({"url": self.processor.url}, {"customer": "cus_1", "method": method}, **terms)

    def use(self, **terms):
        """A ledger whose client-1 has used something that is on no statement yet."""
        self.generate({"url": self.processor.url}, {"customer": "cus_1", "method": "pm_fine"}, **terms)
        self.journals = sorted((self.folder / "journals").iterdir())
        [statement] = self.bill_json("balance", "--client", "client-1", *self.journals)
        self.used = int(decimal.Decimal(statement["used"]) * 100)
        self.assertGreater(self.used, 1)

    @unittest.skipUnless(npm_ready(), "npm is not there")
    def test_the_official_client_is_content_with_the_double(self):
        file = NPM / "official.js"
        file.write_text(OFFICIAL)
        # There is a dispute before it comes.
        self.processor.act("POST", "/v1/payment_intents", {"amount": "1000", "currency": "eur", "customer": "cus_0", "payment_method": "pm_fine"}, {})
        self.processor.dispute("pi_1", 1000)
        port = self.processor.server.server_address[1]
        done = subprocess.run(["node", file, str(port)], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout), (0, "content\n"), done.stderr)

    @unittest.skipUnless(npm_ready(), "npm is not there")
    def test_signatures_are_believed_as_the_official_client_does(self):
        file = NPM / "signatures.js"
        file.write_text(SIGNATURES)
        ours = card_processor.event("refund.updated", {"id": "re_1"})
        done = subprocess.run(["node", file, ours, card_processor.signed(ours), card_processor.EVENTS_SECRET], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        said = json.loads(done.stdout)
        believed = [case for case in said["cases"] if case["believed"]]
        self.assertGreater(len(believed), 20)
        self.assertGreater(len(said["cases"]) - len(believed), 20)
        for case in said["cases"]:
            with self.subTest(**case):
                check = subprocess.run([pathlib.Path(BUILD) / "tests/billing/check_event", str(said["now"]), case["header"], *case["secrets"]],
                                       input=said["body"].encode(), capture_output=True, timeout=20)
                self.assertEqual(check.returncode == 0, case["believed"], check.stderr)

    def test_claim_c11_a_card_is_billed(self):
        self.owe_by()
        out, _ = self.bill("dun")
        self.assertRegex(out, rf"(?m)^{self.statement['number']}-\S+ +card +{self.statement['number']} +{self.statement['gross']} EUR +succeeded")
        self.assert_paid_once(self.processor.charged())
        self.assertRegex(self.bill("dun")[0], "^nothing is due")
        self.assert_paid_once(self.processor.charged())
        # It looks whether it is paid already, and charges.
        self.assertEqual([(method, path.split("?")[0]) for method, path, _, _ in self.processor.seen[:2]], [("GET", "/v1/payment_intents"), ("POST", "/v1/payment_intents")])
        method, path, body, key = self.processor.seen[1]
        self.assertEqual((method, path), ("POST", "/v1/payment_intents"))
        self.assertTrue(key.startswith(self.statement["number"]))
        self.assertIn("off_session=true", body)
        fields = card_processor.nested(urllib.parse.parse_qsl(body))["metadata"]
        self.assertEqual(fields, {"anabranch_payment": key, "anabranch_statement": f"co/{self.statement['number']}", "anabranch_account": "client:client-1"})

    def test_whatever_happens_at_whichever_request_it_is_paid_once(self):
        for how in ("500_before", "500_after", "429", "409", "drop_before", "drop_after", "garbage_after", "another", "kill_before", "kill_after"):
            for first in (1, 2, 3):
                # A request alone, which the next makes good; or all, until somebody asks again.
                for count in (1, 3):
                    with self.subTest(how=how, first=first, count=count):
                        self.begin_anew()
                        self.owe_by()
                        self.processor.arm(how, first, count)
                        self.start("bill", "dun", "--ledger", self.ledger)
                        self.start("bill", "dun", "--ledger", self.ledger)
                        self.processor.arm(None, 1, 0)
                        self.start("bill", "dun", "--ledger", self.ledger)
                        self.start("bill", "pay", "--ledger", self.ledger, self.statement["number"])
                        self.assert_paid_once(self.processor.charged())

    def test_what_is_used_is_charged_on_account_once_whatever_happens(self):
        for how in (None, "500_before", "500_after", "429", "drop_before", "drop_after", "garbage_after", "kill_before", "kill_after"):
            for first in (1, 2):
                with self.subTest(how=how, first=first):
                    self.begin_anew()
                    self.use(charge="threshold", threshold="0.02")
                    self.processor.arm(how, first, 1)
                    for _ in range(2):
                        self.start("bill", "dun", "--ledger", self.ledger, *self.journals)
                    self.processor.arm(None, 1, 0)
                    self.start("bill", "dun", "--ledger", self.ledger, *self.journals)
                    self.assertEqual(self.processor.charged(), self.used)
                    # The statement is paid by what is there already.
                    self.bill_json("close", *self.journals)
                    self.assertEqual(self.bill_json("dun", *self.journals)["moved"], [])
                    [balance] = self.bill_json("balance", "--client", "client-1")
                    self.assertEqual((balance["credit"], balance["used"]), ("0.00", "0.00"))
                    self.assertIn("nothing is wrong", self.run_it("ledger", "verify", self.ledger)[0])

    def test_what_is_paid_ahead_is_charged_below_the_floor_and_by_hand(self):
        self.use(charge="ahead", top_up="0.50", floor="0.10")
        [payment] = self.bill_json("dun", *self.journals)["moved"]
        self.assertEqual((payment["key"], payment["statement"], payment["state"]), ("client-1-account-1", "", "succeeded"))
        charged = self.processor.charged()
        self.assertEqual(charged % 50, 0)
        self.assertGreaterEqual(charged - self.used, 10)
        self.assertLess(charged - self.used, 60)
        self.assertEqual(self.bill_json("dun", *self.journals)["moved"], [])
        by_hand = self.bill_json("pay", "--ahead", "5", "--currency", "EUR", "--client", "client-1")
        self.assertEqual((by_hand["key"], by_hand["amount"]), ("client-1-account-2", "5.00"))
        [balance] = self.bill_json("balance", "--client", "client-1", *self.journals)
        self.assertEqual(int(decimal.Decimal(balance["left"]) * 100), charged + 500 - self.used)
        self.assertRegex(self.bill("balance", "--client", "client-1", *self.journals)[0], r"^credit +\S+ EUR; used")
        self.assertIn("expected --client and --currency", self.bill("pay", "--ahead", "5", status=2)[1])

    def begin_anew(self):
        for file in self.folder.iterdir():
            if file.name != "key":
                shutil.rmtree(file) if file.is_dir() else file.unlink()
        self.processor.forget()

    def test_a_poor_card_is_tried_again_and_a_lost_one_is_not(self):
        self.owe_by("pm_poor")
        report = self.bill_json("dun", status=0)
        self.assertEqual([p["state"] for p in report["moved"]], ["failed"])
        self.assertIn("insufficient_funds", report["moved"][0]["detail"])
        self.assertIsNotNone(report["next"])
        self.assertEqual(self.processor.intents["pi_1"]["status"], "canceled", "nobody can confirm it later")
        for method, state in (("pm_lost", "requires-customer"), ("pm_auth", "requires-customer"), ("pm_none", "requires-customer")):
            self.begin_anew()
            self.owe_by(method)
            self.assertEqual([p["state"] for p in self.bill_json("dun")["moved"]], [state], method)
            self.assertEqual(self.bill_json("dun")["moved"], [])
        self.assertEqual(self.processor.charged(), 0)

    def test_a_refund_goes_back_once(self):
        self.owe_by()
        self.bill("dun")
        [payment] = self.bill_json("payments")
        out, err = self.bill("refund", payment["key"], "--amount", "10000000", status=1)
        self.assertIn("cannot go back", err)
        for n, how in enumerate(("500_after", "drop_after", "kill_after", "kill_before", "429"), 1):
            self.processor.arm(how, 1, 3)
            self.start("bill", "refund", "--ledger", self.ledger, payment["key"], "--amount", "0.05")
            self.processor.arm(None, 1, 0)
            self.start("bill", "dun", "--ledger", self.ledger)
            self.assertEqual(self.processor.returned(), 5 * n, how)
            back = [p for p in self.bill_json("payments") if p["kind"] == "refund"]
            self.assertEqual([p["state"] for p in back], ["succeeded"] * n)
        self.assertRegex(self.bill("dun")[0], "^nothing is due")
        self.assertEqual(self.processor.charged(), self.gross, "and is not charged again")

    def assert_books_are_right(self):
        self.assertEqual(self.balance("cash:cards"), self.processor.cash())
        self.assertIn("nothing is wrong", self.run_it("ledger", "verify", self.ledger)[0])

    def balance(self, account):
        balances = self.run_it("ledger", "balance", self.ledger)[0]
        found = re.search(rf"(?m)^{account} +(-?[\d.]+)", balances)
        return int(decimal.Decimal(found[1]) * 100) if found else 0

    def test_what_is_done_at_the_processor_is_posted_once(self):
        self.owe_by()
        self.bill("dun")
        # By hand there; nobody tells of it, it is found when it is looked for.
        for n, how in enumerate((None, "500_before", "drop_after", "garbage_after", "kill_after"), 1):
            self.processor.refund_by_hand("pi_1", 5)
            for at in range(1, 5):
                self.processor.arm(how, at, 3)
                self.start("bill", "dun", "--ledger", self.ledger)
            self.processor.arm(None, 1, 0)
            self.bill("dun")
            self.assertEqual(len([p for p in self.bill_json("payments") if p["kind"] == "refund"]), n, how)
            self.assertEqual(self.balance("client:client-1"), 5 * n)
            self.assert_books_are_right()
        # Disputed, won; disputed again, lost.
        for n, decided in enumerate(("won", "lost")):
            dispute = self.processor.dispute("pi_1", 10)
            report = self.bill_json("dun")
            self.assertRegex(report["notes"][0], rf"of statement {self.statement['number']} for client:client-1 is disputed, 0.10 EUR: fraudulent \({dispute['id']}\)")
            self.assertEqual((self.balance("dispute:cards"), self.balance("fee:cards"), self.balance("client:client-1")), (10, 1500, 25))
            self.assertEqual([p.get("disputed") for p in self.bill_json("payments") if p["kind"] == "card"], [True])
            self.assertEqual(self.bill_json("dun")["notes"], [])
            self.assert_books_are_right()
            [payment] = [p for p in self.bill_json("payments") if p["kind"] == "card"]
            self.assertIn("is disputed", self.bill("refund", payment["key"], "--amount", "0.01", status=1)[1])
            self.processor.decide(dispute, decided)
            self.assertIn(f"the dispute about 0.10 EUR is {decided}", self.bill("dun")[0])
            self.assertEqual((self.balance("dispute:cards"), self.balance("fee:cards"), self.balance("client:client-1")), (0, 1500 * n, 25 + 10 * n))
            self.assert_books_are_right()
        self.assertEqual([p.get("lost") for p in self.bill_json("payments") if p["kind"] == "card"], ["0.10"])
        self.assertEqual(self.processor.charged(), self.gross, "and is not charged again")

    def test_a_ledger_restored_from_a_backup_does_not_pay_again(self):
        self.owe_by()
        kept = self.statement
        self.bill("dun")
        [paid] = self.bill_json("payments")
        # Of before the period was closed: it is closed anew, on another day.
        self.assertEqual(self.processor.charged(), self.gross)
        self.restore_and_close_anew()
        self.assertEqual((self.statement["number"], self.statement["gross"]), (kept["number"], kept["gross"]))
        [moved] = self.a_day_later("dun")["moved"]
        self.assertEqual((moved["key"], moved["state"]), (paid["key"], "succeeded"))
        other = [p for p in self.bill_json("payments") if p["key"] != paid["key"]]
        self.assertEqual([p["state"] for p in other], ["failed"], "the statement has another key now")
        self.assertIn(paid["key"], other[0]["detail"])
        self.assertEqual(self.a_day_later("dun")["moved"], [])
        self.assert_paid_once(self.processor.charged())

    def restore_and_close_anew(self):
        self.ledger.write_bytes(self.unclosed)
        for name in ("ledger.sqlite-wal", "ledger.sqlite-shm"):
            (self.folder / name).unlink(missing_ok=True)
        journals = sorted((self.folder / "journals").iterdir())
        closed = self.a_day_later("close", *journals)
        [self.statement] = [s for c in closed["closed"] for s in c["statements"] if c["account"] == "client:client-1"]

    def a_day_later(self, command, *options):
        done = subprocess.run(["faketime", "+1 day", ANABRANCH, "--json", "bill", command, "--ledger", self.ledger, *options], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def test_a_transfer_counts_once_and_the_card_pays_the_rest(self):
        self.owe_by()
        transfer = ("--received", "0.10", "--currency", "EUR", "--client", "client-1", "--reference", "bank-1", self.statement["number"])
        for _ in range(2):
            self.bill("pay", *transfer)
        self.bill("dun")
        self.assertEqual(self.processor.charged(), self.gross - 10)
        self.assertIn('has no document clients/nobody', self.bill("pay", *transfer[:5], "nobody", "--reference", "bank-2", status=1)[1])
        self.assertIn("has no statement 2026-000099", self.bill("pay", *transfer[:-2], "bank-3", "2026-000099", status=1)[1])
        self.assertIn("whole coins", self.bill("pay", "--received", "0.001", *transfer[2:], status=2)[1])

    def test_a_wrong_key_is_a_problem_and_no_failure_of_the_card(self):
        self.owe_by()
        (self.folder / "key").write_text("sk_wrong\n")
        report = self.bill_json("dun")
        self.assertEqual([p["state"] for p in report["moved"]], ["pending"])
        self.assertIn("401", report["moved"][0]["detail"])
        (self.folder / "key").write_text("sk_test_anabranch\n")
        self.bill("dun")
        self.assert_paid_once(self.processor.charged())


@unittest.skipUnless(npm_ready(), "npm is not there")
class Charges(Paying):
    """stripe-stateful-mock, which nobody here wrote."""

    def setUp(self):
        super().setUp()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.mock = subprocess.Popen(["node", NPM / "node_modules/stripe-stateful-mock/dist/cli.js"], env=os.environ | {"PORT": str(self.port), "LOG_LEVEL": "silent"},
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(self.mock.wait)
        self.addCleanup(self.mock.kill)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                break
            except OSError:
                time.sleep(0.05)  # there is nothing else to wait on

    def ask(self, path, **form):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", urllib.parse.urlencode(form).encode() if form else None, {"Authorization": "Bearer sk_test_anabranch"})
        return json.load(urllib.request.urlopen(request, timeout=20))

    def owe_by(self, token):
        customer = self.ask("/v1/customers", source=token)
        self.owe({"dialect": "charges", "url": f"http://127.0.0.1:{self.port}"}, {"customer": customer["id"], "method": customer["default_source"]})
        return customer

    def charged(self):
        return sum(c["amount"] - c["amount_refunded"] for c in self.ask("/v1/charges?limit=100")["data"] if c["status"] == "succeeded")

    def test_a_card_is_charged_once_and_refunded(self):
        self.owe_by("tok_visa")
        self.bill("dun")
        self.bill("dun")
        self.assert_paid_once(self.charged())
        [payment] = self.bill_json("payments")
        self.bill("refund", payment["key"], "--amount", "0.50")
        self.assertEqual(self.charged(), self.gross - 50)

    def test_a_decline_is_told(self):
        self.owe_by("tok_chargeCustomerFail")
        [payment] = self.bill_json("dun")["moved"]
        self.assertIn(payment["state"], ("failed", "requires-customer"))
        self.assertIn("declined", payment["detail"])
        self.assertEqual(self.charged(), 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)

# SPDX-License-Identifier: BSD-3-Clause
"""A processor of cards as Stripe's API v1 is (payment intents, refunds, disputes, idempotency), which can go wrong at its n-th
request: before it acted, after, with garbage, with another payment's answer, or by killing who asked. The official
client of npm has to be content with it first (bill_pay_test.py)."""
import hashlib
import hmac
import http.server
import json
import os
import signal
import socket
import threading
import time
import urllib.parse

DECLINES = {"pm_poor": "insufficient_funds", "pm_auth": "authentication_required", "pm_lost": "lost_card"}


EVENTS_SECRET = "whsec_anabranch"


def signed(body, secret=EVENTS_SECRET, at=None):
    """The header Stripe-Signature of an event's body."""
    at = int(time.time() if at is None else at)
    return f"t={at},v1={hmac.new(secret.encode(), f'{at}.{body}'.encode(), hashlib.sha256).hexdigest()}"


def event(kind, of):
    return json.dumps({"id": f"evt_{kind}_{of.get('id')}", "object": "event", "type": kind, "data": {"object": of}})


class Answer(Exception):
    def __init__(self, status, **error):
        super().__init__(status)
        self.status, self.body = status, {"error": error}


def nested(pairs):
    """Fields as form encoding has them: a[b]=c is {"a": {"b": "c"}}."""
    result = {}
    for name, value in pairs:
        head, *rest = name.replace("]", "").split("[")
        if rest:
            result.setdefault(head, {})[rest[0]] = value
        else:
            result[head] = value
    return result


class Processor:
    def __init__(self):
        self.lock = threading.Lock()
        self.intents, self.refunds, self.disputes, self.results = {}, {}, {}, {}
        self.requests, self.faults, self.victim = 0, {}, None
        self.seen = []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def forget(self):
        with self.lock:
            self.intents, self.refunds, self.disputes, self.results = {}, {}, {}, {}

    def arm(self, how, first, count=1):
        """From the first-th request from now on, so many go wrong."""
        with self.lock:
            self.requests = 0
            self.faults = {n: how for n in range(first, first + count)}

    def charged(self):
        return sum(i["amount"] for i in self.intents.values() if i["status"] == "succeeded")

    def returned(self):
        return sum(r["amount"] for r in self.refunds.values())

    def cash(self):
        """What is left of it all with the processor."""
        return self.charged() - self.returned() + sum(t["net"] for d in self.disputes.values() for t in d["balance_transactions"])

    # --- What others do there ---

    def refund_by_hand(self, intent, amount):
        with self.lock:
            return self.refund({"payment_intent": intent, "amount": amount})

    def dispute(self, intent, amount, fee=1500):
        with self.lock:
            identity, charged = f"dp_{len(self.disputes) + 1}", self.intents[intent]
            self.disputes[identity] = {
                "id": identity, "object": "dispute", "amount": amount, "currency": charged["currency"], "charge": charged["latest_charge"], "payment_intent": intent,
                "created": int(time.time()), "reason": "fraudulent", "status": "needs_response", "metadata": {}, "balance_transactions": []}
            self.balance(self.disputes[identity], -amount, fee)
            return self.disputes[identity]

    def decide(self, dispute, status):
        with self.lock:
            dispute["status"] = status
            if status == "won":
                self.balance(dispute, dispute["amount"], -dispute["balance_transactions"][0]["fee"])

    @staticmethod
    def balance(dispute, amount, fee):
        moves = dispute["balance_transactions"]
        moves.append({"id": f"txn_{dispute['id']}_{len(moves) + 1}", "object": "balance_transaction", "amount": amount, "fee": fee, "net": amount - fee, "currency": dispute["currency"], "type": "adjustment"})

    # --- What it does ---

    def act(self, method, path, form, query):
        parts = path.strip("/").split("/")[1:]
        if parts == ["payment_intents"] and method == "POST":
            return self.create(form)
        if parts == ["payment_intents"]:
            return self.listed("payment_intents", self.intents, query)
        if parts in (["refunds"], ["disputes"]) and method == "GET":
            return self.listed(parts[0], {"refunds": self.refunds, "disputes": self.disputes}[parts[0]], query)
        if parts[0] == "payment_intents" and parts[1] in self.intents:
            intent = self.intents[parts[1]]
            if method == "POST" and parts[2:] == ["cancel"]:
                if intent["status"] in ("succeeded", "canceled"):
                    raise Answer(400, type="invalid_request_error", code="payment_intent_unexpected_state", message=f"It is {intent['status']}.")
                intent["status"] = "canceled"
            return intent | ({"latest_charge": self.charge_of(intent)} if any(name.startswith("expand") for name in query) else {})
        if parts == ["refunds"] and method == "POST":
            return self.refund(form)
        raise Answer(404, type="invalid_request_error", code="resource_missing", message=f"No such thing: {path}")

    def create(self, form):
        if form.get("payment_method") in (None, "pm_none"):
            raise Answer(400, type="invalid_request_error", code="resource_missing", param="payment_method", message="No such PaymentMethod")
        identity = f"pi_{len(self.intents) + 1}"
        intent = self.intents[identity] = {
            "id": identity, "object": "payment_intent", "amount": int(form["amount"]), "currency": form["currency"], "customer": form["customer"],
            "payment_method": form["payment_method"], "metadata": form.get("metadata", {}), "status": "succeeded", "latest_charge": f"ch_{len(self.intents) + 1}",
            "created": int(time.time()),
            "last_payment_error": None}
        code = DECLINES.get(form["payment_method"])
        if code is not None:
            error = {"type": "card_error", "code": "card_declined" if code != "authentication_required" else code, "message": "Your card was declined."}
            error |= {"decline_code": code} if code != "authentication_required" else {}
            intent |= {"status": "requires_action" if code == "authentication_required" else "requires_payment_method", "last_payment_error": error, "latest_charge": None}
            raise Answer(402, **error, payment_intent=intent)
        return intent

    @staticmethod
    def listed(name, objects, query):
        def is_wanted(o):
            fields = {field: query[field][0] for field in ("customer", "payment_intent", "charge") if field in query}
            return all(o.get(field) == value for field, value in fields.items()) and o["created"] >= int(query.get("created[gte]", ["0"])[0])
        found = [o for o in reversed(objects.values()) if is_wanted(o)]
        after = query.get("starting_after", [None])[0]
        if after:
            found = found[[o["id"] for o in found].index(after) + 1:]
        limit = int(query.get("limit", ["10"])[0])
        return {"object": "list", "url": f"/v1/{name}", "data": found[:limit], "has_more": len(found) > limit}

    def charge_of(self, intent):
        returned = sum(r["amount"] for r in self.refunds.values() if r["payment_intent"] == intent["id"])
        return {"id": intent["latest_charge"], "object": "charge", "amount": intent["amount"], "amount_refunded": returned}

    def refund(self, form):
        intent, amount = self.intents[form["payment_intent"]], int(form["amount"])
        if amount > intent["amount"] - self.charge_of(intent)["amount_refunded"]:
            raise Answer(400, type="invalid_request_error", code="charge_already_refunded", message="There is less left.")
        identity = f"re_{len(self.refunds) + 1}"
        self.refunds[identity] = {"id": identity, "object": "refund", "amount": amount, "currency": intent["currency"], "payment_intent": intent["id"], "charge": intent["latest_charge"],
                                  "created": int(time.time()), "status": "succeeded", "metadata": form.get("metadata", {})}
        return self.refunds[identity]

    def once(self, key, method, path, form, query):
        """The same key's answer is the same, whatever it was; with another request it is an error."""
        if key and key in self.results:
            asked, status, body = self.results[key]
            if asked != (path, form):
                return 400, {"error": {"type": "idempotency_error", "message": "Keys for idempotent requests can only be used with the same parameters."}}
            return status, body
        try:
            status, body = 200, self.act(method, path, form, query)
        except Answer as answer:
            status, body = answer.status, answer.body
        body = json.loads(json.dumps(body))
        if key and status != 400:
            self.results[key] = (path, form), status, body
        return status, body

    # --- How it is asked ---

    def handler(self):
        processor = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                url = urllib.parse.urlsplit(self.path)
                form = nested(urllib.parse.parse_qsl(body))
                query = urllib.parse.parse_qs(url.query)
                with processor.lock:
                    processor.requests += 1
                    how = processor.faults.get(processor.requests)
                    processor.seen.append((self.command, self.path, body, self.headers.get("Idempotency-Key")))
                    if self.command == "POST" and not self.headers.get("Idempotency-Key") and "/cancel" not in self.path:
                        return self.answer(400, {"error": {"type": "invalid_request_error", "message": "no key"}})
                    if self.headers.get("Authorization") != "Bearer sk_test_anabranch":
                        return self.answer(401, {"error": {"type": "invalid_request_error", "message": "no such API key"}})
                    if how in ("500_before", "429", "409", "drop_before", "kill_before"):
                        return self.fail(how)
                    status, answer = processor.once(self.headers.get("Idempotency-Key"), self.command, url.path, form, query)
                    if how == "another":
                        answer = answer | {"id": "pi_other", "amount": 1, "metadata": {}}
                    elif how is not None:
                        return self.fail(how)
                return self.answer(status, answer)

            def fail(self, how):
                if how.startswith("kill"):
                    os.kill(processor.victim(), signal.SIGKILL)
                if how.startswith(("drop", "kill")):
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                elif how == "garbage_after":
                    self.answer(200, "<html>")
                else:
                    self.answer(int(how[:3]), {"error": {"type": "api_error" if how[0] == "5" else "invalid_request_error", "code": {"429": "rate_limit", "409": "lock_timeout"}.get(how[:3], ""), "message": how}})

            def answer(self, status, body):
                text = (body if isinstance(body, str) else json.dumps(body)).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)
            do_GET = do_POST = serve

            def log_message(self, *_):
                pass
        return Handler

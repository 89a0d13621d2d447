# SPDX-License-Identifier: BSD-3-Clause
"""Providers on 127.0.0.1 that sell paths by TMF645, TMF648 and TMF622: good ones, and such as are slow, dead,
lying about money, returning garbage or forgetting what they promised. Each keeps a book of what it has open."""
import http.server
import itertools
import json
import socket
import ssl
import threading
import time
import urllib.parse
from datetime import datetime, timedelta, timezone


def moment(after_s):
    return (datetime.now(timezone.utc) + timedelta(seconds=after_s)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Raw:
    """A number as it stands in the text."""
    def __init__(self, text):
        self.text = text


def dump(value):
    raws = []

    def keep(raw):
        raws.append(raw.text)
        return f"@@{len(raws) - 1}@@"
    text = json.dumps(value, default=keep)
    for i, raw in enumerate(raws):
        text = text.replace(f'"@@{i}@@"', raw)
    return text


class Provider:
    """An honest one; subclasses change what they answer. The price is a text, a gigabyte's."""
    valid_s = 600

    def __init__(self, name, price, certificate=None, client_ca=None, token=None):
        self.name, self.price, self.token = name, price, token
        self.quotes, self.orders, self.calls = {}, {}, []
        self.lock, self.ids = threading.RLock(), itertools.count(1)
        self.stopped = threading.Event()
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def serve(self):
                provider.serve(self)
            do_GET = do_POST = do_PATCH = serve

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_):
                pass  # who hangs up early is what some tests are about
        self.server = Server(("127.0.0.1", 0), Handler)
        scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            if client_ca:
                context.load_verify_locations(client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self.server.server_address[1]}/tmf-api"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self):
        self.stopped.set()
        self.server.shutdown()
        self.server.server_close()

    # What is asked of the book when all is over.
    def firm_open(self):
        with self.lock:
            return [q for q in self.quotes.values() if q["state"] in ("approved", "inProgress", "pending")
                    and q["until"] > time.time()]

    def orders_open(self):
        with self.lock:
            return [o for o in self.orders.values() if o["state"] not in ("rejected", "failed", "cancelled")]

    def serve(self, request):
        octets = int(request.headers.get("Content-Length") or 0)
        body = json.loads(request.rfile.read(octets)) if octets else None
        url = urllib.parse.urlsplit(request.path)
        parts = [urllib.parse.unquote(p) for p in url.path.split("/")][4:]
        query = dict(urllib.parse.parse_qsl(url.query))
        with self.lock:
            self.calls.append((request.command, parts[0]))
        if self.token and request.headers.get("Authorization") != "Bearer " + self.token:
            return self.answer(request, 401, {"code": "41", "reason": "who are you?"})
        what = {("POST", "checkServiceQualification"): self.qualify, ("POST", "quote"): self.quote,
                ("GET", "quote"): self.get_quote, ("PATCH", "quote"): self.patch_quote,
                ("POST", "productOrder"): self.order, ("GET", "productOrder"): self.get_order,
                ("POST", "cancelProductOrder"): self.cancel}[request.command, parts[0]]
        what(request, body, parts[1:], query)

    def answer(self, request, status, value, raw=None):
        text = (dump(value) if raw is None else raw).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json;charset=utf-8")
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        request.wfile.write(text)

    def qualify(self, request, body, *_):
        item = {"id": "1", "state": "done", "qualificationResult": "qualified", "service": {"serviceCharacteristic": [
            {"name": "path", "value": self.name}, {"name": "bandwidthMbps", "value": 1000},
            {"name": "delayMs", "value": 12.5}, {"name": "lossPercent", "value": 0}]}}
        self.answer(request, 201, {"id": "s1", "state": "done", "serviceQualificationItem": [item]})

    def make_quote(self, body, state="approved"):
        with self.lock:
            for q in self.quotes.values():
                if q["externalId"] == body["externalId"]:
                    return q
            q = {"id": f"{self.name}-q{next(self.ids)}", "externalId": body["externalId"], "state": state,
                 "until": time.time() + self.valid_s, "validFor": {"endDateTime": moment(self.valid_s)}}
            self.quotes[q["id"]] = q
            return q

    def prices(self, text=None, unit="EUR"):
        return [{"priceType": "usageBased", "unitOfMeasure": "GB",
                 "price": {"dutyFreeAmount": {"unit": unit, "value": Raw(text or self.price)}}}]

    def quote_json(self, q):
        item = {"id": "1", "action": "add", "quantity": 1, "state": q["state"], "quoteItemPrice": self.prices()}
        return {"id": q["id"], "externalId": q["externalId"], "state": q["state"], "validFor": q["validFor"],
                "quoteTotalPrice": self.prices(), "quoteItem": [item]}

    def quote(self, request, body, *_):
        self.answer(request, 201, self.quote_json(self.make_quote(body)))

    def get_quote(self, request, _, ids, query):
        with self.lock:
            if ids:
                q = self.quotes.get(ids[0])
                return self.answer(request, 200, self.quote_json(q)) if q else \
                    self.answer(request, 404, {"code": "60", "reason": "no such quote"})
            found = [{k: q[k] for k in ("id", "externalId", "state", "validFor")} for q in self.quotes.values()
                     if q["externalId"] == query.get("externalId", q["externalId"])]
        self.answer(request, 200, found)

    def patch_quote(self, request, body, ids, _):
        with self.lock:
            q = self.quotes.get(ids[0])
            if q is None:
                return self.answer(request, 404, {"code": "60", "reason": "no such quote"})
            if q["state"] in ("approved", "inProgress", "pending"):
                q["state"] = body["state"]
        self.answer(request, 200, self.quote_json(q))

    def make_order(self, body, state="completed"):
        with self.lock:
            for o in self.orders.values():
                if o["externalId"] == body["externalId"]:
                    return o
            o = {"id": f"{self.name}-o{next(self.ids)}", "externalId": body["externalId"], "state": state,
                 "quote": body["quote"][0]["id"]}
            self.orders[o["id"]] = o
            if state != "rejected":
                self.quotes[o["quote"]]["state"] = "accepted"
            return o

    def order_json(self, o):
        item = {"id": "1", "action": "add", "quoteItem": {"id": "1", "quoteId": o["quote"]}}
        return {"id": o["id"], "externalId": o["externalId"], "state": o["state"], "productOrderItem": [item]}

    def order(self, request, body, *_):
        self.answer(request, 201, self.order_json(self.make_order(body)))

    def get_order(self, request, _, ids, query):
        with self.lock:
            if ids:
                return self.answer(request, 200, self.order_json(self.orders[ids[0]]))
            found = [self.order_json(o) for o in self.orders.values() if o["externalId"] == query["externalId"]]
        self.answer(request, 200, found)

    def cancel(self, request, body, *_):
        with self.lock:
            self.orders[body["productOrder"]["id"]]["state"] = "cancelled"
        self.answer(request, 201, {"id": "c1", "state": "done", "productOrder": body["productOrder"]})


class Slow(Provider):
    """Answers with a firm quote after the deadline for quotes, but before all is over."""
    after_s = 2.4

    def quote(self, request, body, *_):
        self.stopped.wait(self.after_s)
        super().quote(request, body)


class Unsure(Provider):
    """Decides later: polled."""
    polls = 3

    def quote(self, request, body, *_):
        self.answer(request, 201, self.quote_json(self.make_quote(body, "inProgress")))

    def get_quote(self, request, body, ids, query):
        with self.lock:
            self.polls -= 1
            if ids and self.polls <= 0 and self.quotes[ids[0]]["state"] == "inProgress":
                self.quotes[ids[0]]["state"] = "approved"
        super().get_quote(request, body, ids, query)


class NeverSure(Provider):
    def quote(self, request, body, *_):
        self.answer(request, 201, self.quote_json(self.make_quote(body, "inProgress")))


class Full(Provider):
    def qualify(self, request, body, *_):
        self.answer(request, 201, {"id": "s1", "state": "done", "serviceQualificationItem": [
            {"id": "1", "qualificationResult": "unqualified",
             "eligibilityUnavailabilityReason": [{"code": "1", "label": "no capacity left"}]}]})


class Liar(Provider):
    """Its item's price is not what the total says, or no price at all."""
    def __init__(self, name, price, total=None, unit="EUR"):
        super().__init__(name, price)
        self.total, self.unit = total or price, unit

    def quote_json(self, q):
        told = super().quote_json(q)
        told["quoteTotalPrice"] = self.prices(self.total, self.unit)
        return told


class Garbage(Provider):
    def quote(self, request, body, *_):
        self.make_quote(body)
        self.answer(request, 201, None, raw="<html>Welcome to your new web server!</html>")

    def patch_quote(self, request, body, ids, _):
        with self.lock:
            self.quotes[ids[0]]["state"] = body["state"]
        self.answer(request, 200, None, raw="OK")


class Expiring(Provider):
    valid_s = 1.5


class Expired(Provider):
    valid_s = -60


class OrderRejected(Provider):
    def order(self, request, body, *_):
        self.answer(request, 201, self.order_json(self.make_order(body, "rejected")))


class OrderRefused(Provider):
    def order(self, request, body, *_):
        self.answer(request, 409, {"code": "66", "reason": "sold to somebody else"})


class OrderLost(Provider):
    """Takes the order, and hangs up before it has answered; the second time it answers."""
    lost = 0

    def order(self, request, body, *_):
        order = self.make_order(body)
        with self.lock:
            self.lost += 1
            if self.lost == 1:
                request.close_connection = True
                return
        self.answer(request, 201, self.order_json(order))


class OrderSilent(Provider):
    """Takes the order and never says so."""
    def order(self, request, body, *_):
        self.make_order(body)
        self.stopped.wait(60)


class OrderTwice(Provider):
    """Two answers to one order; what comes behind the first must not be taken for anything."""
    def order(self, request, body, *_):
        order = self.order_json(self.make_order(body))
        self.answer(request, 201, order)
        self.answer(request, 201, dict(order, id="another", state="rejected"))


class OrderDearer(Provider):
    """Orders at another price than it quoted."""
    def order_json(self, o):
        return dict(super().order_json(o), orderTotalPrice=self.prices("9.99"))


class Broken(Provider):
    def quote(self, request, body, *_):
        self.make_quote(body)
        self.answer(request, 500, {"code": "1", "reason": "null pointer"})


class BrokenOnce(Provider):
    """Fails at first; and makes no second quote when asked again."""
    failed = 0

    def quote(self, request, body, *_):
        quote = self.make_quote(body)
        with self.lock:
            self.failed += 1
            failed = self.failed
        if failed == 1:
            return self.answer(request, 503, {"code": "5", "reason": "restarting"})
        self.answer(request, 201, self.quote_json(quote))


class Endless(Provider):
    def quote(self, request, body, *_):
        self.make_quote(body)
        request.send_response(201)
        request.send_header("Content-Type", "application/json")
        request.end_headers()
        try:
            while not self.stopped.is_set():
                request.wfile.write(b'{"id": ' + b" " * 65536)
        except OSError:
            pass
        request.close_connection = True


class Redirect(Provider):
    """Sends elsewhere, where our token would be read."""
    def __init__(self, name, price, to):
        super().__init__(name, price)
        self.to = to

    def qualify(self, request, body, *_):
        request.send_response(307)
        request.send_header("Location", self.to + "/serviceQualificationManagement/v4/checkServiceQualification")
        request.send_header("Content-Length", "0")
        request.end_headers()


class RejectionForgotten(Provider):
    """Fails twice to let its quote go."""
    failures = 2

    def patch_quote(self, request, body, ids, query):
        with self.lock:
            self.failures -= 1
            if self.failures >= 0:
                return self.answer(request, 500, {"code": "1", "reason": "try again"})
        super().patch_quote(request, body, ids, query)


class Dead:
    """Accepts connections, and never answers."""
    def __init__(self, name, *_):
        self.name, self.quotes, self.orders = name, {}, {}
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/tmf-api"

    def firm_open(self):
        return []

    orders_open = firm_open

    def stop(self):
        self.socket.close()


class Refusing(Dead):
    """Nobody listens there."""
    def __init__(self, name, *_):
        super().__init__(name)
        self.socket.close()

# SPDX-License-Identifier: BSD-3-Clause
"""Our buyer and our shop speak TM Forum's interfaces, as Prism sees it. The buyer negotiates with the shop through
Prism's validating proxies, which find nothing wrong either way; and Prism's mock servers take each of the buyer's
requests. That Prism would find something is shown with what is wrong on purpose."""
import http.client
import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

HERE = Path(__file__).resolve().parent
CLI, SHOP, PRISM = sys.argv.pop(1), sys.argv.pop(1), Path(sys.argv.pop(1))
# Prism leaves a definition's basePath out of its addresses: it is ours to put before and take off.
INTERFACES = {"/tmf-api/serviceQualificationManagement/v4": "tmf645.json", "/tmf-api/quoteManagement/v4": "tmf648.json",
              "/tmf-api/productOrderingManagement/v4": "tmf622.json"}
JSON = "application/json;charset=utf-8"


def start_server(handle):
    """A server whose handle(method, path, body, headers) returns (status, headers, body)."""
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def serve(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, text = handle(self.command, self.path, body, self.headers)
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
        do_GET = do_POST = do_PATCH = do_DELETE = serve

        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server


class Shop:
    """Our shop's handlers with a server around them."""
    def __init__(self):
        self.process = subprocess.Popen([SHOP], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lock, self.lies = threading.Lock(), {}
        self.server = start_server(self.handle)
        self.port = self.server.server_address[1]

    def handle(self, method, path, body, _):
        url = urlsplit(path)
        if (method, url.path) in self.lies:
            return 200, [("Content-Type", JSON)], self.lies[method, url.path]
        request = {"method": method, "path": url.path.removeprefix("/tmf-api"), "query": dict(parse_qsl(url.query)),
                   "body": body.decode(), "now_ns": time.time_ns()}
        with self.lock:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            reply = json.loads(self.process.stdout.readline())
        return reply["status"], reply["headers"], reply["body"].encode()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.process.stdin.close()
        self.process.wait(timeout=10)
        self.process.stdout.close()


class Prism:
    def __init__(self, mode, definition, *upstream):
        self.process = subprocess.Popen(
            ["node", str(PRISM / "node_modules/.bin/prism"), mode, "-h", "127.0.0.1", "-p", "0",
             *(["--errors"] if mode == "proxy" else []), str(HERE / "data" / definition), *upstream],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.port, self.said, self.started = None, [], threading.Event()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.started.wait(60)
        if self.port is None:
            self.stop()
            raise AssertionError("Prism did not start: " + "".join(self.said))

    def read(self):
        for line in self.process.stdout:
            self.said.append(line)
            listening = re.search(r"listening on http://127\.0\.0\.1:(\d+)", line)
            if listening:
                self.port = int(listening.group(1))
                self.started.set()
        self.started.set()  # or it has ended

    def stop(self):
        self.process.kill()
        self.process.wait(timeout=10)
        self.reader.join(timeout=10)
        self.process.stdout.close()


def ask(port, method, path, body=b"", headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body or None, headers or {"Content-Type": JSON, "Accept": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()
    finally:
        connection.close()


def complaint(status, headers, body):
    """What Prism has against it, or nothing."""
    headers = {name.lower(): value for name, value in headers}
    if "problem+json" in headers.get("content-type", "") or "sl-violations" in headers:
        return f"{status} {headers.get('sl-violations', '')} {body.decode(errors='replace')}"
    return None


def complaint_of_request(status, headers, body):
    """The same of a mock, which breaks the definition itself: an order's items have items, and so on, and the
    example that it makes up leaves out what is required where it stops."""
    violations = json.loads(dict((name.lower(), value) for name, value in headers).get("sl-violations", "[]"))
    wrong = [v for v in violations if v["location"][:1] != ["response"]]
    return (status, wrong, body) if wrong or not 200 <= status < 300 else None


class Interfaces(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shop = Shop()
        cls.addClassCleanup(cls.shop.stop)
        cls.proxies, cls.mocks = {}, {}
        for base, definition in INTERFACES.items():
            for servers, arguments in ((cls.proxies, ("proxy", definition, f"http://127.0.0.1:{cls.shop.port}{base}")),
                                       (cls.mocks, ("mock", definition))):
                servers[base] = Prism(*arguments)
                cls.addClassCleanup(servers[base].stop)
        cls.passed = []
        cls.front = start_server(lambda *request: cls.pass_on(*request))
        cls.addClassCleanup(cls.front.server_close)
        cls.addClassCleanup(cls.front.shutdown)

    @classmethod
    def through(cls, servers, method, path, body=b"", headers=None):
        base = next(base for base in INTERFACES if path.startswith(base))
        return ask(servers[base].port, method, path.removeprefix(base), body, headers)

    @classmethod
    def pass_on(cls, method, path, body, headers):
        kept = {name: headers[name] for name in ("Content-Type", "Accept") if name in headers}
        status, answered, text = cls.through(cls.proxies, method, path, body, kept)
        cls.passed.append(((method, path, body, kept), complaint(status, answered, text), status))
        return status, [h for h in answered if h[0].lower() == "content-type"], text

    def negotiate(self, wish, **more):
        url = f"http://127.0.0.1:{self.front.server_address[1]}/tmf-api"
        asked = {"wish": wish, "takes_ms": 20000, "sellers": [{"provider": "shop", "url": url}], **more}
        done = subprocess.run([CLI], input=json.dumps(asked), capture_output=True, text=True, timeout=120)
        self.assertEqual(0, done.returncode, done.stderr)
        return json.loads(done.stdout)

    def test_prism_finds_nothing_wrong_with_buyer_and_shop(self):
        bought = self.negotiate({"id": "buys"})
        self.assertEqual("shop", bought["held"]["provider"], bought)
        self.assertEqual("120.000001", bought["held"]["total"])
        # Above its budget: the quote is let go.
        self.assertEqual([], self.negotiate({"id": "lets-go", "budget": "1"})["open"])
        asked = {(method, urlsplit(path).path.split("/v4/")[1].split("/")[0])
                 for (method, path, *_), _, _ in self.passed}
        self.assertEqual({("POST", "checkServiceQualification"), ("POST", "quote"), ("PATCH", "quote"),
                          ("POST", "productOrder")}, asked)
        for request, wrong, status in self.passed:
            self.assertIsNone(wrong, request)
            self.assertIn(status, (200, 201), request)
        # Each of the buyer's requests, and those it makes when something has failed.
        ours = "?externalId=a%2Fb&fields=id,externalId,state"
        more = [("GET", f"/tmf-api/quoteManagement/v4/quote{ours},validFor", b""),
                ("GET", f"/tmf-api/productOrderingManagement/v4/productOrder{ours}", b""),
                ("POST", "/tmf-api/productOrderingManagement/v4/cancelProductOrder",
                 b'{"cancellationReason":"not confirmed in time","productOrder":{"id":"o1"}}')]
        for request in [request for request, _, _ in self.passed] + more:
            self.assertIsNone(complaint_of_request(*self.through(self.mocks, *request)), request)

    def test_what_else_the_shop_answers(self):
        quotes, orders = "/tmf-api/quoteManagement/v4/quote", "/tmf-api/productOrderingManagement/v4/productOrder"
        cancels = "/tmf-api/productOrderingManagement/v4/cancelProductOrder"
        item = {"id": "1", "product": {"productCharacteristic": [{"name": "bandwidthMbps", "value": 10}]}}

        def proxied(status, method, path, body=None):
            answer = self.through(self.proxies, method, path, json.dumps(body).encode() if body else b"")
            self.assertIsNone(complaint(*answer), (method, path))
            self.assertEqual(status, answer[0], answer[2])
            return json.loads(answer[2])
        quote = proxied(201, "POST", quotes, {"externalId": "x", "quoteItem": [item]})["id"]
        proxied(200, "GET", quotes)
        proxied(200, "GET", quotes + "?externalId=x&fields=id,externalId,state,validFor")
        proxied(200, "GET", f"{quotes}/{quote}")
        order = proxied(201, "POST", orders, {"externalId": "x", "productOrderItem": [
            {"id": "1", "action": "add", "quoteItem": {"id": "1", "quoteId": quote}}]})["id"]
        proxied(200, "GET", orders + "?externalId=x&fields=id,externalId,state")
        proxied(200, "GET", f"{orders}/{order}")
        proxied(409, "PATCH", f"{quotes}/{quote}", {"state": "rejected", "quoteItem": [{"id": "1"}]})
        proxied(201, "POST", cancels, {"productOrder": {"id": order}})
        proxied(400, "POST", cancels, {"productOrder": {"id": "o999"}})
        proxied(404, "GET", quotes + "/q999")
        proxied(400, "POST", quotes, {"quoteItem": [item, item]})
        proxied(409, "POST", orders, {"productOrderItem": [
            {"id": "1", "action": "add", "quoteItem": {"id": "1", "quoteId": quote}}]})
        proxied(405, "DELETE", f"{quotes}/{quote}")
        item["product"]["productCharacteristic"][0]["value"] = 5000
        self.assertEqual("rejected", proxied(201, "POST", quotes, {"externalId": "y", "quoteItem": [item]})["state"])
        check = "/tmf-api/serviceQualificationManagement/v4/checkServiceQualification"
        asked = {"serviceQualificationItem": [
            {"service": {"serviceCharacteristic": [{"name": "bandwidthMbps", "value": 5000}]}}]}
        self.assertEqual("unqualified", proxied(201, "POST", check, asked)["qualificationResult"])

    def test_prism_would_find_it(self):
        quotes = "/tmf-api/quoteManagement/v4/quote"
        for servers in (self.proxies, self.mocks):
            # Of the second, a change of state alone, each wants the item again: so the buyer says it.
            for method, path, body in (("POST", quotes, b'{"externalId": "no items"}'),
                                       ("PATCH", quotes + "/q1", b'{"state": "rejected"}')):
                answer = self.through(servers, method, path, body)
                self.assertIn("quoteItem", str(complaint(*answer)), answer)
                self.assertIsNotNone(complaint_of_request(*answer), answer)
        for path, body in ((quotes + "/lie", b'{"id": "lie", "state": "approved"}'),
                           (quotes + "/state", b'{"quoteItem": [{"id": "1"}], "state": "expired"}'),
                           (quotes + "/money", b'{"quoteItem": [{"id": "1"}], "quoteTotalPrice": [{"price": '
                                               b'{"dutyFreeAmount": {"unit": "EUR", "value": "0.1"}}}]}')):
            self.shop.lies["GET", path] = body
            self.assertIsNotNone(complaint(*self.through(self.proxies, "GET", path)), path)


if __name__ == "__main__":
    if shutil.which("npm") is None or shutil.which("node") is None:
        print("SKIPPED: npm is not installed")
        sys.exit(77)
    subprocess.run([str(HERE / "install-prism"), str(PRISM)], check=True, timeout=300)
    unittest.main(verbosity=2)

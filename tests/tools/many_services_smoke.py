#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A gateway with thousands of services: each octet is its own service's, and a killed gateway takes all up again.

    many_services_smoke.py BUILD [COUNT]
"""
import concurrent.futures
import ctypes
import http.client
import json
import os
import pathlib
import shutil
import socket
import sys
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path()
COUNT = 1200  # rules are indexed, meters grow and what is kept is told in parts
ENDED = 24

sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools/quickstart.d"))
import sites  # noqa: E402

FIRST_PORT = 20_000
API = ("10.10.0.1", 8080)


def enter_namespace(fd):
    """This thread, those it starts, and their sockets."""
    if ctypes.CDLL(None, use_errno=True).setns(fd, 0) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    os.close(fd)


def request(method, path, body=None):
    connection = http.client.HTTPConnection(*API, timeout=120)
    connection.request(method, path, json.dumps(body) if body else None)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status >= 300:
        raise AssertionError(f"{method} {path}: {answer.status} {text.decode()}")
    return json.loads(text)


def open_service(n):
    rule = {"source": "10.10.0.2/32", "protocol": "udp", "destination_ports": str(FIRST_PORT + n)}
    return request("POST", "/v1/services", {"client": "acme", "traffic": [rule]})["id"]


class ManyServices(unittest.TestCase):
    def setUp(self):
        self.sites = sites.Sites(BUILD)
        self.addCleanup(shutil.rmtree, self.sites.state, ignore_errors=True)
        self.addCleanup(self.sites.close, keep_logs=False)
        self.sites.open()
        self.sites.start_links()
        for site in ("b", "a"):
            self.sites.start_gateway(site)
        self.wait_for(self.sites.paths_up, "not all paths came up")
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.addCleanup(enter_namespace, home)
        enter_namespace(os.open(f"/run/netns/{self.sites.ns('client')}", os.O_RDONLY))

    def wait_for(self, condition, otherwise, seconds=60):
        self.sites.wait_for(condition, seconds, otherwise)

    def said(self, what, begun):
        print(f"{COUNT} services: {what} {time.monotonic() - begun:.1f} s", flush=True)

    def octets(self):
        return {service["id"]: service["octets"] for service in request("GET", "/v1/services")}

    def carries_each(self, services):
        """One packet for each of some services, sent until its own service, and no other, has counted it."""
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(out.close)
        before = self.octets()
        def all_moved():
            for n in services:
                out.sendto(bytes(100), ("10.20.0.2", FIRST_PORT + n))
            self.after = self.octets()
            return all(self.after[services[n]] > before[services[n]] for n in services)
        self.wait_for(all_moved, "packets are not counted for their services")
        moved = {identity for identity, octets in self.after.items() if octets != before[identity]}
        self.assertEqual(moved, set(services.values()))

    def test_each_has_its_own_octets_and_all_go_on_after_a_crash(self):
        begun = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            ids = list(pool.map(open_service, range(COUNT)))
        self.said("opened in", begun)
        some = {n: ids[n] for n in (0, 1, COUNT // 2, COUNT - 1)}
        self.carries_each(some)

        begun = time.monotonic()
        killed = self.sites.processes.pop("site-a")
        killed.kill()
        killed.wait()
        self.sites.start("site-a", "a", self.sites.tools / "anabranchd", self.sites.state / "site-a.toml")
        self.wait_for(lambda: self.sites.log("site-a").count("is ready") == 2, "does not start again", 120)
        self.wait_for(lambda: all(s["state"] == "active" for s in request("GET", "/v1/services")), "not all services go on", 120)
        self.said("all go on after a crash in", begun)
        self.carries_each(some)

        begun = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            for _ in pool.map(lambda identity: request("DELETE", f"/v1/services/{identity}"), ids[:ENDED]):
                pass
        self.said(f"{ENDED} ended in", begun)
        self.assertEqual(len(self.octets()), COUNT - ENDED)
        self.carries_each({COUNT - 1: ids[-1]})
        status = self.sites.cli_json("status")
        self.assertEqual((status["meters_alarms"], status["meters_went_backwards"]), (0, 0))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
    if len(sys.argv) > 1 and sys.argv[1].isdigit():
        COUNT = int(sys.argv.pop(1))
    unittest.main(verbosity=2)

#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What documents say of links while gateways run: quotas, maintenance, committed rates. Put over the API, seen on the wire. Needs root.

    quota_smoke.py BUILD
"""
import contextlib
import ctypes
import os
import pathlib
import subprocess
import sys
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import claims_smoke  # noqa: E402
from claims_smoke import main_job  # noqa: E402

# Octets beyond what is left: what both gateways have under way, on a link of 10 ms, when they last hear of each other; and beats and
# acknowledgements while it is watched.
OVERSHOOT = 400_000
FLOOD = 20  # Mbit/s each way, of a link of 100
SLOW = 2

SEIZE, INTERRUPT, DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000  # linux/ptrace.h, linux/wait.h


@contextlib.contextmanager
def held(process):
    """Stops a gateway's control thread, and it alone: workers are other threads."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]

    def ptrace(request):
        if libc.ptrace(request, process.pid, None, None) != 0:
            raise OSError(ctypes.get_errno(), f"ptrace: {os.strerror(ctypes.get_errno())}")

    ptrace(SEIZE)
    ptrace(INTERRUPT)
    os.waitpid(process.pid, WALL)
    try:
        yield
    finally:
        ptrace(DETACH)


def utc(moment):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


class Documents(claims_smoke.Claims):
    def only(self, *providers):
        self.profile(providers={name: "never" for name in {"northfibre", "airmobile", "coppertel"} - set(providers)})

    def flood(self, source, target):
        """UDP, which slows down for nobody, until the test ends."""
        octets = 1200
        sender = subprocess.Popen(self.sites.command(
            source, sys.executable, "-c",
            "import socket,time\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\nnext=time.monotonic()\n"
            f"while True:\n  s.sendto(bytes({octets}),('{target}',9)); next+={8 * octets / (FLOOD * 1e6)}; time.sleep(max(0,next-time.monotonic()))"),
            stderr=subprocess.DEVNULL)
        self.addCleanup(sender.wait)
        self.addCleanup(sender.kill)

    def wire(self):
        """Octets of fibre each way, as its provider counts them."""
        octets = main_job.tunnel_octets(self.sites.link_stats())
        return {way: octets["fibre", way] for way in ("sent", "received")}

    def carried(self):
        return sum(self.wire().values())

    def mbps(self, seconds):
        """What is on the wire each way for so long."""
        before, since = self.wire(), time.monotonic()
        self.wait_for(lambda: time.monotonic() - since >= seconds, "the clock stands still", seconds + 5)
        after, took = self.wire(), time.monotonic() - since
        return {way: 8 * (after[way] - before[way]) / took / 1e6 for way in after}


class Quotas(Documents):
    """Of the only link that the client's profile allows, while much is sent each way."""

    def quota(self, left, at_limit, **more):
        """So much from now on; at its end as many octets are on the wire."""
        octets = self.carried() + left
        self.put("quotas", id="fibre-month", uplink="fibre", octets=f"{octets} B", at_limit=at_limit, **more)
        self.wait_for(lambda: self.usage().get("allowed") == octets, "the quota is not in force")
        return octets

    def usage(self):
        return next(iter(self.sites.cli_json("quotas")), {})

    def begin(self, left, at_limit, **more):
        self.only("northfibre")
        octets = self.quota(left, at_limit, **more)
        self.addCleanup(self.quota, 10**11, "stop")
        service = self.request()
        self.wait_for(lambda: set(self.shares(service)) == {"fibre"}, "the link is not used")
        self.flood("client", "10.20.0.2")
        self.flood("server", "10.10.0.2")
        return octets, service

    def wait_until_little_is_left(self, octets):
        """What is left is divided by what was used, so both ways have some of it."""
        self.wait_for(lambda: self.usage()["left"] < octets, f"it is not counted: {self.usage()}")

    def assert_slow(self, seconds):
        for way, mbps in self.mbps(seconds).items():
            self.assertTrue(0.5 * SLOW < mbps < 1.05 * SLOW, (way, mbps))

    def test_at_its_end_a_path_goes_on_slowly_each_way_whoever_is_away(self):
        self.begin(20_000_000, "slow", slow_to=f"{SLOW} Mbit/s")
        self.wait_for(lambda: min(self.mbps(0.5).values()) > 5 * SLOW, "it is slow before its quota is used up")
        self.wait_until_little_is_left(10_000_000)
        with held(self.sites.processes["site-a"]):
            # What was paced before has left by then.
            self.wait_for(lambda: max(self.mbps(1).values()) < 1.5 * SLOW, "they do not slow down")
            self.assert_slow(3)
        self.wait_for(lambda: self.usage()["state"] == "slowed", f"it is not used up: {self.usage()}")
        self.assert_slow(3)

    def test_at_its_end_both_gateways_stop_and_begin_again_when_there_is_more(self):
        octets, service = self.begin(5_000_000, "stop")
        self.wait_for(lambda: self.usage()["state"] == "stopped", f"it is not used up: {self.usage()}")
        self.assertGreater(self.carried(), octets - OVERSHOOT)
        for way, mbps in self.mbps(3).items():
            self.assertLess(mbps, 0.2, f"{way}: beats and the like alone go on")
        self.assertLess(self.carried(), octets + OVERSHOOT)
        self.assertIn('of its quota "fibre-month"', self.shown(service)["note"])
        self.quota(10**11, "stop")
        self.wait_for(lambda: min(self.mbps(0.5).values()) > 0.5 * FLOOD, "it is not used again")

    def test_both_gateways_stop_by_themselves_while_control_is_away(self):
        octets, _ = self.begin(20_000_000, "stop")
        self.wait_until_little_is_left(10_000_000)
        with held(self.sites.processes["site-a"]):
            self.wait_for(lambda: max(self.mbps(1).values()) < 0.2, f"they go on: {self.wire()}, of {octets}")
            carried = self.carried()
        self.assertLess(carried, octets + OVERSHOOT)
        self.assertGreater(carried, octets - 10_000_000, "they stop before")


class Announced(Documents):
    """What a provider says of its network, or stands for on an uplink."""

    def assert_left_in_maintenance(self, kind, **document):
        """A path is left when the window begins, and taken again when the window is taken back."""
        self.profile(dispersion=["flow"], providers={"northfibre": "prefer", "coppertel": "never"})
        service = self.request(*claims_smoke.ONE_LINK)
        self.assert_carried_by(service, "fibre")
        begins = time.time() + 2
        self.put(kind, **document, maintenance=[{"from": utc(begins), "until": utc(begins + 3600), "why": "new antennas"}])
        self.addCleanup(self.put, kind, **document)
        self.wait_for(lambda: set(self.shares(service)) == {"mobile"}, "the scenario does not leave the link")
        self.assertGreaterEqual(time.time(), int(begins))
        self.assert_carried_by(service, "mobile")
        self.assertRegex(self.sites.cli("explain", service["id"]), r"is in maintenance until .* \(new antennas\)")
        self.put(kind, **document)
        self.assert_carried_by(service, "fibre")

    def test_maintenance_of_a_network(self):
        self.assert_left_in_maintenance("networks", id="northfibre-ftth", provider="northfibre")

    def test_maintenance_of_an_uplink(self):
        self.assert_left_in_maintenance("uplinks", id="fibre")

    def assert_admitted(self, *limits):
        self.sites.cli("end", self.request(*limits)["id"])

    def test_nothing_counts_on_more_than_the_committed_rate(self):
        self.only("northfibre")
        wanted = ("--rate-up", "60 Mbit/s", "--rate-down", "60 Mbit/s")
        self.assert_admitted(*wanted)
        self.put("uplinks", id="fibre", committed_rate_up="40 Mbit/s")
        self.addCleanup(self.put, "uplinks", id="fibre")
        problem = self.refused(*wanted)
        self.assertIn("fibre: its provider stands for 40 Mbit/s up", problem["detail"])
        field, = problem["nearest"]["fields"]
        self.assertEqual((field["pointer"], field["asked"]), ("/rate_up", "60 Mbit/s"))
        self.assertTrue(30 < float(field["possible"].removesuffix(" Mbit/s")) < 40, field)
        self.assert_admitted("--rate-up", field["possible"], "--rate-down", "60 Mbit/s")
        self.put("uplinks", id="fibre")
        self.assert_admitted(*wanted)


if __name__ == "__main__":
    claims_smoke.BUILD = pathlib.Path(sys.argv.pop()).resolve()
    unittest.main(verbosity=2)

#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""linkemu between network namespaces: west == fibre, mobile == east. Needs root.

    linkemu_smoke.py PATH_OF_LINKEMU
"""
import contextlib
import ctypes
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

LINKEMU = ""
TUNNEL_PORT = 9188
DELAY_MS = 20
FIBRE = ("10.91.1.1", "10.91.1.2")
IP_UDP = 28  # octets of both headers
SOL_PACKET, PACKET_AUXDATA, TP_STATUS_VLAN_VALID = 263, 8, 16
CLONE_NEWNET = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)


def sh(*words):
    command = [str(word) for word in words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def wait_for(condition, what, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError(f"after {seconds} s still not: {what}")


class World:
    """Three namespaces with a veth pair for each end of each link, and no packets but ours."""

    def __init__(self, links):
        self.names = {part: f"linkemu-{os.getpid()}-{part}" for part in ("west", "net", "east")}
        for name in self.names.values():
            sh("ip", "netns", "add", name)
            sh("ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
               "net.ipv6.conf.default.disable_ipv6=1")
        for number, link in enumerate(links, 1):
            self.connect("west", link, "a", f"10.91.{number}.1")
            self.connect("east", link, "b", f"10.91.{number}.2")
            self.introduce("west", link, f"10.91.{number}.2", self.mac("east", link))
            self.introduce("east", link, f"10.91.{number}.1", self.mac("west", link))

    def ip(self, part, *words):
        return sh("ip", "-n", self.names[part], *words)

    def offload(self, part, interface, *features):
        sh("ip", "netns", "exec", self.names[part], "ethtool", "-K", interface, *features)

    def connect(self, part, link, end, address):
        self.ip(part, "link", "add", link, "type", "veth", "peer", "name", f"{link}-{end}", "netns",
                self.names["net"])
        for where, interface in ((part, link), ("net", f"{link}-{end}")):
            self.offload(where, interface, "tso", "off", "gso", "off", "gro", "off", "tx", "off")
            self.ip(where, "link", "set", interface, "up")
        self.ip(part, "address", "add", f"{address}/24", "dev", link)

    def introduce(self, part, link, address, mac):
        self.ip(part, "neighbour", "add", address, "lladdr", mac, "dev", link, "nud", "permanent")

    def mac(self, part, interface):
        return json.loads(self.ip(part, "-json", "link", "show", interface))[0]["address"]

    @contextlib.contextmanager
    def inside(self, part):
        """Sockets opened meanwhile belong to the namespace."""
        with open("/proc/self/ns/net") as home, open(f"/run/netns/{self.names[part]}") as there:
            assert libc.setns(there.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            try:
                yield
            finally:
                assert libc.setns(home.fileno(), CLONE_NEWNET) == 0

    def udp(self, part, address, port):
        with self.inside(part):
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((address, port))
        s.settimeout(10)
        return s

    def raw(self, part, interface):
        with self.inside(part):
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            s.bind((interface, 0))
        s.settimeout(10)
        return s

    def ping(self, count):
        """The round-trip times over fibre, in ms; all have to come back."""
        text = sh("ip", "netns", "exec", self.names["west"], "ping", "-n", "-c", count,
                  "-i", "0.02", "-s", "100", "-W", "5", FIBRE[1])
        times = [float(t) for t in re.findall(r"time=([0-9.]+) ms", text)]
        assert len(times) == count, text
        return times

    def close(self):
        for name in self.names.values():
            subprocess.run(["ip", "netns", "delete", name], check=False)


class LinkemuTest(unittest.TestCase):
    def start(self, *links):
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.world.names["net"],
             LINKEMU, "run", "--socket", self.socket,
             *[word for link in links for word in ("--link", link)]],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.addCleanup(self.stop, process)
        plural = "" if len(links) == 1 else "s"
        self.assertEqual(process.stdout.readline(), f"linkemu: ready, {len(links)} link{plural}\n")
        return process

    def stop(self, process):
        process.stdout.close()
        process.kill()
        process.wait()

    def setUp(self):
        self.world = World(["fibre", "mobile"])
        self.addCleanup(self.world.close)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.socket = os.path.join(folder.name, "control")
        self.log = open(os.path.join(folder.name, "stderr"), "w+")
        self.addCleanup(self.log.close)
        self.process = self.start(
            f"name=fibre,a=fibre-a,b=fibre-b,rate=100Mbit/s,delay={DELAY_MS}ms",
            "name=mobile,a=mobile-a,b=mobile-b,rate=20Mbit/s")

    def stderr(self):
        self.log.seek(0)
        return self.log.read()

    def set(self, *words):
        sh(LINKEMU, "set", "--socket", self.socket, *words)

    def stats(self, way, link=0):
        stats = json.loads(sh(LINKEMU, "stats", "--json", "--socket", self.socket))
        return stats["links"][link][way]

    def settled(self, way, offered):
        """The counters, once that many packets have been offered and none is in flight."""
        def read():
            s = self.stats(way)
            sum_offered = sum(c["packets"] for c in s["offered"].values())
            return s if sum_offered >= offered and s["in_flight"] == 0 else None
        return wait_for(read, f"{offered} packets through {way}: {self.stats(way)}")

    def assert_count(self, counts, packets, octets):
        self.assertEqual(counts, {"packets": packets, "octets": octets})

    def assert_conserved(self, s):
        for traffic in ("tunnel", "kernel", "other"):
            for unit in ("packets", "octets"):
                ends = [s["delivered"]] + list(s["dropped"].values())
                self.assertEqual(s["offered"][traffic][unit], sum(e[traffic][unit] for e in ends))

    def datagrams(self, count, octets, port=TUNNEL_PORT):
        """Sends west to east, without waiting for them."""
        with self.world.udp("west", FIBRE[0], 5000) as west:
            for _ in range(count):
                west.sendto(bytes(octets), (FIBRE[1], port))

    def request(self, octets):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(self.socket)
            s.sendall(octets)
            answer = b""
            while part := s.recv(4096):
                answer += part
            return answer

    def test_a_ping_takes_the_delay_of_both_ways_and_is_counted_exactly(self):
        times = self.world.ping(10)
        self.assertGreaterEqual(min(times), 2 * DELAY_MS)
        self.assertLess(min(times), 2 * DELAY_MS + 20)
        for way in ("ab", "ba"):
            s = self.settled(way, 10)
            self.assert_count(s["offered"]["kernel"], 10, 10 * (100 + IP_UDP))
            self.assertEqual(s["delivered"], s["offered"])
            self.assert_count(s["offered"]["tunnel"], 0, 0)
            self.assert_count(s["offered"]["other"], 0, 0)
        self.assertEqual(self.stats("ab", link=1)["offered"]["kernel"]["packets"], 0)

    def test_datagrams_from_and_to_the_tunnel_port_are_counted_as_tunnel(self):
        with self.world.udp("west", FIBRE[0], 5000) as west, \
             self.world.udp("east", FIBRE[1], TUNNEL_PORT) as east, \
             self.world.udp("east", FIBRE[1], 5001) as aside:
            for i in range(50):
                west.sendto(bytes(100 + i), (FIBRE[1], TUNNEL_PORT))
                data, sender = east.recvfrom(2000)
                self.assertEqual(len(data), 100 + i)
                east.sendto(data, sender)
                self.assertEqual(west.recv(2000), data)
            west.sendto(bytes(10), (FIBRE[1], 5001))
            aside.recv(2000)
        octets = sum(100 + i + IP_UDP for i in range(50))
        for way, kernel in (("ab", 1), ("ba", 0)):
            s = self.settled(way, 50 + kernel)
            self.assert_count(s["offered"]["tunnel"], 50, octets)
            self.assert_count(s["offered"]["kernel"], kernel, kernel * (10 + IP_UDP))
            self.assertEqual(s["delivered"], s["offered"])

    def test_a_link_that_is_down_drops_that_direction_only_until_it_is_up(self):
        self.set("fibre", "ab", "down")
        self.datagrams(5, 100)
        s = self.settled("ab", 5)
        self.assertFalse(s["up"])
        self.assert_count(s["dropped"]["down"]["tunnel"], 5, 5 * (100 + IP_UDP))
        self.assertTrue(self.stats("ba")["up"])
        with self.world.udp("west", FIBRE[0], 5000) as west, \
             self.world.udp("east", FIBRE[1], 5001) as east:
            east.sendto(b"still", FIBRE[:1] + (5000,))
            self.assertEqual(west.recv(100), b"still")
        self.set("fibre", "both", "up", "delay=1ms")
        self.assertLess(min(self.world.ping(5)), 2 * DELAY_MS)
        self.assert_conserved(self.settled("ab", 10))

    def test_loss_and_queue_drops_have_their_names(self):
        self.set("fibre", "ab", "loss=100%")
        self.datagrams(7, 100)
        self.assertEqual(self.settled("ab", 7)["dropped"]["loss"]["tunnel"]["packets"], 7)
        # 1066 octets hold 1 Mbit/s for 8.5 ms: the queue takes two behind the first.
        self.set("fibre", "ab", "loss=0%", "rate=1Mbit/s", "queue=20ms")
        self.datagrams(50, 1000)
        s = self.settled("ab", 57)
        self.assertGreaterEqual(s["delivered"]["tunnel"]["packets"], 3)
        self.assertGreater(s["dropped"]["queue"]["tunnel"]["packets"], 0)
        self.assert_conserved(s)

    def test_a_superframe_is_refused_and_a_vlan_tag_is_kept(self):
        for part, interface in (("west", "fibre"), ("net", "fibre-a")):
            self.world.ip(part, "link", "set", interface, "mtu", 9000)
        macs = b"".join(bytes.fromhex(self.world.mac(part, "fibre").replace(":", ""))
                        for part in ("east", "west"))
        local = struct.pack("!H", 0x88b5)  # for experiments: IEEE 802 9.2.3
        tag = struct.pack("!HH", 0x8100, 0x2007)
        with self.world.raw("west", "fibre") as west, self.world.raw("east", "fibre") as east:
            east.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
            west.send(macs + local + bytes(2000))
            west.send(macs + tag + local + bytes(1500))
            data, ancillary, _, _ = east.recvmsg(4000, 256)
            status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", ancillary[0][2])
        self.assertEqual(data, macs + local + bytes(1500))
        self.assertTrue(status & TP_STATUS_VLAN_VALID)
        self.assertEqual((tpid, tci), (0x8100, 0x2007))
        s = self.settled("ab", 2)
        self.assert_count(s["dropped"]["too_long"]["other"], 1, 2000)
        self.assert_count(s["delivered"]["other"], 1, 1504)

    def test_what_its_socket_dropped_is_told_and_accounted_for(self):
        # The emulator is held while more arrive than its ring holds.
        sent = 6000
        self.process.send_signal(signal.SIGSTOP)
        self.datagrams(sent, 10)
        self.process.send_signal(signal.SIGCONT)
        def accounted():
            s = self.stats("ab")
            return s["offered"]["tunnel"]["packets"] + s["socket_drops"] == sent and s
        s = wait_for(accounted, "all that was sent is offered or dropped by the socket")
        self.assertGreater(s["socket_drops"], 0)
        line = f"interface fibre-a: its socket dropped {s['socket_drops']} packets"
        wait_for(lambda: line in self.stderr(), line)
        self.assertIn(f"the socket dropped {s['socket_drops']} packets",
                      sh(LINKEMU, "stats", "--socket", self.socket))

    def test_a_sender_that_leaves_out_checksums_is_told(self):
        self.world.offload("west", "fibre", "tx", "on")
        self.datagrams(3, 100)
        self.settled("ab", 3)
        wait_for(lambda: "interface fibre-a: 3 packets came without checksum" in self.stderr(),
                 "told on stderr")

    def test_an_interface_that_goes_down_is_told_and_comes_back(self):
        self.world.ip("net", "link", "set", "fibre-b", "down")
        wait_for(lambda: "interface fibre-b: Network is down" in self.stderr(), "told on stderr")
        self.datagrams(4, 100)
        s = self.settled("ab", 4)
        self.assertEqual(s["dropped"]["socket"]["tunnel"]["packets"], 4)
        self.assert_conserved(s)
        self.world.ip("net", "link", "set", "fibre-b", "up")
        self.world.ping(3)

    def test_control_clients_cannot_hold_up_packets_nor_bring_it_down(self):
        # More than it serves at a time, and no more than connect without waiting.
        for octets in (b"sta", *[b""] * 11):
            silent = socket.socket(socket.AF_UNIX)
            self.addCleanup(silent.close)
            silent.connect(self.socket)
            silent.sendall(octets)
        self.assertLess(min(self.world.ping(5)), 2 * DELAY_MS + 20)
        for octets in (b"x" * 4096, b"\n", b"\xff\xfe\n", b"set fibre both rate=\xff\n",
                       b"stats \0\n"):
            self.assertIn("error", json.loads(self.request(octets)))
        self.assertIn("links", json.loads(self.request(b"stats\nstats\n")))

    def test_commands_say_what_is_wrong_and_exit_with_1_or_2(self):
        def fails(status, sentence, *words):
            done = subprocess.run([LINKEMU, *words], capture_output=True, text=True, timeout=20)
            self.assertEqual((done.returncode, done.stdout), (status, ""))
            self.assertRegex(done.stderr, f"^linkemu: .*{sentence}.*\n$")
        control, other = ("--socket", self.socket), ("--socket", self.socket + "2")
        fails(1, "there is none of that name", "set", *control, "dsl", "both", "up")
        fails(1, "nobody answers", "stats", *other)
        fails(1, "interface nix: cannot be found", "run", *other, "--link", "name=x,a=nix,b=nix2")
        fails(2, "--link: .*rate = \"1\"", "run", *other, "--link", "name=x,a=y,b=z,rate=1")
        fails(2, "--tunnel-port", "run", *other, "--tunnel-port", "0", "--link", "name=x,a=y,b=z")
        fails(2, "--link", "run", *other)
        fails(2, "--frob", "stats", *control, "--frob")

    def test_it_ends_cleanly_and_takes_its_socket_away(self):
        second = subprocess.run(
            ["ip", "netns", "exec", self.world.names["net"],
             LINKEMU, "run", "--socket", self.socket,
             "--link", "name=again,a=mobile-a,b=mobile-b"],
            capture_output=True, text=True, timeout=20)
        self.assertEqual(second.returncode, 1)
        self.assertIn("Address already in use", second.stderr)
        self.process.terminate()
        self.assertEqual(self.process.wait(10), 0)
        self.assertFalse(os.path.exists(self.socket))
        self.assertEqual(self.stderr(), "")

    def test_a_socket_left_by_a_killed_emulator_is_replaced(self):
        self.process.kill()
        self.process.wait()
        self.assertTrue(os.path.exists(self.socket))
        self.start("name=again,a=fibre-a,b=fibre-b")


if __name__ == "__main__":
    LINKEMU = os.path.abspath(sys.argv.pop(1))
    # So that the namespaces go when a test runner's patience ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    unittest.main(verbosity=2)

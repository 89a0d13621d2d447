#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Gateways with wrong input, peers that lie, and links that change. Needs root.

    gateway_smoke.py BUILD
"""
import dataclasses
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "tools/quickstart.d"
BUILD = pathlib.Path()

sys.dont_write_bytecode = True
sys.path.insert(0, str(EXAMPLES))
import main_job  # noqa: E402
import sites  # noqa: E402


def gateway(folder, *words, ns=()):
    return subprocess.run([*ns, BUILD / "tools/anabranchd", *words], cwd=folder, capture_output=True, text=True, timeout=60)


class Configuration(unittest.TestCase):
    """Wrong configuration: status 2, and one line for each mistake that says where."""

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        shutil.copytree(EXAMPLES / "site-a", self.folder / "site-a")
        self.text = (EXAMPLES / "site-a.toml").read_text()

    def assert_refused(self, expected, *words):
        done = gateway(self.folder, *words)
        self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
        self.assertRegex(done.stderr, expected)
        return done.stderr

    def keygen(self, site):
        subprocess.run([BUILD / "tools/anabranch", "keygen", site], cwd=self.folder, check=True, capture_output=True)

    def edit(self, old, new):
        self.assertIn(old, self.text)
        (self.folder / "gateway.toml").write_text(self.text.replace(old, new, 1))

    def test_the_examples_are_right(self):
        shutil.copytree(EXAMPLES, self.folder, dirs_exist_ok=True)
        for site in ("site-a", "site-b"):
            self.keygen(site)
            done = gateway(self.folder, "--check", f"{site}.toml")
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_a_key_that_others_can_read_is_refused_with_what_to_do(self):
        self.keygen("site-a")
        (self.folder / "gateway.toml").write_text(self.text)
        (self.folder / "site-a.key").chmod(0o640)
        self.assert_refused(r"^site-a.key: the key can be read by others .* run: chmod 600 site-a.key$", "gateway.toml")

    def test_a_key_of_another_certificate_is_refused(self):
        self.keygen("site-a")
        self.keygen("site-b")
        self.edit('key = "site-a.key"', 'key = "site-b.key"')
        self.assert_refused(r"^site-b.key: is not the key of site-a.crt$", "gateway.toml")

    def test_keygen_overwrites_nothing(self):
        self.keygen("site-a")
        before = (self.folder / "site-a.key").read_bytes()
        again = subprocess.run([BUILD / "tools/anabranch", "keygen", "site-a"], cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(again.returncode, 1)
        self.assertIn("site-a.key: cannot be made: File exists; keygen overwrites nothing", again.stderr)
        self.assertEqual((self.folder / "site-a.key").read_bytes(), before)
        self.assertEqual((self.folder / "site-a.key").stat().st_mode & 0o777, 0o600)

    def test_keygen_takes_only_what_can_be_a_gateways_name(self):
        (self.folder / "deeper").mkdir()
        for name in ("", "deeper/site-a", "Site", "a b", "x" * 33):
            done = subprocess.run([BUILD / "tools/anabranch", "keygen", name], cwd=self.folder, capture_output=True, text=True)
            self.assertEqual(done.returncode, 1, name)
            self.assertIn("is no gateway's name: 1 to 32 characters out of a-z, 0-9 and -", done.stderr)
        self.assertEqual(list((self.folder / "deeper").iterdir()), [])

    def test_each_mistake_is_one_line_with_its_place(self):
        for old, new, expected in (
            ("cpu = 0", "cpus = 0", r'gateway.toml:12:1: dataplane.cpus: unknown key; did you mean "cpu"\?'),
            ("cpu = 0", 'cpu = "zero"', r"gateway.toml:12:7: dataplane.cpu: 'zero'; expected a whole number from 0 to 1023"),
            ("cpu = 0", "cpu = 5000", r"gateway.toml:12:7: dataplane.cpu: 5000; expected a whole number from 0 to 1023"),
            ('interface = "lan"\n', "", r"gateway.toml:14:1: lan.interface: expected exactly one of "),
            ("[lan]", "[lan", r"gateway.toml:14:5: Error while parsing table header"),
            ("fingerprint = ", "# fingerprint = ", r"gateway.toml:42:1: peer.fingerprint: expected exactly one of "),
            ('provider = "airmobile"', 'provider = "nobody"', r'tariff "house" has no price for provider "nobody" of uplink "mobile"'),
        ):
            with self.subTest(new=new):
                self.edit(old, new)
                self.assertEqual(self.assert_refused(expected, "gateway.toml").count("\n"), 1)

    def test_a_missing_file_and_missing_arguments_are_said(self):
        self.assert_refused(r"^nowhere.toml: cannot be read", "nowhere.toml")
        self.assert_refused(r"config is required")

    def test_a_broken_document_is_named(self):
        (self.folder / "gateway.toml").write_text(self.text)
        (self.folder / "site-a/tariffs/standard.json").write_text('{"id": "standard",')
        self.assert_refused(r"site-a/tariffs/standard.json: ", "gateway.toml")


class World(unittest.TestCase):
    """The quickstart's namespaces and links; each test starts the gateways it needs."""

    ipv6 = False
    links = None

    def setUp(self):
        self.sites = sites.Sites(BUILD, self.links)
        self.sites.ipv6 = self.ipv6
        self.addCleanup(self.close)
        self.sites.open()

    def close(self):
        try:
            self.sites.close(keep_logs=False)
        except sites.Failure as failure:
            self.fail(str(failure))
        finally:
            shutil.rmtree(self.sites.state, ignore_errors=True)

    def start(self):
        self.sites.start_links()
        for site in ("b", "a"):
            self.sites.start_gateway(site)
        self.sites.wait_for(self.sites.paths_up, 20, "not all paths came up", "site-a")

    def wait_for(self, condition, otherwise, seconds=15):
        self.sites.wait_for(condition, seconds, otherwise)


class Starting(World):
    """What hinders the start: status 1, one line of ours, and nothing half done."""

    def assert_does_not_start(self, expected, old="", new=""):
        config = self.sites.write_config("a")
        text = config.read_text()
        self.assertIn(old, text)
        config.write_text(text.replace(old, new))
        done = gateway(self.sites.state, "site-a.toml", ns=self.sites.command("a"))
        self.assertEqual(done.returncode, 1, done.stderr)
        ours = [line for line in done.stderr.splitlines() if line.startswith("anabranchd: ")]
        self.assertEqual(len(ours), 1, done.stderr)
        self.assertRegex(ours[0], expected)

    def test_an_interface_that_does_not_exist(self):
        self.assert_does_not_start(r'interface wan does not exist', 'interface = "dsl"', 'interface = "wan"')
        self.assertFalse((self.sites.state / "state").exists(), "nothing is made")

    def test_a_port_that_will_not_start(self):
        self.assert_does_not_start(
            r"port net_pcap0,iface=nowhere: cannot be opened", 'interface = "dsl"',
            'device = "net_pcap0,iface=nowhere"\nnetwork_address = "10.1.3.1/30"\nnext_hop_mac = "02:00:00:00:00:01"')

    def test_an_address_of_the_api_that_is_not_ours(self):
        self.assert_does_not_start(r"api: cannot listen on 10.99.0.1:8080", "10.10.0.1:8080", "10.99.0.1:8080")

    def test_a_folder_that_cannot_be_made(self):
        (self.sites.state / "state").write_text("a file")
        self.assert_does_not_start(r"folder .*/state/site-a cannot be made: Not a directory")

    def test_a_second_gateway_on_the_same_books(self):
        self.sites.start_gateway("a")
        self.sites.wait_for(lambda: "is ready" in self.sites.log("site-a"), 20, "does not start", "site-a")
        self.assert_does_not_start(r"journal.*(used|another)")


class Families(World):
    """Between the gateways one link of IPv4, one of IPv6, and one of IPv6 in a VLAN."""

    links = [dataclasses.replace(link, ipv6=link.name != "fibre", vlan=7 if link.name == "dsl" else 0) for link in sites.LINKS]

    def test_each_link_bears_traffic_and_the_bill_is_right(self):
        self.start()
        self.sites.cli("request", "--client", "acme", "--from", "10.10.0.0/24")
        self.sites.run("client", "ping", "-c", "300", "-i", "0.002", "-s", "1300", "-W", "2", "10.20.0.2")
        source, target = self.sites.state / "file", self.sites.state / "received"
        source.write_bytes(os.urandom(20_000_000))
        main_job.transfer(self.sites, source, target, "client", "server", "10.20.0.2", 5001)
        self.assertEqual(target.read_bytes(), source.read_bytes())
        for service in self.sites.cli_json("services"):
            self.sites.cli("end", service["id"])
        client, house, stats = main_job.settled(self.sites)
        self.assertEqual(main_job.compare(client, house, stats)[1], [])
        sent = {line["path"]: line["octets"] for line in client[0]["usage"]
                if (line["kind"], line["direction"]) == ("first", "sent")}
        self.assertEqual({name for name, octets in sent.items() if octets > 1_000_000}, {"fibre", "mobile", "dsl"})

    def test_a_session_is_kept_over_ipv6_alone(self):
        self.start()
        emulator = [self.sites.tools / "linkemu/linkemu", "set", "--socket", self.sites.run_dir / "linkemu"]
        self.sites.run("net", *emulator, "fibre", "both", "down")
        self.wait_for(lambda: "2001:db8:ff:" in (self.sites.cli_json("status")["session_reached_at"] or ""), "the session does not move to IPv6", 30)
        self.sites.cli("request", "--client", "acme", "--from", "10.10.0.0/24")
        self.sites.run("client", "ping", "-c", "3", "-i", "0.2", "-W", "2", "10.20.0.2")

    def test_a_link_without_an_address_of_its_paths_family_is_told(self):
        self.sites.run("a", "ip", "-6", "address", "flush", "dev", "mobile")
        self.sites.run("a", "ip", "address", "add", "10.1.2.1/30", "dev", "mobile")
        config = self.sites.write_config("a")
        done = gateway(self.sites.state, config.name, ns=self.sites.command("a"))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"interface mobile has no IPv6 address, but path 2 is of it \(ip address add")


class LargeFrames(World):
    """LANs of jumbo frames, links of usual ones."""

    def setUp(self):
        super().setUp()
        for ns, interface in (("client", "eth0"), ("a", "lan"), ("b", "lan"), ("server", "eth0")):
            self.sites.run(ns, "ip", "link", "set", interface, "mtu", "9000")

    def test_cross_the_links_in_parts_and_come_out_whole(self):
        self.sites.edits.append(("[dataplane]", "[dataplane]\nmtu_max = 9000"))
        self.start()
        self.sites.cli("request", "--client", "acme", "--from", "10.10.0.0/24")
        said = self.sites.run("client", "ping", "-M", "dont", "-s", "8900", "-c", "50", "-i", "0.02", "-W", "2", "10.20.0.2")
        self.assertIn(" 0% packet loss", said)
        reassembled = self.sites.run("server", "nstat", "-az", "IpReasmReqds")
        self.assertRegex(reassembled, r"IpReasmReqds +0 ")

    def test_are_told_to_be_allowed(self):
        config = self.sites.write_config("a")
        done = gateway(self.sites.state, config.name, ns=self.sites.command("a"))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"interface lan has an MTU of 9000; expected 576 to 1500 \(ip link set lan mtu 1500, or for more dataplane.mtu_max\)")


class Running(World):
    def api(self, method, path, body=None):
        """From the client's namespace: curl is not needed, a socket made there is."""
        code = ("import http.client,sys;c=http.client.HTTPConnection('10.10.0.1',8080,timeout=60);"
                "c.request(sys.argv[1],sys.argv[2],sys.stdin.buffer.read() or None);r=c.getresponse();"
                "print(r.status,r.getheader('content-type'));print(r.read().decode())")
        done = subprocess.run(self.sites.command("client", sys.executable, "-c", code, method, path),
                              input=body if isinstance(body, bytes) else (body or "").encode(), capture_output=True, timeout=90, check=True)
        first, _, rest = done.stdout.decode().partition("\n")
        status, kind = first.split(" ", 1)
        return int(status), kind, json.loads(rest)

    def assert_problem(self, status, answer):
        self.assertEqual(answer[:2], (status, "application/problem+json"), answer)
        for member in ("title", "status", "detail"):
            self.assertIn(member, answer[2])
        self.assertEqual(answer[2]["status"], status)
        return answer[2]

    def cli(self, *words):
        return subprocess.run(self.sites.command("client", BUILD / "tools/anabranch", "--api", "http://10.10.0.1:8080", *words),
                              capture_output=True, text=True, timeout=90)

    def service(self, identity):
        return self.api("GET", f"/v1/services/{identity}")[2]

    def shares(self, identity):
        return {share["path"] for share in self.service(identity)["scenario"]["shares"] if share["weight_up"] > 0}

    def test_bad_requests_are_problem_documents_and_change_nothing(self):
        self.start()
        self.assert_problem(400, self.api("POST", "/v1/services", "{"))
        self.assert_problem(400, self.api("POST", "/v1/services", b'{"client": "\xff"}'))
        self.assert_problem(404, self.api("GET", "/v1/nothing"))
        self.assert_problem(404, self.api("GET", "/v1/%ff"))
        self.assert_problem(404, self.api("GET", "/v1/services/77"))
        self.assert_problem(404, self.api("DELETE", "/v1/services/77"))
        self.assert_problem(404, self.api("GET", "/v1/statements/clients/nobody"))
        self.assert_problem(413, self.api("POST", "/v1/services", " " * 300_000))
        wrong = self.assert_problem(400, self.api("POST", "/v1/services", json.dumps(
            {"client": "acme", "traffic": [{"source": "10.10.0.0/33"}], "colour": "red", "rate_up": "fast"})))
        self.assertEqual({e["pointer"] for e in wrong["errors"]}, {"/traffic/0/source", "/colour", "/rate_up"})
        refused = self.cli("request", "--client", "nobody", "--from", "10.10.0.0/24")
        self.assertEqual(refused.returncode, 1)
        self.assertEqual(refused.stderr, 'anabranch: Unknown client: there is no client "nobody"\n')
        foreign = self.cli("request", "--client", "acme", "--from", "10.20.0.0/24")
        self.assertEqual(foreign.returncode, 1)
        self.assertIn("/traffic/0/source", foreign.stderr)
        too_much = self.cli("request", "--client", "acme", "--from", "10.10.0.0/24", "--rate-up", "900 Mbit/s")
        self.assertEqual(too_much.returncode, 1)
        self.assertRegex(too_much.stderr, r"\n  /rate_up: 900 Mbit/s was asked for; 1[0-9.]+ Mbit/s could be met\n$")
        self.assertEqual(self.cli("request").returncode, 2)
        self.assertEqual(self.api("GET", "/v1/services"), (200, "application/json", []))

    def test_what_one_service_asks_for_is_not_promised_to_another(self):
        self.start()
        first = self.cli("--json", "request", "--client", "acme", "--from", "10.10.0.0/25", "--rate-up", "100 Mbit/s")
        self.assertEqual(first.returncode, 0, first.stderr)
        shares = json.loads(first.stdout)["scenario"]["shares"]
        self.assertAlmostEqual(sum(share["reserved_up_bps"] for share in shares), 100e6, delta=16)
        refused = self.cli("request", "--client", "acme", "--from", "10.10.0.128/25", "--rate-up", "100 Mbit/s")
        self.assertEqual(refused.returncode, 1, refused.stdout)
        self.assertRegex(refused.stderr, r"others hold [0-9.]+ Mbit/s up of ")
        second = self.cli("--json", "request", "--client", "acme", "--from", "10.10.0.128/25", "--rate-up", "30 Mbit/s")
        self.assertEqual(second.returncode, 0, second.stderr)
        why = self.cli("explain", str(json.loads(second.stdout)["id"]))
        self.assertRegex(why.stdout, r"others hold [0-9.]+ Mbit/s up of ")

    def test_without_its_peer_a_gateway_says_so(self):
        self.sites.start_links()
        self.sites.start_gateway("a")
        self.sites.wait_for(lambda: "is ready" in self.sites.log("site-a"), 20, "does not start", "site-a")
        done = self.cli("request", "--client", "acme", "--from", "10.10.0.0/24")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^anabranch: Peer not connected: the control session with site-b is down")
        nobody = subprocess.run([BUILD / "tools/anabranch", "--api", "http://127.0.0.1:1", "paths"], capture_output=True, text=True, timeout=30)
        self.assertEqual(nobody.returncode, 3)
        self.assertIn("cannot be reached", nobody.stderr)

    def test_what_strangers_send_is_refused_and_the_service_goes_on(self):
        self.start()
        identity = self.sites.cli_json("request", "--client", "acme", "--from", "10.10.0.0/24")["id"]
        # From the far end of a link, at the control session and at the segments' port.
        attack = ("import os,socket\n"
                  "for text in (b'GET / HTTP/1.1\\r\\n\\r\\n', b'{}\\n', b'[' * 100000, os.urandom(4096)):\n"
                  "    try:\n"
                  "        s = socket.create_connection(('10.1.1.2', 9188), 5); s.settimeout(5); s.sendall(text)\n"
                  "        s.shutdown(socket.SHUT_WR)\n"
                  "        while s.recv(4096): pass\n"
                  "    except OSError: pass\n"
                  "u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                  "for size in range(0, 1400, 7): u.sendto(os.urandom(size), ('10.1.1.2', 9188))\n")
        self.sites.run("a", sys.executable, "-c", attack)
        self.sites.run("client", "ping", "-c", "3", "-i", "0.2", "-W", "2", "10.20.0.2")
        self.assertEqual(self.service(identity)["state"], "active")
        self.assertIsNone(self.sites.processes["site-b"].poll())

    def test_keys_change_every_second_and_no_packet_is_lost(self):
        self.sites.edits = [("[peer]", "[peer]\nrekey_s = 1")]
        self.start()
        self.sites.cli_json("request", "--client", "acme", "--from", "10.10.0.0/24")
        said = self.sites.run("client", "ping", "-c", "600", "-i", "0.01", "-W", "2", "10.20.0.2")
        self.assertIn("600 packets transmitted, 600 received, 0% packet loss", said)
        status = self.sites.cli_json("status")
        self.assertGreater(status["key_phases"], 3, "old phases live for some seconds")
        self.assertNotIn("lost", self.sites.log("site-a") + self.sites.log("site-b"))
        drops = self.sites.cli_json("counters")["drops"]
        self.assertEqual([drops[name] for name in ("unknown_key", "bad_tag", "key_worn")], [0, 0, 0])

    def test_a_path_is_followed_through_a_nat_that_changes_its_mind(self):
        """Segments of the first path come from another port; what is sent to the old one goes astray
        (dropped here, the kernel would send it again)."""
        self.start()
        def nat(site, rule):
            self.sites.run(site, "nft", "add table netdev nat; add chain netdev nat out { type filter hook egress device fibre priority 10; };"
                           f" flush chain netdev nat out; {rule}")
        for port in (4000, 5000):
            nat("a", f"add rule netdev nat out udp sport 9188 udp sport set {port}")
            nat("b", f"add rule netdev nat out udp dport {port} udp dport set 9188 accept; add rule netdev nat out udp dport 1024-65535 udp dport set 9")
            self.wait_for(lambda: f"path 1 (fibre): site-a is at 10.1.1.1:{port} now" in self.sites.log("site-b"), "site-b does not follow")
            self.wait_for(self.sites.paths_up, "the path does not come back")
        self.sites.cli_json("request", "--client", "acme", "--from", "10.10.0.0/24")
        said = self.sites.run("client", "ping", "-c", "50", "-i", "0.02", "-W", "2", "10.20.0.2")
        self.assertIn(" 0% packet loss", said)

    def test_no_core_dump_has_keys_in_it(self):
        limits = resource.getrlimit(resource.RLIMIT_CORE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_CORE, limits)
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

        def leaves_a_core(process):
            process.send_signal(signal.SIGABRT)
            _, status = os.waitpid(process.pid, 0)
            process.returncode = -signal.SIGABRT
            return os.WCOREDUMP(status)

        if not leaves_a_core(subprocess.Popen(["sleep", "60"], cwd=self.sites.state)):
            self.skipTest("this machine writes no core dumps at all")
        self.start()
        self.assertFalse(leaves_a_core(self.sites.processes.pop("site-a")))

    def test_what_was_ended_while_the_session_was_away_ends_at_the_peer_too(self):
        self.start()
        identity = self.sites.cli_json("request", "--client", "acme", "--from", "10.10.0.0/24")["id"]
        at_peer = lambda: json.loads(self.sites.run("server", self.sites.tools / "anabranch", "--json", "--api", "http://10.20.0.1:8080", "services"))  # noqa: E731
        self.wait_for(lambda: len(at_peer()) == 1, "the peer does not carry the service")
        self.sites.run("a", "nft", "add table inet cut; add chain inet cut out { type filter hook output priority 0; }; add rule inet cut out tcp dport 9188 drop")
        self.wait_for(lambda: self.sites.cli_json("status")["session"] == "down", "the session is not missed")
        self.assertEqual(self.cli("end", str(identity)).returncode, 0)
        self.assertEqual(len(at_peer()), 1)
        self.sites.run("a", "nft", "delete table inet cut")
        self.wait_for(lambda: at_peer() == [], "the peer goes on carrying it")

    def test_a_link_that_dies_leaves_the_scenario_and_comes_back(self):
        """The link is the one that the control session goes over: that moves to another."""
        self.start()
        identity = self.sites.cli_json("request", "--client", "acme", "--from", "10.10.0.0/24")["id"]
        links = {"10.1.1.2": "fibre", "10.1.2.2": "mobile", "10.1.3.2": "dsl"}
        self.assertEqual(self.shares(identity), set(links.values()))
        first = self.sites.cli_json("status")["session_reached_at"]
        dead = links.pop(first)
        emulator = [self.sites.tools / "linkemu/linkemu", "set", "--socket", self.sites.run_dir / "linkemu"]
        self.sites.run("net", *emulator, dead, "both", "down")
        self.wait_for(lambda: self.shares(identity) == set(links.values()), "the dead link stays in the scenario")
        self.assertTrue(any(dead in reason for reason in self.service(identity)["scenario"]["reasons"]))
        self.wait_for(lambda: self.sites.cli_json("status")["session_reached_at"] in links, "the session does not move to another link")
        self.sites.run("client", "ping", "-c", "3", "-i", "0.2", "-W", "2", "10.20.0.2")
        self.sites.run("net", *emulator, dead, "both", "up")
        self.wait_for(lambda: self.shares(identity) == {dead, *links.values()}, "the link does not come back")

    def test_a_configuration_is_read_again_while_packets_pass(self):
        self.start()
        self.sites.cli_json("request", "--client", "acme", "--from", "10.10.0.0/24")
        pings = subprocess.Popen(self.sites.command("client", "ping", "-c", "500", "-i", "0.01", "-W", "2", "10.20.0.2"), stdout=subprocess.PIPE, text=True)
        config = self.sites.state / "site-a.toml"
        text = config.read_text()
        prices = self.sites.state / "site-a/tariffs/standard.json"
        before = prices.read_text()

        # Mistakes are told with their places, and nothing changes.
        config.write_text(text.replace("cpu = 0", "cpus = 0").replace("[api]", '[shop]\nbandwidth = "fast"\n\n[api]'))
        prices.write_text(before.replace('"0.50"', '"0.70"'))
        refused = self.cli("reload")
        self.assertEqual(refused.returncode, 1)
        self.assertRegex(refused.stderr, r'Configuration has mistakes(.|\n)*/site-a.toml:12:1: dataplane.cpus: unknown key(.|\n)*: shop.bandwidth: "fast"; expected')
        self.assertIn('"0.50"', json.dumps(self.api("GET", "/v1/tariffs/standard")[2]))
        config.write_text(text)
        prices.write_text(before.replace('"EUR"', '"Euro"'))
        self.assertIn("standard.json: /currency", self.cli("reload").stderr)

        # What may change does, and what may not is said, until there was a restart.
        config.write_text(text.replace("cpu = 0", "cpu = 1").replace('rate_up = "20 Mbit/s"', 'rate_up = "10 Mbit/s"'))
        prices.write_text(before.replace('"0.50"', '"0.70"'))
        done = self.sites.cli_json("reload")
        self.assertEqual(done, {"applied": ["uplink.dsl.rate_up"], "documents": ["tariffs/standard"], "needs_restart": ["dataplane.cpu"]})
        self.assertIn('"0.70"', json.dumps(self.api("GET", "/v1/tariffs/standard")[2]))
        self.assertEqual([path["rate_up_bps"] for path in self.sites.cli_json("paths") if path["name"] == "dsl"], [10_000_000])
        config.write_text(text.replace("cpu = 0", "cpu = 1"))
        self.sites.processes["site-a"].send_signal(signal.SIGHUP)
        self.wait_for(lambda: self.sites.log("site-a").count("needs a restart: dataplane.cpu") == 2, "SIGHUP does nothing")
        self.assertEqual([path["rate_up_bps"] for path in self.sites.cli_json("paths") if path["name"] == "dsl"], [20_000_000])
        self.assertIn(" 0% packet loss", pings.communicate(timeout=30)[0])
        self.assertIsNone(self.sites.processes["site-a"].poll())

    def ask(self, command, user=()):
        """What dpdk-telemetry.py, as it comes with DPDK, prints as the answer."""
        said = subprocess.run([*user, "dpdk-telemetry.py", "-f", "site-a"], input=command + "\n", text=True, capture_output=True,
                              env={**os.environ, "RUNTIME_DIRECTORY": str(self.sites.run_dir / "site-a")}, timeout=30)
        answers = [json.loads(line) for line in said.stdout.splitlines() if line.startswith("{")]
        return answers[0][command.split(",")[0]] if answers else said.stdout

    def test_an_idle_gateway_leaves_its_core_alone(self):
        self.assert_workers_rest()

    def test_two_idle_workers_leave_their_cores_alone(self):
        self.sites.edits.append(("cpu = 0", "cpu = 0\nworkers = 2"))
        self.assert_workers_rest()

    def assert_workers_rest(self):
        """By how often they wake up, which does not depend on the machine; what it takes of the core, bench/idle measures."""
        self.start()
        self.sites.cli_json("request", "--client", "acme", "--from", "10.10.0.0/24")
        tasks = pathlib.Path(f"/proc/{self.sites.processes['site-a'].pid}/task")
        workers = [task for task in tasks.iterdir() if (task / "comm").read_text().startswith("rte-worker")]
        def rests():
            return [int(re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)", (worker / "status").read_text())[1]) for worker in workers]
        before, since = rests(), time.monotonic()
        self.sites.run("client", "ping", "-c", "3", "-i", "2", "-W", "2", "10.20.0.2")
        seconds = time.monotonic() - since
        for now, then in zip(rests(), before):
            self.assertTrue(200 < (now - then) / seconds < 2000, (now - then) / seconds)

    @unittest.skipUnless(shutil.which("dpdk-telemetry.py"), "dpdk-telemetry.py is not installed")
    def test_an_operator_reads_what_workers_do_over_the_telemetry_socket(self):
        self.start()
        self.sites.cli_json("request", "--client", "acme", "--from", "10.10.0.0/24")
        self.sites.run("client", "ping", "-c", "2000", "-i", "0.001", "-s", "1000", "-W", "2", "10.20.0.2")
        self.assertEqual(self.ask("/anabranch/workers"), [0])
        worker = self.ask("/anabranch/workers,0")
        self.assertGreaterEqual(worker["rx"], 4000)
        self.assertTrue(0 < worker["bursts"] <= worker["rx"])
        self.assertGreaterEqual(worker["flows"], 1)
        counters = self.sites.cli_json("counters")
        self.assertGreaterEqual(counters["rx"], worker["rx"])
        self.assertEqual(self.ask("/anabranch/drops"), counters["drops"])
        stages = self.ask("/anabranch/stages")
        self.assertGreater(stages["timed_polls"], 0)
        self.assertGreater(stages["idle_cycles_each"], 0)
        self.assertEqual({name.rsplit("_cycles", 1)[0] for name in stages if name.endswith("_cycles")},
                         {"rx", "parse", "flows", "disperse", "queue", "seal", "tx", "open", "assemble", "deliver", "repair", "acks", "upkeep", "idle"})
        lanes = self.ask("/anabranch/lanes,0")
        self.assertLessEqual(lanes["with_a_hole"], lanes["with_a_hole_max"])
        self.assertEqual(self.ask("/anabranch/paths"), [1, 2, 3])
        path = self.ask("/anabranch/paths,2")
        self.assertEqual((path["name"], path["state"], path["rate_bps"]), ("mobile", "alive", 50_000_000))
        self.assertTrue(60_000 < path["rtt_us"] < 90_000, path)
        for nothing in ("/anabranch/paths,9", "/anabranch/workers,7", "/anabranch/stages,x"):
            self.assertIsNone(self.ask(nothing), nothing)

    @unittest.skipUnless(shutil.which("dpdk-telemetry.py"), "dpdk-telemetry.py is not installed")
    def test_the_telemetry_socket_is_roots_only(self):
        self.sites.start_links()
        self.sites.start_gateway("a")
        self.sites.wait_for(lambda: "is ready" in self.sites.log("site-a"), 20, "does not start", "site-a")
        folder = self.sites.run_dir / "site-a/dpdk/site-a"
        self.assertEqual(folder.stat().st_mode & 0o777, 0o700)
        self.assertEqual((folder / "dpdk_telemetry.v2").stat().st_mode & 0o022, 0)
        nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        self.assertIn("Error connecting", self.ask("/anabranch/workers", nobody))

    def test_the_gateways_are_two_hops_of_the_way(self):
        self.start()
        self.sites.cli("request", "--client", "acme", "--from", "10.10.0.0/24")
        for ttl, hop in ((1, "10.10.0.1"), (2, "10.20.0.1")):
            out = self.sites.run("client", "ping", "-c", "1", "-t", ttl, "-W", "2", "10.20.0.2", check=False)
            self.assertRegex(out, rf"From {re.escape(hop)} .*Time to live exceeded")
        out = self.sites.run("client", "ping", "-c", "1", "-M", "do", "-s", "1472", "-W", "2", "10.20.0.2", check=False)
        self.assertRegex(out, r"(Frag needed|message too long).*mtu ?= ?1434")

    def test_two_workers_ended_under_traffic_lose_no_octet(self):
        self.sites.edits.append(("cpu = 0", "cpu = 0\nworkers = 2"))
        self.start()
        identity = self.sites.cli_json("request", "--client", "acme", "--from", "10.10.0.0/24")["id"]
        many_flows = ("import socket,time\nends = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(32)]\n"
                      "until = time.monotonic() + 60\nwhile time.monotonic() < until:\n"
                      "  for end in ends: end.sendto(bytes(500), ('10.20.0.2', 9))\n  time.sleep(0.002)")
        sender = subprocess.Popen(self.sites.command("client", sys.executable, "-c", many_flows))
        try:
            for name in ("a", "b"):
                time.sleep(1)
                self.assertEqual(self.sites.stop(f"site-{name}"), 0, self.sites.log(f"site-{name}"))
                self.assertIn("ended; all usage is journaled", self.sites.log(f"site-{name}"))
                self.sites.start_gateway(name)
                self.wait_for(self.sites.paths_up, "the gateway does not come back")
            self.wait_for(lambda: self.service(identity)["state"] == "active", "its service does not come back")
            time.sleep(1)
        finally:
            sender.kill()
            sender.wait()
        self.sites.cli("end", identity)
        client, house, stats = main_job.settled(self.sites)
        self.assertEqual(main_job.compare(client, house, stats)[1], [])

    def test_what_one_gateway_sent_the_other_received_by_their_journals(self):
        self.start()
        identity = self.sites.cli_json("request", "--client", "acme", "--from", "10.10.0.0/24")["id"]
        self.sites.run("client", "ping", "-c", "50", "-i", "0.02", "-s", "1200", "10.20.0.2")
        self.sites.cli("end", identity)
        self.assertEqual(self.sites.stop("site-a"), 0)
        self.wait_for(lambda: all(link["ab"]["in_flight"] == 0 for link in self.sites.link_stats().values()), "the links do not fall silent")
        self.assertEqual(self.sites.stop("site-b"), 0)
        journals = [self.sites.state / "state" / f"site-{name}" / "journal" for name in ("a", "b")]
        said = self.sites.run(None, self.sites.tools / "anabranch", "--json", "bill", "reconcile", *journals, "--tolerance-percent", "100")
        ways = {(path["path"], path["from"]): path for path in json.loads(said)}
        sent = [path for (name, by), path in ways.items() if by == "site-a" and path["octets_sent"] > 0]
        self.assertEqual(len([path for path in sent if not path["path"].endswith(")")]), 3, said)
        for path in sent:
            self.assertEqual(path["lost_octets"], 0, "on links that lose nothing")
        self.assertGreater(sum(path["octets_sent"] for path in sent), 50 * 1200)
        # The peer went on sending to a gateway that had ended: that is not received, and said.
        self.assertGreaterEqual(sum(path["lost_octets"] for (_, by), path in ways.items() if by == "site-b"), 0)

    def test_sigterm_ends_in_order_and_usage_goes_on_where_it_was(self):
        self.start()
        identity = self.sites.cli_json("request", "--client", "acme", "--from", "10.10.0.0/24")["id"]
        self.sites.run("client", "ping", "-c", "10", "-i", "0.05", "10.20.0.2")
        self.assertEqual(self.sites.stop("site-a"), 0)
        self.assertIn("ended; all usage is journaled", self.sites.log("site-a"))
        self.sites.start_gateway("a")
        self.wait_for(self.sites.paths_up, "the gateway does not come back")
        self.wait_for(lambda: self.service(identity)["state"] == "active", "its service does not come back")
        self.sites.run("client", "ping", "-c", "10", "-i", "0.05", "10.20.0.2")
        self.sites.cli("end", identity)
        client, house, stats = main_job.settled(self.sites)
        _, differences = main_job.compare(client, house, stats)
        self.assertEqual(differences, [])
        packets = sum(line["packets"] for line in client[0]["usage"] if line["kind"] == "first")
        self.assertEqual(packets, 40, "twenty echoes and their answers")


class Ipv6Clients(World):
    """Hosts of both families behind both gateways, links of IPv4 between them."""
    ipv6 = True

    def setUp(self):
        super().setUp()
        self.sites.edits = [(f'"10.{n}0.0.0/24"', f'"10.{n}0.0.0/24", "2001:db8:{n}::/64"') for n in (1, 2)]
        client = json.loads((EXAMPLES / "site-a/clients/acme.json").read_text())
        client["prefixes"].append("2001:db8:1::/64")
        self.sites.documents = {"site-a/clients/acme.json": json.dumps(client)}

    def request(self, *sources):
        traffic = [{"source": source} for source in sources]
        document = self.sites.state / "request.json"
        document.write_text(json.dumps({"client": "acme", "traffic": traffic}))
        return self.sites.cli_json("request", "--file", document)["id"]

    def test_a_lan_without_an_ipv6_address_is_refused(self):
        self.sites.run("a", "ip", "-6", "address", "flush", "dev", "lan")
        done = gateway(self.sites.state, self.sites.write_config("a"), ns=self.sites.command("a"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("interface lan has no IPv6 address, but lan.prefixes has IPv6 ones", done.stderr)

    def test_both_families_are_carried_and_charged_to_the_octet(self):
        self.start()
        identity = self.request("10.10.0.0/24", "2001:db8:1::/64")
        for family, server in (("-4", "10.20.0.2"), ("-6", "2001:db8:2::2")):
            said = self.sites.run("client", "ping", family, "-c", "20", "-i", "0.02", "-W", "2", server)
            self.assertIn(" 0% packet loss", said)
        for hops, hop in ((1, "2001:db8:1::1"), (2, "2001:db8:2::1")):
            said = self.sites.run("client", "ping", "-6", "-c", "1", "-t", hops, "-W", "2", "2001:db8:2::2", check=False)
            self.assertRegex(said, rf"From {hop} .*Time exceeded: Hop limit")
        said = self.sites.run("client", "ping", "-6", "-c", "2", "-M", "do", "-s", "1452", "-W", "2", "2001:db8:2::2", check=False)
        self.assertRegex(said, r"(Packet too big|message too long).*mtu ?= ?1434")
        # A packet that its host has to fragment, since now it knows the size.
        self.sites.run("client", "ping", "-6", "-c", "3", "-i", "0.2", "-s", "4000", "-W", "2", "2001:db8:2::2", check=False)
        said = self.sites.run("client", "ping", "-6", "-c", "3", "-i", "0.2", "-s", "4000", "-W", "2", "2001:db8:2::2")
        self.assertIn(" 0% packet loss", said)
        self.transfer("2001:db8:2::2", 8_000_000)
        self.sites.cli("end", identity)
        client, house, stats = main_job.settled(self.sites)
        _, differences = main_job.compare(client, house, stats)
        self.assertEqual(differences, [])
        drops = self.sites.cli_json("counters")["drops"]
        self.assertEqual([drops[name] for name in ("bad_length", "bad_extension", "bad_scope", "bad_inner", "no_service")], [0] * 5)

    def transfer(self, server, octets):
        """Over one TCP connection each way; what is sent must come."""
        serve = ("import hashlib,socket,sys\n"
                 "l = socket.create_server(('::', 5001), family=socket.AF_INET6); c, _ = l.accept(); h = hashlib.sha256()\n"
                 "f = c.makefile('rwb'); data = f.read(int(sys.argv[1])); f.write(data); f.flush(); c.shutdown(socket.SHUT_WR); c.recv(1)\n")
        send = ("import os,socket,sys,threading\n"
                "data = os.urandom(int(sys.argv[2])); s = socket.create_connection((sys.argv[1], 5001), 20); s.settimeout(30)\n"
                "t = threading.Thread(target=s.sendall, args=(data,)); t.start(); back = s.makefile('rb').read(len(data)); t.join()\n"
                "assert back == data; print('the same')\n")
        self.sites.start("server", "server", sys.executable, "-c", serve, octets)
        self.wait_for(lambda: ":5001" in self.sites.run("server", "ss", "-Hltn"), "the server does not listen")
        self.assertEqual(self.sites.run("client", sys.executable, "-c", send, server, octets), "the same\n")

    def test_ipv6_that_no_service_wants_is_refused(self):
        self.start()
        self.request("10.10.0.0/24")
        said = self.sites.run("client", "ping", "-6", "-c", "1", "-W", "2", "2001:db8:2::2", check=False)
        self.assertRegex(said, r"From 2001:db8:1::1 .*Destination unreachable: Administratively prohibited")
        self.assertGreater(self.sites.cli_json("counters")["drops"]["no_service"], 0)



class Quotas(World):
    """A link whose quota is used up is left, at both ends, and every octet of it is on the bill."""

    octets = 6_000_000

    def setUp(self):
        super().setUp()
        self.quota("stop", self.octets)

    def quota(self, at_limit, octets, **more):
        document = {"id": "fibre-month", "uplink": "fibre", "octets": f"{octets} B", "zone": "Europe/Berlin", "at_limit": at_limit, **more}
        self.sites.documents = {"site-a/quotas/fibre-month.json": json.dumps(document)}

    def usage(self):
        return self.sites.cli_json("quotas")[0]

    def transfer(self, octets, up=True):
        source, target = self.sites.state / "file", self.sites.state / "received"
        source.write_bytes(os.urandom(octets))
        ends = ("client", "server", "10.20.0.2") if up else ("server", "client", "10.10.0.2")
        main_job.transfer(self.sites, source, target, *ends, 5001 if up else 5002)
        self.assertEqual(target.read_bytes(), source.read_bytes())

    def wire(self):
        """Of the link, as its provider counts."""
        return sum(octets for (name, _), octets in main_job.tunnel_octets(self.sites.link_stats()).items() if name == "fibre")

    def shares(self, identity):
        service, = (s for s in self.sites.cli_json("services") if s["id"] == identity)
        return {share["path"] for share in service["scenario"]["shares"]}, service

    def test_traffic_goes_on_elsewhere_in_both_directions_and_the_bill_is_the_wire(self):
        self.start()
        identity = self.sites.cli_json("request", "--client", "acme", "--from", "10.10.0.0/24")["id"]
        self.assertIn("fibre", self.shares(identity)[0])
        self.sites.start("events", "client", self.sites.tools / "anabranch", "--api", "http://10.10.0.1:8080", "events")
        self.wait_for(lambda: self.sites.cli_json("status")["listeners"] == 1, "nobody listens")
        self.transfer(20_000_000)
        self.wait_for(lambda: self.usage()["state"] == "stopped", f"it is not used up: {self.usage()}")
        # What is above is what was under way, and beats and acknowledgements.
        self.assertLess(self.wire(), self.octets + 700_000)
        self.wait_for(lambda: "fibre" not in self.shares(identity)[0], "the scenario does not leave the link")
        service = self.shares(identity)[1]
        self.assertTrue(any('quota "fibre-month"' in reason for reason in service["scenario"]["reasons"]), service["scenario"]["reasons"])
        self.assertIn('quota "fibre-month"', self.sites.cli("explain", identity))
        before = self.wire()
        self.transfer(5_000_000)
        self.transfer(5_000_000, up=False)
        self.assertLess(self.wire() - before, 300_000, "beats and acknowledgements alone go on")
        for percent in (75, 95, 100):
            self.assertEqual(self.sites.log("site-a").count(f"quota fibre-month: {percent} % of"), 1)
        self.assertEqual([alert["percent"] for alert in self.sites.cli_json("status")["quota_alerts"]], [75, 95, 100])
        told = re.findall(r"quota-alert +fibre-month: (\d+) % of 6\.00 MB is used, until .*; at 100 % clients' traffic takes other paths\n", self.sites.log("events"))
        self.assertEqual(told, ["75", "95", "100"], self.sites.log("events"))
        self.assertRegex(self.sites.cli("quotas"), r"fibre-month +uplink fibre .* stopped ")
        self.sites.cli("end", identity)
        client, house, stats = main_job.settled(self.sites)
        self.assertEqual(main_job.compare(client, house, stats)[1], [])
        self.assert_counts_the_wire()

    def assert_counts_the_wire(self):
        def same():
            before = self.wire()
            used = self.usage()["used"]
            return before == used or before == self.wire() and 0 <= before - used <= 3_000  # beats of the last second
        self.wait_for(same, f"the quota says {self.usage()['used']}, the wire {self.wire()}")

    def test_a_kill_neither_loses_nor_doubles_an_octet_and_tells_nothing_twice(self):
        self.quota("stop", 2 * self.octets)
        self.start()
        self.sites.cli_json("request", "--client", "acme", "--from", "10.10.0.0/24")
        self.transfer(24_000_000)
        self.wait_for(lambda: self.usage()["percent"] >= 95, f"not enough is used: {self.usage()}")
        process = self.sites.processes.pop("site-a")
        process.kill()
        process.wait()
        told = self.sites.log("site-a").count("quota fibre-month: 75 %")
        self.sites.start_gateway("a")
        self.sites.wait_for(self.sites.paths_up, 20, "not all paths came up again", "site-a")
        self.wait_for(lambda: not self.sites.cli_json("status")["meters_pending"], "what passed meanwhile is not booked")
        self.assert_counts_the_wire()
        self.assertEqual(self.sites.log("site-a").count("quota fibre-month: 75 %"), told)

    def test_a_budget_is_spent_by_what_is_charged(self):
        # What is beyond the quota counts as 200 times as dear for the choice, which does not look at prices here.
        self.quota("pay", 1_000_000, overage_per_gb="100")
        self.sites.documents["site-a/profiles/bonded.json"] = json.dumps({"id": "bonded", "quality_percent": 100})
        self.start()
        identity = self.sites.cli_json("request", "--client", "acme", "--from", "10.10.0.0/24", "--budget", "0.50")["id"]
        for _ in range(2):
            self.transfer(10_000_000)
            self.wait_for(lambda: self.usage()["state"] == "paying", f"it is not used up: {self.usage()}")
        shares, service = self.shares(identity)
        self.assertIn("fibre", shares)
        before = float(service["spent"]["amount"])
        self.transfer(10_000_000)
        self.wait_for(lambda: float(self.shares(identity)[1]["spent"]["amount"]) > before, "nothing is spent")
        spent = float(self.sites.cli_json("end", identity)["spent"]["amount"])
        client, _, _ = main_job.settled(self.sites)
        self.assertAlmostEqual(spent, float(client[0]["gross"]), delta=0.011)

    def test_what_is_paid_for_goes_on_and_is_dearer(self):
        self.quota("pay", self.octets, overage_per_gb="0.30")
        self.start()
        identity = self.sites.cli_json("request", "--client", "acme", "--from", "10.10.0.0/24")["id"]
        self.transfer(20_000_000)
        self.wait_for(lambda: self.usage()["state"] == "paying", f"it is not used up: {self.usage()}")
        inputs = json.loads(self.sites.cli("--json", "explain", identity))
        self.assertIn('quota "fibre-month"', " ".join(inputs["sentences"]), inputs["sentences"])
        self.assertGreater(self.usage()["used"], self.octets)


if __name__ == "__main__":
    BUILD = pathlib.Path(sys.argv.pop()).resolve()
    unittest.main(verbosity=2)

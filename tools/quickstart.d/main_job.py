#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The main job: a file crosses three providers' links through two gateways, and is on the bill.

Everything runs in network namespaces of this run; nothing outside them is touched.

    client ── site-a ══ fibre, mobile, dsl (linkemu) ══ site-b ── server
"""
import argparse
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
PORT = 9188
# name, rate Mbit/s, one-way delay ms; provider as in site-a.toml
LINKS = [("fibre", 100, 10, "northfibre"), ("mobile", 50, 30, "airmobile"), ("dsl", 20, 20, "coppertel")]
QUEUE_MS = 100


class Failure(Exception):
    """What went wrong, as a sentence."""


class Interrupted(Failure):
    """Somebody wants it to end."""


def say(text=""):
    print(text, flush=True)


class Bench:
    """The namespaces, links and processes of one run; close() leaves nothing behind."""

    def __init__(self, build):
        self.tools = build / "tools"
        self.id = f"anabranch-{os.getpid()}"
        self.state = pathlib.Path("/var/tmp") / self.id
        self.run_dir = pathlib.Path("/run") / self.id
        self.processes = {}
        self.fingerprints = {}
        self.edits = []  # (old, new) for both configurations
        self.namespaces = []

    def ns(self, name):
        return f"{self.id}-{name}"

    def command(self, ns, *words):
        return ["ip", "netns", "exec", self.ns(ns), *map(str, words)]

    def run(self, ns, *words, check=True):
        command = self.command(ns, *words) if ns else list(map(str, words))
        done = subprocess.run(command, capture_output=True, text=True, start_new_session=True)
        if check and done.returncode != 0:
            raise Failure(f"`{' '.join(map(str, words))}` failed ({done.returncode}): {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def start(self, name, ns, *words):
        # A session of its own: Ctrl-C at the terminal is for this script, which ends them in order.
        with open(self.state / f"{name}.log", "a") as log:
            process = subprocess.Popen(self.command(ns, *words), stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        self.processes[name] = process
        return process

    def log(self, name):
        return (self.state / f"{name}.log").read_text()

    def open(self):
        for folder in (self.state, self.run_dir):
            folder.mkdir(parents=True)
        for name in ("client", "a", "net", "b", "server"):
            self.run(None, "ip", "netns", "add", self.ns(name))
            self.namespaces.append(name)
            self.run(name, "ip", "link", "set", "lo", "up")
        self.wire("client", "eth0", "10.10.0.2/24", "a", "lan", "10.10.0.1/24")
        self.wire("server", "eth0", "10.20.0.2/24", "b", "lan", "10.20.0.1/24")
        for i, (name, *_) in enumerate(LINKS, 1):
            self.wire("a", name, f"10.1.{i}.1/30", "net", f"{name}-a", None)
            self.wire("b", name, f"10.1.{i}.2/30", "net", f"{name}-b", None)
        for host, gateway in (("client", "10.10.0.1"), ("server", "10.20.0.1")):
            self.run(host, "ip", "route", "add", "default", "via", gateway)

    def wire(self, ns_a, if_a, address_a, ns_b, if_b, address_b):
        self.run(None, "ip", "link", "add", if_a, "netns", self.ns(ns_a), "type", "veth", "peer", "name", if_b, "netns", self.ns(ns_b))
        for ns, interface, address in ((ns_a, if_a, address_a), (ns_b, if_b, address_b)):
            self.run(ns, "sysctl", "-qw", f"net.ipv6.conf.{interface}.disable_ipv6=1")
            # Packets must be as on a wire: of at most the MTU, with their checksums.
            self.run(ns, "ethtool", "-K", interface, "tx", "off", "tso", "off", "gso", "off", "gro", "off")
            if address:
                self.run(ns, "ip", "address", "add", address, "dev", interface)
            self.run(ns, "ip", "link", "set", interface, "up")

    def start_links(self):
        links = []
        for name, rate, delay, _ in LINKS:
            links += ["--link", f"name={name},a={name}-a,b={name}-b,rate={rate}Mbit/s,delay={delay}ms,queue={QUEUE_MS}ms"]
        # Ahead of all else on this machine, so that its delays are exact.
        self.start("linkemu", "net", "chrt", "--fifo", "1", self.tools / "linkemu/linkemu", "run", "--socket", self.run_dir / "linkemu", "--tunnel-port", PORT, *links)
        self.wait_for(lambda: "ready" in self.log("linkemu"), 10, "the link emulator does not start", "linkemu")

    def make_identities(self):
        """Each gateway's key and certificate; each is told the other's fingerprint."""
        for site, peer in (("a", "b"), ("b", "a")):
            said = self.run(None, self.tools / "anabranch", "keygen", f"site-{site}", "--folder", self.state)
            self.fingerprints[peer] = said.split('"')[1]

    def write_config(self, site):
        """The example's configuration; only folders and fingerprints are this run's."""
        if not self.fingerprints:
            self.make_identities()
        for source in HERE.iterdir():
            if source.name.startswith(f"site-{site}"):
                if source.is_dir():
                    shutil.copytree(source, self.state / source.name, dirs_exist_ok=True)
                else:
                    shutil.copy(source, self.state)
        config = self.state / f"site-{site}.toml"
        text = config.read_text().replace("/var/lib/anabranch", f"{self.state}/state").replace("/run/anabranch", str(self.run_dir))
        for old, new in [("sha256:" + 64 * "0", self.fingerprints[site]), *self.edits]:
            text = text.replace(old, new)
        config.write_text(text)
        return config

    def start_gateway(self, site):
        self.start(f"site-{site}", site, self.tools / "anabranchd", self.write_config(site))

    def wait_for(self, condition, seconds, otherwise, process=None):
        deadline = time.monotonic() + seconds
        while not condition():
            ended = process and self.processes[process].poll() is not None
            if ended or time.monotonic() > deadline:
                raise Failure(otherwise + (f"; its log ends:\n{self.log(process)[-2000:]}" if process else ""))
            time.sleep(0.05)

    def cli(self, *words):
        return self.run("client", self.tools / "anabranch", "--api", "http://10.10.0.1:8080", *words)

    def cli_json(self, *words):
        return json.loads(self.cli("--json", *words))

    def paths_up(self):
        try:
            return all(p["alive"] for p in self.cli_json("paths"))
        except Failure:
            return False

    def link_stats(self):
        stats = json.loads(self.run("net", self.tools / "linkemu/linkemu", "stats", "--json", "--socket", self.run_dir / "linkemu"))
        return {link["name"]: link for link in stats["links"]}

    def stop(self, name, seconds=15):
        process = self.processes.pop(name)
        if process.poll() is None:
            process.terminate()
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise Failure(f"{name} did not end within {seconds} s of SIGTERM; killed")
        return status

    def close(self, keep_logs):
        problems = []
        for name in list(self.processes)[::-1]:
            try:
                status = self.stop(name)
                if name.startswith("site-") and status != 0:
                    problems.append(f"{name} ended with status {status}: {self.log(name)[-500:]}")
            except Failure as failure:
                problems.append(str(failure))
        for name in self.namespaces:
            subprocess.run(["ip", "netns", "del", self.ns(name)], check=False)
        shutil.rmtree(self.run_dir, ignore_errors=True)
        if keep_logs or problems:
            for file in [*self.state.glob("*.sent"), *self.state.glob("*.received")]:
                file.unlink()
            say(f"logs and state are in {self.state}")
        else:
            shutil.rmtree(self.state, ignore_errors=True)
        if problems:
            raise Failure("; ".join(problems))


def sha256(file):
    with open(file, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def transfer(bench, source, target, sender, receiver, address, port, meanwhile=None):
    """A file over one ordinary TCP connection; returns Mbit/s, from connecting to the last octet.

    Congestion control is pinned to CUBIC on the socket, since hosts differ (level 6: TCP, option 13:
    TCP_CONGESTION).
    """
    listener = bench.start(f"receive-{port}", receiver, "socat", "-u", "-b", "65536", f"TCP-LISTEN:{port},reuseaddr", f"OPEN:{target},creat,trunc")
    bench.wait_for(lambda: f":{port} " in bench.run(receiver, "ss", "-Hltn"), 5, f"nothing listens on port {port}", f"receive-{port}")
    began = time.monotonic()
    connection = bench.start(f"send-{port}", sender, "socat", "-u", "-b", "65536", f"OPEN:{source}", f"TCP:{address}:{port},connect-timeout=10,setsockopt-string=6:13:cubic")
    if meanwhile:
        meanwhile(target)
    for process, what in ((connection, "sending"), (listener, "receiving")):
        try:
            if process.wait(120) != 0:
                raise Failure(f"{what} the file failed: {bench.log(('send' if process is connection else 'receive') + f'-{port}')[-300:]}")
        except subprocess.TimeoutExpired:
            raise Failure(f"{what} the file did not end within 120 s") from None
    seconds = time.monotonic() - began
    for name in (f"send-{port}", f"receive-{port}"):
        bench.processes.pop(name)
    return os.path.getsize(source) * 8 / seconds / 1e6


def kill_gateway(bench, target, size):
    """kill -9 in the middle of the transfer, and start it again."""
    bench.wait_for(lambda: os.path.exists(target) and os.path.getsize(target) > size // 3, 60, "the transfer does not get on")
    process = bench.processes.pop("site-a")
    process.kill()
    process.wait()
    say("   gateway A was killed (kill -9) in the middle, and is started again")
    bench.start_gateway("a")


def account(statement):
    """Octets of an account by link and direction."""
    octets = {}
    for section in statement["sections"]:
        for line in section["lines"]:
            key = (line["path"].split(" ")[0], line["direction"])
            octets[key] = octets.get(key, 0) + line["octets"]
    return octets


def tunnel_octets(stats):
    """Of the gateways' UDP port, as gateway A's provider counts: what A gave it, what it gave to A."""
    return {(name, direction): link[way][what]["tunnel"]["octets"]
            for name, link in stats.items()
            for direction, way, what in (("sent", "ab", "offered"), ("received", "ba", "delivered"))}


def settled(bench):
    """Statements and link counters of one moment in which nothing was under way."""
    for _ in range(100):
        before = bench.link_stats()
        bench.cli("flush")
        client, house = bench.cli_json("statement", "acme"), bench.cli_json("house")
        after = bench.link_stats()
        idle = all(link[way]["in_flight"] == 0 for link in after.values() for way in ("ab", "ba"))
        pending = bench.cli_json("status")["meters_pending"]
        if idle and not pending and tunnel_octets(before) == tunnel_octets(after):
            return client, house, after
    raise Failure("the links did not fall silent for long enough to compare counts")


def compare(client, house, stats):
    """Clients + house = wire, link by link; returns the figures, and what differs as sentences."""
    billed, own, wire = account(client), account(house), tunnel_octets(stats)
    figures, differences = [], []
    for name, _, _, provider in LINKS:
        total = {"name": name, "provider": provider, "octets_on_wire": 0, "octets_billed": 0, "octets_house": 0}
        for direction in ("sent", "received"):
            key = (name, direction)
            total["octets_on_wire"] += wire[key]
            total["octets_billed"] += billed.get(key, 0)
            total["octets_house"] += own.get(key, 0)
            accounted = billed.get(key, 0) + own.get(key, 0)
            if accounted != wire[key]:
                differences.append(f"{name}, {direction}: {accounted} octets on accounts, {wire[key]} on the wire ({accounted - wire[key]:+d})")
        figures.append(total)
    for name, link in stats.items():
        if link["ab"]["socket_drops"] or link["ba"]["socket_drops"]:
            differences.append(f"{name}: the emulator's sockets dropped packets uncounted; its figures are not exact")
    return figures, differences


def report_links(figures, stats):
    say(f"   {'link':<8} {'provider':<11} {'on the wire':>13} {'client':>13} {'house':>9}   kernel's own (control session)")
    for f in figures:
        kernel = sum(stats[f["name"]][way]["offered"]["kernel"]["octets"] for way in ("ab", "ba"))
        say(f"   {f['name']:<8} {f['provider']:<11} {f['octets_on_wire']:>13} {f['octets_billed']:>13} {f['octets_house']:>9}   {kernel}")


def main_job(bench, options):
    say("1. Namespaces, links, gateways")
    bench.open()
    bench.start_links()
    for site in ("b", "a"):
        bench.start_gateway(site)
    bench.wait_for(lambda: "is ready" in bench.log("site-a"), 20, "gateway A does not start", "site-a")
    bench.wait_for(lambda: "is ready" in bench.log("site-b"), 20, "gateway B does not start", "site-b")
    bench.wait_for(bench.paths_up, 15, "not all paths came up")
    say(bench.cli("paths"))

    say("2. The client asks for service:  anabranch request --client acme --from 10.10.0.0/24")
    service = bench.cli_json("request", "--client", "acme", "--from", "10.10.0.0/24")
    say(bench.cli("services"))

    say(f"3. A file of {options.megabytes} MB goes up, another comes down (TCP, CUBIC)")
    size = options.megabytes * 1_000_000
    files = {}
    for name in ("up", "down"):
        files[name] = (bench.state / f"{name}.sent", bench.state / f"{name}.received")
        files[name][0].write_bytes(os.urandom(size))
    meanwhile = (lambda target: kill_gateway(bench, target, size)) if options.kill else None
    goodput = {
        "up": transfer(bench, *files["up"], "client", "server", "10.20.0.2", 5001, meanwhile),
        "down": transfer(bench, *files["down"], "server", "client", "10.10.0.2", 5002),
    }
    sha256_ok = all(sha256(sent) == sha256(received) for sent, received in files.values())
    total = sum(rate for _, rate, *_ in LINKS)
    for way in ("up", "down"):
        say(f"   {way:<5} {goodput[way]:6.1f} Mbit/s; the links: " + ", ".join(f"{name} {rate}" for name, rate, *_ in LINKS) + f"; their sum {total} ({goodput[way] / total:.0%})")
    say(f"   files {'are intact (SHA-256)' if sha256_ok else 'DIFFER'}\n")

    if options.falsify:
        bench.run(None, options.falsify, bench.run_dir / "site-a/meters-site-a")
        say("   (a meter was falsified by one octet)")
    say("4. The service is ended; the bill")
    say("   " + bench.cli("end", service["id"]))
    client, house, stats = settled(bench)
    say(bench.cli("statement", "acme"))
    say(bench.cli("house"))
    figures, differences = compare(client, house, stats)
    report_links(figures, stats)

    result = {"goodput_mbps": goodput, "sum_mbps": total, "sha256_ok": sha256_ok, "paths": figures,
              "statement": {"total": client["total"], "currency": client["currency"]}}
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=2) + "\n")
    if differences:
        raise Failure("accounts and wire differ:\n  " + "\n  ".join(differences))
    if not sha256_ok:
        raise Failure("a file did not arrive as it was sent")
    say("   client + house = wire, to the octet, on every link")


def keep(bench):
    bench.cli("request", "--client", "acme", "--from", "10.10.0.0/24")
    say(f"""
Everything is left running, with a new service for the client. To look around:
  ip netns exec {bench.ns('client')} ping 10.20.0.2
  ip netns exec {bench.ns('client')} {bench.tools}/anabranch --api http://10.10.0.1:8080 paths
  ip netns exec {bench.ns('net')} {bench.tools}/linkemu/linkemu set --socket {bench.run_dir}/linkemu fibre both down
  ip netns exec {bench.ns('net')} {bench.tools}/linkemu/linkemu stats --socket {bench.run_dir}/linkemu
  tail -f {bench.state}/site-a.log
Ctrl-C ends it.""")
    signal.pause()


def interrupted(number, _):
    raise Interrupted(f"interrupted by {signal.Signals(number).name}")


def main():
    parser = argparse.ArgumentParser(prog="quickstart", description="A file crosses three providers' links through two gateways, and is on the bill.")
    parser.add_argument("--json", metavar="FILE", help="write the figures")
    parser.add_argument("--keep", action="store_true", help="leave everything running afterwards, until Ctrl-C")
    parser.add_argument("--megabytes", type=int, default=100, help="size of the files (default: 100)")
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent.parent / "build", help=argparse.SUPPRESS)
    parser.add_argument("--kill", action="store_true", help="kill -9 gateway A in the middle of the upload, and start it again")
    parser.add_argument("--falsify", metavar="PROGRAM", help=argparse.SUPPRESS)  # the tests' hook
    options = parser.parse_args()
    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, interrupted)

    bench = Bench(options.build.resolve())
    status, keep_logs, done = 0, False, False
    try:
        main_job(bench, options)
        done = True
        if options.keep:
            keep(bench)
    except Failure as failure:
        if not (done and isinstance(failure, Interrupted)):
            status = 1
            keep_logs = not isinstance(failure, Interrupted)
            print(f"\nquickstart failed: {failure}", file=sys.stderr)
    finally:
        # Once more Ctrl-C must not leave half of it behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        try:
            bench.close(keep_logs)
        except Failure as failure:
            status = 1
            print(f"\nquickstart: {failure}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())

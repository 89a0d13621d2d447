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
import signal
import subprocess
import sys
import time

from sites import LINKS, Failure, Interrupted, Sites, say

HERE = pathlib.Path(__file__).resolve().parent


def sha256(file):
    with open(file, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def transfer(sites, source, target, sender, receiver, address, port, meanwhile=None):
    """A file over one ordinary TCP connection; returns Mbit/s, from connecting to the last octet.

    Congestion control is pinned to CUBIC on the socket, since hosts differ (level 6: TCP, option 13:
    TCP_CONGESTION).
    """
    listener = sites.start(f"receive-{port}", receiver, "socat", "-u", "-b", "65536", f"TCP-LISTEN:{port},reuseaddr", f"OPEN:{target},creat,trunc")
    sites.wait_for(lambda: f":{port} " in sites.run(receiver, "ss", "-Hltn"), 5, f"nothing listens on port {port}", f"receive-{port}")
    began = time.monotonic()
    connection = sites.start(f"send-{port}", sender, "socat", "-u", "-b", "65536", f"OPEN:{source}", f"TCP:{address}:{port},connect-timeout=10,setsockopt-string=6:13:cubic")
    if meanwhile:
        meanwhile(target)
    for process, what in ((connection, "sending"), (listener, "receiving")):
        try:
            if process.wait(120) != 0:
                raise Failure(f"{what} the file failed: {sites.log(('send' if process is connection else 'receive') + f'-{port}')[-300:]}")
        except subprocess.TimeoutExpired:
            raise Failure(f"{what} the file did not end within 120 s") from None
    seconds = time.monotonic() - began
    for name in (f"send-{port}", f"receive-{port}"):
        sites.processes.pop(name)
    return os.path.getsize(source) * 8 / seconds / 1e6


def kill_gateway(sites, target, size):
    """kill -9 in the middle of the transfer, and start it again."""
    sites.wait_for(lambda: os.path.exists(target) and os.path.getsize(target) > size // 3, 60, "the transfer does not get on")
    process = sites.processes.pop("site-a")
    process.kill()
    process.wait()
    say("   gateway A was killed (kill -9) in the middle, and is started again")
    sites.start_gateway("a")


def account(statements):
    """Octets of an account by link and direction."""
    octets = {}
    for line in [line for statement in statements for line in statement["usage"]]:
        key = (line["path"].split(" ")[0], line["direction"])
        octets[key] = octets.get(key, 0) + line["octets"]
    return octets


def tunnel_octets(stats):
    """Of the gateways' UDP port, as gateway A's provider counts: what A gave it, what it gave to A."""
    return {(name, direction): link[way][what]["tunnel"]["octets"]
            for name, link in stats.items()
            for direction, way, what in (("sent", "ab", "offered"), ("received", "ba", "delivered"))}


# All of it by one process: a program for each would take longer than beats leave between them.
READ = '''
import http.client, json, subprocess, sys
api = http.client.HTTPConnection("10.10.0.1", 8080, timeout=60)
def ask(method, path):
    api.request(method, path, "{}" if method == "POST" else None)
    answer = api.getresponse()
    text = answer.read()
    if answer.status >= 300:
        sys.exit(f"{method} {path}: {answer.status} {text.decode()}")
    return json.loads(text)
def stats():
    return {link["name"]: link for link in json.loads(subprocess.run(sys.argv[1:], capture_output=True, check=True).stdout)["links"]}
before = stats()
pending = ask("GET", "/v1/status")["meters_pending"]  # before: what is booked meanwhile is on no statement yet
ask("POST", "/v1/usage/flush")
client, house = ask("GET", "/v1/statements/clients/acme"), ask("GET", "/v1/statements/house")
print(json.dumps([before, pending, client, house, stats()]))
'''


def settled(sites):
    """Statements and link counters of one moment in which nothing was under way. A link that lost packets is measured by
    many beats for some 15 s more."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        before, pending, client, house, after = json.loads(sites.run("client", sys.executable, "-c", READ, *sites.link_stats_command()))
        idle = all(link[way]["in_flight"] == 0 for link in after.values() for way in ("ab", "ba"))
        if idle and not pending and tunnel_octets(before) == tunnel_octets(after):
            return client, house, after
    raise Failure("the links did not fall silent for long enough to compare counts")


def compare(client, house, stats):
    """Clients + house = wire, link by link; returns the figures, and what differs as sentences."""
    billed, own, wire = account(client), account(house), tunnel_octets(stats)
    figures, differences = [], []
    for link in LINKS:
        name = link.name
        total = {"name": name, "provider": link.provider, "octets_on_wire": 0, "octets_billed": 0, "octets_house": 0}
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


def main_job(sites, options):
    say("1. Namespaces, links, gateways")
    sites.open()
    sites.start_links()
    for site in ("b", "a"):
        sites.start_gateway(site)
    sites.wait_for(lambda: "is ready" in sites.log("site-a"), 20, "gateway A does not start", "site-a")
    sites.wait_for(lambda: "is ready" in sites.log("site-b"), 20, "gateway B does not start", "site-b")
    sites.wait_for(sites.paths_up, 15, "not all paths came up")
    say(sites.cli("paths"))

    say("2. The client asks for service:  anabranch request --client acme --from 10.10.0.0/24")
    service = sites.cli_json("request", "--client", "acme", "--from", "10.10.0.0/24")
    say(sites.cli("services"))

    say(f"3. A file of {options.megabytes} MB goes up, another comes down (TCP, CUBIC)")
    size = options.megabytes * 1_000_000
    files = {}
    for name in ("up", "down"):
        files[name] = (sites.state / f"{name}.sent", sites.state / f"{name}.received")
        files[name][0].write_bytes(os.urandom(size))
    meanwhile = (lambda target: kill_gateway(sites, target, size)) if options.kill else None
    goodput = {
        "up": transfer(sites, *files["up"], "client", "server", "10.20.0.2", 5001, meanwhile),
        "down": transfer(sites, *files["down"], "server", "client", "10.10.0.2", 5002),
    }
    sha256_ok = all(sha256(sent) == sha256(received) for sent, received in files.values())
    total = sum(link.rate for link in LINKS)
    for way in ("up", "down"):
        say(f"   {way:<5} {goodput[way]:6.1f} Mbit/s; the links: " + ", ".join(f"{link.name} {link.rate}" for link in LINKS) + f"; their sum {total} ({goodput[way] / total:.0%})")
    say(f"   files {'are intact (SHA-256)' if sha256_ok else 'DIFFER'}\n")

    if options.falsify:
        sites.run(None, options.falsify, sites.run_dir / "site-a/meters-site-a")
        say("   (a meter was falsified by one octet)")
    say("4. The service is ended; the bill")
    say("   " + sites.cli("end", service["id"]))
    client, house, stats = settled(sites)
    say(sites.cli("statement", "acme"))
    say(sites.cli("house"))
    figures, differences = compare(client, house, stats)
    report_links(figures, stats)

    result = {"goodput_mbps": goodput, "sum_mbps": total, "sha256_ok": sha256_ok, "paths": figures,
              "statement": {"total": client[0]["gross"], "currency": client[0]["currency"]}}
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=2) + "\n")
    if differences:
        raise Failure("accounts and wire differ:\n  " + "\n  ".join(differences))
    if not sha256_ok:
        raise Failure("a file did not arrive as it was sent")
    say("   client + house = wire, to the octet, on every link")


def keep(sites):
    sites.cli("request", "--client", "acme", "--from", "10.10.0.0/24")
    say(f"""
Everything is left running, with a new service for the client. To look around:
  ip netns exec {sites.ns('client')} ping 10.20.0.2
  ip netns exec {sites.ns('client')} {sites.tools}/anabranch --api http://10.10.0.1:8080 paths
  ip netns exec {sites.ns('net')} {sites.tools}/linkemu/linkemu set --socket {sites.run_dir}/linkemu fibre both down
  ip netns exec {sites.ns('net')} {sites.tools}/linkemu/linkemu stats --socket {sites.run_dir}/linkemu
  tail -f {sites.state}/site-a.log
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
    parser.add_argument("--workers", type=int, default=1, help="of each gateway (default: 1)")
    parser.add_argument("--falsify", metavar="PROGRAM", help=argparse.SUPPRESS)  # the tests' hook
    options = parser.parse_args()
    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, interrupted)

    sites = Sites(options.build.resolve())
    if options.workers > 1:
        for cpu in (0, 1):
            cpus = [(cpu + w) % os.cpu_count() for w in range(options.workers)]
            sites.edits.append((f"[dataplane]\ncpu = {cpu}\n", f"[dataplane]\nworkers = {options.workers}\nworker_cpus = {cpus}\n"))
    status, keep_logs, done = 0, False, False
    try:
        main_job(sites, options)
        done = True
        if options.keep:
            keep(sites)
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
            sites.close(keep_logs)
        except Failure as failure:
            status = 1
            print(f"\nquickstart: {failure}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())

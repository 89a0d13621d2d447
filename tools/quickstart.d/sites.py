# SPDX-License-Identifier: BSD-3-Clause
"""Two sites with a gateway each, and emulated links of several providers between them.

Everything is in network namespaces of this run; nothing outside them is touched.

    client ── site-a ══ links (linkemu) ══ site-b ── server
"""
import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
PORT = 9188


@dataclasses.dataclass
class Link:
    name: str
    rate: float  # Mbit/s
    delay: float  # ms, one way
    provider: str
    jitter: float = 0  # ms
    loss: float = 0  # %
    queue: float = 100  # ms
    reorder: bool = False
    ipv6: bool = False  # between the gateways
    vlan: int = 0  # of the tags of its frames, of which the kernel knows nothing then; 0: they have none

    def settings(self):
        return (f"name={self.name},a={self.name}-a,b={self.name}-b,rate={self.rate:g}Mbit/s,delay={self.delay:g}ms,jitter={self.jitter:g}ms,"
                f"loss={self.loss:g}%,queue={self.queue:g}ms,reorder={str(self.reorder).lower()}")


# As in site-a.toml and site-b.toml.
LINKS = [Link("fibre", 100, 10, "northfibre"), Link("mobile", 50, 30, "airmobile"), Link("dsl", 20, 20, "coppertel")]


class Failure(Exception):
    """What went wrong, as a sentence."""


class Interrupted(Failure):
    """Somebody wants it to end."""


def say(text=""):
    print(text, flush=True)


class Sites:
    """The namespaces, links and processes of one run; close() leaves nothing behind."""

    def __init__(self, build, links=None, rate=None):
        self.links = links or LINKS
        self.rate = rate  # of all links, as the gateways are told; None: as they are
        self.tools = build / "tools"
        self.id = f"anabranch-{os.getpid()}"
        self.state = pathlib.Path("/var/tmp") / self.id
        self.run_dir = pathlib.Path("/run") / self.id
        self.processes = {}
        self.fingerprints = {}
        self.ipv6 = False  # on the LANs as well: 2001:db8:1::/64 and 2001:db8:2::/64
        self.edits = []  # (old, new) for both configurations
        self.documents = {}  # other than the example's: path below the configuration → text
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
        if self.ipv6:
            for host, gateway, network in (("client", "a", "2001:db8:1::"), ("server", "b", "2001:db8:2::")):
                self.add_ipv6(host, "eth0", f"{network}2/64")
                self.add_ipv6(gateway, "lan", f"{network}1/64")
                self.run(host, "ip", "route", "add", "default", "via", f"{network}1")
        for i, link in enumerate(self.links, 1):
            for site in ("a", "b"):
                self.wire(site, link.name, None, "net", f"{link.name}-{site}", None)
                if link.ipv6 and not link.vlan:
                    self.add_ipv6(site, link.name, f"{self.outside(i, link, site)}/64")
                elif not link.vlan:
                    self.run(site, "ip", "address", "add", f"{self.outside(i, link, site)}/30", "dev", link.name)
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

    def add_ipv6(self, ns, interface, address):
        self.run(ns, "sysctl", "-qw", f"net.ipv6.conf.{interface}.disable_ipv6=0")
        # Nobody else has it: there is no need to wait until that is certain.
        self.run(ns, "ip", "address", "add", address, "dev", interface, "nodad")

    @staticmethod
    def outside(number, link, site):
        """A gateway's address on a link."""
        last = {"a": 1, "b": 2}[site]
        return f"2001:db8:ff:{number}::{last}" if link.ipv6 else f"10.1.{number}.{last}"

    def start_links(self):
        links = [word for link in self.links for word in ("--link", link.settings())]
        # Ahead of all else on this machine, so that its delays are exact.
        self.start("linkemu", "net", "chrt", "--fifo", "1", self.tools / "linkemu/linkemu", "run", "--socket", self.run_dir / "linkemu", "--tunnel-port", PORT, *links)
        self.wait_for(lambda: "ready" in self.log("linkemu"), 10, "the link emulator does not start", "linkemu")

    def make_identities(self):
        """Each gateway's key and certificate; each is told the other's fingerprint."""
        for site, peer in (("a", "b"), ("b", "a")):
            said = self.run(None, self.tools / "anabranch", "keygen", f"site-{site}", "--folder", self.state)
            self.fingerprints[peer] = said.split('"')[1]

    def write_config(self, site):
        """The example's configuration; only folders, fingerprints and, where they differ, links are this run's."""
        if not self.fingerprints:
            self.make_identities()
        for source in HERE.iterdir():
            if source.name.startswith(f"site-{site}"):
                if source.is_dir():
                    shutil.copytree(source, self.state / source.name, dirs_exist_ok=True)
                else:
                    shutil.copy(source, self.state)
        for path, text in self.documents.items():
            if path.startswith(f"site-{site}/"):
                (self.state / path).parent.mkdir(exist_ok=True)
                (self.state / path).write_text(text)
        config = self.state / f"site-{site}.toml"
        text = config.read_text().replace("/var/lib/anabranch", f"{self.state}/state").replace("/run/anabranch", str(self.run_dir))
        for old, new in [("sha256:" + 64 * "0", self.fingerprints[site]), *self.edits]:
            text = text.replace(old, new)
        config.write_text(text if self.links is LINKS else self.with_links(text, site))
        return config

    def with_links(self, text, site):
        """Uplinks and paths of a configuration for the links of this run, in the example's own words."""
        far = {"a": "b", "b": "a"}[site]
        uplinks = [f'[[uplink]]\nname = "{link.name}"\nprovider = "{link.provider}"\nnetwork = "{link.provider}"\n{self.port(i, link, site, far)}'
                   f'rate = "{self.rate or f"{link.rate:g} Mbit/s"}"\n\n' for i, link in enumerate(self.links, 1)]
        paths = [f'[[peer.path]]\nid = {i}\nuplink = "{link.name}"\naddress = "{self.outside(i, link, far)}"\n\n' for i, link in enumerate(self.links, 1)]
        for table, blocks in (("uplink", uplinks), ("peer.path", paths)):
            text = re.sub(rf"(\[\[{table}\]\]\n([^\[\n].*\n|\n)*)+", "".join(blocks), text)
        return text

    def port(self, number, link, site, far):
        """A link with tags is the gateway's alone, so it is told what the kernel would know."""
        if not link.vlan:
            return f'interface = "{link.name}"\n'
        key, length = ("network_address_ipv6", 64) if link.ipv6 else ("network_address", 30)
        return (f'device = "net_af_packet{number},iface={link.name},blocksz=4096,framesz=2048,framecnt=4096"\nvlan = {link.vlan}\n'
                f'{key} = "{self.outside(number, link, site)}/{length}"\n'
                f'next_hop_mac = "{self.run(far, "cat", f"/sys/class/net/{link.name}/address").strip()}"\n')

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
            return all(p["alive"] and p["held_back_s"] == 0 for p in self.cli_json("paths"))
        except Failure:
            return False

    def link_stats_command(self):
        return [self.tools / "linkemu/linkemu", "stats", "--json", "--socket", self.run_dir / "linkemu"]

    def link_stats(self):
        stats = json.loads(self.run("net", *self.link_stats_command()))
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

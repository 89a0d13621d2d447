#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Flow records as real collectors read them, and as a collector gets them that dies. Needs root.

    ipfix_smoke.py BUILD

The collectors are on the client's host, 10.10.0.2. Whoever reads the records, they come to what the bill has.
"""
import collections
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path()

sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools/quickstart.d"))
import main_job  # noqa: E402
import sites  # noqa: E402

COLLECTOR = "10.10.0.2:4739"
PEN = 32473
PATHS = {1: "fibre", 2: "mobile", 3: "dsl"}
KINDS = ("first", "repair", "copy")
# As in billing/ipfix.cc.
OCTETS, PACKETS, DIRECTION, IN, OUT, NAME = 1, 2, 61, 10, 14, 82
SERVICE, CLIENT, PROVIDER, KIND, OVERHEAD = ((PEN, n) for n in range(1, 6))

# A collector that stores what comes, a file for each connection.
STORE = """
import pathlib, select, socket, sys
folder, host, port = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
listener = socket.create_server((host, port))
print('listening', flush=True)
files = {}
while True:
    for ready in select.select([listener, *files], [], [])[0]:
        if ready is listener:
            connection, _ = listener.accept()
            files[connection] = open(folder / f'{len(list(folder.iterdir()))}.ipfix', 'wb', buffering=0)
            continue
        octets = ready.recv(65536)
        if octets:
            files[ready].write(octets)
        else:
            files.pop(ready).close()
"""
# What comes to one port goes to several collectors.
TEE = """
import socket, sys
inside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
inside.bind(('10.10.0.2', 4739))
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
print('listening', flush=True)
while True:
    octets = inside.recv(65536)
    for port in map(int, sys.argv[1:]):
        out.sendto(octets, ('127.0.0.1', port))
"""
FLOWS = """
import socket, sys, time
ends = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(int(sys.argv[1]))]
until = time.monotonic() + float(sys.argv[2])
while time.monotonic() < until:
    for n, end in enumerate(ends):
        end.sendto(bytes(100 + 10 * n), ('10.20.0.2', 9000 + n))
    time.sleep(0.01)
"""


def messages(stream):
    """Whole messages of a stream, and what is behind the last."""
    while len(stream) >= 16 and len(stream) >= (length := struct.unpack(">H", stream[2:4])[0]):
        yield stream[:length]
        stream = stream[length:]


def fields(octets, at, count):
    """The field specifiers of a template: (information element, length); and where they end."""
    result = []
    for _ in range(count):
        element, length = struct.unpack_from(">HH", octets, at)
        at += 4
        if element & 0x8000:
            element = (struct.unpack_from(">I", octets, at)[0], element & 0x7FFF)
            at += 4
        result.append((element, length))
    return result, at


def decode(stream):
    """Data records as {information element: value}, by templates alone; checks the sequence numbers."""
    templates, options, records, sequence = {}, set(), [], 0
    for message in messages(stream):
        version, _, _, said, _ = struct.unpack_from(">HHIII", message)
        assert version == 10 and said == sequence, (version, said, sequence)
        at = 16
        while at < len(message):
            kind, length = struct.unpack_from(">HH", message, at)
            end, at = at + length, at + 4
            while kind in (2, 3) and at < end:
                template, count = struct.unpack_from(">HH", message, at)
                templates[template], at = fields(message, at + (4 if kind == 2 else 6), count)
                if kind == 3:
                    options.add(template)
            while kind >= 256 and at < end:
                record = {}
                for element, size in templates[kind]:
                    if size == 65535:
                        size, at = message[at], at + 1
                    value = message[at:at + size]
                    assert len(value) == size
                    record[element] = value.decode() if element in (NAME, CLIENT, PROVIDER) else int.from_bytes(value)
                    at += size
                sequence += 1
                if kind not in options:
                    records.append(record)
            assert at == end
    return records


def billed(statements):
    """What statements say was used, by (path, direction): octets and packets of each kind."""
    result = collections.defaultdict(lambda: collections.defaultdict(lambda: [0, 0]))
    for statement in statements:
        for line in statement["usage"]:
            cell = result[(line["path"], line["direction"])][line["kind"]]
            cell[0] += line["octets"]
            cell[1] += line["packets"]
    return {key: {kind: tuple(cell) for kind, cell in kinds.items() if cell != [0, 0]} for key, kinds in result.items()}


def recorded(records):
    """The same of records."""
    result = collections.defaultdict(lambda: collections.defaultdict(lambda: [0, 0]))
    for record in records:
        cells = result[(record[NAME], "sent" if record[DIRECTION] else "received")]
        cells[KINDS[record[KIND]]][0] += record[OCTETS] - record[OVERHEAD]
        cells[KINDS[record[KIND]]][1] += record[PACKETS]
        cells["overhead"][0] += record[OVERHEAD]
    return {key: {kind: tuple(cell) for kind, cell in kinds.items() if cell != [0, 0]} for key, kinds in result.items()}


def totals(cells):
    """Octets and packets by (path, direction)."""
    return {key: (sum(octets for octets, _ in kinds.values()), sum(packets for _, packets in kinds.values())) for key, kinds in cells.items()}


class Collecting(unittest.TestCase):
    ipv6 = False  # hosts of both families

    def setUp(self):
        self.sites = sites.Sites(BUILD)
        self.sites.ipv6 = self.ipv6
        if self.ipv6:
            self.sites.edits += [(f'"10.{n}0.0.0/24"', f'"10.{n}0.0.0/24", "2001:db8:{n}::/64"') for n in (1, 2)]
            client = json.loads((ROOT / "tools/quickstart.d/site-a/clients/acme.json").read_text())
            client["prefixes"].append("2001:db8:1::/64")
            self.sites.documents = {"site-a/clients/acme.json": json.dumps(client)}
        self.addCleanup(self.close)
        self.sites.open()

    def close(self):
        try:
            self.sites.close(keep_logs=False)
        except sites.Failure as failure:
            self.fail(str(failure))
        finally:
            shutil.rmtree(self.sites.state, ignore_errors=True)

    def wait_for(self, condition, otherwise, seconds=20):
        self.sites.wait_for(condition, seconds, otherwise)

    def folder(self, name):
        folder = self.sites.state / name
        folder.mkdir()
        return folder

    def start(self, *lines):
        """The gateways; only a exports flows."""
        flows = "\n".join(("[flows]", "active_seconds = 2", *lines))
        self.sites.start_links()
        self.sites.start_gateway("b")
        self.sites.edits.append(("[api]", f"{flows}\n\n[api]"))
        self.sites.start_gateway("a")
        self.sites.wait_for(self.sites.paths_up, 20, "not all paths came up", "site-a")

    def request(self):
        document = self.sites.state / "request.json"
        sources = ["10.10.0.0/24", "2001:db8:1::/64"][:1 + self.ipv6]
        document.write_text(json.dumps({"client": "acme", "traffic": [{"source": source} for source in sources]}))
        return self.sites.cli_json("request", "--file", document)["id"]

    def start_python(self, name, code, *words):
        process = self.sites.start(name, "client", sys.executable, "-c", code, *words)
        if "listening" in code:
            self.wait_for(lambda: "listening" in self.sites.log(name), f"{name} does not listen")
        return process

    def capture(self):
        file = self.sites.state / "wire.pcapng"
        self.sites.start("tshark", "client", "tshark", "-q", "-i", "eth0", "-f", "port 4739 and host 10.10.0.2", "-w", file)
        self.wait_for(lambda: "Capturing on" in self.sites.log("tshark") and file.exists(), "tshark does not capture")
        return file

    def records(self):
        return self.sites.cli_json("counters")["flow_records"]

    def talk(self, flows, seconds):
        for server in ["10.20.0.2", "2001:db8:2::2"][:1 + self.ipv6]:
            self.sites.run("client", "ping", "-c", "20", "-i", "0.02", "-s", "1300", "-W", "2", server)
        done = subprocess.run(self.sites.command("client", sys.executable, "-c", FLOWS, flows, seconds), timeout=60)
        self.assertEqual(done.returncode, 0)

    def end_service(self, identity):
        """The bill of all it carried."""
        self.sites.cli("end", identity)
        client, _, _ = main_job.settled(self.sites)
        return billed(client)

    def end_gateway(self):
        """So that all records are handed out."""
        self.assertEqual(self.sites.stop("site-a"), 0, self.sites.log("site-a"))
        self.assertNotIn("did not reach the collector", self.sites.log("site-a"))

    def tshark(self, file, *words):
        done = subprocess.run(["tshark", "-r", file, "-d", "udp.port==4739,cflow", "-d", "tcp.port==4739,cflow", *words], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def assert_well_formed(self, file):
        # Not any remark: TCP has its own about connections that are cut.
        wrong = ("_ws.malformed", "cflow.no_template_found", "cflow.flowset_length.invalid", "cflow.unknown_field_type",
                 '_ws.expert.group == "Malformed"', '_ws.expert.group == "Undecoded"')
        self.assertEqual(self.tshark(file, "-Y", " || ".join(wrong)), "")

    def sums_of_tshark(self, file):
        """Octets and packets by (path, direction), as it decodes them."""
        names = ("octets", "packets", "direction", "if_name")
        rows = self.tshark(file, "-Y", "cflow.octets", "-T", "fields", "-E", "aggregator=,", *(w for n in names for w in ("-e", f"cflow.{n}")))
        sums = collections.defaultdict(lambda: [0, 0])
        for row in rows.splitlines():
            octets, packets, direction, name = (column.split(",") for column in row.split("\t"))
            self.assertEqual({len(octets), len(packets), len(direction)}, {len(name)}, row)
            for o, p, d, n in zip(octets, packets, direction, name):
                cell = sums[(n, "sent" if int(d, 0) == 1 else "received")]
                cell[0] += int(o)
                cell[1] += int(p)
        return {key: tuple(cell) for key, cell in sums.items()}


class OverUdp(Collecting):
    """One stream of datagrams, read by nfcapd, nfacctd and tshark."""

    ipv6 = True

    def start_nfcapd(self):
        folder = self.folder("nfcapd")
        self.sites.start("nfcapd", "client", "nfcapd", "-w", folder, "-b", "127.0.0.1", "-p", 9995, "-t", 60)
        self.wait_for(lambda: ":9995" in self.sites.run("client", "ss", "-Hlun"), "nfcapd does not listen")
        return folder

    def start_nfacctd(self):
        folder = self.folder("nfacctd")
        (folder / "primitives").write_text(f"name=service field_type={PEN}:1 len=8 semantics=u_int\nname=kind field_type={PEN}:4 len=1 semantics=u_int\n")
        (folder / "config").write_text(
            f"daemonize: false\nnfacctd_ip: 127.0.0.1\nnfacctd_port: 9996\naggregate_primitives: {folder}/primitives\nplugins: print[all]\n"
            "aggregate[all]: src_host, dst_host, src_port, dst_port, proto, in_iface, out_iface, service, kind\n"
            f"print_output[all]: json\nprint_output_file[all]: {folder}/records\nprint_output_file_append[all]: true\nprint_refresh_time[all]: 1\n")
        self.sites.start("nfacctd", "client", "nfacctd", "-f", folder / "config")
        self.addCleanup(self.end_nfacctd)  # before the others are ended: it does not end on SIGTERM
        self.wait_for(lambda: ":9996" in self.sites.run("client", "ss", "-Hlun"), "nfacctd does not listen")
        return folder / "records"

    def end_nfacctd(self):
        process = self.sites.processes.pop("nfacctd")
        process.send_signal(signal.SIGINT)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def sums_of_nfdump(self, folder):
        done = subprocess.run(["nfdump", "-R", folder, "-o", "json"], capture_output=True, text=True, timeout=60, check=True)
        sums = collections.defaultdict(lambda: [0, 0])
        for record in json.loads(done.stdout):
            path = record.get("output_snmp") or record.get("input_snmp")
            cell = sums[(PATHS[path], "sent" if record.get("output_snmp") else "received")]
            cell[0] += record["in_bytes"]
            cell[1] += record["in_packets"]
        return {key: tuple(cell) for key, cell in sums.items()}

    def sums_of_nfacctd(self, file):
        sums = collections.defaultdict(lambda: [0, 0])
        for line in file.read_text().splitlines() if file.exists() else ():
            record = json.loads(line)
            cell = sums[(PATHS[record["iface_out"] or record["iface_in"]], "sent" if record["iface_out"] else "received")]
            cell[0] += record["bytes"]
            cell[1] += record["packets"]
        return {key: tuple(cell) for key, cell in sums.items()}

    def test_collectors_read_what_the_bill_has(self):
        nfcapd, nfacctd = self.start_nfcapd(), self.start_nfacctd()
        self.start_python("tee", TEE, 9995, 9996)
        wire = self.capture()
        self.start(f'collector = "udp://{COLLECTOR}"', "keep_days = 30")
        identity = self.request()
        self.talk(200, 4)
        self.assertGreater(self.records()["sent"], 0, "records leave while flows go on")
        bill = self.end_service(identity)
        self.end_gateway()
        expected = totals(bill)
        self.assertEqual({name for name, _ in expected}, set(PATHS.values()))

        self.wait_for(lambda: self.sums_of_nfacctd(nfacctd) == expected, f"nfacctd does not come to {expected}")
        self.assertIn('"2001:db8:1::2"', nfacctd.read_text())
        self.assertNotIn("malformed", self.sites.log("nfacctd"))
        self.sites.stop("nfcapd")
        self.assertEqual(self.sums_of_nfdump(nfcapd), expected)
        self.assertRegex(self.sites.log("nfcapd"), r"Sequence Errors: 0")
        self.sites.stop("tshark")
        self.assert_well_formed(wire)
        self.assertEqual(self.sums_of_tshark(wire), expected)
        [kept] = (self.sites.state / "state/site-a/flows").glob("*.ipfix")
        self.assertEqual(recorded(decode(kept.read_bytes())), bill)
        self.assert_well_formed(kept)
        self.assertEqual(self.sums_of_tshark(kept), expected)

    def test_anonymised_no_host_is_told(self):
        folder = self.start_nfcapd()
        self.start_python("tee", TEE, 9995)
        self.start(f'collector = "udp://{COLLECTOR}"', 'anonymise = "truncate"')
        identity = self.request()
        self.talk(40, 1)
        bill = self.end_service(identity)
        self.end_gateway()
        self.sites.stop("nfcapd")
        self.assertEqual(self.sums_of_nfdump(folder), totals(bill))
        said = subprocess.run(["nfdump", "-R", folder, "-o", "csv"], capture_output=True, text=True, check=True).stdout
        self.assertIn("10.10.0.0", said)
        self.assertNotRegex(said, r"\b10\.[12]0\.0\.[1-9]")
        self.assertIn("2001:db8:1::,", said)
        self.assertNotIn("::2,", said)


class OverTcp(Collecting):
    """A collector that is killed in the middle, and started again."""

    def start_collector(self, folder):
        name = f"store-{len([n for n in os.listdir(self.sites.state) if n.startswith('store-')])}"
        return name, self.start_python(name, STORE, folder, *COLLECTOR.split(":"))

    def kill(self, name):
        process = self.sites.processes.pop(name)
        process.kill()
        process.wait()

    def unread(self):
        """Octets that the collector's host has taken and the collector has not."""
        lines = self.sites.run("client", "ss", "-Htn", "state", "established", "sport = :4739").splitlines()
        return sum(int(line.split()[0]) for line in lines)

    def cut(self):
        self.sites.run("client", "nft", "add table inet cut; add chain inet cut in { type filter hook input priority 0; }; add rule inet cut in tcp dport 4739 drop")

    def mend(self):
        self.sites.run("client", "nft", "delete table inet cut")

    def stored(self, folder):
        return [decode(file.read_bytes()) for file in sorted(folder.iterdir(), key=lambda file: int(file.stem))]

    def test_no_record_is_lost_or_comes_twice(self):
        folder = self.folder("stored")
        name, _ = self.start_collector(folder)
        wire = self.capture()
        self.start(f'collector = "tcp://{COLLECTOR}"')
        identity = self.request()
        sender = self.sites.start("sender", "client", sys.executable, "-c", FLOWS, "200", "60")
        self.wait_for(lambda: self.records()["sent"] > 500, "no records come")

        # What is under way then is not acknowledged; what was acknowledged, the collector has read.
        self.cut()
        self.wait_for(lambda: self.records()["waiting"] > 100, "nothing waits")
        self.wait_for(lambda: self.unread() == 0, "the collector does not read")
        self.kill(name)
        self.start_collector(folder)
        before = self.records()
        self.mend()
        self.wait_for(lambda: self.records()["connections"] == 2, "does not connect again")
        self.wait_for(lambda: self.records()["sent"] > before["made"], "what waited does not come")

        self.sites.processes.pop("sender")
        sender.kill()
        sender.wait()
        bill = self.end_service(identity)
        self.assertEqual((self.records()["not_sent"], self.records()["refused"]), (0, 0))
        self.end_gateway()
        first, second = self.stored(folder)
        records = first + second
        self.assertGreater(len(first), 500)
        self.assertGreater(len(second), 100)
        told = collections.Counter(tuple(sorted(record.items(), key=str)) for record in records)
        self.assertEqual(max(told.values()), 1, "a record came twice")
        self.assertEqual(recorded(records), bill)
        self.assertEqual({record[CLIENT] for record in records}, {"acme"})
        self.assertEqual({(record[NAME], record[PROVIDER]) for record in records}, {(link.name, link.provider) for link in sites.LINKS})
        self.sites.stop("tshark")
        self.assert_well_formed(wire)
        # A stream that is stored is a file of IPFIX (RFC 5655).
        whole = folder / "1.ipfix"
        self.assert_well_formed(whole)
        self.assertEqual(self.sums_of_tshark(whole), totals(recorded(second)))

    def test_two_workers_of_which_one_sends_for_both_lose_no_octet(self):
        folder = self.folder("stored")
        self.start_collector(folder)
        self.sites.edits.append(("cpu = 0", "cpu = 0\nworkers = 2"))
        self.start(f'collector = "tcp://{COLLECTOR}"')
        identity = self.request()
        self.talk(100, 3)
        bill = self.end_service(identity)
        self.end_gateway()
        records = self.stored(folder)[0]
        self.assertEqual(recorded(records), bill)
        self.assertEqual({port for port in range(9000, 9100)} - {record.get(11) for record in records}, set(), "each flow is told")

    def test_without_a_collector_the_gateway_works_and_its_records_wait(self):
        self.start(f'collector = "tcp://{COLLECTOR}"')
        identity = self.request()
        self.talk(40, 3)
        self.wait_for(lambda: self.records()["waiting"] > 0, "nothing waits")
        bill = self.end_service(identity)
        folder = self.folder("stored")
        self.start_collector(folder)
        self.end_gateway()
        self.assertEqual(recorded(self.stored(folder)[0]), bill)


class Off(Collecting):
    def test_nothing_is_recorded_unless_asked_for(self):
        self.sites.start_links()
        for site in ("b", "a"):
            self.sites.start_gateway(site)
        self.sites.wait_for(self.sites.paths_up, 20, "not all paths came up", "site-a")
        self.assertIsNone(self.records())


if __name__ == "__main__":
    BUILD = pathlib.Path(sys.argv.pop()).resolve()
    unittest.main(verbosity=2)

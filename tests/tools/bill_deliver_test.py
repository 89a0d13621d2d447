#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""anabranch bill deliver, and statements as PDF and UBL, as a user sees them: to a folder, and by mail to a server of others
(aiosmtpd) over TLS that is verified. Needs neither root nor a gateway.

    bill_deliver_test.py ANABRANCH ANABRANCHD MONTH_GENERATOR
"""
import asyncio
import contextlib
import email
import email.policy
import json
import logging
import pathlib
import re
import shutil
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest
import xml.etree.ElementTree as ElementTree

from aiosmtpd.smtp import SMTP, AuthResult

ANABRANCH, ANABRANCHD, GENERATOR = sys.argv[1:4]
DEADLINE_S = 60
ADDRESS = {"street": "1 High Street", "city": "Dublin", "country": "IE"}
TAX = {"category": "S", "percent": "19"}


class Server:
    """A mail server on 127.0.0.1, and what it was given."""

    def __init__(self, hold=None, **options):
        self.mails, self.logins, self.hold = [], [], hold
        self.holding, self.arrived = threading.Event(), threading.Condition()
        self.loop = asyncio.new_event_loop()
        if options.get("auth_required"):
            options["authenticator"] = self.authenticate
        made = self.loop.create_server(lambda: SMTP(self, hostname="sink.example", loop=self.loop, **options), "127.0.0.1", 0)
        self.server = self.loop.run_until_complete(made)
        self.port = self.server.sockets[0].getsockname()[1]
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    def authenticate(self, server, session, envelope, mechanism, data):
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=self.logins[-1] == ("billing", "s3cret"))

    async def handle_DATA(self, server, session, envelope):
        with self.arrived:
            self.mails.append(envelope)
            self.arrived.notify_all()
        if self.hold:
            self.holding.set()
            await self.loop.run_in_executor(None, self.hold.wait)
        return "250 taken"

    def close(self):
        if self.hold:
            self.hold.set()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.server.close()
        self.loop.close()


class Deliver(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shared = pathlib.Path(tempfile.mkdtemp(prefix="anabranch-deliver-", dir="/var/tmp"))
        cls.addClassCleanup(shutil.rmtree, cls.shared)
        for name in ("good", "other"):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                            "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", cls.shared / f"{name}.key",
                            "-out", cls.shared / f"{name}.pem"], check=True, capture_output=True)
        subprocess.run([GENERATOR, cls.shared / "ledger.sqlite", cls.shared / "journals", "--clients", "2"], check=True, capture_output=True, timeout=60)
        cls.describe(cls.shared / "ledger.sqlite")
        cls.journals = sorted((cls.shared / "journals").iterdir())

    @classmethod
    def describe(cls, ledger):
        """Who everybody is: newer versions of what the generator stored, in force as early."""
        # Closed behind it, or what is new would be in a file beside it.
        with contextlib.closing(sqlite3.connect(ledger)) as store, store:
            newest = {(kind, key): (number, since, json.loads(text)) for kind, key, number, since, text in
                      store.execute("SELECT kind, id, number, valid_from_ns, text FROM documents ORDER BY number")}

            def change(kind, key, **more):
                number, since, document = newest[kind, key]
                store.execute("INSERT INTO documents VALUES(?, ?, ?, ?, ?)", (kind, key, number + 1, since, json.dumps({**document, **more})))

            for kind, key in newest:
                if kind == "clients":
                    change(kind, key, address=ADDRESS, vat_id="IE6388047V", email=f"{key}@clients.example")
                elif kind == "issuers":
                    change(kind, key, address={"country": "DE"}, vat_id="DE123456789", payment_terms="within 14 days")
                elif kind in ("profiles", "slas"):
                    change(kind, key, billing={**newest[kind, key][2].get("billing", {}), "statements": "aggregated", "mail": ["pdf", "ubl"],
                                               "delivery": ["pdf", "ubl"]})
                elif kind == "tariffs":
                    change(kind, key, tax=TAX)

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="anabranch-deliver-", dir="/var/tmp"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.ledger = self.folder / "ledger.sqlite"
        shutil.copy(self.shared / "ledger.sqlite", self.ledger)
        closed = self.run_it("--json", "bill", "close", "--ledger", self.ledger, *self.journals)[0]
        self.statements = {s["number"]: s for c in json.loads(closed)["closed"] if c["account"].startswith("client:") for s in c["statements"]}
        self.assertEqual(len(self.statements), 2)

    def run_it(self, *command, status=0, text=True):
        done = subprocess.run([ANABRANCH, *map(str, command)], capture_output=True, text=text, timeout=60)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout, done.stderr

    def serve(self, **options):
        server = Server(**options)
        self.addCleanup(server.close)
        return server

    def context(self, name="good"):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.shared / f"{name}.pem", self.shared / f"{name}.key")
        return context

    def options(self, server, *more):
        return ("--ledger", self.ledger, "--mail-server", f"smtp://localhost:{server.port}", "--mail-from", "billing@co.example",
                "--mail-ca", self.shared / "good.pem", *more)

    def deliver(self, server, *more, status=0):
        out, err = self.run_it("--json", "bill", "deliver", *self.options(server, *more), status=status)
        return json.loads(out), err

    def pdf_text(self, octets):
        file = self.folder / "one.pdf"
        file.write_bytes(octets)
        return subprocess.run(["pdftotext", "-layout", file, "-"], check=True, capture_output=True, text=True).stdout.replace("\xa0", " ")

    def check_mail(self, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        number = re.match(r"Statement (\S+) of \S", mail["Subject"]).group(1)
        statement = self.statements[number]
        self.assertEqual([mail["To"]], envelope.rcpt_tos)
        self.assertRegex(mail["Message-ID"], rf"^<statement\.{number}\.co\.[0-9a-f]{{16}}@co\.example>$")
        body, pdf, ubl = mail.iter_parts()
        self.assertIn(f"Statement {number}", body.get_content())
        self.assertEqual((pdf.get_content_type(), pdf.get_filename()), ("application/pdf", f"co-{number}.pdf"))
        self.assertIn(number, self.pdf_text(pdf.get_content()))
        self.assertEqual((ubl.get_content_type(), ubl.get_filename()), ("application/xml", f"co-{number}.xml"))
        payable = ElementTree.fromstring(ubl.get_content()).find(".//{*}PayableAmount")
        self.assertEqual((payable.text, payable.get("currencyID")), (statement["gross"], statement["currency"]))
        return number

    def service(self, server, *arguments):
        """A service that closes periods and mails what it issues, of a ledger in which nothing is closed."""
        shutil.copy(self.shared / "ledger.sqlite", self.ledger)
        shutil.copy(self.shared / "good.pem", self.folder)
        (self.folder / "mail.password").write_text("s3cret\n")
        config = self.folder / "billing.toml"
        config.write_text(f"""[billing]
ledger = "{self.ledger}"
journals = {json.dumps([str(j) for j in self.journals])}
statements_dir = "{self.folder / 'statements'}"
[billing.mail]
server = "smtp://localhost:{server.port}"
from = "billing@co.example"
user = "billing"
password_file = "mail.password"  # both are beside this file
ca = "good.pem"
""")
        return [ANABRANCHD, "--billing-only", *arguments, config]

    def test_a_service_mails_what_it_issues(self):
        server = self.serve(tls_context=self.context(), require_starttls=True, auth_required=True)
        process = subprocess.Popen(self.service(server), stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(lambda: process.poll() is None and (process.kill(), process.wait()))
        with server.arrived:
            self.assertTrue(server.arrived.wait_for(lambda: len(server.mails) == 2, DEADLINE_S), "no mail")
        process.terminate()
        _, err = process.communicate(timeout=DEADLINE_S)
        self.assertEqual(process.returncode, 0, err)
        self.assertEqual(server.logins, [("billing", "s3cret")])
        listed = [json.loads(line) for line in self.run_it("bill", "export", "--ledger", self.ledger)[0].splitlines()]
        self.statements = {s["number"]: s for s in listed if s["account"].startswith("client:")}
        self.assertEqual({self.check_mail(m) for m in server.mails}, set(self.statements))

    def test_a_service_tells_what_of_mail_is_wrong(self):
        command = self.service(self.serve(), "--check")
        (self.folder / "mail.password").unlink()
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertRegex(done.stderr, r"billing.toml:\d+:\d+: billing\.mail\.password_file: .*mail\.password")

    def test_mails_arrive_once_over_verified_tls(self):
        server = self.serve(tls_context=self.context(), require_starttls=True)
        report, _ = self.deliver(server)
        self.assertEqual((report["queued"], report["sent"], report["problems"]), (2, 2, []))
        self.assertEqual({self.check_mail(m) for m in server.mails}, set(self.statements))
        self.assertEqual(self.deliver(server)[0]["sent"], 0)
        self.assertEqual(len(server.mails), 2)

    def test_nothing_is_said_to_who_cannot_prove_its_name(self):
        server = self.serve(tls_context=self.context("other"), require_starttls=True)
        report, err = self.deliver(server, status=1)
        self.assertEqual((report["sent"], report["waiting"], server.mails), (0, 2, []))
        self.assertRegex(err, "certificate")

    def test_nothing_is_said_in_clear_text_unless_that_is_asked_for(self):
        server = self.serve()
        self.assertEqual(self.deliver(server, status=1)[0]["sent"], 0)
        self.assertEqual(server.mails, [])

    def test_in_clear_text_where_that_is_asked_for(self):
        server = self.serve()
        self.assertEqual(self.deliver(server, "--insecure-cleartext")[0]["sent"], 2)

    def test_a_password_is_of_a_file(self):
        server = self.serve(tls_context=self.context(), require_starttls=True, auth_required=True)
        (self.folder / "password").write_text("s3cret\n")
        self.assertEqual(self.deliver(server, "--mail-user", "billing", "--mail-password-file", self.folder / "password")[0]["sent"], 2)
        self.assertEqual(set(server.logins), {("billing", "s3cret")})

    def test_killed_while_it_sends_it_leaves_the_mail_taken(self):
        server = self.serve(hold=threading.Event(), tls_context=self.context(), require_starttls=True)
        process = subprocess.Popen([ANABRANCH, "bill", "deliver", *map(str, self.options(server))])
        self.assertTrue(server.holding.wait(30))
        process.kill()
        process.wait()
        server.hold.set()
        report, _ = self.deliver(server)
        self.assertEqual((report["sent"], report["waiting"]), (1, 1), "the one in doubt is not sent again at once")
        numbers = [self.check_mail(m) for m in server.mails]
        self.assertEqual(sorted(numbers), sorted(self.statements), "none twice")

    def test_files_and_statements_are_the_same(self):
        out = self.folder / "out"
        self.assertIn("4 files made", self.run_it("bill", "deliver", "--ledger", self.ledger, "--to", out)[0])
        files = sorted(p.name for p in out.rglob("*.*"))
        self.assertEqual(files, sorted(f"co-{n}.{e}" for n in self.statements for e in ("pdf", "xml")))
        number = min(self.statements)
        for name, form in (("pdf", "pdf"), ("xml", "ubl")):
            shown = self.run_it("bill", "statement", number, "--issuer", "co", "--format", form, "--ledger", self.ledger, text=False)[0]
            self.assertEqual(shown, next(out.rglob(f"co-{number}.{name}")).read_bytes())

    def test_mistakes_are_named(self):
        for wrong, said in ((["--mail-server", "http://a", "--mail-from", "a@b.example"], "is no mail server"),
                            (["--mail-server", "smtps://a", "--mail-from", "nobody"], "is no sender"),
                            ([], "expected --to, --mail-server or both"),
                            (["--mail-server", "smtps://a", "--mail-from", "a@b.example", "--insecure-cleartext"], "not asked in clear text")):
            done = subprocess.run([ANABRANCH, "bill", "deliver", "--ledger", self.ledger, *wrong], capture_output=True, text=True, timeout=60)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(said, done.stderr)


if __name__ == "__main__":
    logging.disable()  # of a client that does not go on, which is what is wanted here
    unittest.main(argv=sys.argv[:1])

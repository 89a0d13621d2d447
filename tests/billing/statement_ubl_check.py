#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Random statements as UBL, held against EN 16931: its arithmetic and what it must have, said again here from the standard's rules
(BR-*, BR-CO-*, BR-DEC-*, and those of each tax category), and the ledger's numbers.

    statement_ubl_check.py PROGRAM [--seeds 1..1200]

More where the files are: UBL21_XSD, a folder with maindoc/UBL-Invoice-2.1.xsd (by xmllint), and EN16931_XSLT, the file
EN16931-UBL-validation.xslt of github.com/ConnectingEurope/eInvoicing-EN16931 or what xslt3 -export made of it (by npm's xslt3, in
NODE_PATH), for --xslt-seeds of them.
"""
import argparse
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from decimal import ROUND_HALF_UP, Decimal

from statement_render_check import HOSTILE, PLAIN, money, shown

UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
NAMES = {"cac": UBL + "CommonAggregateComponents-2", "cbc": UBL + "CommonBasicComponents-2"}
# Those of EN 16931's list of units that a statement has.
UNITS = {"E34", "E20", "C62"}
EXPLAINED = {"E", "AE", "K", "G", "O"}
COUNTRIES = {"DE", "FR", "IE", "GR", "JP", "US"}
CENT = Decimal("0.01")


# --- statements that add up

class Statements:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.hostile = seed % 3 == 0

    def text(self):
        r = self.random
        return r.choice(HOSTILE) if self.hostile and r.random() < 0.5 else r.choice(PLAIN)

    def taxes(self):
        r = self.random
        if r.random() < 0.1:
            return [{"category": "O", "reason": "not subject to VAT"}]
        every = [{"category": "S", "percent": "19"}, {"category": "S", "percent": "7.5"}, {"category": "Z"},
                 {"category": "E", "reason": self.text() or "why"}, {"category": "AE", "reason": "Reverse charge"},
                 {"category": "G", "reason": "Export"}, {"category": "K", "reason": "Intra-community supply"}]
        return r.sample(every, r.choice([1, 1, 2, 3]))

    def line(self, tax):
        r = self.random
        unit = r.choice(["GB", "Mbit/s", "cycle"])
        line = {"item": "item", "description": self.text() or "line", "octets": r.randrange(2 ** 40), "packets": 5, "unit": unit,
                "tax": tax, "at": []}
        total = Decimal(0)
        for _ in range(r.choice([0, 1, 1, 1, 2, 3])):
            quantity = Decimal(r.randrange(10 ** 12)) / 10 ** 9
            price = Decimal(r.randrange(10 ** r.randrange(1, 9))) / 10 ** 6
            line["at"].append({"quantity": f"{quantity:f}", "price": f"{price:f}"})
            total += quantity * price
        amount = total.quantize(CENT, ROUND_HALF_UP)
        if r.random() < 0.3:  # a difference, a share of a commit, or exchanged
            amount = Decimal(r.randrange(-10 ** 6, 10 ** 6)) / 100
        if r.random() < 0.1:
            line["period"] = {"from": "2026-09-01T00:00:00+02:00", "to": "2026-10-01T00:00:00+02:00"}
        line["amount"] = money(amount)
        return line

    def statement(self):
        r = self.random
        taxes = self.taxes()
        sections = []
        for n in range(r.choice([0, 1, 1, 2, 3])):
            lines = [self.line(r.choice(taxes)) for _ in range(r.randrange(1, 8))]
            sections.append({"provider": "" if n == 0 else self.text() or "p", "lines": lines, "octets": 0,
                             "subtotal": money(sum(Decimal(l["amount"]) for l in lines))})
        credits = [{"description": self.text(), "amount": money(-Decimal(r.randrange(10 ** r.randrange(1, 7))) / 100), "tax": r.choice(taxes)}
                   for _ in range(r.choice([0, 0, 1, 2]))]
        if r.random() < 0.1:  # all is given back
            for line in (l for s in sections for l in s["lines"]):
                line["amount"] = money(-abs(Decimal(line["amount"])))
            for s in sections:
                s["subtotal"] = money(sum(Decimal(l["amount"]) for l in s["lines"]))
        nets = {}
        for charge in [l for s in sections for l in s["lines"]] + credits:
            key = (charge["tax"]["category"], charge["tax"].get("percent", "0"))
            nets.setdefault(key, [Decimal(0), charge["tax"]])[0] += Decimal(charge["amount"])
        totals = []
        for (category, percent), (net, tax) in nets.items():
            due = (abs(net) * Decimal(percent) / 100).quantize(CENT, ROUND_HALF_UP)
            totals.append({"category": category, "percent": percent, "reason": tax.get("reason", ""), "net": money(net),
                           "tax": money(due if net > 0 else -due if due else due)})
        net, due = sum(Decimal(t["net"]) for t in totals), sum(Decimal(t["tax"]) for t in totals)
        gross = net + due
        made = {
            "number": f"2026-{r.randrange(10 ** 6):06}", "kind": "statement", "corrects": r.choice([[], ["2026-000001"]]),
            "issuer": {"id": "anabranch-co", "name": self.text() or "Anabranch", "vat_id": "DE123456789", "email": "billing@anabranch.example",
                       "address": {"street": self.text() or "Hauptstr. 1", "postcode": "10115", "city": "Berlin", "country": "DE"}},
            "customer": {"id": "acme", "name": self.text() or "Acme", "vat_id": "IE6388047V",
                         "address": {"country": r.choice(sorted(COUNTRIES))}},
            "payment_terms": "within 14 days", "account": "client:acme", "zone": "Europe/Berlin",
            "from": "2026-10-01T00:00:00+02:00", "to": r.choice(["2026-11-01T00:00:00+01:00", "2026-10-05T12:30:00+02:00"]),
            "issued": "2026-11-04T00:00:12+01:00", "currency": "EUR", "tariff": {"id": "business"}, "provider_charges": "itemised",
            "sections": sections, "credits": credits, "taxes": totals, "net": money(net), "tax": money(due), "gross": money(gross)}
        if r.random() < 0.6:
            before = r.choice([Decimal(0), -gross, Decimal(r.randrange(-10 ** 6, 10 ** 6)) / 100])
            paid = -Decimal(r.randrange(10 ** 5)) / 100
            made["balance"] = {"before": money(before), "now": money(before + paid + gross), "moved": [
                {"at": "2026-10-14T09:30:00+02:00", "what": self.text() or "payment", "amount": money(paid)}]}
        return made


# --- the standard's rules

class Invoice:
    def __init__(self, text):
        self.root = ElementTree.fromstring(text)
        self.credit_note = self.root.tag == f"{{{UBL}CreditNote-2}}CreditNote"
        assert self.credit_note or self.root.tag == f"{{{UBL}Invoice-2}}Invoice", self.root.tag
        self.line_name = "cac:CreditNoteLine" if self.credit_note else "cac:InvoiceLine"

    def all(self, path, within=None):
        return (self.root if within is None else within).findall(path, NAMES)

    def one(self, path, within=None):
        found = self.all(path, within)
        assert len(found) == 1, (path, len(found))
        return found[0].text

    def amount(self, path, within=None, otherwise=None):
        found = self.all(path, within)
        if not found and otherwise is not None:
            return otherwise
        assert len(found) == 1, path
        assert found[0].get("currencyID") == self.one("cbc:DocumentCurrencyCode"), path
        return Decimal(found[0].text)


def tax_of(i, element, path):
    category = i.one(f"{path}/cbc:ID", element)
    percent = i.all(f"{path}/cbc:Percent", element)
    assert i.one(f"{path}/cac:TaxScheme/cbc:ID", element) == "VAT"
    assert len(percent) == (0 if category == "O" else 1), "BR-O-05, BR-CO-18"
    rate = Decimal(percent[0].text) if percent else Decimal(0)
    assert (rate > 0) == (category == "S"), "BR-S-05, BR-Z-05 and the like"
    return category, rate


def check_head(i):
    assert i.one("cbc:CustomizationID").startswith("urn:cen.eu:en16931:2017"), "BR-01"
    for path in ("cbc:ID", "cbc:IssueDate", "cbc:DocumentCurrencyCode", "cac:AccountingSupplierParty/cac:Party/cac:PartyLegalEntity/cbc:RegistrationName",
                 "cac:AccountingCustomerParty/cac:Party/cac:PartyLegalEntity/cbc:RegistrationName"):
        assert i.one(path).strip(), "BR-02 to BR-07: " + path
    assert i.one("cbc:CreditNoteTypeCode" if i.credit_note else "cbc:InvoiceTypeCode") == ("381" if i.credit_note else "380"), "BR-04"
    for role in ("Supplier", "Customer"):
        assert len(i.one(f"cac:Accounting{role}Party/cac:Party/cac:PostalAddress/cac:Country/cbc:IdentificationCode")) == 2, "BR-08 to BR-11"
    first, last = i.one("cac:InvoicePeriod/cbc:StartDate"), i.one("cac:InvoicePeriod/cbc:EndDate")
    assert first <= last, "BR-29"
    assert i.one("cac:AccountingSupplierParty/cac:Party/cac:PartyIdentification/cbc:ID"), "BR-CO-26"
    for vat_id in i.all(".//cac:PartyTaxScheme/cbc:CompanyID"):
        assert vat_id.text[:2] in COUNTRIES | {"EL"}, "BR-CO-09"
    for reference in i.all("cac:BillingReference"):
        assert i.one("cac:InvoiceDocumentReference/cbc:ID", reference), "BR-55"
    if i.amount("cac:LegalMonetaryTotal/cbc:PayableAmount") > 0:
        assert i.all("cbc:DueDate") or i.one("cac:PaymentTerms/cbc:Note"), "BR-CO-25"
    for element in i.root.iter():
        assert len(element) or (element.text or "").strip(), f"empty: {element.tag}"


def check_lines(i, nets):
    lines = i.all(i.line_name)
    assert lines, "BR-16"
    ids = [i.one("cbc:ID", line) for line in lines]
    assert len(set(ids)) == len(ids), "BR-21"
    for line in lines:
        quantity = i.all("cbc:CreditedQuantity" if i.credit_note else "cbc:InvoicedQuantity", line)
        assert len(quantity) == 1 and quantity[0].get("unitCode") in UNITS, "BR-22, BR-23"
        amount = i.amount("cbc:LineExtensionAmount", line)  # BR-24
        assert i.one("cac:Item/cbc:Name", line).strip(), "BR-25"
        price = i.amount("cac:Price/cbc:PriceAmount", line)
        assert price >= 0, "BR-26, BR-27"
        base = i.all("cac:Price/cbc:BaseQuantity", line)
        assert all(b.get("unitCode") == quantity[0].get("unitCode") and Decimal(b.text) > 0 for b in base), "PEPPOL-R130"
        per = price / Decimal(base[0].text) if base else price
        assert abs(Decimal(quantity[0].text) * per - amount) <= Decimal("0.02"), "PEPPOL-R120"
        for found in i.all("cac:Item/cac:AdditionalItemProperty", line):
            assert i.one("cbc:Name", found) and i.one("cbc:Value", found), "BR-54"
        key = tax_of(i, line, "cac:Item/cac:ClassifiedTaxCategory")  # BR-CO-4
        nets[key] = nets.get(key, Decimal(0)) + amount
    return sum(i.amount("cbc:LineExtensionAmount", line) for line in lines)


def check_allowances(i, nets):
    sums = {"true": Decimal(0), "false": Decimal(0)}
    for a in i.all("cac:AllowanceCharge"):
        kind, amount = i.one("cbc:ChargeIndicator", a), i.amount("cbc:Amount", a)  # BR-31, BR-36
        assert amount >= 0 and i.one("cbc:AllowanceChargeReason", a).strip(), "BR-33, BR-38, BR-CO-21, BR-CO-22"
        key = tax_of(i, a, "cac:TaxCategory")  # BR-32, BR-37
        sums[kind] += amount
        nets[key] = nets.get(key, Decimal(0)) + (amount if kind == "true" else -amount)
    return sums["false"], sums["true"]


def check_taxes(i, nets):
    parties = {role: bool(i.all(f"cac:Accounting{role}Party/cac:Party/cac:PartyTaxScheme")) for role in ("Supplier", "Customer")}
    due = Decimal(0)
    seen = set()
    for t in i.all("cac:TaxTotal/cac:TaxSubtotal"):
        category, rate = key = tax_of(i, t, "cac:TaxCategory")  # BR-47, BR-48
        assert key not in seen, "BR-S-08 and the like: one for each"
        seen.add(key)
        net, tax = i.amount("cbc:TaxableAmount", t), i.amount("cbc:TaxAmount", t)  # BR-45, BR-46
        assert net == nets.pop(key), "BR-S-08, BR-Z-08, BR-E-08, …"
        assert abs(tax - net * rate / 100) <= Decimal("0.005"), "BR-CO-17"
        assert bool(i.all("cac:TaxCategory/cbc:TaxExemptionReason", t)) == (category in EXPLAINED), "BR-S-10, BR-E-10, …"
        if category == "O":
            assert not parties["Supplier"] and not parties["Customer"], "BR-O-02"
            assert len(i.all("cac:TaxTotal/cac:TaxSubtotal")) == 1, "BR-O-11"
        else:
            assert parties["Supplier"], "BR-S-02, BR-Z-02, …"
        assert category not in ("AE", "K") or parties["Customer"], "BR-AE-02, BR-IC-02"
        assert category != "K" or i.one("cac:Delivery/cac:DeliveryLocation/cac:Address/cac:Country/cbc:IdentificationCode"), "BR-IC-12"
        due += tax
    assert seen, "BR-CO-18"
    assert not nets, "a category of lines is in no breakdown"
    assert due == i.amount("cac:TaxTotal/cbc:TaxAmount"), "BR-CO-14"
    return due


def check_invoice(statement, text):
    i = Invoice(text)
    check_head(i)
    nets = {}
    lines = check_lines(i, nets)
    allowances, charges = check_allowances(i, nets)
    total = i.all("cac:LegalMonetaryTotal")[0]
    assert i.amount("cbc:LineExtensionAmount", total) == lines, "BR-CO-10"
    assert i.amount("cbc:AllowanceTotalAmount", total, Decimal(0)) == allowances, "BR-CO-11"
    assert i.amount("cbc:ChargeTotalAmount", total, Decimal(0)) == charges, "BR-CO-12"
    net = i.amount("cbc:TaxExclusiveAmount", total)
    assert net == lines - allowances + charges, "BR-CO-13"
    due = check_taxes(i, nets)
    gross = i.amount("cbc:TaxInclusiveAmount", total)
    assert gross == net + due, "BR-CO-15"
    paid = i.amount("cbc:PrepaidAmount", total, Decimal(0))
    assert i.amount("cbc:PayableAmount", total) == gross - paid, "BR-CO-16"
    check_balance(statement, i, gross, paid)
    for element in i.root.iter():
        if element.get("currencyID") and not element.tag.endswith("}PriceAmount"):
            assert -Decimal(element.text).as_tuple().exponent <= 2, "BR-DEC"
    check_against(statement, i, net, due, gross)
    return i


# What the account had to its credit pays for what is invoiced; how it stands is noted.
def check_balance(statement, i, gross, paid):
    balance = statement.get("balance")
    if balance is None:
        assert paid == 0
        return
    before = Decimal(balance["now"]) - Decimal(statement["gross"])
    assert paid == (0 if i.credit_note else min(max(-before, Decimal(0)), gross)), (paid, balance)
    note = i.one("cbc:Note")
    assert f"balance before {balance['before']};" in note and note.endswith(": " + balance["now"]), note
    for moved in balance["moved"]:
        assert f"{shown(moved['what'])}, 2026-10-14: {moved['amount']}" in note, note


# The same as on the statement, to the last coin, with all signs turned in a credit note.
def check_against(statement, i, net, due, gross):
    sign = -1 if i.credit_note else 1
    assert i.credit_note == (Decimal(statement["gross"]) < 0)
    assert (net * sign, due * sign, gross * sign) == tuple(Decimal(statement[k]) for k in ("net", "tax", "gross"))
    assert i.one("cbc:ID") == statement["number"]
    charges = [l for s in statement["sections"] for l in s["lines"]]
    amounts = [i.amount("cbc:LineExtensionAmount", line) * sign for line in i.all(i.line_name)]
    assert amounts[:len(charges)] == [Decimal(l["amount"]) for l in charges]
    for charge, line in zip(charges, i.all(i.line_name)):
        assert i.one("cac:Item/cbc:Name", line).startswith(shown(charge["description"])), charge
    given = [Decimal(c["amount"]) for c in statement["credits"]]
    allowances = i.all("cac:AllowanceCharge")
    if allowances:
        assert [-i.amount("cbc:Amount", a) for a in allowances] == given
    elif charges or given:
        assert amounts[len(charges):] == given


# --- what others have written to check it

def check_schema(folder, texts):
    if not os.environ.get("UBL21_XSD"):
        print("not held against the UBL 2.1 schema: UBL21_XSD names no folder")
        return
    for kind in ("Invoice", "CreditNote"):
        files = [str(file) for file, text in texts if f"<{kind} " in text]
        schema = pathlib.Path(os.environ["UBL21_XSD"]) / "maindoc" / f"UBL-{kind}-2.1.xsd"
        done = subprocess.run(["xmllint", "--nonet", "--noout", "--schema", schema, *files], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        print(f"{len(files)} of {kind} are valid by {schema.name}")


VALIDATE = """
const saxon = require("saxon-js"), files = process.argv.slice(2), sheet = files.shift();
let failed = 0;
for (const file of files) {
  const report = saxon.transform({stylesheetFileName: sheet, sourceFileName: file, destination: "serialized"}).principalResult;
  for (const found of report.match(/<svrl:failed-assert[^]*?<\\/svrl:failed-assert>/g) || []) {
    failed += 1;
    console.log(file + ": " + found.replace(/\\s+/g, " "));
  }
}
process.exit(failed ? 1 : 0);
"""


def check_stylesheet(folder, texts):
    sheet = os.environ.get("EN16931_XSLT")
    if not sheet:
        print("not held against EN 16931's own rules: EN16931_XSLT names no file")
        return
    compiled = sheet if sheet.endswith(".sef.json") else folder / "rules.sef.json"
    tool = shutil.which("xslt3") or next(str(p) for p in (pathlib.Path(d) / ".bin" / "xslt3" for d in os.environ["NODE_PATH"].split(":")) if p.exists())
    if compiled != sheet:
        subprocess.run([tool, f"-xsl:{sheet}", f"-export:{compiled}", "-nogo"], check=True, timeout=1500)
    (folder / "validate.js").write_text(VALIDATE)
    done = subprocess.run(["node", folder / "validate.js", compiled, *(str(file) for file, _ in texts)], capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    print(f"{len(texts)} fail no assertion of {pathlib.Path(sheet).name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--seeds", default="1..1200")
    parser.add_argument("--xslt-seeds", type=int, default=1000)
    options = parser.parse_args()
    first, last = map(int, options.seeds.split(".."))
    statements = {seed: Statements(seed).statement() for seed in range(first, last + 1)}
    done = subprocess.run([options.program, "ubl"], input="".join(json.dumps(s) + "\n" for s in statements.values()),
                          stdout=subprocess.PIPE, check=True, text=True, timeout=250)
    notes = allowances = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        texts = []
        for (seed, statement), line in zip(statements.items(), done.stdout.splitlines()):
            made = json.loads(line)
            mixed = len(statement["taxes"]) > 1 and any(t["category"] == "O" for t in statement["taxes"])
            assert not mixed
            try:
                assert "ubl" in made, made
                invoice = check_invoice(statement, made["ubl"])
            except AssertionError:
                print(f"seed {seed}", file=sys.stderr)
                raise
            notes += invoice.credit_note
            allowances += bool(invoice.all("cac:AllowanceCharge"))
            file = folder / f"{seed}.xml"
            file.write_text(made["ubl"], encoding="utf-8")
            texts.append((file, made["ubl"]))
        assert len(texts) == len(statements) and notes > 20 and allowances > 20
        print(f"{len(texts)} statements are invoices by EN 16931: {notes} credit notes, {allowances} with allowances")
        check_schema(folder, texts)
        check_stylesheet(folder, texts[:options.xslt_seeds])
    return 0


if __name__ == "__main__":
    sys.exit(main())

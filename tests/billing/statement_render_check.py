#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Presents random statements, reads text, CSV and HTML back with Python's parsers, and compares with the documents.

    statement_render_check.py PROGRAM [--seeds 1..400]
    statement_render_check.py PROGRAM --write PREFIX    # a month of three providers, to look at: PREFIX.html and so on
"""
import argparse
import csv
import datetime
import html.parser
import io
import json
import random
import re
import subprocess
import sys
import unicodedata
from decimal import Decimal

PLAIN = ["mobile data", "Größe", "你好", "a", "line 7", "שלום", "x" * 60]
HOSTILE = ["<script>alert(1)</script>", '"><b onclick="x">', "-->]]></style></title></svg></table>", "&amp;&#60;b>",
           "=1+1", "+1", "-1", "@a", "\t=1", "\r=1", " =1", "＝1", 'a,"b"\r\nc', "\n", "-0.50", "1 234.00", "a\u202eb\u2066c",
           "W" * 200, "名" * 200, "e\u0301\u0300" * 20, "\x00\x1b[2J\x7f\x9b", "\u2028\ufeff", "👩‍👩‍👧", "net", "subtotal", "  12.34"]
VOID = {"meta", "link", "br", "img", "hr", "input"}
SVG_EMPTY = {"path", "rect"}


# --- documents

def money(number):
    return f"{number:.2f}"


class Months:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.hostile = seed % 2 == 0

    def text(self):
        r = self.random
        return r.choice(HOSTILE) if self.hostile and r.random() < 0.5 else r.choice(PLAIN)

    def amount(self):
        r = self.random
        return Decimal(r.choice([-1, 1, 1, 1]) * r.randrange(10 ** r.randrange(1, 16))) / 100

    def octets(self):
        return self.random.randrange(2 ** self.random.randrange(1, 65))

    def tax(self):
        return self.random.choice([{"category": "S", "percent": "19"}, {"category": "S", "percent": "7.5"},
                                   {"category": "AE", "reason": self.text()}])

    def line(self, amount):
        r = self.random
        line = {"item": self.text(), "description": self.text(), "octets": self.octets(), "packets": self.octets(),
                "unit": r.choice(["GB", "Mbit/s", "cycle"]), "amount": money(amount), "tax": self.tax(),
                "at": [{"quantity": str(r.randrange(10 ** 12)), "price": f"0.{r.randrange(10 ** 9)}"}
                       for _ in range(r.randrange(4))]}
        if r.random() < 0.3:
            line["passed"] = self.text()
        if r.random() < 0.3:
            line["conversion"] = {"from": "USD", "to": "EUR", "of_from": "1.0834", "of_to": "1", "rates": self.text(),
                                  "date": "2026-10-31"}
        if r.random() < 0.2:
            line["period"] = {"from": "2026-09-01T00:00:00+02:00", "to": "2026-10-01T00:00:00+02:00",
                              "statement": self.text()}
        return line

    def balance(self, gross):
        before = self.amount()
        moved = [{"at": f"2026-10-{self.random.randrange(1, 32):02}T12:00:00+02:00", "what": self.text(), "amount": money(self.amount())}
                 for _ in range(self.random.randrange(4))]
        return {"before": money(before), "moved": moved, "now": money(before + sum(Decimal(m["amount"]) for m in moved) + Decimal(gross))}

    def statement(self):
        r = self.random
        made = self.charged()
        if r.random() < 0.6:
            made["balance"] = self.balance(made["gross"])
        return made

    def charged(self):
        r = self.random
        net = Decimal(0)
        sections = []
        for n in range(r.randrange(5)):
            amounts = [self.amount() for _ in range(r.randrange(5))]
            sections.append({"provider": "" if n == 0 else self.text(), "lines": [self.line(a) for a in amounts],
                             "octets": self.octets(), "subtotal": money(sum(amounts))})
            net += sum(amounts)
        credits = [-abs(self.amount()) for _ in range(r.randrange(3))]
        net += sum(credits)
        taxes = [self.amount() for _ in range(r.randrange(3))]
        return {
            "number": self.text(), "kind": r.choice(["statement", "adjustment"]), "corrects": [self.text()],
            "issuer": {"id": self.text(), "name": self.text()}, "account": self.text(),
            "customer": {"id": self.text(), "name": self.text()}, "zone": "Europe/Berlin",
            "from": "2026-10-01T00:00:00+02:00", "to": "2026-11-01T00:00:00+01:00", "issued": "2026-11-04T00:00:12+01:00",
            "currency": "EUR", "tariff": {"id": self.text(), "version": self.text()},
            "provider_charges": r.choice(["itemised", "summarised", "separate"]), "sections": sections,
            "credits": [{"service": 7, "promise": self.text(), "promised": "99.9", "measured": "99", "samples": 44640,
                         "missed": 357, "amount": money(c), "description": self.text(), "tax": self.tax(),
                         "window": {"from": "2026-10-01T00:00:00+02:00", "to": "2026-11-01T00:00:00+01:00"}}
                        for c in credits],
            "taxes": [dict(self.tax(), net="1.00", tax=money(t)) for t in taxes],
            "net": money(net), "tax": money(sum(taxes)), "gross": money(net + sum(taxes)),
            "usage": [{"provider": self.text(), "network": "lte", "path": self.text(), "gateway": self.text(),
                       "direction": r.choice(["sent", "received"]), "kind": "first", "octets": self.octets(),
                       "packets": self.octets()} for _ in range(r.randrange(6))],
            "days": [{"day": f"2026-10-{r.randrange(1, 32):02}", "provider": self.text(), "sent": self.octets(),
                      "received": self.octets()} for _ in range(r.randrange(40))],
        }


# --- reading back

def shown(text, kept=""):
    """A text as it may be shown: what printable.h says, said again."""
    out = ""
    for c in text:
        if c in kept:
            out += c
        elif c in "\t\n\v\f\r\x85\u2028\u2029":
            out += "\ufffd" if kept else " "
        elif unicodedata.category(c) in ("Cc", "Cn") and ord(c) < 0xa0 or c in "\ufeff\u061c\u200e\u200f" or \
                "\u202a" <= c <= "\u202e" or "\u2066" <= c <= "\u2069":
            out += "\ufffd"
        else:
            out += c
    return out


def guarded(text):
    text = shown(text, "\t\r\n")
    return "'" + text if re.match("[ \xa0\u200b\u200d\u0300-\u036f]*[-=+@\t\r\n＝＋－＠]", text) else text


def check_csv(statement, text):
    assert text.startswith("\ufeff") and text.endswith("\r\n")
    rows = list(csv.DictReader(io.StringIO(text[1:], newline=""), strict=True))
    assert all(None not in row and None not in row.values() for row in rows), "rows of different lengths"
    lines = [(s, line) for s in statement["sections"] for line in s["lines"]]
    kinds = ["line"] * len(lines) + ["credit"] * len(statement["credits"]) + ["tax"] * len(statement["taxes"])
    kinds += ["net", "total tax", "gross"]
    balance = statement.get("balance")
    if balance:
        kinds += ["balance before"] + ["moved"] * len(balance["moved"]) + ["balance"]
    assert [row["row"] for row in rows] == kinds
    for row, (section, line) in zip(rows, lines):
        assert row["provider"] == guarded(section["provider"]), row
        assert row["item"] == guarded(line["item"]) and row["description"] == guarded(line["description"]), row
        assert row["octets"] == str(line["octets"]) and row["amount"] == line["amount"], row
        assert row["customer"] == guarded(statement["customer"]["id"]), row
        if len(line["at"]) == 1:
            assert (row["quantity"], row["price"]) == (line["at"][0]["quantity"], line["at"][0]["price"]), row
    numbers = {"octets", "packets", "quantity", "price", "of_from", "of_to", "service", "tax_percent", "taxed", "amount"}
    for row in rows:
        for name, cell in row.items():
            if name in numbers:
                assert re.fullmatch(r"(-?\d+(\.\d+)?)?", cell), (name, cell)
            else:
                assert not re.match("[-=+@\t\r＝＋－＠]", cell), (name, cell)
    amounts = {}
    for row in rows:
        amounts.setdefault(row["row"], Decimal(0))
        amounts[row["row"]] += Decimal(row["amount"])
    assert amounts["gross"] == amounts["net"] + amounts["total tax"]
    assert amounts["total tax"] == amounts.get("tax", 0)
    if balance:
        assert amounts["balance before"] + amounts.get("moved", 0) + amounts["gross"] == amounts["balance"] == Decimal(balance["now"])
        moved = [row for row in rows if row["row"] == "moved"]
        assert [(guarded(m["what"]), m["at"], m["amount"]) for m in balance["moved"]] == [(m["description"], m["for_from"], m["amount"]) for m in moved]
    return amounts.get("line", Decimal(0)) + amounts.get("credit", Decimal(0)), amounts["net"]


class Reader(html.parser.HTMLParser):
    """The tables of a document, with what holds each cell; refuses what is not well nested."""

    def __init__(self):
        super().__init__()
        self.open, self.tables, self.seen, self.title = [], [], [], ""

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        names = dict(attributes)
        assert not any(n.startswith("on") or n in ("src", "href", "style", "xlink:href") for n in names), names
        assert tag not in ("script", "link", "img", "iframe", "base", "a", "object"), tag
        if tag in VOID:
            return
        self.open.append(tag)
        if tag == "table":
            self.tables.append({"caption": "", "rows": []})
        elif tag == "tr":
            self.tables[-1]["rows"].append([])
        elif tag in ("th", "td"):
            assert tag == "td" or names.get("scope") in ("col", "row", "rowgroup"), names
            self.tables[-1]["rows"][-1].append({"tag": tag, "text": "", "value": None, "within": self.open[-3],
                                                 "colspan": names.get("colspan")})
        elif tag == "data":
            cells = self.tables[-1]["rows"][-1] if "td" in self.open else []
            if cells:
                cells[-1]["value"] = names["value"]

    def handle_startendtag(self, tag, attributes):
        assert tag in SVG_EMPTY, tag

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] == "title" and "svg" not in self.open:
            self.title += data
        elif "caption" in self.open:
            self.tables[-1]["caption"] += data
        elif ("th" in self.open or "td" in self.open) and self.tables:
            self.tables[-1]["rows"][-1][-1]["text"] += data


def check_html(statement, text):
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert not reader.open, reader.open
    kind = "Adjustment " if statement["kind"] == "adjustment" else "Statement "
    assert reader.title.startswith(shown(kind + statement["number"])), reader.title
    charges = reader.tables[:len(statement["sections"])]
    for section, table in zip(statement["sections"], charges):
        if section["provider"]:
            assert table["caption"] == shown(section["provider"]), table["caption"]
        table["rows"] = [row for row in table["rows"] if row[0]["colspan"] is None]  # less the explanations
        for line, row in zip(section["lines"], table["rows"][1:]):
            assert row[0]["text"].startswith(shown(line["description"] or line["item"])), row
            fee = line["unit"] == "cycle" and line["octets"] == 0
            assert row[1]["value"] == (None if fee else str(line["octets"])), row
        assert len(table["rows"]) == len(section["lines"]) + 2
    found = sum((Decimal(row[-1]["value"]) for table in charges for row in table["rows"] if row[0]["within"] == "tbody"),
                Decimal(0))
    rest = reader.tables[len(charges):]
    if statement["credits"]:
        assert rest[0]["caption"] == "Credits"
        found += sum(Decimal(row[1]["value"]) for row in rest.pop(0)["rows"][1:] if len(row) == 2)
    total = rest.pop(0)
    assert total["caption"] == "Total"
    for table in reader.tables:  # what is read is what is said
        for row in table["rows"]:
            for cell in row:
                if cell["value"] is not None:
                    assert cell["text"].replace("\xa0", "").replace("\u2212", "-") == cell["value"], cell
    assert text.count("<svg viewBox=\"0 0 4000") == (2 if any(d["sent"] or d["received"] for d in statement["days"]) else 0)
    return found, Decimal(total["rows"][1][-1]["value"]), Decimal(total["rows"][-1][-1]["value"])


def columns(text):
    wide = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
    return wide - sum(unicodedata.category(c) in ("Mn", "Me", "Cf") for c in text)


def check_text(statement, text):
    for line in text.split("\n"):
        assert columns(line) <= 78, line
        assert not any(unicodedata.category(c) == "Cc" for c in line), line
    # An amount ends at the last column of a title's first row; a detail is indented more. A provider's block ends with
    # its subtotal, that of credits has none.
    before, _, after = text.partition("\n" + "=" * 78 + "\n  net ")
    assert after, "no total"
    found = Decimal(0)
    for block in (before + "\n").split("\n\n")[2:]:
        rows = block.rstrip("\n").split("\n")
        rows = rows[rows.index("-" * 78) + 1:] if "-" * 78 in rows else []
        for row in rows if block.startswith("Credits  ") else rows[:-1]:
            number = re.search(r"  (-?\d{1,3}(?: \d{3})*\.\d\d)$", row)
            if number and columns(row) == 78:
                found += Decimal(number.group(1).replace(" ", ""))
    net = Decimal(re.match(r" *(-?[0-9 ]+\.\d\d)\n", after).group(1).replace(" ", ""))
    gross = Decimal(re.search(r"\n  gross, EUR +(-?[0-9 ]+\.\d\d)\n", after).group(1).replace(" ", ""))
    if statement.get("balance"):
        block = re.search(r"\nAccount +amount\n-+\n(.*?)\n\n", after + "\n", re.S).group(1)
        numbers = [Decimal(n.replace(" ", "")) for n in re.findall(r"  (-?\d{1,3}(?: \d{3})*\.\d\d)$", block, re.M)]
        assert len(numbers) == 3 + len(statement["balance"]["moved"]), block
        assert sum(numbers[:-1]) == numbers[-1] == Decimal(statement["balance"]["now"]), block
    return found, net, gross


def check(statement, rendered):
    net, gross = Decimal(statement["net"]), Decimal(statement["gross"])
    assert "error" not in rendered, rendered
    assert check_csv(statement, rendered["csv"]) == (net, net), "CSV"
    assert check_html(statement, rendered["html"]) == (net, net, gross), "HTML"
    assert check_text(statement, rendered["text"]) == (net, net, gross), "text"


# --- a month to look at

def month():
    r = random.Random(1)
    tax = {"category": "S", "percent": "19"}
    days, usage = [], []
    for provider, network, path, gb, part in [("northfibre", "ftth", "fibre", 40, 1.0), ("airmobile", "lte", "mobile", 12, 0.8),
                                              ("coppertel", "vdsl", "dsl", 5, 0.6)]:
        totals = {"sent": 0, "received": 0}
        for day in range(1, 32):
            if r.random() > 0.95:
                continue
            weekend = 0.3 if datetime.date(2026, 10, day).weekday() > 4 else 1
            sent, received = (int(gb * 1e9 * weekend * share * r.uniform(0.5, 1.2)) for share in (part * 0.3, 1))
            days.append({"day": f"2026-10-{day:02}", "provider": provider, "sent": sent, "received": received})
            totals["sent"] += sent
            totals["received"] += received
        for direction, octets in totals.items():
            for kind, share in [("first", 96), ("repair", 1), ("copy", 2), ("overhead", 1)]:
                usage.append({"provider": provider, "network": network, "path": path, "gateway": "site-a",
                              "direction": direction, "kind": kind, "octets": octets * share // 100,
                              "packets": octets * share // 100 // 1100})
    days.sort(key=lambda d: d["day"])

    def octets(provider):
        return sum(u["octets"] for u in usage if u["provider"] == provider)

    def section(provider, lines):
        return {"provider": provider, "lines": lines, "octets": octets(provider),
                "subtotal": money(sum(Decimal(line["amount"]) for line in lines))}

    def line(item, description, unit, at, amount, count=0, **more):
        return dict({"item": item, "description": description, "octets": count, "packets": count // 1100, "unit": unit,
                     "at": [{"quantity": q, "price": p} for q, p in at], "amount": amount, "tax": tax}, **more)

    sections = [
        section("", [line("basic", "monthly fee", "cycle", [("1", "49.00")], "49.00"),
                     line("setup", "installation of site-a", "cycle", [("1", "1250.00")], "1250.00")]),
        section("airmobile", [line("mobile", "mobile data", "GB", [("100", "0.80"), ("278.123456789", "0.50")], "219.06",
                                   octets("airmobile"), passed="retail-data",
                                   conversion={"from": "USD", "to": "EUR", "of_from": "1.0834", "of_to": "1",
                                               "rates": "ecb-2026-10-31", "date": "2026-10-31"}),
                              line("mobile", "SIM card", "cycle", [("1", "5.00")], "5.00", passed="sim")]),
        section("coppertel", [line("dsl", "DSL by the 95th percentile of five minutes", "Mbit/s", [("17.25", "1.20")], "20.70",
                                   octets("coppertel"))]),
        section("northfibre", [line("fibre", "fibre data", "GB", [("1234.567891234", "0.04")], "49.38", octets("northfibre"))]),
    ]
    credits = [{"service": 7, "promise": "availability", "promised": "99.9", "measured": "99.2", "samples": 44640, "missed": 357,
                "window": {"from": "2026-10-01T00:00:00+02:00", "to": "2026-11-01T00:00:00+01:00"}, "amount": "-4.90",
                "description": "availability of service 7: 99.2 % of 99.9 % promised", "tax": tax}]
    net = sum(Decimal(s["subtotal"]) for s in sections) - Decimal("4.90")
    due = (net * 19 / 100).quantize(Decimal("0.01"))
    return {
        "number": "2026-000123", "kind": "statement", "issuer": {"id": "anabranch-co", "name": "Anabranch Co"},
        "account": "client:acme", "customer": {"id": "acme", "name": "Acme GmbH & Co. KG"}, "zone": "Europe/Berlin",
        "from": "2026-10-01T00:00:00+02:00", "to": "2026-11-01T00:00:00+01:00", "issued": "2026-11-04T00:00:12+01:00",
        "currency": "EUR", "tariff": {"id": "business", "version": "5d41402abc4b2a76b9719d911017c592a1b2c3d4e5f60718293a4b5c6d7e8f90"},
        "provider_charges": "itemised", "sections": sections, "credits": credits,
        "taxes": [dict(tax, reason="", net=money(net), tax=money(due))], "net": money(net), "tax": money(due),
        "gross": money(net + due), "usage": usage, "days": days,
        "balance": {"before": "1250.00", "now": money(net + due + Decimal("1180.00")), "moved": [
            {"at": "2026-10-05T08:00:12+02:00", "what": "payment", "amount": "-1250.00"},
            {"at": "2026-10-19T10:21:00+02:00", "what": "refund", "amount": "1180.00"}]}}


def render(program, statements):
    done = subprocess.run([program], input="".join(json.dumps(s) + "\n" for s in statements), stdout=subprocess.PIPE,
                          check=True, text=True, timeout=250)
    return [json.loads(line) for line in done.stdout.splitlines()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--seeds", default="1..400")
    parser.add_argument("--write", metavar="PREFIX")
    options = parser.parse_args()
    if options.write:
        for form, text in render(options.program, [month()])[0].items():
            with open(f"{options.write}.{form}", "w", encoding="utf-8", newline="") as file:
                file.write(text)
        return 0
    first, last = map(int, options.seeds.split(".."))
    seeds = range(first, last + 1)
    statements = [Months(seed).statement() for seed in seeds] + [month()]
    rendered = render(options.program, statements)
    assert len(rendered) == len(statements)
    for seed, statement, forms in zip([*seeds, "the month"], statements, rendered):
        try:
            check(statement, forms)
        except AssertionError:
            print(f"seed {seed}", file=sys.stderr)
            raise
    lines = sum(len(s["lines"]) for statement in statements for s in statement["sections"])
    print(f"{len(statements)} statements of {lines} lines agree in text, CSV and HTML")
    return 0


if __name__ == "__main__":
    sys.exit(main())

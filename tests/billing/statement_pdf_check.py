#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Reads statements back from their PDF with poppler: every number of the statement is there, what is read adds up to the same, and
the pages are numbered, whole and without text outside of their margins.

    statement_pdf_check.py PROGRAM [--seeds 1..60]
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from decimal import Decimal

from statement_render_check import Months, month

XHTML = "{http://www.w3.org/1999/xhtml}"
AMOUNT = re.compile(r"(?:^|\s)([−-]?\d{1,3}(?: \d{3})*\.\d\d)$")
LEFT, RIGHT, TOP, BOTTOM = 49, 547, 44, 812  # margins of A4, with a point to spare


def plain(text):
    return text.replace("\xa0", " ").replace("\u2212", "-")


def grouped(number):
    sign, digits = ("-", number[1:]) if number.startswith("-") else ("", number)
    whole, point, rest = digits.partition(".")
    return sign + re.sub(r"(?<=\d)(?=(\d{3})+$)", " ", whole) + point + rest


def numbers_of(s):
    """Each number that is said, as it is said."""
    for section in s["sections"]:
        yield section["subtotal"]
        for line in section["lines"]:
            yield line["amount"]
            if line["unit"] != "cycle" or line["octets"]:
                yield str(line["octets"])
            if s["provider_charges"] == "itemised":
                for tier in line["at"]:
                    yield from (tier["quantity"], tier["price"])
    for credit in s["credits"]:
        yield credit["amount"]
    for tax in s["taxes"]:
        yield from (tax["net"], tax["tax"])
    yield from (s["net"], s["tax"], s["gross"])
    if "balance" in s:
        yield from (s["balance"]["before"], s["balance"]["now"], *(m["amount"] for m in s["balance"]["moved"]))
    for used in s["usage"]:
        yield from (str(used["octets"]), str(used["packets"]))


def read(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, errors="replace", timeout=60).stdout


def check_pages(file, s):
    boxes = ElementTree.fromstring(re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f]", "", read("pdftotext", "-bbox", file, "-")))
    pages = boxes.findall(f".//{XHTML}page")
    for page in pages:
        for word in page.findall(f"{XHTML}word"):
            box = {k: float(word.get(k)) for k in ("xMin", "xMax", "yMin", "yMax")}
            assert LEFT <= box["xMin"] and box["xMax"] <= RIGHT and TOP <= box["yMin"] and box["yMax"] <= BOTTOM, (word.text, box)
    for n in range(len(pages)):
        text = plain(read("pdftotext", "-f", str(n + 1), "-l", str(n + 1), file, "-"))
        assert f"page {n + 1} of {len(pages)}" in text, n
    information = read("pdfinfo", file)
    assert re.search(r"^Subject: .*" + re.escape(s["number"]), information, re.M) or not s["number"].isprintable() or len(s["number"]) > 60, information
    assert re.search(r"^Pages: +%d$" % len(pages), information, re.M)
    fonts = read("pdffonts", file).splitlines()[2:]
    assert fonts and all(re.search(r" yes yes (yes|no ) ", font) for font in fonts), "fonts are in it, as subsets"
    return len(pages)


def check_numbers(file, s):
    text = " ".join(plain(read("pdftotext", "-layout", file, "-")).split())
    for number in numbers_of(s):
        assert grouped(number) in text, (number, grouped(number))


def block_sums(file):
    """The last amount of each row, by the block it is in."""
    sums, block = {}, None
    for row in plain(read("pdftotext", "-layout", "-nopgbrk", file, "-")).split("\n"):
        heading = re.match(r"(.*\S)\s+(?:octets\s+)?amount$", row)
        if heading:
            block = heading.group(1).strip().removesuffix(" (continued)")
            sums.setdefault(block, [])
            continue
        amount = AMOUNT.search(row)
        if block is not None and amount and not row.startswith("Subtotal"):
            sums[block].append(Decimal(amount.group(1).replace(" ", "")))
    return sums


def check_sums(file, s):
    sums = block_sums(file)
    total = sums.pop("Total")
    account = sums.pop("Account", None)
    assert (account is not None) == ("balance" in s)
    if account:
        # The last row is the sum of those above it.
        assert sum(account[:-1]) == account[-1] == Decimal(s["balance"]["now"]), account
    net, taxes, gross = total[0], total[1:1 + len(s["taxes"])], total[-1]
    assert (str(net), str(gross)) == (s["net"], s["gross"])
    assert sum(taxes) == Decimal(s["tax"])
    assert net + sum(taxes) == gross
    assert sum(sum(block) for block in sums.values()) == net, sums


def usual(seed):
    """A statement of plain texts, of which sums can be read back; some with very many lines."""
    s = Months(seed * 2 + 1).statement()
    line = {"item": "i", "description": "mobile data", "octets": 5, "packets": 1, "unit": "GB", "tax": {"category": "S", "percent": "19"},
            "at": [{"quantity": "1", "price": "0.10"}], "amount": "0.10"}
    many = [0, 1, 200][seed % 3]
    s["sections"] = [{"provider": f"provider {n}", "octets": 5, "lines": [dict(line, item=f"i{k}", amount=f"{k % 7}.{seed % 100:02}") for k in range(many)],
                      "subtotal": "0.00"} for n in range(seed % 4)]
    for section in s["sections"]:
        section["subtotal"] = str(sum((Decimal(l["amount"]) for l in section["lines"]), Decimal("0.00")))
    for n, credit in enumerate(s["credits"]):
        credit.update(description=f"availability of service {n}", amount="-1.00")
    for tax in s["taxes"]:
        tax.update(category="S", percent="19", reason="", net="1.00", tax="0.19")
    net = sum((Decimal(x["subtotal"]) for x in s["sections"]), Decimal("0.00")) - len(s["credits"])
    due = Decimal("0.19") * len(s["taxes"]) + Decimal("0.00")
    s.update(net=str(net), tax=str(due), gross=str(net + due))
    if "balance" in s:
        s["balance"] = Months(seed).balance(s["gross"])
        for n, moved in enumerate(s["balance"]["moved"]):
            moved["what"] = f"payment {n}"
    return s


def render(program, statements):
    done = subprocess.run([program, "pdf"], input="".join(json.dumps(s) + "\n" for s in statements), stdout=subprocess.PIPE, check=True,
                          text=True, timeout=250)
    return [bytes.fromhex(json.loads(line)["pdf"]) for line in done.stdout.splitlines()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--seeds", default="1..60")
    options = parser.parse_args()
    first, last = map(int, options.seeds.split(".."))
    cases = [("month", month(), True)]
    for seed in range(first, last + 1):
        cases += [(seed, Months(seed).statement(), False), (f"usual {seed}", usual(seed), True)]
    statements = [s for _, s, _ in cases]
    made = render(options.program, statements)
    assert len(made) == len(cases) and render(options.program, statements) == made, "the same octets each time"
    pages = 0
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "statement.pdf"
        for (name, s, sums), octets in zip(cases, made):
            try:
                file.write_bytes(octets)
                pages += check_pages(file, s)
                if sums:
                    check_numbers(file, s)
                    check_sums(file, s)
            except AssertionError:
                print(f"seed {name}", file=sys.stderr)
                raise
    print(f"{len(cases)} statements on {pages} pages are whole, and add up")
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Providers that sell (tests/control/negotiation/providers.py), in the namespace this is started in.

    sellers.py '[["Provider", "airmobile", "1.20"], …]'

Prints where each is, as JSON; then, for each line on its input, what each has in its book. Ends with its input.
"""
import json
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "control/negotiation"))
import providers  # noqa: E402


def book(seller):
    with seller.lock:
        return {"calls": len(seller.calls), "quotes_open": len(seller.firm_open()), "orders_open": len(seller.orders_open()),
                "orders": [o["state"] for o in seller.orders.values()]}


def main():
    sellers = [getattr(providers, kind)(name, price) for kind, name, price in json.loads(sys.argv[1])]
    print(json.dumps({s.name: s.url for s in sellers}), flush=True)
    for _ in sys.stdin:
        print(json.dumps({s.name: book(s) for s in sellers}), flush=True)


main()

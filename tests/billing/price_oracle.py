#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Prices random months by itself, and compares with what billing makes of them, to the last digit.

    price_oracle.py PROGRAM [--seeds 1..3000]

Nothing here is taken from billing: fractions instead of integers of attos, Python's time zones, the clock on the wall
instead of stretches, a list of every slot instead of those in use.
"""
import argparse
import datetime
import json
import math
import random
import subprocess
import sys
import zoneinfo
from fractions import Fraction

NS = 10**9
SLOT = 300 * NS
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
KINDS = ["first", "repair", "copy", "overhead", "control", "refused", "unattended"]
DIGITS = {"EUR": 2, "USD": 2, "JPY": 0, "KWD": 3}


# --- the oracle

class Refused(Exception):
    pass


def instant(ns, zone):
    return datetime.datetime.fromtimestamp(ns // NS, zoneinfo.ZoneInfo(zone))


def minute(text):
    return int(text[:2]) * 60 + int(text[3:])


def within(window, ns, zone):
    """Does the clock on the wall show a time of the window?"""
    local = instant(ns, zone)
    now, today = local.hour * 60 + local.minute, DAYS[local.weekday()]
    yesterday = DAYS[(local.weekday() - 1) % 7]
    days = window.get("days", DAYS)
    begin, end = minute(window.get("from", "00:00")), minute(window.get("to", "24:00"))
    if begin < end:
        return today in days and begin <= now < end
    return (today in days and now >= begin) or (yesterday in days and now < end)


def holds(item, ns, zone):
    return "times" not in item or any(within(w, ns, zone) for w in item["times"])


def matches(item, used, ns, zone):
    provider, network, path, _, direction, kind = used[:6]
    return (provider in item.get("providers", [provider]) and network in item.get("networks", [network])
            and path in item.get("paths", [path]) and direction == item.get("direction", direction)
            and kind in item.get("kinds", KINDS) and "flat" not in item and "commit" not in item
            and holds(item, ns, zone))


def pieces(used, begin, end):
    """(instant, octets, packets) of what lies in the period, at most a slot each."""
    octets, packets, first, last = used[6:]
    first = min(first, last)

    def until(count, at):
        if first == last:
            return count if at > first else 0
        return math.floor(count * Fraction(min(max(at - first, 0), last - first), last - first))
    at = max(first, begin)
    while at < end and (at < last or at == first):
        cut = min((at // SLOT + 1) * SLOT, end)
        got = until(octets, cut) - until(octets, at), until(packets, cut) - until(packets, at)
        if got != (0, 0):
            yield at, *got
        at = cut


def long_form(tariff):
    if "items" in tariff:
        return tariff["items"]
    charged = tariff.get("charged", KINDS[:4])
    free = [k for k in KINDS if k not in charged]
    items = [{"id": "not charged", "kinds": free, "free": True}] if free else []
    return items + [{"id": p["provider"], "providers": [p["provider"]], "kinds": charged, "per_gb": p["per_gb"]}
                    for p in tariff["prices"]]


class Meter:
    """What one item counts."""
    def __init__(self):
        self.octets, self.packets, self.samples = {}, {}, {}

    def add(self, provider, direction, at, octets, packets):
        self.octets[provider] = self.octets.get(provider, 0) + octets
        self.packets[provider] = self.packets.get(provider, 0) + packets
        slot = self.samples.setdefault(at // SLOT, {"sent": 0, "received": 0})
        slot[direction] += octets


def shared(amounts, octets):
    """Blocks of octets, dealt to providers by what each has left."""
    left, result = dict(octets), {p: [] for p in octets}
    for count, price in amounts:
        total = sum(left.values())
        if count == 0:
            continue
        quota = {p: Fraction(count * left[p], total) for p in left}
        own = {p: math.floor(q) for p, q in quota.items()}
        rest = count - sum(own.values())
        for p in sorted(quota, key=lambda p: (-(quota[p] % 1), p))[:rest]:
            own[p] += 1
        for p in own:
            left[p] -= own[p]
            result[p].append((own[p], price))
    return result


def blocks(item, total, share):
    gb = Fraction(10**9)
    if "per_gb" in item:
        return [(total, Fraction(item["per_gb"]) / gb)]
    if "per_octet" in item:
        return [(total, Fraction(item["per_octet"]))]
    if "free" in item:
        return [(total, Fraction(0))]
    if "allowance" in item:
        free = min(total, math.floor(Fraction(item["allowance"]["gb"]) * gb * share))
        return [(free, Fraction(0)), (total - free, Fraction(item["allowance"]["per_gb"]) / gb)]
    tiers = item.get("graduated") or item["volume"]
    ends = [int(Fraction(t["up_to_gb"]) * gb) if "up_to_gb" in t else None for t in tiers]
    prices = [Fraction(t["per_gb"]) / gb for t in tiers]
    if "volume" in item:
        return [(total, next(p for e, p in zip(ends, prices) if e is None or total <= e))]
    result, below = [], 0
    for end, price in zip(ends, prices):
        reached = total if end is None else min(end, total)
        result.append((max(reached - below, 0), price))
        below = max(below, reached)
    return result


def percentile(item, meter, case, zone, share):
    model = item["percentile"]
    begin, end = case["from"], case["to"]
    wanted = [s for s in range(begin // SLOT, -(-end // SLOT)) if holds(item, max(s * SLOT, begin), zone)]

    def rank(values):
        values = sorted(values)
        return values[math.ceil(Fraction(len(values) * model.get("percent", 95), 100)) - 1] if values else 0
    zero = {"sent": 0, "received": 0}
    slots = [meter.samples.get(s, zero) for s in wanted]
    if model.get("of", "higher") == "sum":
        octets = rank([s["sent"] + s["received"] for s in slots])
    else:
        octets = max(rank([s["sent"] for s in slots]), rank([s["received"] for s in slots]))
    mbps = Fraction(octets * 8, 300 * 10**6)
    commit = Fraction(model.get("commit_mbps", 0))
    price = Fraction(model["per_mbps"])
    over = Fraction(model.get("overage_per_mbps", model["per_mbps"]))
    amount = (commit * price + max(mbps - commit, 0) * over) * share
    total = sum(meter.octets.values())
    if total == 0:
        return {owner(item): amount} if commit else {}
    return {p: amount * Fraction(o, total) for p, o in meter.octets.items()}


def owner(item):
    return item.get("providers", [""])[0] if len(item.get("providers", [""])) == 1 else ""


def coins(amount, currency):
    scale = 10**DIGITS[currency]
    return Fraction(math.floor(amount * scale + Fraction(1, 2)), scale)


def lines_of(tariff, meters, case, zone):
    """[provider, item, octets, packets, exact] in the tariff's currency."""
    share = Fraction(case["to"] - case["from"], case["cycle_to"] - case["cycle_from"])
    lines = []
    for item, meter in zip(long_form(tariff), meters):
        part = share if item.get("prorated", True) else Fraction(1)
        if "flat" in item:
            lines.append([owner(item), item["id"], 0, 0, Fraction(item["flat"]) * part])
        elif "percentile" in item:
            for provider, amount in percentile(item, meter, case, zone, part).items():
                lines.append([provider, item["id"], meter.octets.get(provider, 0), meter.packets.get(provider, 0), amount])
        elif "commit" not in item and "pass_through" not in item and meter.octets:
            divided = shared(blocks(item, sum(meter.octets.values()), part), meter.octets)
            for provider, own in divided.items():
                lines.append([provider, item["id"], meter.octets[provider], meter.packets[provider],
                              sum((count * price for count, price in own), Fraction(0))])
    return lines


def commits(tariff, lines, case):
    share = Fraction(case["to"] - case["from"], case["cycle_to"] - case["cycle_from"])
    items, added = long_form(tariff), []
    usage = [i["id"] for i in items if "flat" not in i and "commit" not in i]
    for item in items:
        if "commit" not in item:
            continue
        least = coins(Fraction(item["commit"]) * (share if item.get("prorated", True) else 1), tariff["currency"])
        whose = item.get("providers", [None])[0]
        covered = sum((coins(line[4], tariff["currency"]) for line in lines
                       if line[1] in item.get("items", usage) and whose in (None, line[0])), Fraction(0))
        if covered < least:
            added.append([owner(item), item["id"], 0, 0, least - covered])
    return added


def exchange(case, theirs, ours):
    day = instant((case["to"] - 1), case["zone"]).strftime("%Y-%m-%d")
    for sheet in sorted(case["rates"], key=lambda s: (s["date"], s["id"]), reverse=True):
        rates = sheet["rates"] | {sheet["base"]: "1"}
        if sheet["date"] <= day and theirs in rates and ours in rates:
            return Fraction(rates[ours]) / Fraction(rates[theirs])
    raise Refused("rate")


def oracle(case):
    """(provider, item, passed) → [octets, packets, exact, rounded]; and taxes, net, gross."""
    tariff, providers = case["tariff"], case["providers"]
    items = long_form(tariff)
    meters, passed = [Meter() for _ in items], {}
    for used in case["usage"]:
        for at, octets, packets in pieces(used, case["from"], case["to"]):
            zone = tariff.get("zone", case["zone"])
            place = next((i for i, item in enumerate(items) if matches(item, used, at, zone)), None)
            if place is None:
                raise Refused("item")
            meter = meters[place]
            if "pass_through" in items[place]:
                own = providers.get(used[0])
                if own is None:
                    raise Refused("provider")
                theirs = long_form(own)
                inner = next((i for i, item in enumerate(theirs) if matches(item, used, at, own.get("zone", case["zone"]))), None)
                if inner is None:
                    raise Refused("provider's item")
                meter = passed.setdefault((place, used[0]), [Meter() for _ in theirs])[inner]
            meter.add(used[0], used[4], at, octets, packets)
    zone = tariff.get("zone", case["zone"])
    lines = [line + [""] for line in lines_of(tariff, meters, case, zone)]
    with_fees = {}
    for (place, provider), inner in sorted(passed.items(), key=lambda p: p[0]):
        with_fees.setdefault(provider, place)
        own, model = providers[provider], items[place]["pass_through"]
        rate = Fraction(1) if own["currency"] == tariff["currency"] else exchange(case, own["currency"], tariff["currency"])
        factor = rate * (1 + Fraction(model.get("margin_percent", 0)) / 100)
        theirs = lines_of(own, inner, case, own.get("zone", case["zone"]))
        fees = [i["id"] for i in long_form(own) if "flat" in i or "commit" in i]
        for line in theirs + commits(own, theirs, case):
            if line[1] in fees and with_fees[provider] != place:
                continue
            lines.append([provider, items[place]["id"], line[2], line[3], line[4] * factor, line[1]])
        per_gb = Fraction(model.get("margin_per_gb", 0))
        if per_gb:
            lines.append([provider, items[place]["id"], 0, 0, sum(line[2] for line in theirs) * per_gb / 10**9, ""])
    lines += [line + [""] for line in commits(tariff, lines, case)]
    return lines, sums(case, items, lines)


def sums(case, items, lines):
    currency, taxes = case["tariff"]["currency"], {}
    for provider, item, _, _, amount, _ in lines:
        tax = next(i for i in items if i["id"] == item).get("tax", case["tariff"].get("tax", {}))
        key = tax.get("category", ""), Fraction(tax.get("percent", 0))
        taxes[key] = taxes.get(key, Fraction(0)) + coins(amount, currency)
    return {key: (net, coins(net * key[1] / 100, currency)) for key, net in taxes.items()}


# --- random months

def decimal(r, most, decimals):
    """Often round, sometimes with all its digits."""
    digits = r.choice([0, 1, 2, 2, 2, decimals])
    number = r.randrange(0, most * 10**digits + 1)
    return f"{number // 10**digits}.{number % 10**digits:0{digits}d}" if digits else str(number)


def random_window(r):
    begin, end = r.sample(range(0, 288), 2)
    window = {"from": f"{begin // 12:02d}:{begin % 12 * 5:02d}"}
    if r.random() < 0.9:
        window["to"] = f"{end // 12:02d}:{end % 12 * 5:02d}" if end else "24:00"
    if r.random() < 0.5:
        window["days"] = r.sample(DAYS, r.randint(1, 6))
    return window


def random_tiers(r):
    ends = sorted(r.sample(range(1, 5000), r.randint(0, 4)))
    tiers = [{"up_to_gb": f"{end / 1000:.3f}", "per_gb": decimal(r, 10, 9)} for end in ends]
    return tiers + [{"per_gb": decimal(r, 10, 9)}]


def random_model(r, item, passing):
    kind = r.choice(["per_gb", "per_octet", "graduated", "volume", "allowance", "percentile", "free"] +
                    (["pass_through"] * 3 if passing else []))
    if kind == "per_gb":
        item["per_gb"] = decimal(r, 10, 9)
    elif kind == "per_octet":
        item["per_octet"] = f"0.{r.randrange(10**10):018d}"
    elif kind in ("graduated", "volume"):
        item[kind] = random_tiers(r)
    elif kind == "allowance":
        item["allowance"] = {"gb": decimal(r, 3, 9), "per_gb": decimal(r, 10, 9)}
    elif kind == "percentile":
        model = {"per_mbps": decimal(r, 10, 9)}
        if r.random() < 0.5:
            model["percent"] = r.choice([1, 50, 90, 95, 99, 100])
        if r.random() < 0.5:
            model["of"] = r.choice(["higher", "sum"])
        if r.random() < 0.5:
            model["commit_mbps"] = decimal(r, 2, 6)
            if r.random() < 0.5:
                model["overage_per_mbps"] = decimal(r, 10, 9)
        item["percentile"] = model
    elif kind == "pass_through":
        item["pass_through"] = {}
        if r.random() < 0.7:
            item["pass_through"]["margin_percent"] = decimal(r, 30, 9)
        if r.random() < 0.3:
            item["pass_through"]["margin_per_gb"] = decimal(r, 1, 9)
    else:
        item["free"] = True
    if kind in ("allowance", "percentile") and r.random() < 0.3:
        item["prorated"] = False


TAXES = [{"category": "S", "percent": "19"}, {"category": "S", "percent": "5.5"}, {"category": "Z"},
         {"category": "E", "reason": "Exempt"}, {"category": "AE", "reason": "Reverse charge"},
         {"category": "G", "reason": "Export"}, {"category": "K", "reason": "Intra-community supply"}]


def random_tariff(r, name, passing, world):
    tariff = {"id": name, "currency": r.choice(["EUR", "EUR", "USD", "JPY", "KWD"])}
    if r.random() < 0.3:
        tariff["zone"] = r.choice(world["zones"])
    if r.random() < 0.7:
        tariff["tax"] = r.choice(TAXES)
    if r.random() < 0.15:
        tariff["prices"] = [{"provider": p, "per_gb": decimal(r, 5, 9)} for p in world["providers"]]
        if r.random() < 0.5:
            tariff["charged"] = r.sample(KINDS, r.randint(0, 7))
        return tariff
    tariff["items"] = []
    for i in range(r.randint(1, 6)):
        item = {"id": f"item{i}"}
        if r.random() < 0.3:
            item["description"] = f"what item {i} is"
        for field, names in [("providers", world["providers"]), ("networks", world["networks"]), ("paths", world["paths"])]:
            if r.random() < 0.25:
                item[field] = r.sample(names, r.randint(1, len(names)))
        if r.random() < 0.2:
            item["direction"] = r.choice(["sent", "received"])
        if r.random() < 0.3:
            item["kinds"] = r.sample(KINDS, r.randint(1, 6))
        if r.random() < 0.4:
            item["times"] = [random_window(r) for _ in range(r.randint(1, 3))]
        if r.random() < 0.2:
            item["tax"] = r.choice(TAXES)
        random_model(r, item, passing)
        tariff["items"].append(item)
    usage = [i["id"] for i in tariff["items"]]
    if r.random() < 0.95:
        last = {"id": "rest"}
        random_model(r, last, passing)
        tariff["items"].append(last)
    for fee in ("flat", "commit"):
        for i in range(r.choice([0, 0, 1, 2])):
            item = {"id": f"{fee}{i}", fee: decimal(r, 100, 18)}
            if r.random() < 0.3:
                item["providers"] = [r.choice(world["providers"])]
            if r.random() < 0.3:
                item["prorated"] = False
            if fee == "commit" and r.random() < 0.5:
                item["items"] = r.sample(usage, r.randint(1, len(usage)))
            tariff["items"].insert(r.randint(0, len(tariff["items"])), item)
    return tariff


def random_case(seed):
    r = random.Random(seed)
    world = {"providers": ["northfibre", "airmobile", "coppertel"][:r.randint(1, 3)], "networks": ["metro", "5g"],
             "paths": ["fibre", "mobile", "dsl"],
             "zones": ["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Havana", "Etc/UTC"]}
    zone = r.choice(world["zones"])
    month = r.choice([1, 2, 3, 4, 10, 11, 12])

    def midnight(year, month):
        return int(datetime.datetime(year, month, 1, tzinfo=zoneinfo.ZoneInfo(zone)).timestamp()) * NS
    begin, end = midnight(2026, month), midnight(2026 + month // 12, month % 12 + 1)
    case = {"zone": zone, "cycle_from": begin, "cycle_to": end, "from": begin, "to": end}
    if r.random() < 0.4:  # a part of it, at any instant
        case["from"], case["to"] = sorted(r.sample(range(begin, end), 2))
        if r.random() < 0.5:
            case["from"] = begin
    elif r.random() < 0.3:  # some hours, of which a percentile has most slots busy
        case["from"] = r.randrange(begin, end - 48 * 3600 * NS) // SLOT * SLOT
        case["to"] = case["from"] + r.randrange(1, 48 * 3600 * NS)
    case["tariff"] = random_tariff(r, "client", True, world)
    case["providers"] = {p: random_tariff(r, p, False, world) for p in world["providers"] if r.random() < 0.95}
    case["rates"] = [{"id": f"sheet{i}", "date": f"2026-{r.choice([1, month]):02d}-{r.randint(1, 28):02d}", "base": "EUR",
                      "rates": {c: f"{r.randrange(10**5, 10**7) / 10**5:.5f}" for c in r.sample(["USD", "JPY", "KWD"], r.randint(1, 3))}}
                     for i in range(4)]
    case["rates"].append({"id": "old", "date": "2025-12-31", "base": "USD", "rates": {"EUR": "0.9", "JPY": "151.25", "KWD": "0.3075"}})
    case["usage"] = [random_usage(r, world, case) for _ in range(r.choice([0, 3, 40, 120]))]
    return case


def random_usage(r, world, case):
    path = r.randrange(3)
    span = case["to"] - case["from"]
    at = r.randrange(case["from"] - span // 20, case["to"] + span // 20)
    if r.random() < 0.2:
        at = r.choice([case["from"], case["to"], at // SLOT * SLOT])
    length = r.choice([0, NS, NS, NS, SLOT, r.randrange(3600 * NS), r.randrange(20 * 3600 * NS), -NS])
    octets = r.randrange(r.choice([1, 10**3, 10**6, 10**9, 2 * 10**10]) + 1)
    return [world["providers"][path % len(world["providers"])], world["networks"][path % 2], world["paths"][path],
            r.randint(1, 3), r.choice(["sent", "received"]), r.choice(KINDS[:2] * 4 + KINDS), octets, octets // 1000,
            at, at + length]


# --- compared

def compare(seed, case, got):
    try:
        lines, taxes = oracle(case)
    except Refused as refused:
        return [] if "error" in got else [f"expected to be refused: {refused}"]
    if "error" in got:
        return [f"refused: {got['error']}"]
    wrong = []
    currency = case["tariff"]["currency"]
    cut = [(p, i, passed, o, n, Fraction(math.floor(e * 10**18), 10**18), coins(e, currency)) for p, i, o, n, e, passed in lines]
    theirs = [(g["provider"], g["item"], g.get("passed", ""), g["octets"], g["packets"], Fraction(g["exact"]), Fraction(g["amount"]))
              for g in got["lines"]]
    for line in set(cut) - set(theirs):
        wrong.append(f"expected {line}")
    for line in set(theirs) - set(cut):
        wrong.append(f"got      {line}")
    if len(cut) != len(theirs):
        wrong.append(f"{len(theirs)} lines instead of {len(cut)}")
    got_taxes = {(t["category"], Fraction(t["percent"])): (Fraction(t["net"]), Fraction(t["tax"])) for t in got["taxes"]}
    if got_taxes != taxes:
        wrong.append(f"taxes {got_taxes} instead of {taxes}")
    net, due = (sum((t[i] for t in taxes.values()), Fraction(0)) for i in (0, 1))
    if (Fraction(got["net"]), Fraction(got["tax"]), Fraction(got["gross"])) != (net, due, net + due):
        wrong.append(f"net {got['net']}, tax {got['tax']}, gross {got['gross']}: expected {net}, {due}")
    # What is shown adds up: quantities times prices are the exact amount, but for decimals cut off.
    for g in got["lines"]:
        shown = sum((Fraction(a["quantity"]) * Fraction(a["price"]) for a in g["at"]), Fraction(0))
        if abs(shown - Fraction(g["exact"])) > Fraction(1, 10**6):
            wrong.append(f"{g['item']} of {g['provider']}: shown comes to {float(shown)}, not {g['exact']}")
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--seeds", default="1..3000")
    arguments = parser.parse_args()
    first, last = (int(n) for n in arguments.seeds.split(".."))
    cases = {seed: random_case(seed) for seed in range(first, last + 1)}
    told = "".join(json.dumps(case) + "\n" for case in cases.values())
    done = subprocess.run([arguments.program], input=told, capture_output=True, text=True)
    answers = done.stdout.splitlines()
    if done.returncode != 0 or len(answers) != len(cases):
        sys.exit(f"{arguments.program}: {len(answers)} answers to {len(cases)} cases, status {done.returncode}: {done.stderr[-2000:]}")
    failed, priced, charged = 0, 0, 0
    for (seed, case), answer in zip(cases.items(), answers):
        got = json.loads(answer)
        priced += "error" not in got
        charged += len(got.get("lines", []))
        if wrong := compare(seed, case, got):
            failed += 1
            if failed <= 5:
                print(f"seed {seed}:\n  " + "\n  ".join(wrong))
    print(f"{len(cases)} months, {priced} priced in {charged} lines, {failed} differ")
    if priced < len(cases) // 2:
        sys.exit("too few could be priced to say anything")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

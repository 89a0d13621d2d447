#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The JSON Schema of each kind of document beside its parser: what the parser takes, the schema takes.

    document_schema_test.py ANABRANCH VERDICTS
"""
import copy
import json
import pathlib
import subprocess
import sys
import unittest

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
KINDS = ["clients", "profiles", "slas", "tariffs", "providers", "rates", "issuers", "tokens", "quotas", "networks", "uplinks"]
VALUES = [None, True, False, 0, 1, 7, -1, 100, 101, 1000, 0.5, 80.0, 1e300, "", "x", "0", "0.5", "100", "100.0001", "-1", "1e3", "EUR", "eur", "mon",
          "08:00", "24:00", "08:03", "flow", "Europe/Berlin", "64 kbit/s", "1e6 bit/s", ".5 Mbit/s", "5. Gbit/s", "client", "operator", "S", "AE",
          "latency", "loss", "2026-11-30", "a/b~c", "ä", [], ["x"], ["x", "x"], [1], {}, {"x": "y"}, {"EF": "urgent"}]
ANABRANCH, VERDICTS = sys.argv.pop(1), sys.argv.pop(1)


def schema_of(kind):
    return json.loads(subprocess.run([ANABRANCH, "schema", kind], capture_output=True, text=True, check=True).stdout)


def documents_of(kind, schema):
    files = [json.loads(file.read_text()) for file in ROOT.glob(f"tools/quickstart.d/*/{kind}/*.json")]
    return schema["examples"] + files


def places(value, at=()):
    yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inner:
        yield from places(child, at + (key,))


def changed(document, at, change):
    """A copy in which change(container, key) was done at that place."""
    root = [copy.deepcopy(document)]
    container, key = root, 0
    for step in at:
        container, key = container[key], step
    change(container, key)
    return root[0] if root else None


def mutations(document):
    for at in places(document):
        for value in VALUES:
            yield changed(document, at, lambda c, k: c.__setitem__(k, value))
        if at:
            yield changed(document, at, lambda c, k: c.__delitem__(k))
        holder = document
        for step in at:
            holder = holder[step]
        if isinstance(holder, list) and holder:
            yield changed(document, at, lambda c, k: c[k].append(c[k][0]))
            yield changed(document, at, lambda c, k: c[k].extend(c[k] * 300))
            yield changed(document, at, lambda c, k: c[k].reverse())


def verdicts(kind, documents):
    lines = "".join(f"{kind}\t{json.dumps(d)}\n" for d in documents)
    said = subprocess.run([VERDICTS], input=lines, capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in said.splitlines()]


def pointer(at):
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in at)


class Schemas(unittest.TestCase):
    def each(self):
        for kind in KINDS:
            with self.subTest(kind=kind):
                schema = schema_of(kind)
                jsonschema.Draft202012Validator.check_schema(schema)
                yield kind, schema, jsonschema.Draft202012Validator(schema)

    def test_examples_are_taken_by_both(self):
        for kind, schema, validator in self.each():
            documents = documents_of(kind, schema)
            self.assertGreater(len(documents), 0)
            for document, mistakes in zip(documents, verdicts(kind, documents), strict=True):
                self.assertEqual(mistakes, [], document)
                self.assertEqual([e.message for e in validator.iter_errors(document)], [], document)

    def test_what_the_parser_takes_the_schema_takes(self):
        for kind, schema, validator in self.each():
            all_mutations = [m for d in documents_of(kind, schema) for m in mutations(d)]
            taken = refused = both = 0
            for document, mistakes in zip(all_mutations, verdicts(kind, all_mutations), strict=True):
                errors = [] if mistakes and both > 3000 else [e.message for e in validator.iter_errors(document)]
                if not mistakes:
                    taken += 1
                    self.assertEqual(errors, [], f"the parser takes {json.dumps(document)}")
                elif both <= 3000:
                    refused += 1
                    both += bool(errors)
            self.assertGreater(taken, 10)
            self.assertGreater(refused, 100)
            # The parser knows more, such as currencies and zones; most is in the schema.
            self.assertGreater(both / refused, 0.75, f"of {refused}")
            print(f"{kind}: {taken} taken, {refused} refused, of them {both} by the schema", file=sys.stderr)

    def test_unknown_fields_are_refused_with_their_path(self):
        for kind, schema, validator in self.each():
            tried = []
            for document in documents_of(kind, schema):
                for at in places(document):
                    holder = document
                    for step in at:
                        holder = holder[step]
                    # Objects of which each field may have any name.
                    if not isinstance(holder, dict) or at and at[-1] in ("providers", "networks", "classes", "rates"):
                        continue
                    for name in ("colour", "a/b~c"):
                        tried.append((at + (name,), changed(document, at, lambda c, k: c[k].__setitem__(name, 1))))
            self.assertGreater(len(tried), 1)
            for (at, document), mistakes in zip(tried, verdicts(kind, [d for _, d in tried]), strict=True):
                self.assertIn(pointer(at), [m["pointer"] for m in mistakes], document)
                self.assertFalse(validator.is_valid(document), document)


if __name__ == "__main__":
    unittest.main(verbosity=2)

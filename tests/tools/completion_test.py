#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What shells complete, by the script that `anabranch completion` prints.

    completion_test.py ANABRANCH
"""
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

ANABRANCH = pathlib.Path(sys.argv.pop()).resolve()


def run(*words):
    return subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=60)


def bash(*words):
    """What is offered for the last word."""
    quoted = " ".join("'" + w + "'" for w in ("anabranch", *words))
    script = (f'eval "$({ANABRANCH} completion bash)"; COMP_WORDS=({quoted}); COMP_CWORD={len(words)}; _anabranch; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    done = run("bash", "-u", "-c", script)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.split()


def zsh(*words):
    quoted = " ".join("'" + w + "'" for w in ("anabranch", *words))
    script = (f'autoload -Uz compinit; compinit -u -D; eval "$({ANABRANCH} completion zsh)"; print -r -- $_comps[anabranch] >&2; '
              f'() {{ emulate -L sh; COMP_WORDS=({quoted}); COMP_CWORD={len(words)}; _anabranch; printf "%s\\n" "${{COMPREPLY[@]}}"; }}')
    done = run("zsh", "-f", "-c", script)
    assert done.returncode == 0 and "_anabranch" in done.stderr, done.stderr
    return done.stdout.split()


def fish(*words):
    line = " ".join(("anabranch", *words))
    done = run("fish", "--no-config", "-c", f"{ANABRANCH} completion fish | source; complete -C '{line}'")
    assert done.returncode == 0 and not done.stderr, done.stderr
    return [line.split("\t")[0] for line in done.stdout.splitlines()]


def commands_in_help(*path):
    said = run(ANABRANCH, *path, "--help").stdout
    return set(re.findall(r"^  ([a-z]+) ", said[said.index("Subcommands:"):], re.M))


class Completion(unittest.TestCase):
    def test_bash_knows_the_program(self):
        done = run("bash", "-c", f'eval "$({ANABRANCH} completion bash)"; complete -p anabranch')
        self.assertEqual((done.returncode, done.stdout), (0, "complete -o default -F _anabranch anabranch\n"))

    def check(self, complete):
        everything = commands_in_help()
        self.assertGreater(len(everything), 20)
        self.assertEqual(everything - set(complete("")), set())
        self.assertEqual({w for w in complete("s") if not w.startswith("-")}, {w for w in everything if w.startswith("s")})
        self.assertEqual(commands_in_help("journal") - set(complete("journal", "")), set())
        self.assertEqual(sorted(complete("token", "x", "--role", "")), ["auditor", "client", "operator"])
        self.assertEqual(complete("token", "x", "--role", "au"), ["auditor"])
        self.assertEqual(complete("completion", "f"), ["fish"])
        self.assertIn("profiles", complete("put", ""))
        self.assertIn("--rate-up", complete("request", "--ra"))
        self.assertNotIn("--rate-up", complete("services", "--ra"))
        # An option's value is no command.
        self.assertIn("--rate-up", complete("request", "--client", "services", "--ra"))
        self.assertIn("--token", complete("services", "--to"))

    def test_bash_completes(self):
        self.check(bash)

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_zsh_completes(self):
        self.check(zsh)

    @unittest.skipUnless(shutil.which("fish"), "fish is not installed")
    def test_fish_completes(self):
        self.check(lambda *words: [w for w in fish(*words)])

    def test_no_other_shell_is_known(self):
        done = run(ANABRANCH, "completion", "tcsh")
        self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The command weir against a control plane without a data plane: exit codes, messages, batches,
completion. Arguments: the two programs. Needs no root."""

import json
import os
import stat
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

EMULATOR = os.environ.get("WEIR_EMULATOR", "").split()
CONTROLPLANE, WEIR = ([*EMULATOR, program] for program in sys.argv[1:3])
INTENT = """ports:
  - {name: wire0, role: underlay, device: net_null0}
networks:
  - {name: blue, vni: 100}
"""


class WeirCommand(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="weir-command-")
        self.root = Path(self.folder.name)
        self.options = ["--runtime-dir", str(self.root / "run"),
                        "--state-dir", str(self.root / "state")]
        if EMULATOR:
            self.options.append("--seccomp=off")  # Which it cannot be asked to do.
        self.process = subprocess.Popen([*CONTROLPLANE, *self.options, "--log-level", "error"])
        self.socket = self.root / "run" / "controlplane.sock"
        deadline = time.monotonic() + 20
        while self.weir("status").returncode != 0 and time.monotonic() < deadline:
            time.sleep(0.02)

    def tearDown(self):
        self.process.terminate()
        self.assertEqual(self.process.wait(10), 0)
        self.folder.cleanup()

    def weir(self, *words, text=None):
        return subprocess.run([*WEIR, *words], input=text, capture_output=True, text=True,
                              timeout=30, check=False,
                              env={**os.environ, "WEIR_SOCKET": str(self.socket)})

    def test_applies_and_shows(self):
        self.assertEqual(self.weir("apply", "-", text=INTENT).returncode, 0)
        shown = json.loads(self.weir("-j", "port", "show").stdout)
        self.assertEqual(shown["ports"][0]["name"], "wire0")
        self.assertIn("pending", self.weir("port", "set", "wire0", "mtu", "1600").stdout)
        self.assertIn("unchanged", self.weir("port", "set", "wire0", "mtu", "1600").stdout)

    def test_refuses_with_file_line_and_suggestion(self):
        file = self.root / "lab.yaml"
        file.write_text(INTENT.replace("vni", "vnii"))
        result = self.weir("apply", str(file))
        self.assertEqual(result.returncode, 1)
        self.assertIn(f"{file}:4:", result.stderr)
        self.assertIn("nearest: vni", result.stderr)

    def test_does_a_batch_whole_or_not_at_all(self):
        batch = "network add red vni 200\nnetwork add green vin 300\n"
        result = self.weir("-f", "-", text=batch)
        self.assertEqual(result.returncode, 1)
        self.assertIn("standard input:2:", result.stderr)
        self.assertIn("no networks", self.weir("network", "show").stdout)
        self.assertEqual(self.weir("-f", "-", text=batch.replace("vin", "vni")).returncode, 0)
        self.assertIn("green", self.weir("network", "show").stdout)

    def test_shows_changes_and_leads_back(self):
        self.weir("apply", "-", text=INTENT)
        self.weir("network", "add", "red", "vni", "200")
        listed = self.weir("history").stdout
        self.assertRegex(listed, r" 2  .* add network red +pending +\+1 ~0 -0 ")
        self.assertRegex(listed, r" 1  .* apply - +pending +\+2 ~0 -0 ")
        self.assertIn("+ network red: vni 200", self.weir("history", "2").stdout)
        self.assertRegex(self.weir("network", "show").stdout, r"red .* command\n")
        for words, status, what in ((("history", "9"), 1, "change 9: history does not have it"),
                                    (("history", "a"), 2, "the number of a change"),
                                    (("rollback", "nowhere"), 1, "no such saved state"),
                                    (("save", "7"), 1, "must not be a number"),
                                    (("confirm",), 1, "nothing waits"),
                                    (("apply", "-", "--confirm-within", "soon"), 1, "120s"),
                                    (("intent", "show", "--running"), 1, "no data plane"),
                                    (("intent", "show", "--running", "--stored"), 2, "name one")):
            result = self.weir(*words, text=INTENT)
            self.assertEqual(result.returncode, status, words)
            self.assertIn(what, result.stderr, words)
        self.assertEqual(self.weir("save", "good").returncode, 0)
        self.assertIn("- network red", self.weir("rollback", "1", "--dry-run").stdout)
        self.assertIn("- network red", self.weir("rollback").stdout)
        self.assertIn("+ network red", self.weir("rollback", "good").stdout)
        self.assertEqual(self.weir("--complete", "rollback", "g").stdout, "good\n")
        self.assertIn("good", self.weir("history").stdout)

    def test_patches(self):
        self.weir("apply", "-", text=INTENT)
        patch = '[{"op": "replace", "path": "/networks/blue/vni", "value": 7}]'
        self.assertIn("vni 100 → 7 (owner file)", self.weir("patch", "-", text=patch).stdout)
        wrong = self.weir("patch", "-", text=patch.replace("blue", "bleu"))
        self.assertEqual(wrong.returncode, 1)
        self.assertIn("operation 1 at /networks/bleu/vni: there is nothing", wrong.stderr)

    def test_keeps_what_commands_added(self):
        self.weir("apply", "-", text=INTENT)
        self.weir("-f", "-", "--confirm-within", "60s", text="network add red vni 200\n")
        self.assertIn("is undone in", self.weir("status").stdout)
        self.assertEqual(self.weir("confirm").returncode, 0)
        diff = self.weir("diff", "-", text=INTENT).stdout
        self.assertIn("1 object that a command owns stays", diff)
        taken = self.weir("apply", "-", "--takeover", text=INTENT)
        self.assertIn("- network red (owner command)", taken.stdout)

    def test_names_what_it_cannot_read(self):
        for words in (("check",), ("apply",), ("diff",), ("-f",)):
            for path in (self.root, self.root / "nothing.yaml"):
                result = self.weir(*words, str(path))
                self.assertEqual(result.returncode, 2, words)
                why = "Is a directory" if path == self.root else "No such file or directory"
                self.assertIn(f"{path} cannot be read: {why}", result.stderr)

    def test_reads_no_more_than_the_server_takes(self):
        for words in (("check", "/dev/zero"), ("-f", "/dev/zero")):
            result = self.weir(*words)
            self.assertEqual(result.returncode, 2, words)
            self.assertIn("/dev/zero cannot be read: it is larger than 134217728 bytes",
                          result.stderr)

    def test_places_what_is_no_text(self):
        for name, content, line in (("latin.yaml", b"ports:\n  - {name: w\xe4re}\n", 2),
                                    ("zeros.yaml", bytes(100), 1), ("empty.yaml", b"", 1)):
            file = self.root / name
            file.write_bytes(content)
            result = self.weir("check", str(file))
            self.assertEqual(result.returncode, 1)
            self.assertIn(f"{file}:{line}:", result.stderr)

    def test_refuses_a_quote_that_is_not_closed(self):
        result = self.weir("-f", "-", text='network add red vni 7\nport add "t1 role tenant\n')
        self.assertEqual(result.returncode, 1)
        self.assertIn("standard input:2: a quote (\") is not closed", result.stderr)

    def test_says_that_its_output_went_nowhere(self):
        for words in (("status",), ("port", "show", "--watch=0.01")):
            with open("/dev/full", "w", encoding="ascii") as full:
                result = subprocess.run([*WEIR, "-s", str(self.socket), *words], stdout=full,
                                        stderr=subprocess.PIPE, text=True, timeout=30, check=False)
            self.assertEqual(result.returncode, 5, words)
            self.assertIn("standard output", result.stderr)

    def test_names_the_nearest_thing_that_is_there(self):
        self.weir("apply", "-", text=INTENT)
        for words, right in ((("port", "show", "wire"), "wire0"),
                             (("network", "show", "bleu"), "blue"),
                             (("endpoint", "show", "bleu"), "blue")):
            result = self.weir(*words)
            self.assertEqual(result.returncode, 1, words)
            self.assertIn(f"nearest: {right}", result.stderr)

    def test_refuses_folders_that_it_cannot_look_into(self):
        for option in ("--runtime-dir", "--state-dir"):
            at = self.options.index(option)
            options = [*self.options[:at], option, "/" + 300 * "x", *self.options[at + 2:]]
            result = subprocess.run([*CONTROLPLANE, *options], capture_output=True, text=True,
                                    timeout=30, check=False)
            self.assertEqual(result.returncode, 1, result.stderr)
            self.assertIn("cannot be created: File name too long", result.stderr)

    def test_says_which_log_levels_there_are(self):
        help_text = subprocess.run([*CONTROLPLANE, "--help"], capture_output=True, text=True,
                                   timeout=30, check=True).stdout
        refused = subprocess.run([*CONTROLPLANE, *self.options, "--log-level", "loud"],
                                 capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual(refused.returncode, 2)
        for text in (help_text, refused.stdout + refused.stderr):
            self.assertIn("{debug,info,warning,error}", text)

    def test_tells_usage_from_refusal(self):
        self.assertEqual(self.weir("prot", "show").returncode, 2)
        self.assertEqual(self.weir("port", "show", "nowhere").returncode, 1)
        self.assertEqual(self.weir("-s", "/nowhere", "status").returncode, 3)

    def test_completes_live_names(self):
        self.weir("apply", "-", text=INTENT)
        self.assertEqual(self.weir("--complete", "port", "show", "w").stdout, "wire0\n")
        silent = self.weir("--complete", "-s", "/nowhere", "port", "show", "w")
        self.assertEqual((silent.returncode, silent.stdout, silent.stderr), (0, "", ""))

    def test_bash_completes_what_the_script_says(self):
        self.weir("apply", "-", text=INTENT)
        weir = self.root / "weir"                # In an emulator, too, it is one word.
        weir.write_text(f'#!/bin/sh\nexec {" ".join(WEIR)} "$@"\n')
        weir.chmod(0o755)
        asked = f"""source <({weir} completion bash)
            COMP_WORDS=({weir} port show w); COMP_CWORD=3; _weir; echo "${{COMPREPLY[*]}}"
            complete -p weir"""
        said = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, timeout=30,
                              check=True, env={**os.environ, "WEIR_SOCKET": str(self.socket)})
        self.assertEqual(said.stdout, "wire0\ncomplete -o default -F _weir weir\n")

    def test_has_a_script_for_each_shell_and_refuses_others(self):
        for shell, registers in (("bash", "complete -o default -F _weir weir"),
                                 ("zsh", "compdef _weir weir"), ("fish", "complete -c weir")):
            done = self.weir("completion", shell)
            self.assertIn(registers, done.stdout)
            self.assertIn(" --complete ", done.stdout)
        other = self.weir("completion", "csh")
        self.assertEqual((other.returncode, other.stdout), (2, ""))
        self.assertIn("no completion for csh (known: bash, zsh, fish)", other.stderr)

    def test_refuses_a_second_control_plane(self):
        second = subprocess.run([*CONTROLPLANE, *self.options[:2], "--state-dir",
                                 str(self.root / "other")], capture_output=True, text=True,
                                timeout=30, check=False)
        self.assertEqual(second.returncode, 1)
        self.assertIn("another weir-controlplane", second.stderr)
        self.assertEqual(self.weir("status").returncode, 0)

    def test_opens_its_files_to_nobody_else(self):
        modes = {path: stat.S_IMODE((self.root / path).stat().st_mode)
                 for path in ("run", "state", "run/controlplane.sock")}
        self.assertEqual(modes, {"run": 0o750, "state": 0o700, "run/controlplane.sock": 0o660})


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""weir-pktgen itself, without network: a self test finds exactly what was done to the frames,
tshark decodes every form that the generator makes, mistakes are answered with their place, Ctrl-C
ends a run with its result and leaves nothing."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "support"))

import pcap
import roce

PROGRAM = [os.environ["WEIR_PKTGEN"]]
SHIPPED = ("ai-mix", "imix", "small-128", "vxlan-wrapped", "write-4k")
EVERY_FORM = """
pmtu: 256
flows: {count: 37, first_qp: 1000, first_psn: 16777200}
mix:
  - {operation: write, bytes: 700}
  - {operation: write_imm, bytes: 600}
  - {operation: send, bytes: 5}
  - {operation: send_imm, bytes: 513}
  - {operation: read, bytes: 256}
  - {operation: compare_swap}
  - {operation: fetch_add}
  - {operation: ack, share: 3}
  - {operation: cnp}
  - {operation: uc_send, bytes: 300}
  - {operation: uc_write, bytes: 900}
  - {operation: ud_send, bytes: 77}
"""
SIX = "{source: fd00::1, destination: fd00::2}\n"
PATHS = {
    "ipv4": "addresses: {sources: 50, destinations: 3}\n",
    "ipv6": "addresses: " + SIX,
    "vxlan": "tunnel: {vni: 77}\n",
    "vxlan over ipv6": "tunnel: " + SIX,
    "ipv6 in vxlan": "tunnel: {vni: 77}\naddresses: " + SIX,
}
FIELDS = ["infiniband.bth.opcode", "infiniband.bth.destqp", "infiniband.bth.psn",
          "_ws.expert.message", "_ws.malformed", "vxlan.vni"]
# IPv6 without a UDP checksum is what A17 asks for; tshark has a preference for that. And our
# payload is no RPC, whatever tshark guesses of five bytes.
TSHARK = ["tshark", "--disable-protocol", "rpcordma", "-o", "udp.ignore_ipv6_zero_checksum:TRUE",
          "-o", "ip.check_checksum:TRUE", "-T", "fields", "-E", "separator=|",
          *(word for field in FIELDS for word in ("-e", field))]
TUNNEL_BYTES = {b"\x08\x00": 50, b"\x86\xdd": 70}


def pktgen(*arguments, seconds=60):
    return subprocess.run([*PROGRAM, *map(str, arguments)], capture_output=True, text=True,
                          timeout=seconds, check=False)


class WithFolder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def file(self, name, text):
        pathlib.Path(self.path(name)).write_text(text)
        return self.path(name)


class SelfTest(WithFolder):
    def test_what_was_done_to_the_frames_is_what_was_found(self):
        profiles = [*SHIPPED, self.file("all.yaml", EVERY_FORM + "tunnel: {vni: 7}\n")]
        for profile in profiles:
            with self.subTest(profile=profile):
                done = pktgen("--self-test", profile, "--frames", 50_000, "-j")
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                result = json.loads(done.stdout)
                made, received = result["self_test"], result["received"]
                self.assertTrue(made["agrees"], made)
                for harm in ("lost", "repeated", "damaged", "marked"):
                    self.assertGreater(made[harm], 100, harm)
                # Few frames of a queue pair are overtaken where each gets one.
                if profile != "small-128":
                    self.assertGreater(made["delayed"], 100)
                self.assertEqual(result["sent"]["frames"], 50_000)
                self.assertEqual(received["late"], made["delayed"])
                self.assertEqual(received["icrc_errors"], made["damaged"])
                self.assertEqual(received["ecn"]["ce"], made["marked"])
                self.assertEqual(result["ended"], "done")

    def test_a_link_without_faults_has_none_and_check_says_so(self):
        fair = ("--lose", 0, "--repeat", 0, "--delay", 0, "--damage", 0)
        done = pktgen("--self-test", "ai-mix", *fair, "--check", "-j")
        self.assertEqual(done.returncode, 0, done.stdout)
        result = json.loads(done.stdout)
        self.assertEqual(result["unaccounted"], 0)
        self.assertEqual(result["received"]["roce"], result["sent"]["frames"])
        self.assertGreater(result["jain_index"], 0.99)
        self.assertEqual(pktgen("--self-test", "ai-mix", "--check").returncode, 3)

    def test_two_runs_of_one_seed_lose_the_same(self):
        runs = [json.loads(pktgen("--self-test", "imix", "--seed", seed, "-j").stdout)
                for seed in (5, 5, 6)]
        self.assertEqual(runs[0]["queue_pairs"], runs[1]["queue_pairs"])
        self.assertNotEqual(runs[0]["queue_pairs"], runs[2]["queue_pairs"])

    def test_the_table_says_what_the_json_says(self):
        done = pktgen("--self-test", "ai-mix")
        self.assertIn("exactly this was found", done.stdout)
        for word in ("sent", "received", "lost", "late", "duplicates", "bad ICRC", "CE", "CNPs",
                     "latency", "p99.99", "CLOCK_MONOTONIC", "Jain index"):
            self.assertIn(word, done.stdout)


class Forms(WithFolder):
    def test_tshark_decodes_each_form_without_complaint(self):
        for name, path in PATHS.items():
            with self.subTest(path=name):
                out = self.path("out.pcap")
                done = pktgen(self.file("forms.yaml", EVERY_FORM + path), "--send-only", "--port",
                              f"net_pcap0,tx_pcap={out}", "--frames", 3000, "--no-hugepages")
                self.assertEqual(done.returncode, 0, done.stderr)
                frames = pcap.read_pcap(out)
                self.assertEqual(len(frames), 3000)
                decoded = subprocess.run([*TSHARK, "-r", out], check=True, capture_output=True,
                                         text=True).stdout.splitlines()
                self.assertEqual(len(decoded), 3000)
                opcodes = set()
                for line, frame in zip(decoded, frames):
                    opcode, qp, _, expert, malformed, vni = line.split("|")
                    opcodes.add(int(opcode))
                    self.assertIn(int(qp, 16), range(1000, 1037))
                    self.assertEqual([expert, malformed], ["", ""], line)
                    self.assertEqual(vni != "", "vxlan" in name)
                    inner = frame[TUNNEL_BYTES[frame[12:14]]:] if vni else frame
                    self.assertTrue(roce.icrc_valid(inner), line)
                self.assertEqual(len(opcodes), 19)


class Mistakes(WithFolder):
    def test_a_wrong_profile_is_refused_with_place_and_cause(self):
        wrong = self.file("wrong.yaml", "rate: {burst: 100}\nmix:\n  - {operation: wirte}\n")
        done = pktgen("--self-test", wrong)
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stdout, "")
        first, second = done.stderr.splitlines()
        self.assertEqual(first, f'{wrong}:1:15: rate.burst: must be a number 1..64, not "100" '
                                "(nearest: 64)")
        self.assertIn(f"{wrong}:3:17: mix[0].operation: must be write | ", second)
        self.assertIn("(nearest: write)", second)

    def test_wrong_options_are_refused_before_anything_is_opened(self):
        for arguments, said in ((["ai-mix"], "--port"), ([], "PROFILE"),
                                (["--self-test", "ai-mix", "--lose", "1001"], "--lose"),
                                (["--show", "imx"], "nearest: imix"),
                                (["--self-test", "nosuch"], "nosuch: is neither"),
                                (["--self-test", "ai-mix", "--port", "net_null0"], "--self-test"),
                                (["--self-test", "incast"], "mode endpoints has one port"),
                                (["ai-mix", "--nonsense"], "--nonsense")):
            with self.subTest(arguments=arguments):
                done = pktgen(*arguments)
                self.assertEqual(done.returncode, 2)
                self.assertIn(said, done.stderr + done.stdout)

    def test_a_port_that_cannot_be_opened_is_named(self):
        done = pktgen("ai-mix", "--port", "net_af_packet0,iface=nosuch0", "--no-hugepages")
        self.assertEqual(done.returncode, 1)
        self.assertIn("net_af_packet0,iface=nosuch0", done.stderr)
        self.assertIn("as was said above", done.stderr)

    def test_frames_that_fit_no_buffer_are_refused(self):
        done = pktgen("--self-test", "ai-mix", "--mbuf-bytes", 2048)
        self.assertEqual(done.returncode, 1)
        self.assertIn("--mbuf-bytes", done.stderr)


class Help(WithFolder):
    def test_a_shown_profile_is_one_and_all_fields_are_explained(self):
        shown = self.file("mine.yaml", pktgen("--show", "imix").stdout)
        self.assertEqual(pktgen("--self-test", shown, "--frames", 1000).returncode, 0)
        fields = pktgen("--fields").stdout
        for word in ("frames_per_second", "first_psn", "ecn", "tunnel", "mix", "share"):
            self.assertIn(f"{word}:", fields)
        listed = [line.split()[0] for line in pktgen("--list").stdout.splitlines()]
        self.assertEqual(listed, sorted((*SHIPPED, "incast")))
        self.assertIn("Exit status", pktgen("--help").stdout)


class Interrupt(WithFolder):
    def test_ctrl_c_ends_a_run_with_its_result_and_leaves_nothing(self):
        running = subprocess.Popen(
            [*PROGRAM, "imix", "--port", "net_null0", "--send-only", "--no-hugepages", "-j",
             "--progress", "--seconds", "60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env={**os.environ, "TMPDIR": self.folder.name})
        line = ""
        while " sent " not in line:
            line = running.stderr.readline()
            self.assertNotEqual(line, "", "it ended by itself")
        running.send_signal(signal.SIGINT)
        began = time.monotonic()
        output, _ = running.communicate(timeout=20)
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(running.returncode, 0)
        result = json.loads(output)
        self.assertEqual(result["ended"], "interrupted")
        self.assertGreater(result["sent"]["frames"], 1000)
        self.assertGreaterEqual(len(result["series"]), 1)
        self.assertEqual(os.listdir(self.folder.name), [])

    def test_a_stream_has_each_second_at_once_and_the_result_last(self):
        running = subprocess.Popen(
            [*PROGRAM, "imix", "--port", "net_null0", "--send-only", "--no-hugepages", "-j",
             "--stream", "--seconds", "60"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, env={**os.environ, "TMPDIR": self.folder.name})
        second = json.loads(running.stdout.readline())
        self.assertGreater(second["sent_frames"], 0)
        running.send_signal(signal.SIGINT)
        output, _ = running.communicate(timeout=20)
        *more, result = [json.loads(line) for line in output.splitlines()]
        self.assertEqual(result["series"], [second, *more])
        self.assertEqual(pktgen("imix", "--stream").returncode, 2)


if __name__ == "__main__":
    unittest.main()

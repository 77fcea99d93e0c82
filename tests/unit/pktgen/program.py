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
  - {operation: write, bytes: 54}
  - {operation: write_imm, bytes: 600}
  - {operation: write_imm, bytes: 60}
  - {operation: send, bytes: 600}
  - {operation: send, bytes: 5}
  - {operation: send_imm, bytes: 513}
  - {operation: send_imm, bytes: 64}
  - {operation: send_invalidate, bytes: 600}
  - {operation: send_invalidate, bytes: 64}
  - {operation: read, bytes: 256}
  - {operation: read, bytes: 2000}
  - {operation: compare_swap}
  - {operation: fetch_add}
  - {operation: ack, share: 3}
  - {operation: read_response, bytes: 900}
  - {operation: read_response, bytes: 100}
  - {operation: atomic_ack}
  - {operation: cnp}
  - {operation: uc_send, bytes: 600}
  - {operation: uc_send, bytes: 200}
  - {operation: uc_send_imm, bytes: 600}
  - {operation: uc_send_imm, bytes: 200}
  - {operation: uc_write, bytes: 900}
  - {operation: uc_write, bytes: 90}
  - {operation: uc_write_imm, bytes: 900}
  - {operation: uc_write_imm, bytes: 90}
  - {operation: ud_send, bytes: 77}
  - {operation: ud_send_imm, bytes: 77}
"""
# tshark 4.0 does not know these; it sees their BTH, and payload behind.
NEW_FORMS = """
  - {operation: atomic_write}
  - {operation: flush, bytes: 4096}
"""
# RC but FLUSH and ATOMIC WRITE, UC, UD, CNP.
KNOWN_OPCODES = {*range(0x15), 0x16, 0x17, *range(0x20, 0x2c), 0x64, 0x65, 0x81}
# Each operation that endpoints may be asked for.
EVERY_WORK = """
mode: endpoints
pmtu: 1024
flows: {count: 12, first_psn: 16777000}
mix:
  - {operation: write, bytes: 9000, share: 4}
  - {operation: write_imm, bytes: 3000}
  - {operation: send, bytes: 2500, share: 2}
  - {operation: send_imm, bytes: 5}
  - {operation: read, bytes: 7000, share: 2}
  - {operation: compare_swap}
  - {operation: fetch_add}
  - {operation: uc_send, bytes: 3000}
  - {operation: uc_send_imm, bytes: 100}
  - {operation: uc_write, bytes: 1500}
  - {operation: uc_write_imm, bytes: 1500}
"""
DATAGRAMS = """
  - {operation: ud_send, bytes: 700, share: 2}
  - {operation: ud_send_imm, bytes: 3}
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
        profiles = [*SHIPPED,
                    self.file("all.yaml", EVERY_FORM + NEW_FORMS + "tunnel: {vni: 7}\n")]
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

    def endpoints(self, text, *options, status=0):
        done = pktgen("--self-test", self.file("work.yaml", text), "-j", *options)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def check_endpoints(self, result, messages):
        """Each end has done its work, but for what was hit where nothing repairs it."""
        self.assertTrue(result["self_test"]["agrees"], result["self_test"])
        self.assertEqual((result["ended"], result["clock"]), ("done", "simulated"))
        asked = {"RC": 0, "UC": 0, "UD": 0}
        arrived = dict(asked)
        for pair in result["queue_pairs"]:
            end = pair["endpoint"]
            if end["messages_completed"]:
                self.assertEqual(end["messages_completed"], messages, pair)
            asked[end["transport"]] += end["messages_completed"]
            arrived[end["transport"]] += end["received_messages"]
        return asked, arrived

    def test_endpoints_lose_no_message_that_can_be_repaired(self):
        for more in ("endpoints: {messages: 84}\n",
                     "endpoints: {messages: 84, both_ways: yes}\naddresses: " + SIX,
                     "endpoints: {messages: 84, receives: 2, receive_interval_us: 300}\n"
                     "tunnel: {vni: 9}\n"):
            with self.subTest(more=more):
                result = self.endpoints(EVERY_WORK + DATAGRAMS + more)
                asked, arrived = self.check_endpoints(result, 84)
                ends = [pair["endpoint"] for pair in result["queue_pairs"]]
                for what in ("lost", "repeated", "delayed", "damaged", "marked"):
                    self.assertGreater(result["self_test"][what], 20, what)
                self.assertGreater(sum(end["sequence_naks_received"] for end in ends), 10)
                self.assertGreater(result["sent"]["repeated"], 100)
                self.assertGreater(result["sent"]["cnps"], 20)
                # READs, two of twelve shares, are no messages to the other side.
                self.assertEqual(arrived["RC"] * 12, asked["RC"] * 10)
                self.assertLess(0, arrived["UC"])
                self.assertLess(arrived["UC"], asked["UC"])
                self.assertLess(0, arrived["UD"])
                waits = sum(end["rnr_naks_received"] for end in ends)
                self.assertEqual(waits > 0, "receives" in more, waits)

    def test_endpoints_connect_by_rdma_cm_and_part_again_over_a_lossy_link(self):
        result = self.endpoints(EVERY_WORK + "endpoints: {messages: 40, connect: rdma_cm}\n",
                                "--lose", 100)
        self.check_endpoints(result, 40)
        connections = result["endpoints"]["connections"]
        for what in ("made", "ready", "closed"):
            self.assertEqual(connections[what], 12, connections)
        self.assertEqual(connections["failed"], 0)
        self.assertGreater(connections["messages_repeated"], 3)
        self.assertEqual({pair["endpoint"]["state"] for pair in result["queue_pairs"]}, {"closed"})

    def test_endpoints_without_harm_repeat_nothing_and_are_marked_by_none(self):
        fair = [word for harm in ("lose", "repeat", "delay", "damage", "mark")
                for word in (f"--{harm}", 0)]
        result = self.endpoints(EVERY_WORK + DATAGRAMS + "endpoints: {messages: 30}\n", *fair,
                                "--check")
        asked, arrived = self.check_endpoints(result, 30)
        self.assertEqual(result["sent"]["repeated"] + result["sent"]["cnps"], 0)
        self.assertEqual([arrived[kind] for kind in ("UC", "UD")],
                         [asked[kind] for kind in ("UC", "UD")])

    def test_endpoints_that_cannot_finish_are_told(self):
        # Nothing is ever sent again: what is lost stays so.
        result = self.endpoints(EVERY_WORK + "endpoints: {messages: 200, timeout_exponent: 0}\n",
                                "--seconds", 20, status=3)
        self.assertEqual(result["ended"], "time")
        self.assertIn("messages completed", " ".join(result["self_test"]["disagreements"]))

    def test_parameters_of_each_preset_are_in_force_and_told(self):
        for name, interval in (("off", 50), ("paper", 50), ("hpcc", 0), ("nvidia", 4)):
            with self.subTest(dcqcn=name):
                told = self.endpoints(EVERY_WORK + "endpoints: {messages: 2, time_scale: 10, "
                                      f"dcqcn: {name}}}\n")["endpoints"]
                self.assertEqual((told["dcqcn"], told["cnp_interval_us"]), (name, 10 * interval))

    def test_two_runs_of_endpoints_are_the_same(self):
        runs = [self.endpoints(EVERY_WORK + "endpoints: {messages: 30}\n", "--seed", seed)
                for seed in (7, 7, 8)]
        self.assertEqual(runs[0], runs[1])
        self.assertNotEqual(runs[0]["queue_pairs"], runs[2]["queue_pairs"])

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
                self.assertEqual(opcodes, KNOWN_OPCODES)

    def test_tshark_sees_opcodes_that_it_does_not_know(self):
        out = self.path("out.pcap")
        done = pktgen(self.file("new.yaml", "mix:" + NEW_FORMS), "--send-only", "--port",
                      f"net_pcap0,tx_pcap={out}", "--frames", 500, "--no-hugepages")
        self.assertEqual(done.returncode, 0, done.stderr)
        decoded = subprocess.run([*TSHARK, "-r", out], check=True, capture_output=True,
                                 text=True).stdout.splitlines()
        seen = [line.split("|") for line in decoded]
        self.assertEqual({int(fields[0]) for fields in seen}, {0x1c, 0x1d})
        self.assertEqual({(fields[3], fields[4]) for fields in seen}, {("", "")})
        for frame in pcap.read_pcap(out):
            self.assertTrue(roce.icrc_valid(frame))


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
                                (["incast", "--port", "net_null0", "--port", "net_null1"],
                                 "mode endpoints has one port"),
                                (["incast", "--bench"], "--bench is of mode generate"),
                                (["incast", "--port", "net_null0", "--send-only"],
                                 "sends and listens"),
                                (["incast", "--port", "net_null0", "--frames-per-second", "5"],
                                 "line_bits_per_second"),
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

    def test_bash_completes_options_choices_and_profiles(self):
        script = self.file("completion", pktgen("--bash-completion").stdout)
        for words, wanted in (("--self", {"--self-test"}), ("--side", {"left", "right"}),
                              ("--show in", {"incast"}), ("ai", {"ai-mix"}),
                              ("--log-format j", {"json"}), ("--seconds ", set()),
                              ("--self-test inc", {"incast"})):
            with self.subTest(words=words):
                line = f"weir-pktgen {words}".split(" ")
                line += [""] if words == "--side" else []
                bash = (f". {script}; COMP_WORDS=({' '.join(repr(word) for word in line)}); "
                        f"COMP_CWORD={len(line) - 1}; _weir_pktgen; echo ${{COMPREPLY[@]}}")
                done = subprocess.run(["bash", "-c", bash], capture_output=True, text=True,
                                      check=True)
                self.assertEqual(set(done.stdout.split()), wanted, done.stderr)
        self.assertIn(".SH \"FIELDS OF A PROFILE\"", pktgen("--man").stdout)


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

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tshark decodes every form of frame that pktgen writes, without complaint and as it was meant;
the ICRC is judged by tests/support/roce.py, which shares no code with ours."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

import pcap
import roce

PROGRAM = [*os.environ.get("WEIR_EMULATOR", "").split(), os.environ["ROCE_FORMS"]]
FIELDS = ["infiniband.bth.opcode", "infiniband.bth.destqp", "infiniband.bth.psn",
          "_ws.expert.message", "_ws.malformed", "vxlan.vni", "infiniband.mad.attributeid"]
CNP = 0x81
# IPv6 without a UDP checksum is what A17 asks for; tshark has a preference for that.
TSHARK = ["tshark", "-o", "udp.ignore_ipv6_zero_checksum:TRUE", "-o", "ip.check_checksum:TRUE",
          "-T", "fields", "-E", "separator=|", *(w for field in FIELDS for w in ("-e", field))]
TUNNEL_BYTES = {b"\x08\x00": 50, b"\x86\xdd": 70}


class Forms(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "forms.pcap")
            printed = subprocess.run([*PROGRAM, path], check=True, capture_output=True, text=True)
            cls.meant = [line.split() for line in printed.stdout.splitlines()]
            cls.frames = pcap.read_pcap(path)
            decoded = subprocess.run([*TSHARK, "-r", path], check=True, capture_output=True,
                                     text=True)
            cls.decoded = [line.split("|") for line in decoded.stdout.splitlines()]

    def test_there_are_frames_of_all_forms(self):
        self.assertGreater(len(self.frames), 400)
        self.assertEqual(len(self.frames), len(self.meant))
        self.assertEqual(len(self.frames), len(self.decoded))

    def test_tshark_reads_what_was_meant_and_does_not_complain(self):
        for number, (meant, seen) in enumerate(zip(self.meant, self.decoded), 1):
            opcode, qp, psn, _, form = meant
            with self.subTest(frame=number, opcode=opcode, form=form):
                self.assertEqual(int(seen[0]), int(opcode))
                self.assertEqual(int(seen[1], 16), int(qp))
                self.assertEqual(int(seen[2]), int(psn))
                self.assertEqual(seen[3:5], ["", ""])
                self.assertEqual(seen[5] != "", form == "vxlan")
                self.assertEqual(seen[6] != "", int(qp) == 1)

    def test_every_icrc_is_right(self):
        for number, (meant, frame) in enumerate(zip(self.meant, self.frames), 1):
            inner = frame[TUNNEL_BYTES[frame[12:14]]:] if meant[4] == "vxlan" else frame
            with self.subTest(frame=number, opcode=meant[0]):
                self.assertTrue(roce.icrc_valid(inner))
                fields = roce.parse(inner)
                udp_bytes = int.from_bytes(inner[fields.udp + 4:fields.udp + 6], "big")
                self.assertEqual(fields.udp + udp_bytes, len(inner))
                self.assertEqual(udp_bytes % 4, 0)


if __name__ == "__main__":
    unittest.main()

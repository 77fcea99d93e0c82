#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Each message that a data plane can be told, and each question that a control plane can be asked,
again and again: memory and descriptors stay what they were."""

import json
import os
import re
import socket
import struct
import time
from pathlib import Path

from context import Api, Gateway, Testbed, run, test

ROUNDS = int(os.environ.get("WEIR_ROUNDS", 2000))
GROWTH_KB_MAX = 1024
INTENT = {"ports": [{"name": "wire0", "role": "underlay", "device": "net_ring9"},
                    {"name": "p0", "role": "tenant", "device": "net_ring0", "network": "blue"}],
          "vteps": [{"name": "self", "kind": "local", "address": "198.18.0.1", "port": "wire0"}],
          "networks": [{"name": "blue", "vni": 100}],
          "endpoints": [{"network": "blue", "mac": "02:00:00:00:00:01", "port": "p0"}]}

HEADER = struct.Struct("<IIHHHHII")              # contract/frame.hpp
HELLO, BEGIN, COMMIT, ABORT = 1, 2, 3, 4
HELLO_REPLY, REPLIES = 101, (102, 103)           # contract/event.hpp
MAC = bytes.fromhex("020000000002")
ROUTER = bytes.fromhex("02000000ff02")
# Verb and the beginning of its record (contract/command.hpp): what is not sent is zero.
RECORDS = {
    "network_set": (20, struct.pack("<HHIB", 7, 0, 700, 1)),
    "next_hop_set": (50, struct.pack("<HH", 1, 1) + ROUTER),
    "vtep_set": (30, struct.pack("<HBBBBHH", 9, 1, 0, 0, 0, 0, 1) + bytes(6) +
                 bytes(10) + b"\xff\xff" + bytes((198, 18, 0, 9))),
    "endpoint_set": (40, struct.pack("<H6sBBH", 1, MAC, 1, 0, 0)),
    "queue_set": (80, struct.pack("<HBBBBBBQQII", 1, 3, 0, 1, 0, 0, 0, 1 << 26, 0, 0, 0)),
    "host_rule_set": (70, struct.pack("<BBHII", 6, 0, 0, 100, 20)),
    "port_set": (12, struct.pack("<HBBHHH", 1, 1, 0, 0, 0xffff, 0)),
    "queue_remove": (81, struct.pack("<HBB", 1, 3, 0)),
    "host_rule_remove": (71, struct.pack("<B", 6)),
    "endpoint_remove": (41, struct.pack("<H6s", 1, MAC)),
    "vtep_remove": (31, struct.pack("<H", 9)),
    "next_hop_remove": (51, struct.pack("<H", 1)),
    "network_remove": (21, struct.pack("<H", 7)),
    "port_remove": (11, struct.pack("<H", 0)),
    "port_add": (10, struct.pack("<HHHH32s16s", 1, 0, 0, 0, b"again", b"net_ring7")),
    # Of frames to no MAC at all, so that it does not end by itself.
    "trace_add": (60, struct.pack("<IIH", 4711, 1, 1 << 3)),
    "trace_remove": (61, struct.pack("<I", 4711)),
}
OUTSIDE = ("trace_add", "trace_remove")
ALONE = ("port_remove", "port_add")              # After what is refused everything is.


def frame(verb, transaction, record):
    return HEADER.pack(0x52494557, HEADER.size + len(record), verb, 1, len(record), 1, transaction,
                       1) + record


class Controller:
    """Speaks the contract, several messages ahead of their replies."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(30)
        self.socket.connect(str(path))
        # The descriptor in its reply, of the counter region, is not taken.
        self.tell([frame(HELLO, 0, struct.pack("<HHIQ32s32s", 1, 1, os.getpid(), 0, b"repeated.py",
                                               b"test"))])

    def tell(self, frames):
        """The status of each one's reply, 0 where it was done."""
        for one in frames:
            self.socket.send(one)
        return [self.reply() for _ in frames]

    def reply(self):
        while True:
            answer = self.socket.recv(4096)
            assert answer, "the data plane hung up"
            kind = int.from_bytes(answer[8:10], "little")
            if kind == HELLO_REPLY:
                return 0
            if kind in REPLIES:
                return int.from_bytes(answer[HEADER.size:HEADER.size + 2], "little")


def everything():
    """One round: all records in transactions that are given up, and one that is committed."""
    nothing = bytes(4)
    together = [pair for name, pair in RECORDS.items() if name not in OUTSIDE + ALONE]
    messages = [(RECORDS[name][0], 0, RECORDS[name][1]) for name in OUTSIDE]
    for number, group in enumerate([together] + [[RECORDS[name]] for name in ALONE], 1):
        messages += [(BEGIN, number, nothing), *((verb, number, record) for verb, record in group),
                     (ABORT, number, nothing)]
    return messages + [(BEGIN, 9, nothing), (COMMIT, 9, nothing)]


def held(pid):
    """Resident kB and descriptors."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return (int(re.search(r"VmRSS:\s+(\d+)", text)[1]), len(os.listdir(f"/proc/{pid}/fd")))


def expect_flat(before, after, what):
    print(f"# {what}: {before[0]} kB and {before[1]} descriptors, then {after[0]} and {after[1]}")
    assert after[0] < before[0] + GROWTH_KB_MAX and after[1] <= before[1], (before, after)


@test
def a_data_plane_that_is_told_the_same_again_and_again_keeps_its_size():
    with Testbed("told-again") as bed:
        gateway = Gateway(bed, "gw1").start()
        gateway.apply(INTENT)
        generation = gateway.show("status")["dataplane"]["generation"]
        gateway.controlplane.kill()
        controller = Controller(gateway.runtime / "dataplane.sock")
        messages = everything()
        frames = [frame(*message) for message in messages]
        first = controller.tell(frames)
        refused = [name for name, (verb, _) in RECORDS.items()
                   if any(status for (told, *_), status in zip(messages, first) if told == verb)]
        assert refused == ["port_add"], first    # It is there.
        began = time.monotonic()
        for number in range(1, ROUNDS):
            if number == ROUNDS // 10:
                before = held(gateway.dataplane_pid())
            statuses = controller.tell(frames)
            assert statuses == first, f"round {number}: {statuses}"
        seconds = time.monotonic() - began
        expect_flat(before, held(gateway.dataplane_pid()),
                    f"{ROUNDS} times {len(frames)} messages in {seconds:.0f} s")
        # Who greets again and again: each connection is one more for the data plane.
        controller.socket.close()
        for _ in range(min(ROUNDS, 1000)):
            Controller(gateway.runtime / "dataplane.sock").socket.close()
        expect_flat(before, held(gateway.dataplane_pid()), "1000 controllers came and went")
        gateway.start_controlplane()
        gateway.wait_in_sync()
        after = gateway.show("status")["dataplane"]
        assert after["generation"] == generation + ROUNDS and after["records"] == 0, after


QUESTIONS = (
    ("GET", "/v1/intent", None), ("GET", "/v1/status", None), ("GET", "/v1/stats", None),
    ("GET", "/v1/drops", None), ("GET", "/v1/pipelines", None), ("GET", "/v1/workers", None),
    ("GET", "/v1/traffic_classes", None), ("GET", "/v1/neighbours", None),
    ("GET", "/v1/history", None), ("GET", "/v1/saved", None), ("GET", "/v1/keys/ports", None),
    ("GET", "/v1/endpoints", None), ("GET", "/v1/ports/p0", None), ("GET", "/metrics", None),
    ("GET", "/v1/schema/status", None), ("GET", "/v1/no_such_thing", None),
    ("POST", "/v1/traces", {"count": 1}), ("DELETE", "/v1/traces", None),
    ("POST", "/v1/intent/check", INTENT), ("POST", "/v1/intent/diff", INTENT),
    ("PUT", "/v1/intent", INTENT), ("PUT", "/v1/intent", {"ports": 7}),
    ("PATCH", "/v1/intent", [{"op": "replace", "path": "/networks/blue/vni", "value": 100}]))


@test
def a_control_plane_that_is_asked_the_same_again_and_again_keeps_its_size():
    rounds = max(100, ROUNDS // 100)
    with Testbed("asked-again") as bed:
        gateway = Gateway(bed, "gw1").start()
        gateway.apply(INTENT)
        api = Api(gateway.socket)
        for number in range(rounds):
            if number == rounds // 2:
                before = held(gateway.controlplane.pid)
            for method, target, body in QUESTIONS:
                api.connection.request(method, target, json.dumps(body) if body else None,
                                       {"Content-Type": "application/json"})
                response = api.connection.getresponse()
                assert response.read() and response.status < 500, (method, target, response.status)
        expect_flat(before, held(gateway.controlplane.pid),
                    f"{rounds} times {len(QUESTIONS)} requests")
        assert gateway.link_state() == "in_sync"


run()

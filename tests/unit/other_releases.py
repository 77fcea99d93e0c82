#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The control plane and weir beside those of other releases: a data plane that speaks what a kept
release wrote (tests/contract/golden) or what one may that is yet to come, and an API that knows
less or more. Arguments: weir-controlplane, weir. Needs no root."""

import fcntl
import http.server
import json
import os
import socket
import socketserver
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))

import golden  # noqa: E402  # pylint: disable=wrong-import-position

EMULATOR = os.environ.get("WEIR_EMULATOR", "").split()
CONTROLPLANE, WEIR = ([*EMULATOR, program] for program in sys.argv[1:3])
STORES = Path(__file__).resolve().parent / "stores"
INTENT = """ports:
  - {name: wire0, role: underlay, device: net_null0}
  - {name: host0, role: tenant, device: net_null1, network: blue}
networks:
  - {name: blue, vni: 100}
endpoints:
  - {network: blue, mac: "02:00:00:00:00:01", port: host0}
"""


def wait_for(condition, seconds=20):
    ends = time.monotonic() + seconds
    while not condition() and time.monotonic() < ends:
        time.sleep(0.02)
    return condition()


def weir(path, *words, text=None):
    return subprocess.run([*WEIR, "-s", str(path), *words], input=text, capture_output=True,
                          text=True, timeout=60, check=False)


class DataPlane(threading.Thread):
    """Of the release `name`, as far as the control plane can see. `grows`: its records have more
    behind than that release's. What its hello says otherwise is in `change`."""

    def __init__(self, path, name, *, grows=b"", change=lambda hello: hello, region_version=1):
        super().__init__(daemon=True)
        self.release = golden.Release(name)
        self.grows, self.change = grows, change
        self.region_version = region_version
        self.seen = []
        self.records = {}
        self.generation = 0
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(str(path))
        self.listener.listen(4)
        self.region = self.make_region()
        self.start()

    def make_region(self):
        data = bytearray((self.release.folder / "region.bin").read_bytes())
        struct.pack_into("<I", data, 8, self.region_version)
        region = os.memfd_create("region", os.MFD_ALLOW_SEALING)
        os.write(region, data)
        fcntl.fcntl(region, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
        self.region_bytes = len(data)
        return region

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                peer = golden.Peer(connection)
                try:
                    while (frame := peer.receive()[0]) is not None:
                        self.answer(peer, frame)
                except OSError:
                    pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        os.close(self.region)

    def digests(self):
        return [sum(golden.digest(record) for (verb, _), record in self.records.items()
                    if verb in verbs) & golden.MASK for verbs in golden.DIGESTS.values()]

    def answer(self, peer, frame):
        verb = self.release.verbs.get(frame.type, str(frame.type))
        self.seen.append(verb)
        if verb == "hello":
            reply = self.release.event("hello_reply").put("Q", 24, self.generation)
            reply.put("4Q", 32, *self.digests()).put("Q", 64, self.region_bytes)
            reply = self.change(reply).grown(self.grows)
            descriptor = self.region if reply.type == golden.HELLO_REPLY else None
            return peer.send(reply, sequence=frame.sequence, descriptor=descriptor)
        if verb == "commit":
            self.generation += 1
            reply = self.release.event("commit_reply").put("HHiQ", 0, 0, 0, 0, self.generation)
            reply.put("4Q", 16, *self.digests()).put_text(48, 184, "")
        else:
            if verb == "begin" and frame.get("I", 0) != 0:
                self.records.clear()
            self.take(verb, frame)
            reply = self.release.event("reply").put("HHIi", 0, 0, frame.type, 0xffffffff, 0)
            reply.put_text(12, 180, "")
        if self.grows:                           # What a later release may tell, too.
            later = self.release.event("link_change")
            later.type = 200
            peer.send(later)
        return peer.send(reply.grown(self.grows), frame.transaction, frame.sequence)

    def take(self, verb, frame):
        """Records as that release reads them: cut, or filled with zeros."""
        if not verb.endswith(("_set", "_add")) or verb == "trace_add":
            return
        size = self.release.command(verb).record_size
        for i in range(frame.count):
            record = frame.record(i)[:size].ljust(size, b"\0")
            key = record[:8] if verb == "endpoint_set" else record[:2]
            self.records[verb, key] = record


class BesideDataPlanes(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="weir-releases-")
        self.runtime = Path(self.folder.name)
        self.api = self.runtime / "controlplane.sock"
        self.process = None
        self.dataplane = None

    def tearDown(self):
        if self.process:
            self.process.terminate()
            self.assertEqual(self.process.wait(20), 0)
        if self.dataplane:
            self.dataplane.close()
        self.folder.cleanup()

    def start(self, *arguments, **more):
        self.dataplane = DataPlane(self.runtime / "dataplane.sock", *arguments, **more)
        options = ["--runtime-dir", str(self.runtime), "--state-dir", str(self.runtime / "state")]
        if EMULATOR:
            options.append("--seccomp=off")      # Which it cannot be asked to do.
        self.process = subprocess.Popen([*CONTROLPLANE, *options, "--log-level", "error"])
        self.assertTrue(wait_for(lambda: weir(self.api, "status").returncode == 0))

    def state(self):
        document = json.loads(weir(self.api, "-j", "status").stdout)["dataplane"]
        return document["state"], document.get("last_error", "")

    def works(self, release):
        self.assertTrue(wait_for(lambda: self.state()[0] == "waiting"), self.state())
        done = weir(self.api, "apply", "-", text=INTENT)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(self.state(), ("in_sync", ""))
        self.assertEqual(set(self.dataplane.seen) - set(release.verbs.values()), set())
        self.assertEqual(len(self.dataplane.records), 6)
        done = weir(self.api, "endpoint", "add", "blue/02:00:00:00:00:02", "port", "host0")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for words in (("status",), ("port", "show"), ("worker", "show"), ("drop", "show"),
                      ("pipeline", "show"), ("stats", "show")):
            done = weir(self.api, *words)
            self.assertEqual((done.returncode, done.stderr), (0, ""), words)
        workers = json.loads(weir(self.api, "-j", "worker", "show").stdout)["workers"]
        region = golden.Region((release.folder / "region.bin").read_bytes())
        self.assertEqual([worker["rx"] for worker in workers],
                         [region.value("worker.rx", i) for i in range(2)])

    def test_works_with_every_kept_release(self):
        for name in golden.releases():
            with self.subTest(name):
                self.start(name)
                self.works(self.dataplane.release)

    def test_works_with_one_that_cannot_replace_single_tables(self):
        self.start("0.1.0", change=lambda hello: hello.put("Q", 8, 0))
        self.works(self.dataplane.release)

    def test_works_with_a_later_release_that_speaks_this_version(self):
        def change(hello):
            hello.version = 2
            return hello.put("Q", 8, golden.MASK).put_text(88, 32, "9.0.0")
        self.start("0.1.0", grows=b"\xee" * 12, change=change)
        self.works(self.dataplane.release)
        self.assertIn("9.0.0", weir(self.api, "status").stdout)

    def refuses(self, *parts):
        def says():
            state, error = self.state()
            return state == "disconnected" and all(part in error for part in parts)
        self.assertTrue(wait_for(says), self.state())
        self.assertEqual(set(self.dataplane.seen), {"hello"})
        done = weir(self.api, "status")
        for part in parts:
            self.assertIn(part, done.stdout)

    def test_refuses_a_version_that_it_does_not_know(self):
        def change(hello):
            hello.version = 2
            return hello.put("H", 0, 2).put_text(88, 32, "9.0.0")
        self.start("0.1.0", change=change)
        self.refuses("the data plane (release 9.0.0) speaks contract version 2",
                     "upgrade weir-controlplane")

    def test_refuses_counters_that_it_cannot_read(self):
        self.start("0.1.0", change=lambda hello: hello.put_text(88, 32, "9.0.0"), region_version=2)
        self.refuses("the data plane (release 9.0.0) lays out its counters",
                     "upgrade weir-controlplane")

    def test_passes_on_why_a_data_plane_refuses_it(self):
        def change(_):
            reply = self.dataplane.release.event("reply").put("H", 0, golden.VERSION_SKEW)
            return reply.put_text(12, 180, "control plane and data plane speak no common version")
        self.start("0.1.0", change=change)
        self.refuses("the data plane refuses: control plane and data plane speak no common")


class BesideStores(unittest.TestCase):
    """What former releases left on the disk (tests/unit/stores), and what a later one would."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="weir-releases-")
        self.runtime = Path(self.folder.name)
        self.api = self.runtime / "controlplane.sock"
        (self.runtime / "state").mkdir()
        self.store = self.runtime / "state" / "intent.sqlite"
        self.command = [*CONTROLPLANE, "--runtime-dir", str(self.runtime), "--state-dir",
                        str(self.runtime / "state")]
        if EMULATOR:
            self.command.append("--seccomp=off")

    def tearDown(self):
        self.folder.cleanup()

    def make(self, dump):
        self.store.unlink(missing_ok=True)
        store = sqlite3.connect(self.store)
        store.executescript(dump.read_text(encoding="utf-8"))
        store.close()

    def test_opens_those_of_all_former_schemas(self):
        dumps = sorted(STORES.glob("schema_*.sql"))
        self.assertGreaterEqual(len(dumps), 3)
        for dump in dumps:
            with self.subTest(dump.name):
                self.make(dump)
                with subprocess.Popen([*self.command, "--log-level", "error"]) as process:
                    try:
                        self.assertTrue(
                            wait_for(lambda: weir(self.api, "status").returncode == 0))
                        intent = json.loads(weir(self.api, "-j", "intent", "show").stdout)
                        names = [port["name"] for port in intent["ports"]]
                        self.assertEqual(names, ["host0", "wire0"])
                        self.assertIn("blue", [network["name"] for network in intent["networks"]])
                        done = weir(self.api, "port", "set", "wire0", "mtu", "1500", "--dry-run")
                        self.assertIn("mtu 1600 → 1500", done.stdout)
                    finally:
                        process.terminate()

    def test_leaves_that_of_a_later_one_as_it_is(self):
        self.make(max(STORES.glob("schema_*.sql")))
        store = sqlite3.connect(self.store)
        store.execute("PRAGMA journal_mode = WAL")  # As all of ours.
        store.execute("PRAGMA user_version = 99")
        store.close()
        before = self.store.read_bytes()

        done = subprocess.run(self.command, capture_output=True, text=True, timeout=60, check=False)

        self.assertEqual(done.returncode, 1)
        self.assertIn("was written by a newer release (schema 99; this one knows", done.stderr)
        self.assertEqual(self.store.read_bytes(), before)
        self.assertEqual([path.name for path in self.store.parent.iterdir()], [self.store.name])


class OtherApi(http.server.BaseHTTPRequestHandler):
    """What a control plane of another release answers: `answers` by path, all else it lacks."""
    answers = {}

    def address_string(self):
        return "weir"

    def log_message(self, *_):
        pass

    def do_GET(self):  # pylint: disable=invalid-name
        status, document = self.answers.get(self.path.partition("?")[0], (404, {
            "error": {"code": "not_found", "message": f"nothing at {self.path}"},
            "errors": [{"code": "not_found", "message": f"nothing at {self.path}"}],
            "release": "0.0.9"}))
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):  # pylint: disable=invalid-name
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.do_GET()


class BesideOtherApis(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="weir-releases-")
        self.path = Path(self.folder.name) / "controlplane.sock"
        self.server = socketserver.UnixStreamServer(str(self.path), OtherApi)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def tearDown(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        self.folder.cleanup()

    def test_says_that_the_control_plane_may_not_know(self):
        OtherApi.answers = {}
        for words in (("worker", "show"), ("network", "add", "blue", "vni", "7")):
            done = weir(self.path, *words)
            self.assertEqual(done.returncode, 1)
            self.assertIn("nothing at /v1/", done.stderr)
            self.assertIn("the control plane of 0.0.9: one may not know", done.stderr)

    def test_does_not_say_so_where_that_is_not_why(self):
        error = {"code": "in_use", "message": "in use"}
        OtherApi.answers = {"/v1/workers": (409, {"error": error, "errors": [error],
                                                  "release": "0.0.9"})}
        done = weir(self.path, "worker", "show")
        self.assertEqual((done.returncode, done.stderr), (1, "weir: in use\n"))

    def test_prints_what_it_knows_of_a_later_answer_and_bears_what_lacks(self):
        port = {"name": "wire0", "role": "a_later_role", "device": "x", "later": {"a": [1]},
                "state": {"link_up": 1}}
        OtherApi.answers = {
            "/v1/ports": (200, {"ports": [port], "later": 1}),
            "/v1/status": (200, {"later": {}}), "/v1/workers": (200, {"workers": [{}]}),
            "/v1/drops": (200, {}), "/v1/stats": (200, {}), "/v1/pipelines": (200, {}),
            "/v1/neighbours": (200, {}), "/v1/traffic_classes": (200, {}),
            "/v1/history": (200, {})}
        shown = weir(self.path, "port", "show")
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        self.assertIn("wire0", shown.stdout)
        for words in (("status",), ("worker", "show"), ("drop", "show"),
                      ("stats", "show"), ("pipeline", "show"), ("neighbour", "show"),
                      ("queue", "show"), ("history",)):
            done = weir(self.path, *words)
            self.assertEqual((done.returncode, done.stderr), (0, ""), words)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The API over TLS: who may come, what a certificate may do, what either end says of the other's,
and that neither new certificates nor strangers hurt those who are there."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

from context import (ROOT, Authority, Certificate, Gateway, Testbed, find_program, run, test,
                     wait_for)

ADMINS = "adm"                                   # A group that Debian has.
PORT = 9443
HERE = f"127.0.0.1:{PORT}"
GOOD, REFUSED, USAGE, NO_CONNECTION = 0, 1, 2, 3  # Exit statuses of weir.


class Remote:
    """A gateway that nobody carries packets for, with its API on TCP, and everybody's papers."""

    def __init__(self, bed, *options):
        self.bed = bed
        self.ca = Authority(bed.folder)
        self.server = self.ca.issue("server", "/CN=gw1", names="DNS:localhost,IP:127.0.0.1")
        self.ann = self.ca.issue("ann", f"/O=Weir/OU=ops/OU={ADMINS}/CN=ann")
        self.bob = self.ca.issue("bob", "/OU=ops/CN=bob")
        self.gateway = Gateway(bed, "gw1")
        self.gateway.start_controlplane(*self.options(), "--admin-group", ADMINS, *options)
        self.gateway.namespace.wait_listens(PORT)

    def options(self):
        return ["--listen", HERE, "--tls-cert", self.server.path, "--tls-key", self.server.key,
                "--tls-client-ca", self.ca.path]

    def command_line(self, who, *words, server=HERE, ca=None):
        return self.gateway.namespace.inside(
            find_program("weir"), "--server", server, "--cert", who.path, "--key", who.key, "--ca",
            (ca or self.ca).path, *words)

    def weir(self, who, *words, **keywords):
        """Exit status, and what was said."""
        done = subprocess.run(list(map(str, self.command_line(who, *words, **keywords))),
                              capture_output=True, text=True, timeout=30, check=False)
        return done.returncode, done.stdout + done.stderr

    def must(self, who, *words, **keywords):
        status, said = self.weir(who, *words, **keywords)
        assert status == GOOD, (words, said)
        return said

    def curl(self, *words):
        """Exit status, and what was said."""
        done = subprocess.run(list(map(str, self.gateway.namespace.inside(
            "curl", "-sS", "--cacert", self.ca.path, *words, f"https://{HERE}/v1/status"))),
            capture_output=True, text=True, timeout=30, check=False)
        return done.returncode, done.stdout + done.stderr

    def hang_up(self, event):
        """Until the log has told the event once more."""
        def told():
            return self.gateway.controlplane.log().count(f"event={event}")
        before = told()
        os.kill(self.gateway.controlplane.pid, signal.SIGHUP)
        wait_for(lambda: told() > before, event)

    @contextlib.contextmanager
    def crowd(self, *words):
        """Of tls_crowd.py."""
        crowd = subprocess.Popen(list(map(str, self.gateway.namespace.inside(
            sys.executable, ROOT / "tests/support/tls_crowd.py", PORT, *words))),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        with crowd:
            try:
                assert crowd.stdout.readline() == "ready\n"
                yield
            finally:
                crowd.stdin.close()

    @contextlib.contextmanager
    def watch(self, who):
        """The lines of `weir event watch`, which has no end."""
        watch = subprocess.Popen(list(map(str, self.command_line(who, "-j", "event", "watch"))),
                                 stdout=subprocess.PIPE, text=True)
        with watch:
            try:
                time.sleep(0.5)                  # What happened before is not told.
                assert watch.poll() is None
                yield watch.stdout
            finally:
                watch.kill()


@test
def an_admin_changes_and_history_says_which():
    with Testbed("remote-admin") as bed:
        remote = Remote(bed)
        file = bed.folder / "intent.json"
        file.write_text(json.dumps({"networks": [{"name": "blue", "vni": 100}]}))
        with remote.watch(remote.bob) as events:
            remote.must(remote.ann, "apply", file)
            assert "certificate:ann" in events.readline()
        remote.must(remote.ann, "network", "set", "blue", "vni", "7", server=f"localhost:{PORT}")
        assert json.loads(remote.must(remote.bob, "-j", "network", "show", "blue"))["vni"] == 7
        changed = remote.gateway.show("history")["history"]
        assert [(entry["user"], entry["uid"]) for entry in changed] == \
            [("certificate:ann", None)] * 2, changed
        assert "certificate:ann" in remote.must(remote.bob, "history")
        assert "certificate:ann" in remote.gateway.controlplane.log()
        environment = {**os.environ, "WEIR_SERVER": HERE, "WEIR_CERT": remote.bob.path,
                       "WEIR_KEY": remote.bob.key, "WEIR_CA": remote.ca.path}
        for words in (["network", "show"], ["--complete", "network", "show", ""]):
            done = subprocess.run(remote.gateway.namespace.inside(find_program("weir"), *words),
                                  env=environment, capture_output=True, text=True, timeout=20,
                                  check=True)
            assert "blue" in done.stdout, done


@test
def others_read_and_are_told_what_it_takes():
    with Testbed("remote-reader") as bed:
        remote = Remote(bed)
        status, said = remote.weir(remote.bob, "network", "add", "blue", "vni", "100")
        assert status == REFUSED and "certificate:bob may only read; it takes a certificate with " \
            f"a CN, and OU = {ADMINS}" in said, said
        # A name of its own is what history needs.
        for name in ("nobody", "two"):
            subject = f"/OU={ADMINS}" + ("/CN=a/CN=b" if name == "two" else "")
            nameless = remote.ca.issue(name, subject)
            assert remote.weir(nameless, "network", "add", "blue", "vni", "1")[0] == REFUSED
            remote.must(nameless, "network", "show")
        assert remote.gateway.show("history")["history"] == []


@test
def strangers_are_refused():
    with Testbed("remote-strangers") as bed:
        remote = Remote(bed)
        other = Authority(bed.folder, "other")
        stranger = other.issue("stranger", f"/OU={ADMINS}/CN=ann")
        late = remote.ca.issue("late", f"/OU={ADMINS}/CN=ann", days=-1)
        papers = ["--cert", remote.ann.path, "--key", remote.ann.key]
        status, said = remote.curl(*papers)
        assert status == 0 and '"controlplane"' in said, said
        status, said = remote.curl()
        assert status != 0 and "certificate required" in said, said
        status, said = remote.curl(*papers, "--tls-max", "1.2")
        assert status != 0 and "protocol version" in said, said
        for who, words in ((stranger, "does not know who signed our certificate"),
                           (late, "has expired: get a new one")):
            status, said = remote.weir(who, "status")
            assert status == NO_CONNECTION and words in said, said
        log = remote.gateway.controlplane.log()
        assert log.count("event=handshake_failed") == 4 and "from=127.0.0.1:" in log, log
        remote.must(remote.ann, "status")


@test
def a_client_says_what_is_wrong_with_the_server():
    with Testbed("remote-server") as bed:
        remote = Remote(bed, "--metrics-listen", "127.0.0.1:9477")
        other = Authority(bed.folder, "other")
        missing = Certificate(bed.folder, "missing")
        for who, keywords, status, words in (
                (remote.ann, {"server": f"127.0.0.2:{PORT}"}, NO_CONNECTION, "Connection refused"),
                (remote.ann, {"server": "127.0.0.1:9477"}, NO_CONNECTION, "speaks no TLS"),
                (remote.ann, {"ca": other}, NO_CONNECTION, "is not signed by the CA of"),
                (remote.ann, {"server": "gw1"}, USAGE, "--server wants HOST:PORT"),
                (missing, {}, USAGE, f"{missing.path}: no certificate in it: No such file")):
            found, said = remote.weir(who, "status", **keywords)
            assert found == status and words in said, (keywords, said)
        for name, days, words in (("gw2", 30, "is for another name"), ("gw1", -1, "has expired")):
            remote.ca.issue(f"new-{name}", "/CN=x", days=days, names="IP:127.0.0.1" if
                            name == "gw1" else "DNS:gw2").put_in_place_of(remote.server)
            remote.hang_up("certificates_loaded")
            found, said = remote.weir(remote.ann, "status")
            assert found == NO_CONNECTION and words in said, said


@test
def new_certificates_come_by_sighup_and_nobody_is_cut_off():
    with Testbed("remote-reload") as bed:
        remote = Remote(bed)
        other = Authority(bed.folder, "other")
        successor = other.issue("successor", "/CN=gw1", names="IP:127.0.0.1")
        carol = other.issue("carol", f"/OU={ADMINS}/CN=carol")
        with remote.watch(remote.bob) as events:
            # A key without its certificate, and then nothing at all.
            former = remote.server.key.read_bytes()
            for content in (carol.key.read_bytes(), b""):
                remote.server.key.write_bytes(content)
                remote.hang_up("certificates_refused")
                remote.must(remote.ann, "status")
            assert str(remote.server.key) in remote.gateway.controlplane.log()
            remote.server.key.write_bytes(former)
            first_ca = Certificate(bed.folder, "first")
            remote.ca.put_in_place_of(first_ca)

            other.put_in_place_of(remote.ca)
            successor.put_in_place_of(remote.server)
            remote.hang_up("certificates_loaded")
            assert remote.weir(remote.ann, "status")[0] == NO_CONNECTION
            status, said = remote.weir(carol, "status", ca=first_ca)
            assert status == NO_CONNECTION and "is not signed by the CA" in said, said
            remote.must(carol, "network", "add", "blue", "vni", "100")
            assert "certificate:carol" in events.readline()


@test
def a_crowd_of_strangers_keeps_nobody_out():
    with Testbed("remote-crowd") as bed:
        remote = Remote(bed)
        with remote.crowd(200):
            took = []
            for _ in range(20):
                began = time.monotonic()
                remote.must(remote.bob, "status")
                took.append((time.monotonic() - began) * 1000)
            print(f"# among 200 strangers: slowest {max(took):.0f} ms, "
                  f"median {sorted(took)[10]:.0f} ms")
            assert remote.gateway.weir_status("status") == GOOD


@test
def there_are_limits_for_those_who_may_come_too():
    with Testbed("remote-limits") as bed:
        remote = Remote(bed, "--request-rate", "50")
        with remote.crowd(256, remote.bob.path, remote.bob.key):
            status, said = remote.weir(remote.ann, "status")
            assert status == REFUSED and "too many connections" in said, said
            assert remote.gateway.weir_status("status") == GOOD
        wait_for(lambda: remote.weir(remote.ann, "status")[0] == GOOD, "there is room again")

        done = subprocess.run(list(map(str, remote.gateway.namespace.inside(
            "curl", "-sS", "--cacert", remote.ca.path, "--cert", remote.bob.path, "--key",
            remote.bob.key, "-o", "/dev/null", "-w", "%{http_code}\\n",
            f"https://{HERE}/healthz?[1-300]"))), capture_output=True, text=True, timeout=60,
            check=True)
        codes = done.stdout.split()
        assert codes.count("200") >= 40 and codes.count("429") > 20, codes
        remote.must(remote.ann, "status")        # A share of its own.


@test
def what_cannot_be_is_refused_at_start():
    with Testbed("remote-start") as bed:
        remote = Remote(bed)
        stranger = Authority(bed.folder, "other")
        runtime = tempfile.mkdtemp(dir=bed.folder)
        whole = dict(zip(*[iter(map(str, remote.options()))] * 2))
        for changes, status, words in (
                ({"--tls-key": None}, USAGE, "--tls-key is missing"),
                ({"--listen": None}, USAGE, "--listen is missing"),
                ({"--listen": "gw1:9443"}, 1, "has to be a number, not a name"),
                ({"--listen": "9443"}, 1, "an address and a port are wanted"),
                ({"--listen": HERE}, 1, "Address already in use"),
                ({"--tls-cert": "/nowhere"}, 1, "/nowhere: no certificate in it: No such file"),
                ({"--tls-key": str(stranger.key)}, 1, f"{stranger.key}: not the key"),
                ({"--tls-client-ca": str(remote.server.key)}, 1, "no certificate of a CA in it")):
            options = [word for pair in (whole | changes).items() if pair[1] for word in pair]
            done = subprocess.run(remote.gateway.namespace.inside(
                find_program("weir-controlplane"), "--runtime-dir", runtime, "--state-dir", runtime,
                *options), capture_output=True, text=True, timeout=20, check=False)
            assert done.returncode == status and words in done.stderr + done.stdout, (changes, done)
            assert not os.path.exists(f"{runtime}/controlplane.sock"), changes


run()

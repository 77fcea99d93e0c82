#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who may use the API's socket, who may change something by it, and what the others are told."""

import grp
import json
import os
import pwd
import re
import stat
import subprocess
import sys
import tempfile
import time

from context import ROOT, USER, Gateway, Testbed, find_program, run, test, wait_for

READERS, ADMINS = "users", "adm"                 # Groups that Debian has.
OPTIONS = ("--socket-group", READERS, "--admin-group", ADMINS)
GOOD, REFUSED, NO_CONNECTION = 0, 1, 3           # Exit statuses of weir.
PLACEHOLDERS = {"{kinds}": "networks", "{key}": "blue", "{part}": "1", "{name}": "good",
                "{id}": "1", "{kind}": "status"}
# Status of each (method, target) on standard input, by the API alone.
ASK = """
import json, sys
sys.path.insert(0, sys.argv[1])
from api import Api
for method, target in json.load(sys.stdin):
    status, document = Api(sys.argv[2]).ask(method, target, {})
    print(json.dumps([method, target, status, document]))
"""


def gid(group):
    return str(grp.getgrnam(group).gr_gid)


def as_user(*groups, primary="nogroup"):
    """The words before a command that somebody of these groups gives."""
    extra = ["--groups", ",".join(map(gid, groups))] if groups else ["--clear-groups"]
    return ["setpriv", "--reuid", USER, "--regid", gid(primary), *extra]


READER = as_user(READERS)
ADMIN = as_user(READERS, ADMINS)


def weir(gateway, who, *words):
    """Exit status, and what was said."""
    done = subprocess.run([*who, *gateway.command_line(*words)], capture_output=True, text=True,
                          timeout=30, check=False)
    return done.returncode, done.stdout + done.stderr


def with_access(bed, *options):
    """A gateway that nobody carries packets for: what is wanted is stored."""
    gateway = Gateway(bed, "gw1")
    gateway.start_controlplane(*(options or OPTIONS))
    return gateway


@test
def readers_read_and_are_told_who_may_change():
    with Testbed("access-read") as bed:
        gateway = with_access(bed)
        assert weir(gateway, ADMIN, "network", "add", "blue", "vni", "100")[0] == GOOD
        assert weir(gateway, READER, "network", "show", "blue")[0] == GOOD
        for words in (("network", "set", "blue", "vni", "7"), ("rollback",), ("save", "good"),
                      ("network", "set", "blue", "vni", "7", "--dry-run"),
                      ("trace", "delete")):
            status, said = weir(gateway, READER, *words)
            assert status == REFUSED, (words, said)
            uid = pwd.getpwnam(USER).pw_uid
            assert f"uid {uid} may only read; it takes the group {ADMINS}" in said, said
        assert gateway.show("network", "show", "blue")["vni"] == 100
        assert "event=change_refused" in gateway.controlplane.log()
        # What could be applied is no change.
        file = bed.folder / "intent.json"
        file.write_text(json.dumps({"networks": [{"name": "blue", "vni": 7}]}))
        file.chmod(0o644)
        for verb in ("check", "diff"):
            status, said = weir(gateway, READER, verb, file)
            assert status in (GOOD, REFUSED) and "may only read" not in said, said
        changed = gateway.show("history")["history"]
        assert [(entry["what"], entry["user"]) for entry in changed] == \
            [("add network blue", USER)], changed


def operations(gateway):
    """Each method and path that the API says it has, with something at the placeholders."""
    document = gateway.bed.folder / "openapi.json"
    done = subprocess.run(["curl", "-sS", "--unix-socket", gateway.socket, "-o", document,
                           "http://weir/v1/openapi.json"], timeout=30, check=True)
    assert done.returncode == 0
    for path, methods in json.loads(document.read_text())["paths"].items():
        target = re.sub(r"\{\w+\}", lambda found: PLACEHOLDERS[found[0]], path)
        for method, operation in methods.items():
            if path != "/v1/events":             # Which has no end.
                yield method.upper(), target, "403" in operation["responses"]


def answers(gateway, who, asked):
    done = subprocess.run([*who, sys.executable, "-c", ASK, ROOT / "tests/support",
                           gateway.socket], input=json.dumps([row[:2] for row in asked]),
                          capture_output=True, text=True, timeout=60, check=True)
    return {(method, target): status for method, target, status, _ in
            map(json.loads, done.stdout.splitlines())}


@test
def each_route_refuses_readers_exactly_where_openapi_says_so():
    with Testbed("access-routes") as bed:
        gateway = with_access(bed)
        asked = [row for row in operations(gateway) if row[1] != "/metrics"]
        assert sum(row[2] for row in asked) >= 14, asked
        readers, admins = (answers(gateway, who, asked) for who in (READER, ADMIN))
        for method, target, changes in asked:
            assert (readers[method, target] == 403) == changes, (method, target, readers)
            assert admins[method, target] != 403, (method, target)
        assert gateway.controlplane.alive()


@test
def it_is_groups_that_count_primary_or_not():
    with Testbed("access-groups") as bed:
        gateway = with_access(bed)
        for who, status in ((as_user(READERS, primary=ADMINS), GOOD),
                            (as_user(ADMINS, primary=READERS), GOOD),
                            (as_user(primary=READERS), REFUSED),
                            (as_user(ADMINS), NO_CONNECTION),      # The socket is not theirs.
                            (as_user(), NO_CONNECTION), ([], GOOD)):
            found, said = weir(gateway, who, "network", "add", f"n{os.urandom(4).hex()}", "vni",
                               str(int.from_bytes(os.urandom(2)) + 1))
            assert found == status, (who, found, said)
            if who in (as_user(), as_user(ADMINS)):
                assert f"it takes membership in its group {READERS}, or root" in said, said


@test
def the_process_s_own_user_is_an_admin():
    with Testbed("access-own") as bed:
        gateway = Gateway(bed, "gw1")
        for folder in (gateway.runtime, gateway.state):
            os.chown(folder, pwd.getpwnam(USER).pw_uid, -1)
        gateway.controlplane = bed.start("gw1-controlplane", gateway.namespace.inside(
            *as_user(READERS), find_program("weir-controlplane"), "--runtime-dir",
            str(gateway.runtime), "--state-dir", str(gateway.state), *OPTIONS))
        wait_for(lambda: gateway.weir_status("status") == GOOD, "it answers")
        mode = gateway.socket.stat()
        assert (mode.st_gid, stat.S_IMODE(mode.st_mode)) == (int(gid(READERS)), 0o660), mode
        assert weir(gateway, READER, "network", "add", "blue", "vni", "100")[0] == GOOD


@test
def without_an_admin_group_all_that_come_may_change():
    with Testbed("access-all") as bed:
        gateway = with_access(bed, "--socket-group", READERS)
        assert weir(gateway, READER, "network", "add", "blue", "vni", "100")[0] == GOOD
        assert weir(gateway, as_user(), "status")[0] == NO_CONNECTION


@test
def who_asks_too_often_is_told_to_wait_and_others_are_not():
    with Testbed("access-rate") as bed:
        gateway = with_access(bed, "--socket-group", READERS, "--request-rate", "50")
        # curl asks faster than that; root is no exception.
        said = subprocess.run(
            ["curl", "-sS", "--unix-socket", gateway.socket, "-o", "/dev/null", "-w",
             "%{http_code} %header{retry-after}\\n", "http://weir/healthz?[1-300]"],
            capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()
        counts = {line: said.count(line) for line in set(said)}
        assert counts.get("200 ", 0) >= 40 and counts.get("429 1", 0) > 50, counts
        assert weir(gateway, READER, "status")[0] == GOOD
        time.sleep(1.1)
        assert f"\nweir_api_requests_refused_total {counts['429 1']}\n" in metrics_of(gateway)
        assert gateway.weir_status("status") == GOOD


def metrics_of(gateway):
    return subprocess.run(["curl", "-sS", "--unix-socket", gateway.socket, "http://weir/metrics"],
                          capture_output=True, text=True, timeout=20, check=True).stdout


@test
def groups_that_cannot_be_are_refused_at_start():
    with tempfile.TemporaryDirectory(prefix="weir-") as folder:
        os.chmod(folder, 0o777)
        for who, options, reason in (
                ([], ("--admin-group", "nobodys"), '--admin-group: this system knows no group'),
                ([], ("--socket-group", "nobodys"), '--socket-group: this system knows no group'),
                (as_user(), ("--socket-group", READERS), "cannot be given to that group")):
            done = subprocess.run(
                [*who, find_program("weir-controlplane"), "--runtime-dir", folder, "--state-dir",
                 folder, *options], capture_output=True, text=True, timeout=20, check=False)
            assert done.returncode == 1 and reason in done.stderr, done.stderr
            assert "controlplane.sock" not in os.listdir(folder)
            for name in os.listdir(folder):
                os.unlink(f"{folder}/{name}")


run()

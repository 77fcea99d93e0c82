#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A data plane is replaced by another release and back while it forwards: how long nothing is
forwarded, that no frame comes to another tenant or out of order, and that a successor which cannot
start costs nothing. WEIR_ENDPOINTS says how many there are, WEIR_ROUNDS how often."""

import os
import re
import signal
import socket
import statistics
import struct
import time
from pathlib import Path

from context import (SIDES, Gateway, Hugepages, InNamespace, Leftovers, Pulse, Testbed, TwoTenants,
                     command, find_program, run, test, wait_for)

ROUNDS = int(os.environ.get("WEIR_ROUNDS", 5))
ENDPOINTS = int(os.environ.get("WEIR_ENDPOINTS", 100_000))
OF_HOSTS = 4                                     # Endpoints that TwoTenants has besides.
HUGEPAGES = 195                                  # Of two gateways and one successor.
TARGET_MS = 250                                  # Of a machine that is not busy otherwise.
LIMIT_MS = 2000                                  # Of one that is, for half of them.
LAYOUT_AT = 8                                    # In the table file, behind the magic.


def release_of(program):
    return command(program, "--version").split()[-1]


def installed(folder, *, is_next):
    """weir-dataplane and its helper in a folder of their own, as they are or as the next release,
    which is the same program with another version in it."""
    folder.mkdir(exist_ok=True)
    program = find_program("weir-dataplane")
    code = Path(program).read_bytes()
    if is_next:
        now = release_of(program)
        code = code.replace(now.encode(), (now[:-1] + chr(ord(now[-1]) + 1)).encode())
    put(folder / "weir-dataplane", code)
    put(folder / "weir-porthelper", Path(find_program("weir-porthelper")).read_bytes())
    return folder / "weir-dataplane"


def put(path, content):
    """As dpkg does: whoever runs what was there before goes on running it."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.chmod(0o755)
    fresh.rename(path)


def percentile(values, share):
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def told_gaps_ms(log):
    return [int(us) / 1000 for us in re.findall(r"event=taken_over .*gap_us=(\d+)", log)]


def report(what, gaps, told, pulse):
    print(f"# {what}, {len(gaps)} times: gap p50 {percentile(gaps, 0.5):.0f} ms, "
          f"p99 {percentile(gaps, 0.99):.0f} ms, longest {max(gaps):.0f} ms (target {TARGET_MS}); "
          f"p50 as told {percentile(told, 0.5):.0f} ms; "
          f"this side was late by {pulse.late_s * 1000:.0f} ms at most")


def start_beating(pulse):
    began = time.monotonic()
    wait_for(lambda: pulse.beats_again(began), "beats at all", 30)


def taken_over(gateway, successor, pulse, moment):
    """The gap in milliseconds."""
    gateway.succeed(successor)
    wait_for(lambda: told_gaps_ms(successor.log()), "all is in force")
    now = time.monotonic()
    wait_for(lambda: pulse.beats_again(now), "all beats again")
    gateway.wait_in_sync()
    return pulse.gap_after(moment) * 1000


@test
def a_data_plane_is_replaced_by_the_next_release_and_back():
    with Hugepages(HUGEPAGES) as pages, Testbed("upgrade") as bed:
        scenario = TwoTenants(bed, endpoints=ENDPOINTS).start()
        gateway = scenario.gateways[0]
        leftovers = Leftovers(bed, gateway)
        programs = [installed(bed.folder / "next", is_next=True), find_program("weir-dataplane")]
        before = leftovers.now()
        gaps, told = [], []
        with Pulse(scenario.beats(), frames_per_second=500) as pulse:
            start_beating(pulse)
            for program in programs * ROUNDS:
                moment = time.monotonic()
                successor = gateway.start_successor(program=program)
                gaps.append(taken_over(gateway, successor, pulse, moment))
                told += told_gaps_ms(successor.log())
                log = successor.log()
                assert f"event=endpoints_adopted endpoints={ENDPOINTS + OF_HOSTS} " in log, log
                assert os.path.samefile(f"/proc/{successor.pid}/exe", program)
                assert leftovers.now() == before, (leftovers.now(), before)
        assert pulse.faults() == [], pulse.faults()
        report(f"{pages.count} hugepages", gaps, told, pulse)
        assert statistics.median(gaps) < LIMIT_MS, gaps


@test
def what_is_installed_replaces_what_runs_by_a_signal():
    with Testbed("upgrade-signal") as bed:
        folder = bed.folder / "installed"
        program = installed(folder, is_next=False)
        scenario = TwoTenants(bed, endpoints=0, supervised=True, program=program).start()
        gateway = scenario.gateways[0]
        with Pulse(scenario.beats(), frames_per_second=500) as pulse:
            start_beating(pulse)
            for number in range(2):
                installed(folder, is_next=number == 0)
                pid = gateway.dataplane_pid()
                gateway.dataplane.popen.send_signal(signal.SIGUSR2)
                wait_for(lambda p=pid: gateway.dataplane_pid() != p, "another process", 30)
                gateway.wait_in_sync()
                assert release_of(f"/proc/{gateway.dataplane_pid()}/exe") == release_of(program)
            # What cannot start is no loss.
            put(program, b"#!/bin/sh\nexit 1\n")
            pid, moment = gateway.dataplane_pid(), time.monotonic()
            gateway.dataplane.popen.send_signal(signal.SIGUSR2)
            wait_for(lambda: "event=successor_failed" in gateway.dataplane.log(), "it fails")
            wait_for(lambda: pulse.beats_again(moment), "all beats")
            assert gateway.dataplane_pid() == pid and gateway.link_state() == "in_sync"
        assert pulse.faults() == [], pulse.faults()
        assert "event=program_died" not in gateway.dataplane.log()


@test
def a_successor_that_cannot_start_costs_no_frame():
    with Testbed("upgrade-fails") as bed:
        scenario = TwoTenants(bed, endpoints=1000).start()
        gateway = scenario.gateways[0]
        old, generation = gateway.dataplane, gateway.show("status")["dataplane"]["generation"]
        with Pulse(scenario.beats(), frames_per_second=200) as pulse:
            start_beating(pulse)
            for options, status, word in (
                    (["--mbufs", "17000000"], 2, "--mbufs"),
                    (["--mbufs", "16777216", "--no-hugepages"], 1, "more memory than is free"),
                    (["--port-helper", "/nobody"], 1, "--port-helper")):
                successor = gateway.start_successor(*options)
                assert successor.popen.wait(30) == status and word in successor.log(), \
                    successor.log()
            for event in ("predecessor_found", "control_taken"):
                successor = gateway.start_successor()
                wait_for(lambda s=successor, e=event: f"event={e}" in s.log(), event, 30, 0.001)
                successor.kill()
                gateway.wait_in_sync()
            time.sleep(0.5)
        assert gateway.dataplane is old and old.alive()
        # What was lent is given back, and the same endpoints are still known.
        assert "event=control_taken_back" in old.log(), old.log()
        assert gateway.show("status")["dataplane"]["generation"] == generation
        # What was under way at the end is not missed: all numbers up to the last are there.
        holes = [one.highest + 1 - one.received for one in pulse.arrivals]
        assert pulse.faults() == [] and holes == [0] * 4, (pulse.faults(), holes)
        assert gateway.show("endpoint", "add", "blue", "mac", "02:00:00:00:00:99", "vtep",
                            "peer")["status"] == "applied"


@test
def who_is_killed_meanwhile_is_followed_by_somebody():
    with Testbed("upgrade-killed") as bed:
        scenario = TwoTenants(bed, endpoints=1000, supervised=True,
                              supervisor=("--young-ms", "0")).start()
        gateway = scenario.gateways[0]
        leftovers = Leftovers(bed, gateway)
        before = leftovers.now()
        log = gateway.dataplane.log
        with Pulse(scenario.beats(), frames_per_second=500) as pulse:
            start_beating(pulse)
            for event in ("predecessor_found", "control_taken", "device_opened"):
                for victim in ("old", "new"):
                    ready, seen = log().count("ready=1"), log().count(f"event={event}")
                    old = gateway.dataplane_pid()
                    gateway.dataplane.popen.send_signal(signal.SIGUSR2)
                    wait_for(lambda e=event, s=seen: log().count(f"event={e}") > s, event, 30,
                             0.001)
                    new = int(re.findall(r"event=replacing .*by=(\d+)", log())[-1])
                    kill(old if victim == "old" else new)
                    # Either the old one is in force as before, or a new one comes.
                    is_new = victim == "old" or event == "device_opened"
                    wait_for(lambda r=ready, n=is_new: not n or log().count("ready=1") > r,
                             f"somebody is in force after {victim} died at {event}", 60)
                    moment = time.monotonic()
                    wait_for(lambda m=moment: pulse.beats_again(m), "all beats again", 30)
                    gateway.wait_in_sync()
                    wait_for(lambda: leftovers.now() == before, "nothing is left", 10)
        assert pulse.faults() == [], pulse.faults()
        assert "event=safe_mode" not in log()


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:                   # It has ended, as it should have.
        pass


@test
def endpoints_of_another_layout_or_size_are_sent_again():
    with Testbed("upgrade-layout") as bed:
        scenario = TwoTenants(bed, endpoints=1000).start()
        gateway = scenario.gateways[0]
        with Pulse(scenario.beats(), frames_per_second=500) as pulse:
            start_beating(pulse)
            for reason in ("lie otherwise in memory", "another size"):
                if reason == "another size":
                    options = list(map(str, gateway.options))
                    options[options.index("--endpoints") + 1] = "4096"
                    gateway.options = options
                else:
                    with open(gateway.runtime / "endpoints.table", "r+b") as file:
                        file.seek(LAYOUT_AT)
                        file.write(struct.pack("=I", 4711))
                moment = time.monotonic()
                successor = gateway.start_successor()
                taken_over(gateway, successor, pulse, moment)
                assert reason in successor.log(), successor.log()
                assert gateway.show("stats", "show")["tables"]["endpoints"]["used"] == \
                    1000 + OF_HOSTS
        assert pulse.faults() == [], pulse.faults()


@test
def who_reloads_waits_and_the_service_is_the_successor():
    with Testbed("upgrade-reload") as bed, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(bed.folder / "notify"))  # systemd's end of it.
        notify.settimeout(10)
        gateway = Gateway(bed, "gw1", wrapper=("env", f"NOTIFY_SOCKET={bed.folder}/notify")).start()
        gateway.apply({"networks": [{"name": "blue", "vni": 100}]})
        failing = gateway.start_successor("--detach", "--port-helper", "/nobody")
        assert failing.popen.wait(30) == 1 and gateway.dataplane.alive(), failing.log()

        reload = gateway.start_successor("--detach")
        assert reload.popen.wait(60) == 0, reload.log()

        assert gateway.dataplane.popen.wait(10) == 0, gateway.dataplane.log()
        said = ""
        while not said.startswith("MAINPID="):
            said = notify.recv(1000).decode()
        successor = int(said.partition("=")[2])
        assert successor not in (reload.pid, gateway.dataplane.pid)
        assert "--detach" in Path(f"/proc/{successor}/cmdline").read_text()
        gateway.wait_in_sync()
        os.kill(successor, signal.SIGTERM)
        wait_for(lambda: not Path(f"/proc/{successor}").exists(), "it ends when it is told to")
        assert [path.name for path in gateway.runtime.glob("*.sock")] == ["controlplane.sock"]


def with_tap(scenario, side):
    """The two gateways' own kernels are hosts of a third tenant."""
    intent = scenario.intent(side, 0)
    macs = [f"02:00:00:00:33:0{one.number}" for one in SIDES]
    queues = {"rx_queues": scenario.queues} if scenario.queues > 1 else {}
    intent["ports"].append({"name": "tap0", "role": "tenant", "network": "green", **queues,
                            "device": f"tap:tap0,persist=yes,mac={macs[side.number - 1]}"})
    intent["networks"].append({"name": "green", "vni": 300, "flood": ["peer"],
                               "unknown_unicast": "flood"})
    intent["endpoints"] += [
        {"network": "green", "mac": macs[side.number - 1], "port": "tap0"},
        {"network": "green", "mac": macs[2 - side.number], "vtep": "peer"}]
    return intent


@test
def connections_over_a_tap_live_through_it():
    with Testbed("upgrade-tap") as bed:
        scenario = TwoTenants(bed, endpoints=0).start()
        for side, gateway in zip(SIDES, scenario.gateways):
            gateway.apply(with_tap(scenario, side))
            gateway.namespace.ip("addr", "add", f"10.99.0.{side.number}/24", "dev", "tap0")
            gateway.namespace.ip("link", "set", "tap0", "up")
        near, far = scenario.gateways
        with InNamespace(near.namespace.name):
            listener = socket.create_server(("10.99.0.1", 7000))
        with InNamespace(far.namespace.name):
            client = socket.create_connection(("10.99.0.1", 7000), 30)
        server, _ = listener.accept()
        for one in (client, server):
            one.settimeout(30)
        link = near.namespace.ip("-o", "link", "show", "tap0").split(":")[0]
        for _ in range(2):
            successor = near.start_successor()
            near.succeed(successor)
            client.sendall(b"there")
            server.sendall(b"back")
            assert (server.recv(100), client.recv(100)) == (b"there", b"back")
            near.wait_in_sync()
            assert near.namespace.ip("-o", "link", "show", "tap0").split(":")[0] == link
        for one in (client, server, listener):
            one.close()


run()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Both programs run under a filter of system calls that kills, in each of their threads. What it
lets pass is what all other tests do; what it does not, tests/unit/seccomp.cpp tries."""

import os
import subprocess
import tempfile
from pathlib import Path

from context import SIDES, Gateway, KernelPeerOverXdp, Testbed, find_program, run, test, wait_for

KERNEL = SIDES[1]


def threads_of(pid):
    for path in Path(f"/proc/{pid}/task").iterdir():
        lines = (path / "status").read_text().splitlines()
        yield {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def filters_of(pid):
    """How many lie on each thread, which is the same for all; the kernel runs them all."""
    threads = list(threads_of(pid))
    for thread in threads:
        assert (thread["Seccomp"], thread["NoNewPrivs"]) == ("2", "1"), thread["Name"]
    count, = {int(thread["Seccomp_filters"]) for thread in threads}
    return count


def is_filtered(pid):
    return all(thread["Seccomp"] == "2" for thread in threads_of(pid))


def modes_logged(process):
    return [line.split("seccomp=")[1].split()[0].strip('"') for line in process.log().splitlines()
            if "event=system_calls_restricted" in line]


@test
def each_thread_of_both_is_filtered_while_frames_pass():
    with Testbed("seccomp-both") as bed:
        peer = KernelPeerOverXdp(bed)
        gateway = peer.gateway
        assert peer.host.ping(KERNEL.kernel.ip, 20) == 1.0
        # That of its calls, and that of --user against programs.
        assert filters_of(gateway.dataplane_pid()) == 2
        assert filters_of(gateway.controlplane.pid) == 1
        for process in (gateway.dataplane, gateway.controlplane):
            assert modes_logged(process) == ["kill"], process.log()
        assert gateway.show("status")["controlplane"]["seccomp"] == "kill"
        assert ", seccomp kill\n" in gateway.weir("status")


def rings():
    return {"networks": [{"name": "blue", "vni": 100}],
            "ports": [{"name": f"ring{here}", "role": "transit", "peer": f"ring{there}",
                       "device": f"net_ring{here}"} for here, there in ((0, 1), (1, 0))]}


@test
def an_operator_may_have_it_logged_or_off():
    with Testbed("seccomp-modes") as bed:
        for number, (mode, filters) in enumerate((("log", (2, 1)), ("off", (1, 0)))):
            gateway = Gateway(bed, f"gw{number}", options=(f"--seccomp={mode}",))
            gateway.start_dataplane()
            gateway.start_controlplane(f"--seccomp={mode}")
            wait_for(lambda g=gateway: g.link_state() == "waiting", "both find each other")
            gateway.apply(rings())
            assert filters_of(gateway.dataplane_pid()) == filters[0]
            threads = list(threads_of(gateway.controlplane.pid))
            assert {int(thread["Seccomp_filters"]) for thread in threads} == {filters[1]}
            for process in (gateway.dataplane, gateway.controlplane):
                assert modes_logged(process) == [mode], process.log()
            assert gateway.show("status")["controlplane"]["seccomp"] == mode


@test
def it_needs_no_change_of_user_and_holds_in_safe_mode():
    with Testbed("seccomp-root") as bed:
        kept = Gateway(bed, "gw1", user="").start()   # root: drivers may do more.
        assert not is_filtered(kept.dataplane_pid())
        kept.apply(rings())
        assert filters_of(kept.dataplane_pid()) == 1
        safe = Gateway(bed, "gw2", user="", options=("--safe-mode", "a test"))
        safe.start_dataplane()
        wait_for(lambda: is_filtered(safe.dataplane_pid()), "the filter")
        assert modes_logged(safe.dataplane) == ["kill"]


@test
def a_mode_that_does_not_exist_is_refused():
    with tempfile.TemporaryDirectory(prefix="weir-") as folder:
        for program in ("weir-dataplane", "weir-controlplane"):
            done = subprocess.run(
                [find_program(program), "--runtime-dir", folder, "--seccomp", "maybe"],
                capture_output=True, text=True, timeout=20, check=False)
            assert done.returncode == 2 and "--seccomp" in done.stderr, done
        assert os.listdir(folder) == []


run()

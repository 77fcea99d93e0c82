#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who stands still or dies is started again, and who dies again and again stays in a safe mode
that tells why: data planes under weir-supervisor."""

import os
import re
import signal
import time

from context import Gateway, Skip, Testbed, run, stall, test, wait_for

INTENT = {"ports": [{"name": name, "role": "tenant", "device": f"net_ring{number}",
                     "network": "blue"} for number, name in enumerate(("p0", "p1"))],
          "networks": [{"name": "blue", "vni": 100}]}
STALL_MS_MAX = 200                               # Until a worker's stall is noticed.
DEATHS = 8                                       # weir-supervisor's default.


def started(bed, **keywords):
    gateway = Gateway(bed, "gw1", supervised=True, **keywords).start()
    gateway.apply(INTENT)
    wait_for(lambda: said_ready(gateway) == 1, "it says that all is in force")
    return gateway


def said_ready(gateway):
    return gateway.dataplane.log().count("ready=1")


def wait_for_return(gateway, pid):
    wait_for(lambda: gateway.dataplane_pid() != pid, "a new process", 20)
    gateway.wait_in_sync()


@test
def a_stalled_worker_is_shown_and_its_process_recycled():
    if not stall.possible():
        raise Skip("a jump to itself is written in x86-64")
    with Testbed("stall") as bed:
        gateway = started(bed, options=("--idle", "spin"))
        pid = gateway.dataplane_pid()
        # The others come to the same place, as they run the same code.
        stalled = stall.stall(pid, "weir-dataplane", "worker0")
        wait_for(lambda: gateway.dataplane_pid() != pid, "a new process", 20, interval=0.002)
        again = time.monotonic()
        gateway.wait_in_sync()
        log = gateway.dataplane.log()
        noticed = int(re.search(r"event=worker_stalled worker=\d+ ms=(\d+)", log)[1])
        print(f"# noticed {noticed} ms after its last heartbeat, a new process after "
              f"{(again - stalled) * 1000:.0f} ms, in force after "
              f"{(time.monotonic() - stalled) * 1000:.0f} ms")
        assert re.search(r"event=stack thread=worker\d+ .*dp::Worker", log), log
        assert 'how="signal 6"' in log
        # A busy machine gives it less time to waste.
        cpu = int(re.search(r"event=worker_stalled .* cpu_ms=(\d+)", log)[1])
        assert noticed < STALL_MS_MAX or cpu < STALL_MS_MAX, log


@test
def a_data_plane_that_stands_still_is_killed_and_started_again():
    with Testbed("stopped") as bed:
        gateway = started(bed)
        pid = gateway.dataplane_pid()
        os.kill(pid, signal.SIGSTOP)
        wait_for_return(gateway, pid)
        assert "event=program_is_silent" in gateway.dataplane.log()


@test
def who_dies_again_and_again_ends_in_a_safe_mode_that_tells_why():
    with Testbed("safe-mode") as bed:
        gateway = started(bed)
        pid, deaths = None, 0
        began = time.monotonic()
        while "event=safe_mode" not in gateway.dataplane.log():
            assert deaths < DEATHS, gateway.dataplane.log()
            wait_for(lambda before=pid: gateway.dataplane_pid() != before, "a new process", 20)
            wait_for(lambda: said_ready(gateway) > deaths, "all is in force", 20)
            pid = gateway.dataplane_pid()
            os.kill(pid, signal.SIGKILL)
            deaths += 1
            wait_for(lambda: gateway.dataplane.log().count("event=program_died") == deaths,
                     "its death is seen")
        print(f"# safe mode after {deaths} deaths in {time.monotonic() - began:.1f} s")
        assert deaths == DEATHS

        wait_for(lambda: "safe mode" in gateway.weir("status"), "the control plane says so")
        status = gateway.weir("status")
        assert "it died 8 times" in status and "signal 9" in status, status
        # What is wanted can be mended meanwhile.
        assert gateway.show("network", "add", "red", "vni", 7)["status"] == "pending"
        # Nobody tries again by himself.
        safe = gateway.dataplane_pid()
        time.sleep(1)
        assert gateway.dataplane_pid() == safe

        gateway.dataplane.popen.send_signal(signal.SIGHUP)
        wait_for_return(gateway, safe)
        assert gateway.show("network", "show", "red")["vni"] == 7
        assert "safe mode" not in gateway.weir("status")


@test
def who_ends_the_supervisor_ends_the_data_plane_even_as_another_user():
    with Testbed("supervisor-killed") as bed:
        gateway = started(bed)
        pid = gateway.dataplane_pid()
        gateway.dataplane.kill()

        def is_gone():
            try:
                with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                    return file.read().rpartition(") ")[2][0] in "ZX"
            except FileNotFoundError:
                return True
        wait_for(is_gone, "the data plane has gone, too")
        assert gateway.socket.exists(), "the control plane is nobody's child"
        gateway.start_dataplane()
        gateway.wait_in_sync()


run()

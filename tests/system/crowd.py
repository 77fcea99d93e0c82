#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A thousand clients, of which three hundred mean no good, neither keep another one waiting nor
cost memory: the API's limits of bodies, time and connections."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from context import ROOT, Api, Gateway, Testbed, run, test, wait_for

REQUESTS = int(os.environ.get("WEIR_ROUNDS", 300))
CROWD = (100, 100, 100, 700)                     # Stuck, slow, greedy, others.
LATE_MS = 50
MEMORY_MB = 64
INTENT = {"ports": [{"name": name, "role": "tenant", "device": f"net_ring{number}",
                     "network": "blue"} for number, name in enumerate(("p0", "p1"))],
          "networks": [{"name": "blue", "vni": 100}]}


def memory_mb(pid, what):
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(rf"^{what}:\s+(\d+)", text, re.M)[1]) / 1024


def ask_patiently(path, requests):
    """Milliseconds of each; every tenth is a change."""
    api = Api(path)
    took = []
    for number in range(requests):
        began = time.monotonic()
        if number % 10:
            status, _ = api.ask("GET", "/v1/networks")
            assert status == 200, status
        else:
            api.batch({"verb": "set", "kind": "network", "key": "blue",
                       "fields": {"vni": str(1000 + number)}})
        took.append((time.monotonic() - began) * 1000)
        time.sleep(0.005)
    return sorted(took)


@test
def a_good_client_does_not_notice_a_thousand_others():
    with Testbed("crowd") as bed:
        gateway = Gateway(bed, "gw1").start()
        gateway.apply(INTENT)
        # What a service gets where nobody gave it more: fewer than it lets in.
        subprocess.run(["prlimit", f"--pid={gateway.controlplane.pid}", "--nofile=1024:"],
                       check=True)
        before = memory_mb(gateway.controlplane.pid, "VmRSS")
        alone = ask_patiently(gateway.socket, 50)
        crowd = subprocess.Popen(
            [sys.executable, ROOT / "tests/support/crowd.py", gateway.socket, *map(str, CROWD)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        with crowd:
            assert crowd.stdout.readline() == "ready\n"
            wait_for(lambda: sockets_held(gateway.controlplane.pid) > 0.9 * sum(CROWD),
                     "the crowd is in", 20)
            took = ask_patiently(gateway.socket, REQUESTS)
            answers, _ = crowd.communicate(timeout=30)
        peak = memory_mb(gateway.controlplane.pid, "VmHWM")
        p99 = took[int(0.99 * len(took))]
        print(f"# alone p50 {alone[len(alone) // 2]:.1f} ms; among {sum(CROWD)} p50 "
              f"{took[len(took) // 2]:.1f}, p99 {p99:.1f}, slowest {took[-1]:.1f} ms; memory "
              f"{before:.0f} MB, at most {peak:.0f}; {answers.strip()}")
        assert "greedy 413" in answers and "others 200" in answers, answers
        assert peak < before + MEMORY_MB
        # A busy machine is not the API's fault, but all of them being late would be.
        assert took[len(took) // 2] < LATE_MS
        if "WEIR_ROUNDS" in os.environ:
            assert p99 < LATE_MS
        assert gateway.controlplane.alive() and gateway.link_state() == "in_sync"


def sockets_held(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


run()

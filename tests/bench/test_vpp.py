#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How `tools/bench peers --vpp DIR` finds VPP, what it tells it, and what it reads in its answers.
No VPP is at hand here: stubs stand for its programs, and its answers are written down as its
releases print them."""

import os
import sys
import tempfile
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TREE / "tests" / "support"), str(TREE / "tools")]

from benchmark import frames, machine, system, vpp, workloads  # noqa: E402
from tap import run, test                     # noqa: E402

STUB_OF_VPP = '#!/bin/sh\necho "open configuration file \'$2\' failed" >&2\nexit 1\n'
STUB_OF_VPPCTL = '#!/bin/sh\nshift 2\necho "vpp v26.10-rc0 asked: $*"\n'

INTERFACES = """\
              Name               Idx    State  MTU (L3/IP4/IP6/MPLS)     Counter          Count
UnknownEthernet0                  1      up          9000/0/0/0     rx packets                    10
                                                                    rx bytes                    1280
                                                                    tx packets               2000000
                                                                    tx bytes               356000000
                                                                    rx-miss                        3
UnknownEthernet1                  2      up          9000/0/0/0     rx packets               2000064
                                                                    drops                          4
                                                                    ip4                      2000064
                                                                    tx-error                       5
local0                            0     down          0/0/0/0
vxlan_tunnel0                     4      up           0/0/0/0       tx packets               2000000
                                                                    drops                          1
"""

RUNTIME = """\
Thread 0 vpp_main (lcore 0)
Time 3.0, 10 sec internal node vector rate 0.00 loops/sec 1.0
          Name            State      Calls      Vectors   Suspends     Clocks   Vectors/Call
dpdk-process             any wait          0            0          4     2.36e5           0.00
---------------
Thread 1 vpp_wk_0 (lcore 1)
          Name            State      Calls      Vectors   Suspends     Clocks   Vectors/Call
UnknownEthernet0-output  active         1000       256000          0     6.00e0         256.00
dpdk-input               polling        1000       256000          0     3.05e1         256.00
vxlan4-encap             active         1000       256000          0     2.00e1         256.00
"""


def installed(folder, leave_out=(), stub=STUB_OF_VPP):
    """A folder with stubs in place of VPP's programs."""
    for path, text in (("usr/bin/vpp", stub), ("usr/bin/vppctl", STUB_OF_VPPCTL),
                       ("usr/lib/x86_64-linux-gnu/vpp_plugins/dpdk_plugin.so", "")):
        if path in leave_out:
            continue
        where = Path(folder) / path
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_text(text, encoding="utf-8")
        where.chmod(0o755)
    return folder


def refusal(folder):
    try:
        vpp.System(folder)
    except machine.Trouble as trouble:
        return str(trouble)
    return ""


def task(name):
    workload = next(each for each in workloads.WORKLOADS if each.name == name)
    return system.Task(workload, {side: f"/x/{side}" for side in workload.sides}, "/x/7")


@test
def a_folder_without_a_vpp_that_runs_is_refused_in_one_line():
    with tempfile.TemporaryDirectory() as folder:
        said = refusal(os.path.join(folder, "nothing"))
        assert said.startswith("no VPP in ") and said.endswith("no vpp"), said
    for missing, reason in (("usr/bin/vppctl", "no vppctl"),
                            ("usr/lib/x86_64-linux-gnu/vpp_plugins/dpdk_plugin.so",
                             "no vpp_plugins/dpdk_plugin.so")):
        with tempfile.TemporaryDirectory() as folder:
            assert refusal(installed(folder, [missing])).endswith(reason)
    library = "#!/bin/sh\necho 'error while loading shared libraries: libvnet.so'\nexit 127\n"
    for stub in (library, "no program"):
        with tempfile.TemporaryDirectory() as folder:
            said = refusal(installed(folder, stub=stub))
            assert "does not run" in said and "\n" not in said, said


@test
def an_installed_vpp_is_found_and_asked_by_its_own_vppctl():
    with tempfile.TemporaryDirectory() as folder:
        found = vpp.System(installed(folder))
        assert found.installed.plugins.endswith("x86_64-linux-gnu/vpp_plugins")
        said = found.installed.run(found.installed.vppctl, "-s", "/x/cli.sock", "show", "version")
        assert said == "vpp v26.10-rc0 asked: show version\n", said


@test
def its_devices_and_buffers_are_those_of_the_others():
    text = vpp.startup(task("decap-1k"), "/opt/vpp_plugins")

    assert "vdev net_pcap0,rx_pcap=/x/underlay,infinite_rx=1 vdev net_null1,no-rx=1" in text
    assert "main-core 0 corelist-workers 1" in text
    assert "buffers-per-numa 262144 default data-size 2048" in text
    assert "path /opt/vpp_plugins" in text and "vxlan_plugin.so { enable }" in text
    assert text.count("{") == text.count("}")


@test
def into_a_tunnel_goes_by_a_bridge_domain_that_does_not_learn():
    said = vpp.commands(task("encap-1k"), "under", "tenant")

    assert "create bridge-domain 100 learn 0 forward 1 flood 0 uu-flood 0 arp-term 0" in said
    assert "create vxlan tunnel src 198.18.0.1 dst 198.18.0.2 vni 100 instance 0" in said
    assert f"set ip neighbor under 198.18.0.2 {frames.NEXT_HOP_MAC} static" in said
    assert said[-1] == f"l2fib add {frames.DESTINATION_MAC} 100 vxlan_tunnel0 static"
    assert not any("bypass" in line for line in said)


@test
def out_of_a_tunnel_goes_by_the_bypass():
    said = vpp.commands(task("decap-1k"), "under", "tenant")

    assert "set interface ip vxlan-bypass under" in said
    assert said[-1] == f"l2fib add {frames.DESTINATION_MAC} 100 tenant static"
    both = vpp.commands(task("ai-mix"), "under", "tenant")
    assert len([line for line in both if line.startswith("l2fib add")]) == 2


@test
def every_vtep_has_a_tunnel_and_every_used_endpoint_its_own():
    said = vpp.commands(task("endpoints-100k"), "under", "tenant")

    assert sum(line.startswith("create vxlan tunnel") for line in said) == workloads.VTEPS
    assert sum(line.startswith("l2fib add") for line in said) == 100_000


@test
def counters_are_those_of_both_ports_and_every_drop():
    assert list(vpp.interfaces(INTERFACES)) == ["local0", "UnknownEthernet0", "UnknownEthernet1",
                                                "vxlan_tunnel0"]
    names = vpp.devices_of(INTERFACES)
    assert names == ("UnknownEthernet0", "UnknownEthernet1")
    assert vpp.totals(INTERFACES, names, 5.0) == system.Counters(5.0, 2000074, 2000000,
                                                                 3 + 4 + 5 + 1)
    try:
        vpp.devices_of("local0   0  down  0/0/0/0\n")
        raise AssertionError("no interface was enough")
    except machine.Trouble as trouble:
        assert "net_pcap" in str(trouble)


@test
def nodes_that_carried_packets_are_read_from_all_threads():
    found = vpp.nodes(RUNTIME)

    assert found["vxlan4-encap"] == (256000, 20.0, 256.0)
    assert found["dpdk-input"] == (256000, 30.5, 256.0)
    assert "dpdk-process" not in found
    assert vpp.wanted_nodes(task("encap-1k").workload) == ["vxlan4-encap"]
    assert vpp.wanted_nodes(task("ai-mix").workload) == ["vxlan4-encap", "ip4-vxlan-bypass",
                                                         "vxlan4-input"]


@test
def what_it_refuses_is_seen_and_what_it_answers_is_not():
    assert vpp.complaints("vxlan_tunnel0\nbridge-domain 100\n") == []
    assert vpp.complaints("set interface l2 bridge: unknown interface `x'\n")
    assert vpp.complaints("exec: parse error: l2fib\n")


run()

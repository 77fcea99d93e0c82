# SPDX-License-Identifier: Apache-2.0
"""What a system test needs, in one import, wherever it is started from."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))

# pylint: disable=wrong-import-position
import golden  # noqa: E402
import roce  # noqa: E402
import stall  # noqa: E402
from api import Api  # noqa: E402
from certificates import Authority, Certificate  # noqa: E402
from counters import Counters  # noqa: E402
from echo import ping  # noqa: E402
from fail_calls import MEMORY, SYSTEM_CALLS, FailCalls  # noqa: E402
from guest import Guest  # noqa: E402
from hugepages import Hugepages  # noqa: E402
from iperf3 import Iperf3  # noqa: E402
from kernel_peer import KernelPeer, KernelPeerOverXdp, Link  # noqa: E402
from leftovers import Leftovers  # noqa: E402
from ovs_peer import OvsPeer  # noqa: E402
from pulse import Pulse  # noqa: E402
from scenario import (SIDES, UNDERLAY_MTU, VNI, TenantHost, TwoGateways, all_shots,  # noqa: E402
                      intent_of, settle, sockets_lost)
from stops import Stops, overlaps  # noqa: E402
from tagged import TaggedPort, tag  # noqa: E402
from tap import Skip, run, test  # noqa: E402
from tenants import TwoTenants, mac_among_many  # noqa: E402
from testbed import (ROOT, USER, Gateway, Namespace, Testbed, TestbedError,  # noqa: E402
                     build_folder, command, find_program, shape, wait_for)
from traffic import Direction, InNamespace, RawPort, Replay, Shot  # noqa: E402

__all__ = [
    "MEMORY", "ROOT", "SIDES", "SYSTEM_CALLS", "UNDERLAY_MTU", "USER", "VNI", "Api", "Authority",
    "Certificate", "Counters", "Direction", "FailCalls", "Gateway", "Guest", "Hugepages",
    "InNamespace", "Iperf3", "KernelPeer", "KernelPeerOverXdp", "Leftovers", "Link", "Namespace",
    "OvsPeer", "Pulse", "RawPort", "Replay", "Shot", "Skip", "Stops", "TaggedPort", "TenantHost",
    "Testbed", "TestbedError", "TwoGateways", "TwoTenants", "all_shots", "build_folder",
    "check_gateways", "check_replay", "command", "find_program", "golden", "intent_of",
    "mac_among_many", "overlaps", "ping", "roce", "run", "settle", "shape", "sockets_lost",
    "stall", "tag", "test", "wait_for"]


def check_replay(replay):
    """Each frame once, in order, undamaged."""
    assert replay.faults() == [], f"{replay.faults()}: {replay.report()}"


def check_gateways(gateways, but=()):
    """Nothing moves any more, everything is accounted for, nothing was dropped for other reasons
    than `but`."""
    for gateway, counters in zip(gateways, settle(gateways)):
        assert counters.faults(but) == [], f"{gateway.name}: {counters.faults(but)}"


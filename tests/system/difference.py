#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Only the difference goes to the data plane: one endpoint changed among 100,000 is one record."""

import os

from context import Gateway, Testbed, run, test

ENDPOINTS = int(os.environ.get("WEIR_ROUNDS", 100_000))


def mac(number):
    return f"02:00:00:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"


def intent():
    return {"ports": [{"name": name, "role": "tenant", "device": f"net_ring{number}",
                       "network": "blue"} for number, name in enumerate(("p0", "p1"))],
            "networks": [{"name": "blue", "vni": 100}],
            "endpoints": [{"network": "blue", "mac": mac(number), "port": "p0"}
                          for number in range(ENDPOINTS)]}


def records(gateway):
    return gateway.show("status")["dataplane"]["records"]


@test
def one_endpoint_changed_among_many_is_one_record():
    with Testbed("difference") as bed:
        gateway = Gateway(bed, "gw1", options=("--endpoints", ENDPOINTS * 21 // 20)).start()
        gateway.apply(intent())
        before = records(gateway)
        assert before >= ENDPOINTS
        assert "unchanged" in gateway.apply(intent())
        assert records(gateway) == before
        gateway.weir("endpoint", "set", f"blue/{mac(77_777)}", "port", "p1")
        assert records(gateway) == before + 1
        changed = intent()
        changed["endpoints"][77_777]["port"] = "p1"
        gateway.apply(changed)                      # Already so: nothing to send.
        assert records(gateway) == before + 1
        changed["endpoints"][5]["port"] = "p1"
        gateway.apply(changed)
        assert records(gateway) == before + 2


run()

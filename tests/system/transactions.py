#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Changes are done whole or not at all, whatever dies meanwhile: what nobody confirms is undone on
time, what was acknowledged stays, and every change has its author and its way back."""

import http.client
import itertools
import json
import os
import random
import threading
import time

from context import Api, Gateway, Testbed, run, test, wait_for

INTENT = {"ports": [{"name": name, "role": "tenant", "device": f"net_ring{number}",
                     "network": "blue"} for number, name in enumerate(("p0", "p1"))],
          "networks": [{"name": "blue", "vni": 100}]}
WINDOW = 1.0                    # Seconds until a change is undone.
LATE = 1.0                      # After the deadline, or after the return of the control plane.


def rounds(short):
    return int(os.environ.get("WEIR_ROUNDS", short))


def endpoint(number):
    mac = f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"
    return {"verb": "add", "kind": "endpoint",
            "fields": {"network": "blue", "mac": mac, "port": "p0"}}


@test
def what_nobody_confirms_is_undone_though_the_control_plane_is_killed():
    chance = random.Random(6)
    late = []
    with Testbed("unconfirmed") as bed:
        gateway = Gateway(bed, "gw1").start()
        gateway.apply(INTENT)
        before = gateway.show("intent", "show")
        for number in range(rounds(20)):
            answer = gateway.show("network", "add", "red", "vni", 200 + number,
                                  "--confirm-within", f"{WINDOW:.0f}s")
            assert answer["status"] == "applied", answer
            deadline = time.monotonic() + WINDOW
            assert gateway.show("intent", "show", "--running") != before
            # Now and then it is away beyond the deadline.
            time.sleep(chance.uniform(0, 0.8 * WINDOW))
            gateway.controlplane.kill()
            time.sleep(chance.choice((0, 0, 0, WINDOW)))
            gateway.start_controlplane()
            due = max(deadline, time.monotonic())
            wait_for(lambda: gateway.show("intent", "show") == before, "the change is undone", 10)
            gateway.wait_in_sync()
            late.append(time.monotonic() - due)
            assert gateway.show("intent", "show", "--running") == before
        last = gateway.show("history")["history"][0]
        assert last["what"].startswith("undo change"), last
        print(f"# {len(late)} undone, the latest {max(late):.2f} s after it was due")
        assert max(late) < LATE, late


def acknowledge(gateway, numbers, acknowledged, refused):
    """Adds endpoints one after the other until the connection ends."""
    api = Api(gateway.socket)
    for number in numbers:
        try:
            api.batch(endpoint(number))
        except RuntimeError as error:
            refused.append(error)
            return
        except (OSError, ValueError, http.client.HTTPException):
            return
        acknowledged.append(number)


@test
def what_was_acknowledged_survives_a_kill_at_any_moment():
    chance = random.Random(13)
    numbers = itertools.count(1)
    with Testbed("kills") as bed:
        gateway = Gateway(bed, "gw1").start()
        gateway.apply(INTENT)
        acknowledged, refused = [], []
        for _ in range(rounds(200)):
            writer = threading.Thread(target=acknowledge,
                                      args=(gateway, numbers, acknowledged, refused))
            writer.start()
            time.sleep(chance.uniform(0.005, 0.06))
            gateway.controlplane.kill()
            writer.join(10)
            assert not refused, refused
            gateway.start_controlplane()
            gateway.wait_in_sync()
            assert gateway.show("status")["store"]["alarm"] == ""
            stored = {one["mac"] for one in gateway.show("endpoint", "show")["endpoints"]}
            wanted = {endpoint(number)["fields"]["mac"] for number in acknowledged}
            assert wanted <= stored, f"lost: {sorted(wanted - stored)}"
            # Each kill can leave one change that was done and not told.
            assert len(stored - wanted) <= 1, sorted(stored - wanted)
            acknowledged = [number for number in range(1, next(numbers) + 1)
                            if endpoint(number)["fields"]["mac"] in stored]
        finished = [entry for entry in gateway.show("history")["history"]
                    if "finished after a restart" in entry["what"]]
        print(f"# {len(acknowledged)} endpoints; of the last 50 changes {len(finished)} were "
              "finished after a restart")
        assert len(acknowledged) > rounds(200)


@test
def every_change_has_its_author_its_owner_and_its_way_back():
    with Testbed("changes") as bed:
        gateway = Gateway(bed, "gw1").start()
        gateway.apply(INTENT)
        first = gateway.show("intent", "show")
        assert "saved as good" in gateway.weir("save", "good")
        gateway.weir("network", "add", "red", "vni", 200)
        path = bed.folder / "gw1-intent.json"
        assert "1 object that a command owns stays" in gateway.weir("diff", path)
        assert "network red" in gateway.weir("diff", path, "--takeover")
        patch = bed.folder / "patch.json"
        patch.write_text(json.dumps([{"op": "replace", "path": "/networks/red/vni", "value": 300}]))
        assert "200 → 300" in gateway.weir("patch", patch)
        entries = gateway.show("history")["history"]
        assert [entry["what"] for entry in entries] == [
            "patch", "add network red", "save good", f"apply {path}"]
        assert all(entry["user"] == "root" and entry["pid"] > 0 for entry in entries)
        assert entries[0]["generation"] == gateway.show("status")["dataplane"]["generation"]
        gateway.weir("rollback", entries[1]["number"])
        assert gateway.show("network", "show", "red")["vni"] == 200
        assert gateway.show("network", "show", "red")["owner"] == "command"
        gateway.weir("rollback", "good", "--confirm-within", "60s")
        assert gateway.show("intent", "show", "--running") == first
        status, text = gateway.weir_refused("network", "add", "pink", "vni", 7)
        assert status == 1 and "waits for its confirmation" in text, text
        assert "is undone in" in gateway.weir("status")
        assert "stays" in gateway.weir("confirm")
        assert gateway.weir_refused("confirm")[0] == 1
        gateway.wait_in_sync()


run()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Egress queues of a running gateway: what is wrong is refused with object, field and reason while
traffic goes on; what is right is shown, counted by name, kept over a restart, and taken away."""

import json
import subprocess

from context import (Api, Replay, Testbed, TwoGateways, all_shots, check_gateways, check_replay,
                     run, test, wait_for)

METRICS = "127.0.0.1:9112"
BULK = ("wire0/3", "carries", "data", "dscp", "26", "buffer", "4M", "kmin", "500K", "kmax", "2M",
        "pmax", "5%", "rate", "5G")
# Fields of a queue at wire0/3 that make no sense, and what the refusal has to name.
WRONG = {
    "kmin above kmax": (("kmin", "200K", "kmax", "100K", "pmax", "5%"), ("kmin", "200K", "100K")),
    "more than all": (("kmin", "1K", "kmax", "2K", "pmax", "150%"), ("pmax", "0%..100%", "150%")),
    "thresholds beyond the buffer": (("kmin", "1K", "kmax", "2M", "pmax", "5%"),
                                     ("kmax", "2M", "buffer", "1Mi")),
    "half a marker": (("kmin", "1K"), ("kmax", "missing")),
    "a marker without a share": (("kmin", "1K", "kmax", "2K"), ("pmax", "missing")),
    "a DSCP that another class has": (("dscp", "46"), ("dscp", "46", "queue wire0/5")),
    "traffic that another class has": (("carries", "cm"), ("carries", "cm", "queue wire0/5")),
    "a rate of zero": (("rate", "0"), ("rate", "1M..1T", "nearest: 1M")),
    "another notation": (("rate", "10Gbit"), ("rate", "10Gbit", "nearest: 10G")),
    "a burst without a rate": (("burst", "64Ki"), ("burst", "rate")),
    "a burst below a frame": (("rate", "1G", "burst", "1K"), ("burst", "9Ki")),
    "a buffer of nothing": (("buffer", "0"), ("buffer", "16Ki..64Mi")),
    "no such field": (("kmim", "1K"), ("kmim", "nearest: kmin")),
}
# Whole commands, likewise.
MISTYPED = (
    (("queue", "add", "wire0/8"), ("traffic_class", "0..7")),
    (("queue", "add", "wire9/3"), ("port", "wire9", "nearest: wire0")),
    (("queue", "set", "wire0/4", "rate", "1G"), ("wire0/4", "nearest: wire0/5")),
    (("queue", "add", "wire0/5"), ("wire0/5", "exists already")),
    (("queue", "show", "wire9"), ("wire9", "nearest: wire0")),
    (("port", "delete", "wire0"), ("in use", "queue wire0/5")),
    (("port", "set", "wire0", "rate", "0"), ("rate", "1M..1T")),
)


def classes(gateway, *words):
    return {one["name"]: one for one in gateway.show("queue", "show", *words)["traffic_classes"]}


@test
def wrong_queues_are_refused_and_what_runs_keeps_running():
    with Testbed("queues-wrong") as bed:
        scenario = TwoGateways(bed).start()
        gateway = scenario.gateways[0]
        # Not ACKs: they would overtake READ responses of their QP when frames wait.
        gateway.weir("queue", "add", "wire0/5", "dscp", "46", "carries", "cm")
        before = gateway.show("intent", "show")
        generation = gateway.show("status")["dataplane"]["generation"]
        cases = [(("queue", "add", "wire0/3", *fields), ("wire0/3", *named))
                 for fields, named in WRONG.values()] + list(MISTYPED)

        def refuse_next():
            if not cases:
                return False
            words, named = cases.pop()
            status, message = gateway.weir_refused(*words)
            assert status == 1, (words, status, message)
            for word in named:
                assert word in message, (words, word, message)
            return True

        replay = Replay(scenario.roce_ports(), all_shots(), frames_per_second=1000)
        replay.run(seconds=30, while_running=refuse_next)
        assert not cases
        check_replay(replay)
        assert gateway.show("intent", "show") == before
        assert gateway.show("status")["dataplane"]["generation"] == generation
        check_gateways(scenario.gateways)


@test
def a_queue_is_shown_counted_kept_and_removed():
    with Testbed("queues-shown") as bed:
        gateway = TwoGateways(bed).start().gateways[0]
        assert gateway.show("queue", "show")["traffic_classes"] == []
        assert "no port has a rate or a queue" in gateway.weir("queue", "show")
        gateway.weir("queue", "add", *BULK)
        gateway.weir("port", "set", "wire0", "rate", "10G")
        shown = classes(gateway)
        assert sorted(shown) == [f"wire0/{number}" for number in range(8)]
        bulk = shown["wire0/3"]
        workers = gateway.show("status")["dataplane"]["workers"]
        assert 0 <= bulk["home_worker"] < workers
        assert {one["home_worker"] for one in shown.values()} == {bulk["home_worker"]}
        expected = {"configured": True, "rate": 5_000_000_000, "port_rate": 10_000_000_000,
                    "buffer": 4_000_000, "kmin": 500_000, "kmax": 2_000_000, "pmax": 5,
                    "not_ect": "drop", "mark": "outer", "mark_control": False, "dscp": [26],
                    "carries": ["data"], "burst": 62_500, "strict": False}
        assert {name: bulk[name] for name in expected} == expected
        assert shown["wire0/6"]["strict"] and not shown["wire0/6"]["configured"]
        assert list(classes(gateway, "wire0/3")) == ["wire0/3"]
        assert "wire0/3" in gateway.weir("queue", "show", "wire0")
        assert "10G" in gateway.weir("port", "show")

        generation = gateway.show("status")["dataplane"]["generation"]
        gateway.controlplane.stop()
        gateway.start_controlplane("--metrics-listen", METRICS)
        gateway.wait_in_sync()
        assert gateway.show("status")["dataplane"]["generation"] == generation
        assert classes(gateway)["wire0/3"]["kmax"] == 2_000_000
        check_metrics(gateway)

        gateway.weir("queue", "delete", "wire0/3")
        assert not classes(gateway)["wire0/3"]["configured"]
        gateway.weir("port", "set", "wire0", "rate", "")
        assert classes(gateway) == {}


def check_metrics(gateway):
    """Queues of wire0 are there, those of ports without any are not."""
    text = gateway.namespace.run("curl", "-sS", "--max-time", 10, f"http://{METRICS}/metrics")
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                             capture_output=True, timeout=60, check=False)
    assert checked.returncode == 0 and not checked.stderr, checked.stdout + checked.stderr
    lines = [line for line in text.splitlines() if line.startswith("weir_queue_")]
    assert any(line.startswith('weir_queue_marked_packets_total{port="wire0",traffic_class="3"} ')
               for line in lines), lines
    assert not any('port="host0"' in line for line in lines), lines


@test
def a_watch_draws_or_prints_a_line_each_time():
    with Testbed("queues-watch") as bed:
        gateway = TwoGateways(bed).start().gateways[0]
        gateway.weir("queue", "add", *BULK)
        words = ("queue", "watch", "wire0/3", "--interval", "0.1")
        lines = bed.start("watch-json", gateway.command_line("-j", *words))
        drawn = bed.start("watch", gateway.command_line(*words))
        wait_for(lambda: lines.log().count("\n") >= 3, "three lines")
        wait_for(lambda: drawn.log().count("wire0/3") >= 3, "three frames")
        lines.stop()
        drawn.stop()
        status, schema = Api(gateway.socket).ask("GET", "/v1/schema/queue_watch")
        assert status == 200
        required = schema["properties"]["traffic_classes"]["items"]["required"]
        for line in lines.log().splitlines():
            document = json.loads(line)
            assert [one["name"] for one in document["traffic_classes"]] == ["wire0/3"]
            assert not set(required) - set(document["traffic_classes"][0])
            assert 0.05 < document["seconds"] < 5
        assert "marks/s" in drawn.log() and "┊" in drawn.log()


run()

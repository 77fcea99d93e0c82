#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""/metrics is what Prometheus takes, says what the CLI says, and nothing else is on that port."""

import subprocess

from context import Replay, Testbed, TwoGateways, all_shots, check_replay, run, settle, test

ADDRESS = "127.0.0.1:9111"


def fetch(gateway, path, *options):
    return gateway.namespace.run("curl", "-sS", "--max-time", 10, *options,
                                 f"http://{ADDRESS}{path}", check=False)


def value_of(text, name, **labels):
    """The sum of a metric's samples that carry these labels."""
    total = 0.0
    for line in text.splitlines():
        if line.startswith(name + "{") or line.startswith(name + " "):
            if all(f'{key}="{value}"' in line for key, value in labels.items()):
                total += float(line.rsplit(" ", 1)[1])
    return total


@test
def metrics_are_clean_and_say_what_the_cli_says():
    with Testbed("metrics") as bed:
        scenario = TwoGateways(bed).start()
        gateway = scenario.gateways[0]
        gateway.controlplane.stop()
        gateway.start_controlplane("--metrics-listen", ADDRESS)
        gateway.wait_in_sync()
        check_replay(Replay(scenario.roce_ports(), all_shots()).run(rounds=1))
        counters = settle([gateway])[0]
        text = fetch(gateway, "/metrics")
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                                 capture_output=True, timeout=60, check=False)
        assert checked.returncode == 0 and not checked.stderr, checked.stdout + checked.stderr
        for port in ("host0", "wire0"):
            for direction in ("rx", "tx"):
                shown = counters.port(port)[f"{direction}_packets"]
                # Hosts say things of their own between the two looks.
                counted = value_of(text, f"weir_port_{direction}_packets_total", port=port)
                assert 0 <= counted - shown < 20, (port, direction, counted, shown)
        assert value_of(text, "weir_neighbour_usable", neighbour="wire0/198.18.0.1") == 1
        assert "weir_accounting_mismatch_packets{" in text
        assert value_of(text, "weir_accounting_mismatch_packets") == 0


@test
def only_metrics_and_health_are_served_over_tcp():
    with Testbed("metrics-only") as bed:
        gateway = TwoGateways(bed).gateways[0]
        gateway.start_dataplane()
        gateway.start_controlplane("--metrics-listen", ADDRESS)
        status = ("-o", "/dev/null", "-w", "%{http_code}")
        assert fetch(gateway, "/healthz", *status) == "200"
        for path in ("/v1/status", "/v1/intent", "/"):
            assert fetch(gateway, path, *status) == "404", path


run()

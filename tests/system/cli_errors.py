#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A wrong file is refused with its line, the field and the nearest right thing, and what runs keeps
running as it was."""

from context import Replay, Testbed, TwoGateways, all_shots, check_replay, run, test

# What is wrong, and what the message has to name.
WRONG = {
    "a field that does not exist": (
        "ports:\n  - {name: wire0, rol: underlay, device: net_null0}\n",
        (":2:", "rol", "role")),
    "a network that does not exist": (
        "networks:\n  - {name: blue, vni: 100}\n"
        "ports:\n  - {name: p0, role: tenant, device: net_null0, network: bleu}\n",
        (":4:", "network", "bleu", "blue")),
    "half a MAC": (
        "networks:\n  - {name: blue, vni: 100}\n"
        "endpoints:\n  - network: blue\n    mac: 02:00:00\n    port: host0\n",
        (":5:", "mac", "02:00:00:")),
    "a VNI beyond 24 bits": (
        "networks:\n  - {name: blue, vni: 16777216}\n", (":2:", "vni", "16777215")),
    "a bracket that is not closed": ("ports: [\n", (":2:", "YAML")),
}
# Command lines, exit status, and what the message has to name.
MISTYPED = (
    (("prot", "show"), 2, "port"),
    (("apply", "/nonexistent/file.yaml"), 2, "/nonexistent/file.yaml"),
    (("endpoint", "set", "blue/02:00:00:00:11:02", "port", "host0"), 1, "02:00:00:00:11:01"),
    (("network", "set", "blue", "vin", "7"), 1, "vni"),
)


@test
def wrong_files_are_refused_and_what_runs_keeps_running():
    with Testbed("cli-errors") as bed:
        scenario = TwoGateways(bed).start()
        gateway = scenario.gateways[0]
        before = gateway.show("intent", "show")
        generation = gateway.show("status")["dataplane"]["generation"]
        cases = [(words, 1, named) for words, named in written(bed.folder)]
        cases += [(words, status, (named,)) for words, status, named in MISTYPED]

        def refuse_next():
            if not cases:
                return False
            words, status, named = cases.pop()
            result, message = gateway.weir_refused(*words)
            assert result == status, (words, result, message)
            for word in named:
                assert word in message, (words, word, message)
            return True

        replay = Replay(scenario.roce_ports(), all_shots(), frames_per_second=1000)
        replay.run(seconds=30, while_running=refuse_next)
        assert not cases
        check_replay(replay)
        assert gateway.show("intent", "show") == before
        assert gateway.show("status")["dataplane"]["generation"] == generation


def written(folder):
    """Both commands that take a file, for each wrong file."""
    for number, (text, named) in enumerate(WRONG.values()):
        path = folder / f"wrong{number}.yaml"
        path.write_text(text)
        for verb in ("check", "apply"):
            yield (verb, path), (path.name, *named)


@test
def a_control_plane_that_is_not_there_is_said_so():
    with Testbed("cli-nobody") as bed:
        gateway = TwoGateways(bed).gateways[0]
        status, message = gateway.weir_refused("status")
        assert status == 3 and str(gateway.socket) in message


run()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the pipelines to their budget of instructions per packet (instructions.budget).

usage: test_instructions.py PROGRAM"""

import sys
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TREE / "tests" / "support"), str(TREE / "tools")]

from benchmark import instructions            # noqa: E402
from tap import run, test                     # noqa: E402

PROGRAM = sys.argv.pop(1)


@test
def pipelines_keep_to_their_budget():
    found = instructions.count(PROGRAM)
    budget = instructions.read_budget()
    for name, number in found.items():
        print(f"# {name}: {number}")

    wrong = {name: text for name, text in instructions.verdict(found, budget).items() if text}
    assert not wrong, "\n".join(f"{name} {text}" for name, text in wrong.items())


@test
def dearer_and_much_cheaper_cases_are_noticed():
    budget = {"dear": 100.0, "cheap": 100.0, "same": 100.0, "a bit": 100.0, "gone": 1.0}
    found = {"dear": 103.1, "cheap": 89.0, "same": 100.0, "a bit": 102.9, "new": 5.0}
    wrong = instructions.verdict(found, budget)

    assert {name for name, text in wrong.items() if text} == {"dear", "cheap", "gone", "new"}
    assert "lower the budget" in wrong["cheap"]


@test
def counts_belong_to_their_cases():
    output = "a b: 1000 packets\nc: 10 packets\n"

    assert instructions.per_packet(output, [2000, 50]) == {"a b": 2.0, "c": 5.0}
    for totals in ([2000], [2000, 0], []):
        try:
            instructions.per_packet(output, totals)
        except instructions.machine.Trouble:
            continue
        raise AssertionError(f"{totals} were taken")


run()

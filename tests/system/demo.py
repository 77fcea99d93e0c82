#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tools/demo: both scenarios find nothing wrong, and leave nothing behind, whenever they are
interrupted."""

import contextlib
import json
import math
import os
import signal
import subprocess
import time
import unittest.mock

from context import ROOT, Namespace, Testbed, run, shape, test
from leftovers import hugepages, make_mark, named, processes_with
from testbed import die_with_parent

DEMO = str(ROOT / "tools" / "demo")


def same_in_any_shape(function):
    """The incast has one worker in each gateway: once is enough."""
    return test(function) if shape() == (1, 1) else function


class Demo:
    """A running demo and what it could leave behind."""

    def __init__(self, *options):
        self.mark = make_mark()
        self.hugepages = hugepages()
        self.popen = subprocess.Popen([DEMO, *options], stdout=subprocess.PIPE, text=True,
                                      stderr=subprocess.PIPE, start_new_session=True,
                                      preexec_fn=die_with_parent,
                                      env={**os.environ, **self.mark})

    def finish(self, seconds):
        """Exit status and output, after it has been looked for leftovers."""
        output, errors = self.popen.communicate(timeout=seconds)
        assert processes_with(self.mark) == []
        assert named(f"weir-{self.popen.pid}-") == []
        assert hugepages() == self.hugepages
        return self.popen.returncode, output, errors


@test
def demo_accounts_for_every_frame():
    status, output, errors = Demo("--scenario", "exchange", "--seconds", "4",
                                  "--json").finish(180)
    lines = [json.loads(line) for line in output.splitlines()]
    assert status == 0, (lines[-1:] or output, errors[-2000:])
    summary = lines[-1]["summary"]
    assert summary["faults"] == []
    for direction in summary["roce"]["directions"]:
        assert direction["sent"] == direction["received"] > 1000
    for totals in summary["gateways"].values():
        assert totals["mismatch"] == 0 and totals["rx"] > 1000
    seconds = lines[:-1]
    assert len(seconds) >= 4 and all(line["drops"] == {} for line in seconds)
    assert sum(line["ce"] for line in seconds) > 0
    assert {"send", "write", "read", "atomic", "ack"} <= set(
        key for line in seconds for key in line["operations"])


@same_in_any_shape
def incast_is_marked_by_the_curve_shared_fairly_and_loses_nothing():
    status, output, errors = Demo("--seconds", "8", "--json").finish(180)
    lines = [json.loads(line) for line in output.splitlines()]
    assert status == 0, (lines[-1:] or output, errors[-2000:])
    summary = lines[-1]["summary"]
    print(f"# {summary}")
    assert summary["faults"] == []
    curve = summary["curve"]
    assert curve["marked"] > 500 and curve["deviations"] <= 4
    assert abs(curve["marked"] - curve["expected"]) < 4 * math.sqrt(curve["expected"])
    assert summary["losses"] == dict.fromkeys(summary["losses"], 0) and "lost" in summary["losses"]
    assert summary["jain_index"] >= 0.9 and len(summary["queue_pair_mbit_s"]) == 8
    assert summary["standing"]["seconds"] >= 3 and summary["standing"]["frames_per_s"] > 15_000
    assert 0 < sum(summary["queue_pair_mbit_s"]) <= 200
    marked = [line for line in lines[:-1] if line["phase"] == "marked"]
    assert len(marked) >= 7 and all(line["drops"] == {} for line in marked)
    assert sum(line["marked_per_s"] for line in marked) > 0
    assert sum(line["cnps_per_s"] for line in marked) > 0
    unmarked = [line for line in lines[:-1] if line["phase"] == "unmarked"]
    assert unmarked and all(line["marked_per_s"] == 0 for line in unmarked)
    assert summary["unmarked"]["queue_full"] > 0 and summary["unmarked"]["repeated"] > 0


def interrupt(delays, *options):
    """Each of the demos, which run beside each other, after its own delay."""
    began = time.monotonic()
    demos = [Demo("--seconds", "60", *options) for _ in delays]
    for delay, demo in zip(delays, demos):
        time.sleep(max(0.0, began + delay - time.monotonic()))
        os.killpg(demo.popen.pid, signal.SIGINT)  # As Ctrl-C does: the whole foreground group.
    for delay, demo in zip(delays, demos):
        status, _, errors = demo.finish(60)
        assert status in (130, -signal.SIGINT), (delay, status, errors[-2000:])


@test
def interrupted_exchange_leaves_nothing_behind():
    for delays in ((1.0, 3.5), (2.0, 6.0)):
        interrupt(delays, "--scenario", "exchange")


@same_in_any_shape
def interrupted_incast_leaves_nothing_behind():
    for delays in ((0.3, 7.0), (1.5, 4.5), (2.5, 3.5)):
        interrupt(delays)


@test
def namespace_interrupted_while_it_is_made_goes_as_well():
    with unittest.mock.patch.object(Namespace, "run", side_effect=KeyboardInterrupt):
        with contextlib.suppress(KeyboardInterrupt), Testbed("interrupted") as bed:
            bed.namespace("half")

    assert named(f"{bed.prefix}-") == []


@test
def clean_up_interrupted_at_its_start_is_done_again():
    bed = Testbed("interrupted-close")
    bed.namespace("one")
    with unittest.mock.patch.object(signal, "signal", side_effect=KeyboardInterrupt):
        with contextlib.suppress(KeyboardInterrupt):
            bed.close()
    bed.close()                                  # As at the end of the program.

    assert named(f"{bed.prefix}-") == []


@test
def kept_demo_says_which_commands_to_try():
    demo = Demo("--seconds", "1", "--keep")
    text = ""
    while "tcpdump" not in text:
        line = demo.popen.stdout.readline()
        assert line, f"ended early: {demo.popen.communicate()[1][-2000:]}"
        text += line
    tried = 0
    environment = dict(os.environ)
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["export"]:
            name, _, value = words[1].partition("=")
            environment[name] = value
        elif words[:1] and words[0].endswith("/weir") and "--watch=1" not in words \
                and words[1:3] != ["queue", "watch"]:
            subprocess.run(words, env=environment, check=True, timeout=30, capture_output=True)
            tried += 1
    assert tried >= 12 and "queue watch" in text
    os.killpg(demo.popen.pid, signal.SIGINT)
    assert demo.finish(60)[0] == 130


@test
def kept_demo_says_nothing_but_json_where_json_is_wanted():
    demo = Demo("--scenario", "exchange", "--seconds", "1", "--keep", "--json")
    while "tcpdump" not in (line := demo.popen.stderr.readline()):
        assert line, "ended early"
    os.killpg(demo.popen.pid, signal.SIGINT)
    status, output, _ = demo.finish(60)
    assert status == 130
    assert "summary" in [json.loads(line) for line in output.splitlines()][-1]


@test
def wrong_options_are_explained():
    for options, word in ((["--second", "3"], "--seconds"), (["--seconds", "x"], "number"),
                          (["--scenario", "incst"], "incast")):
        result = subprocess.run([DEMO, *options], capture_output=True, text=True, check=False)
        assert result.returncode == 2 and word in result.stderr
    assert "--keep" in subprocess.run([DEMO, "--help"], capture_output=True, text=True,
                                      check=True).stdout


run()

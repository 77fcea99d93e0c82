#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tools/test_processes.py: what limits commands have, what they leave behind, who goes first."""

import contextlib
import os
import re
import sys
import tempfile
import time
from pathlib import Path

from leftovers import make_mark, processes_with
from tap import run, test

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "tools"))

# pylint: disable=wrong-import-position
import test_processes  # noqa: E402

CAP_SYS_NICE = 23
# The shell dies of a SIGTERM and leaves its child, which ignores it.
STUBBORN = "sh -c \'trap \"\" TERM; sleep 600; sleep 600\' & wait"


def wait_until(condition, what):
    ends = time.monotonic() + 60                 # Who is idle waits for all the others.
    while not condition():
        assert time.monotonic() < ends, what
        time.sleep(0.01)


def quietly(function, *arguments, **keywords):
    """Standard output is TAP's."""
    with contextlib.redirect_stdout(sys.stderr):
        return function(*arguments, **keywords)


def may_hurry():
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"CapEff:\s+(\w+)", text)[1], 16) >> CAP_SYS_NICE & 1


@test
def a_command_gives_its_status():
    assert quietly(test_processes.run, ["sh", "-c", "exit 3"], 10) == 3


@test
def a_command_that_takes_too_long_is_ended_with_all_that_it_started():
    mark = make_mark()
    started = time.monotonic()
    status = quietly(test_processes.run, ["sh", "-c", STUBBORN], 0.5, env={**os.environ, **mark})
    assert status == 124 and time.monotonic() - started < 10
    wait_until(lambda: processes_with(mark) == [], "the end of all")


@test
def what_runs_beside_is_idle_until_it_hurries_and_ends_when_told():
    with tempfile.TemporaryDirectory() as folder:
        beside = quietly(test_processes.Beside, ["sh", "-c", STUBBORN], Path(folder) / "log")
        pid = beside.process.pid
        wait_until(lambda: len(test_processes.family(pid)) == 3, "its family")
        members = test_processes.family(pid)
        assert {os.sched_getscheduler(each) for each in members} == {os.SCHED_IDLE}
        assert os.getsid(pid) == pid
        beside.hurry()
        expected = os.SCHED_OTHER if may_hurry() else os.SCHED_IDLE
        assert {os.sched_getscheduler(each) for each in members} == {expected}
        beside.end()
        wait_until(lambda: not set(members) & set(test_processes.processes()), "its end")


@test
def what_runs_beside_gives_its_status():
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        beside = quietly(test_processes.Beside, ["sh", "-c", "echo heard; exit 5"], log)
        assert quietly(beside.finish, 10) == 5
        assert log.read_text() == "heard\n"


@test
def what_runs_beside_ends_with_a_parent_that_is_killed():
    mark = make_mark()
    script = ("import os, sys, time; sys.path.insert(0, sys.argv[1]); import test_processes; "
              "from pathlib import Path; "
              "beside = test_processes.Beside(['sleep', '600'], Path('/dev/null')); "
              "name = Path(f'/proc/{beside.process.pid}/comm')\n"
              "while name.read_text() != 'sleep\\n': time.sleep(0.01)\n"
              "os.kill(os.getpid(), 9)")
    tools = str(Path(test_processes.__file__).parent)
    assert quietly(test_processes.run, [sys.executable, "-c", script, tools], 60,
                   stdout=sys.stderr, env={**os.environ, **mark}) == -9
    wait_until(lambda: processes_with(mark) == [], "the end of all")


run()

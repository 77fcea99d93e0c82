#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""weir-supervisor: what it starts again, hears, watches and passes on, and how it ends."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))

from tap import run, test  # noqa: E402  # pylint: disable=wrong-import-position

SUPERVISOR = os.environ["WEIR_SUPERVISOR"]
# A program that says things: python3 -c SAYS+"say('READY=1')\n…".
SAYS = """
import os, socket, sys, time
def say(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.sendto(text.encode(), "\\0" + os.environ["NOTIFY_SOCKET"][1:])
def die():
    os.kill(os.getpid(), 9)
"""


def wait_for(condition, what, seconds=20):
    ends = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < ends, f"waited in vain: {what}"
        time.sleep(0.005)
    return value


class Supervised:
    """with Supervised(["sh", "-c", "…"]) as it: it.pid() is the program's process."""

    def __init__(self, command, *options):
        self.folder = tempfile.TemporaryDirectory()
        self.pid_file = Path(self.folder.name) / "pid"
        self.log_file = Path(self.folder.name) / "log"
        with open(self.log_file, "wb") as log:
            self.popen = subprocess.Popen([SUPERVISOR, "--pid-file", self.pid_file, *options,
                                           *command], stderr=log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.popen.terminate()
        self.popen.wait(10)
        self.folder.cleanup()

    def pid(self, other_than=None):
        def other():
            text = self.pid_file.read_text() if self.pid_file.exists() else ""
            return int(text) if text and int(text) != other_than else None
        return wait_for(other, "a new process")

    def log(self):
        return self.log_file.read_text()

    def lines(self, event):
        return [line for line in self.log().splitlines() if f"event={event}" in line]

    def wait_for_lines(self, event, count):
        return wait_for(lambda: len(found := self.lines(event)) >= count and found,
                        f"{count} times {event}")


def program(text, *arguments):
    return [sys.executable, "-c", SAYS + text, *arguments]


def shell(text):
    return ["sh", "-c", text]


def gone(pid):
    return not Path(f"/proc/{pid}").exists()


@test
def a_killed_program_is_started_again_at_once():
    with Supervised(["sleep", "60"]) as it:
        first = it.pid()
        os.kill(first, signal.SIGKILL)
        assert Path(f"/proc/{it.pid(other_than=first)}").exists()
        assert "again_in_ms=0" in it.lines("program_died")[0], it.log()
        assert 'how="signal 9"' in it.log(), it.log()


@test
def a_forbidden_system_call_is_called_one():
    with Supervised(["sleep", "60"]) as it:
        os.kill(it.pid(), signal.SIGSYS)  # What the kernel's filter ends it by.
        died, = it.wait_for_lines("program_died", 1)
        assert "signal 31, a system call outside its list" in died, died
        assert "--seccomp=log" in died, died


@test
def the_end_of_the_supervisor_is_the_end_of_the_program():
    with Supervised(["sleep", "60"]) as it:
        pid = it.pid()
        it.popen.terminate()
        assert it.popen.wait(10) == 128 + signal.SIGTERM
        assert gone(pid)


@test
def a_killed_supervisor_takes_the_program_with_it():
    with Supervised(["sleep", "60"]) as it:
        pid = it.pid()
        it.popen.kill()
        it.popen.wait(10)
        wait_for(lambda: gone(pid), "the program is gone")


@test
def what_is_done_or_cannot_start_is_not_tried_again():
    for command, status in ((shell("exit 0"), 0), (shell("exit 2"), 2), (["/no/program"], 127)):
        with Supervised(command) as it:
            assert it.popen.wait(10) == status, command


@test
def a_program_that_cannot_start_is_tried_less_and_less_often():
    with Supervised(shell("exit 1")) as it:
        died = it.wait_for_lines("program_died", 5)
    delays = [int(line.split("again_in_ms=")[1]) for line in died[:5]]
    assert delays == [0, 0, 100, 200, 400], delays
    assert all("in_force_ms=-1" in line for line in died), died


@test
def early_deaths_end_in_the_safe_mode_and_sighup_leaves_it():
    text = ("say('STATUS=' + sys.argv[-1])\n"
            "if sys.argv[-1].startswith('--safe-mode='):\n time.sleep(60)\n"
            "say('READY=1')\ndie()")
    with Supervised(program(text, "first"), "--safe-mode", "--deaths", "4") as it:
        it.wait_for_lines("safe_mode", 1)
        wait_for(lambda: "status=--safe-mode=" in it.log().replace('"', ""), "it says its mode")
        safe = it.pid()
        reason = Path(f"/proc/{safe}/cmdline").read_text().split("\0")[-2]
        assert reason.startswith("--safe-mode=it died 4 times"), reason
        assert "signal 9" in reason, reason
        assert len(it.lines("program_died")) == 4
        it.popen.send_signal(signal.SIGHUP)
        it.wait_for_lines("program_died", 5)
        it.wait_for_lines("safe_mode", 2)
        assert len(it.lines("program_died")) == 8


@test
def who_lives_long_enough_may_die_for_ever():
    text = "say('READY=1')\ntime.sleep(0.25)\ndie()"
    with Supervised(program(text), "--safe-mode", "--deaths", "2", "--young-ms", "200") as it:
        died = it.wait_for_lines("program_died", 4)
        assert all("early_deaths=0 again_in_ms=0" in line for line in died), died
        assert not it.lines("safe_mode")


@test
def a_silent_program_is_ended_and_started_again():
    text = "say('READY=1')\nfor _ in range(3):\n time.sleep(0.1)\n say('WATCHDOG=1')\n" \
           "time.sleep(60)"
    with Supervised(program(text), "--watchdog-ms", "500") as it:
        died = it.wait_for_lines("program_died", 2)
        assert all('how="signal 6"' in line for line in died), died
        assert len(it.lines("program_is_silent")) >= 2, it.log()


@test
def a_stopped_program_is_killed():
    with Supervised(program("say('READY=1')\nwhile True:\n time.sleep(0.1)\n say('WATCHDOG=1')"),
                    "--watchdog-ms", "500") as it:
        wait_for(lambda: it.pid_file.exists(), "a start")
        time.sleep(0.5)
        os.kill(it.pid(), signal.SIGSTOP)
        assert 'how="signal 9"' in it.wait_for_lines("program_died", 1)[0]


@test
def before_it_is_ready_nobody_watches():
    with Supervised(program("time.sleep(60)"), "--watchdog-ms", "100") as it:
        it.pid()
        time.sleep(0.7)
        assert not it.lines("program_died"), it.log()


@test
def what_others_say_is_not_heard():
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "says.py"
        script.write_text(SAYS + "say('STATUS=' + sys.argv[1])")
        text = (f"import subprocess\nsubprocess.run(['{sys.executable}', '{script}', 'a stranger'])"
                "\nsay('STATUS=the program')\ntime.sleep(60)")
        with Supervised(program(text)) as it:
            assert "the program" in it.wait_for_lines("program_says", 1)[0]
            assert "stranger" not in it.log()


TAKES_OVER = """
import contextlib, signal
def end(*_):
    say('MAINPID=1')
    for _ in range(10):
        time.sleep(0.05)
        say('WATCHDOG=1')
    sys.exit(0)
signal.signal(15, end)
if sys.argv[-1] == '--take-over':
    before = int(open(sys.argv[1]).read())
    {successor}
    with contextlib.suppress(ProcessLookupError):
        os.kill(before, 15)
open(sys.argv[1], 'w').write(str(os.getpid()))
say('READY=1\\nSTATUS=up')
while True:
    time.sleep(0.05)
    say('WATCHDOG=1')
"""


def replaceable(successor, folder):
    """A program that leaves its PID there, by which its successor ends it."""
    return program(TAKES_OVER.format(successor=successor), f"{folder}/pid")


def in_force(it):
    it.wait_for_lines("program_says", 1)


@test
def sigusr2_replaces_the_program_by_its_successor():
    with tempfile.TemporaryDirectory() as folder, \
            Supervised(replaceable("time.sleep(0.2)", folder), "--watchdog-ms", "500") as it:
        first = it.pid()
        in_force(it)
        it.popen.send_signal(signal.SIGUSR2)
        second = it.pid(other_than=first)
        replaced, = it.wait_for_lines("replaced", 1)
        assert f"pid={first} " in replaced and 'how="status 0"' in replaced, replaced
        assert gone(first) and it.popen.poll() is None
        time.sleep(0.7)                          # It is heard, and watched.
        assert it.pid() == second and not gone(second), it.log()
        os.kill(second, signal.SIGKILL)          # And started again as any: without the word.
        third = it.pid(other_than=second)
        assert not Path(f"/proc/{third}/cmdline").read_text().endswith("--take-over\0")


@test
def a_successor_that_fails_leaves_the_program_alone():
    with tempfile.TemporaryDirectory() as folder, \
            Supervised(replaceable("sys.exit(1)", folder)) as it:
        first = it.pid()
        in_force(it)
        for count in (1, 2):
            it.popen.send_signal(signal.SIGUSR2)
            failed = it.wait_for_lines("successor_failed", count)
            assert 'how="status 1"' in failed[-1], failed
        assert it.pid() == first and not gone(first)
        assert not it.lines("program_died")


@test
def a_program_that_dies_beside_its_successor_is_followed_by_it():
    with tempfile.TemporaryDirectory() as folder, \
            Supervised(replaceable("time.sleep(0.5)", folder)) as it:
        first = it.pid()
        in_force(it)
        it.popen.send_signal(signal.SIGUSR2)
        it.wait_for_lines("replacing", 1)
        os.kill(first, signal.SIGKILL)
        replaced, = it.wait_for_lines("replaced", 1)
        assert 'how="signal 9"' in replaced, replaced
        second = it.pid(other_than=first)
        assert f"by={second}" in replaced and not it.lines("program_died"), it.log()


@test
def a_successor_that_dies_when_the_program_has_given_all_is_no_end():
    successor = "os.kill(before, 15)\n    time.sleep(0.2)\n    die()"
    with tempfile.TemporaryDirectory() as folder, Supervised(replaceable(successor, folder)) as it:
        first = it.pid()
        in_force(it)
        it.popen.send_signal(signal.SIGUSR2)
        died, = it.wait_for_lines("program_died", 1)
        assert 'how="status 0"' in died, died
        assert it.lines("successor_failed") and not gone(it.pid(other_than=first)), it.log()


@test
def what_is_not_in_force_is_not_replaced():
    with Supervised(program("time.sleep(60)")) as it:
        pid = it.pid()
        it.popen.send_signal(signal.SIGUSR2)
        it.wait_for_lines("not_replaced", 1)
        assert it.pid() == pid


@test
def the_end_of_the_supervisor_is_that_of_a_successor_too():
    with tempfile.TemporaryDirectory() as folder, \
            Supervised(replaceable("time.sleep(60)", folder)) as it:
        in_force(it)
        it.popen.send_signal(signal.SIGUSR2)
        started, = it.wait_for_lines("replacing", 1)
        successor = int(started.split("by=")[1].split()[0])
        it.popen.terminate()
        assert it.popen.wait(10) == 0
        assert gone(successor)


@test
def mistakes_on_the_command_line_end_with_2():
    for words in ([], ["--deaths", "many", "sleep", "1"], ["--unknown", "sleep", "1"]):
        done = subprocess.run([SUPERVISOR, *words], capture_output=True, timeout=20, check=False)
        assert done.returncode == 2, (words, done)


run()

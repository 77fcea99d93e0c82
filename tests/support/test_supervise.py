#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tools/supervise: what it starts again, what it passes on, how it ends."""

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from tap import run, test

SUPERVISE = str(Path(__file__).parent.parent.parent / "tools" / "supervise")


class Supervised:
    """with Supervised("shell text") as it: it.pid() is the program's process."""

    def __init__(self, script):
        self.folder = tempfile.TemporaryDirectory()
        self.pid_file = Path(self.folder.name) / "pid"
        self.popen = subprocess.Popen(
            [SUPERVISE, "--pid-file", self.pid_file, "sh", "-c", script],
            stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.popen.terminate()
        self.popen.communicate(timeout=10)
        self.folder.cleanup()

    def pid(self, other_than=None):
        ends = time.monotonic() + 10
        while time.monotonic() < ends:
            text = self.pid_file.read_text().strip() if self.pid_file.exists() else ""
            if text and int(text) != other_than:
                return int(text)
            time.sleep(0.01)
        raise AssertionError("no new process within 10 s")


@test
def a_killed_program_is_started_again():
    with Supervised("exec sleep 60") as it:
        first = it.pid()
        os.kill(first, signal.SIGKILL)
        assert Path(f"/proc/{it.pid(other_than=first)}").exists()


@test
def the_end_of_the_supervisor_is_the_end_of_the_program():
    with Supervised("exec sleep 60") as it:
        pid = it.pid()
        it.popen.terminate()
        assert it.popen.wait(10) == 128 + signal.SIGTERM
        assert not Path(f"/proc/{pid}").exists()


@test
def a_killed_supervisor_takes_the_program_with_it():
    with Supervised("exec sleep 60") as it:
        pid = it.pid()
        it.popen.kill()
        it.popen.wait(10)
        ends = time.monotonic() + 10
        while Path(f"/proc/{pid}").exists() and time.monotonic() < ends:
            time.sleep(0.01)
        assert not Path(f"/proc/{pid}").exists()


@test
def a_wrong_command_line_is_not_tried_again():
    with Supervised("exit 2") as it:
        assert it.popen.wait(10) == 2


@test
def a_program_that_cannot_start_is_tried_less_and_less_often():
    with tempfile.TemporaryDirectory() as folder:
        tries = Path(folder) / "tries"
        with Supervised(f"echo >> {tries}; exit 1"):
            time.sleep(1.5)
        # 0, 0.05, 0.15, 0.35, 0.75, 1.55 s; a slow machine makes fewer.
        assert 2 <= len(tries.read_text()) <= 7


run()

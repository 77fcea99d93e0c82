# SPDX-License-Identifier: Apache-2.0
"""How tools/test runs commands: with a limit of time, and so that nothing that they started
outlives it, whatever ends it. One may run beside the others, on time that nobody else wants."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GRACE = 30                                       # Seconds in which a command may end by itself.


def exit_on_signals():
    """Ends like Ctrl-C, so that what stands under `finally` is done."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))


def processes():
    """{PID: (PID of its parent, time of its start)}"""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):   # It has ended meanwhile.
                words = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
                found[int(folder.name)] = (int(words[1]), int(words[19]))
    return found


def family(pid):
    """A process and all that descend from it: {PID: time of its start}."""
    everybody = processes()
    found = {pid: everybody[pid][1]} if pid in everybody else {}
    before = 0
    while len(found) > before:
        before = len(found)
        found.update({child: started for child, (parent, started) in everybody.items()
                      if parent in found})
    return found


def end(process):
    """Asks, as meson and ninja end and tidy up what they have started; then ends what is left."""
    if process.poll() is not None:
        return
    members = family(process.pid)
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)
    members.update(family(process.pid))
    everybody = processes()
    for pid, started in members.items():
        if pid in everybody and everybody[pid][1] == started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    process.wait()


def run(command, seconds, **keywords):
    """Its exit status, 124 where it took too long."""
    print("+", " ".join(command), flush=True)
    with subprocess.Popen(command, cwd=ROOT, **keywords) as process:
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            print(f"tools/test: {command[0]} ran for more than {seconds} s and is ended",
                  flush=True)
            return 124
        finally:
            end(process)


class Beside:
    """A command that runs when nobody else wants to, until it is told to hurry. Its session has an
    autogroup of its own where the kernel has those, else it would share that of a test."""

    def __init__(self, command, log):
        self.log = log
        self.started = time.monotonic()
        # It ends with us even where we are killed.
        command = ["setpriv", "--pdeathsig", "TERM", "chrt", "--idle", "0", *command]
        print("+", " ".join(command), "&", flush=True)
        with open(log, "wb") as output:
            self.process = subprocess.Popen(  # pylint: disable=consider-using-with
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True)
        self.set_autogroup(19)

    def set_autogroup(self, nice):
        with contextlib.suppress(OSError):
            Path(f"/proc/{self.process.pid}/autogroup").write_text(str(nice))

    def hurry(self):
        self.set_autogroup(0)
        for _ in range(2):                       # A child is what its parent was when it began.
            for pid in family(self.process.pid):
                with contextlib.suppress(OSError):
                    os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))

    def finish(self, seconds):
        """Its exit status, 124 where it takes too long; shows what it said where that is not 0."""
        self.hurry()
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            status = 124
        if status != 0:
            print(f"tools/test: status {status}, the last lines of {self.log}:")
            print("\n".join(self.log.read_text(errors="replace").splitlines()[-60:]), flush=True)
        return status

    def end(self):
        end(self.process)

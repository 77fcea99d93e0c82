#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""weir-dataplane alone: how fast it starts, what it takes, and what it leaves."""

import os
import re
import signal
import subprocess
import tempfile
import time

from context import run, test
from testbed import find_program

READY_SECONDS_MAX = 1.0
RESIDENT_MB_MAX = 300
KEPT = ["endpoints.table"]                       # For the next start.


class Dataplane:
    """One process that is ready, killed at the end whatever happens."""

    def __init__(self, folder, *options):
        self.started = time.monotonic()
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with  # See __exit__.
            [find_program("weir-dataplane"), "--runtime-dir", folder, "--no-hugepages", *options],
            stderr=subprocess.PIPE, text=True)
        self.log = []
        for line in self.process.stderr:
            self.log.append(line)
            if "event=ready" in line:
                break
        self.ready_seconds = time.monotonic() - self.started

    def __enter__(self):
        assert self.process.poll() is None, "".join(self.log)
        return self

    def __exit__(self, *_):
        self.end(signal.SIGKILL)
        self.process.stderr.close()

    def end(self, number):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=10)

    def resident_mb(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmHWM:\s+(\d+) kB", status.read()).group(1)) / 1024


@test
def small_profile_starts_in_a_second_in_300_mb():
    best = None
    with tempfile.TemporaryDirectory(prefix="weir-") as folder:
        # The best of three: other tests may have left the machine busy.
        for _ in range(3):
            with Dataplane(folder) as dataplane:
                best = min(best or dataplane.ready_seconds, dataplane.ready_seconds)
                resident = dataplane.resident_mb()
    print(f"# ready after {best:.2f} s, {resident:.0f} MB resident")
    assert best < READY_SECONDS_MAX, best
    assert resident < RESIDENT_MB_MAX, resident


@test
def ends_on_sigterm_and_sigint_and_leaves_its_endpoints():
    for number in (signal.SIGTERM, signal.SIGINT):
        with tempfile.TemporaryDirectory(prefix="weir-") as folder:
            with Dataplane(folder, "--workers", "2") as dataplane:
                assert os.listdir(folder), "it has a socket"
                assert dataplane.end(number) == 0
            assert os.listdir(folder) == KEPT


@test
def second_instance_is_refused_and_the_first_goes_on():
    with tempfile.TemporaryDirectory(prefix="weir-") as folder:
        with Dataplane(folder) as first:
            second = subprocess.run([find_program("weir-dataplane"), "--runtime-dir", folder],
                                    capture_output=True, text=True, timeout=20, check=False)
            assert second.returncode == 1, second
            assert "another weir-dataplane runs" in second.stderr, second.stderr
            assert os.path.exists(f"{folder}/dataplane.sock"), "the first one's socket was removed"
            assert first.process.poll() is None


@test
def socket_of_a_killed_one_is_taken_over():
    with tempfile.TemporaryDirectory(prefix="weir-") as folder:
        with Dataplane(folder) as first:
            first.end(signal.SIGKILL)
            assert os.path.exists(f"{folder}/dataplane.sock")
        with Dataplane(folder) as second:
            assert second.end(signal.SIGTERM) == 0
        assert os.listdir(folder) == KEPT


@test
def more_buffers_than_memory_are_refused_with_one_sentence():
    with tempfile.TemporaryDirectory(prefix="weir-") as folder:
        done = subprocess.run(
            [find_program("weir-dataplane"), "--runtime-dir", folder, "--mbufs", "16777216",
             "--mbuf-bytes", "32768"], capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == 1 and "lower --mbufs" in done.stderr, done.stderr
        assert "EAL" not in done.stderr + done.stdout, done.stderr
        assert os.listdir(folder) == []


@test
def a_file_is_no_runtime_directory():
    with tempfile.NamedTemporaryFile(prefix="weir-") as file:
        done = subprocess.run([find_program("weir-dataplane"), "--runtime-dir", file.name],
                              capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == 1 and "--runtime-dir" in done.stderr, done.stderr
        assert "Not a directory" in done.stderr, done.stderr


@test
def mistakes_on_the_command_line_end_with_2():
    program = find_program("weir-dataplane")
    for options in (["--workers", "0"], ["--workers", "x"], ["--no-such-option"],
                    ["--workers", "2", "--cores", "1"], ["--idle", "maybe"]):
        done = subprocess.run([program, *options], capture_output=True, text=True, timeout=20,
                              check=False)
        assert done.returncode == 2, (options, done)
        assert done.stderr or done.stdout, options
    refused = subprocess.run([program, "--log-level", "loud"], capture_output=True, text=True,
                             timeout=20, check=False)
    assert refused.returncode == 2 and "warning" in refused.stderr + refused.stdout, refused
    version = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20,
                             check=True)
    assert version.stdout.startswith("weir-dataplane "), version.stdout


run()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The systemd units: understood by systemd, no more exposed than promised, and of options that the
programs have."""

import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from tap import run, test  # noqa: E402  # pylint: disable=wrong-import-position

UNITS = ROOT / "packaging" / "systemd"
EXPOSURE_MAX = {"weir-porthelper@.service": 2.1}
EXPOSURE_MAX_OTHERS = 1.5
PROGRAMS = {Path(path).name: str(Path(path).resolve()) for path in sys.argv[1:]}
sys.argv[1:] = []


def analyze(*arguments):
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True,
                          timeout=60, check=False)


class WithOurPrograms:
    """The units in a folder of their own, with programs that exist."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        units = []
        for unit in sorted(UNITS.iterdir()):
            text = re.sub(r"/usr/bin/(weir-\w+)", lambda found: PROGRAMS[found[1]],
                          unit.read_text())
            units.append(Path(self.folder.name) / unit.name)
            units[-1].write_text(text)
        return units

    def __exit__(self, *_):
        self.folder.cleanup()


@test
def systemd_understands_every_unit():
    with WithOurPrograms() as units:
        done = analyze("verify", "--man=no", *map(str, units))
        # Of the system's own units it may say what it likes.
        ours = [line for line in (done.stdout + done.stderr).splitlines() if "weir" in line]
        assert not ours, ours


@test
def no_service_is_more_exposed_than_promised():
    for unit in sorted(UNITS.glob("*.service")):
        done = analyze("security", "--offline=yes", "--no-pager", str(unit))
        found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
        assert found, done.stdout + done.stderr
        promised = EXPOSURE_MAX.get(unit.name, EXPOSURE_MAX_OTHERS)
        assert float(found[1]) <= promised, f"{unit.name}: {found[1]}"
        print(f"# {unit.name}: {found[1]}")


@test
def programs_have_the_options_that_units_give_them():
    for unit in sorted(UNITS.glob("*.service")):
        for line in unit.read_text().splitlines():
            if not line.startswith(("ExecStart=", "ExecReload=")):
                continue
            words = shlex.split(line.partition("=")[2])
            while words and Path(words[0]).name not in PROGRAMS:  # env and its variables.
                words.pop(0)
            if not words:                        # A signal.
                continue
            program, *words = words
            done = subprocess.run([PROGRAMS[Path(program).name], "--help"], capture_output=True,
                                  text=True, timeout=20, check=True)
            for word in words:
                if word.startswith("--"):
                    assert word.partition("=")[0] in done.stdout, f"{unit.name}: {word}"


def calls_of(name):
    """The system calls of a set of systemd's, those of the sets in it too."""
    if not name.startswith("@"):
        return {name}
    listed = analyze("syscall-filter", name).stdout.splitlines()
    words = [line.strip() for line in listed if line.startswith("    ")]
    return set().union(*(calls_of(word) for word in words if not word.startswith("#")))


def permitted(unit):
    """System calls, as the unit's filters add and take away one after the other."""
    calls = set()
    for line in (UNITS / unit).read_text().splitlines():
        if not line.startswith("SystemCallFilter="):
            continue
        words = line.partition("=")[2]
        these = set().union(*(calls_of(word) for word in words.lstrip("~").split()))
        calls = calls - these if words.startswith("~") else calls | these
    return calls


@test
def units_permit_what_their_programs_need_at_start():
    for unit, calls in {"weir-porthelper@.service": {"capset", "seccomp", "bpf", "prctl"},
                        "weir-dataplane.service": {"seccomp", "bpf", "mbind", "sched_setaffinity"},
                        "weir-controlplane.service": {"seccomp", "kill"}}.items():
        lacking = calls - permitted(unit)
        assert not lacking, f"{unit}: {lacking}"


@test
def the_watchdog_of_what_replaces_the_data_plane_is_the_same():
    text = (UNITS / "weir-dataplane.service").read_text()
    seconds, = re.findall(r"^WatchdogSec=(\d+)$", text, re.M)
    assert f"WATCHDOG_USEC={seconds}000000 " in text


@test
def every_service_is_started_again_and_watched():
    for unit in ("weir-dataplane", "weir-controlplane", "weir-dataplane-safe-mode"):
        text = (UNITS / f"{unit}.service").read_text()
        for line in ("Type=notify", "Restart=always", "WatchdogSec="):
            assert f"\n{line}" in text, f"{unit} has no {line}"


@test
def a_data_plane_that_was_stopped_stays_so():
    # Starts and restarts of a unit start what it wants.
    for unit in UNITS.iterdir():
        for line in unit.read_text().splitlines():
            if line.startswith(("Wants=", "Requires=", "BindsTo=", "Upholds=")):
                assert "weir-dataplane.service" not in line.split("=")[1].split(), unit.name


run()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Builds and tests one stage after the other and counts individual tests, those inside a gtest
program included. A stage that does not build counts as one failed test."""

import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent

CLANG = {"CC": "clang-19", "CXX": "clang++-19"}
# Benchmarks are left out where their numbers would mean nothing.
NO_BENCH = ["-Dbench=false"]
# -O1 halves the time that g++ takes with a sanitizer.
SANITIZED = [*NO_BENCH, "-Doptimization=1"]


class Stage(NamedTuple):
    folder: str
    options: list                                # Of meson setup.
    suites: list = []                            # None: all tests, and everything is built.
    environment: dict = {}                       # Of meson setup.
    prepare: list = []                           # A command that makes the stage possible.
    test_options: list = []
    seconds: int = 1200                          # Longest run of the tests.
    scripts: bool = False                        # Also tests that are scripts and start programs.
    programs: list = []                          # Built besides what the tests need.


STAGES = {
    "release": Stage("build", ["-Dtests=true", "-Dbench=true"], seconds=3000),
    # One build for tests and fuzz targets: ASan, UBSan and coverage. g++ 12 takes three minutes for
    # one file of Asio coroutines under both sanitizers, clang half of it.
    "sanitizers": Stage("build-sanitizers", ["-Dfuzz=true", *SANITIZED],
                        ["unit", "contract", "pipeline", "fuzz"], CLANG, seconds=2400),
    "threads": Stage("build-threads", ["-Db_sanitize=thread", *SANITIZED], ["threads"]),
    "arm64": Stage("build-arm64", ["--cross-file", ".tools/arm64/cross.ini", *NO_BENCH],
                   ["unit", "contract"], prepare=["tools/check/arm64", "--prepare"],
                   test_options=["--timeout-multiplier", "10"], scripts=True,
                   programs=["dataplane/start/weir-dataplane"]),
}


def run(command, seconds, **keywords):
    print("+", " ".join(command), flush=True)
    try:
        done = subprocess.run(command, cwd=ROOT, timeout=seconds, check=False, **keywords)
        return done.returncode
    except subprocess.TimeoutExpired:
        print(f"tools/test: {command[0]} ran for more than {seconds} s and was ended", flush=True)
        return 124


def set_up(stage):
    if (ROOT / stage.folder / "build.ninja").exists():
        # tools/demo may have made it without the tests.
        options = [option for option in stage.options if option.startswith("-D")]
        # What meson says of its tests is as old as build.ninja.
        return (run(["meson", "configure", stage.folder, *options], 120) == 0 and
                run(["ninja", "-C", stage.folder, "build.ninja"], 300) == 0)
    command = ["meson", "setup", stage.folder, "--buildtype=release", *stage.options]
    return run(command, 600, env={**os.environ, **stage.environment}) == 0


def introspect(folder, what):
    listing = subprocess.run(["meson", "introspect", what, folder], cwd=ROOT, check=True,
                             capture_output=True, text=True, timeout=120).stdout
    return json.loads(listing)


def tests_of(stage):
    """Names of the stage's tests, and the files that ninja has to make for them: programs and what
    they read. Without suites all tests and everything that can be built. Scripts that start no
    program of ours are left out: sanitizers and emulators have nothing to see in them."""
    if not stage.suites:
        return [], []
    folder = stage.folder
    files_of = {target["id"]: target["filename"] for target in introspect(folder, "--targets")}
    names, needed = [], set()
    for case in introspect(folder, "--tests"):
        own_suites = {suite.partition(":")[2] for suite in case["suite"]}  # project:suite
        is_script = Path(case["cmd"][0]).name.startswith("python")
        wanted = bool(case["depends"]) and (stage.scripts or not is_script)
        if own_suites & set(stage.suites) and wanted:
            names.append(case["name"])
            needed.update(os.path.relpath(path, ROOT / folder)
                          for target in case["depends"] for path in files_of[target])
    return names, sorted(needed | set(stage.programs))


def cut_off(folder):
    """Names of the programs that meson ended in its last run. A gtest program writes its own log at
    its end, so one that was ended is in none."""
    lines = (ROOT / folder / "meson-logs" / "testlog.json").read_text().splitlines()
    results = [json.loads(line) for line in lines]
    return [f"{each['name']}: {each['result'].lower()} after {each['duration']:.0f} s"
            for each in results if each["result"] in ("TIMEOUT", "INTERRUPT")]


def count(folder):
    """Passed tests, names of failed ones, names of skipped ones of meson's last run."""
    log = ROOT / folder / "meson-logs" / "testlog.junit.xml"
    if not log.exists():
        return 0, [f"{folder}: meson wrote no test log"], []
    passed, failed, skipped = 0, cut_off(folder), []
    for suite in ElementTree.parse(log).getroot().iter("testsuite"):
        for case in suite.findall("testcase"):
            name = f"{suite.get('name')}: {case.get('name')}"
            if case.find("failure") is not None or case.find("error") is not None:
                failed.append(name)
            elif case.find("skipped") is not None or case.get("status") == "notrun":
                skipped.append(name)
            else:
                passed += 1
    return passed, failed, skipped


def run_stage(name):
    stage = STAGES[name]
    print(f"\n== {name}", flush=True)
    if stage.prepare and run(stage.prepare, 900) != 0:
        return 0, [f"{name}: {' '.join(stage.prepare)} failed"], []
    if not set_up(stage):
        return 0, [f"{name}: meson cannot set up {stage.folder}"], []
    names, programs = tests_of(stage)
    if stage.suites and not names:
        return 0, [f"{name}: {stage.folder} has no test of {' or '.join(stage.suites)}"], []
    if run(["ninja", "-C", stage.folder, *programs], 2400) != 0:
        return 0, [f"{name}: does not build"], []
    log = ROOT / stage.folder / "meson-logs" / "testlog.junit.xml"
    log.unlink(missing_ok=True)
    status = run(["meson", "test", "-C", stage.folder, "--no-rebuild", "--print-errorlogs",
                  *stage.test_options, *(f"--suite={suite}" for suite in stage.suites), *names],
                 stage.seconds)
    passed, failed, skipped = count(stage.folder)
    if status != 0 and not failed:
        failed = [f"{name}: meson test ended with status {status}"]
    return passed, failed, skipped


def main(names):
    unknown = [name for name in names if name not in STAGES]
    if unknown:
        print(f"tools/test: no stage '{unknown[0]}' (known: {', '.join(STAGES)})", file=sys.stderr)
        return 2
    started = time.monotonic()
    passed, failed, skipped = 0, [], []
    for name in names or STAGES:
        results = run_stage(name)
        passed += results[0]
        failed += results[1]
        skipped += results[2]
    print(f"\ntook {time.monotonic() - started:.0f} s")
    for name in skipped:
        print(f"skipped: {name}")
    for name in failed:
        print(f"failed: {name}")
    print(f"{passed} passed, {len(failed)} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

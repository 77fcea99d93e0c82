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

ROOT = Path(__file__).resolve().parent.parent

# Name, build folder, set-up options, environment of the set-up, suites (none: all), seconds.
# The sanitizer stages leave the benchmarks out: their numbers would mean nothing.
CLANG = {"CC": "clang-19", "CXX": "clang++-19"}
STAGES = {
    "release": ("build", [], {}, [], 2400),
    "sanitizers": ("build-sanitizers", ["-Db_sanitize=address,undefined", "-Dbench=false"], {},
                   ["unit", "contract", "pipeline"], 1200),
    "threads": ("build-threads", ["-Db_sanitize=thread", "-Dbench=false"], {}, ["threads"], 900),
    "fuzz": ("build-fuzz", ["-Dfuzz=true", "-Dbench=false", "-Dtests=false"], CLANG, ["fuzz"],
             1200),
    "arm64": ("build-arm64", ["--cross-file", ".tools/arm64/cross.ini", "-Dbench=false"], {},
              ["unit", "contract"], 1200),
}
# What makes a stage possible, and what its tests need more.
PREPARATIONS = {"arm64": ["tools/check/arm64", "--prepare"]}
TEST_OPTIONS = {"arm64": ["--timeout-multiplier", "10"]}


def run(command, seconds, **keywords):
    print("+", " ".join(command), flush=True)
    try:
        done = subprocess.run(command, cwd=ROOT, timeout=seconds, check=False, **keywords)
        return done.returncode
    except subprocess.TimeoutExpired:
        print(f"tools/test: {command[0]} ran for more than {seconds} s and was ended", flush=True)
        return 124


def build(folder, options, environment):
    # Root owns the checkout's build folders only here; ccache is used where it is installed.
    if not (ROOT / folder / "build.ninja").exists():
        command = ["meson", "setup", folder, "--buildtype=release", *options]
        if run(command, 600, env={**os.environ, **environment}) != 0:
            return False
    return run(["ninja", "-C", folder], 2400) == 0


def suites_of(folder):
    """Suites of the folder's tests; meson writes them as project:suite."""
    listing = subprocess.run(["meson", "introspect", "--tests", folder], cwd=ROOT, check=True,
                             capture_output=True, text=True, timeout=120).stdout
    return {suite.partition(":")[2] for case in json.loads(listing) for suite in case["suite"]}


def count(folder):
    """Passed tests, names of failed ones, names of skipped ones of meson's last run."""
    passed, failed, skipped = 0, [], []
    log = ROOT / folder / "meson-logs" / "testlog.junit.xml"
    if not log.exists():
        return 0, [f"{folder}: meson wrote no test log"], []
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
    folder, options, environment, suites, seconds = STAGES[name]
    print(f"\n== {name}", flush=True)
    if name in PREPARATIONS and run(PREPARATIONS[name], 900) != 0:
        return 0, [f"{name}: {' '.join(PREPARATIONS[name])} failed"], []
    if not build(folder, options, environment):
        return 0, [f"{name}: does not build"], []
    present = suites_of(folder)
    if not [suite for suite in suites or present if suite in present]:
        return 0, [f"{name}: {folder} has no test of {', '.join(suites) or 'any suite'}"], []
    log = ROOT / folder / "meson-logs" / "testlog.junit.xml"
    log.unlink(missing_ok=True)
    command = ["meson", "test", "-C", folder, "--no-rebuild", "--print-errorlogs"]
    command += TEST_OPTIONS.get(name, [])
    for suite in suites:
        command += ["--suite", suite]
    status = run(command, seconds)
    passed, failed, skipped = count(folder)
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

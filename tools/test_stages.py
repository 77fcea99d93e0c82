#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Builds and tests one stage after the other and counts individual tests, those inside a gtest
program included. A stage that does not build counts as one failed test."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import test_report
from test_processes import ROOT, Beside, exit_on_signals, run

BESIDE = "--beside"                              # We start ourselves with it.
BESIDE_LOG = "testlog-beside"

CLANG = {"CC": "clang-19", "CXX": "clang++-19"}
# Benchmarks are left out where their numbers would mean nothing.
NO_BENCH = ["-Dbench=false"]
# What is not the release is built in half the time: -O1, and some sources of a library are read as
# one, since most of the time goes into what they include.
QUICK = [*NO_BENCH, "-Doptimization=1", "-Dunity=on", "-Dunity_size=6"]


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
    patient: list = []                           # Suites that may run while others wait.


STAGES = {
    "release": Stage("build", ["-Dtests=true", "-Dbench=true"], seconds=3000,
                     patient=["lint_slow", "packages"]),
    # One build for tests and fuzz targets: ASan, UBSan and coverage. g++ 12 takes three minutes for
    # one file of Asio coroutines under both sanitizers, clang half of it.
    "sanitizers": Stage("build-sanitizers", ["-Dfuzz=true", *QUICK],
                        ["unit", "contract", "pipeline", "fuzz"], CLANG, seconds=2400),
    "threads": Stage("build-threads", ["-Db_sanitize=thread", *QUICK], ["threads"]),
    "arm64": Stage("build-arm64", ["--cross-file", ".tools/arm64/cross.ini", *QUICK],
                   ["unit", "contract"], prepare=["tools/check/arm64", "--prepare"],
                   test_options=["--timeout-multiplier", "10"], scripts=True,
                   programs=["dataplane/start/weir-dataplane"]),
}


def set_up(stage):
    if (ROOT / stage.folder / "build.ninja").exists():
        # tools/demo may have made it without the tests.
        options = [option for option in stage.options if option.startswith("-D")]
        # What meson says of its tests is as old as build.ninja.
        return (run(["meson", "configure", stage.folder, *options], 120) == 0 and
                run(["ninja", "-C", stage.folder, "build.ninja"], 300) == 0)
    # Of a set-up that was ended; meson would take it for a whole one.
    shutil.rmtree(ROOT / stage.folder / "meson-private", ignore_errors=True)
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


class StepError(Exception):
    """A step of a stage did not succeed; the text says which."""


def prepare(stage):
    if stage.prepare and run(stage.prepare, 900) != 0:
        raise StepError(f"{' '.join(stage.prepare)} failed")
    if not set_up(stage):
        raise StepError(f"meson cannot set up {stage.folder}")


def build(stage):
    """Names of the tests that the stage runs (none: all)."""
    try:
        names, programs = tests_of(stage)
    except subprocess.SubprocessError as error:
        raise StepError(f"meson does not say what {stage.folder} has: {error}") from error
    if stage.suites and not names:
        raise StepError(f"{stage.folder} has no test of {' or '.join(stage.suites)}")
    if run(["ninja", "-C", stage.folder, *programs], 2400) != 0:
        raise StepError("does not build")
    return names


def logs_of(stage, log):
    folder = ROOT / stage.folder / "meson-logs"
    return [folder / f"{log}{end}" for end in (".json", ".junit.xml")]


def read_logs(stage, log):
    """Programs and cases."""
    programs, cases = logs_of(stage, log)
    return test_report.read_programs(programs), test_report.read_cases(cases)


def meson_test(stage, names, options, seconds, log="testlog"):
    """Exit status, programs and cases; the logs are called `log`."""
    for path in logs_of(stage, log):
        path.unlink(missing_ok=True)
    status = run(["meson", "test", "-C", stage.folder, "--no-rebuild", "--print-errorlogs",
                  "--logbase", log, *stage.test_options, *options, *names], seconds)
    return status, *read_logs(stage, log)


def run_tests(stage, names, result):
    suites = [f"--suite={suite}" for suite in stage.suites]
    suites += [f"--no-suite={suite}" for suite in stage.patient]
    status, result.programs, result.cases = meson_test(stage, names, suites, stage.seconds)
    if not result.cases:
        raise StepError("meson wrote no test log")
    if status != 0 and not result.failed():
        raise StepError(f"meson test ended with status {status}")
    # A machine that stops for a moment fails a test that asserts times (tests/system/README.md).
    failed = [each.plain_name() for each in result.programs
              if each.failed() and each.is_of("system")]
    if failed:
        options = ["--suite=system", "--num-processes=1"]
        result.again(*meson_test(stage, failed, options, 900, log="testlog-again")[1:])


def work_beside(name, later):
    """While the tests of stage `name` run: builds later stages, then runs the stage's patient
    tests. A build that fails fails again in its own stage; tests are in the log."""
    for path in logs_of(STAGES[name], BESIDE_LOG):
        path.unlink(missing_ok=True)
    status = 0
    for name_of_later in later:
        try:
            prepare(STAGES[name_of_later])
            build(STAGES[name_of_later])
        except StepError as error:
            print(f"{name_of_later}: {error}", flush=True)
            status = 1
    if STAGES[name].patient:
        # They have what time the others leave.
        options = [f"--suite={suite}" for suite in STAGES[name].patient]
        status |= meson_test(STAGES[name], [], [*options, "--timeout-multiplier=4"], 3000,
                             log=BESIDE_LOG)[0]
    return status


def finish_beside(beside, stage, result):
    beside.finish(3600)
    if stage.patient:
        programs, cases = read_logs(stage, BESIDE_LOG)
        if not cases:
            raise StepError(f"{' and '.join(stage.patient)} did not run")
        result.programs += programs
        result.cases += cases


def run_stage(name, later):
    """`later`: stages that are built meanwhile, as many tests only wait; so are patient tests."""
    stage = STAGES[name]
    print(f"\n== {name}", flush=True)
    result = test_report.Result(name)

    def timed(step, function, *arguments):
        started = time.monotonic()
        try:
            return function(*arguments)
        finally:
            result.seconds[step] = time.monotonic() - started

    beside = None
    try:
        timed("set-up", prepare, stage)
        names = timed("build", build, stage)
        if later or stage.patient:
            beside = Beside([sys.executable, __file__, BESIDE, name, *later],
                            ROOT / stage.folder / "meson-logs" / "beside.txt")
        timed("tests", run_tests, stage, names, result)
        if beside:
            timed("rest of what ran beside", finish_beside, beside, stage, result)
    except StepError as error:
        result.failures.append(f"{name}: {error}")
    finally:
        if beside:
            beside.end()
    return result


def main(names):
    exit_on_signals()
    if names[:1] == [BESIDE]:
        return work_beside(names[1], names[2:])
    unknown = [name for name in names if name not in STAGES]
    if unknown:
        print(f"tools/test: no stage '{unknown[0]}' (known: {', '.join(STAGES)})", file=sys.stderr)
        return 2
    started = time.monotonic()
    names = names or list(STAGES)
    results = [run_stage(name, names[1:] if number == 0 else [])
               for number, name in enumerate(names)]
    print(f"\ntook {time.monotonic() - started:.0f} s")
    print("\n".join(test_report.end_of_run(results)), flush=True)
    return 1 if any(result.failed() for result in results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tools/test_report.py: what tools/test reads from meson's logs, and what it says at its end."""

import json
import sys
import tempfile
from pathlib import Path

from tap import run, test

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "tools"))

# pylint: disable=wrong-import-position
import test_report  # noqa: E402
from test_report import Case, Program, Result  # noqa: E402

FLAPS = Program("weir:system / flaps", "FAIL", 80.5,
                ["1..2", *(f"# row {number}" for number in range(100)), "not ok 1 - loses nothing",
                 "# took 70 s", *(f"# of the next {number}" for number in range(100)), "ok 2 - b"])
WIDE = Program("weir:unit / wide", "OK", 0.1, [])
KILLED = Program("weir:unit+threads / long", "TIMEOUT", 30.0, ["[ RUN      ] Long.one"])
CASES = [Case("weir.weir:system / flaps", "1 - loses nothing", "failed"),
         Case("weir.weir:system / flaps", "2 - b", "passed"),
         Case("weir.weir:unit / wide.Suite", "one", "passed"),
         Case("weir", "weir:lint / text", "skipped")]


FOLDER = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with


def written(name, text):
    path = Path(FOLDER.name) / name
    path.write_text(text)
    return path


@test
def programs_are_read_with_both_outputs():
    path = written("log.json", "\n".join(json.dumps(each) for each in (
        {"name": "weir:unit / a", "result": "OK", "duration": 1.5, "stdout": "one\ntwo\n"},
        {"name": "weir:unit / b", "result": "ERROR", "duration": 2, "stdout": "one\n",
         "stderr": "three\n"})) + '\n{"name": "cut o')
    first, second = test_report.read_programs(path)
    assert (first.lines, first.failed()) == (["one", "two"], False)
    assert (second.lines, second.failed()) == (["one", "", "three"], True)
    assert test_report.read_programs(path.parent / "none") == []


@test
def cases_are_passed_failed_or_skipped():
    path = written("log.xml", """<testsuites><testsuite name="a">
        <testcase name="1"/><testcase name="2"><failure/></testcase>
        <testcase name="3"><error/></testcase><testcase name="4"><skipped/></testcase>
        <testcase name="5" status="notrun"/></testsuite></testsuites>""")
    assert [case.outcome for case in test_report.read_cases(path)] == [
        "passed", "failed", "failed", "skipped", "skipped"]
    assert test_report.read_cases(path.parent / "none") == []


@test
def cases_belong_to_their_program_alone():
    assert CASES[0].of(FLAPS.name) and CASES[2].of(WIDE.name)
    assert CASES[3].of("weir:lint / text")
    assert not CASES[0].of("weir:system / flap") and not CASES[3].of("weir:lint / tex")


@test
def a_program_that_failed_without_a_case_is_a_failure():
    assert Result("x", programs=[FLAPS, WIDE, KILLED], cases=CASES).failed() == [
        "weir:unit+threads / long: timeout after 30 s",
        "weir.weir:system / flaps: 1 - loses nothing"]


@test
def the_end_tells_times_logs_and_sums():
    result = Result("release", {"set-up": 1.2, "build": 30.0}, [], [FLAPS, WIDE], CASES)
    lines = test_report.end_of_run([result])
    assert lines[0] == "release: set-up 1 s, build 30 s"
    assert lines[1] == "slowest:   80.5 s release: weir:system / flaps"
    assert "# row 99" in lines and "not ok 1 - loses nothing" in lines
    assert "# row 1" not in lines and "# of the next 1" not in lines
    assert lines[-3:] == ["skipped: weir: weir:lint / text",
                          "failed: weir.weir:system / flaps: 1 - loses nothing",
                          "2 passed, 1 failed"]


@test
def a_program_that_passes_when_run_again_is_unsteady():
    result = Result("release", {}, [], [FLAPS, WIDE], CASES)
    second = FLAPS._replace(result="OK", lines=["ok"])
    result.again([second], [Case(CASES[0].suite, "1 - loses nothing", "passed"),
                            CASES[1], Case("weir.weir:system / other", "1", "failed")])
    lines = test_report.end_of_run([result])
    assert "not ok 1 - loses nothing" in lines and "# row 99" in lines and "# row 61" not in lines
    assert lines[-3:] == ["unsteady: flaps (passed when run again)",
                          "skipped: weir: weir:lint / text", "3 passed, 0 failed"], lines


@test
def a_program_that_fails_again_has_failed():
    result = Result("release", {}, [], [FLAPS, WIDE], CASES)
    for outcome in ("FAIL", "TIMEOUT", "SKIP"):
        result.again([FLAPS._replace(result=outcome)], [CASES[0]])
        assert (result.unsteady, result.cases) == ([], CASES)
        assert result.failed() == ["weir.weir:system / flaps: 1 - loses nothing"]


@test
def more_than_two_unsteady_programs_are_a_failure():
    programs = [FLAPS._replace(name=f"weir:system / {number}") for number in range(3)]
    result = Result("release", {}, [], list(programs), [])
    result.again([each._replace(result="OK") for each in programs[:2]], [])
    assert len(result.failed()) == 1             # The third.
    result.again([programs[2]._replace(result="OK")], [])
    assert result.failed() == ["release: too many unsteady tests: 3, of which 2 are borne"]


@test
def suites_are_told_apart():
    assert FLAPS.is_of("system") and KILLED.is_of("threads") and KILLED.is_of("unit")
    assert not WIDE.is_of("system") and not WIDE.is_of("wide") and WIDE.plain_name() == "wide"


@test
def the_end_is_bounded_but_counts_all():
    long = [Program(f"weir:unit / {number}", "FAIL", number, ["x" * 500] * 500)
            for number in range(300)]
    lines = test_report.end_of_run([
        Result(stage, {"tests": 1.0}, [f"{stage}: does not build"], long,
               [Case("weir", f"weir:lint / {number}", "skipped") for number in range(300)],
               long[:20])
        for stage in ("a", "b", "c", "d")])
    assert len(lines) <= 160, len(lines)
    assert max(map(len, lines)) <= 200
    assert lines[-1] == "0 passed, 1208 failed"


run()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A test that is skipped anywhere stands on the list skipped_tests (path: reason)."""

import re

import tree

SKIP = re.compile(
    r"\bGTEST_SKIP\b|\bDISABLED_\w+|\b(?:pytest[.](?:mark[.])?|unittest[.])skip\w*|"
    r"\b(?:self|testcase)[.]skipTest\b|\bSkipTest\b|\braise Skip\b|"
    r"\b(?:exit|return|sys[.]exit)[ (]+77\b")


def findings():
    found = []
    for path in tree.files(under=("tests/", "tools/")):
        if path.startswith("tools/check/") or path.endswith(".md"):
            continue
        for number, line in enumerate((tree.read(path) or "").split("\n"), 1):
            match = SKIP.search(line)
            if match:
                found.append((path, tree.Finding(
                    path, number, f"{match.group()} skips a test: make it run, or list "
                    f"'{path}: reason' in tools/check/skipped_tests")))
    return tree.without_exceptions(found, "skipped_tests")


if __name__ == "__main__":
    tree.report(findings())

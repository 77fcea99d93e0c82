#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a release wrote is kept as it wrote it: files of the folders below are added, and once they
are committed never changed, moved or removed."""

import tree

FOLDERS = ("tests/contract/golden/", "tests/unit/stores/")
NOT_GOLDEN = ("README.md",)
WHAT = {"M": "changed", "D": "removed", "R": "moved", "T": "changed"}


def paths_of(listing):
    """(letter, path) of `git diff --name-status` and its like."""
    for line in listing.splitlines():
        letter, *paths = line.split("\t")
        if paths and not paths[0].endswith(NOT_GOLDEN):
            yield letter[0], paths[0]


def findings():
    now = tree.git("diff", "--name-status", "HEAD", "--", *FOLDERS)
    if now is None:                              # No checkout, or nothing committed yet.
        return
    ever = tree.git("log", "--format=", "--name-status", "--diff-filter=MDRT", "--", *FOLDERS)
    for letter, path in sorted({*paths_of(now), *paths_of(ever or "")}):
        if letter in WHAT:
            yield tree.Finding(path, 1, f"{WHAT[letter]}, and is what a release wrote: leave it, "
                               "and make today's code read it (dataplane/contract/README.md)")


if __name__ == "__main__":
    tree.report(list(findings()))

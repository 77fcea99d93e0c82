#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""clang-tidy 19 over the product's sources of the build, and through them over its headers.

usage: tidy.py [--changed] BUILD [FILE…]   (--changed: only what differs from the branch main,
tests included; tests are left out otherwise: googletest would double the time)
A source that passed is remembered by the digest of all that it read (its command, our files that it
includes, .clang-tidy), in the user's cache folder, so that a second run costs seconds.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

import tree

TIDY = "clang-tidy-19"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "weir-tidy"
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
# The commands are for g++: what clang does not know of them, or of its library, is no finding.
EXTRA = [f"--extra-arg=-Wno-{name}" for name in (
    "unknown-warning-option", "unused-command-line-argument", "deprecated-declarations")]


def commands(build):
    """{source from the root: its compile command} for our own sources."""
    found = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        source = (pathlib.Path(entry["directory"]) / entry["file"]).resolve()
        if source.is_relative_to(tree.ROOT) and not source.is_relative_to(build):
            found[str(source.relative_to(tree.ROOT))] = entry["command"]
    return found


def reads(source, seen):
    """All our files that a source reads, itself included."""
    if source in seen or not (tree.ROOT / source).is_file():
        return seen
    seen.add(source)
    for target in INCLUDE.findall(tree.read(source) or ""):
        reads(target, seen)
    return seen


def digest(source, command, version):
    """Of everything that a verdict depends on, but for the packages' headers."""
    total = hashlib.sha256(version)
    words = [w for w in shlex.split(command) if not w.startswith(("-MQ", "-MF"))]
    total.update("\0".join(words).replace(str(tree.ROOT), "").encode())
    for path in [".clang-tidy", *sorted(reads(source, set()))]:
        total.update(path.encode() + b"\0" + (tree.ROOT / path).read_bytes())
    return total.hexdigest()


def check(source, command, build, version):
    """What clang-tidy says of one source; empty where it is content."""
    mark = CACHE / digest(source, command, version)
    if mark.exists():
        return ""
    done = subprocess.run([TIDY, "-p", str(build), "--quiet", *EXTRA, str(tree.ROOT / source)],
                          capture_output=True, text=True, check=False)
    if done.returncode == 0:
        CACHE.mkdir(parents=True, exist_ok=True)
        mark.touch()
        return ""
    return (done.stdout or done.stderr).replace(f"{tree.ROOT}/", "")


def changed(sources):
    """Those that differ from main or read something that does."""
    names = (tree.git("diff", "--name-only", "main...HEAD") or "").split()
    names += (tree.git("diff", "--name-only", "HEAD") or "").split()
    return [source for source in sources if reads(source, set()) & set(names)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changed", action="store_true")
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    known = commands(build)
    if arguments.changed:
        sources = changed(known)
    elif arguments.files:
        sources = [source for source in arguments.files if source in known]
    else:
        sources = [source for source in known if not source.startswith(("tests/", "tools/"))]
    version = subprocess.run([TIDY, "--version"], capture_output=True, check=True).stdout
    complaints = set()  # A header is read by many sources: say it once.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for text in pool.map(lambda source: check(source, known[source], build, version), sources):
            if text and text not in complaints:
                print(text, end="", flush=True)
                complaints.add(text)
    print(f"{len(sources)} source(s), {len(complaints)} finding(s)")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()

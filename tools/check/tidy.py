#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""clang-tidy 19 over the product's sources of the build, and through them over its headers.

usage: tidy.py [--changed] BUILD [FILE…]   (--changed: only what differs from the branch main,
tests included; tests are left out otherwise: googletest would double the time)
Sources of one folder are read as one unit, since most of the time goes into what they include; a
unit with a finding, or whose sources do not fit together, is halved until it is one source.
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
GROUP = 7                   # Sources of a unit at most.
TAKES_VALUE = ("-o", "-MF", "-MQ")
NOT_FLAGS = ("-MD", "-c")
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


def flags_of(command):
    """What a compile command says to the compiler of any source."""
    words = iter(shlex.split(command))
    kept = []
    for word in words:
        if word in TAKES_VALUE:
            next(words)
        elif word.startswith("-") and word not in NOT_FLAGS:
            kept.append(word)
    return tuple(kept)


def groups(sources, known):
    """Sources that share folder and flags, the largest groups first."""
    alike = {}
    for source in sorted(sources):
        alike.setdefault((os.path.dirname(source), flags_of(known[source])), []).append(source)
    found = [each[at:at + GROUP] for each in alike.values() for at in range(0, len(each), GROUP)]
    return sorted(found, key=len, reverse=True)


def check_group(group, known, build, version):
    """What clang-tidy says of each source that it is not content with."""
    left = [source for source in group
            if not (CACHE / digest(source, known[source], version)).exists()]
    if len(left) < 2:
        return [check(source, known[source], build, version) for source in left]
    unit = build / "tidy" / (left[0].replace("/", "_") + f".{len(left)}.cpp")
    unit.parent.mkdir(exist_ok=True)
    unit.write_text("".join(f'#include "{tree.ROOT / source}"  // '
                            "NOLINT(bugprone-suspicious-include)\n" for source in left))
    done = subprocess.run([TIDY, "--quiet", *EXTRA, f"--config-file={tree.ROOT / '.clang-tidy'}",
                           str(unit), "--", *flags_of(known[left[0]])], cwd=build,
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        half = len(left) // 2
        return check_group(left[:half], known, build, version) + \
            check_group(left[half:], known, build, version)
    CACHE.mkdir(parents=True, exist_ok=True)
    for source in left:
        (CACHE / digest(source, known[source], version)).touch()
    return []


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
    # What a developer asks of few sources is to be said of each at once.
    parts = [[source] for source in sources] if arguments.changed or arguments.files else \
        groups(sources, known)
    version = subprocess.run([TIDY, "--version"], capture_output=True, check=True).stdout
    complaints = set()  # A header is read by many sources: say it once.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for texts in pool.map(lambda part: check_group(part, known, build, version), parts):
            for text in filter(None, texts):
                if text not in complaints:
                    print(text, end="", flush=True)
                complaints.add(text)
    print(f"{len(sources)} source(s), {len(complaints)} finding(s)")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()

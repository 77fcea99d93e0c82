#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Each header compiles alone, with the flags of the build.

One that a source of the build includes first has done so by the time that this runs. Each of the
others takes the flags of the source nearest to it. One unit per header, not optimised, through
ccache where that exists: the second run reads the cache.
"""

import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import tree

DROPPED = ("-O", "-MD", "-MQ", "-MF", "-g", "-D_FORTIFY_SOURCE", "-U_FORTIFY_SOURCE")
TAKES_VALUE = ("-MQ", "-MF", "-o")
FIRST_INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)', re.MULTILINE)


def flags_by_source(build):
    """{source path from the root: (compiler, flags)} of the compilation database."""
    found = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        source = (pathlib.Path(entry["directory"]) / entry["file"]).resolve()
        if not source.is_relative_to(tree.ROOT):
            continue
        words = iter(shlex.split(entry["command"]))
        kept = []
        for word in words:
            if word in TAKES_VALUE:
                next(words)
            elif not word.startswith(DROPPED) and word not in ("-c", entry["file"]):
                kept.append(word)
        found[str(source.relative_to(tree.ROOT))] = kept
    return found


def included_first(sources):
    """What the sources include before anything else."""
    found = (FIRST_INCLUDE.search(tree.read(source) or "") for source in sources)
    return {match[1] for match in found if match}


def nearest(header, sources):
    """The source that shares the longest path with the header; of equals, one that sees DPDK."""
    def nearness(source):
        shared = os.path.commonprefix([source, header])
        return len(shared[:shared.rfind("/") + 1]), "rte_config.h" in sources[source]
    return max(sorted(sources), key=nearness)


def compile_alone(header, command, build):
    """The compiler's complaints, or an empty string."""
    unit = build / "headers" / (header.replace("/", "_") + ".cpp")
    unit.parent.mkdir(exist_ok=True)
    text = f'#include "{header}"\n'
    if not unit.exists() or unit.read_text() != text:
        unit.write_text(text)
    if command[0] != "ccache" and shutil.which("ccache"):
        command = ["ccache", *command]
    done = subprocess.run([*command, "-O0", "-c", str(unit), "-o", str(unit.with_suffix(".o"))],
                          cwd=build, capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else ""


def main():
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build").resolve()
    sources = flags_by_source(build)
    proven = included_first(sources)
    headers = [h for h in tree.files(".hpp") if not h.startswith("tests/fuzz/") and h not in proven]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = pool.map(
            lambda header: compile_alone(header, sources[nearest(header, sources)], build), headers)
        found = []
        for header, errors in zip(headers, answers):
            if errors:
                print(errors, file=sys.stderr)
                found.append(tree.Finding(header, 1, "does not compile alone: include its needs"))
    tree.report(found)


if __name__ == "__main__":
    main()

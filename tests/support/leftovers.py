# SPDX-License-Identifier: Apache-2.0
"""What a program that should have removed everything has left behind."""

import os
import re
import tempfile
import uuid
from pathlib import Path

MARK = "WEIR_TEST_MARK"


def make_mark():
    """To be put into the environment of a program; its descendants inherit it."""
    return {MARK: uuid.uuid4().hex}


def processes_with(mark):
    """Command lines of all processes that inherited the mark."""
    wanted = f"{MARK}={mark[MARK]}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def hugepages():
    """How many are reserved. Those in use are the business of whoever uses them: they go back with
    the process."""
    text = Path("/proc/meminfo").read_text(encoding="ascii")
    return int(re.search(r"HugePages_Total:\s+(\d+)", text)[1])


def named(pattern):
    """Namespaces, temporary folders and listening Unix sockets whose name matches."""
    wanted = re.compile(pattern)
    found = []
    for folder in (Path("/run/netns"), Path(tempfile.gettempdir())):
        names = os.listdir(folder) if folder.exists() else []
        found += [str(folder / name) for name in names if wanted.match(name)]
    for line in Path("/proc/net/unix").read_text(encoding="ascii", errors="replace").splitlines():
        path = line.split()[-1]
        if "/" in path and any(wanted.match(part) for part in path.split("/")):
            found.append(path)
    return found


def abandoned():
    """What test beds have left whose process is gone."""
    gone = []
    for path in named(r"weir-\d+-"):
        pid = re.search(r"weir-(\d+)-", path)[1]
        if not Path(f"/proc/{pid}").exists():
            gone.append(path)
    return gone


class Leftovers:
    """What a dead process could leave: files, pins, attached programs."""

    def __init__(self, bed, gateway):
        self.bed = bed
        self.gateway = gateway

    def now(self):
        files = sorted(str(path.relative_to(self.gateway.runtime))
                       for path in self.gateway.runtime.rglob("*"))
        pins = sorted(path.name for path in self.bed.bpffs().iterdir())
        programs = self.gateway.namespace.ip("-d", "link", "show").count("prog/xdp")
        return files, pins, programs

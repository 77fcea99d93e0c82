# SPDX-License-Identifier: Apache-2.0
"""Makes a thread of another process run in circles for ever, where it is: x86-64, as root.

The jump to itself is written into the program, so nothing else may run there: only code of the
program's own file is chosen, and a thread that spins there."""

import ctypes
import os
import platform
import time
from pathlib import Path

SEIZE, INTERRUPT, GETREGS, DETACH = 0x4206, 0x4207, 12, 17
WALL = 0x40000000
RIP, WORDS = 16, 27                              # Of struct user_regs_struct.
JUMP_TO_ITSELF = b"\xeb\xfe"
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
LIBC.ptrace.restype = ctypes.c_long


def possible():
    return platform.machine() == "x86_64"


def ptrace(request, thread, data=None):
    if LIBC.ptrace(request, thread, None, data) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request}")


def thread_named(pid, name):
    for path in Path(f"/proc/{pid}/task").iterdir():
        if (path / "comm").read_text().strip() == name:
            return int(path.name)
    raise LookupError(f"process {pid} has no thread {name}")


def code_of(pid, program):
    """Where the program's own code lies."""
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        words = line.split()
        if words[1] == "r-xp" and words[-1].endswith("/" + program):
            first, last = (int(word, 16) for word in words[0].split("-"))
            yield range(first, last)


def stall(pid, program, name):
    """The time at which it was stalled."""
    thread = thread_named(pid, name)
    code = list(code_of(pid, program))
    ptrace(SEIZE, thread)
    try:
        for _ in range(1000):
            ptrace(INTERRUPT, thread)
            os.waitpid(thread, WALL)
            registers = (ctypes.c_ulong * WORDS)()
            ptrace(GETREGS, thread, ctypes.addressof(registers))
            place = registers[RIP]
            if any(place in part for part in code):
                with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
                    memory.seek(place)
                    memory.write(JUMP_TO_ITSELF)
                return time.monotonic()
            ptrace(7, thread)                    # PTRACE_CONT
            time.sleep(0.0007)
    finally:
        ptrace(DETACH, thread)
    raise LookupError(f"{name} was never seen in the code of {program}")

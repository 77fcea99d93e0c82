# SPDX-License-Identifier: Apache-2.0
"""Has calls of the C library fail in a program: the Nth that is counted, or so many from there on.
The other half is fail_calls.cpp, which is preloaded; both have one small file mapped."""

import mmap
import struct

from testbed import TestbedError, build_folder

MEMORY, SYSTEM_CALLS = 1, 2
NEVER = 2 ** 63
# kinds, -, first, count, seen, failed, name, caller, library
LAYOUT = struct.Struct("=IIQQQQ64s64s128s")


def library():
    for path in build_folder().glob("**/fail_calls.so"):
        return str(path)
    raise TestbedError("fail_calls.so is not built: it cannot live with sanitizers")


class FailCalls:
    def __init__(self, path):
        self.path = path
        path.write_bytes(bytes(LAYOUT.size))
        path.chmod(0o666)
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), LAYOUT.size)

    def wrapper(self):
        """Words before the command line of the program, and of it alone."""
        return ["env", f"LD_PRELOAD={library()}", f"WEIR_FAIL_CALLS={self.path}"]

    def arm(self, kinds, first=NEVER, count=1):
        """From now on calls are counted, from 1; those from `first` on fail, `count` of them."""
        self.disarm()
        LAYOUT.pack_into(self.map, 0, 0, 0, first, count, 0, 0, b"", b"", b"")
        struct.pack_into("=I", self.map, 0, kinds)

    def may_include(self, name):
        """Whether calls of that name may have failed: only the last one's is known."""
        count = LAYOUT.unpack_from(self.map)[3]
        return count > 1 or self.failed()[0] == name

    def disarm(self):
        struct.pack_into("=I", self.map, 0, 0)

    def seen(self):
        return LAYOUT.unpack_from(self.map)[4]

    def failed(self):
        """The last that has failed: its name, who called it, in which library."""
        words = LAYOUT.unpack_from(self.map)[6:]
        return tuple(word.partition(b"\0")[0].decode() for word in words)

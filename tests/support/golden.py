# SPDX-License-Identifier: Apache-2.0
"""Frames and counters as a kept release has them (tests/contract/golden), for peers that play that
release or one that is yet to come. Knows the layouts of that release and nothing of today's."""

import array
import os
import socket
import struct
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
GOLDEN = ROOT / "tests" / "contract" / "golden"
HEADER = struct.Struct("<IIHHHHII")              # magic, size, type, version, record's, count, …
MAGIC = 0x52494557
FRAME_BYTES_MAX = 64 * 1024
MASK = 2**64 - 1
# Numbers of the contract that never change.
OK, UNSUPPORTED, VERSION_SKEW = 0, 9, 11
HELLO_REPLY, REPLY, COMMIT_REPLY = 101, 102, 103
DIGESTS = {"ports": ("port_add", "port_set", "host_rule_set", "queue_set"),
           "networks": ("network_set",), "vteps": ("vtep_set", "next_hop_set"),
           "endpoints": ("endpoint_set",)}


def releases():
    return sorted(folder.name for folder in GOLDEN.iterdir() if folder.is_dir())


class Frame:
    """A header and records; `put` writes a number where that release has it."""

    def __init__(self, data):
        (magic, self.size, self.type, self.version, self.record_size, self.count,
         self.transaction, self.sequence) = HEADER.unpack_from(data)
        assert magic == MAGIC and self.size == len(data), data[:HEADER.size].hex()
        self.records = bytearray(data[HEADER.size:])

    def put(self, form, offset, *values):
        struct.pack_into("<" + form, self.records, offset, *values)
        return self

    def get(self, form, offset):
        return struct.unpack_from("<" + form, self.records, offset)[0]

    def text(self, offset, size):
        return self.records[offset:offset + size].split(b"\0")[0].decode(errors="replace")

    def put_text(self, offset, size, text):
        return self.put(f"{size}s", offset, text.encode())

    def record(self, index=0):
        return bytes(self.records[index * self.record_size:(index + 1) * self.record_size])

    def only(self, index):
        """With that one of its records."""
        self.records, self.count = bytearray(self.record(index)), 1
        return self

    def grown(self, data):
        """Each record with what a later release has behind it."""
        self.records = bytearray(b"".join(self.record(i) + data for i in range(self.count)))
        self.record_size += len(data)
        return self

    def data(self, transaction=0, sequence=0):
        return HEADER.pack(MAGIC, HEADER.size + len(self.records), self.type, self.version,
                           self.record_size, self.count, transaction, sequence) + self.records


class Release:
    def __init__(self, name):
        self.name = name
        self.folder = GOLDEN / name
        self.commands = self.read("commands.hex")
        self.events = self.read("events.hex")
        self.verbs = {HEADER.unpack_from(data)[2]: verb for verb, data in self.commands.items()}

    def read(self, file):
        frames, name = {}, None
        for line in (self.folder / file).read_text(encoding="ascii").splitlines():
            if line.startswith(" "):
                frames[name] += bytes.fromhex(line)
            else:
                name, frames[line] = line, b""
        return frames

    def command(self, verb):
        return Frame(self.commands[verb])

    def event(self, name):
        return Frame(self.events[name])


def digest(record):
    """What a record adds to its table's digest."""
    data = record + bytes(-len(record) % 8)
    words = list(struct.unpack(f"<{len(data) // 8}Q", data))
    while words and words[-1] == 0:
        words.pop()
    value = 0x9e3779b97f4a7c15
    for word in words:
        value = (value ^ word) * 0xff51afd7ed558ccd & MASK
        value ^= value >> 32
    return value


class Region:
    """The counter region by the description's first version, which never changes."""
    MAGIC = 0x3153544154534557
    FIELD, DIMENSION = 424, 48

    def __init__(self, memory):
        self.memory = memory
        magic, self.version, _, total, _, fields, _, at = struct.unpack_from("<QIIQIIQQ", memory)
        assert magic == self.MAGIC and self.version == 1 and total <= len(memory)
        self.fields = {self.text(at + i * self.FIELD, 64): at + i * self.FIELD
                       for i in range(fields)}

    def text(self, at, size):
        return bytes(self.memory[at:at + size]).split(b"\0")[0].decode()

    def dimensions(self, name):
        """(name, count, stride) of each."""
        at = self.fields[name]
        count = struct.unpack_from("<I", self.memory, at + 224)[0]
        places = [at + 232 + i * self.DIMENSION for i in range(count)]
        return [(self.text(place, 32), *struct.unpack_from("<II", self.memory, place + 32))
                for place in places]

    def place(self, name, indices):
        offset = struct.unpack_from("<Q", self.memory, self.fields[name] + 216)[0]
        for index, (_, count, stride) in zip(indices, self.dimensions(name), strict=True):
            assert index < count
            offset += index * stride
        return offset

    def value(self, name, *indices):
        return struct.unpack_from("<Q", self.memory, self.place(name, indices))[0]

    def string(self, name, *indices):
        size = struct.unpack_from("<I", self.memory, self.fields[name] + 212)[0]
        return self.text(self.place(name, indices), size)


class Peer:
    """One end of a command socket."""

    def __init__(self, connection):
        self.connection = connection
        self.connection.settimeout(20)
        self.sequence = 0

    @classmethod
    def connect(cls, path):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.connect(str(path))
        return cls(connection)

    def send(self, frame, transaction=0, sequence=0, descriptor=None):
        rights = [] if descriptor is None else [
            (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
        self.connection.sendmsg([frame.data(transaction, sequence)], rights)

    def receive(self):
        """A frame and the descriptors with it; None: the peer has gone."""
        data, descriptors, _, _ = socket.recv_fds(self.connection, FRAME_BYTES_MAX, 4)
        return (Frame(data), descriptors) if data else (None, descriptors)

    def ask(self, frame, transaction=0):
        """The answer to a command, events left out; descriptors come with a hello's."""
        self.sequence += 1
        self.send(frame, transaction, self.sequence)
        while True:
            answer, descriptors = self.receive()
            assert answer, "the data plane ended the session"
            if answer.type in (HELLO_REPLY, REPLY, COMMIT_REPLY):
                assert answer.sequence == self.sequence
                return (answer, descriptors[0]) if descriptors else answer
            for descriptor in descriptors:
                os.close(descriptor)

    def close(self):
        self.connection.close()

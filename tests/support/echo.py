# SPDX-License-Identifier: Apache-2.0
"""Echo requests of a namespace's kernel, and how many are answered. ping(8) waits for its last
answer no longer than twice the slowest, or one interval: too short on a busy machine."""

import contextlib
import itertools
import os
import select
import socket
import struct
import time

import roce
from traffic import InNamespace

PAYLOAD = bytes(56)
IDENTIFIERS = itertools.count(os.getpid())
# Protocol, types of request and answer, bytes before ICMP where a raw socket receives.
FORMS = {socket.AF_INET: (socket.IPPROTO_ICMP, 8, 0, 20),
         socket.AF_INET6: (socket.IPPROTO_ICMPV6, 128, 129, 0)}


class Echo:
    def __init__(self, namespace, address):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        protocol, self.request, self.answer, self.header = FORMS[family]
        self.identifier = next(IDENTIFIERS) & 0xFFFF
        self.answered = set()
        with InNamespace(namespace.name):
            self.socket = socket.socket(family, socket.SOCK_RAW, protocol)
        self.socket.setblocking(False)
        self.address = address

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, number):
        """What has no way there is not answered."""
        rest = struct.pack("!HH", self.identifier, number) + PAYLOAD
        message = struct.pack("!BBH", self.request, 0, 0) + rest
        if self.answer == 0:                     # Of ICMPv6 the kernel makes the checksum.
            message = struct.pack("!BBH", self.request, 0, roce.internet_checksum(message)) + rest
        with contextlib.suppress(OSError):
            self.socket.sendto(message, (self.address, 0))

    def listen(self, seconds):
        """Takes answers for so long, or until one has come."""
        select.select([self.socket], [], [], max(seconds, 0))
        with contextlib.suppress(BlockingIOError):
            while True:
                message, sender = self.socket.recvfrom(2048)
                kind, _, _, identifier, number = struct.unpack_from("!BBHHH", message, self.header)
                if kind == self.answer and identifier == self.identifier and \
                        sender[0] == self.address:
                    self.answered.add(number)

    def run(self, count, interval, patience):
        for number in range(count):
            self.send(number)
            ends = time.monotonic() + (interval if number + 1 < count else patience)
            while len(self.answered) < count and time.monotonic() < ends:
                self.listen(ends - time.monotonic())
        return len(self.answered) / count


def ping(namespace, address, count=3, interval=0.01, patience=2.0):
    """Share of the requests that were answered; the last one within `patience` seconds."""
    with Echo(namespace, address) as echo:
        return echo.run(count, interval, patience)

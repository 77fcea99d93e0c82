#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Clients that a server of HTTP over a Unix socket has to bear, many at once, from one process:

    crowd.py SOCKET STUCK SLOW GREEDY OTHERS

stuck ones never finish their header, slow ones send a byte of their body now and then, greedy ones
announce 4 GiB and send what the socket takes, the others ask politely and keep their connection.
Who is turned out comes back. Says "ready" once all are connected, and what was answered when its
standard input ends."""

import collections
import select
import socket
import sys
import time

PUT = b"PUT /v1/intent HTTP/1.1\r\nHost: weir\r\nContent-Type: application/json\r\n"
FOUR_GIB = b"Content-Length: 4294967296\r\n\r\n"
FOUR_GIB_CHUNK = b"Transfer-Encoding: chunked\r\n\r\n100000000\r\n"
POLITE = b"GET /healthz HTTP/1.1\r\nHost: weir\r\n\r\n"
BODY = b" " * 65536
PATIENCE = {"stuck": 3600, "slow": 0.1, "greedy": 0.05, "others": 2.0}  # Seconds between two turns.
RETURN = 1.0                                     # Seconds until who was turned out comes back.


class Client:
    def __init__(self, kind, number, path):
        self.kind, self.number, self.path = kind, number, path
        self.socket = None
        self.due = 0.0

    def connect(self, poll, clients, now):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.due = now + RETURN
        try:
            self.socket.connect(self.path)
            self.socket.send(self.greeting())
        except OSError:                          # The queue of those to be accepted is full.
            self.leave(poll, clients)
            return
        clients[self.socket.fileno()] = self
        poll.register(self.socket, select.EPOLLIN)
        # Not all in the same instant.
        self.due = now + PATIENCE[self.kind] * (1 + self.number % 16 / 16)

    def greeting(self):
        if self.kind == "stuck":
            return PUT
        if self.kind == "slow":
            return PUT + b"Content-Length: 100000\r\n\r\n"
        if self.kind == "greedy":
            return PUT + (FOUR_GIB if self.number % 2 else FOUR_GIB_CHUNK)
        return POLITE

    def turn(self, now):
        self.due = now + PATIENCE[self.kind]
        try:
            self.socket.send({"slow": b" ", "greedy": BODY}.get(self.kind, POLITE))
        except OSError:                          # It takes no more, or has been closed.
            pass

    def leave(self, poll, clients):
        if clients.pop(self.socket.fileno(), None):
            poll.unregister(self.socket)
        self.socket.close()
        self.socket = None

    def read(self):
        """What it was answered; empty: it was turned out."""
        try:
            return self.socket.recv(65536)
        except BlockingIOError:
            return b"?"
        except OSError:
            return b""


def main():
    path, *counts = sys.argv[1:]
    everybody = [Client(kind, number, path) for kind, count in zip(PATIENCE, counts)
                 for number in range(int(count))]
    poll, clients, answers = select.epoll(), {}, collections.Counter()
    poll.register(0, select.EPOLLIN | select.EPOLLHUP)
    ready = False
    while True:
        now = time.monotonic()
        for client in everybody:
            if now < client.due:
                continue
            if client.socket is None:
                client.connect(poll, clients, now)
            else:
                client.turn(now)
        if not ready and all(client.socket for client in everybody):
            ready = True
            print("ready", flush=True)
        for descriptor, _ in poll.poll(0.02):
            if descriptor == 0:
                print(dict(answers), flush=True)
                return
            client = clients[descriptor]
            answer = client.read()
            if answer.startswith(b"HTTP/1.1 "):
                answers[client.kind + " " + answer[9:12].decode()] += 1
            if not answer or (client.kind == "greedy" and answer != b"?"):
                client.leave(poll, clients)
                client.due = now + RETURN


if __name__ == "__main__":
    main()

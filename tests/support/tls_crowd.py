#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Clients of an API over TLS that take room and say nothing, from one process:

    tls_crowd.py PORT COUNT [CERTIFICATE KEY]

Without a certificate they connect to 127.0.0.1, from 127.0.0.2, and leave it at that; with one they
shake hands.
Says "ready" once all are there, and goes when its standard input ends. Who is turned out without a
certificate comes back."""

import select
import socket
import ssl
import sys
import time

RETURN = 0.5                                     # Seconds until who was turned out comes back.


def connect(port):
    made = socket.create_connection(("127.0.0.1", port), timeout=10,
                                    source_address=("127.0.0.2", 0))
    if len(sys.argv) <= 3:
        return made
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE          # Who means no good need not know whom to.
    context.load_cert_chain(*sys.argv[3:5])
    return context.wrap_socket(made)


def main():
    port, count = map(int, sys.argv[1:3])
    crowd = {made.fileno(): made for made in (connect(port) for _ in range(count))}
    print("ready", flush=True)
    comes_back = len(sys.argv) <= 3
    due = []                                     # When who was turned out comes back.
    while True:
        readable, _, _ = select.select([0, *(crowd if comes_back else [])], [], [], RETURN / 10)
        if 0 in readable:
            return
        for number in readable:
            crowd.pop(number).close()
            due.append(time.monotonic() + RETURN)
        while due and due[0] < time.monotonic():
            del due[0]
            made = connect(port)
            crowd[made.fileno()] = made


if __name__ == "__main__":
    main()

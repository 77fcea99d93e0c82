#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a socket unit of systemd with Accept=yes does: a program for each connection, which is its
standard input.

usage: accept_and_start.py SOCKET PROGRAM [ARGUMENT…]"""

import os
import socket
import subprocess
import sys


def main(path, *command):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    os.chmod(path, 0o777)                        # Whose it is the program asks the kernel.
    listener.listen(4)
    while True:
        connection, _ = listener.accept()
        with connection:
            subprocess.Popen(command, stdin=connection)  # pylint: disable=consider-using-with


main(*sys.argv[1:])

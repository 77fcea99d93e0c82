# SPDX-License-Identifier: Apache-2.0
"""Reads and writes classic pcap files of Ethernet frames, which is all that the captures are."""

import struct

# Magic number as read little-endian → byte order of the file.
BYTE_ORDERS = {0xA1B2C3D4: "<", 0xA1B23C4D: "<", 0xD4C3B2A1: ">", 0x4D3CB2A1: ">"}
LINK_ETHERNET = 1


def read_pcap(path):
    """All frames of the file. Refuses a file that ends inside a frame."""
    with open(path, "rb") as file:
        data = file.read()
    order = BYTE_ORDERS.get(struct.unpack_from("<I", data)[0])
    if order is None or struct.unpack_from(order + "I", data, 20)[0] != LINK_ETHERNET:
        raise ValueError(f"{path} is no pcap file of Ethernet frames")
    frames = []
    at = 24
    while at < len(data):
        captured, original = struct.unpack_from(order + "II", data, at + 8)
        at += 16
        if captured != original or at + captured > len(data):
            raise ValueError(f"{path}: frame {len(frames) + 1} is cut")
        frames.append(data[at:at + captured])
        at += captured
    return frames


def write_pcap(path, frames):
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, LINK_ETHERNET))
        for number, frame in enumerate(frames):
            file.write(struct.pack("<IIII", number // 1000000, number % 1000000, len(frame),
                                   len(frame)) + frame)

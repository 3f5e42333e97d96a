# SPDX-License-Identifier: Apache-2.0
"""Disks with a GUID partition table, as the tests of the board's devices want them: made here, byte by byte, so that
each field can be made wrong."""

import struct
import uuid
import zlib

SECTOR = 512
ENTRIES, ENTRY = 128, 128
KIND = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4").bytes_le


def protective(sectors):
    entry = struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xee, b"\xff\xff\xff", 1, min(sectors - 1, 0xffffffff))
    return bytes(446) + entry + bytes(48) + b"\x55\xaa"


def entry(first, last, label=""):
    name = label.encode("utf-16-le").ljust(72, b"\0")
    return struct.pack("<16s16sQQQ72s", KIND, uuid.uuid5(uuid.NAMESPACE_OID, label).bytes_le, first, last, 0, name)


def table(partitions):
    """Partitions: {number: (first, last, label)}."""
    return b"".join(entry(*partitions[i]) if i in partitions else bytes(ENTRY) for i in range(1, ENTRIES + 1))


def header(own, other, where, blocks, entries, **wrong):
    """`wrong` puts other numbers into fields: own, other, first, last, where, count, size."""
    per_block = -(-len(entries) // wrong.get("block", SECTOR))
    words = {"own": own, "other": other, "first": 2 + per_block, "last": blocks - 2 - per_block, "where": where,
             "count": ENTRIES, "size": ENTRY, **wrong}
    head = struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, words["own"], words["other"],
                       words["first"], words["last"], bytes(16), words["where"], words["count"], words["size"],
                       zlib.crc32(entries))
    return head[:16] + struct.pack("<I", zlib.crc32(head)) + head[20:]


def make(path, sectors, partitions, block=SECTOR):
    """A disk of so many sectors of 512 bytes, whose table counts in blocks of `block` bytes. What is in the first
    sector of each partition is its label."""
    blocks = sectors * SECTOR // block
    entries = table(partitions)
    per_table = -(-len(entries) // block)
    last = blocks - 1
    with open(path, "wb") as disk:
        disk.truncate(sectors * SECTOR)
        parts = [(0, protective(blocks)), (1, header(1, last, 2, blocks, entries, block=block)), (2, entries),
                 (last - per_table, entries), (last, header(last, 1, last - per_table, blocks, entries, block=block))]
        parts += [(first, label.encode()) for first, _, label in partitions.values()]
        for at, data in parts:
            disk.seek(at * block)
            disk.write(data)
    return path

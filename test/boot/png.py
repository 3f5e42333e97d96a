# SPDX-License-Identifier: Apache-2.0
"""Reads PNG pictures of 8 bits a colour, with any filters, and nothing else."""

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {2: 3, 6: 4}  # colour types: RGB, with alpha


class Picture:
    def __init__(self, data):
        assert data[:8] == SIGNATURE, data[:16]
        at, packed = 8, b""
        while True:
            length, kind = struct.unpack_from(">I4s", data, at)
            body = data[at + 8:at + 8 + length]
            assert struct.unpack_from(">I", data, at + 8 + length)[0] == zlib.crc32(kind + body), kind
            at += 12 + length
            if kind == b"IHDR":
                self.width, self.height, depth, colours, *rest = struct.unpack(">IIBBBBB", body)
                assert depth == 8 and rest == [0, 0, 0], body
                self.channels = CHANNELS[colours]
            elif kind == b"IDAT":
                packed += body
            elif kind == b"IEND":
                break
        assert at == len(data), "something stands behind the end"
        self.lines = list(self.unfilter(zlib.decompress(packed)))

    def unfilter(self, raw):
        step, size = self.channels, self.width * self.channels
        assert len(raw) == (1 + size) * self.height
        above = bytearray(size)
        for y in range(self.height):
            kind, line = raw[y * (1 + size)], bytearray(raw[y * (1 + size) + 1:(y + 1) * (1 + size)])
            for x in range(size if kind else 0):
                left, corner = (line[x - step], above[x - step]) if x >= step else (0, 0)
                line[x] = line[x] + self.guess(kind, left, above[x], corner) & 0xff
            yield line
            above = line

    @staticmethod
    def guess(kind, left, up, corner):
        if kind < 4:
            return (0, left, up, (left + up) // 2)[kind]
        return min((abs(up - corner), 0, left), (abs(left - corner), 1, up), (abs(left + up - 2 * corner), 2, corner))[2]

    def pixel(self, x, y):
        """Red, green, blue."""
        return tuple(self.lines[y][x * self.channels:x * self.channels + 3])

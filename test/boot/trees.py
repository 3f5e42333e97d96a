# SPDX-License-Identifier: Apache-2.0
"""Flattened device trees, read into nodes that a test can take apart and write again.

Devicetree Specification, "Flattened Devicetree (DTB) Format".
"""

import struct

MAGIC = 0xd00dfeed
BEGIN_NODE, END_NODE, PROP, NOP, END = 1, 2, 3, 4, 9


def u32(*numbers):
    return struct.pack(f">{len(numbers)}I", *numbers)


def u64(*numbers):
    return struct.pack(f">{len(numbers)}Q", *numbers)


def text(*strings):
    return b"".join(string.encode() + b"\0" for string in strings)


def pad(data):
    return data + bytes(-len(data) % 4)


class Node:
    """One node: its properties are tree["name"], those below it tree.at("path/to/node")."""

    def __init__(self, name="", **properties):
        self.name, self.children = name, []
        self.properties = {key.replace("_", "-"): value for key, value in properties.items()}

    def __getitem__(self, name):
        return self.properties[name]

    def __setitem__(self, name, value):
        self.properties[name] = value

    def __delitem__(self, name):
        del self.properties[name]

    def add(self, child):
        self.children.append(child)
        return child

    def at(self, path):
        node = self
        for name in path.strip("/").split("/"):
            node = next(child for child in node.children
                        if name in (child.name, child.name.partition("@")[0]))
        return node

    def walk(self):
        """The node and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()

    def remove(self, wanted):
        """Takes out every node for which wanted(node) is true; there must be one."""
        found = 0
        for node in self.walk():
            kept = [child for child in node.children if not wanted(child)]
            found += len(node.children) - len(kept)
            node.children = kept
        assert found, "no such node"

    def to_bytes(self):
        strings, offsets = bytearray(), {}

        def offset(name):
            if name not in offsets:
                offsets[name] = len(strings)
                strings.extend(text(name))
            return offsets[name]

        def block(node):
            out = u32(BEGIN_NODE) + pad(text(node.name))
            for name, value in node.properties.items():
                out += u32(PROP, len(value), offset(name)) + pad(value)
            return out + b"".join(map(block, node.children)) + u32(END_NODE)

        structure = block(self) + u32(END)
        start = 40 + 16  # header, an empty list of reservations
        size = start + len(structure) + len(strings)
        return u32(MAGIC, size, start, start + len(structure), 40, 17, 16, 0, len(strings),
                   len(structure)) + bytes(16) + structure + bytes(strings)


def parse(data):
    """The root node of a flattened tree."""
    _, _, at, strings = struct.unpack_from(">4I", data)
    root, open_nodes = None, []
    while True:
        token, = struct.unpack_from(">I", data, at)
        at += 4
        if token == BEGIN_NODE:
            end = data.index(b"\0", at)
            node = Node(data[at:end].decode())
            at = (end + 4) & ~3
            if open_nodes:
                open_nodes[-1].add(node)
            else:
                root = node
            open_nodes.append(node)
        elif token == END_NODE:
            open_nodes.pop()
        elif token == PROP:
            size, name = struct.unpack_from(">2I", data, at)
            end = data.index(b"\0", strings + name)
            open_nodes[-1][data[strings + name:end].decode()] = data[at + 8:at + 8 + size]
            at += 8 + (size + 3 & ~3)
        elif token == END:
            return root
        else:
            assert token == NOP

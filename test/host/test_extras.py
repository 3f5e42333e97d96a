# SPDX-License-Identifier: Apache-2.0
"""Keys that ask for one more virtio device: what the bundle has of them, and machines that have no slots."""

import json

import pytest

CONF = "vm a {{\n  machine = {}\n  kernel = Image\n  memory = 64M\n  {} = {}\n}}\n"
KEYS = ["virtio_console", "rng", "balloon"]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", ["true", "false"])
def test_in_the_bundle(bench, key, value):
    bench.write("test.conf", CONF.format("virt", key, value))
    assert bench.mezzo("pack", "test.conf", "-o", "bundle.cpio").status == 0
    vm = json.loads(bench.mezzo("ls", "bundle.cpio", "--json").out)["vms"][0]
    assert vm.get(key, False) == (value == "true")


@pytest.mark.parametrize("key", KEYS)
def test_no_slots(bench, key):
    lines = bench.complaints(CONF.format("raspi3", key, "true"))
    assert lines == [f"test.conf:5: {key}: a VM of machine `raspi3` has no slots for virtio devices; drop the line"]
    bench.write("test.conf", CONF.format("raspi3", key, "false"))
    assert bench.mezzo("check", "test.conf").status == 0


@pytest.mark.parametrize("key", KEYS)
def test_neither_true_nor_false(bench, key):
    lines = bench.complaints(CONF.format("virt", key, "perhaps"))
    assert len(lines) == 1 and "is neither true nor false" in lines[0], lines


# --- sockets ---

TWO = "vm a {{\n  kernel = Image\n  memory = 64M\n{}}}\nvm b {{\n  kernel = Image\n  memory = 64M\n{}}}\n"


def test_sockets_in_the_bundle(bench):
    bench.write("test.conf", TWO.format('  vsock = 3\n  vsock_group = "a b"\n  manage = true\n', "  vsock = 4095\n"))
    assert bench.mezzo("pack", "test.conf", "-o", "bundle.cpio").status == 0
    a, b = json.loads(bench.mezzo("ls", "bundle.cpio", "--json").out)["vms"]
    assert (a["vsock"], a["vsock_group"], a["manage"]) == (3, "a b", True)
    assert b["vsock"] == 4095 and "vsock_group" not in b and "manage" not in b


@pytest.mark.parametrize("first, second, line, said", [
    ("  vsock = 10\n", "  vsock = 10\n", 9, "vsock: 10 is the context of VM `a`; give each a number of its own"),
    ("", "  vsock_group = x\n", 8, "vsock_group: VM `b` has no sockets; give it a context: `vsock = 10`"),
    ("", "  manage = true\n", 8, "manage: VM `b` has no sockets to do it by; give it a context: `vsock = 10`"),
    ("", '  vsock = 5\n  vsock_group = ""\n', 9, "vsock_group: a name has 1 to 31 characters, like `vsock_group = \"fleet\"`"),
    ("", f"  vsock = 5\n  vsock_group = {'x' * 32}\n", 9,
     "vsock_group: a name has 1 to 31 characters, like `vsock_group = \"fleet\"`"),
    ("", "  machine = raspi3\n  vsock = 5\n", 9,
     "vsock: a VM of machine `raspi3` has no slots for virtio devices; drop the line"),
])
def test_wrong_sockets(bench, first, second, line, said):
    assert bench.complaints(TWO.format(first, second)) == [f"test.conf:{line}: {said}"]


@pytest.mark.parametrize("number", ["0", "1", "2", "4096", "-1", "4294967295", "x"])
def test_wrong_context(bench, number):
    lines = bench.complaints(TWO.format(f"  vsock = {number}\n", ""))
    assert len(lines) == 1 and lines[0].startswith("test.conf:4: vsock"), lines

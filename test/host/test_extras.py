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

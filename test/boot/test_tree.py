# SPDX-License-Identifier: Apache-2.0
"""The device tree that a guest gets is a correct one: the schemas that Linux has for every binding
find nothing to say. The tree is read from inside the guest, so it is the one that Linux used."""

import base64
import shutil
import subprocess

import machine
import pytest

SCHEMA = machine.ROOT / "build/deb/schema.json"

NEEDS_SCHEMA = pytest.mark.skipif(not SCHEMA.exists() or not shutil.which("dt-validate"),
                                  reason="no dt-schema or no bindings in this release")


def tree_of(result, lines):
    try:
        begin, end = lines.index("mezzo-init: fdt begin"), lines.index("mezzo-init: fdt end")
    except ValueError:
        pytest.fail(result.explain("the guest did not print its tree"))
    return base64.b64decode("".join(lines[begin + 1:end]))


def complaints(tree, path):
    """What dt-validate, and dtc when it reads the tree, say about it. dtc wants #address-cells in a
    PL061, which the schema forbids; like the kernel's own build, this sides with the schema."""
    path.write_bytes(tree)
    said = subprocess.run(["dt-validate", "-m", "-s", SCHEMA, path], capture_output=True, text=True,
                          check=False)
    source = subprocess.run(["dtc", "-Wno-interrupt_provider", "-I", "dtb", "-O", "dts", path],
                            capture_output=True, text=True, check=False)
    return said.stdout + said.stderr + source.stderr, source.stdout


@NEEDS_SCHEMA
def test_control(linux, tmp_path):
    """The check can fail: QEMU's own tree has faults that the schemas name."""
    result = machine.bare(linux(), 1, "512M", "quiet mezzo.fdt")
    text, _ = complaints(tree_of(result, result.lines), tmp_path / "bare.dtb")
    assert "serial" in text


@NEEDS_SCHEMA
@pytest.mark.parametrize("gic,cpus", [(2, 1), (3, 4)])
def test_tree(gic, cpus, linux, tmp_path):
    result = machine.mezzo(
        machine.linux_arguments(linux(), cpus, "512M", "quiet mezzo.fdt"),
        f"--gic {gic} --cpu max --smp 4 --ram 2G")
    lines = [line for name in result.names() for line in result.of(name)]
    text, source = complaints(tree_of(result, lines), tmp_path / "guest.dtb")
    assert text == "", f"{text}\n{source}"

# SPDX-License-Identifier: Apache-2.0
"""A short run of the bytecode guest fuzzer; `make fuzz-guest` is the long one."""

import re

import fuzz
import machine
import pytest
import suite

OPS = 40_000  # of the first CPU
LIMIT = 400  # seconds; alone it takes some 20


@pytest.fixture(scope="session", autouse=True)
def built():
    fuzz.build()


@pytest.mark.parametrize("gic,cpus,seed", [("3", 1, 11), ("3", 2, 12), ("2", 2, 13)])
def test_fuzzer(gic, cpus, seed):
    """Nothing that a guest can execute costs another VM, or Mezzo, anything but time."""
    result = fuzz.run(suite.Board("max", gic, cpus), seed, OPS, LIMIT)
    assert result.ops >= OPS and result.exceptions > OPS / 10, result


def test_fuzzer_again():
    """Under icount the same seed is the same program, with the same outcome."""
    command = [machine.MEZZO, "run", "-k", fuzz.IMAGE, "-m", "16M", "--gic", "3", "--cpu", "max", "--timeout", "60",
               "-p", "seed=21 ops=5000 off=1", "--", "-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01,clock=vm",
               "-seed", "1"]
    found = [fuzz.SUM.search(machine.run(command, 80).text) for _ in range(2)]
    assert found[0] and found[1] and found[0].groups() == found[1].groups()


def test_fuzzer_control():
    """The fuzzer survives itself on the bare board: what happens under Mezzo is not of its own making."""
    command = ["qemu-system-aarch64", "-M", "virt,gic-version=3", "-cpu", "max", "-m", "128M", "-nographic", "-nic",
               "none", "-kernel", fuzz.IMAGE, "-append", "seed=31 ops=40000 off=1"]
    result = machine.run(command, 120)
    assert fuzz.SUM.search(result.text) and not re.search(fuzz.LOST, result.text), result.explain("no end")

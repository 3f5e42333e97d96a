# SPDX-License-Identifier: Apache-2.0
"""Unmodified Debian kernels boot under Mezzo to userspace and power off."""

import re

import machine
import pytest


@pytest.mark.parametrize("series", ["6.1", "6.12"])
def test_control(series, linux, nonce):
    """The guest and its init are good: they come up on the bare board."""
    linux(series)
    result = machine.bare(series, 2, "512M", f"mezzo.nonce={nonce} mezzo.armhf")
    machine.check_linux(result, result.lines, 2, nonce, armhf=True)
    assert result.status == 0


def test_combination(combination, linux, nonce):
    series, cpus = linux(combination["kernel"]), combination["vcpus"]
    board = "--gic {gic} --cpu {cpu} --ram 2G".format(**combination) + f" --smp {max(cpus, 2)}"
    if combination["entry"] == "el3":
        board += " --el3"
    result = machine.mezzo(
        machine.linux_arguments(series, cpus, "512M", f"mezzo.nonce={nonce} mezzo.armhf"), board)
    machine.check_linux(result, guest_lines(result), cpus, nonce, armhf=True)
    machine.check_end(result)


@pytest.mark.parametrize("board,cpus,memory", [
    ("--gic 3 --cpu max --smp 8 --ram 8G", 8, "4G"),
    ("--gic 2 --cpu cortex-a57 --smp 8 --ram 1G", 8, "256M"),
    ("--gic 3 --cpu cortex-a57 --smp 1 --ram 512M", 1, "256M"),
], ids=["large", "gicv2-8cpu", "small"])
def test_size(board, cpus, memory, linux, nonce):
    """Both ends of what a board may be."""
    result = machine.mezzo(
        machine.linux_arguments(linux(), cpus, memory, f"mezzo.nonce={nonce}"), board)
    machine.check_linux(result, guest_lines(result), cpus, nonce)
    machine.check_end(result)


@pytest.mark.parametrize("series", ["6.1", "6.12"])
def test_small(series, linux, nonce):
    """The smallest guests: the figures of machine.py are enough, on the bare board and under Mezzo."""
    linux(series)
    guest = (series, 1, machine.SMALL_MEMORY[series], f"mezzo.nonce={nonce}")
    result = machine.bare(*guest, initramfs=machine.SMALL_INITRAMFS)
    machine.check_linux(result, result.lines, 1, nonce)
    result = machine.mezzo(machine.linux_arguments(*guest, initramfs=machine.SMALL_INITRAMFS),
                           "--gic 3 --cpu max --smp 1 --ram 512M")
    machine.check_linux(result, guest_lines(result), 1, nonce)
    machine.check_end(result)


@pytest.mark.parametrize("series", ["6.1", "6.12"])
def test_stolen_time(series, linux, nonce):
    """Debian's kernels find Mezzo's account of stolen time, and keep one of their own."""
    result = machine.mezzo(
        machine.linux_arguments(linux(series), 2, "256M", f"mezzo.nonce={nonce} mezzo.steal"),
        "--gic 3 --cpu max --smp 2 --ram 1G")
    lines = guest_lines(result)
    machine.check_linux(result, lines, 2, nonce)
    assert any("arm-pv: using stolen time PV" in line for line in lines), \
        result.explain("the kernel did not find stolen time")
    assert any(re.fullmatch(r"mezzo-init: steal=\d+", line) for line in lines), \
        result.explain("no stolen time in /proc/stat")


def test_reboot(linux, nonce):
    """`reboot` starts the guest again from its bundle; the second start is as good as the first."""
    line = f"mezzo-init: sum={machine.SUM + nonce} "
    result = machine.mezzo(
        machine.linux_arguments(linux(), 2, "256M",
                                f"mezzo.nonce={nonce} mezzo.after=reboot"),
        "--gic 3 --cpu max --smp 2 --ram 1G", until=lambda text: text.count(line) >= 3)
    assert result.text.count(line) >= 3, result.explain("the guest did not start three times")
    machine.check_linux(result, guest_lines(result), 2, nonce)


def test_several(linux, nonce, tmp_path):
    """Two guests at once, each on its own CPUs, each with its own lines."""
    conf = tmp_path / "two.conf"
    conf.write_text("board = virt\n" + "".join(
        f"""vm {name} {{
          kernel  = "{machine.kernel(linux())}"
          initrd  = "{machine.INITRAMFS}"
          cmdline = "console=ttyAMA0 mezzo.nonce={nonce + cpus}"
          memory  = 256M
          cpus    = {cpus}
        }}
        """ for name, cpus in [("one", 1), ("two", 2)]))
    result = machine.mezzo([conf], "--gic 3 --cpu max --smp 4 --ram 2G")
    for name, cpus in [("one", 1), ("two", 2)]:
        machine.check_linux(result, result.of(name), cpus, nonce + cpus)
    machine.check_end(result, off=2)


def guest_lines(result):
    """The lines of the only guest, whatever it is called."""
    names = result.names()
    assert len(names) == 1, result.explain(f"lines of one guest expected, found those of {names}")
    return result.of(names[0])

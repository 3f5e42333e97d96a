# SPDX-License-Identifier: Apache-2.0
"""Debian as a guest of model `raspi3`, as the kernel package has it for the board: its device tree, its drivers, four
cores; on hosts with and without a GIC. It mounts the first partition of its card, which is test/pi/card.py's."""

import hashlib
import re
import sys

import machine
import pytest

sys.path.insert(0, str(machine.ROOT / "test/pi"))
import card  # noqa: E402

INITRAMFS = machine.GUESTS / "initramfs-pi.cpio.gz"
TREE = machine.GUESTS / "dtb/bcm2837-rpi-3-b.dtb"
PROGRAMS = machine.ROOT / "build/pi"

# Seconds: four cores beside another machine on two get little of them.
LIMIT, QUIET = 600, 200

HOSTS = {"gic2": "--gic 2 --cpu cortex-a53 --smp 4", "gic3": "--gic 3 --cpu cortex-a72 --smp 4",
         "raspi3b": "--board raspi3b"}
CARD = [f"mezzo-init: card {len(data)} {hashlib.md5(data).hexdigest()[:8]} ./{name}" for name, data in card.FILES]

# The mini UART: by the board's tree the other one leads to the Bluetooth chip.
CMDLINE = "console=ttyS1,115200 earlycon=uart8250,mmio32,0x3f215040 mezzo.pi"


@pytest.fixture(scope="session", name="image")
def build_card(tmp_path_factory):
    path = tmp_path_factory.mktemp("card") / "card.img"
    card.build(path)
    return path


def debian(series, image, words=""):
    return machine.vm("pi", machine.kernel(series), f"{CMDLINE} {words}", machine="raspi3", memory="384M", cpus="4",
                      initrd=f'"{INITRAMFS}"', dtb=f'"{TREE}"', sdcard=f'"cow:{image}"')


def run(directory, text, host, until=None):
    conf = directory / "pi.conf"
    conf.write_text(text)
    return machine.mezzo([conf], host, LIMIT, until, QUIET)


def check_board(result, lines, series):
    """What the drivers of the board found."""
    listed = [line for line in lines if line.startswith("mezzo-init: card ")]
    release = next(line for line in lines if "card says" in line).rsplit(" ", 1)[1]
    assert sorted(listed[:-2]) == sorted(CARD), result.explain("not what is on the card")
    assert listed[-2:] == [f"mezzo-init: card says mezzo-init: written by {release}", "mezzo-init: card end"]
    assert release.startswith(series + "."), result.explain("another kernel's")
    assert not [line for line in lines if "I/O error" in line], result.explain("the card is there twice")
    assert not [line for line in lines if "no module" in line], result.explain("a driver does not start")
    assert any(re.match(r"mezzo-init: temperature [1-9]\d{4}$", line) for line in lines), result.explain("no temperature")
    assert "mezzo-init: random 16 bytes" in lines, result.explain("no random numbers")
    assert any(line.startswith("mezzo-init: usb ") and "usb1" in line for line in lines), result.explain("no USB")
    assert "mezzo-init: watchdog Broadcom BCM2835 Watchdog timer" in lines, result.explain("no watchdog")


def test_control(image, linux, nonce, tmp_path):
    """The same on QEMU's bare board, whose PL011 is a console whatever the tree says."""
    series, copy = linux("6.1"), tmp_path / "card.img"
    copy.write_bytes(image.read_bytes())
    result = machine.run(["qemu-system-aarch64", "-M", "raspi3b", "-display", "none", "-monitor", "none", "-no-reboot",
                          "-serial", "stdio", "-drive", f"if=sd,format=raw,file={copy}", "-dtb", TREE,
                          "-kernel", machine.kernel(series), "-initrd", INITRAMFS,
                          "-append", f"console=ttyAMA0,115200 mezzo.pi mezzo.nonce={nonce}"], LIMIT, quiet=QUIET)
    machine.check_linux(result, result.lines, 4, nonce)
    check_board(result, result.lines, series)
    assert result.status == 0, result.explain("no proper end")


@pytest.mark.parametrize("host,series", [
    ("gic3", "6.1"), ("raspi3b", "6.12"),
    pytest.param("gic2", "6.12", marks=pytest.mark.matrix), pytest.param("raspi3b", "6.1", marks=pytest.mark.matrix)])
def test_debian(host, series, image, linux, nonce, tmp_path):
    linux(series)
    result = run(tmp_path, debian(series, image, f"mezzo.nonce={nonce}"), HOSTS[host])
    lines = result.of("pi")
    machine.check_linux(result, lines, 4, nonce)
    check_board(result, lines, series)
    machine.check_end(result)


def test_reboot(image, linux, tmp_path):
    """By the watchdog, which resets the VM: what was written to a cow: card is forgotten."""
    series = linux("6.1")

    def twice(text):
        return text.count("mezzo-init: card end") == 2

    result = run(tmp_path, debian(series, image, "mezzo.after=reboot"), HOSTS["gic3"], until=twice)
    assert twice(result.text), result.explain("it did not come up again")
    lines = result.of("pi")
    end = lines.index("mezzo-init: card end") + 1
    assert "reboot: Restarting system" in "\n".join(lines[end:]), result.explain("no reboot")
    for boot in (lines[:end], lines[end:]):
        assert sorted(line for line in boot if line.startswith("mezzo-init: card ") and " ./" in line) == sorted(CARD)


def test_side_by_side(image, linux, nonce, tmp_path):
    """Debian, and two programs that know nothing of each other, each with a board of its own."""
    series = linux("6.1")
    programs = [machine.vm(name, PROGRAMS / f"{name}.img", machine="raspi3", memory="64M", cpus="4")
                for name in ("timers", "multicore")]
    result = run(tmp_path, "".join([debian(series, image, f"mezzo.nonce={nonce}"), *programs]), HOSTS["raspi3b"])
    machine.check_linux(result, result.of("pi"), 4, nonce)
    for name in ("timers", "multicore"):
        last = result.of(name)[-1]
        assert re.fullmatch(rf"pi: {name}: [1-9]\d* passed, 0 failed", last), result.explain(f"{name}: {last}")
    machine.check_end(result, off=3)

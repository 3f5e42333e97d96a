# SPDX-License-Identifier: Apache-2.0
"""Mezzo started at EL3, as its own firmware: what its EL3 answers, asked by a program in Mezzo's
place (el3_client.c); and Mezzo itself on boards where the usual boots do not come along."""

import re
import shlex
import subprocess
import time

import machine
import pytest

IMAGE = machine.ROOT / "build/mezzo.img"
CLIENT = ["src/arm/el3.S", "src/arm/el3.c", "src/arm/el3_chips.c", "src/arm/smccc.S",
          "test/boot/el3_client.c"]
SYSTEM_OFF, SYSTEM_RESET = 0x84000008, 0x84000009
ALL_GOOD = "all as expected"


def build_client(directory, cpus, on_end):
    """EL3 and the program, an image like mezzo.img. Linked without a stack protector's word, which
    EL3 must not use."""
    compiler = shlex.split(subprocess.run(["make", "-s", "--no-print-directory", "print-el2"],
                                          cwd=machine.ROOT, capture_output=True, text=True,
                                          check=True).stdout)
    objects = []
    for source in CLIENT:
        objects.append(directory / (source.replace("/", "_") + ".o"))
        subprocess.run([*compiler, "-fno-stack-protector", f"-DCPUS={cpus}", f"-DON_END={on_end}",
                        "-c", "-o", objects[-1], source], cwd=machine.ROOT, check=True)
    elf, image = directory / "client.elf", directory / "client.img"
    cross = compiler[0].removesuffix("gcc")
    subprocess.run([cross + "ld", "-pie", "-static", "--no-dynamic-linker", "-nostdlib", "-z", "text",
                    "-z", "noexecstack", "-z", "max-page-size=4096", "--gc-sections",
                    "-T", "src/arm/mezzo.lds", "-o", elf, *objects], cwd=machine.ROOT, check=True)
    subprocess.run([cross + "objcopy", "-O", "binary", elf, image], check=True)
    return image


def board(image, gic, cpu, cpus, base=0x40200000, options="secure=on,virtualization=on"):
    """The command that starts every CPU at the first byte of the image, at EL3. QEMU's own tree is
    at the start of RAM."""
    command = ["qemu-system-aarch64", "-M", f"virt,{options},gic-version={gic}", "-cpu", cpu,
               "-smp", str(cpus), "-m", "512M", "-nographic", "-nic", "none",
               "-device", f"loader,file={image},addr={base:#x},force-raw=on"]
    for number in range(cpus):
        command += ["-device", f"loader,addr={base:#x},cpu-num={number}"]
    return command


def check_client(result):
    assert ALL_GOOD in result.lines and "WRONG" not in result.text, \
        result.explain("EL3 did not answer as it should")


@pytest.mark.parametrize("gic,cpu,cpus", [
    (3, "max", 4), (2, "cortex-a53", 3), (3, "cortex-a57", 8), (2, "cortex-a72", 8),
    (3, "neoverse-n1", 2), (2, "max", 1)])
def test_psci(gic, cpu, cpus, tmp_path):
    result = machine.run(board(build_client(tmp_path, cpus, SYSTEM_OFF), gic, cpu, cpus), 120)
    check_client(result)
    assert result.status == 0, result.explain("SYSTEM_OFF did not switch the board off")


def test_reset(tmp_path):
    """SYSTEM_RESET starts the board again, and EL3 as if for the first time."""
    result = machine.run(board(build_client(tmp_path, 2, SYSTEM_RESET), 3, "max", 2), 120,
                         until=lambda text: text.count(ALL_GOOD) >= 2)
    check_client(result)
    assert result.text.count(ALL_GOOD) >= 2, result.explain("the board did not start again")


@pytest.mark.parametrize("base", [0x41000000, 0x48765000, 0x5f000000])
def test_place(base, tmp_path):
    """The image may be anywhere: the tree is looked for below it."""
    image = build_client(tmp_path, 2, SYSTEM_OFF)
    check_client(machine.run(board(image, 3, "max", 2, base), 120))


@pytest.mark.parametrize("gic,cpu", [(3, "cortex-a57"), (2, "neoverse-n1")])
def test_mezzo(gic, cpu):
    """Every CPU of eight comes up, and the log finds nothing odd about the firmware: there is none."""
    result = machine.run(board(IMAGE, gic, cpu, 8), 120,
                         until=lambda text: "bundle" in text)
    assert "8 CPUs" in result.text, result.explain("no banner")
    for complaint in ("not used", "note:", "EL3:", "device tree:", "firmware"):
        assert complaint not in result.text, result.explain("a complaint")


def el3_pages():
    """Offsets in the image: the first byte of EL3's own pages, and the first behind them."""
    names = subprocess.run(["aarch64-linux-gnu-nm", machine.ROOT / "build/mezzo.elf"],
                           capture_output=True, text=True, check=True).stdout
    return [int(re.search(rf"^(\w+) \w {name}$", names, re.MULTILINE).group(1), 16)
            for name in ("el3_start", "el3_end")]


def test_own_pages(tmp_path):
    """EL2's map leaves out EL3's pages, so that no cache line of EL2's is ever written over them; the
    pages beside them are there. QEMU's monitor walks the tables of the boot CPU."""
    base, log = 0x40200000, tmp_path / "serial"
    start, end = (base + offset for offset in el3_pages())
    command = board(IMAGE, 3, "max", 2, base)
    command[command.index("-nographic")] = "-nodefaults"
    command += ["-display", "none", "-serial", f"file:{log}", "-monitor", "stdio"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as qemu:
        limit = time.monotonic() + 60
        while "bundle" not in (log.read_text() if log.exists() else ""):
            assert qemu.poll() is None and time.monotonic() < limit, "Mezzo did not boot"
            time.sleep(0.1)
        pages = [start - 4096, start, start + 4096, end - 4096, end]
        said, _ = qemu.communicate("".join(f"gva2gpa {page:#x}\n" for page in pages) + "quit\n")
    assert re.findall(r"^(gpa|Unmapped)", said, re.MULTILINE) == \
        ["gpa", "Unmapped", "Unmapped", "Unmapped", "gpa"]


def test_no_el2():
    """A CPU without EL2 is told so, from EL1."""
    result = machine.run(board(IMAGE, 3, "cortex-a53", 1, options="secure=on"), 60,
                         until=lambda text: "stopped" in text)
    assert "needs EL2" in result.text, result.explain("no message")

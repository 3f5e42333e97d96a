# SPDX-License-Identifier: Apache-2.0
"""What `make run` shows: two Linux guests and a bare-metal one on one UART."""

import machine
import pexpect

DEMO = machine.ROOT / "demo/demo.conf"
NO_SYSTEM = "No operating system here"


def test_clock_control():
    """The bare-metal guest is a program for QEMU's board like any other."""
    command = ["qemu-system-aarch64", "-M", "virt,gic-version=3", "-cpu", "max", "-m", "64M",
               "-nographic", "-nic", "none", "-kernel", machine.ROOT / "build/demo/clock.elf"]
    child = pexpect.spawn(command[0], [str(word) for word in command[1:]], timeout=60)
    try:
        talk_to_clock(child)
        child.expect(pexpect.EOF)
    finally:
        child.close(force=True)


def test_demo(linux):
    linux("6.1")
    child = pexpect.spawn(str(machine.MEZZO), ["run", str(DEMO), "--timeout", "120"],
                          cwd=str(machine.ROOT), timeout=60, dimensions=(40, 160))
    try:
        # All views are open at first, each line with its VM's name in front.
        wanted = [rf"\[{name}\] {text}" for name, text in [
            ("debian", "mezzo-init: sum=.*timer-irqs=ok"), ("debian2", "mezzo-init: sum=.*timer-irqs=ok"),
            ("clock", NO_SYSTEM)]]
        while wanted:
            del wanted[child.expect(wanted)]

        # Ctrl-] and a digit: one VM has the terminal to itself.
        child.send("\x1d3")
        talk_to_clock(child, started=True)
        child.send("\x1d1\r")
        child.expect("\n# ")
        child.send("echo $((6 * 7)) on $(nproc)\r")
        child.expect("\n42 on 2\r")

        child.send("\x1dq")
        child.expect(pexpect.EOF, timeout=60)
    finally:
        child.close(force=True)


def talk_to_clock(child, started=False):
    if not started:
        child.expect(NO_SYSTEM)
    child.send("\r")
    child.expect(r"up \d+ seconds?\r")
    child.send("q")
    child.expect("\noff\r")

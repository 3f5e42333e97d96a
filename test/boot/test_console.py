# SPDX-License-Identifier: Apache-2.0
"""A person at a terminal: types into a guest's shell, uses job control, leaves."""

import machine
import pexpect
import pytest

PROMPT = "\n# "


@pytest.fixture
def terminal(linux):
    command = machine.mezzo_command(
        machine.linux_arguments(linux("6.1"), 2, "512M", "quiet mezzo.after=shell"),
        "--gic 3 --cpu max --smp 2 --ram 1G")
    child = pexpect.spawn(str(command[0]), [str(word) for word in command[1:]],
                          cwd=str(machine.ROOT), timeout=60, dimensions=(40, 120))
    yield child
    child.close(force=True)


def test_shell(terminal):
    terminal.expect(r"timer-irqs=ok")
    terminal.expect(PROMPT)
    terminal.send("echo answer $((6 * 7))\r")
    terminal.expect(r"\nanswer 42\r")
    terminal.expect(PROMPT)

    # Ctrl-C reaches the program in the guest, and only it.
    terminal.send("sleep 1000\r")
    terminal.expect("sleep 1000")
    terminal.sendcontrol("c")
    terminal.expect(PROMPT)
    terminal.send("echo status $?\r")
    terminal.expect(r"\nstatus 130\r")

    # Ctrl-Z and fg: the guest's shell has job control.
    terminal.expect(PROMPT)
    terminal.send("sleep 1000\r")
    terminal.expect("sleep 1000")
    terminal.sendcontrol("z")
    terminal.expect(PROMPT)
    terminal.send("jobs\r")
    terminal.expect("Stopped")
    terminal.expect(PROMPT)

    # More than any FIFO holds, typed at once, arrives whole.
    word = "x" * 200
    terminal.send(f"echo {word} | wc -c\r")
    terminal.expect(r"\n201\r")

    terminal.expect(PROMPT)
    terminal.send("poweroff -f\r")
    terminal.expect("Power down")

# SPDX-License-Identifier: Apache-2.0
"""A person at a terminal: types into a guest's shell, uses job control, leaves."""

import machine
import pexpect
import pytest

PROMPT = "\n# "
# Says that it is in the foreground: only then do the keys reach it and not the shell.
LONG = "sh -c 'echo started; exec sleep 1000'\r"


GUEST = (2, "512M", "quiet mezzo.after=shell")


@pytest.fixture(params=["bare", "mezzo"])
def terminal(request, linux):
    """A terminal with the guest on it; the bare board is the control."""
    series = linux()
    if request.param == "bare":
        command = machine.bare_command(series, *GUEST)
    else:
        command = machine.mezzo_command(machine.linux_arguments(series, *GUEST),
                                        "--gic 3 --cpu max --smp 2 --ram 1G")
    child = pexpect.spawn(str(command[0]), [str(word) for word in command[1:]],
                          cwd=str(machine.ROOT), timeout=60, dimensions=(40, 160))
    yield child
    child.close(force=True)


def test_shell(terminal):
    terminal.expect(r"timer-irqs=ok")
    terminal.expect(PROMPT)
    terminal.send("echo answer $((6 * 7))\r")
    terminal.expect(r"\nanswer 42\r")
    terminal.expect(PROMPT)

    # Ctrl-C reaches the program in the guest, and only it.
    terminal.send(LONG)
    terminal.expect("\nstarted")
    terminal.sendcontrol("c")
    terminal.expect(PROMPT)
    terminal.send("echo status $?\r")
    terminal.expect(r"\nstatus 130\r")

    # Ctrl-Z and fg: the guest's shell has job control.
    terminal.expect(PROMPT)
    terminal.send(LONG)
    terminal.expect("\nstarted")
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

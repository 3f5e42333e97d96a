# SPDX-License-Identifier: Apache-2.0
"""The power key, as the Linux test guests answer it."""

import machine
import pexpect
import pytest

MONITOR = "\x01c"  # Ctrl-A c: QEMU's own prompt


@pytest.mark.parametrize("series,after,ready", [
    ("6.1", "wait", "waiting for the power key"), ("6.12", "wait", "waiting for the power key"),
    ("6.1", "shell", "a shell; "),
])
def test_control(series, after, ready, linux):
    """The guest is good: it powers off when QEMU's own power key is pressed."""
    command = machine.bare_command(linux(series), 1, "256M", f"quiet mezzo.after={after}")
    child = pexpect.spawn(command[0], [str(word) for word in command[1:]], timeout=60)
    try:
        child.expect(f"mezzo-init: {ready}")
        child.send(f"{MONITOR}system_powerdown\r")
        child.expect("mezzo-init: power key", timeout=60)
        child.expect("reboot: Power down", timeout=60)
        child.expect(pexpect.EOF, timeout=60)
    finally:
        child.close(force=True)

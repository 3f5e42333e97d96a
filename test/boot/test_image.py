# SPDX-License-Identifier: Apache-2.0
"""The folder that `mezzo image` writes boots to its end as the firmware would start it, on both Raspberry Pis: on
the Pi 4 behind TF-A, which QEMU runs from the same file."""

import json
import signal

import machine
import pytest
from pexpect import popen_spawn

PROMPT = "mezzo> "


def make(board, directory, conf):
    """Writes the card; returns its folder."""
    if board == "raspi4b" and not (machine.GUESTS / "bl31.bin").exists():
        pytest.skip("no arm-trusted-firmware in this release")
    file, card = directory / "card.conf", directory / "card"
    file.write_text(conf, encoding="ascii")
    done = machine.run([machine.MEZZO, "image", board, file, "--to", card], 60)
    assert done.status == 0 and str(card) in done.text, done.explain("no card")
    return card


@pytest.mark.parametrize("board", ["raspi3b", "raspi4b"])
def test_card(board, tmp_path):
    """The exit status is that of `mezzo run`."""
    card = make(board, tmp_path, "on_all_off = poweroff\n" + machine.vm("a", "hello") + machine.vm("b", "hello"))
    result = machine.run([machine.MEZZO, "image", board, "--to", card, "--qemu", "--timeout", "90"], 100)
    assert result.status == 0, result.explain("it did not end well")
    assert result.of("mezzo")[-1] == "end: 2 off, 0 crashed", result.explain("no proper end")


def test_card_of_a_crash(tmp_path):
    card = make("raspi3b", tmp_path, "on_all_off = poweroff\n" + machine.vm("a", "nowhere", on_crash="stop"))
    result = machine.run([machine.MEZZO, "image", "raspi3b", "--to", card, "--qemu", "--timeout", "90"], 100)
    assert result.of("mezzo")[-1].startswith("end: ") and result.status in (0, 1), result.explain("no proper end")
    assert result.status == int("0 crashed" not in result.of("mezzo")[-1])


def test_card_for_a_person(tmp_path):
    """Its bundle begins in Mezzo's shell. Where nobody looks on and nobody types, every line is shown all the same."""
    card = make("raspi3b", tmp_path, "on_all_off = shell\n" + machine.vm("a", "hello"))
    result = machine.run([machine.MEZZO, "image", "raspi3b", "--to", card, "--qemu", "--timeout", "15"], 60)
    assert result.status == 124 and result.of("a"), result.explain("no lines of the guest")
    assert PROMPT not in result.text and "\\x0d" not in result.text, result.explain("a prompt")


@pytest.mark.filterwarnings("ignore:setDaemon")
def test_behind_tf_a(tmp_path):
    """TF-A starts the other cores and resets the board by PSCI, and an interrupt comes for each typed byte."""
    card = make("raspi4b", tmp_path, machine.vm("a", "hello", autostart="false"))
    child = popen_spawn.PopenSpawn([str(machine.MEZZO), "image", "raspi4b", "--to", str(card), "--qemu", "--timeout", "90"],
                                   timeout=60, encoding="utf-8")
    try:
        child.expect_exact("[mezzo] board: ")
        child.send("\x1d0") # whoever types nothing is shown all output and no prompt
        child.expect_exact(PROMPT)
        child.send("uptime --json\r")
        child.expect(r"(\{[^\n]*\"cpus\"[^\n]*\})")
        assert json.loads(child.match[1])["cpus"] == 4
        child.send("reboot\r")
        child.expect_exact("Raspberry Pi 4 Model B, 4 CPUs")
        child.expect_exact(PROMPT)
    finally:
        child.kill(signal.SIGTERM)
        child.wait()

# SPDX-License-Identifier: Apache-2.0
"""Mezzo's own shell, on a board with a guest that loops and one that waits to be started."""

import json
import re
import subprocess

import machine
import pexpect
import pytest

CONF = """
board = virt
on_all_off = shell
vm loop {{ kernel = {guests}/loop.img memory = 16M }}
vm idle {{ kernel = {guests}/hello.img memory = 32M autostart = false }}
"""
PROMPT = "mezzo> "


class Shell:
    def __init__(self, child):
        self.child = child

    def text(self, line):
        """What the shell answers to a line."""
        self.child.send(line + "\r")
        self.child.expect(re.escape(line) + r"\r+\n")  # a terminal may add a \r of its own
        self.child.expect_exact(PROMPT)
        return self.child.before.replace("\r", "")

    def json(self, line):
        return json.loads(self.text(line + " --json"))


@pytest.fixture(params=[2, 3], ids=["gic2", "gic3"])
def shell(request, tmp_path):
    conf = tmp_path / "shell.conf"
    conf.write_text(CONF.format(guests=machine.ROOT / "build/guest"))
    child = pexpect.spawn(str(machine.ROOT / "build/mezzo"),
                          ["run", str(conf), "--smp", "2", "--ram", "256M", "--timeout", "120",
                           "--gic", str(request.param)],
                          timeout=60, encoding="utf-8", dimensions=(50, 400))
    child.expect("about to loop")
    child.send("\x1d0")
    child.expect_exact(PROMPT)
    yield Shell(child)
    child.close(force=True)


def test_shell(shell):
    vms = shell.json("vm")["vms"]
    assert [(vm["number"], vm["name"], vm["state"]) for vm in vms] == [
        (1, "loop", "running"), (2, "idle", "created")]
    assert vms[0]["memory"] == 16 << 20 and 0 < vms[0]["used"] <= 16 << 20

    # What everybody has is all there is. A block that an idle CPU zeroes belongs to nobody meanwhile.
    for _ in range(20):
        mem = shell.json("mem")
        assert sum(owner["all"] for owner in mem["owners"]) + mem["free"] + mem["others"] == mem["total"]
        if mem["others"] == 0:
            break
    assert mem["total"] == 256 << 20 and mem["others"] == 0
    loop = mem["owners"][2]
    assert loop["owner"] == "loop" and loop["memory"] > 0 and loop["tables"] > 0 and loop["data"] > 0

    # The page tables agree, beside a guest that runs.
    audit = shell.json("audit")
    assert audit["disagree"] == 0 and audit["disagreements"] == [] and audit["pages"] == 256 << 8
    assert all(vm["agrees"] for vm in audit["vms"])
    assert re.search(r"^audit: all 65536 pages agree$", shell.text("audit"), re.MULTILINE)

    info = shell.json("info loop")
    assert info["vcpus"][0]["power"] == "on" and "0x4" in info["vcpus"][0]["now"]
    assert shell.json("regs loop")["x30"].startswith("0x")
    assert isinstance(shell.json("irq loop")["interrupts"], list)
    assert shell.json("info nobody") == {
        "error": "nobody: there is no VM of this name; vm lists them"}
    assert "did you mean loop?" in shell.text("info lop")
    assert any("about" in row["help"] or row["name"] == "vm" for row in shell.json("help")["commands"])
    assert any("Mezzo" in line for line in shell.json("log")["lines"])
    assert any("self-audit: EL2's map agrees" in line for line in shell.json("log")["lines"])

    # The tree can be compiled again.
    source = shell.json("dt loop")["source"]
    subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", "/dev/null"], input=source, text=True,
                   check=True)

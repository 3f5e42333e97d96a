# SPDX-License-Identifier: Apache-2.0
"""Sockets between two Linux guests, and of the one that is trusted to Mezzo's shell, by an ordinary program
(vsock_client.c)."""

import json
import subprocess

import machine

PORT, SHELL = 2000, "2 1"
KEYS = {"a": {"vsock": "10", "vsock_group": "fleet", "manage": "true"}, "b": {"vsock": "11", "vsock_group": "fleet"}}


def add_program(initramfs, directory):
    """A guest's file system with the program in it."""
    (directory / "bin").mkdir()
    compiler = subprocess.run(["make", "-s", "--no-print-directory", "print-el2"], cwd=machine.ROOT, capture_output=True,
                              text=True, check=True).stdout.split()[0]
    subprocess.run([compiler, "-Wall", "-Wextra", "-Werror", "-O2", "-D_GNU_SOURCE", "-static", "-s",
                    "-o", directory / "bin/vsock", "test/boot/vsock_client.c"], cwd=machine.ROOT, check=True)
    archive = subprocess.run(["cpio", "--quiet", "-o", "-H", "newc"], cwd=directory, input=b"bin/vsock\n", check=True,
                             stdout=subprocess.PIPE).stdout
    first, path = initramfs.read_bytes(), directory / "initrd"
    path.write_bytes(first + bytes(-len(first) % 4) + archive)  # a kernel looks for the next one at a word
    return path


def ask(console, *lines, before=""):
    """What Mezzo answers a guest's program, line by line."""
    words = " ".join(f"'{line}'" for line in lines)
    console.send(f"{before}vsock ask {SHELL} {words}\n")
    text = console.expect(r"(?s)(\{.*?)end of answers", 60)[1]
    answers = [json.loads(line) for line in text.splitlines()]
    assert len(answers) == len(lines), text
    return answers


def check_streams(a, b):
    for size in (1, 300001, 2 << 20):
        a.send(f"vsock send 11 {PORT} {size}\n")
        got = a.expect(r"sent (\d+) sum ([0-9a-f]{8}), (\d+) arrived", 90)
        assert got[1] == got[3] == str(size)
        assert b.expect(r"got (\d+) sum ([0-9a-f]{8}) from 10", 60).groups() == (got[1], got[2])
    for cid, port in ((11, PORT + 1), (12, PORT)):  # nobody listens, and nobody is there
        a.send(f"vsock send {cid} {port} 1\n")
        a.expect("connect: Connection reset by peer")


def check_shell(link, a, b):
    first, second, unknown = ask(a, "vm", "info b", "x" * 300)
    assert [vm["name"] for vm in first["vms"]] == ["a", "b"], first
    assert second["vsock"] == 11 and second["manages"] is False and link.command("info a")["manages"] is True, second
    assert "longer than" in unknown["error"], unknown
    assert len(ask(a, *["log"] * 3)) == 3  # more than buffers hold at once
    b.send(f"vsock ask {SHELL} vm\n")
    b.expect("connect: Connection reset by peer")


def check_floods(a, b):
    b.send(f"vsock flood {SHELL} 2000\n")
    assert ask(a, "vm")[0]["vms"]
    b.expect("flood: 0 open, 2000 refused, 0 other", 120)
    a.send(f"vsock flood {SHELL} 200\n")
    a.expect("flood: 2 open, 198 refused, 0 other", 60)
    a.send(f"vsock flood 11 {PORT + 1} 200\n")
    a.expect("flood: 0 open, 200 refused, 0 other", 60)
    assert ask(a, "vm")[0]["vms"]


def check(link, a, b):
    """Streams and what ends them; the shell for who is trusted and for nobody else; floods. The last word: b is killed,
    by a."""
    b.send(f"(vsock listen {PORT} &)\n")
    b.expect("listening")
    check_streams(a, b)
    check_shell(link, a, b)
    check_floods(a, b)
    hold = f"vsock hold 11 {PORT} > /tmp/held & sleep 1; cat /tmp/held; "
    answer = ask(a, "info a", "kill b", before=hold)
    assert answer[0]["vsock_connections"] == 1 and "error" not in answer[1], answer
    a.send("wait; cat /tmp/held\n")
    a.expect("holding\nover", 20)
    link.wait_state("b", "off")

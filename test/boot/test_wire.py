# SPDX-License-Identifier: Apache-2.0
"""A program at the other end of the wire: VMs live and end by JSON alone, several consoles speak at once, and
neither garbage nor a host that goes away does any harm."""

import os
import random
import re
import time

import pytest
import wire
from machine import TIME_LIMIT, vm

FLOOD_SECONDS = int(os.environ.get("FLOOD_SECONDS", "8"))
TEMPLATE = vm("worker", "share", "every=200", autostart="false")


def says(link, console, more=2):
    """The guest still prints: so many more lines."""
    console.at = len(console.text)
    for _ in range(more):
        console.expect(r"\w+: \d+ [^\n]*\n")


@pytest.mark.parametrize("gic", [2, 3])
def test_json(gic):
    """Creates, lists, starts, looks into, ends and destroys VMs, only by JSON."""
    with wire.started(TEMPLATE, f"--gic {gic} --smp 2") as link:
        assert [(row["name"], row["state"]) for row in link.command("vm")["vms"]] == [("worker", "created")]
        before = link.totals()

        for name in ("one", "two"):
            made = link.command(f"create {name} from worker")
            assert made["name"] == name and "created from worker" in made["begun"]
            assert link.vm(name)["state"] == "created"
            assert link.command(f"start {name}")["begun"] == f"{name}: starts"
            assert link.wait_state(name, "running")["memory"] == 16 << 20
        assert [row["name"] for row in link.command("vm")["vms"]] == ["worker", "one", "two"]

        # Two consoles at once, each from its first byte.
        one, two = link.console("one"), link.console("two")
        for console in (one, two):
            console.expect(r"share: up\n")
            console.expect(r"share: \d+ rounds\n")
        says(link, one)
        says(link, two)

        assert link.command("info one")["vcpus"][0]["ran_us"] > 0
        assert link.command("kill one")["begun"] == "one: is ended"
        link.wait_state("one", "off")
        says(link, two)
        link.command("start one")
        one.expect(r"share: up\n")
        for name in ("one", "two"):
            link.destroy(name)
        assert [row["name"] for row in link.command("vm")["vms"]] == ["worker"]
        link.check_totals(before)
        # The channels of what is gone are gone.
        link.wait(lambda: {entry[1] for entry in link.channels.values()} == {"shell", "log", "worker"})


def still_well(link, guest):
    """The shell answers, the guest prints, and nothing is lost or found that should not be."""
    says(link, link.console(guest))
    assert link.vm(guest)["state"] == "running"
    link.totals()


def test_typed_flood():
    """Text at the shell as fast as the board takes it, or megabytes if the time is given: guests keep
    running."""
    conf = vm("ticks", "ticks") + vm("share", "share", "every=100")
    with wire.board(conf, "--smp 2", time_limit=TIME_LIMIT + FLOOD_SECONDS) as path:
        sock = wire.connect(path)
        sock.sendall(b"\x1d0")
        line = b"vm; help nonsense " + b"x" * 300 + b"\x1b[A\t\t\x03\r"
        sock.settimeout(0.2)
        sent, end, seen = 0, time.monotonic() + FLOOD_SECONDS, b""
        while time.monotonic() < end and sent < 2 << 20:
            try:
                sent += sock.send(line * 40)
            except TimeoutError:
                pass
            try:
                seen = (seen + sock.recv(1 << 16))[-4096:]
            except TimeoutError:
                pass
        assert sent > 1 << 14, f"only {sent} bytes were taken"
        sock.close()
        link = wire.Link(wire.connect(path))
        link.greet()
        still_well(link, "share")
        ticks = link.console("ticks")
        ticks.at = len(ticks.text)
        ticks.expect(r"ticks: [1-9]\d*00, worst")
        info = link.command("info ticks")["vcpus"][0]
        assert info["waited_us"] < info["ran_us"] + 10**7
        link.sock.close()


def frames(rng):
    """Garbage of each kind, without end."""
    while True:
        kind = rng.randrange(6)
        payload = rng.randbytes(rng.choice([0, 1, 4, 5, 16, 64, 300, 4096]))
        channel = rng.choice([0, 1, 2, 3, 4, 65535])
        frame = wire.encode(rng.randrange(18), channel, payload, rng.randrange(1 << 16))
        if kind == 0:  # noise, with STARTs in it
            yield rng.randbytes(rng.randrange(2000))
        elif kind == 1:  # cut off
            yield frame[:rng.randrange(1, len(frame))]
        elif kind == 2:  # damaged
            at = rng.randrange(len(frame))
            yield frame[:at] + bytes([frame[at] ^ (1 << rng.randrange(8))]) + frame[at + 1:]
        elif kind == 3:  # a header that promises more than may be
            yield bytes([wire.START, 1, rng.randrange(16), 0, 0, 0, 0, 0xff, 0xff])
        else:  # correct, and nonsense
            yield frame


def flood(link, rng, size):
    """Sends so many bytes of garbage; takes in what comes without a look at it."""
    pieces, sent = frames(rng), 0
    link.sock.settimeout(0.05)
    while sent < size:
        piece = next(pieces)
        while piece:
            try:
                piece = piece[link.sock.send(piece):]
            except TimeoutError:
                pass
            try:
                link.sock.recv(1 << 16)
            except TimeoutError:
                pass
        sent += 500
    link.sock.settimeout(None)


def test_garbage():
    """Noise, damaged frames and correct ones with nonsense in them: the next greeting is answered, and all is
    well."""
    conf = vm("share", "share", "every=100") + TEMPLATE
    with wire.started(conf, "--smp 2") as link:
        for seed in range(3):
            flood(link, random.Random(seed), 60000)
            link.greet()
            still_well(link, "share")


def plain_text(sock, pattern, timeout):
    """Reads until plain text matches."""
    text, end = b"", time.monotonic() + timeout
    sock.settimeout(0.5)
    while not re.search(pattern, text):
        assert time.monotonic() < end, f"{pattern} did not come, but: {text[-500:]}"
        try:
            text += sock.recv(4096)
        except TimeoutError:
            pass
    sock.settimeout(None)
    return text


@pytest.mark.parametrize("part", [1, 7, 20])
def test_host_goes_away(part):
    """A host that dies amid a frame: after five seconds the wire is plain; then another one greets."""
    with wire.board(TEMPLATE + vm("share", "share", "every=200"), "--smp 1") as path:
        link = wire.Link(wire.connect(path))
        link.greet()
        says(link, link.console("share"))
        link.sock.sendall(wire.encode(wire.COMMAND, 1, bytes(4) + b"vm and a lot more", 9)[:part])
        link.sock.close()
        sock = wire.connect(path)
        plain_text(sock, rb"\[share\] share: \d+ rounds\r\n", 60)
        sock.sendall(b"\x1d0")
        plain_text(sock, rb"mezzo> ", 30)
        sock.sendall(b"uptime\r")
        plain_text(sock, rb"mezzo> ", 30)
        link = wire.Link(sock)
        link.greet()
        still_well(link, "share")
        link.send(wire.BYE, 0)
        link.wait(lambda: link.bye)
        sock.sendall(b"\r")
        plain_text(sock, rb"mezzo> ", 30)  # the view that was there before
        sock.close()

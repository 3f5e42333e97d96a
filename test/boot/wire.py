# SPDX-License-Identifier: Apache-2.0
"""The host's end of the framed protocol (docs/wire.md), written a second time: so that what Mezzo and the
`mezzo` command believe in common is held against the page, and so that a test can drive Mezzo as a program.

    with wire.started(machine.vm("a", "ticks", autostart="false")) as mezzo:
        mezzo.command("create b from a")
        mezzo.command("start b")
        mezzo.console("b").expect("up")

Whoever waits for something takes in what comes meanwhile and says that the host is still there: a test that
only waits calls `mezzo.rest(seconds)` and not time.sleep.
"""

import contextlib
import json
import pathlib
import re
import select
import socket
import struct
import subprocess
import tempfile
import time
import zlib

import machine

START, ESCAPE, STUFFED, FLIP = 0xc0, 0xc1, {0xc0, 0xc1, 0x11, 0x13}, 0x20
VERSION, HEADER, MOST = 1, 8, 4096
(HELLO, WELCOME, BYE, PING, PONG, DIRECTORY, OPEN, CLOSE, DATA, CREDIT, LOST, COMMAND, ANSWER,
 ERROR, END) = range(1, 16)
SHELL, CONSOLE, LOG, FILE = 1, 2, 3, 6
WINDOW = 1 << 16  # bytes of a channel that Mezzo may send ahead
BLOCK = 2 << 20  # bytes; the largest piece of memory that Mezzo's allocator hands out
NONCE = 0x6d657a7a6f0000  # of the first greeting; one more for each further one


def encode(kind, channel, payload, sequence):
    frame = struct.pack("<BBHHH", VERSION, kind, channel, sequence & 0xffff, len(payload)) + payload
    frame += struct.pack("<I", zlib.crc32(frame))
    out = bytearray([START])
    for byte in frame:
        out += bytes([ESCAPE, byte ^ FLIP]) if byte in STUFFED else bytes([byte])
    return bytes(out)


class Decoder:
    """Bytes to frames; what is outside of them is noise, and counted."""

    def __init__(self):
        self.frame, self.escaped, self.noise = None, False, b""

    def take(self, data):
        frames = []
        for byte in data:
            if byte == START:
                self.frame, self.escaped = bytearray(), False
            elif self.frame is None:
                self.noise += bytes([byte])
            elif byte == ESCAPE:
                self.escaped = True
            else:
                self.frame.append(byte ^ FLIP if self.escaped else byte)
                self.escaped = False
                done = self.check()
                if done:
                    frames.append(done)
        return frames

    def check(self):
        if len(self.frame) < HEADER:
            return None
        version, kind, channel, sequence, length = struct.unpack_from("<BBHHH", self.frame)
        if version != VERSION or length > MOST:
            self.frame = None
            return None
        if len(self.frame) < HEADER + length + 4:
            return None
        body, (crc,) = bytes(self.frame[:-4]), struct.unpack("<I", self.frame[-4:])
        self.frame = None
        return (kind, channel, sequence, body[HEADER:]) if crc == zlib.crc32(body) else None


class Console:
    """One channel's bytes so far."""

    def __init__(self, link, channel):
        self.link, self.channel = link, channel
        self.text, self.at = "", 0  # what came, without carriage returns; how far expect() has seen it
        self.position, self.granted = 0, WINDOW  # bytes that came, and that may come
        self.sent, self.limit = 0, 0  # bytes that went, and that may go
        self.lost = 0

    def expect(self, pattern, timeout=60):
        """Waits for a match after the last one; returns it."""
        end = time.monotonic() + timeout
        while True:
            match = re.compile(pattern).search(self.text, self.at)
            if match:
                self.at = match.end()
                return match
            left = end - time.monotonic()
            assert left > 0, f"{pattern!r} did not come in {timeout} s, but:\n{self.text[-1000:]}"
            self.link.pump(min(left, 1))

    def take(self, data):
        self.text += data.decode(errors="replace").replace("\r", "")

    def take_credit(self, limit):
        """32 bits of a position that only grows."""
        self.limit += (limit - self.limit) & 0xffffffff

    def send(self, data):
        """Types this, as fast as the guest takes it."""
        data = data.encode()
        while data:
            room = self.limit - self.sent
            piece, data = data[:room], data[room:]
            if piece:
                self.link.send(DATA, self.channel, struct.pack("<I", self.sent & 0xffffffff) + piece)
                self.sent += len(piece)
            else:
                self.link.pump(0.2)


class File(Console):
    """A file that comes on a channel of its own."""

    def __init__(self, link, channel, name):
        super().__init__(link, channel)
        self.name, self.data, self.end = name, bytearray(), None  # end: why it is not whole, "" if it is

    def take(self, data):
        assert self.end is None, "bytes behind the end of a file"
        self.data += data

    def take_end(self, position, flags, why):
        assert position == len(self.data) & 0xffffffff and self.end is None
        assert bool(flags & 1) == bool(why)
        self.end = why


class Link:
    """A session with a Mezzo on the other end of `sock`."""

    def __init__(self, sock):
        self.sock, self.decoder, self.nonce, self.number = sock, Decoder(), NONCE, 0
        self.forget()

    def forget(self):
        """As before any greeting."""
        self.sequence, self.expected, self.gaps = 0, 0, 0
        self.channels, self.by_number, self.answers, self.errors = {}, {}, {}, []
        self.welcome, self.bye, self.last_sent = None, False, 0.0
        self.files, self.takes_files = {}, True

    def send(self, kind, channel, payload=b""):
        self.sock.sendall(encode(kind, channel, payload, self.sequence))
        self.sequence += 1
        self.last_sent = time.monotonic()

    def greet(self, timeout=60):
        """Greets until that is answered. Greetings that were sent too early may be answered as well: only
        the answer to the last one counts, and a slow board gets more and more time for it."""
        self.forget()
        end, patience = time.monotonic() + timeout, 0.5
        while self.welcome is None and time.monotonic() < end:
            self.sequence, self.nonce = 0, self.nonce + 1
            self.send(HELLO, 0, struct.pack("<BBHIQ", 1, VERSION, 0, 3, self.nonce))
            until, patience = time.monotonic() + patience, patience * 1.5
            while self.welcome is None and time.monotonic() < until:
                self.pump(0.1)
        assert self.welcome is not None, f"nobody answered the greeting, but:\n{self.decoder.noise[-2000:]}"
        while SHELL not in (kind for kind, *_ in self.channels.values()):
            assert time.monotonic() < end, "no directory came"
            self.pump(0.5)

    def pump(self, timeout):
        """Takes in what there is, waiting at most `timeout` seconds for it."""
        if self.welcome and time.monotonic() - self.last_sent > 1:
            self.send(PING, 0)
        if not select.select([self.sock], [], [], timeout)[0]:
            return
        data = self.sock.recv(65536)
        if not data:
            raise Closed("Mezzo's end of the wire is closed")
        for frame in self.decoder.take(data):
            self.take(*frame)

    def rest(self, seconds):
        """Waits."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.pump(max(0, min(end - time.monotonic(), 0.5)))

    def take(self, kind, channel, sequence, payload):
        if kind == WELCOME:
            version, _, _, features, nonce = struct.unpack_from("<BBHIQ", payload)
            if nonce == self.nonce:
                assert (version, sequence) == (VERSION, 0)
                self.welcome, self.expected = (features, payload[16:].decode()), 1
                self.errors = []
            return
        if self.welcome is None:  # of a greeting before, or it says why there is none
            if kind == ERROR:
                self.errors.append((payload[0], payload[1:].decode()))
            return
        self.gaps += sequence != self.expected
        self.expected = (sequence + 1) & 0xffff
        if kind == DIRECTORY:
            self.take_directory(payload)
        elif kind == DATA and channel in self.by_number:
            self.take_data(self.by_number[channel], payload)
        elif kind == CREDIT and channel in self.by_number:
            self.by_number[channel].take_credit(*struct.unpack("<I", payload))
        elif kind == LOST and channel in self.by_number:
            (self.by_number[channel].lost,) = struct.unpack("<Q", payload)
        elif kind == ANSWER and channel in self.by_number:
            number, flags, position = struct.unpack_from("<IBI", payload)
            shell = self.by_number[channel]
            assert position == shell.position & 0xffffffff, "an ANSWER frame is missing"
            text, _ = self.answers.get(number, (b"", False))
            self.answers[number] = (text + payload[9:], bool(flags & 1))
            shell.position += len(payload) - 9
            self.give_credit(shell)
        elif kind == END and channel in self.files:
            self.files[channel].take_end(*struct.unpack_from("<IB", payload), payload[5:].decode())
        elif kind == ERROR:
            self.errors.append((payload[0], payload[1:].decode()))
        elif kind == BYE:
            self.bye = True

    def take_directory(self, payload):
        if payload[0] & 1:
            self.channels = {}
        at = 1
        while at < len(payload):
            channel, kind, state, ident, length = struct.unpack_from("<HBBIB", payload, at)
            name = payload[at + 9:at + 9 + length].decode()
            at += 9 + length
            if state == 0:
                self.channels.pop(channel, None)
            else:
                self.channels[channel] = (kind, name, state, ident)
                if kind == FILE and channel not in self.files and self.takes_files:
                    self.files[channel] = self.by_number[channel] = File(self, channel, name)
                    self.send(OPEN, channel, struct.pack("<IB", WINDOW, 0))

    def take_data(self, console, payload):
        (position,) = struct.unpack_from("<I", payload)
        assert position == console.position & 0xffffffff, "a DATA frame is missing"
        console.take(payload[4:])
        console.position += len(payload) - 4
        self.give_credit(console)

    def give_credit(self, console):
        if console.granted - console.position < WINDOW // 2:
            console.granted = console.position + WINDOW
            self.send(CREDIT, console.channel, struct.pack("<I", console.granted & 0xffffffff))

    def open(self, kind, name, timeout=60):
        """The channel of this kind and name, opened with its past."""
        end = time.monotonic() + timeout
        while True:
            for number, (its_kind, its_name, *_) in self.channels.items():
                if its_kind != kind or (name and its_name != name):
                    continue
                if number not in self.by_number:
                    self.by_number[number] = Console(self, number)
                    self.send(OPEN, number, struct.pack("<IB", WINDOW, 1))
                return self.by_number[number]
            assert time.monotonic() < end, f"there is no channel {name!r}"
            self.pump(0.5)

    def console(self, name):
        return self.open(CONSOLE, name)

    def log(self):
        return self.open(LOG, "")

    def command(self, line, timeout=60):
        """Runs a line of the shell; returns its answer, or raises what it says went wrong."""
        shell = self.open(SHELL, "")
        self.number += 1
        number = self.number
        self.send(COMMAND, shell.channel, struct.pack("<I", number) + line.encode())
        end = time.monotonic() + timeout
        while not self.answers.get(number, (b"", False))[1]:
            assert time.monotonic() < end, f"no answer to {line!r} in {timeout} s"
            assert not self.errors, self.errors
            self.pump(1)
        text = self.answers.pop(number)[0].decode("ascii")
        answer = json.loads(text)
        assert isinstance(answer, dict), f"{line!r} is answered by {text}"
        if "error" in answer:
            raise Refused(answer["error"])
        return answer

    def screenshot(self, name, timeout=60):
        """The PNG of a VM's screen, and the answer."""
        answer = self.command(f"screenshot {name}", timeout)
        file = self.files.pop(answer["channel"])
        assert file.end == "" and file.name == f"{name}.png" and len(file.data) == answer["bytes"]
        return bytes(file.data), answer

    def refused(self, line):
        """Runs a line that must not work; returns the sentence that says why."""
        try:
            answer = self.command(line)
        except Refused as why:
            return str(why)
        raise AssertionError(f"{line!r} was not refused, but answered by {answer}")

    def wait(self, what, timeout=60):
        """Waits until `what()` is true; returns it."""
        end = time.monotonic() + timeout
        while True:
            result = what()
            if result:
                return result
            assert time.monotonic() < end, f"{what} is not true after {timeout} s"
            self.pump(0.05)

    def vm(self, name):
        """The row of `vm` about this VM, or None."""
        return next((row for row in self.command("vm")["vms"] if row["name"] == name), None)

    def wait_state(self, name, state, timeout=60):
        """Waits until the VM is in this state; None: until there is no such VM."""
        end = time.monotonic() + timeout
        while True:
            row = self.vm(name)
            if (row and row["state"]) == state:
                return row
            assert time.monotonic() < end, f"{name} is not {state} after {timeout} s, but {row}"
            self.pump(0.02)

    def destroy(self, name, timeout=60):
        """Takes the VM away; returns when all it had is given back."""
        log = self.log()
        start = len(log.text)
        self.command(f"destroy {name}")
        self.wait(lambda: f"{name}: destroyed; all it had" in log.text[start:], timeout)

    def ran(self, name):
        """Microseconds for which CPUs have run this VM."""
        return sum(vcpu["ran_us"] for vcpu in self.command(f"info {name}")["vcpus"])

    def totals(self):
        """What must be the same before and after VMs came and went: memory that is free, and all that is
        somebody's, owner by owner. The audit agrees."""
        audit = self.command("audit", timeout=120)
        assert audit["disagree"] == 0 and audit["disagreements"] == [], audit
        free, mem = self.command("free"), self.command("mem")
        owners = {row["owner"]: row["all"] for row in mem["owners"]}
        return {"free": free["free"], "promised": free["promised"], "mem": mem["free"], **owners}

    def check_totals(self, before):
        """The totals are the same again, but for the one block that an idle CPU may be filling with zeroes:
        it is Mezzo's meanwhile."""
        now = self.totals()
        rest = set(before) - {"free", "mem", "mezzo"}
        assert {key: now.get(key) for key in rest} == {key: before[key] for key in rest}
        assert now.keys() == before.keys()
        for key in ("free", "mem", "mezzo"):
            assert abs(now[key] - before[key]) in (0, BLOCK), (key, before, now)


class Refused(Exception):
    """What the shell says against a command."""


class Closed(Exception):
    """The board is off, or its UART was given away."""


@contextlib.contextmanager
def board(conf, options="", qemu=(), time_limit=machine.TIME_LIMIT, image=None):
    """Starts a described system with its UART on a socket: yields the path. `options` are those of `mezzo
    run`, as text; `qemu` is a list for QEMU itself."""
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        file, path = directory / "system.conf", directory / "wire"
        file.write_text(conf, encoding="ascii")
        if image is not None:
            options += f" --image {image}"
        command = [*machine.mezzo_command([file], options, time_limit), "--socket", path, "--", *qemu]
        with open(directory / "log", "wb") as log:
            process = subprocess.Popen([str(word) for word in command], cwd=machine.ROOT,
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                       start_new_session=True)
        try:
            connect(path, process, directory / "log").close()
            yield path
        finally:
            machine.end_group(process)


@contextlib.contextmanager
def started(conf, options="", qemu=(), time_limit=machine.TIME_LIMIT, image=None):
    """The same, and greets it."""
    with board(conf, options, qemu, time_limit, image) as path:
        link = Link(connect(path))
        try:
            link.greet()
            link.log()
            yield link
            assert link.gaps == 0, f"{link.gaps} times a frame was missing"
        finally:
            link.sock.close()


def connect(path, process=None, log=None):
    """A connection to the board's UART; what it said before is lost."""
    end = time.monotonic() + 60
    while time.monotonic() < end and (process is None or process.poll() is None):
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(str(path))
            return sock
        except OSError:
            sock.close()
            time.sleep(0.05)
    said = log.read_text(errors="replace") if log else ""
    raise AssertionError(f"nobody listens on the board's wire\n{said}")

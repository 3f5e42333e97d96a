# SPDX-License-Identifier: Apache-2.0
"""A Mezzo that is not there: the other end of docs/wire.md, written from that page alone, on a UNIX
socket, a pseudo-terminal or a pair of pipes. It notes every rule that the host breaks.

    fake_mezzo.py VM...     in the place of QEMU, on standard input and output: says a few lines, then what is
                            typed for a VM comes back in <>, and `off` ends it
"""

import os
import select
import socket
import struct
import sys
import threading
import time
import zlib

HELLO, WELCOME, BYE, PING, PONG, DIRECTORY, OPEN, CLOSE, DATA, CREDIT, LOST, COMMAND, ANSWER, ERROR, END = range(1, 16)
SHELL, VM, LOG, FILE = 1, 2, 3, 6
GONE, THERE, OFF = 0, 1, 2


def pack(kind, channel, sequence, payload=b"", version=1):
    """The bytes of a frame."""
    body = struct.pack("<BBHHH", version, kind, channel, sequence & 0xffff, len(payload)) + payload
    body += struct.pack("<I", zlib.crc32(body))
    stuffed = b"".join(bytes([0xc1, byte ^ 0x20]) if byte in (0xc0, 0xc1, 0x11, 0x13) else bytes([byte])
                       for byte in body)
    return b"\xc0" + stuffed


class Reader:
    """Bytes become frames (kind, channel, sequence, payload); what is in none is `noise`."""

    def __init__(self):
        self.body, self.escaped, self.noise, self.bad = None, False, b"", 0

    def take(self, chunk):
        for byte in chunk:
            if byte == 0xc0:
                self.bad += self.body is not None
                self.body, self.escaped = bytearray(), False
            elif self.body is None:
                self.noise += bytes([byte])
            elif byte == 0xc1 and not self.escaped:
                self.escaped = True
            else:
                self.body.append(byte ^ 0x20 if self.escaped else byte)
                self.escaped = False
                frame = self.whole()
                if frame:
                    yield frame

    def whole(self):
        if len(self.body) < 12:
            return None
        version, kind, channel, sequence, length = struct.unpack("<BBHHH", self.body[:8])
        if len(self.body) < 12 + length:
            return None
        body, self.body = bytes(self.body), None
        if version != 1 or zlib.crc32(body[:-4]) != struct.unpack("<I", body[-4:])[0]:
            self.bad += 1
            return None
        return kind, channel, sequence, body[8:-4]


class Channel:
    def __init__(self, kind, name, number, past=b"", state=THERE):
        self.kind, self.name, self.id, self.past, self.state = kind, name, number, past, state
        self.open = False
        self.waiting, self.sent, self.limit = b"", 0, 0  # to the host
        self.typed, self.allowed = b"", 0                # from the host
        self.opened = []                                 # the flags of each OPEN
        self.after = None                                # of a file: what is done after its end


class Fake(threading.Thread):
    """`channels`: number to Channel. `window`: credit that the host gets and keeps getting, unless
    `stingy`. `commands`: a line to its answer. Until `deaf` is false HELLO is not answered."""

    def __init__(self, path=None, fd=None, to=None, channels=None, commands=None, window=64, text=b"", deaf=False):
        super().__init__(daemon=True)
        self.lock = threading.RLock()
        self.channels = channels or {}
        self.commands = commands or {}
        self.window, self.deaf, self.stingy, self.mute = window, deaf, False, False
        self.text = text  # said in plain mode, at once
        self.gone = set()  # files that have ended
        self.framed, self.hellos, self.faults, self.plain_input = False, 0, [], b""
        self.pings = self.byes = 0
        self.sequence = self.expected = 0
        self.fd, self.connection, self.ending = fd, None, False
        self.to = fd if to is None else to
        self.reader = Reader()
        if path is not None:
            self.server = socket.socket(socket.AF_UNIX)
            self.server.bind(str(path))
            self.server.listen()
        self.start()

    # --- the thread

    def run(self):
        if self.fd is None:
            self.connection, _ = self.server.accept()
            self.fd = self.to = self.connection.fileno()
        if self.text:
            self.raw(self.text)
        while not self.ending:
            ready, _, _ = select.select([self.fd], [], [], 0.02)
            with self.lock:
                if ready:
                    try:
                        chunk = os.read(self.fd, 4096)
                    except OSError:
                        return
                    if not chunk:
                        return
                    for frame in self.reader.take(chunk):
                        self.take(*frame)
                    if not self.framed:
                        self.plain_input += self.reader.noise
                    elif self.reader.noise:
                        self.faults.append(f"noise {self.reader.noise!r}")
                    self.reader.noise = b""
                self.pump()

    def raw(self, data):
        while data:
            try:
                data = data[os.write(self.to, data):]
            except OSError:
                return

    def send(self, kind, channel, payload=b""):
        self.raw(pack(kind, channel, self.sequence, payload))
        self.sequence += 1

    def take(self, kind, number, sequence, payload):
        if kind == HELLO:
            self.hello(payload)
            return
        if not self.framed:
            return
        if sequence != self.expected & 0xffff:
            self.faults.append(f"sequence {sequence}, not {self.expected}")
        self.expected = sequence + 1
        channel = self.channels.get(number)
        if kind == BYE:
            self.byes += 1
            self.send(BYE, 0)
            self.framed = False
        elif kind == PING:
            self.pings += 1
            if not self.mute:
                self.send(PONG, 0, payload)
        elif number in self.gone and kind in (CREDIT, CLOSE):
            pass
        elif kind == CLOSE and channel is not None and channel.kind == FILE:
            self.remove(number)
        elif channel is None:
            self.faults.append(f"frame {kind} on channel {number}, which is not there")
        elif kind == OPEN:
            channel.open = True
            channel.limit, flags = struct.unpack("<IB", payload)
            channel.opened.append(flags)
            channel.sent, channel.allowed, channel.taken = 0, self.window, 0
            channel.waiting = (channel.past if flags & 1 else b"") + channel.waiting
            self.send(CREDIT, number, struct.pack("<I", channel.allowed))
        elif not channel.open:
            self.faults.append(f"frame {kind} on channel {number}, which is closed")
        elif kind == CREDIT:
            channel.limit = struct.unpack("<I", payload)[0]
        elif kind == DATA:
            self.data(number, channel, payload)
        elif kind == COMMAND:
            self.command(number, channel, payload)
        else:
            self.faults.append(f"frame {kind}")

    def hello(self, payload):
        self.hellos += 1
        low, high, features, nonce = struct.unpack("<BBxxIQ", payload)
        if not low <= 1 <= high or features & 3 != 3:
            self.faults.append("HELLO knows no version 1, no COMMAND or no files")
        if self.deaf:
            return
        self.framed, self.sequence, self.expected = True, 0, 1
        for channel in self.channels.values():
            channel.open = False
        self.send(WELCOME, 0, struct.pack("<BxxxIQ", 1, 3, nonce) + b"Mezzo fake-1")
        self.directory()

    @staticmethod
    def entry(number, channel, state=None):
        return struct.pack("<HBBIB", number, channel.kind, channel.state if state is None else state, channel.id,
                           len(channel.name)) + channel.name.encode()

    def offer(self, number, name, data, why=None, after=None, skip=0):
        """A file: when it is open its bytes go, then END with `why`, then `after` is called. `why` False: no END.
        `skip`: so many bytes before them are lost on the way."""
        file = self.channels[number] = Channel(FILE, name, 1)
        file.waiting, file.why, file.after, file.skip = data, why, after, skip
        self.send(DIRECTORY, 0, b"\0" + self.entry(number, file))

    def remove(self, number):
        self.gone.add(number)
        self.send(DIRECTORY, 0, b"\0" + self.entry(number, self.channels.pop(number), GONE))

    def end_file(self, number, file):
        if file.why is not False:
            why = (file.why or "").encode()
            self.send(END, number, struct.pack("<IB", file.sent, bool(why)) + why)
        self.remove(number)
        if file.after:
            file.after()

    def directory(self):
        """All of it, in two pieces where there is enough."""
        entries = [self.entry(number, channel) for number, channel in self.channels.items()]
        half = len(entries) // 2
        self.send(DIRECTORY, 0, b"\x03" + b"".join(entries[:half]))
        self.send(DIRECTORY, 0, b"\x00" + b"".join(entries[half:]))

    def data(self, number, channel, payload):
        position = struct.unpack("<I", payload[:4])[0]
        if position != channel.taken:
            self.faults.append(f"position {position}, not {channel.taken}")
        channel.typed += payload[4:]
        channel.taken = position + len(payload) - 4
        if channel.taken > channel.allowed:
            self.faults.append(f"{channel.name}: {channel.taken} bytes of {channel.allowed}")
        if not self.stingy:
            channel.allowed = channel.taken + self.window
            self.send(CREDIT, number, struct.pack("<I", channel.allowed))

    def command(self, number, channel, payload):
        count, line = struct.unpack("<I", payload[:4])[0], payload[4:].decode()
        answer = self.commands.get(line)
        if callable(answer):  # it answers by itself, perhaps later
            answer = answer(self, lambda text: self.answer(number, channel, count, text))
        if answer is None:
            return
        if isinstance(answer, Exception):
            self.send(ERROR, number, bytes([COMMAND]) + str(answer).encode())
            return
        self.answer(number, channel, count, answer)

    def answer(self, number, channel, count, answer):
        pieces = [answer[at:at + 7] for at in range(0, len(answer), 7)]
        for piece in pieces:
            self.send(ANSWER, number, struct.pack("<IBI", count, piece is pieces[-1], channel.sent) + piece.encode())
            channel.sent += len(piece)

    def pump(self):
        if not self.framed:
            return
        for number, channel in list(self.channels.items()):
            if channel.kind == FILE and channel.open:
                channel.sent, channel.skip = channel.sent + channel.skip, 0
            while channel.open and channel.waiting and channel.sent < channel.limit:
                piece = channel.waiting[:min(256, channel.limit - channel.sent)]
                channel.waiting = channel.waiting[len(piece):]
                self.send(DATA, number, struct.pack("<I", channel.sent) + piece)
                channel.sent += len(piece)
            if channel.kind == FILE and channel.open and not channel.waiting:
                self.end_file(number, channel)

    # --- for tests

    def say(self, number, data):
        with self.lock:
            self.channels[number].waiting += data if isinstance(data, bytes) else data.encode()
            self.pump()

    def do(self, function, *arguments, **more):
        with self.lock:
            return function(*arguments, **more)

    def end(self):
        """Hangs up."""
        with self.lock:
            self.ending = True
            if self.connection is not None:
                self.connection.shutdown(socket.SHUT_RDWR)
            else:
                os.close(self.fd)

    def until(self, condition, seconds=60):
        end = time.monotonic() + seconds
        while not self.do(condition):
            assert time.monotonic() < end, (self.faults, self.__dict__)
            time.sleep(0.01)


def board(**more):
    """Two VMs, one of which has said something, the shell and the log."""
    return {7: Channel(SHELL, "shell", 0, b"mezzo> "), 9: Channel(VM, "linux", 1, b"old line\n"),
            300: Channel(VM, "rtos", 2), 12: Channel(LOG, "log", 0, b"Mezzo fake-1 at EL2\n"), **more}


# What is on the plain wire of each VM: its lines if there are several.
TEXT = {False: lambda name: f"{name} is here\nand ".encode(), True: lambda name: f"[{name}] {name} is here\r\n".encode()}


def main(names):
    channels = {number: Channel(VM, name, number, f"{name} is here\nand well\n".encode()) for number, name in enumerate(names, 1)}
    channels[50] = Channel(SHELL, "shell", 0, b"mezzo> ")
    channels[51] = Channel(LOG, "log", 0, b"Mezzo fake-1 at EL2\nboard: none\nboard: none\nnew line\n")
    one = Fake(fd=0, to=1, channels=channels, deaf="deaf" in sys.argv,
               text=b"[mezzo] Mezzo fake-1 at EL2\r\n[mezzo] board: none\r\n" + b"".join(TEXT[len(names) > 1](name) for name in names))
    told = {}
    while one.is_alive():
        time.sleep(0.01)
        for number, channel in channels.items():
            with one.lock:
                new = channel.typed[told.get(number, 0):]
                told[number] = len(channel.typed)
            if new:
                one.say(number, b"<" + new + b">")
            if channel.typed.endswith(b"off"):
                one.say(51, "end: 1 off, 0 crashed\n")
                one.do(one.send, BYE, 0)
                one.ending = True
                one.join()
                os.write(1, b"[mezzo] end: 1 off, 0 crashed\r\n")
                sys.exit(1 if one.faults else 0)
        if one.deaf and one.plain_input.endswith(b"off"):
            sys.exit(0)


if __name__ == "__main__":
    main([name for name in sys.argv[1:] if name != "deaf"])

# SPDX-License-Identifier: Apache-2.0
"""What the tests of the host command share: the command itself, kernels made to measure, a stand-in
for QEMU. Run them with `make test-host`; MEZZO names another command to test."""

import gzip
import os
import pathlib
import signal
import stat
import struct
import subprocess
import time

import fake_mezzo
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MEZZO = pathlib.Path(os.environ.get("MEZZO", ROOT / "build/mezzo")).resolve()
RAM = 0x40000000
MIB = 1 << 20


class Done:
    """What a run of the command left behind."""

    def __init__(self, process):
        self.status = process.returncode
        self.out = process.stdout.decode(errors="surrogateescape")
        self.err = process.stderr.decode(errors="surrogateescape")

    def __repr__(self):
        return f"status {self.status}\n--- out\n{self.out}\n--- err\n{self.err}"


class Bench:
    """A directory to work in, and the command run there."""

    def __init__(self, path):
        self.path = path
        self.environment = {**os.environ, "LC_ALL": "C", "ASAN_OPTIONS": "detect_leaks=0",
                            "TMPDIR": str(path / "tmp")}
        for name in ("NO_COLOR", "MEZZO_IMG"):
            self.environment.pop(name, None)
        (path / "tmp").mkdir()

    def write(self, name, content):
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def mezzo(self, *arguments, stdin=None, **environment):
        process = subprocess.run(
            [MEZZO, *map(str, arguments)], cwd=self.path, timeout=60, check=False, input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env={**self.environment, **environment})
        return Done(process)

    def check(self, text, *arguments):
        """`mezzo check` of a .conf file with this text."""
        self.write("test.conf", text)
        return self.mezzo("check", "test.conf", *arguments)

    def complaints(self, text, *arguments):
        """The lines that `mezzo check` has about it. They all name a file, and none is a stumble."""
        done = self.check(text, *arguments)
        lines = done.err.splitlines()
        assert done.status == 2 and lines, done
        assert done.out == "", done
        return lines

    def fake_qemu(self, script):
        """A shell script in the place of QEMU; its arguments are kept in the file `arguments`."""
        program = self.write("bin/qemu-system-aarch64",
                             f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {self.path}/arguments\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.environment["PATH"] = f"{self.path}/bin:{os.environ['PATH']}"
        self.environment["MEZZO_IMG"] = str(self.write("mezzo.img", image(MIB)))


@pytest.fixture
def bench(tmp_path):
    assert MEZZO.exists(), f"{MEZZO} is not built"
    work = Bench(tmp_path)
    work.write("Image", image(MIB))
    work.write("initrd", b"\x5a" * 5000)
    return work


def image(image_size, text_offset=0, file_size=4096, fill=b"\0"):
    """An arm64 Linux Image with nothing in it."""
    header = struct.pack("<IIQQQQQQ4sI", 0x14000010, 0, text_offset, image_size, 0xa, 0, 0, 0,
                         b"ARM\x64", 0)
    return header + fill * (file_size - len(header))


def elf(*segments, entry=None, machine=183, kind=2):
    """An ELF64 with segments (address, data, size in memory)."""
    table = 64
    at = table + 56 * len(segments)
    headers, body = b"", b""
    for address, data, size in segments:
        headers += struct.pack("<IIQQQQQQ", 1, 5, at + len(body), address, address, len(data), size, 4)
        body += data
    first = segments[0][0] if entry is None else entry
    return struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", kind, machine, 1, first, table, 0,
                       0, 64, 56, len(segments), 0, 0, 0) + headers + body


def zboot(kernel, packing=b"gzip"):
    """An EFI zboot image around a kernel."""
    payload = gzip.compress(kernel, mtime=0)
    header = struct.pack("<4s4sII8x32s", b"MZ\0\0", b"zimg", 4096, len(payload), packing)
    return header.ljust(4096, b"\0") + payload


ONE = "vm a { kernel = Image }\n"


# --- a Mezzo that is not there, and the command that attaches to it


@pytest.fixture
def fake(bench):
    """A fake Mezzo on the socket `board`; at the end it must have found no fault."""
    made = []

    def make(**options):
        options.setdefault("channels", fake_mezzo.board())
        made.append(fake_mezzo.Fake(path=bench.path / "board", **options))
        return made[-1]
    yield make
    for one in made:
        assert one.faults == []


class Lines:
    """The command without a terminal."""

    def __init__(self, bench, *words, stdin=subprocess.DEVNULL, path="board", verb="console"):
        self.out, self.err = bench.path / "out", bench.path / "err"
        self.process = subprocess.Popen([MEZZO, verb, path, *words], cwd=bench.path, env=bench.environment,
                                        stdin=stdin, stdout=self.out.open("wb"), stderr=self.err.open("wb"))

    def wait_for(self, text, where=None, seconds=60):
        end = time.monotonic() + seconds
        while text not in (where or self.out).read_text(errors="surrogateescape"):
            assert time.monotonic() < end and self.process.poll() is None, (
                self.out.read_text(errors="replace"), self.err.read_text(errors="replace"))
            time.sleep(0.01)

    def end(self, number=signal.SIGTERM):
        if number is not None:
            self.process.send_signal(number)
        status = self.process.wait(timeout=60)
        return status, self.out.read_bytes(), self.err.read_text()


@pytest.fixture
def lines(bench):
    made = []

    def make(*words, **more):
        made.append(Lines(bench, *words, **more))
        return made[-1]
    yield make
    for one in made:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()

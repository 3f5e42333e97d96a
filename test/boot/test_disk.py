# SPDX-License-Identifier: Apache-2.0
"""Virtio disks: Debian's kernels find them, read, write, and find again what they should and nothing else; and what a
guest has flushed to the board's disk is there, whenever the board is switched off."""

import hashlib
import os
import re
import shutil
import signal
import struct
import subprocess
import time

import machine
import pytest

INITRD = machine.GUESTS / "initramfs-virtio.cpio.gz"
MIB = 1 << 20
SILENT = 20  # seconds after which a disk is given up

# Says what each disk is and holds, then writes to its second MiB and says it again. `life` counts by a disk that is kept.
INIT = """#!/bin/sh
busybox=/bin/busybox
$busybox mount -t proc proc /proc; $busybox mount -t sysfs sys /sys; $busybox mount -t devtmpfs dev /dev
$busybox --install -s /bin
for m in virtio_blk virtio_mmio; do insmod /lib/modules/$(uname -r)/$m.ko; done 2>/dev/null
sum() { dd if=$1 bs=64k iflag=direct 2>/dev/null | sha256sum | cut -c1-64; }
for d in /sys/block/vd*; do
  n=${d##*/}
  echo "disk-init: $n size=$(cat $d/size) ro=$(cat $d/ro) serial=$(cat $d/serial) sum=$(sum /dev/$n)"
done
for d in /sys/block/vd*; do
  n=${d##*/}
  yes $n-$(cat $d/size) | dd of=/dev/$n bs=4k count=256 seek=256 iflag=fullblock conv=fsync,notrunc 2>/dev/null &&
    echo "disk-init: $n written" || echo "disk-init: $n refused"
done
echo 3 > /proc/sys/vm/drop_caches
for d in /sys/block/vd*; do n=${d##*/}; echo "disk-init: $n after=$(sum /dev/$n)"; done
end=poweroff
for word in $(cat /proc/cmdline); do case $word in disk.end=*) end=${word#*=} ;; esac; done
echo "disk-init: end"
stty -F /dev/console onlcr
$end -f
sleep 60
"""


def newc(name, mode, data):
    """A member of a cpio archive."""
    head = "070701" + "".join(f"{n:08X}" for n in (1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0))
    head = head.encode() + name.encode() + b"\0"
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


@pytest.fixture(scope="session")
def initrd(tmp_path_factory):
    """The initrd with the drivers, with a first process of this file behind it."""
    if not INITRD.exists():
        pytest.skip("no initrd with virtio drivers: run tools/setup")
    path = tmp_path_factory.mktemp("disk") / "initrd"
    base = INITRD.read_bytes()
    path.write_bytes(base + bytes(-len(base) % 4) + newc("disk-init", 0o100755, INIT.encode()) +
                     newc("TRAILER!!!", 0, b""))
    return path


def image(path, size, seed):
    """Bytes that are nowhere the same."""
    block = hashlib.sha512(str(seed).encode()).digest()
    data = b"".join(struct.pack("<Q", n) + block[:56] for n in range(size // 64))
    path.write_bytes(data)
    return data


def written(data, name):
    text = f"{name}-{len(data) // 512}\n".encode()
    return data[:MIB] + (text * (MIB // len(text) + 1))[:MIB] + data[2 * MIB:]


def digest(data):
    return hashlib.sha256(data).hexdigest()


def start(conf, *options, until=None):
    return machine.mezzo([conf, *options], "--gic 3 --cpu max --smp 2 --ram 1G", until=until)


def describe(tmp_path, linux, initrd, disks, more="", words=""):
    conf = tmp_path / "disks.conf"
    conf.write_text(f"vm linux {{\n  kernel = {machine.kernel(linux)}\n  initrd = {initrd}\n  memory = 256M\n  cpus = 2\n"
                    f"  cmdline = \"console=ttyAMA0 rdinit=/disk-init {words}\"\n  disk = {disks}\n  {more}\n}}\n")
    return conf


def expect(result, lines):
    """All of them, in the words of the guest's first process."""
    said = [line for line in result.of("linux") if line.startswith("disk-init: ")]
    for line in lines:
        assert f"disk-init: {line}" in said, result.explain(f"the guest did not say: {line}")


@pytest.mark.parametrize("series", ["6.1", "6.12"])
@pytest.mark.parametrize("virtio", ["modern", "legacy"])
def test_linux(series, virtio, linux, initrd, tmp_path):
    """All kinds of disks at once."""
    data = {name: image(tmp_path / f"{name}.img", size, name)
            for name, size in (("cow", 4 * MIB), ("ro", 3 * MIB + 512), ("keep", 3 * MIB), ("host", 8 * MIB))}
    conf = describe(tmp_path, linux(series), initrd, '{ cow.img, "ro:ro.img", "keep:keep.img", "host:vda" }',
                    f"virtio = {virtio}")
    result = start(conf, "--disk", tmp_path / "host.img")
    machine.check_end(result)
    names = {"vda": ("cow", "cow.img"), "vdb": ("ro", "ro.img"), "vdc": ("keep", "keep.img"), "vdd": ("host", "vda")}
    for name, (kind, serial) in names.items():
        before = data[kind]
        after = before if kind == "ro" else written(before, name)
        expect(result, [f"{name} size={len(before) // 512} ro={kind == 'ro':d} serial={serial} sum={digest(before)}",
                        f"{name} {'refused' if kind == 'ro' else 'written'}", f"{name} after={digest(after)}"])
        held = (tmp_path / f"{kind}.img").read_bytes()
        assert held == (after if kind == "host" else before), kind


def test_lives(linux, initrd, tmp_path):
    """A reboot forgets what was written to one disk and keeps the other; the board's is as it was left."""
    data = {name: image(tmp_path / f"{name}.img", 3 * MIB, name) for name in ("cow", "keep", "host")}
    conf = describe(tmp_path, linux(), initrd, '{ cow.img, "keep:keep.img", "host:vda" }', words="disk.end=reboot")
    result = start(conf, "--disk", tmp_path / "host.img", until=lambda text: text.count("disk-init: end") >= 2)
    said = [line for line in result.of("linux") if " sum=" in line]
    assert len(said) >= 6, result.explain("the guest did not start twice")
    for n, (name, kind) in enumerate((("vda", "cow"), ("vdb", "keep"), ("vdc", "host"))):
        now = data[kind] if kind == "cow" else written(data[kind], name)
        assert f" sum={digest(data[kind])}" in said[n], result.explain(f"{kind} in its first life")
        assert f" sum={digest(now)}" in said[n + 3], result.explain(f"{kind} in its second life")


def test_two_on_one_disk(linux, initrd, tmp_path):
    """Two VMs have a partition each of the board's disk, and neither reaches the other's."""
    disks = pytest.importorskip("disks")
    path = disks.make(tmp_path / "host.img", 16384, {1: (2048, 8191, "one"), 2: (8192, 14335, "two")})
    before = path.read_bytes()
    conf = describe(tmp_path, linux(), initrd, '"host:vda1"')
    text = conf.read_text()
    conf.write_text(text + text.replace("vm linux", "vm other").replace("host:vda1", "host:vda2"))
    result = machine.mezzo([conf, "--disk", path], "--gic 3 --cpu max --smp 2 --ram 2G")
    machine.check_end(result, off=2)
    parts = [before[first * 512:(first + 6144) * 512] for first in (2048, 8192)]
    after = path.read_bytes()
    for part, first, name in zip(parts, (2048, 8192), ("linux", "other")):
        assert f"disk-init: vda size=6144 ro=0 serial=vda{1 + (name == 'other')} sum={digest(part)}" in result.of(name)
        assert after[first * 512:(first + 6144) * 512] == written(part, "vda"), name
    assert after[:2048 * 512] == before[:2048 * 512] and after[14336 * 512:] == before[14336 * 512:]


@pytest.mark.parametrize("seconds", [0.5, 1.1])
def test_flushed_is_there(seconds, tmp_path):
    """QEMU is killed in the middle of writing; each block that was flushed is on the disk, or a later one."""
    path = tmp_path / "host.img"
    path.write_bytes(bytes(MIB))
    command = [machine.MEZZO, "run", "-k", machine.KERNELS / "blk.img", "-p", "write=16", "--disk", path,
               "--timeout", "60"]
    log = tmp_path / "log"
    with open(log, "wb") as out, subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                                  start_new_session=True) as process:
        end = time.monotonic() + 60
        while b"flushed 8 " not in log.read_bytes() and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)  # QEMU dies with its parent, as abruptly
    said = [int(n) for n in re.findall(r"blk: flushed (\d+) good", log.read_text(errors="replace"))]
    assert said and said[-1] > 8 and "bad" not in log.read_text(errors="replace"), log.read_text(errors="replace")
    data = path.read_bytes()
    for last in range(said[-1] - 7, said[-1] + 1):
        at = (16 + last % 8 * 8) * 512
        first = struct.unpack_from("<Q", data, at)[0]
        assert first % 64 == 0 and first // 64 // 1000000 >= last, (last, first)
        assert struct.unpack_from("<512Q", data, at) == tuple(range(first, first + 512)), last


def write_on(tmp_path, drive, until, then=None):
    """What a guest says that writes and flushes for ever, from sector 16 on, 4 KiB by 4 KiB at eight places, on the board's
    disk as QEMU's `drive` says it; `then` is called once when it has written some."""
    conf = tmp_path / "writer.conf"
    conf.write_text(machine.vm("writer", "blk", "write=16", disk='"host:vda"'))
    called = []

    def look(text):
        if then and not called and "flushed 9 " in text:
            called.append(then())
        return until(text)

    command = [*machine.mezzo_command([conf], "--smp 2", 60), "--", "-blockdev", drive, "-device", "virtio-blk-device,drive=d"]
    result = machine.run(command, 60, until=look)
    assert result.status is None, result.explain("the guest did not go on")
    assert not re.search(r"panic|given up", result.text), result.explain("Mezzo or the disk is gone")
    return [(int(n), how) for n, how in re.findall(r"blk: flushed (\d+) (good|bad)\s", result.text)]


def test_errors_of_the_board(tmp_path):
    """What the board's disk cannot write is an error of the guest's disk, and the rest goes on."""
    path = tmp_path / "host.img"
    path.write_bytes(bytes(MIB))
    drive = (f"driver=blkdebug,node-name=d,image.driver=file,image.filename={path},inject-error.0.event=none,"
             "inject-error.0.iotype=write,inject-error.0.sector=16,inject-error.0.errno=5,inject-error.0.once=off")
    said = write_on(tmp_path, drive, until=lambda text: "flushed 33 " in text)
    assert len(said) >= 32 and all(how == ("bad" if n % 8 == 0 else "good") for n, how in said), said
    assert not any(path.read_bytes()[16 * 512:24 * 512]) and any(path.read_bytes()[24 * 512:32 * 512])


@pytest.fixture
def stoppable(tmp_path):
    """A disk for QEMU behind a process of its own, and that process."""
    if shutil.which("qemu-nbd") is None:
        pytest.skip("no qemu-nbd: run tools/setup")
    path, listens = tmp_path / "host.img", tmp_path / "nbd"
    path.write_bytes(bytes(MIB))
    with subprocess.Popen(["qemu-nbd", "--persistent", "--format=raw", f"--socket={listens}", path]) as process:
        end = time.monotonic() + 20
        while not listens.exists() and time.monotonic() < end:
            time.sleep(0.05)
        yield f"driver=nbd,node-name=d,server.type=unix,server.path={listens}", process
        process.send_signal(signal.SIGCONT)
        process.terminate()


def test_board_falls_silent(stoppable, tmp_path):
    """A disk of the board answers nothing from some request on. Another guest and its disk do not notice; after 20 s the
    disk is given up, which its guest hears. QEMU lets nothing go on from the reset of a disk until that has answered, so
    it is to answer soon after."""
    drive, process = stoppable
    conf = tmp_path / "silent.conf"
    conf.write_text(machine.vm("writer", "blk", "write=16", disk='"host:vda"') +
                    machine.vm("other", "blk", "write=16", disk='"host:vdb"'))
    since, beats = [], []

    def look(text):
        others = len(re.findall(r"^\[other\] blk: flushed \d+ good", text, re.MULTILINE))
        if not since and "[writer] blk: flushed 9 " in text and others:
            process.send_signal(signal.SIGSTOP)
            since.append(time.monotonic())
        if since and len(beats) < 2 and time.monotonic() > since[0] + (1, SILENT + 2)[len(beats)]:
            beats.append(others)
            if len(beats) == 2:
                process.send_signal(signal.SIGCONT)
        heard = re.search(r"^\[writer\] blk: flushed \d+ bad", text, re.MULTILINE)
        return len(beats) == 2 and heard and others > beats[1] + 2

    slow = "driver=null-co,node-name=slow,read-zeroes=on,size=1048576,latency-ns=100000000"
    result = machine.run([*machine.mezzo_command([conf], "--smp 2", 90), "--", "-blockdev", slow, "-device",
                          "virtio-blk-device,drive=slow", "-blockdev", drive, "-device", "virtio-blk-device,drive=d"],
                         90, until=look)
    assert result.status is None, result.explain("the guest heard nothing, or the other one stands")
    assert beats[1] > beats[0] + SILENT, result.explain("the other guest stood still")
    assert re.search("vda, .*it does not answer: reset, and given up", result.text), result.explain("what Mezzo says")
    assert "panic" not in result.text
    assert not re.search(r"\[other\] blk: flushed \d+ bad", result.text)


def test_file_cut_off(tmp_path):
    """The file behind the board's disk loses all but 4 KiB while a guest writes: QEMU makes it longer again, and every place
    is written again."""
    path = tmp_path / "host.img"
    path.write_bytes(bytes(MIB))
    cut = []

    def places():
        data = path.read_bytes().ljust(MIB, b"\0")
        return [struct.unpack_from("<512Q", data, (16 + place * 8) * 512) for place in range(8)]

    def shorten():
        os.truncate(path, 4096)
        cut.append(True)

    said = write_on(tmp_path, f"driver=raw,node-name=d,file.driver=file,file.filename={path}",
                    until=lambda _: cut and all(words[0] for words in places()), then=shorten)
    assert {how for _, how in said} == {"good"} and [n for n, _ in said] == list(range(1, len(said) + 1)), said
    for words in places():
        assert words == tuple(range(words[0], words[0] + 512))

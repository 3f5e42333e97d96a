# SPDX-License-Identifier: Apache-2.0
"""Seeds of the fuzz targets that are made from real files: device trees of Debian's kernel packages, bundles that
`mezzo pack` wrote, the head of a kernel. What cannot be had is left out."""

import pathlib
import struct
import subprocess
import tempfile
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TREES = ("foundation-v8", "foundation-v8-gicv3-psci", "bcm2837-rpi-3-b", "bcm2711-rpi-4-b")

DESCRIPTION = """/dts-v1/;
/ { mezzo { compatible = "mezzo,system"; version = <1>; console = "b"; overcommit;
 files { file@0 { reg = <0>; path = "k"; size = /bits/ 64 <9>; crc32 = <1>;
   sha256 = [00 11 22 33 44 55 66 77 88 99 aa bb cc dd ee ff 00 11 22 33 44 55 66 77 88 99 aa bb cc dd ee ff]; };
  file@1 { reg = <1>; path = "i"; size = /bits/ 64 <1024>; crc32 = <1>; }; };
 vm@0 { compatible = "mezzo,vm"; vm-name = "a"; kernel = "k"; initrd = "i"; memory = /bits/ 64 <0x1000000>;
  cpus = <2>; pin = <0 1>; verify = "sha256"; cmdline = "quiet"; load = /bits/ 64 <0x40080000>; disks = "cow:i", "host:vda2"; virtio = "legacy";
  vsock = <10>; vsock-group = "fleet"; manage; on-crash = "restart"; };
 vm@1 { compatible = "mezzo,vm"; vm-name = "b"; machine = "raspi3"; kernel = "k"; sdcard = "i"; sdcard-mode = "keep";
  dtb = "i"; memory = /bits/ 64 <0x4000000>; cpus = <1>; exclusive; pin = <2>; autostart = <0>; weight = <200>;
  priority = <7>; budget = <100 1000>; stop-timeout = <5000>; }; }; };
"""
CONF = b"""# everything
board = "virt"
overcommit = true
vm "a" {
  kernel = "Image"  initrd = "rootfs"
  memory = "512M"  cpus = 2  pin = { 0, 1 }  exclusive = true
  cmdline = "console=ttyAMA0"  gic = 2  on_crash = "restart"  autostart = false
  disk = { "keep:d.img", "ro:host:vda" }  virtio = "legacy"  vsock = 10  vsock_group = "fleet"  manage = true  weight = 50  priority = 3  budget = "2ms/10ms"  stop_timeout = 5s  verify = "sha256"
}
vm "pi" { machine = "raspi3"  kernel = "kernel8.img"  dtb = "pi.dtb"  sdcard = "card.img"  memory = "256M" }
"""
SMALL_TREE = """/dts-v1/;
/memreserve/ 0x1000 0x1000;
/ { #address-cells = <1>; #size-cells = <1>; compatible = "raspberrypi,3-model-b"; chosen { bootargs = "old"; };
 memory@0 { device_type = "memory"; reg = <0 0x1000000>; }; reserved-memory { ranges; #address-cells = <1>;
 #size-cells = <1>; x@100000 { reg = <0x100000 0x1000>; no-map; }; };
 cpus { #address-cells = <1>; #size-cells = <0>; cpu@0 { reg = <0>; device_type = "cpu"; enable-method = "spin-table";
 cpu-release-addr = <0 0xd8>; }; cpu@1 { reg = <1>; device_type = "cpu"; enable-method = "spin-table"; }; };
 soc { compatible = "simple-bus"; #address-cells = <1>; #size-cells = <1>; ranges = <0x7e000000 0x3f000000 0x1000000>;
 serial@7e201000 { compatible = "arm,pl011", "arm,primecell"; reg = <0x7e201000 0x1000>; interrupts = <2 25>; }; }; };
"""


def compile_tree(source):
    try:
        return subprocess.run(["dtc", "-q", "-f", "-I", "dts", "-O", "dtb"], input=source.encode(), check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    except (OSError, subprocess.CalledProcessError):
        return b""


def board_trees():
    for name in TREES:
        path = ROOT / f"build/guests/dtb/{name}.dtb"
        if path.exists():
            yield path.read_bytes()


def image_header(text_offset=0, size=0x20000):
    return struct.pack("<IIQQQQQQ4sI", 0x91005A4D, 0x14000000, text_offset, size, 0xA, 0, 0, 0, b"ARM\x64", 0)


def elf():
    head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 183, 1, 0x40400000, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    one = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x40400000, 0x40400000, 200, 300, 4096)
    two = struct.pack("<IIQQQQQQ", 1, 6, 176, 0x40500000, 0x40500000, 24, 0x1000, 4096)
    return head + one + two + bytes(24)


def bundle(conf, files):
    """What `mezzo pack` makes of a .conf and its files; empty if there is no command."""
    with tempfile.TemporaryDirectory() as scratch:
        at = pathlib.Path(scratch)
        for name, data in files.items():
            (at / name).write_bytes(data)
        (at / "a.conf").write_text(conf, encoding="utf-8")
        done = subprocess.run([ROOT / "build/mezzo", "pack", "a.conf", "-o", "out.cpio"], cwd=at, check=False,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) \
            if (ROOT / "build/mezzo").exists() else None
        made = (at / "out.cpio").read_bytes() if done and done.returncode == 0 else b""
        for data in files.values():  # fuzz_bundle.c takes this for the checksum of everything
            made = made.replace(struct.pack(">I", zlib.crc32(data)), struct.pack(">I", 0x12345678))
        return made


def bundles():
    kernel = image_header() + bytes(range(200))
    small = compile_tree(SMALL_TREE)
    yield bundle('vm "a" {\n kernel = "k"\n memory = "16M"\n cmdline = "quiet"\n}\n', {"k": kernel})
    yield bundle('vm "a" {\n kernel = "k"\n initrd = "i"\n memory = "32M"\n cpus = 2\n verify = "sha256"\n}\n'
                 'vm "b" {\n kernel = "e"\n memory = "16M"\n autostart = false\n on_crash = "restart"\n}\n',
                 {"k": kernel, "i": b"070701", "e": elf()})
    yield bundle('vm "p" {\n machine = "raspi3"\n kernel = "kernel8.img"\n dtb = "pi.dtb"\n memory = "64M"\n'
                 ' sdcard = "card"\n}\n', {"kernel8.img": b"\xd5\x03" * 50, "pi.dtb": small, "card": bytes(1024)})


def partitions():
    """What fuzz_gpt.c takes: how, a header without its checksum, the first entries."""
    head = struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, 1, 2047, 34, 2014, bytes(16), 2, 8, 128, 0)
    entry = struct.pack("<16s16sQQQ72s", b"a" * 16, b"b" * 16, 40, 99, 0, "boot".encode("utf-16-le"))
    yield b"\0" + head.ljust(512, b"\0") + entry + bytes(128) + entry


def frame(kind, channel, payload):
    """A frame of docs/wire.md."""
    body = struct.pack("<BBHHH", 1, kind, channel, 0, len(payload)) + payload
    body += struct.pack("<I", zlib.crc32(body))
    stuffed = b"".join(bytes((0xC1, b ^ 0x20)) if b in (0xC0, 0xC1, 0x11, 0x13) else bytes((b,)) for b in body)
    return b"\xc0" + stuffed


def wire():
    hello = frame(1, 0, struct.pack("<BBHIQ", 1, 1, 0, 0xFFFFFFFF, 0x1234))
    yield hello
    for channel in range(5):
        yield hello + frame(7, channel, struct.pack("<IB", 4096, 1)) + frame(9, channel, struct.pack("<I", 0) + b"vm\r")
    yield hello + frame(12, 1, struct.pack("<I", 7) + b"vm list") + frame(4, 0, b"ping") + frame(3, 0, b"")
    yield hello + frame(10, 1, struct.pack("<I", 100)) + frame(8, 1, b"")


def all_seeds(name):
    patch = bytes((0xFF, 1, 2, 3, 4, 20, 24, 0, 0, 0, 1, 0, 16, 2, 0, 16))
    if name == "tree":
        yield from board_trees()
        yield compile_tree(SMALL_TREE)
    elif name == "desc":
        yield compile_tree(DESCRIPTION)
    elif name == "patch":
        for what in (0xFF, 0x7F, 0x4E, 0x01):
            yield bytes((what,)) + patch[1:] + compile_tree(SMALL_TREE)
    elif name == "image":
        for data in (image_header(), image_header(0x80000, 0), elf(), bytes(100)):
            for what in (0x0E, 0x0F, 0x02):
                yield bytes((what, 30)) + data
    elif name == "gpt":
        yield from partitions()
    elif name in ("cpio", "bundle"):
        yield from bundles()
    elif name == "frame":
        for data in wire():
            yield b"\x05" + data
    elif name == "link":
        for data in wire():
            yield b"\x00" + data
    elif name == "host_link":
        yield frame(2, 0, struct.pack("<BBHIQ", 1, 0, 0, 3, 0x1234) + b"0.9") + \
            frame(6, 0, b"\x01" + struct.pack("<HBBIB", 1, 1, 1, 0, 5) + b"shell")
    elif name == "host_conf":
        for path in sorted(ROOT.glob("demo/*.conf")):
            yield path.read_bytes()
        yield CONF
    elif name == "host_config_txt":
        yield b"arm_64bit=1\nkernel=kernel8.img\ninitramfs rootfs followkernel\n[pi4]\ndevice_tree=x.dtb\n[all]\n" \
            b"include more.txt\nkernel_address=0x80000\nos_prefix=a/\n[none]\narmstub=s.bin\ncmdline=c.txt\n"
    elif name == "host_http":
        yield b"\xffGET / HTTP/1.1\r\nHost: localhost:8080\r\nAccept: */*\r\n\r\n"
        yield b"\xffGET /wait?since=3 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"
    yield b"\x00"


def make(name, directory):
    """Writes the seeds of target `name` into a directory."""
    for number, data in enumerate(data for data in all_seeds(name) if data):
        (directory / f"seed-{number}").write_bytes(data)

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Starts EL1 guests under Mezzo's peers, on boards of QEMU's: Xen without a dom0, and KVM on a Debian kernel with a
monitor of our own (bench/kvm/vmm.c). A guest is an Image that finds what it has in its device tree, and that ends with
a line known before: Xen never switches a board off.

    peers.run("xen", [peers.Guest(image)], peers.Board(gic=3, cpu="max"), end="bench: end")
    bench/peers.py xen build/bench/guest/bench.img --words rows=null --end 'bench: end'

docs/peers.md says what runs where, and what is unfair to whom."""

import argparse
import dataclasses
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "test/boot"))
import machine  # noqa: E402

GUESTS = ROOT / "build/guests"
XEN = GUESTS / "xen"
LINUX = GUESTS / "linux-6.12"
VMM = ROOT / "build/bench/kvm/vmm"
QEMU = "qemu-system-aarch64"
ICOUNT = ("-icount", "shift=0,sleep=off")
LIMIT = 300  # seconds for one run
MIB = 1 << 20


def package_of(directory):
    """Which Debian package was unpacked there."""
    file = directory / "package"
    return file.read_text().strip() if file.exists() else "not here"


# Where QEMU's loader puts Xen's guests: above Xen and its tree, which QEMU puts in the first 256 MiB of memory.
XEN_MODULES = 0x60000000
XEN_MODULE_ROOM = 64 * MIB

# Where the monitor's virtual board has things: QEMU's virt.
KVM_RAM = 0x40000000
KVM_GIC = {2: ('"arm,cortex-a15-gic"', "<0 0x8000000 0 0x10000 0 0x8010000 0 0x10000>"),
           3: ('"arm,gic-v3"', "<0 0x8000000 0 0x10000 0 0x80a0000 0 0xf60000>")}


@dataclasses.dataclass
class Guest:
    """One VM."""
    image: pathlib.Path
    words: str = ""  # its command line
    cpus: int = 1
    memory: int = 512  # MiB


@dataclasses.dataclass
class Board:
    """What the peer runs on. A named CPU's counter goes at 1 GHz, as max's does: with icount a tick is an instruction."""
    gic: int = 3
    cpu: str = "max"
    smp: int = 1
    ram: str = "2G"
    more: tuple = ICOUNT  # further words for QEMU, among them what counts

    def words(self):
        cpu = self.cpu if self.cpu == "max" else f"{self.cpu},cntfrq=1000000000"
        return ["-M", f"virt,virtualization=on,gic-version={self.gic},dtb-randomness=off", "-cpu", cpu, "-smp",
                str(self.smp), "-m", self.ram, "-nic", "none", "-display", "none", "-monitor", "none"]


def tool(*command, text=None):
    return subprocess.run([str(word) for word in command], input=text, capture_output=True, check=True).stdout


def write_tree(text, file):
    """A device tree as source, written as a blob."""
    tool("dtc", "-q", "-I", "dts", "-O", "dtb", "-o", file, "-", text=text.encode())


# --- Xen -----------------------------------------------------------------------------------------


def xen_domain(number, guest, address):
    return f"""domU{number} {{
        compatible = "xen,domain";
        #address-cells = <2>;
        #size-cells = <2>;
        memory = <0 {guest.memory * 1024}>;
        cpus = <{guest.cpus}>;
        vpl011;
        xen,enhanced = "no-xenstore";
        module@{address:x} {{
            compatible = "multiboot,kernel", "multiboot,module";
            reg = <0 {address:#x} 0 {os.path.getsize(guest.image):#x}>;
            bootargs = "{guest.words}";
        }};
    }};"""


class Xen:
    """Debian's hypervisor; the guests are written into the board's tree, and QEMU puts them into memory. `wfi`: a vCPU
    that waits leaves its CPU to the hypervisor, as is Xen's default."""

    # Gathered lines, as of every guest that has not the console's input.
    LINE = re.compile(r"^\(XEN\) DOM(\d+): (.*)$", re.MULTILINE)
    FIRST = 1

    def __init__(self, wfi=False):
        self.words = ("console=dtuart", "dtuart=serial0", "bootscrub=0", *([] if wfi else ["vwfi=native"]))

    def lacks(self, _board):
        return None if (XEN / "xen").exists() else "no Xen here (tools/setup bench)"

    def version(self):
        return package_of(XEN)

    def command(self, guests, board, directory):
        command = [QEMU, *board.words(), "-kernel", XEN / "xen"]
        plain, tree = directory / "board.dtb", directory / "xen.dtb"
        # With the kernel, so that the tree says how CPUs are started.
        tool(*[word + f",dumpdtb={plain}" if word.startswith("virt,") else word for word in map(str, command)])
        domains = ""
        for i, guest in enumerate(guests):
            address = XEN_MODULES + i * XEN_MODULE_ROOM
            domains += xen_domain(i + 1, guest, address)
            command += ["-device", f"loader,file={guest.image},addr={address:#x},force-raw=on"]
        text = tool("dtc", "-q", "-I", "dtb", "-O", "dts", plain).decode()
        write_tree(f'{text}\n/ {{ chosen {{ xen,xen-bootargs = "{" ".join(self.words)}"; {domains} }}; }};\n', tree)
        return [*command, "-dtb", tree, "-serial", "stdio", *board.more]


# --- KVM -----------------------------------------------------------------------------------------


def kvm_tree(guest, gic):
    """What the monitor's guest finds: QEMU's virt, of which only one slot for a device is left."""
    compatible, registers = KVM_GIC[gic]
    cpus = "".join(f'cpu@{i} {{ device_type = "cpu"; compatible = "arm,armv8"; reg = <{i}>; enable-method = "psci"; }};'
                   for i in range(guest.cpus))
    return f"""/dts-v1/;
    / {{
        compatible = "linux,dummy-virt";
        #address-cells = <2>;
        #size-cells = <2>;
        interrupt-parent = <&gic>;
        chosen {{ bootargs = "{guest.words}"; stdout-path = "/pl011@9000000"; }};
        memory@40000000 {{ device_type = "memory"; reg = <0 {KVM_RAM:#x} 0 {guest.memory * MIB:#x}>; }};
        cpus {{ #address-cells = <1>; #size-cells = <0>; {cpus} }};
        psci {{ compatible = "arm,psci-1.0", "arm,psci-0.2"; method = "hvc"; }};
        gic: interrupt-controller@8000000 {{
            compatible = {compatible};
            reg = {registers};
            #interrupt-cells = <3>;
            interrupt-controller;
        }};
        timer {{ compatible = "arm,armv8-timer"; always-on; interrupts = <1 13 4>, <1 14 4>, <1 11 4>, <1 10 4>; }};
        clock: clock {{ compatible = "fixed-clock"; #clock-cells = <0>; clock-frequency = <24000000>; }};
        pl011@9000000 {{
            compatible = "arm,pl011", "arm,primecell";
            reg = <0 0x9000000 0 0x1000>;
            interrupts = <0 1 4>;
            clocks = <&clock>, <&clock>;
            clock-names = "uartclk", "apb_pclk";
        }};
        virtio_mmio@a000000 {{
            compatible = "virtio,mmio";
            reg = <0 0xa000000 0 0x200>;
            interrupts = <0 16 1>;
        }};
    }};
    """


def newc(name, mode, data=b"", rdev=(0, 0)):
    """One member of a newc archive."""
    fields = [0, mode, 0, 0, 1, 0, len(data), 0, 0, *rdev, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


class Kvm:
    """Debian's kernel; the monitor is its first process, with everything it needs in the archive that it starts from.
    `wfi` as for Xen; without `huge` no memory of the guest is in pages of 2 MiB."""

    LINE = re.compile(r"^vm(\d+): (.*)$", re.MULTILINE)
    FIRST = 0
    KVM_DEVICE = (10, 232)  # Linux Documentation/admin-guide/devices.txt
    CONSOLE = (5, 1)

    def __init__(self, mode, huge=True, wfi=False):
        self.huge, self.mode = huge, mode
        self.words = "console=ttyAMA0 quiet"
        self.words += " kvm-arm.mode=nvhe" if mode == "nvhe" else ""
        self.words += "" if wfi else " kvm-arm.wfi_trap_policy=notrap"

    def lacks(self, board):
        if self.mode == "vhe" and board.cpu in ("cortex-a53", "cortex-a57", "cortex-a72"):
            return f"a {board.cpu} has no VHE"
        if not (LINUX / "vmlinuz").exists():
            return "no Linux 6.12 here (tools/setup)"
        return None if VMM.exists() else "the monitor is not built (make bench-guest)"

    def version(self):
        return package_of(LINUX)

    def archive(self, guests, gic):
        with tempfile.NamedTemporaryFile(suffix=".dtb") as blob:
            members = [newc("dev", 0o040755), newc("dev/console", 0o020600, rdev=self.CONSOLE),
                       newc("dev/kvm", 0o020600, rdev=self.KVM_DEVICE), newc("init", 0o100755, VMM.read_bytes())]
            for i, guest in enumerate(guests):
                write_tree(kvm_tree(guest, gic), blob.name)
                members.append(newc(f"vm{i}.img", 0o100644, pathlib.Path(guest.image).read_bytes()))
                members.append(newc(f"vm{i}.dtb", 0o100644, pathlib.Path(blob.name).read_bytes()))
        return b"".join(members) + newc("TRAILER!!!", 0)

    def command(self, guests, board, directory):
        initrd = directory / "initrd"
        initrd.write_bytes(self.archive(guests, board.gic))
        words = (f"{self.words} -- gic={board.gic} cpus={guests[0].cpus} memory={guests[0].memory} "
                 f"huge={int(self.huge)}")
        return [QEMU, *board.words(), "-kernel", LINUX / "vmlinuz", "-initrd", initrd, "-append", words,
                "-serial", "stdio", "-no-reboot", *board.more]


# --- both ----------------------------------------------------------------------------------------

# The plain names let a vCPU wait in WFI by itself, as where each has a CPU of its own: what serves a peer best. They
# differ only in what is woken from WFI.
PEERS = {
    "xen": Xen(), "kvm-vhe": Kvm("vhe"), "kvm-nvhe": Kvm("nvhe"),
    "xen-wfi": Xen(wfi=True), "kvm-vhe-wfi": Kvm("vhe", wfi=True), "kvm-nvhe-wfi": Kvm("nvhe", wfi=True),
    "kvm-vhe-4k": Kvm("vhe", huge=False), "kvm-nvhe-4k": Kvm("nvhe", huge=False),
}


def lines_of(peer, text, count):
    """What each guest printed, as text."""
    peer = PEERS.get(peer, peer)
    found = [[] for _ in range(count)]
    for number, line in peer.LINE.findall(text.replace("\r", "")):
        if 0 <= int(number) - peer.FIRST < count:
            found[int(number) - peer.FIRST].append(line)
    return ["\n".join(lines) + "\n" for lines in found]


def start(peer, guests, board, directory, end):
    """The command that starts guests under a peer (a name of PEERS, or one of its own), and a function that tells from
    what was printed so far whether each guest has printed a line that matches `end`."""
    peer = PEERS.get(peer, peer)
    done = re.compile(end)
    return (peer.command(guests, board, pathlib.Path(directory)),
            lambda text: all(done.search(lines) for lines in lines_of(peer, text, len(guests))))


def run(peer, guests, board, end, limit=LIMIT):
    """Runs to the end; what each guest printed, and the machine.Result of it all."""
    with tempfile.TemporaryDirectory() as directory:
        command, done = start(peer, guests, board, directory, end)
        result = machine.run(command, limit, done, quiet=limit)
    return lines_of(peer, result.text, len(guests)), result


def main():
    """One image under one peer, for a look at it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("image", nargs="+", type=pathlib.Path, help="more than one: a VM each")
    parser.add_argument("--words", default="", help="the guests' command line")
    parser.add_argument("--end", default=r"end$", help="what a guest's last line matches")
    parser.add_argument("--gic", type=int, default=3, choices=(2, 3))
    parser.add_argument("--cpu", default="max")
    parser.add_argument("--cpus", type=int, default=1, help="of a guest")
    parser.add_argument("--smp", type=int, help="CPUs of the board, as many as a guest's without it")
    parser.add_argument("--memory", type=int, default=128, help="of a guest, MiB")
    parser.add_argument("--no-icount", action="store_true", help="faster, and counts nothing")
    parser.add_argument("--limit", type=int, default=LIMIT, help="seconds")
    parser.add_argument("--all", action="store_true", help="what the peer itself prints, too")
    options = parser.parse_args()
    board = Board(options.gic, options.cpu, options.smp or options.cpus, more=() if options.no_icount else ICOUNT)
    why = PEERS[options.peer].lacks(board)
    if why:
        sys.exit(f"peers: {why}")
    guests = [Guest(image, options.words, options.cpus, options.memory) for image in options.image]
    texts, result = run(options.peer, guests, board, f"(?m){options.end}", options.limit)
    print(result.text if options.all else "".join(texts), end="")
    if result.status is not None:
        sys.exit(f"peers: the last line did not come within {result.seconds:.0f} s (status {result.status})")


if __name__ == "__main__":
    main()

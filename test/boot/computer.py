# SPDX-License-Identifier: Apache-2.0
"""Guests that are computers: with disks, a network, firmware, and somebody who types.

A host starts them: `Bare` is QEMU's own board with QEMU's own virtio devices, the control, and `Mezzo` a virtual machine
whose disks are the board's. Tests ask for a host by the fixture of that name and use nothing but start(), so that they
run on any.
"""

import pathlib
import re
import tempfile

import machine
import pexpect

DISTRO = machine.GUESTS / "distro"
DEBIAN = DISTRO / "debian.img"
UBOOT = DISTRO / "u-boot.bin"
RT_KERNEL = DISTRO / "linux-rt/vmlinuz"
NEW_KERNEL = DISTRO / "linux-new/vmlinuz"
INSTALLER = DISTRO / "installer"
INITRAMFS = machine.GUESTS / "initramfs-virtio.cpio.gz"  # tools/init-virtio says what it does

BOOT_LIMIT = 400  # seconds until a login; a good one takes 15 when nothing else runs
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Console:
    """What a guest prints, and a way to type. End it with kill(): the power goes."""

    def __init__(self, command):
        command = [str(word) for word in command]
        self.child = pexpect.spawn(command[0], command[1:], cwd=str(machine.ROOT), timeout=60, encoding="utf-8",
                                   codec_errors="replace", dimensions=(40, 160))

    def expect(self, pattern, timeout=60):
        """Waits for text, and returns what stood before it. No kernel complains on the way."""
        self.child.expect(pattern, timeout=timeout)
        text = ESCAPES.sub("", self.child.before.replace("\r", ""))
        assert not machine.TROUBLE.search(text), text
        return text

    def login(self):
        """Waits for Debian's login prompt, and logs in. A plain shell: nothing but what it is told is on the screen."""
        self.expect("debian login: ", BOOT_LIMIT)
        self.child.send("root\r")
        self.expect("# ")
        self.child.send("exec sh\r")
        self.expect(r"[\r\n]# $")

    def small_system(self):
        """Waits for the shell of tools/init-virtio, and returns what that says of itself."""
        self.expect("mezzo-init: disks=", BOOT_LIMIT)
        said = self.expect("\n")
        self.expect("\n# ")
        # What is typed comes back in one piece, however long it is.
        self.child.send("stty columns 1000\r")
        self.expect("\n# ")
        return said

    def run(self, line, status=0, timeout=60):
        """What a command prints; it must end with this status."""
        self.child.send(f"{line}; echo =$?=\r")
        text = self.expect(r"=(\d+)=\r", timeout)
        assert int(self.child.match.group(1)) == status, f"{line}\n{text}"
        return text.rpartition("=$?=")[2].strip()

    def power_off(self, line="poweroff"):
        self.child.send(f"{line}\r")
        self.expect("reboot: Power down", 120)
        self.expect(pexpect.EOF)

    def kill(self):
        self.child.close(force=True)


class Bare:
    """QEMU's own board. Disks are files; `net` is "user", QEMU's network behind its own DHCP, or two paths of sockets,
    here and there, between two computers. With `virtio` the console is a virtio one, and there are a source of
    random numbers and a balloon."""

    def __init__(self):
        self.consoles = []

    def start(self, kernel=None, words="", initrd=INITRAMFS, firmware=None, disks=(), net=None, virtio=False, cpus=2,
              memory="512M"):
        command = ["qemu-system-aarch64", "-M", "virt,gic-version=3", "-cpu", "max", "-smp", cpus, "-m", memory,
                   "-display", "none", "-monitor", "none", "-nic", "none", "-chardev", "stdio,id=console,signal=off",
                   "-global", "virtio-mmio.force-legacy=false"]
        if virtio:
            command += ["-serial", "none", "-device", "virtio-serial-device", "-device", "virtconsole,chardev=console",
                        "-device", "virtio-rng-device", "-device", "virtio-balloon-device"]
        else:
            command += ["-serial", "chardev:console"]
        if firmware:
            command += ["-bios", firmware]
        else:
            command += ["-kernel", kernel, "-initrd", initrd, "-append", f"console={'hvc0' if virtio else 'ttyAMA0'} {words}"]
        for number, disk in enumerate(disks):
            command += ["-drive", f"file={disk},format=raw,if=none,id=disk{number}",
                        "-device", f"virtio-blk-device,drive=disk{number}"]
        if net == "user":
            command += ["-netdev", "user,id=net,restrict=on"]
        elif net:
            command += ["-netdev", f"dgram,id=net,local.type=unix,local.path={net[0]},"
                                   f"remote.type=unix,remote.path={net[1]}"]
        if net:
            mac = len(self.consoles) + 1
            command += ["-device", f"virtio-net-device,netdev=net,mac=52:54:00:00:00:{mac:02x}"]
        console = Console(command)
        self.consoles.append(console)
        return console

    def end(self):
        for console in self.consoles:
            console.kill()


class Mezzo:
    """A virtual machine, alone under Mezzo. It has what Bare gives, but for sockets between computers."""

    def __init__(self):
        self.consoles, self.directory = [], tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with

    def start(self, kernel=None, words="", initrd=INITRAMFS, firmware=None, disks=(), net=None, virtio=False, cpus=2,
              memory="512M"):
        starts = {"firmware": f'"{firmware}"'} if firmware else {"initrd": f'"{initrd}"'}
        extras = {key: "true" for key in ("virtio_console", "rng", "balloon")} if virtio else {}
        top = "on_all_off = poweroff\n"
        if net:
            extras["net"], top = "{ outside }", top + 'net outside {\n  uplink = "host:net0"\n}\n'
        names = ", ".join(f'"host:vd{chr(ord("a") + number)}"' for number in range(len(disks)))
        conf = pathlib.Path(self.directory.name) / f"{len(self.consoles)}.conf"
        conf.write_text(top + machine.vm(
            "guest", kernel, f"console={'hvc0' if virtio else 'ttyAMA0'} {words}", cpus=cpus, memory=memory, **starts,
            **extras, **({"disk": f"{{ {names} }}"} if disks else {})), encoding="ascii")
        command = [machine.ROOT / "build/mezzo", "run", conf]
        for disk in disks:
            command += ["--disk", disk]
        console = Console(command)
        console.expect("guest: starts", BOOT_LIMIT)
        console.child.send("\x1d1")  # the VM's console
        self.consoles.append(console)
        return console

    def end(self):
        for console in self.consoles:
            console.kill()
        self.directory.cleanup()

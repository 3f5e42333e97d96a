# SPDX-License-Identifier: Apache-2.0
"""What a raspi3 guest draws is seen, pixel for pixel: test/pi/picture.c shows a picture for each letter it gets."""

import contextlib
import re
import socket
import subprocess
import time

import browser
import machine
import png
import pytest
import wire

PICTURE = machine.ROOT / "build/pi/picture.img"
HOSTS = {"gic3": "--gic 3 --smp 4", "raspi3b": "--board raspi3b"}

# Letter: width, height, and what the mode makes of a colour.
SIZES = {"a": (1024, 768), "b": (320, 240), "c": (200, 120), "d": (321, 200), "e": (256, 100), "f": (160, 120)}


def conf(**keys):
    return machine.vm("pi", PICTURE, machine="raspi3", cpus="1", **{"memory": "128M", **keys}).replace('  cmdline = ""\n', "")


@contextlib.contextmanager
def started(host="gic3", more="", **keys):
    with wire.started(conf(**keys) + more, HOSTS[host]) as mezzo:
        console = mezzo.console("pi")
        console.expect("waits")
        show(console, "r")  # after what it may take for letters in a greeting that came before Mezzo listened
        yield mezzo, console


def show(console, letter):
    console.send(letter)
    console.expect(f"ready {letter}")


def colour(letter, x, y):
    width, height = SIZES[letter]
    if y < height // 2:
        bar = x * 8 // width
        rgb = [255 if bar & bit else 0 for bit in (1, 2, 4)]
    else:
        rgb = [x & 255, y & 255, (x ^ y) & 255]
    if letter == "d":
        return tuple(value >> 8 - bits << 8 - bits | value >> 8 - bits >> 2 * bits - 8
                     for value, bits in zip(rgb, (5, 6, 5)))
    if letter == "e":
        return rgb[0], 255 - rgb[0], rgb[0] * 7 & 255
    return tuple(rgb)


def check(letter, data):
    """The whole picture is the one of this letter."""
    picture = png.Picture(data)
    assert (picture.width, picture.height) == SIZES[letter]
    for y in range(picture.height):
        line = bytearray(value for x in range(picture.width) for value in colour(letter, x, y))
        assert picture.lines[y] == line, (letter, y)


@pytest.mark.parametrize("host", HOSTS)
def test_pictures(host):
    """Every depth and order; a large picture is measured."""
    with started(host) as (mezzo, console):
        assert "has no framebuffer" in mezzo.refused("screenshot pi")
        for letter in SIZES:
            show(console, letter)
            start = time.monotonic()
            data, answer = mezzo.screenshot("pi")
            print(f"{letter}: {len(data)} bytes in {time.monotonic() - start:.2f} s")
            assert (answer["width"], answer["height"]) == SIZES[letter]
            check(letter, data)
        show(console, "r")
        assert "has no framebuffer" in mezzo.refused("screenshot pi")
        mezzo.command("audit")


def test_paused_and_ended():
    """A paused VM still has its screen, one that has ended has none; and no other VM has one."""
    with started(more=machine.vm("ticks", "ticks")) as (mezzo, console):
        assert "it has no screen: only a VM with machine = raspi3 has one" in mezzo.refused("screenshot ticks")
        assert "there is no VM of this name" in mezzo.refused("screenshot nobody")
        show(console, "b")
        mezzo.command("pause pi")
        mezzo.wait_state("pi", "paused")
        check("b", mezzo.screenshot("pi")[0])
        mezzo.command("resume pi")
        mezzo.wait_state("pi", "running")
        show(console, "c")
        mezzo.command("kill pi")
        mezzo.wait_state("pi", "off")
        assert "it does not run" in mezzo.refused("screenshot pi")


@contextlib.contextmanager
def half_a_picture(mezzo, console):
    """A picture that has begun and has no credit to go on."""
    show(console, "a")
    window, wire.WINDOW = wire.WINDOW, 2000
    shell = mezzo.open(wire.SHELL, "")
    mezzo.number += 1
    mezzo.send(wire.COMMAND, shell.channel, mezzo.number.to_bytes(4, "little") + b"screenshot pi")
    mezzo.give_credit = lambda console: None
    mezzo.wait(lambda: mezzo.files and all(len(file.data) == 2000 for file in mezzo.files.values()))
    (number, file), = mezzo.files.items()
    yield file
    del mezzo.give_credit
    wire.WINDOW = window
    mezzo.send(wire.CREDIT, number, (1 << 30).to_bytes(4, "little"))
    mezzo.wait(lambda: mezzo.answers.get(mezzo.number, (b"", False))[1])
    mezzo.wait(lambda: file.end is not None)
    answer = mezzo.answers.pop(mezzo.number)[0].decode()
    mezzo.wait(lambda: number not in mezzo.channels)
    assert "try again" in file.end or "it is gone" in answer
    assert '"error":"pi: ' in answer
    del mezzo.files[number]


@pytest.mark.parametrize("what", ["b", "r", "kill pi", "restart pi"])
def test_middle(what):
    """The screen changes or the VM ends while its picture is under way: the host is told, and the next picture
    is none the worse for it."""
    with started() as (mezzo, console):
        with half_a_picture(mezzo, console):
            if what in ("b", "r"):
                show(console, what)
            else:
                mezzo.send(wire.CREDIT, mezzo.open(wire.SHELL, "").channel, (1 << 30).to_bytes(4, "little"))
                console_of_a_person(mezzo, what)
                mezzo.rest(1)
        if what == "kill pi":
            mezzo.command("start pi")
        if what.endswith(" pi"):
            console.expect("waits")
        show(console, "c")
        check("c", mezzo.screenshot("pi")[0])


def console_of_a_person(mezzo, line):
    """Types a line at the shell, while a program's command is being answered."""
    mezzo.open(wire.SHELL, "").send(line + "\r")


def test_a_guest_that_draws():
    """While the guest draws without a pause pictures still come."""
    with started() as (mezzo, console):
        show(console, "b")
        show(console, "g")
        pictures = {mezzo.screenshot("pi")[0] for _ in range(3)}
        assert len(pictures) == 3
        for data in pictures:
            png.Picture(data)


def test_person_stops_it():
    """Ctrl-C in the middle: a file that is not whole, and a prompt."""
    with started() as (mezzo, console):
        show(console, "a")
        shell = mezzo.open(wire.SHELL, "")
        shell.expect("mezzo> ")
        mezzo.give_credit = lambda console: None
        window, wire.WINDOW = wire.WINDOW, 2000
        shell.send("screenshot pi\r")
        mezzo.wait(lambda: mezzo.files and all(len(file.data) == 2000 for file in mezzo.files.values()))
        shell.send("\x03")
        (file,) = mezzo.files.values()
        mezzo.wait(lambda: file.end is not None)
        assert file.end == "the command was broken off"
        shell.expect(r"\^C\n")
        wire.WINDOW = window
        del mezzo.give_credit
        mezzo.files.clear()
        check("a", mezzo.screenshot("pi")[0])


def test_host_without_files():
    """A host that takes the channel no notice of: the command gives up, and the next one works."""
    with started() as (mezzo, console):
        show(console, "c")
        mezzo.takes_files = False
        assert "has not asked for the picture in 10 s" in mezzo.refused("screenshot pi")
        mezzo.takes_files = True
        check("c", mezzo.screenshot("pi")[0])


# --- mezzo screen, and a browser -----------------------------------------------------------------------


@contextlib.contextmanager
def attached(path):
    """The wire for a while: Mezzo, and the console of the guest."""
    mezzo = wire.Link(wire.connect(path))
    try:
        mezzo.greet()
        console = mezzo.console("pi")
        yield mezzo, console
        mezzo.send(wire.BYE, 0)
        mezzo.wait(lambda: mezzo.bye)
    finally:
        mezzo.sock.close()


@contextlib.contextmanager
def serving(path, *options):
    """`mezzo screen`; yields the page's address."""
    process = subprocess.Popen([machine.MEZZO, "screen", path, "pi", *map(str, options)], stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()


def test_once(tmp_path):
    with wire.board(conf(), HOSTS["gic3"]) as path:
        with attached(path) as (_, console):
            console.expect("waits")
            show(console, "d")
        file = tmp_path / "pi.png"
        subprocess.run([machine.MEZZO, "screen", path, "pi", "--once", file], check=True, timeout=60)
        check("d", file.read_bytes())
        console = subprocess.run([machine.MEZZO, "console", path, "--command", "screenshot 1"], check=True, timeout=60,
                                 cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert re.search(r"saved pi-2\.png, \d+ bytes", console.stderr)
        check("d", (tmp_path / "pi-2.png").read_bytes())


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def check_page(page, letter):
    """Every pixel of the picture as the browser shows it."""
    width, height = SIZES[letter]
    page.wait(f"document.getElementById('screen').naturalWidth === {width} && !document.getElementById('screen').hidden")
    page.wait("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")
    left, top, wide, high = page.value("(({x, y, width, height}) => [x, y, width, height])"
                                       "(document.getElementById('screen').getBoundingClientRect())")
    assert (wide, high) == (width, height) and left == int(left) and top == int(top)
    seen = png.Picture(page.picture())
    for y in range(height):
        for x in range(width):
            assert seen.pixel(int(left) + x, int(top) + y) == colour(letter, x, y), (x, y)


@pytest.mark.skipif(browser.PROGRAM is None, reason="no Chromium in this release")
@pytest.mark.parametrize("host", HOSTS)
def test_browser(host):
    """One page, open all the time, follows what happens: no framebuffer, a picture, the server ends and another
    comes, a guest that draws, one that has ended."""
    port = free_port()
    text = "!document.getElementById('text').hidden && document.getElementById('text').textContent.includes('{}')"
    with wire.board(conf(), HOSTS[host]) as path, browser.Browser() as page:
        with attached(path) as (_, console):
            console.expect("waits")
            show(console, "r")
        with serving(path, "--port", port) as address:
            assert address == f"http://127.0.0.1:{port}/"
            page.go(address)
            page.wait(text.format("pi: it has no framebuffer"))
        page.wait(text.format("mezzo screen has ended"))
        with attached(path) as (_, console):
            show(console, "b")
        with serving(path, "--port", port):
            check_page(page, "b")
        with attached(path) as (_, console):
            show(console, "c")
            show(console, "g")
        with serving(path, "--port", port):
            page.wait("document.getElementById('screen').naturalWidth === 200")
            before = page.value("document.getElementById('screen').src")
            page.wait(f"document.getElementById('screen').src !== '{before}'")
        with attached(path) as (mezzo, console):
            mezzo.command("kill pi")
        with serving(path, "--port", port):
            page.wait(text.format("pi: it does not run"))

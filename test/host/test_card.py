# SPDX-License-Identifier: Apache-2.0
"""`sdcard =`: what it may say, what may be in the slot, and what the bundle has of it."""

import json

import pytest

PI = """vm pi {{
  machine = raspi3
  kernel = Image
  memory = 64M
  sdcard = {}
}}
"""


@pytest.fixture
def card(bench):
    bench.write("card.img", bytes(range(256)) * 4)
    return bench


@pytest.mark.parametrize("value,mode", [("card.img", "cow"), ('"cow:card.img"', "cow"),
                                        ('"keep:card.img"', "keep"), ('"ro:card.img"', "ro"),
                                        ('"ro:./card.img"', "ro")])
def test_modes(card, value, mode):
    card.write("test.conf", PI.format(value))
    assert card.mezzo("pack", "test.conf", "-o", "bundle.cpio").status == 0
    done = card.mezzo("ls", "bundle.cpio", "--json")
    listing = json.loads(done.out)
    assert listing["ok"] is True
    vm = listing["vms"][0]
    assert (vm["sdcard"], vm["sdcard_mode"]) == ("card.img", mode)
    assert {"name": "card.img", "size": 1024, "check": "ok"}.items() <= \
        next(file for file in listing["files"] if file["name"] == "card.img").items()


def test_one_card_for_two(card):
    """The same file is packed once, whatever the VMs do with it."""
    card.write("test.conf", PI.format('"ro:card.img"') + PI.format('"keep:card.img"').replace("vm pi", "vm po"))
    assert card.mezzo("pack", "test.conf", "-o", "bundle.cpio").status == 0
    listing = json.loads(card.mezzo("ls", "bundle.cpio", "--json").out)
    assert [file["name"] for file in listing["files"]].count("card.img") == 1
    assert [vm["sdcard_mode"] for vm in listing["vms"]] == ["ro", "keep"]


@pytest.mark.parametrize("value,why", [
    ('"rw:card.img"', "`rw:` is unknown; use cow:, keep: or ro:, or write `./rw:card.img`"),
    ('":card.img"', "`:` is unknown"),
    ('"ro:"', "sdcard names no file"),
    ('""', "sdcard names no file"),
    ("gone.img", "gone.img` cannot be used: No such file or directory; check the path"),
    ("empty.img", "empty.img` cannot be used: it is empty"),
    ("odd.img", "odd.img` has 513 bytes, which are no whole sectors of 512; round it up"),
    ("{ card.img, odd.img }", "sdcard takes one value, not 2"),
])
def test_bad(card, value, why):
    card.write("empty.img", b"")
    card.write("odd.img", bytes(513))
    lines = card.complaints(PI.format(value))
    assert len(lines) == 1 and lines[0].startswith("test.conf:5: ") and why in lines[0], lines


def test_no_slot(card):
    lines = card.complaints(PI.format("card.img").replace("raspi3", "virt"))
    assert lines == ["test.conf:5: sdcard: a VM of machine `virt` has no slot for a card; drop the line, "
                     "or say `machine = raspi3`"]


def test_card_counts(card):
    """It stays in the board's memory as every file does."""
    with open(card.path / "big.img", "wb") as file:
        file.truncate(900 << 20)
    card.write("test.conf", PI.format("big.img").replace("64M", "128M"))
    done = card.mezzo("check", "test.conf", "--ram", "960M")
    assert done.status == 2 and "memory not available" in done.err, done

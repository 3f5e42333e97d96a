# SPDX-License-Identifier: Apache-2.0
"""Every Raspberry Pi program on the bare board as control, and as a guest of model raspi3."""

import fcntl

import card
import programs
import pytest

BARE = [program for program in programs.PROGRAMS if not program.no_bare]
GUESTS = [(program, host) for program in programs.PROGRAMS if not program.no_guest for host in programs.HOSTS
          if host not in program.not_on]


@pytest.fixture(scope="session", autouse=True)
def built():
    """Two workers must not build at the same time."""
    (programs.ROOT / "build").mkdir(exist_ok=True)
    with open(programs.ROOT / "build/.pi-lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        programs.build()


def judge(outcome, program):
    wrong = outcome.wrong(program)
    if wrong:
        pytest.fail("\n".join([*wrong, outcome.text[-6000:]]), pytrace=False)


@pytest.mark.parametrize("program", BARE, ids=lambda program: program.name)
def test_control(program, tmp_path):
    judge(programs.run_bare(program, tmp_path), program)


@pytest.mark.parametrize("program,host", GUESTS, ids=[f"{program.name}-{host}" for program, host in GUESTS])
def test_guest(program, host, tmp_path):
    judge(programs.run_mezzo(program, host, tmp_path), program)


@pytest.mark.parametrize("host", ["gic3", "raspi3b"])
def test_folder(host, tmp_path):
    """The folder of an SD card as a guest: its config.txt names the kernel and where it goes."""
    folder = tmp_path / "card"
    folder.mkdir()
    (folder / "course.img").write_bytes((programs.IMAGES / "hello-high.img").read_bytes())
    (folder / "config.txt").write_text("# A course's kernel\r\narm_64bit=1\r\n[pi4]\r\nkernel=none.img\r\n[pi3]\r\n"
                                     "kernel=course.img\r\nkernel_address=0x400000\r\n", encoding="ascii")
    outcome = programs.run_mezzo(programs.BY_NAME["hello"], host, tmp_path, f"config = {folder}/config.txt")
    judge(outcome, programs.BY_NAME["hello"])

# What `fat32` cannot do with a card that is not as it should be: it says so, and both of them end.
BAD_CARDS = {
    "blank": ("the card cannot be mounted: no partition table", {"FAT32 is found"}),
    "no fat": ("the card cannot be mounted: the partition holds no FAT32", {"FAT32 is found"}),
    "one sector": ("the card cannot be mounted: the partition cannot be read", {"FAT32 is found"}),
    "read only": ("", {"eight blocks are written at once", "the sixth is read alone", "one is written",
                       "each is what was written"}),
}


@pytest.mark.parametrize("name", BAD_CARDS)
def test_bad_card(name, tmp_path):
    image, words, (text, wrong) = tmp_path / "bad.img", programs.CARD.read_bytes(), BAD_CARDS[name]
    if name == "blank":
        card.blank(image)
    elif name == "no fat":
        image.write_bytes(words[:card.FIRST * card.SECTOR] + b"\xf6" * card.SECTOR * 64)
    elif name == "one sector":
        image.write_bytes(words[:card.SECTOR])
    sdcard = f"ro:{programs.CARD}" if name == "read only" else str(image)
    outcome = programs.run_mezzo(programs.BY_NAME["fat32"], "gic3", tmp_path, sdcard=sdcard)
    failed = {result for kind, result in outcome.results if kind != "ok"}
    assert outcome.status == 0 and outcome.done and text in outcome.text and failed == wrong, outcome.text[-6000:]


def test_forgetful_card(tmp_path):
    """What was written to one that keeps nothing is gone after each restart."""
    outcome = programs.run_mezzo(programs.BY_NAME["sdlives"], "gic3", tmp_path,
                                 sdcard=f"cow:{programs.CARD}", timeout=8)
    lives = [line for line in outcome.text.splitlines() if "of this card" in line]
    assert len(lives) > 3 and all("life 0 " in line for line in lives), outcome.text[-6000:]

# SPDX-License-Identifier: Apache-2.0
"""Help, messages and manners."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest
from conftest import ONE, ROOT

VERBS = ["run", "check", "pack", "image", "ls", "console", "screen"]


@pytest.mark.parametrize("words", [["--help"], *[[verb, "--help"] for verb in VERBS]], ids=" ".join)
def test_help_fits_one_screen_and_ends_in_examples(bench, words):
    done = bench.mezzo(*words)
    lines = done.out.splitlines()
    assert done.status == 0 and done.err == ""
    assert len(lines) <= 40 and max(map(len, lines)) <= 100
    at = lines.index("Examples:")
    assert lines[at + 1:] and all(line.startswith("  ") for line in lines[at + 1:])


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_is_in_help_manual_and_completion(verb, bench):
    """What getopt knows is told everywhere."""
    text = (ROOT / f"host/cmd_{verb}.c").read_text()
    table = text[text.index("options[] = {"):]
    options = set(re.findall(r'\{"([a-z0-9-]+)", (?:no|required)_argument', table[:table.index("};")]))
    assert options
    told = bench.mezzo(verb, "--help").out
    manual = (ROOT / "docs/man/mezzo.1").read_text().replace("\\-", "-")
    completion = (ROOT / "host/mezzo.bash-completion").read_text()
    for option in options:
        if option != "help":
            assert f"--{option}" in told and f"--{option}" in manual, option
        assert f"--{option}" in completion, option


def test_every_key_is_in_the_manual():
    schema = (ROOT / "host/schema.c").read_text()
    keys = re.findall(r'^\s+(?:\{|LATER\()"([a-z_]+)"', schema[schema.index("top_keys[]"):], re.MULTILINE)
    manual = (ROOT / "docs/man/mezzo.conf.5").read_text()
    assert len(keys) == 40, keys
    for key in keys:
        assert key in manual, key


def test_every_property_is_documented():
    pack = (ROOT / "host/pack.c").read_text()
    names = set(re.findall(r'(?:put_text|put_u32|put_u64|put_flag)\(w, "([a-z0-9-]+)"', pack))
    names |= set(re.findall(r'fdt_property\w*\(w->fdt, "([a-z0-9-]+)"', pack))
    page = (ROOT / "docs/bundle.md").read_text()
    schemas = "".join(file.read_text() for file in (ROOT / "docs/bindings").glob("mezzo,*.yaml"))
    for name in names - {"model"}:
        assert f"`{name}`" in page and f"  {name}:" in schemas, name


def test_without_a_verb(bench):
    done = bench.mezzo()
    assert done.status == 2 and done.out == "" and done.err.startswith("usage: mezzo ")


def test_version(bench):
    assert re.fullmatch(r"mezzo \S+\n", bench.mezzo("--version").out)


@pytest.mark.parametrize("word, meant", [("rnu", "run"), ("chekc", "check"), ("pac", "pack"), ("list", "ls")])
def test_wrong_verb(bench, word, meant):
    done = bench.mezzo(word)
    assert done.status == 2 and f"unknown verb `{word}`; did you mean `{meant}`?" in done.err


def test_wrong_verb_without_a_suggestion(bench):
    done = bench.mezzo("frobnicate")
    assert done.status == 2 and "did you mean" not in done.err


@pytest.mark.parametrize("words", [["check"], ["check", "a", "b"], ["pack", "a"], ["ls"], ["ls", "a", "b"],
                                   ["console"], ["screen"], ["screen", "a"]])
def test_missing_words(bench, words):
    done = bench.mezzo(*words)
    assert done.status == 2 and f"`mezzo {words[0]} --help` shows what there is" in done.err


def test_colour_only_for_people(bench):
    pexpect = pytest.importorskip("pexpect")
    bench.write("test.conf", "bord = virt\n" + ONE)
    assert "\x1b" not in bench.mezzo("check", "test.conf").err
    for environment, colour in (({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True)):
        from conftest import MEZZO
        text = pexpect.run(f"{MEZZO} check test.conf", cwd=str(bench.path),
                           env={**bench.environment, **environment}).decode()
        assert ("\x1b[" in text) == colour and "unknown key `bord`" in text


@pytest.mark.parametrize("page", sorted((ROOT / "docs/man").glob("mezzo*.[157]")), ids=lambda page: page.name)
def test_manual_pages(page):
    if shutil.which("groff") is None:
        pytest.skip("groff is not installed")
    done = subprocess.run(["groff", "-man", "-ww", "-Tutf8", "-z", page], check=True, capture_output=True)
    assert done.stderr == b""


def test_manual_names_every_command_of_the_shell():
    manual = (ROOT / "docs/man/mezzo-shell.7").read_text()
    rows = []
    for source in sorted((ROOT / "src").glob("*/commands_*.c")):
        text = source.read_text()
        rows += re.findall(r'\{"([a-z]+)", "[^"]*",\s*"', text) + re.findall(r'DEED\("([a-z]+)"', text)
    assert len(rows) >= 22
    for name in rows:
        assert re.search(rf"^\.B[IR]? .*\b{name}\b", manual, re.MULTILINE), name


def complete(*words):
    script = f"""
        source {ROOT}/host/mezzo.bash-completion
        COMP_WORDS=({' '.join(f"'{word}'" for word in words)})
        COMP_CWORD={len(words) - 1}
        _mezzo
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "--norc", "-c", script], check=True, capture_output=True)
    assert done.stderr == b""
    return done.stdout.decode().split()


def test_completion(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("one.conf", "two.cpio", "three.dtb", "Image"):
        pathlib.Path(name).touch()
    os.mkdir("dir")
    assert complete("mezzo", "r") == ["run"]
    assert set(VERBS) <= set(complete("mezzo", ""))
    assert set(complete("mezzo", "run", "")) == {"one.conf", "dir"}
    assert set(complete("mezzo", "ls", "")) == {"two.cpio", "dir"}
    assert set(complete("mezzo", "check", "a.conf", "--dtb", "")) == {"three.dtb", "dir"}
    assert "Image" in complete("mezzo", "run", "-k", "")
    assert complete("mezzo", "run", "--gic", "") == ["2", "3"]
    assert complete("mezzo", "run", "--ti") == ["--timeout"]
    assert complete("mezzo", "console", "--p") == ["--plain", "--pty"]
    assert "115200" in complete("mezzo", "console", "x", "--baud", "")
    assert "Image" in complete("mezzo", "console", "")

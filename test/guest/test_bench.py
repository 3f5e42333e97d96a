# SPDX-License-Identifier: Apache-2.0
"""The benchmark's guest on the bare board and under Mezzo: each row says a figure or why there is none. What it sees of a
call is what the plugin counts at EL2."""

import importlib.machinery
import importlib.util
import json
import re
import sys

import kernels
import pytest

sys.path.insert(0, str(kernels.ROOT / "bench"))
import ours  # noqa: E402
import table  # noqa: E402
from ours import ICOUNT, Board, Guest, machine  # noqa: E402

BOARDS = [(2, "cortex-a53"), (3, "max")]
# What a machine cannot do.
NONE = {"gicr_typer": "a GICv2 has none", "null": "nothing answers"}
MEMORY = "too little memory"
# The guest's own instructions for a call: the number into x0, and the call.
OWN = 2


@pytest.fixture(scope="module", autouse=True)
def built(request):
    kernels.build()


def run(where, guest, board, directory):
    result = machine.run(where.command([guest], board, directory), 120, quiet=120)
    return where.lines_of(result.text, 1)[0], result


@pytest.mark.parametrize("where", [ours.Bare(), ours.Mezzo()], ids=["bare", "mezzo"])
@pytest.mark.parametrize("gic,cpu", BOARDS)
def test_every_row_says_something(where, gic, cpu, tmp_path):
    text, result = run(where, Guest(ours.IMAGE, "n=3", cpus=2, memory=64), Board(gic, cpu, 2), tmp_path)
    assert re.search(r"(?m)^bench: end$", text), result.explain("no end")
    begun = re.findall(r"(?m)^bench: row \d+ (\w+)$", text)
    assert len(begun) == len(set(begun)) == 30, begun
    for name in begun:
        assert name in table.ROWS, f"{name} has no title in bench/table.py"
        figures = re.search(rf"(?m)^bench: {name} (\d+) (\d+) (\d+)$", text)
        why = re.search(rf"(?m)^bench: {name} none (.*)$", text)
        assert (figures is None) != (why is None), name
        if why:
            assert why[1] == NONE.get(name, MEMORY), text
        else:
            assert int(figures[1]) <= int(figures[2]), figures[0]


def test_the_plugin_counts_what_the_guest_sees(tmp_path):
    out = tmp_path / "lines.json"
    more = (*ICOUNT, "-plugin", f"{kernels.ROOT / 'build/bench/lines.so'},out={out}")
    text, result = run(ours.Mezzo(), Guest(ours.IMAGE, "n=20 rows=null,psci_version", memory=64), Board(3, "max", 1,
                                                                                                    more=more), tmp_path)
    counted = json.loads(out.read_text())["rows"]
    for number, name in re.findall(r"(?m)^bench: row (\d+) (\w+)$", text):
        seen = re.search(rf"(?m)^bench: {name} (\d+) ", text)
        assert seen, result.explain("no figure")
        assert counted[number]["el2"][0] + OWN == int(seen[1])
        assert counted[number]["host"] == [0, 0]
        assert 0 < counted[number]["el2_code_lines"][0] <= int(seen[1])


@pytest.fixture(scope="module")
def bench_run():
    """bench/run as a module."""
    loader = importlib.machinery.SourceFileLoader("bench_run", str(kernels.ROOT / "bench/run"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench_run", loader))
    loader.exec_module(module)
    return module


def test_every_virtio_row_says_a_figure(bench_run, monkeypatch, tmp_path):
    """A few operations of each; a page, and what is compared, come of them."""
    monkeypatch.setattr(bench_run, "VIRTIO_OPERATIONS", 40)
    found = bench_run.part_virtio()
    assert len(found) == 2 * len(table.VIRTIO)
    for row, columns in found.items():
        assert 0 < columns["bare"].get("own", 0) <= columns["bare"]["ticks"], (row, columns)
        assert {"ticks", "own", "exits", "el2", "guest"} == set(columns["mezzo"]), (row, columns)
        assert 0 < columns["mezzo"]["exits"] < 60 and columns["mezzo"]["el2"] > 100, (row, columns)
    assert found["image_read_4k_1"]["mezzo"]["exits"] <= 2
    page = tmp_path / "page.md"
    page.write_text("before\n")
    table.write_docs(page, {"virtio": found})
    assert len(re.findall(r"(?m)^\| (disk|net|read|write|65,000)", page.read_text())) == len(table.VIRTIO)
    own = table.own({"virtio": found})
    assert own["virtio/vm_1500_32/exits"] == found["vm_1500_32"]["mezzo"]["exits"]
    assert not any("board" in name or "uplink" in name for name in own)


def test_compare_shows_what_changed(capsys):
    before = {"a/null/min": 100, "a/eoi/min": 100, "a/timer/min": 100, "gone": 1}
    assert table.compare({"a/null/min": 106, "a/eoi/min": 104, "a/timer/min": 50}, before) == 1
    said = capsys.readouterr().out
    assert "worse  a/null/min: 100 -> 106" in said and "better a/timer/min: 100 -> 50" in said
    assert "a/eoi" not in said and "1 figures of the baseline were not measured" in said
    assert table.compare({"a/null/min": 104}, {"a/null/min": 100}) == 0


def test_table_and_chart_of_little(tmp_path):
    data = {"versions": {"qemu": "10"}, "figures": {"max, GICv3": {
        "bare": {"null": {"none": "nothing answers"}}, "mezzo": {"null": {"min": 20, "median": 30, "count": 5}},
        "xen": {"null": {"min": 400, "median": 400, "count": 5}}}, "max, GICv2": {}}}
    assert "| null hypercall | - | 20 (30) | 400 | - | 20.0 | 14 |" in table.markdown(data)
    assert table.svg(data).count("<rect") == 5
    page = tmp_path / "page.md"
    page.write_text("before\n")
    table.write_docs(page, data)
    table.write_docs(page, data)
    assert page.read_text().count("null hypercall") == 1 and page.read_text().startswith("before\n")

# SPDX-License-Identifier: Apache-2.0
"""Options of the hostile suite, and the table at its end."""

import json

import pytest
import suite


def pytest_addoption(parser):
    parser.addoption("--matrix", action="store_true", help="every CPU model, interrupt controller and number of CPUs")


def pytest_generate_tests(metafunc):
    if "board" in metafunc.fixturenames:
        boards = suite.MATRIX if metafunc.config.getoption("--matrix") else suite.CHOSEN
        metafunc.parametrize("board", boards, ids=str)


def pytest_sessionstart(session):
    if not hasattr(session.config, "workerinput"):
        for old in suite.BOARDS.glob("*.json"):
            old.unlink()


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter):
    results = {}
    for path in sorted(suite.BOARDS.glob("*.json")):
        document = json.loads(path.read_text(encoding="ascii"))
        results[document["board"]] = {case: (row["verdict"], row["detail"])
                                      for case, row in document["cases"].items()}
    if results:
        terminalreporter.section("verdicts")
        terminalreporter.write_line(f"on {len(results)} boards")
        for line in suite.table(results):
            terminalreporter.write_line(line)

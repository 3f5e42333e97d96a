# SPDX-License-Identifier: Apache-2.0
"""Options and conditions of the boot tests. Run them with `make test-boot`."""

import zlib

import machine
import pairs
import pytest


def pytest_addoption(parser):
    parser.addoption("--matrix", action="store_true",
                     help="boot every combination instead of every pair")
    parser.addoption("--distro", action="store_true",
                     help="run all of test_distro.py, and nothing else")


def pytest_generate_tests(metafunc):
    if "combination" in metafunc.fixturenames:
        matrix = metafunc.config.getoption("--matrix")
        chosen = pairs.product(pairs.SETTINGS) if matrix else pairs.test_set()
        metafunc.parametrize("combination", chosen, ids=pairs.name_of)


def pytest_configure(config):
    config.addinivalue_line("markers", "matrix: takes minutes, and is run with the matrix alone")
    config.addinivalue_line("markers", "distro: takes minutes, and is run with test_distro.py alone")


def pytest_collection_modifyitems(config, items):
    matrix, distro = config.getoption("--matrix"), config.getoption("--distro")

    def is_wanted(item):
        long = item.get_closest_marker("matrix") is not None
        if distro or item.get_closest_marker("distro"):
            return distro and item.path.stem == "test_distro"
        return long or "combination" in item.fixturenames if matrix else not long

    items[:] = [item for item in items if is_wanted(item)]


@pytest.fixture
def nonce(request):
    """A number of this test's own, so that a line can only come from this boot."""
    return zlib.crc32(request.node.nodeid.encode()) % 100000


@pytest.fixture
def linux():
    """Asks for a kernel series by name, or for any; skips the test when this release does not
    carry it."""
    def need(*wanted):
        for series in wanted or pairs.SETTINGS["kernel"]:
            if machine.kernel(series).exists():
                return series
        pytest.skip(f"no Linux {' or '.join(wanted)} for arm64 in this release")
    return need

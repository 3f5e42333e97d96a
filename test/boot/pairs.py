# SPDX-License-Identifier: Apache-2.0
"""Which combinations of settings the boot tests start.

Most faults show when two settings meet, so the everyday set holds every *pair* of values of two
different settings at least once; the matrix holds every combination.
"""

import collections
import itertools

SETTINGS = {
    "kernel": ["6.1", "6.12"],
    "gic": [2, 3],
    "vcpus": [1, 2, 4],
    "cpu": ["cortex-a53", "cortex-a72", "neoverse-n1", "max"],
    "entry": ["el2", "el3"],
}


def product(settings):
    """Every combination, each a dict from setting to value, in a fixed order."""
    return [dict(zip(settings, values)) for values in itertools.product(*settings.values())]


def pairs_of(combination):
    """The pairs ((setting, value), (setting, value)) that a combination holds."""
    return set(itertools.combinations(sorted(combination.items()), 2))


def every_pair(settings):
    return set().union(*(pairs_of(combination) for combination in product(settings)))


def covering_set(settings):
    """A small list of combinations that holds every pair: always takes the combination that adds
    most, among those the one whose values were used least, among those the first in the order of
    product(). The same input gives the same list."""
    candidates, missing, chosen = product(settings), every_pair(settings), []
    used = collections.Counter()

    def worth(combination):
        return len(pairs_of(combination) & missing), -sum(used[item] for item in combination.items())

    while missing:
        best = max(candidates, key=worth)
        chosen.append(best)
        missing -= pairs_of(best)
        used.update(best.items())
    return chosen


def name_of(combination):
    return "linux{kernel}-gic{gic}-{vcpus}cpu-{cpu}-{entry}".format(**combination)


def test_set():
    chosen = covering_set(SETTINGS)
    covered = set().union(*(pairs_of(combination) for combination in chosen))
    assert covered == every_pair(SETTINGS)
    assert len(chosen) <= 18
    return chosen

"""A training that diverges, and is rolled back as often as it may be."""

import pytest
from machine import ended, refused, start

pytestmark = pytest.mark.slow


def test_the_terminal_shows_each_rollback(tmp_path):
    printed = refused(
        *ended(start(tmp_path, recipe__learning_rate=1e30, recipe__on_nan="rollback")),
        "It was rolled back 3 times.",
    )
    told = [line for line in printed.splitlines() if line.startswith("    rolled back: ")]
    assert [line.rpartition(" ")[2] for line in told] == ["5e+29", "2.5e+29", "1.25e+29"]
    assert all("not finite in epoch 1, batch " in line for line in told)

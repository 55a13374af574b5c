import pytest

from components.model_report.formats import FILTERS, in_unit


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0.83625, "share", "83.62%"),
        (0.02, "points", "+2.00 points"),
        (-0.0301, "points", "−3.01 points"),
        (-1e-9, "points", "+0.00 points"),
        (278_324, "count", "278,324"),
        (1_234_567, "bytes", "1.2 MB"),
        (0.4204, "ratio", "0.420×"),
        (1.0, "ratio", "1.00×"),
        (0.5, "nats", "0.500 nats"),
        (float("nan"), "bytes", "not a number"),
    ],
)
def test_bounds_are_written_in_their_units(value, unit, expected):
    assert in_unit(value, unit) == expected


def test_other_quantities():
    assert FILTERS["milliseconds"](163.2) == "163 ms"
    assert FILTERS["clock"](65.4) == "1:05"
    assert FILTERS["clock"](7325) == "122:05"
    assert FILTERS["percent"](0.836) == "84%"
    assert FILTERS["signed"](-0.221) == "−22"


def test_names_may_be_broken_and_are_escaped():
    assert FILTERS["breakable"]("maple_tree<b>") == "maple_<wbr>tree&lt;b&gt;"

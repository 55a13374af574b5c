import pytest

from components.leaderboard.noise import difference
from components.leaderboard.trials import Row, Trial, rows

pytestmark = pytest.mark.light


def row(name, *accuracies, seeds=None):
    seeds = seeds or range(len(accuracies))
    return Row(tuple(trial(name, s, a) for s, a in zip(seeds, accuracies, strict=True)))


def trial(name, seed, accuracy, **more):
    given = {"last": None, "best": None, "curve": (accuracy,), "seconds": 1.0, **more}
    return Trial(name, name, seed, accuracy, **given)


def test_a_difference_is_that_of_each_seed():
    found = difference(row("rkd", 0.5, 0.6, 0.7), row("baseline", 0.49, 0.57, 0.68))
    assert found.mean == pytest.approx(0.02)
    assert found.deviation == pytest.approx(0.01)
    # t = 0.02 / (0.01 / √3) = 3.464 with two degrees of freedom (a table: 0.0742).
    assert found.p == pytest.approx(0.0742, abs=1e-4)
    assert found.is_noise


def test_pairing_sees_through_what_seeds_share():
    # The seeds differ by far more than the rows, and alike.
    found = difference(row("rkd", 0.51, 0.612, 0.711), row("baseline", 0.4, 0.5, 0.6))
    assert not found.is_noise


def test_seeds_that_one_lacks_are_left_out():
    found = difference(row("rkd", 0.5, 0.9, seeds=[0, 7]), row("baseline", 0.4, 0.4))
    assert found == difference(row("rkd", 0.5), row("baseline", 0.4))
    with pytest.raises(ValueError, match="no seed in common"):
        difference(row("rkd", 0.5, seeds=[7]), row("baseline", 0.4))


@pytest.mark.parametrize(
    ("ours", "is_noise"), [((0.5,), True), ((0.4, 0.4), True), ((0.5, 0.5), False)]
)
def test_one_seed_tells_nothing_and_equal_differences_no_chance(ours, is_noise):
    assert difference(row("rkd", *ours), row("baseline", *[0.4] * len(ours))).is_noise == is_noise


def test_teacher_and_baseline_come_first_then_the_best():
    trials = [
        trial("rkd", 1, 0.7),
        trial("rkd", 0, 0.5),
        trial("dist", 0, 0.65),
        trial("baseline", 0, 0.4),
        trial("teacher", 0, 0.8),
    ]
    found = rows(trials)
    assert [each.name for each in found] == ["teacher", "baseline", "dist", "rkd"]
    assert found[-1].accuracy == {0: 0.5, 1: 0.7}
    assert found[-1].mean == pytest.approx(0.6)
    assert found[0].deviation is None


def test_a_curve_is_the_mean_over_the_seeds():
    trials = [trial("fitnet", s, 0.5, curve=(None, a, 0.5)) for s, a in ((0, 0.2), (1, 0.4))]
    assert rows(trials)[0].curve == [None, pytest.approx(0.3), 0.5]

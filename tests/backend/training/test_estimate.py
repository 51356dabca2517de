from __future__ import annotations

from collections.abc import Iterator

import pytest

from backend.training.build import PHASES
from backend.training.estimate import Estimate

Times = dict[str, float]

SMALL = {"fetching": 1.0, "preparing": 3.0, "training": 20.0, "exporting": 3.0, "evaluating": 1.5, "publishing": 0.1}
LARGE = {
    "fetching": 20.0,
    "preparing": 10.0,
    "training": 3600.0,
    "exporting": 25.0,
    "evaluating": 30.0,
    "publishing": 1,
}
ON_A_GPU = {
    "fetching": 2.0,
    "preparing": 8.0,
    "training": 15.0,
    "exporting": 12.0,
    "evaluating": 8.0,
    "publishing": 0.5,
}


def reports(times: Times, *, steps: int = 100, loading: float = 4.0) -> Iterator[tuple[str, float, float]]:
    """What a run of such phases reports, and when; it says nothing while it loads the model before the first step."""
    now = 0.0
    for phase in ("fetching", *PHASES, "publishing"):
        yield phase, 0.0, now
        if phase == "training":
            now += loading
            for step in range(1, steps + 1):
                now += times[phase] / steps
                yield phase, step / steps, now
        else:
            now += times[phase]
            yield phase, 1.0, now


@pytest.mark.parametrize("times", [SMALL, LARGE, ON_A_GPU], ids=["small", "large", "on a GPU"])
def test_progress_grows_from_zero_to_nearly_one(times: Times) -> None:
    estimate, shown = Estimate(0.0), []
    for phase, fraction, now in reports(times):
        estimate.report(phase, fraction, now)
        shown += [estimate.done(now), estimate.done(now + 0.5)]
    assert shown == sorted(shown)
    assert shown[0] == 0.0
    assert 0.9 < shown[-1] <= 1.0


@pytest.mark.parametrize("times", [SMALL, LARGE, ON_A_GPU], ids=["small", "large", "on a GPU"])
@pytest.mark.parametrize("part", [0.25, 0.5, 0.75])
def test_remaining_time_is_estimated_from_a_quarter_of_training_on(part: float, times: Times) -> None:
    estimate = Estimate(0.0)
    *_, (_, _, end) = reports(times)
    for phase, fraction, now in reports(times):
        estimate.report(phase, fraction, now)
        if phase == "training" and fraction >= part:
            break
    left = estimate.left(now)
    assert left is not None
    assert now + left == pytest.approx(end, rel=0.35)
    assert estimate.done(now) == pytest.approx(now / end, abs=0.2)


def test_end_of_an_hour_of_training_is_estimated_well() -> None:
    estimate = Estimate(0.0)
    *_, (_, _, end) = reports(LARGE)
    for phase, fraction, now in reports(LARGE):
        estimate.report(phase, fraction, now)
        if phase == "training" and fraction >= 0.1:
            left = estimate.left(now)
            assert left is not None
            assert now + left == pytest.approx(end, rel=0.03)


def test_nothing_is_estimated_before_the_speed_of_training_is_measured() -> None:
    estimate = Estimate(0.0)
    for phase, fraction, now in [("fetching", 1.0, 5.0), ("preparing", 1.0, 6.0), ("training", 0.01, 20.0)]:
        estimate.report(phase, fraction, now)
        assert estimate.left(now) is None
        assert estimate.done(now) <= 0.08
    estimate.report("training", 0.02, 21.0)
    assert estimate.left(21.0) is None
    estimate.report("training", 0.03, 22.0)
    assert estimate.left(22.0) == pytest.approx(97.0 + 20.0)


def test_seconds_pass_while_nothing_is_reported() -> None:
    estimate = Estimate(0.0)
    for fraction, now in [(0.0, 0.0), (0.1, 10.0), (0.5, 50.0), (1.0, 100.0)]:
        estimate.report("training", fraction, now)
    estimate.report("exporting", 0.0, 100.0)
    assert [estimate.left(now) for now in (100.0, 105.0, 115.0, 300.0)] == pytest.approx([20.0, 15.0, 5.0, 1.0])
    done = [estimate.done(now) for now in (100.0, 105.0, 115.0)]
    assert done == pytest.approx([100 / 120, 105 / 120, 115 / 120])


@pytest.mark.parametrize(("fraction", "done"), [(-1.0, 0.03), (0.0, 0.03), (0.5, 0.055), (1.0, 0.08), (7.0, 0.08)])
def test_fraction_stays_within_its_phase(fraction: float, done: float) -> None:
    estimate = Estimate(0.0)
    estimate.report("preparing", fraction, 1.0)
    assert estimate.done(1.0) == pytest.approx(done)


def test_training_of_one_step_has_a_default_estimate() -> None:
    estimate = Estimate(0.0)
    estimate.report("training", 1.0, 10.0)
    estimate.report("exporting", 0.0, 10.0)
    assert estimate.left(10.0) == pytest.approx(10.0)

from __future__ import annotations

import numpy as np
import pytest

from backend.evaluation.bootstrap import RESAMPLES, Interval, Ints, intervals, resampled_sums


def column(*values: int, times: int = 1) -> Ints:
    return np.array(values * times)[:, None]


@pytest.mark.parametrize("documents", [1, 7, 200, 1001])
def test_every_resample_has_as_many_documents(documents: int) -> None:
    sums = resampled_sums(np.ones((documents, 2), dtype=np.int64))
    assert sums.shape == (RESAMPLES, 2)
    assert (sums == documents).all()


def test_one_document_is_drawn_as_often_as_another() -> None:
    assert resampled_sums(np.eye(5, dtype=np.int64)).mean(axis=0) == pytest.approx(np.ones(5), abs=0.1)


def test_columns_are_summed_over_the_same_draws() -> None:
    counts = np.arange(40)[:, None] % 7
    sums = resampled_sums(np.hstack([counts, 2 * counts]))
    assert (2 * sums[:, 0] == sums[:, 1]).all()
    assert len(np.unique(sums[:, 0])) > 20


def test_same_counts_have_the_same_interval() -> None:
    parts, wholes = column(1, 0, 2, times=20), column(2, 1, 2, times=20)
    assert intervals(parts, wholes) == intervals(parts, wholes)


@pytest.mark.parametrize("documents", [100, 400, 1600])
def test_interval_of_many_documents_is_that_of_the_normal_distribution(documents: int) -> None:
    correct = column(1, 1, 1, 1, 0, times=documents // 5)
    [interval] = intervals(correct, np.ones_like(correct))
    assert interval is not None
    half = 1.96 * (0.8 * 0.2 / documents) ** 0.5
    assert interval == pytest.approx((0.8 - half, 0.8 + half), abs=half / 5)


@pytest.mark.parametrize(
    ("parts", "wholes", "interval"),
    [
        (column(1, times=9), column(1, times=9), None),
        (column(1, 0, times=9), column(1, 0, times=9), None),
        # Clopper and Pearson's bounds of 0 mistakes in 10 and in 40: 0.025 to the power of 1/10 and 1/40
        (column(1, times=10), column(1, times=10), (0.6915, 1.0)),
        (column(2, times=40), column(2, times=40), (0.9119, 1.0)),
        (column(0, times=40), column(3, times=40), (0.0, 0.0881)),
    ],
    ids=["too few documents", "too few that count", "no mistake in 10", "no mistake in 40", "nothing right in 40"],
)
def test_interval_where_resamples_do_not_vary(parts: Ints, wholes: Ints, interval: Interval | None) -> None:
    [computed] = intervals(parts, wholes)
    assert computed == (interval and pytest.approx(interval, abs=1e-4))


def test_documents_without_the_label_do_not_count() -> None:
    rare = [
        np.vstack([column(1, 0, times=10), column(0, times=180)]),
        np.vstack([column(1, times=20), column(0, times=180)]),
    ]
    [interval] = intervals(*rare)
    assert interval is not None
    assert 0.2 < interval[0] < 0.4 < 0.6 < interval[1] < 0.8

"""Precision, recall, F1 and calibration, on pairs that can be counted by hand."""

from __future__ import annotations

from actors.matching.calibration_plot import svg
from actors.matching.evaluation import Figures, calibration, calibration_error, clustered, figures, linked

TRUTH = {(0, 1), (0, 2), (1, 2), (3, 4)}


def test_figures_count_what_was_found_and_what_was_missed():
    told = figures({(0, 1), (3, 4), (4, 5)}, TRUTH)
    assert (told.precision, told.recall, told.f1) == (2 / 3, 0.5, 4 / 7)
    assert (Figures(0, 0, 0).precision, Figures(0, 0, 0).recall, Figures(0, 0, 0).f1) == (1.0, 1.0, 1.0)


def test_whoever_is_one_with_a_third_is_one():
    assert clustered({(0, 1), (1, 2), (4, 3)}) == TRUTH


def test_links_below_the_threshold_join_nobody():
    assert linked([(0, 1, 0.9), (1, 2, 0.89)], 0.9) == {(0, 1)}


def test_what_is_said_is_compared_with_what_is_true():
    bins = calibration([(0, 1, 0.96), (0, 2, 0.97), (1, 2, 0.98), (5, 6, 0.98), (3, 4, 1.0), (5, 7, 0.3)], TRUTH)
    assert [(each.pairs, round(each.said, 4), each.true) for each in bins] == [
        (1, 0.3, 0.0),
        (4, 0.9725, 0.75),
        (1, 1.0, 1.0),
    ]
    assert round(calibration_error(bins), 4) == round((0.3 + 4 * 0.2225) / 6, 4)
    assert calibration_error([]) == 0.0


def test_the_picture_has_a_point_for_each_bin():
    bins = calibration([(0, 1, 0.96), (5, 7, 0.3)], TRUTH)
    drawn = svg(bins, "A < B & C")
    assert drawn.count("<circle") == 2 and "A &lt; B &amp; C" in drawn

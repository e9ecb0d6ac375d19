"""On a sheet neighbours vary together and each category has a patch, wherever its units are."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from cortiscope import InputError
from cortiscope.phantoms import PHANTOMS, PhantomDesign
from cortiscope.statistics import d_prime

DESIGN = PhantomDesign.balanced(n_categories=5, n_words=60, n_frames=2, n_units=144)
SHEET = PHANTOMS["sheet"]


@pytest.fixture(scope="module")
def truth():
    return SHEET.truth(DESIGN, 1)


def test_every_place_of_the_square_is_taken_once(truth):
    places = np.round(truth["position"].values * 12 - 0.5).astype(int)
    assert sorted(map(tuple, places)) == [(i, j) for i in range(12) for j in range(12)]


def test_units_vary_together_the_more_the_nearer_they_are(truth):
    x = SHEET.make(DESIGN, 1, 4.0).layer("resid_post", 0)
    alike = 1 - pdist(x.T, "correlation")
    distance = pdist(truth["position"].values)
    assert spearmanr(alike, distance).statistic < -0.25
    near, far = distance < 0.12, distance > 0.8
    assert alike[near].mean() > 0.7
    assert abs(alike[far].mean()) < 0.25


def test_order_on_the_sheet_is_not_that_of_the_index(truth):
    steps = np.abs(np.diff(truth["position"].values, axis=0)).sum(axis=1)
    assert steps.mean() > 0.5  # two places at random are 2/3 apart


def test_a_patch_is_where_it_is_said_to_be(truth):
    selective = truth["is_selective"].values
    assert (selective.sum(axis=1) >= 4).all()
    x = SHEET.make(DESIGN, 1, 2.0).layer("resid_post", 0)
    values = d_prime(x, DESIGN.category, DESIGN.n_categories)
    for own, inside, rise in zip(values, selective, truth["rise"].values, strict=True):
        assert own[inside].mean() > own[~inside].mean() + 0.3
        assert rise.max() == 1
        assert np.corrcoef(own, rise)[0, 1] > 0.5


def test_a_wider_reach_gives_wider_patches():
    narrow, wide = (
        SHEET.truth(DESIGN, 1, reach=reach)["is_selective"].values.sum() for reach in (0.1, 0.25)
    )
    assert wide > 3 * narrow


@pytest.mark.parametrize("reach", [0, -0.1, np.nan])
def test_an_impossible_reach_is_refused(reach):
    with pytest.raises(InputError, match="reach"):
        SHEET.truth(DESIGN, 1, reach=reach)

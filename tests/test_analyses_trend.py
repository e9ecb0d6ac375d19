"""A trend over subjects: exact p-values, known orders, and a study that reads its own results."""

import math

import numpy as np
import pytest
from scipy.stats import permutation_test, spearmanr

from cortiscope.analyses import Result, ResultSeries, trend
from cortiscope.analyses.statistic import Statistic, datasets
from cortiscope.errors import InputError
from cortiscope.report import write_report
from cortiscope.report.contents import Contents
from cortiscope.studies import Protocol, audit, read_verdicts, reproduce, run_study


def series_of(values, against=None, spread=0.01):
    def of_subject(place, value):
        draws = value + spread * np.linspace(-1, 1, 50)
        laid_out = datasets({"q": Statistic((), value, resamples=draws)}, {})
        return Result("demo", **laid_out, subject=f"model-{place}", inputs={"x": str(value)})

    rows = [
        tuple(of_subject(place, value) for place, value in enumerate(each))
        for each in (values, against or ())
    ]
    return ResultSeries(*rows)


@pytest.mark.parametrize("n_subjects", [3, 4, 5, 6])
def test_a_rising_series_has_the_smallest_p_that_its_orders_can_give(n_subjects):
    found = trend(series_of(np.arange(n_subjects) ** 2.0), "demo:q", n_permutations=999)
    assert found.p_values.spearman.item() == pytest.approx(1 / math.factorial(n_subjects))
    assert found.estimates.spearman.item() == pytest.approx(1)


def test_agrees_with_scipy_on_a_series_held_against_another():
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((2, 6))
    found = trend(series_of(y, list(x)), "demo:q", against="demo:q", n_permutations=719)
    reference = permutation_test(
        (x,),
        lambda shuffled: spearmanr(shuffled, y).statistic,
        permutation_type="pairings",
        alternative="greater",
        n_resamples=np.inf,
    )
    assert found.estimates.spearman.item() == pytest.approx(reference.statistic)
    assert found.p_values.spearman.item() == pytest.approx(reference.pvalue)
    assert found.estimates.slope.item() == pytest.approx(np.polyfit(x, y, 1)[0])


def test_values_that_are_hardly_known_give_a_wide_interval():
    values = [0.1, 0.2, 0.3, 0.4]
    sure = trend(series_of(values), "demo:q").intervals.spearman
    unsure = trend(series_of(values, spread=1.0), "demo:q").intervals.spearman
    assert sure.sel(bound="low") == pytest.approx(1)
    assert unsure.sel(bound="low") < 0


def test_equal_values_are_no_trend():
    found = trend(series_of([0.5] * 4, spread=0.0), "demo:q")
    assert found.estimates.spearman.item() == 0
    assert found.p_values.spearman.item() == 1


@pytest.mark.parametrize(
    ("series", "of", "said"),
    [
        (series_of([1.0, 2.0]), "demo:q", "over 2 subjects .* name 3 or more"),
        (series_of([1.0, 2.0, 3.0]), "demo:z", "no resamples of 'z'.*can be of q"),
        (series_of([1.0, np.nan, 3.0]), "demo:q", "not defined in model-1"),
        (series_of([1.0, 2.0, 3.0]), "q", "is no address"),
    ],
)
def test_what_is_no_trend_is_refused(series, of, said):
    with pytest.raises(InputError, match=said):
        trend(series, of)


def test_a_series_is_of_one_analysis_and_held_against_the_same_subjects():
    rising = series_of([1.0, 2.0, 3.0])
    other = Result("other", estimates=rising.results[0].estimates)
    with pytest.raises(InputError, match="results of demo and other"):
        ResultSeries((*rising.results, other))
    with pytest.raises(InputError, match="same order"):
        ResultSeries(rising.results, rising.results[::-1])


STUDY = """
study = "rising"
subjects = [
  "phantom:direction(strength=0.5, seed=1)",
  "phantom:direction(strength=1, seed=2)",
  "phantom:direction(strength=1.5, seed=3)",
  "phantom:direction(strength=2.5, seed=4)",
]
n_twins = 1
sites = ["resid_post"]
claim_permutations = 99

[steps.decoding]
analysis = "decode"
n_permutations = 9
n_bootstrap = 20

[steps.rising]
analysis = "trend"
of = "decoding:peak_accuracy"

[[claims]]
name = "decodability rises"
statistic = "rising:spearman"
kind = "greater"
size = 0.5
subjects = "all"
controls = ["twins"]
"""


@pytest.fixture(scope="module")
def rising_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trend")
    (folder / "rising.toml").write_text(STUDY)
    run = run_study(Protocol.load(folder / "rising.toml"), folder / "run")
    write_report(run)
    return run


def test_a_study_finds_the_planted_rise_and_every_number_leads_back(rising_run):
    (verdict,) = read_verdicts(rising_run)
    assert verdict["outcome"] == "supported"
    contents = Contents.read(rising_run)
    (together,) = contents.together
    assert together.subject.results["rising"].estimates.spearman.item() == pytest.approx(1)
    assert len(together.twins) == 1
    entry = next(e for e in rising_run.entries() if e.id == together.subject.results["rising"].id)
    kinds = {e.id: e.kind for e in rising_run.entries()}
    assert [kinds[source] for source in entry.inputs] == ["result"] * 4
    assert not list(audit(rising_run))
    assert {compared.outcome for compared in reproduce(rising_run)} == {"identical"}


def test_a_claim_that_so_few_subjects_could_never_support_is_refused(tmp_path):
    (tmp_path / "few.toml").write_text(
        STUDY.replace('  "phantom:direction(strength=0.5, seed=1)",\n', "")
    )
    with pytest.raises(InputError, match=r"'decodability rises' and have 5: name more subjects"):
        run_study(Protocol.load(tmp_path / "few.toml"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("of", "said"),
    [("nothing:q", "reads step 'nothing', which is not there"), ("rising:q", "does not measure")],
)
def test_a_trend_of_what_is_not_measured_is_refused(tmp_path, of, said):
    (tmp_path / "wrong.toml").write_text(STUDY.replace("decoding:peak_accuracy", of))
    with pytest.raises(InputError, match=said):
        Protocol.load(tmp_path / "wrong.toml")

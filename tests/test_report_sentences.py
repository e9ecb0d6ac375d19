"""The sentences say what the numbers say: no less, and above all no more."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from cortiscope.analyses import Result
from cortiscope.report.comparison import Comparison, comparisons
from cortiscope.report.contents import Contents, Examined, Scanned
from cortiscope.report.sentences import Finding, finding
from report_run import make_run


def text_of(found: Finding) -> str:
    return re.sub(r"<[^>]+>", "", " ".join([found.title, *found.sentences]))


def result(
    name: str, accuracy: list[float], p: list[float], half_width: float = 0.02, site: str = ""
) -> Result:
    """A decoding result of three categories with given accuracies."""
    values = np.array(accuracy)
    layers, categories = list(range(len(values))), ["animal", "body_part", "tool"]
    areas = np.tile(values[:, None], (1, 3))
    coords = {"layer": layers, "category": categories}
    bounds = coords | {"bound": ["low", "high"]}

    def interval(x: np.ndarray) -> np.ndarray:
        return np.stack([x - half_width, x + half_width])

    return Result(
        "decode",
        estimates=xr.Dataset(
            {
                "accuracy": ("layer", values),
                "auc": (("layer", "category"), areas),
                "auc_macro": ("layer", values),
                "peak_accuracy": ((), values.max() - 0.05),
            },
            coords=coords,
            attrs={"chance_accuracy": 1 / 3},
        ),
        intervals=xr.Dataset(
            {
                "accuracy": (("bound", "layer"), interval(values)),
                "auc": (("bound", "layer", "category"), interval(areas)),
                "peak_accuracy": ("bound", interval(values.max() - 0.05)),
            },
            coords=bounds,
        ),
        p_values=xr.Dataset(
            {
                "accuracy": ("layer", p),
                "auc": (("layer", "category"), np.tile(np.array(p)[:, None], (1, 3))),
                "peak_accuracy": ((), min(p)),
            },
            coords=coords,
        ),
        n={"n_words": 30},
        parameters={"target": "category", "groups": "word", "site": site or "resid_post"},
        subject=name,
    )


def comparison(subject: Result, *twins: Result, embedding: Result | None = None) -> Comparison:
    def scanned(of: Result, name: str) -> Scanned:
        decodings = {"resid_post": of}
        if embedding is not None:
            decodings["resid_pre"] = embedding
        return Scanned("id", {"name": name}, decodings)

    return Comparison(
        Examined(
            scanned(subject, "model"),
            tuple(scanned(twin, f"model--twin-{i}") for i, twin in enumerate(twins)),
        ),
        "resid_post",
    )


PLANTED = result("model", [0.5, 0.9, 0.8], [0.01, 0.001, 0.001])
NULL = result("model", [0.33, 0.36, 0.34], [0.9, 0.4, 0.7])
CHANCE_TWIN = result("twin", [0.30, 0.35, 0.32], [0.9, 0.5, 0.8])


def test_a_planted_effect_is_decodable() -> None:
    found = finding(comparison(PLANTED, CHANCE_TWIN))
    assert found.is_decodable
    assert found.title.startswith("Decodable: category")
    assert "not decodable" not in text_of(found).lower()
    assert "at the best of 3 layers, layer 1, is 0.900 (95% interval 0.880 to 0.920)" in text_of(
        found
    )
    assert "chance is 0.333; p = 0.0010, corrected for the choice among layers" in text_of(found)


def test_a_null_is_told_as_plainly() -> None:
    found = finding(comparison(NULL, CHANCE_TWIN))
    assert not found.is_decodable
    assert found.title.startswith("Not decodable: category")
    assert "At no layer" in text_of(found)
    assert "does not show that nothing is there" in text_of(found)
    assert "can be told from the rest" not in text_of(found)


@pytest.mark.parametrize(("p", "is_decodable"), [(0.0499, True), (0.05, False), (0.051, False)])
def test_the_line_is_drawn_below_five_percent(p: float, is_decodable: bool) -> None:
    found = finding(comparison(result("model", [0.4, 0.5], [1.0, p]), CHANCE_TWIN))
    assert found.is_decodable == is_decodable


def test_the_choice_of_the_best_layer_is_called_optimistic_only_where_there_was_one() -> None:
    told = text_of(finding(comparison(PLANTED, CHANCE_TWIN)))
    assert "optimistic" in told
    assert "read on the other, accuracy is 0.850 (95% interval 0.830 to 0.870" in told
    single = text_of(finding(comparison(result("model", [0.9], [0.001]), CHANCE_TWIN)))
    assert "optimistic" not in single
    assert "corrected for the choice" not in single


def test_a_twin_that_does_as_well_takes_the_credit_from_training() -> None:
    as_good = result("twin", [0.5, 0.9, 0.8], [0.01, 0.001, 0.001])
    told = text_of(finding(comparison(PLANTED, as_good)))
    assert told.startswith("Decodable, but not clearly better than without training: category")
    assert "above chance without any training" in told
    assert "training is not shown to matter" in told
    better = text_of(finding(comparison(PLANTED, result("twin", [0.99], [0.001]))))
    assert "its interval lies above that of the subject" in better


def test_a_twin_at_chance_is_said_to_be_there() -> None:
    told = text_of(finding(comparison(PLANTED, CHANCE_TWIN)))
    assert "0.350 at layer 1 (95% interval 0.330 to 0.370; p = 0.500)" in told
    assert "it is not significantly above chance and its interval lies below" in told


def test_of_several_twins_the_highest_is_told() -> None:
    higher = result("twin", [0.30, 0.45], [0.9, 0.03])
    told = text_of(finding(comparison(PLANTED, CHANCE_TWIN, higher, CHANCE_TWIN)))
    assert "The highest of 3 untrained twins" in told
    assert "is 0.450 at layer 1" in told
    assert "1 of 3 are above chance" in told or "1 of 3 is above chance" in told


def test_without_a_twin_nothing_is_said_of_training() -> None:
    assert "what training adds is not known" in text_of(finding(comparison(PLANTED)))


@pytest.mark.parametrize(
    ("accuracy", "remark"),
    [
        (0.95, "no layer is above it"),
        (0.89, "its interval overlaps that of the best layer"),
        (0.60, "the interval of the best layer lies above its own"),
    ],
)
def test_the_embedding_is_put_beside_the_best_layer(accuracy: float, remark: str) -> None:
    embedding = result("model", [accuracy], [0.001], site="resid_pre")
    told = text_of(finding(comparison(PLANTED, CHANCE_TWIN, embedding=embedding)))
    assert f"At the embedding, before the first block, accuracy is {accuracy:.3f}" in told
    assert remark in told


def test_names_are_escaped() -> None:
    hostile = comparison(PLANTED, CHANCE_TWIN)
    decoding = replace(PLANTED, parameters={**PLANTED.parameters, "target": "<i>kind</i>"})
    hostile.examined.subject.results["resid_post"] = decoding
    assert "<i>kind" not in finding(hostile).sentences[0]


def test_real_runs_are_told_right(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", effects={"planted": 3.0, "noise": 0.0})
    planted, noise = (finding(each) for each in comparisons(Contents.read(run)))
    assert planted.title.startswith("Decodable")
    assert "not decodable" not in text_of(planted).lower()
    assert noise.title.startswith("Not decodable")

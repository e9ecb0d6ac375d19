"""A subject that is one layer, lesioned by hand: what tests of lesions share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr

from cortiscope.scanning import Recording
from cortiscope.stimulation import Experiment, Response
from cortiscope.stimulation.intervention import Selected
from cortiscope.stimuli import StimulusSet

CATEGORIES = ("animal", "colour", "tool")


def make_stimuli(n_words: int = 12, categories: Sequence[str] = CATEGORIES) -> StimulusSet:
    """Make words with two sentences each."""
    words = {
        category: [f"{category[:2]}word{i}" for i in range(n_words)] for category in categories
    }
    return StimulusSet.from_words(
        words, {"card": "The card said {word}.", "so": "So {word} it is."}
    )


class CopyingSubject:
    """Two layers, of which the second copies the first; both hold a category in some place.

    Parameters
    ----------
    stimuli : StimulusSet
        What it is shown.
    axes : ndarray, (n_categories, n_units)
        Of each category, of length 1.
    strength : float
        How far a category reaches along its axis; words vary by 1 in each unit.
    is_read : bool
        Whether its log-odds are read along the axes; otherwise they know the word by heart.
    """

    def __init__(
        self,
        stimuli: StimulusSet,
        axes: Any,
        *,
        strength: float = 6.0,
        is_read: bool = True,
        seed: int = 0,
    ) -> None:
        self.stimuli, self.axes, self.is_read = stimuli, np.asarray(axes, dtype=float), is_read
        table = stimuli.table
        self.categories = sorted(set(table["category"]))
        self.label = np.array([self.categories.index(name) for name in table["category"]])
        rng = np.random.default_rng(seed)
        self.noise = rng.normal(size=(len(table), self.axes.shape[1]))
        self.x = (self.noise + strength * self.axes[self.label]).astype(np.float32)

    @property
    def recording(self) -> Recording:
        """Its clean activations."""
        x = np.stack([self.x, self.x], axis=1)
        return Recording.from_arrays({"resid_post": x}, stimuli=self.stimuli, name="copying")

    def response(self, experiment: Experiment) -> Response:
        """Do an experiment: the probe reads what is left of the layer."""
        ids = self.stimuli.table["stimulus_id"].tolist()
        shown = experiment.stimuli.table
        rows = [ids.index(identifier) for identifier in shown["stimulus_id"]]
        scores, log_odds, loss = [], [], []
        for condition in experiment.conditions:
            left = torch.from_numpy(self.x[rows])
            for lesion in condition.interventions:
                nothing = torch.zeros(0, dtype=torch.long)
                at = Selected((), nothing, nothing, lesion.where.layers[0])
                left = lesion.change(left, at)
            y = left.numpy()
            scores.append(experiment.readouts[0].probe.scores(y))
            held = y @ self.axes.T
            known = np.eye(len(self.categories))[self.label[rows]] * 5.0
            log_odds.append(held if self.is_read else known)
            loss.append(3.0 + np.square(y - self.x[rows]).mean() * np.array([1.0, 1.1, 0.9]))
        data = xr.Dataset(
            {
                "probe_scores": (("condition", "stimulus", "category"), np.array(scores)),
                "answers_log_odds": (("condition", "stimulus", "category"), np.array(log_odds)),
                "perplexity_loss": (("condition", "perplexity_passage"), np.array(loss)),
            },
            {
                "condition": [condition.name for condition in experiment.conditions],
                "stimulus": shown["stimulus_id"].tolist(),
                "category": self.categories,
                "perplexity_tokens": ("perplexity_passage", [100, 200, 100]),
                "stimulus_category": ("stimulus", shown["category"].tolist()),
                "word": ("stimulus", shown["word"].tolist()),
            },
        )
        labels = experiment.conditions[0].labels
        coords = {
            name: ("condition", [condition.labels[name] for condition in experiment.conditions])
            for name in labels
        }
        return Response(data.assign_coords(coords), [], {"subject": {"name": "copying"}})


def spread_axes(n_units: int, seed: int = 0, n_categories: int = 3) -> Any:
    """Draw axes over all units, at right angles."""
    rng = np.random.default_rng(seed)
    return np.linalg.qr(rng.normal(size=(n_units, n_categories)))[0].T


def unit_axes(n_units: int, n_selective: int, n_categories: int = 3) -> Any:
    """Give each category units of its own."""
    axes = np.zeros((n_categories, n_units))
    for category in range(n_categories):
        axes[category, category * n_selective : (category + 1) * n_selective] = 1.0
    return axes / np.sqrt(n_selective)

"""The lesion of a set of units, localised or a module, against random units like them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cortiscope.analyses.causal import find_conditions, label_of_stimuli
from cortiscope.analyses.figures.unit_lesion import damage_beside_random_sets
from cortiscope.analyses.instrument import Instrument
from cortiscope.analyses.lesion_measures import loss_change
from cortiscope.analyses.localizer_contrast import Convention
from cortiscope.analyses.result import Result
from cortiscope.analyses.source import source_of
from cortiscope.analyses.statistic import Statistic, datasets
from cortiscope.analyses.unit_lesion_experiment import (
    LABELS,
    Recipe,
    Select,
    unit_lesion_experiment,
)
from cortiscope.errors import InputError
from cortiscope.statistics import bootstrap_words
from cortiscope.stimulation import Response

REFERENCE = (
    "Lesion of localised units (AlKhamissi et al. 2025), or of a module of the connectome, against "
    "random units of equal number, layer and norm (Morcos et al. 2018); rank among random sets "
    "(Good 2005); passages resampled"
)


def unit_lesion(
    response: Response,
    target: str = "category",
    groups: str = "word",
    *,
    select: Select = "localizer",
    positive: str | None = "sentence",
    negative: str | None = "nonwords",
    convention: Convention = "signed",
    top_share: float = 0.01,
    density: float = 0.1,
    frames: str | None = "frame",
    partition: Sequence[int] | None = None,
    site: str = "resid_post",
    layers: Sequence[int] | None = None,
    replace: Literal["mean", "zero"] = "mean",
    match: Literal["norm", "number"] = "norm",
    questions: str | None = None,
    wrong: Sequence[str] = (),
    n_draws: int = 100,
    n_passages: int = 32,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Result:
    """Measure what a subject loses without a set of units, and without random ones like them.

    The set is the one that a functional localiser finds (`localize`), or each module of a
    partition of a layer's units. Random sets have as many units in every layer, and of like norm:
    in the residual stream a few units of massive activation prefer sentences too, and any lesion
    of those does harm. A lesion acts at every token of what is read: neutral text, and, where
    named, questions with answers.

    Parameters
    ----------
    response : Response
        Of the experiment that `unit_lesion_experiment` plans with the same parameters.
    target, groups : str
        Labels of the recording that holds the contrast; `groups` is also what is resampled among
        questions.
    select : {"localizer", "modules"}
        Which sets.
    positive, negative, convention, top_share
        As of `localize`; the units are those that all words choose, since another text is read.
    density, frames
        With ``"modules"``: of the graph whose modules they are, as `connectome` has them.
    partition : sequence of int, optional
        With ``"modules"``: the module of each unit of the layer, below 0 in none; those of the
        functional connectome by default. Units by themselves are left out.
    site : str
        Site of the lesions.
    layers : sequence of int, optional
        Layers from which units are chosen, by default all; the one whose modules are lesioned, by
        default the middle one.
    replace : {"mean", "zero"}
        What comes in place of a unit: its mean over the recording, or 0. Norms are around that.
    match : {"norm", "number"}
        Whether random sets have as many units as the set has in every bin of units of like norm
        (at most 16, none 1.25 times as large as another), so that a unit that dwarfs all others is
        in every set; or only as many in every layer, as is usual.
    questions : str, optional
        A set of stimuli that comes with the package and has answers, such as ``facts``.
    wrong : sequence of str
        Labels that hold wrong answers to them; with some, log-odds are read in place of the log
        probability of the right one.
    n_draws : int
        Random sets for each set. The smallest p-value is 1 / (n_draws + 1).
    n_passages : int
        Passages of the neutral text, of each of which 24 words are read.
    n_bootstrap : int
        Resamples of passages, and of questions, for the 95% intervals.
    seed : int
        Seed of draws and resamples.

    Returns
    -------
    Result
        ``damage`` (lesion), rise of the log perplexity of neutral text, in nats a token;
        ``random_damage`` (lesion), mean over random sets; ``damage_minus_random`` (lesion), the
        difference, with its p-value by the rank among random sets (corrected over sets). The same
        begins with ``answers_`` for the fall of the right answers, in nats. Positive is worse.
        ``mean_damage`` (), ``mean_damage_minus_random`` () and so on: over sets.
        ``n_lesioned`` (lesion), units; ``n_alone`` (lesion), those of the set that are in every
        random set because no other is of their norm: where these are all, nothing can be told;
        ``size_ratio`` (lesion), norm of what random sets lose to that of the set, in the mean;
        ``clean_loss`` (), nats a token.

        Intervals: 95%, bootstrap over passages (questions: over `groups`), clean and lesioned
        together; random sets stay as they are.

    Raises
    ------
    InputError
        For a response of another experiment, or of other parameters; and readings that are not
        finite.

    References
    ----------
    AlKhamissi, Tuckute, Bosselut & Schrimpf (2025), The LLM language network, NAACL
    (arXiv 2411.02280).
    Good (2005), Permutation, Parametric and Bootstrap Tests of Hypotheses.
    Morcos et al. (2018), On the importance of single directions for generalization, ICLR.

    Examples
    --------
    >>> import tempfile
    >>> from cortiscope.scanning import scan
    >>> from cortiscope.stimulation import stimulate
    >>> from cortiscope.stimuli import StimulusSet
    >>> from cortiscope.subjects import Subject
    >>> some = StimulusSet.load("localizer")
    >>> stimuli = some.select(some.table["stimulus_id"].tolist()[::16])
    >>> subject = Subject.load("specimen:qwen2")
    >>> recording = scan(
    ...     subject, stimuli, ["resid_post"], position="mean", out=f"{tempfile.mkdtemp()}/s.zarr"
    ... )
    >>> setting = {"n_draws": 3, "n_passages": 2}
    >>> plan = unit_lesion_experiment(recording, stimuli, **setting)
    >>> response = stimulate(subject, plan.stimuli, plan.conditions, plan.readouts)
    >>> result = unit_lesion(response, **setting)
    >>> result.estimates["n_lesioned"].values.tolist(), result.estimates["lesion"].values.tolist()
    ([10], ['sentence > nonwords'])
    """
    parameters = {
        "target": target,
        "groups": groups,
        "select": select,
        "positive": positive,
        "negative": negative,
        "convention": convention,
        "top_share": top_share,
        "density": density,
        "frames": frames,
        "partition": None if partition is None else [int(module) for module in partition],
        "site": site,
        "layers": None if layers is None else [int(layer) for layer in layers],
        "replace": replace,
        "match": match,
        "questions": questions,
        "wrong": list(wrong),
        "n_draws": n_draws,
        "n_passages": n_passages,
        "n_bootstrap": n_bootstrap,
        "seed": seed,
    }
    recipe = Recipe.of(parameters)
    found = find_conditions(response, LABELS, asdict(recipe), "unit_lesion_experiment")
    lesions = _Lesions.of(found, n_draws)
    loss, tokens = _values(response, "perplexity_loss"), response.data["perplexity_tokens"].values
    weights = _weights(len(tokens), n_bootstrap, seed)
    statistics = _statistics("", loss, tokens, weights, lesions)
    if questions is not None:
        answers = _answers(response, with_odds=bool(wrong))
        of_group = _groups(response, groups)
        weights = _weights(int(of_group.max()) + 1, n_bootstrap, seed)[:, of_group]
        once = np.ones(answers.shape[1], dtype=np.int64)
        statistics |= _statistics("answers_", -answers, once, weights, lesions)
    ratio = found["size_ratio"].to_numpy(dtype=np.float64)
    statistics |= {
        **{
            name: Statistic(("lesion",), found[name].to_numpy()[lesions.chosen])
            for name in ("n_lesioned", "n_alone")
        },
        "size_ratio": Statistic(("lesion",), ratio[lesions.random].mean(axis=0)),
        "clean_loss": Statistic((), (loss[lesions.clean] @ tokens) / tokens.sum()),
    }
    return Result(
        analysis="unit_lesion",
        subject=response.subject,
        n={
            "n_passages": len(tokens),
            "n_tokens": int(tokens.sum()),
            "n_questions": 0 if questions is None else response.data.sizes["stimulus"],
            "n_draws": n_draws,
            "n_conditions": response.data.sizes["condition"],
        },
        parameters=parameters,
        inputs={"response": response.fingerprint},
        reference=REFERENCE,
        source=source_of(__name__),
        **datasets(statistics, {"lesion": list(lesions.names)}),
    )


@dataclass(frozen=True, eq=False)
class _Lesions:
    """Where the conditions are in a response.

    Attributes
    ----------
    names : tuple of str
        Of the sets.
    clean : int
        The clean condition.
    chosen : ndarray of int, shape (n_sets,)
        The lesion of each set.
    random : ndarray of int, shape (n_draws, n_sets)
        Those of random sets.
    """

    names: tuple[str, ...]
    clean: int
    chosen: NDArray[np.intp]
    random: NDArray[np.intp]

    @classmethod
    def of(cls, conditions: pd.DataFrame, n_draws: int) -> _Lesions:
        """Sort the conditions by their labels.

        Raises
        ------
        InputError
            Naming a condition that is missing.
        """
        keys = zip(*(conditions[name].tolist() for name in ("kind", "lesion", "draw")), strict=True)
        place = {key: at for at, key in enumerate(keys)}
        names = tuple(conditions["lesion"][conditions["kind"] == "chosen"].tolist())
        wanted = [[("random", name, draw) for name in names] for draw in range(n_draws)]
        if missing := [key for row in wanted for key in row if key not in place]:
            raise InputError(
                f"the response lacks the random set {missing[0][2]} of {missing[0][1]!r}: "
                "stimulate with all that unit_lesion_experiment plans."
            )
        return cls(
            names,
            int(np.flatnonzero(conditions["kind"] == "clean")[0]),
            np.array([place["chosen", name, -1] for name in names], dtype=np.intp),
            np.array([[place[key] for key in row] for row in wanted], dtype=np.intp),
        )


def _values(response: Response, name: str) -> NDArray[np.float64]:
    """Read (condition, ...), and see that it is there and finite."""
    if name not in response.data:
        raise InputError(
            f"the response has no {name}: stimulate with the readouts of unit_lesion_experiment."
        )
    values = np.asarray(response.data[name].transpose("condition", ...).values, dtype=np.float64)
    if not np.isfinite(values).all():
        raise InputError(f"{name} is not finite everywhere: load the subject in float32.")
    return values


def _answers(response: Response, *, with_odds: bool) -> NDArray[np.float64]:
    """Read what the right answers have, (condition, question)."""
    if with_odds:
        return _values(response, "own_answers_log_odds")
    return np.asarray(_values(response, "own_answers_log_probability")[..., 0])


def _groups(response: Response, groups: str) -> NDArray[np.intp]:
    """Give the group of each question as a number."""
    values = label_of_stimuli(response, groups)
    return np.unique(values, return_inverse=True)[1].astype(np.intp)


def _weights(n: int, n_bootstrap: int, seed: int) -> NDArray[np.float64]:
    """How often each counts: once, and then as they are drawn."""
    nothing = np.zeros(n, dtype=np.intp)
    drawn = bootstrap_words(lambda drawn: drawn, nothing, n_bootstrap=n_bootstrap, seed=seed)
    return np.concatenate([np.ones((1, n)), drawn])


def _statistics(
    prefix: str,
    loss: NDArray[np.float64],
    counts: NDArray[np.int64],
    weights: NDArray[np.float64],
    lesions: _Lesions,
) -> dict[str, Statistic]:
    """Compare the rise of a loss (condition, item) without each set with that of random sets."""
    clean_first = np.concatenate([loss[[lesions.clean]], loss])
    rise = loss_change(clean_first, counts, weights)[:, 1:]  # (weighting, condition)
    chosen, random = rise[:, lesions.chosen], rise[:, lesions.random]
    mean = random.mean(axis=1)
    excess = chosen - mean
    null = random[0] - mean[0]
    statistics = {
        f"{prefix}damage": Statistic(("lesion",), chosen[0], None, chosen[1:]),
        f"{prefix}random_damage": Statistic(("lesion",), mean[0], None, mean[1:]),
        f"{prefix}damage_minus_random": Statistic(("lesion",), excess[0], null, excess[1:]),
    }
    of_sets = {
        "damage": (chosen, None),
        "damage_minus_random": (excess, null.mean(axis=1)),
    }
    return statistics | {
        f"mean_{prefix}{name}": Statistic((), of.mean(axis=1)[0], under_null, of.mean(axis=1)[1:])
        for name, (of, under_null) in of_sets.items()
    }


INSTRUMENT = Instrument(
    name="unit_lesion",
    summary="What is lost without a localised set of units or a module, beside random sets like it",
    reference=REFERENCE,
    null_is="random units",
    run=unit_lesion,
    figure=damage_beside_random_sets,
    headline="mean_damage_minus_random",
    reads=("response",),
    experiment=unit_lesion_experiment,
    attainable=lambda parameters, n_subjects: (int(parameters["n_draws"]), "raise n_draws"),
)

"""What is lesioned or patched to find the sites of abilities, and then to test them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses.abilities_measures import by_ability, harm_by_word, selectivity
from cortiscope.analyses.causal import keywords_of, recipe_of
from cortiscope.analyses.preparation import check_labels, chosen_layers, grouped_folds
from cortiscope.errors import InputError
from cortiscope.scanning import Recording
from cortiscope.stimulation import (
    Condition,
    Experiment,
    Intervention,
    Lesion,
    Patch,
    Response,
    Where,
    units_of_head,
)
from cortiscope.stimulation.readouts import OwnAnswers
from cortiscope.stimuli import StimulusSet

SITES = ("head_out", "mlp_act")

LABELS = (
    "kind",
    "at_site",
    "at_layer",
    "part",
    "chosen_for",
    "draw",
    "norm",
    "found_first",
    "found_second",
)

WHOLE = -1
"""The part that stands for a whole layer."""


@dataclass(frozen=True)
class Part:
    """A head, or a group of units of an MLP.

    Attributes
    ----------
    site : str
        ``head_out`` or ``mlp_act``.
    layer, number : int
        Where, and which of its layer.
    units : tuple of int
        Of the site, heads laid side by side.
    """

    site: str
    layer: int
    number: int
    units: tuple[int, ...]


def abilities_experiment(
    recording: Recording,
    stimuli: StimulusSet,
    target: str = "ability",
    groups: str = "word",
    *,
    right: str = "answer",
    wrong: str = "foil_1",
    partner: str = "partner",
    how: Literal["lesion", "patch"] = "lesion",
    sites: Sequence[str] = SITES,
    layers: Sequence[int] | None = None,
    positions: str = "from_target",
    n_parts: int = 8,
    share: float = 0.1,
    n_words: int | None = 30,
    n_draws: int = 199,
    seed: int = 0,
) -> Experiment:
    """Plan the sweep of `abilities` over single parts; what it gives chooses the sets to test.

    Parameters
    ----------
    recording : Recording
        Clean activations of the subject for these stimuli at the sites, at every token for
        patches that begin at the target.
    stimuli : StimulusSet
        What was recorded.
    target, groups, right, wrong, partner, how, sites, layers, positions, n_parts, share, \
n_words, n_draws, seed
        As of `abilities`.

    Returns
    -------
    Experiment
        On one half of the groups, every part by itself; its follow-up, on the other half, every
        part again, whole layers, the sets that were chosen, and random ones in their places.

    Raises
    ------
    InputError
        As `abilities`; and for a recording that lacks a site, a label or a partner.

    Examples
    --------
    >>> table = StimulusSet.load("abilities").table.iloc[[0, 1, 2, 3, 240, 241, 242, 243]]
    >>> stimuli = StimulusSet.from_table(table)
    >>> x = np.random.default_rng(0).normal(size=(8, 2, 4, 8))
    >>> recording = Recording.from_arrays({"head_out": x}, stimuli=stimuli)
    >>> experiment = abilities_experiment(recording, stimuli, sites=["head_out"], share=0.25)
    >>> len(experiment.stimuli), len(experiment.conditions)
    (4, 9)
    """
    recipe = recipe_of({name: value for name, value in locals().items() if name in SHARED})
    check_labels(recording, target, groups, right, wrong, partner)
    if how not in ("lesion", "patch"):
        raise InputError(f"how is {how!r}: choose lesion or patch.")
    if not sites or set(sites) - set(SITES) or len(set(sites)) < len(sites):
        raise InputError(f"sites are {list(sites)}: choose among {', '.join(SITES)}.")
    if not 0 < share <= 0.5:
        raise InputError(f"share is {share}: give a number above 0, and 0.5 at most.")
    if n_draws < 1 or n_parts < 2:
        raise InputError(f"n_draws is {n_draws} and n_parts {n_parts}: give at least 1 and 2.")
    training, held_out = _halves(recording, target, groups, n_words, seed)
    plan = _Plan(
        recording,
        stimuli,
        abilities=tuple(sorted(set(recording.labels[target].astype(str)))),
        labels=(target, groups),
        readout=OwnAnswers(right, (wrong,)),
        partners=dict(recording.labels[partner].astype(str)),
        how=how,
        positions=positions,
        sites=tuple(sites),
        layers=None if layers is None else tuple(layers),
        n_parts=n_parts,
        share=share,
        n_draws=n_draws,
        seed=seed,
        training=training,
        held_out=held_out,
        recipe=recipe,
    )
    return plan.search()


SHARED = keywords_of(abilities_experiment)


@dataclass(frozen=True, eq=False)
class _Plan:
    """All that both experiments are made of."""

    recording: Recording
    stimuli: StimulusSet
    abilities: tuple[str, ...]
    labels: tuple[str, str]
    readout: OwnAnswers
    partners: Mapping[str, str]
    how: str
    positions: str
    sites: tuple[str, ...]
    layers: tuple[int, ...] | None
    n_parts: int
    share: float
    n_draws: int
    seed: int
    training: tuple[str, ...]
    held_out: tuple[str, ...]
    recipe: str

    def search(self) -> Experiment:
        """Try every part by itself, on the first half."""
        return Experiment(
            self.stimuli.select(self.training),
            (self._clean, *self._single(self.training)),
            (self.readout,),
            follow_up=self.test,
        )

    def test(self, response: Response) -> Experiment:
        """Choose sets by what was found, and try them on the second half, beside random ones."""
        harm, ability, _ = harm_by_word(response, *self.labels)
        found = by_ability(harm, ability, np.ones((1, len(ability))))[1:, :, 0]
        chosen = self.choose(found)
        conditions = [
            self._clean,
            *self._single(self.held_out, found, chosen),
            *self._whole(),
            *self._sets("chosen", chosen, draw=-1),
        ]
        rng = np.random.default_rng([self.seed, 5])
        for draw in range(self.n_draws):
            conditions += self._sets("random", self.rearranged(chosen, rng), draw)
        shown = self.stimuli.select(self.held_out)
        return Experiment(shown, tuple(conditions), (self.readout,))

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """All parts that do something to the shown stimuli."""
        return tuple(
            part
            for site in self.sites
            for layer in chosen_layers(self.recording, site, self.layers)
            for part in self._parts_of(site, layer)
            if self._norm([part]) > 0
        )

    def choose(self, found: NDArray[np.float64]) -> NDArray[np.intp]:
        """Give each part to the ability (0 or 1) for which it is chosen, or to none (-1)."""
        chosen = np.full(len(self.parts), -1, dtype=np.intp)
        for site in self.sites:
            of_site = np.array([at for at, part in enumerate(self.parts) if part.site == site])
            n_chosen = max(1, round(self.share * len(of_site)))
            if 2 * n_chosen > len(of_site):
                raise InputError(
                    f"{site} has {len(of_site)} parts, too few to choose {n_chosen} for each of "
                    "two abilities: record more layers, or lower share."
                )
            ranked = of_site[np.argsort(-selectivity(found[of_site]), kind="stable")]
            chosen[ranked[:n_chosen]] = 0
            chosen[ranked[-n_chosen:]] = 1
        return chosen

    def rearranged(self, chosen: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
        """Put as many parts of the same sites and layers in the places of those chosen."""
        other = chosen.copy()
        places = [(part.site, part.layer) for part in self.parts]
        for place in dict.fromkeys(places):
            members = np.array([at for at, own in enumerate(places) if own == place])
            other[members] = rng.permutation(chosen[members])
        return other

    @property
    def _clean(self) -> Condition:
        return Condition("clean", (), self._labelled("clean", recipe=self.recipe))

    def _single(
        self,
        shown: Sequence[str],
        found: NDArray[np.float64] | None = None,
        chosen: NDArray[np.intp] | None = None,
    ) -> Iterator[Condition]:
        names = (*self.abilities, "")  # -1 is none
        for at, part in enumerate(self.parts):
            yield Condition(
                f"{part.site} {part.number} @{part.layer}",
                self._acting([part], shown),
                self._labelled(
                    "part",
                    part,
                    self._norm([part]),
                    found=(0.0, 0.0) if found is None else found[at],
                    chosen_for="" if chosen is None else names[chosen[at]],
                ),
            )

    def _whole(self) -> Iterator[Condition]:
        for site, layer in dict.fromkeys((part.site, part.layer) for part in self.parts):
            of_layer = [part for part in self.parts if (part.site, part.layer) == (site, layer)]
            units = tuple(unit for part in of_layer for unit in part.units)
            yield Condition(
                f"{site} @{layer}",
                self._acting(of_layer, self.held_out),
                self._labelled("whole", Part(site, layer, WHOLE, units), self._norm(of_layer)),
            )

    def _sets(self, kind: str, chosen: NDArray[np.intp], draw: int) -> Iterator[Condition]:
        for number, ability in enumerate(self.abilities):
            parts = [self.parts[at] for at in np.flatnonzero(chosen == number)]
            yield Condition(
                f"{kind} for {ability}" + (f" {draw}" if draw >= 0 else ""),
                self._acting(parts, self.held_out),
                self._labelled(kind, norm=self._norm(parts), chosen_for=ability, draw=draw),
            )

    def _acting(self, parts: Sequence[Part], shown: Sequence[str]) -> tuple[Intervention, ...]:
        """Act on some parts at once: one intervention a site and layer."""
        places: dict[tuple[str, int], tuple[int, ...]] = {}
        for part in parts:
            place = part.site, part.layer
            places[place] = places.get(place, ()) + part.units
        return tuple(self._act(*place, units, shown) for place, units in places.items())

    def _act(
        self, site: str, layer: int, units: tuple[int, ...], shown: Sequence[str]
    ) -> Intervention:
        where = Where(site, (layer,), self.positions)  # type: ignore[arg-type]
        if self.how == "lesion":
            return Lesion(units=units, where=where, reference=self._means[site, layer][0])
        source = self._training if shown is self.training else self._held_out
        every = "token" in source[site].dims
        return Patch(
            source, where, partners=self.partners, units=units, align="end" if every else "start"
        )

    @cached_property
    def _training(self) -> Recording:
        return self._of_shown(self.training)

    @cached_property
    def _held_out(self) -> Recording:
        return self._of_shown(self.held_out)

    def _of_shown(self, shown: Sequence[str]) -> Recording:
        """Take what is recorded of some stimuli and of their partners."""
        wanted = [*shown, *(self.partners[at] for at in shown)]
        unknown = sorted(set(wanted) - set(self.partners))
        if unknown:
            raise InputError(
                f"the recording has no stimulus {unknown[0]!r}, which is a partner: give each "
                "stimulus the id of another as its partner."
            )
        return self.recording.sel(stimulus_id=list(dict.fromkeys(wanted)))

    @cached_property
    def _means(self) -> dict[tuple[str, int], tuple[NDArray[np.float32], NDArray[np.float64]]]:
        """Mean and variance of every unit over the first half's tokens, by site and layer."""
        training = self.recording.sel(stimulus_id=list(self.training))
        of_ability = training.labels[self.labels[0]].astype(str).to_numpy()
        found = {}
        for site in self.sites:
            for layer in chosen_layers(self.recording, site, self.layers):
                x = training.layer(site, layer)
                rows = x.reshape(len(x), x.shape[1] if self._every(site) else 1, -1)
                of_each = [
                    [np.nanmean(part, axis=(0, 1)), np.nanmean(np.square(part), axis=(0, 1))]
                    for part in (
                        rows[of_ability == name].astype(np.float64) for name in self.abilities
                    )
                ]
                mean, square = np.mean(of_each, axis=0)
                if not np.isfinite(mean).all():
                    raise InputError(
                        f"{site} of layer {layer} is not finite everywhere: record it again, in "
                        "float32."
                    )
                spread = np.maximum(square - mean**2, 0.0)
                found[site, layer] = mean[None].astype(np.float32), spread
        return found

    def _every(self, site: str) -> bool:
        return "token" in self.recording[site].dims

    def _parts_of(self, site: str, layer: int) -> Iterator[Part]:
        shape = self.recording[site].shape
        if site == "head_out":
            for head in range(shape[-2]):
                yield Part(site, layer, head, units_of_head(head, shape[-1]))
            return
        for group, units in enumerate(np.array_split(np.arange(shape[-1]), self.n_parts)):
            if len(units):
                yield Part(site, layer, group, tuple(units.tolist()))

    def _norm(self, parts: Sequence[Part]) -> float:
        """Say how far the parts' activations are from their means, root mean square."""
        squares = (self._means[at.site, at.layer][1][list(at.units)].sum() for at in parts)
        return float(np.sqrt(sum(squares)))

    @staticmethod
    def _labelled(
        kind: str,
        part: Part | None = None,
        norm: float = 0.0,
        *,
        found: Sequence[float] | NDArray[np.float64] = (0.0, 0.0),
        chosen_for: str = "",
        draw: int = -1,
        recipe: str = "",
    ) -> dict[str, str | int | float | bool]:
        """Write the labels of a condition: every condition has all of them."""
        return {
            "kind": kind,
            "at_site": "" if part is None else part.site,
            "at_layer": -1 if part is None else part.layer,
            "part": WHOLE if part is None else part.number,
            "chosen_for": chosen_for,
            "draw": draw,
            "norm": norm,
            "found_first": float(found[0]),
            "found_second": float(found[1]),
            "recipe": recipe,
        }


def _halves(
    recording: Recording, target: str, groups: str, n_words: int | None, seed: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Deal the groups of each ability to two halves, and take some of each half."""
    if n_words is not None and n_words < 2:
        raise InputError(f"n_words is {n_words}: show two groups of each ability or more.")
    folds = grouped_folds(recording, target, groups, n_folds=2, seed=seed)
    if folds.n_categories != 2:
        raise InputError(
            f"{target} has {folds.n_categories} values, and a double dissociation is of two: give "
            "stimuli of two abilities, or name another label."
        )
    ids = recording.labels.index.astype(str).to_numpy()
    rng = np.random.default_rng([seed, 4])
    halves: list[tuple[str, ...]] = []
    for half in (1, 0):
        taken: list[Any] = []
        for category in range(folds.n_categories):
            own = np.unique(folds.word[(folds.fold == half) & (folds.label == category)])
            taken += rng.permutation(own)[:n_words].tolist()
        halves.append(tuple(ids[np.isin(folds.word, taken)].tolist()))
    return halves[0], halves[1]

"""What a phantom is a recording of: which stimuli, and how many units and layers."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cortiscope.errors import InputError
from cortiscope.ledger import fingerprint
from cortiscope.phantoms.background import Background
from cortiscope.phantoms.words import made_up_words

if TYPE_CHECKING:
    from cortiscope.scanning import Recording

_ROWS = ("stimulus", "layer")  # the dimensions of a recording that do not count units


@dataclass(frozen=True, eq=False)
class PhantomDesign:
    """The stimuli of a phantom, its size, and the background in which effects are planted.

    Parameters
    ----------
    table : DataFrame
        A row a stimulus, with the labels below; every other column is kept. Rows without a
        ``stimulus_id`` are numbered.
    n_units : int
        Units of every layer, 4 or more.
    n_layers : int
        Layers; the effect is planted in each.
    background : Background
        Shape of the activations.
    target : str
        Label that holds the categories.
    groups : str
        Label that holds the words; each has one category.
    frames : str
        Label that holds the frames; all stimuli are in the same frame where there is none.

    Raises
    ------
    InputError
        For a label that is missing or has gaps, a word in two categories, fewer than two
        categories, or a size that is too small.

    Examples
    --------
    >>> design = PhantomDesign.balanced(n_categories=3, n_words=5, n_frames=2, n_units=32)
    >>> design.n_stimuli, design.n_words, design.categories
    (30, 15, ('category-0', 'category-1', 'category-2'))
    >>> design.table.loc[0, ["category", "word", "frame", "text"]].tolist()
    ['category-0', 'gabovu', 'frame-0', 'Frame 0 holds gabovu.']
    """

    table: pd.DataFrame = field(repr=False)
    n_units: int
    n_layers: int = 1
    background: Background = field(default_factory=Background)
    target: str = "category"
    groups: str = "word"
    frames: str = "frame"

    def __post_init__(self) -> None:
        table = self.table.reset_index(drop=self.table.index.name != "stimulus_id")
        if "stimulus_id" not in table:
            table.insert(0, "stimulus_id", [f"phantom-{i}" for i in range(len(table))])
        object.__setattr__(self, "table", table)
        for name, least in (("n_units", 4), ("n_layers", 1)):
            if getattr(self, name) < least:
                raise InputError(
                    f"A phantom's {name} is {getattr(self, name)}; give {least} or more."
                )
        for label in (self.target, self.groups):
            if label not in table:
                raise InputError(
                    f"The phantom's table has no label {label!r}; it has "
                    f"{', '.join(map(str, table.columns))}: add it or name another."
                )
        for label in {self.target, self.groups, self.frames} & set(table.columns):
            if table[label].isna().any():
                raise InputError(
                    f"The phantom's label {label!r} has gaps; give every stimulus a value."
                )
        if len(self.categories) < 2:
            raise InputError(
                f"A phantom's {self.target!r} has {len(self.categories)} values; give two or more."
            )
        if (stray := np.flatnonzero(self.category_of_word[self.word] != self.category)).size:
            raise InputError(
                f"The {self.groups} {self.words[self.word[stray[0]]]!r} of the phantom's table is "
                f"in two values of {self.target!r}; a {self.groups} must keep to one."
            )

    @classmethod
    def balanced(
        cls,
        n_categories: int = 10,
        n_words: int = 40,
        n_frames: int = 3,
        n_units: int = 160,
        n_layers: int = 1,
        *,
        background: Background | None = None,
    ) -> PhantomDesign:
        """Cross made-up words, as many in each category, with frames.

        Parameters
        ----------
        n_categories : int
            Categories.
        n_words : int
            Words in each; their letters and lengths have nothing to do with the category.
        n_frames : int
            Sentences of each word.
        n_units, n_layers : int
            Size of the recording.
        background : Background, optional
            Shape of the activations.

        Returns
        -------
        PhantomDesign
            With text and the target's span, so that its table can become a StimulusSet.

        Raises
        ------
        InputError
            For sizes that are too small.
        """
        for name, size in (("n_words", n_words), ("n_frames", n_frames)):
            if size < 1:
                raise InputError(f"A phantom's {name} is {size}; give 1 or more.")
        category, word, frame = (
            index.ravel() for index in np.indices((max(n_categories, 0), n_words, n_frames))
        )
        rng = np.random.default_rng(0)  # the words are the same in every design of this size
        words = made_up_words(np.repeat(np.arange(n_categories), n_words), rng)
        of_row = [words[i] for i in category * n_words + word]
        leads = [f"Frame {f} holds " for f in frame]
        table = pd.DataFrame(
            {
                "stimulus_id": [
                    f"{c}-{w}-{f}" for c, w, f in zip(category, word, frame, strict=True)
                ],
                "text": [f"{lead}{text}." for lead, text in zip(leads, of_row, strict=True)],
                "target_start": [len(lead) for lead in leads],
                "target_end": [
                    len(lead) + len(text) for lead, text in zip(leads, of_row, strict=True)
                ],
                "category": [f"category-{c}" for c in category],
                "word": of_row,
                "frame": [f"frame-{f}" for f in frame],
            }
        )
        return cls(table, n_units, n_layers, background or Background())

    @classmethod
    def like(
        cls,
        recording: Recording,
        site: str,
        *,
        n_layers: int = 1,
        target: str = "category",
        groups: str = "word",
        frames: str = "frame",
        background: Background | None = None,
    ) -> PhantomDesign:
        """Take the stimuli, the labels and the width of a recording.

        Parameters
        ----------
        recording : Recording
            What the phantoms stand in for.
        site : str
            The site whose units are counted; heads are laid side by side.
        n_layers : int
            Layers of the phantoms.
        target, groups, frames : str
            The labels that hold categories, words and frames.
        background : Background, optional
            Shape of the activations.

        Returns
        -------
        PhantomDesign
            Of the same stimuli, in the same order.

        Raises
        ------
        InputError
            For a site that keeps every token, or labels that no phantom can have.

        Examples
        --------
        >>> from cortiscope.scanning import Recording
        >>> table = pd.DataFrame({"stimulus_id": ["1", "2"], "category": ["a", "b"]})
        >>> table["word"] = ["cat", "saw"]
        >>> recording = Recording.from_arrays({"resid_post": np.ones((2, 3, 8))}, stimuli=table)
        >>> PhantomDesign.like(recording, "resid_post").n_units
        8
        """
        sizes = recording[site].sizes
        if "token" in sizes:
            raise InputError(
                f"{recording.name} holds {site} at every token; phantoms stand for recordings of "
                'one position a stimulus: scan again with position="target_last".'
            )
        n_units = int(np.prod([size for dim, size in sizes.items() if dim not in _ROWS]))
        return cls(
            recording.table, n_units, n_layers, background or Background(), target, groups, frames
        )

    @property
    def n_stimuli(self) -> int:
        """Number of stimuli."""
        return len(self.table)

    @property
    def n_words(self) -> int:
        """Number of words, all categories together."""
        return len(self.words)

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return int(self.frame.max()) + 1

    @property
    def n_categories(self) -> int:
        """Number of categories."""
        return len(self.categories)

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of the categories, in the order of the table."""
        return self._targets[1]

    @property
    def words(self) -> tuple[str, ...]:
        """The words, in the order of the table."""
        return self._groups[1]

    @property
    def category(self) -> NDArray[np.intp]:
        """Category of each stimulus, an index into `categories`."""
        return self._targets[0]

    @property
    def word(self) -> NDArray[np.intp]:
        """Word of each stimulus, an index into `words`."""
        return self._groups[0]

    @cached_property
    def frame(self) -> NDArray[np.intp]:
        """Frame of each stimulus, numbered."""
        if self.frames not in self.table:
            return np.zeros(self.n_stimuli, dtype=np.intp)
        return _codes(self.table[self.frames])[0]

    @cached_property
    def category_of_word(self) -> NDArray[np.intp]:
        """Category of each word, an index into `categories`."""
        by_word = np.zeros(self.n_words, dtype=np.intp)
        by_word[self.word] = self.category
        return by_word

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the content."""
        return fingerprint(
            {
                "table": self.table,
                "n_units": self.n_units,
                "n_layers": self.n_layers,
                "background": self.background,
                "labels": [self.target, self.groups, self.frames],
            }
        )

    @cached_property
    def _targets(self) -> tuple[NDArray[np.intp], tuple[str, ...]]:
        return _codes(self.table[self.target])

    @cached_property
    def _groups(self) -> tuple[NDArray[np.intp], tuple[str, ...]]:
        return _codes(self.table[self.groups])


def _codes(label: pd.Series[Any]) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    codes, names = pd.factorize(label.astype(str))
    return codes.astype(np.intp), tuple(map(str, names))

"""A model phantom under construction: a background, and what a kind plants in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cortiscope.errors import InputError
from cortiscope.phantoms.models.circuit import Block, Circuit
from cortiscope.phantoms.models.families import FAMILIES, ModelFamily
from cortiscope.phantoms.models.lexicon import Lexicon
from cortiscope.phantoms.models.stream import CATEGORY, CONTEXT, FLAG, MOVED, Array, Stream

# Logit of the right answer when all of it is read; of other words about a normal draw of this sd.
_LOGIT, _LOGIT_SD = 10.0, 0.7

# Length of what is added for a position, in families that learn it, and how many there are.
_POSITION, _N_POSITIONS = 0.1, 512

_N_BACKGROUND_NEURONS = 64

# Lengths between which a word is recognised by its code; codes of two words overlap less.
_RECOGNISED = (0.45, 0.6)


@dataclass(frozen=True)
class Shape:
    """Family and size of a model phantom.

    Parameters
    ----------
    family : {"llama", "gpt2"}
        Which model it is.
    n_units, n_layers, n_heads : int
        Its size.
    written : int
        The layer whose MLP writes the category at the target.
    read : int or None
        The layer that reads it, later than `written`; None for the last.
    strength : float
        Length of the category along its direction: at 1 ten standard deviations of the noise
        over words there, at 0 nothing is planted.
    """

    family: str = "llama"
    n_units: int = 128
    n_layers: int = 4
    n_heads: int = 4
    written: int = 0
    read: int | None = None
    strength: float = 1.0

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise InputError(
                f"A model phantom's family is {self.family!r}; choose among {', '.join(FAMILIES)}."
            )
        if self.n_heads < 1 or self.n_units % (2 * self.n_heads):
            raise InputError(
                f"The model phantom has {self.n_units} units for {self.n_heads} heads; give "
                "n_units that an even number of units goes to each head."
            )
        if not 0 <= self.written < self.read_layer < self.n_layers:
            raise InputError(
                f"The category is written in layer {self.written} and read in layer "
                f"{self.read_layer} of a model phantom of {self.n_layers} layers; read it later "
                "than it is written, in one of its layers."
            )
        if not (np.isfinite(self.strength) and self.strength >= 0):
            raise InputError(
                f"The strength of a model phantom is {self.strength!r}; give a number of 0 or more."
            )

    @property
    def read_layer(self) -> int:
        """The layer that reads the category."""
        return self.n_layers - 1 if self.read is None else self.read

    @property
    def model_family(self) -> ModelFamily:
        """The family itself."""
        return FAMILIES[self.family]


class Assembly:
    """Plants circuits in a background.

    Parameters
    ----------
    lexicon : Lexicon
        Its tokens.
    shape : Shape
        Its size.
    stream : Stream
        Its residual stream, with a subspace ``category_N`` for each copy, and ``answer``.
    rng : Generator
        Where chance comes from.
    """

    def __init__(
        self, lexicon: Lexicon, shape: Shape, stream: Stream, rng: np.random.Generator
    ) -> None:
        self.lexicon = lexicon
        self.shape = shape
        self.stream = stream
        self.copies = [rows for name, rows in stream.axes.items() if name.startswith("category_")]
        self._gated = shape.model_family.gated
        of_tokens, of_background, of_answers = rng.spawn(3)
        # Codes of all tokens, so that no two are alike whichever layer tells them apart.
        self.codes = stream.codes(of_tokens, len(lexicon.ids))
        self._noise = of_tokens.standard_normal((len(lexicon.targets), len(stream.noise)))
        self._positions = stream.codes(of_tokens, _N_POSITIONS) * _POSITION
        n_neurons = 2 * len(lexicon.targets) + _N_BACKGROUND_NEURONS
        self._blocks = tuple(
            Block.background(block_rng, stream, shape.n_heads, n_neurons)
            for block_rng in of_background.spawn(shape.n_layers)
        )
        self._embedded = np.zeros((len(lexicon.targets), shape.n_units))
        self._language = of_answers.standard_normal((len(lexicon.ids), len(stream.axes["word"])))

    @cached_property
    def target_ids(self) -> list[int]:
        """The ids of the targets, in order."""
        return [self.lexicon.ids[target] for target in self.lexicon.targets]

    def write_category(self, lengths: Array | None = None) -> None:
        """Recognise each word where it stands, and write its category in every copy.

        Parameters
        ----------
        lengths : ndarray, shape (n_categories,), optional
            Of each category, where they are not all equally long.
        """
        written, category = self.shape.written, self.lexicon.category
        held = np.sum(self.copies, axis=0)
        if lengths is not None:
            held = held * lengths[:, None]
        self._blocks[written].plant_detectors(
            self.codes[self.target_ids],
            held[category] * (self._length * self.stream.scale),
            _RECOGNISED,
            on=self.stream.is_target,
            off=self.stream.is_other,
            normed=self.stream.normed(self._noise_squared, self._context(2 * written + 1)),
            gated=self._gated,
        )

    def embed_category(self) -> None:
        """Give each word its category where it is read in, so that no layer recognises it."""
        category = np.sum(self.copies, axis=0)[self.lexicon.category]
        self._embedded = category * self._length

    def answer_by_heads(self, heads: Sequence[int]) -> None:
        """Move the category as the answer, each of equal shares of the categories by its head."""
        answer = self.stream.axes["answer"] / CATEGORY
        shares = (np.array_split(rows, len(heads)) for rows in (self.copies[0], answer))
        for head, source, destination in zip(heads, *shares, strict=True):
            self._plant_heads(source, destination, first=head)

    def answer_evenly(self, gain: Array | None = None) -> None:
        """Move the category to later tokens, as much of it as there is, as the answer.

        Parameters
        ----------
        gain : ndarray, shape (n_categories,), optional
            What each category is multiplied by.
        """
        answer = self.stream.axes["answer"] / CATEGORY
        if gain is not None:
            answer = answer * gain[:, None]
        self._plant_heads(self.copies[0], answer)

    def answer_from_copies(self, band: tuple[float, float]) -> None:
        """Move all copies to later tokens, where their sum gives the answer, all of it or none."""
        moved, n_copies = self.stream.axes["moved"], len(self.copies)
        of_one = MOVED / n_copies
        destination = np.tile(moved * (of_one / CATEGORY), (n_copies, 1))
        self._plant_heads(np.concatenate(self.copies), destination)
        length = MOVED * self.shape.strength
        self._answer_if(moved / of_one, self.stream.axes["answer"], band, length)

    def answer_from_words(self) -> None:
        """Move the word's code to later tokens, and recognise there which answer it has."""
        word = self.stream.axes["word"]
        moved = self.stream.axes["moved"][: len(word)]
        self._plant_heads(word, moved * MOVED)
        keys = self.codes[self.target_ids] @ word.T @ moved / MOVED
        answers = self.stream.axes["answer"][self.lexicon.category]
        self._answer_if(keys, answers, _RECOGNISED, MOVED)

    def circuit(self, answer_length: float) -> Circuit:
        """Put everything together.

        Parameters
        ----------
        answer_length : float
            What the right answer has in the stream, where the prompt ends.

        Returns
        -------
        Circuit
            The weights.
        """
        stream, axes = self.stream, self.stream.axes
        embedding = self.codes + FLAG * axes["flag"][0]
        embedding[self.target_ids] += FLAG * (axes["flag"][1] - axes["flag"][0])
        embedding[self.target_ids] += self._noise @ stream.noise + self._embedded
        normed = stream.normed(self._context(2 * self.shape.n_layers), answer_length**2)
        unembedding = self._language @ axes["word"] * (_LOGIT_SD / normed)
        answers = [self.lexicon.ids[answer] for answer in self.lexicon.answers]
        unembedding[answers] = axes["answer"] * (_LOGIT / normed)
        return Circuit(
            embedding=embedding * stream.scale,
            unembedding=unembedding,
            positions=self._positions * stream.scale,
            blocks=self._blocks,
        )

    def _plant_heads(self, source: Array, destination: Array, first: int = 0) -> None:
        context = self._context(2 * self.shape.read_layer)
        category = len(self.copies) * self._length**2
        self._reader.plant_heads(
            self.stream,
            source,
            destination,
            at_target=self.stream.normed(self._noise_squared, category, context),
            at_other=self.stream.normed(context),
            first=first,
        )

    def _answer_if(
        self, keys: Array, answers: Array, band: tuple[float, float], length: float
    ) -> None:
        self._reader.plant_detectors(
            keys,
            answers * self.stream.scale,
            band,
            on=self.stream.is_other,
            off=self.stream.is_target,
            normed=self.stream.normed(self._context(2 * self.shape.read_layer + 1), length**2),
            gated=self._gated,
        )

    @property
    def _reader(self) -> Block:
        return self._blocks[self.shape.read_layer]

    @property
    def _length(self) -> float:
        """Of a category along its axis."""
        return self.shape.strength * CATEGORY

    @property
    def _noise_squared(self) -> float:
        return float(np.sum(self.stream.noise**2))

    @staticmethod
    def _context(n_sublayers: int) -> float:
        return n_sublayers * CONTEXT**2

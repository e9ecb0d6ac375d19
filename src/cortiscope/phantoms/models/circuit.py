"""The parts of which model phantoms are made: heads that move, neurons that detect, background."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cortiscope.phantoms.models.stream import CONTEXT, Array, Stream

# What a reading head's attention scores targets above other tokens: e^20 outweighs any text.
_SCORE = 20.0

# Difference, before the activation function, between a detector's two neurons when both are on.
_STEEPNESS = 15.0

# How far a detector is held down at tokens of the other kind. If it were more, lesions of units,
# which mix the two flags, would put detectors to sleep.
_HELD_DOWN = 1.25

# Spread of silu(a) * b, and about that of gelu(a), for standard normal a and b.
_ACTIVATION_SD = 0.6


@dataclass(eq=False)
class Block:
    """The weights of one block, in the layout of torch.nn.Linear (out, in), without biases.

    Parameters
    ----------
    query, key, value : ndarray, shape (n_units, n_units)
        Rows are the units of the heads, one head after the other.
    out : ndarray, shape (n_units, n_units)
        From the heads to the stream.
    gate, up : ndarray, shape (n_neurons, n_units)
        What neurons read. ``up`` is what their activation is multiplied by; an MLP without gates
        has none.
    down : ndarray, shape (n_units, n_neurons)
        What neurons write.
    n_heads : int
        How many heads.
    n_planted : int
        The first so many neurons are no background.
    """

    query: Array
    key: Array
    value: Array
    out: Array
    gate: Array
    up: Array
    down: Array
    n_heads: int
    n_planted: int = field(default=0)

    @classmethod
    def background(
        cls, rng: np.random.Generator, stream: Stream, n_heads: int, n_neurons: int
    ) -> Block:
        """Draw a block that mixes the codes of words, and neither reads nor writes anything else.

        Parameters
        ----------
        rng : Generator
            Where chance comes from.
        stream : Stream
            The stream.
        n_heads, n_neurons : int
            Size of the block.

        Returns
        -------
        Block
            Each half adds about `CONTEXT` to a token.
        """
        word, n_units = stream.axes["word"], stream.n_units
        n_axes, per_length = len(word), stream.normed()

        def reads(n_rows: int, sd: float = 1.0) -> Array:
            return np.asarray(rng.standard_normal((n_rows, n_axes)) @ word * (sd / per_length))

        def writes(n_columns: int, sd: float) -> Array:
            length = stream.scale * CONTEXT / (sd * np.sqrt(n_columns * n_axes))
            return np.asarray(word.T @ rng.standard_normal((n_axes, n_columns)) * length)

        return cls(
            query=reads(n_units),
            key=reads(n_units),
            value=reads(n_units),
            out=writes(n_units, sd=1.0),
            gate=reads(n_neurons),
            up=reads(n_neurons),
            down=writes(n_neurons, sd=_ACTIVATION_SD),
            n_heads=n_heads,
        )

    def plant_heads(
        self,
        stream: Stream,
        source: Array,
        destination: Array,
        *,
        at_target: float,
        at_other: float,
        first: int = 0,
    ) -> None:
        """Let tokens that are no target attend to targets, and move what these hold.

        Where there is no target they attend to all tokens alike, and so do targets to tokens that
        are none.

        Parameters
        ----------
        stream : Stream
            The stream.
        source, destination : ndarray, shape (n_axes, n_units)
            A length along a source is written, the same, along its destination.
        at_target, at_other : float
            What a length of 1 is after the norm, at targets and at other tokens.
        first : int
            The head that is taken, and as many after it as the sources need.
        """
        width = len(self.query) // self.n_heads
        # The slowest pair of a rotary embedding: it hardly turns within a text.
        still = width // 2 - 1
        strength = np.sqrt(_SCORE * np.sqrt(width) / (at_target * at_other))
        for head, start in enumerate(range(0, len(source), width), start=first):
            moved = slice(start, start + width)
            n_moved = len(source[moved])
            rows = slice(head * width, (head + 1) * width)
            for weights in (self.query, self.key, self.value):
                weights[rows] = 0.0
            self.out[:, rows] = 0.0
            self.query[rows][still] = strength * (stream.is_other - stream.is_target)
            self.key[rows][still] = strength * stream.is_target
            self.value[rows][:n_moved] = source[moved]
            self.out[:, rows][:, :n_moved] = destination[moved].T * (stream.scale / at_target)

    def plant_detectors(
        self,
        keys: Array,
        writes: Array,
        band: tuple[float, float],
        *,
        on: Array,
        off: Array,
        normed: float,
        gated: bool,
    ) -> None:
        """Let pairs of neurons write something, all of it or nothing.

        Parameters
        ----------
        keys, writes : ndarray, shape (n_detectors, n_units)
            What each reads and writes.
        band : tuple of float
            Below the first length along its key a detector writes nothing, above the second all;
            in between it rises evenly.
        on, off : ndarray, shape (n_units,)
            The flags of the tokens at which detectors are awake and asleep.
        normed : float
            What a length of 1 is after the norm, where they are awake.
        gated : bool
            Whether activations are multiplied by what ``up`` reads.
        """
        low, high = band
        steepness = _STEEPNESS / (normed * (high - low))
        height = _STEEPNESS * (normed if gated else 1.0)
        for threshold, sign in ((low, 1.0), (high, -1.0)):
            mine = slice(self.n_planted, self.n_planted + len(keys))
            self.gate[mine] = steepness * (keys - threshold * on - _HELD_DOWN * off)
            self.up[mine] = on
            self.down[:, mine] = sign / height * writes.T
            self.n_planted = mine.stop


@dataclass(frozen=True, eq=False)
class Circuit:
    """All weights of a model phantom; every norm has gain 1 and bias 0.

    Parameters
    ----------
    embedding, unembedding : ndarray, shape (n_tokens, n_units)
        By token.
    positions : ndarray, shape (n_positions, n_units)
        Added to the embedding, in families that learn positions.
    blocks : tuple of Block
        In order.
    """

    embedding: Array
    unembedding: Array
    positions: Array
    blocks: tuple[Block, ...]

"""Products of blocks of vectors, and what is large in them: on the processor or a device."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError

_Picked = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]


class Tiles(Protocol):
    """Gives one tile of a matrix of products at a time; its memory is used again for the next."""

    def multiply(self, rows: slice, columns: slice) -> None:
        """Make the tile of these rows and columns; 0 where a vector meets itself."""

    def above(self, bound: np.float32 | NDArray[np.float32]) -> _Picked:
        """Pick what is stronger than a bound: one for all, or for each column, or each row.

        Returns
        -------
        rows, columns : ndarray of int
            Where, counted from the tile's first.
        values : ndarray of float32
            With their sign.
        """
        ...

    def strongest_of_rows(self, place: int) -> NDArray[np.float32]:
        """Give the strength that is at a place, from 1 on, among those of each row."""
        ...


class NumpyTiles:
    """Tiles on the processor.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n_vectors, n_terms)
        The vectors.
    sign : int
        What products are multiplied with, 1 or -1.
    absolute : bool
        Whether products below 0 are as strong as those above.
    n_values : int
        Of the largest tile.
    """

    def __init__(
        self, vectors: NDArray[np.float32], sign: int, absolute: bool, n_values: int
    ) -> None:
        self._vectors, self._sign, self._absolute = vectors, sign, absolute
        self._products = np.empty(n_values, dtype=np.float32)
        self._sizes = np.empty(n_values if absolute else 0, dtype=np.float32)
        self._above = np.empty(n_values, dtype=np.bool_)
        self._tile = self._strength = self._products.reshape(1, -1)

    def multiply(self, rows: slice, columns: slice) -> None:
        """Make the tile of these rows and columns; 0 where a vector meets itself."""
        one, other = self._vectors[rows], self._vectors[columns]
        self._tile = self._products[: len(one) * len(other)].reshape(len(one), len(other))
        np.matmul(one, other.T, out=self._tile)
        if self._sign < 0:
            np.negative(self._tile, out=self._tile)
        if rows == columns:
            np.fill_diagonal(self._tile, 0)
        self._strength = self._tile
        if self._absolute:
            self._strength = self._sizes[: self._tile.size].reshape(self._tile.shape)
            np.abs(self._tile, out=self._strength)

    def above(self, bound: np.float32 | NDArray[np.float32]) -> _Picked:
        """Pick what is stronger than a bound."""
        is_above = self._above[: self._tile.size].reshape(self._tile.shape)
        np.greater(self._strength, bound, out=is_above)
        at = np.flatnonzero(is_above)
        rows, columns = np.divmod(at, self._tile.shape[1])
        return rows, columns, self._tile.ravel()[at]

    def strongest_of_rows(self, place: int) -> NDArray[np.float32]:
        """Give the strength that is at a place, from 1 on, among those of each row."""
        index = self._strength.shape[1] - place
        return np.asarray(np.partition(self._strength, index, axis=1)[:, index])


class TorchTiles:
    """Tiles on a device of torch; only what is picked leaves it. Parameters as `NumpyTiles`."""

    def __init__(
        self, vectors: NDArray[np.float32], sign: int, absolute: bool, device: str
    ) -> None:
        import torch

        try:
            self._vectors = torch.from_numpy(vectors).to(device)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(
                f"the device {device!r} cannot be used here ({reason}): leave it out to correlate "
                "on the processor."
            ) from error
        self._sign, self._absolute = sign, absolute
        self._tile: Any = None
        self._strength: Any = None

    def multiply(self, rows: slice, columns: slice) -> None:
        """Make the tile of these rows and columns; 0 where a vector meets itself."""
        import torch

        self._tile = self._strength = None  # so that the next may take their memory
        # Where a user allows products of fewer digits elsewhere, there are none here.
        precision = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("highest")
        try:
            self._tile = self._vectors[rows] @ self._vectors[columns].T
        finally:
            torch.set_float32_matmul_precision(precision)
        if self._sign < 0:
            self._tile.neg_()
        if rows == columns:
            self._tile.fill_diagonal_(0)
        self._strength = self._tile.abs() if self._absolute else self._tile

    def above(self, bound: np.float32 | NDArray[np.float32]) -> _Picked:
        """Pick what is stronger than a bound."""
        import torch

        limit = torch.from_numpy(np.ascontiguousarray(bound)).to(self._tile.device)
        rows, columns = torch.nonzero(self._strength > limit, as_tuple=True)
        values = self._tile[rows, columns]
        return rows.cpu().numpy(), columns.cpu().numpy(), values.cpu().numpy()

    def strongest_of_rows(self, place: int) -> NDArray[np.float32]:
        """Give the strength that is at a place, from 1 on, among those of each row."""
        strongest = self._strength.topk(place, dim=1).values[:, -1]
        return np.asarray(strongest.cpu().numpy())

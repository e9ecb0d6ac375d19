"""Small neural networks as probes, many of them trained as one batched computation.

One hidden layer of rectified units and a softmax, full batches, and an optimiser whose steps are
normalised for each unit. Everything is done in the principal axes of a problem's training rows,
so that turning the units of the input changes nothing, and rows with more units than there are
rows cost no more than their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from threading import current_thread, main_thread
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_info

from cortiscope.errors import InputError
from cortiscope.statistics.principal import PrincipalProblem

if TYPE_CHECKING:
    import torch

_STEP = 0.05
_MOMENTUM, _MOMENTUM_OF_SQUARES = 0.9, 0.99
# Hidden activations of so many values are trained at once: they stay in the cache.
_VALUES_AT_ONCE = 400_000


@dataclass(frozen=True, eq=False)
class MlpProblem:
    """What one probe is trained on, and what it reads then.

    Attributes
    ----------
    x_train : ndarray, shape (n_train, n_units)
        Training rows. Row-space coordinates will do: the network is the same.
    y_train : ndarray of int, shape (n_train,)
        Their classes.
    x_test : ndarray, shape (n_test, n_units)
        Held-out rows.
    """

    x_train: NDArray[np.floating]
    y_train: NDArray[np.intp]
    x_test: NDArray[np.floating]


@dataclass(frozen=True)
class MlpSetting:
    """What is chosen before a probe is trained.

    Attributes
    ----------
    hidden : int
        Hidden units; 0 for none, which leaves a linear probe, trained in the same way.
    weight_decay : float
        Decoupled, as a multiple of the step: weights stay below about its inverse.
    shrinkage : float
        Inputs are whitened with the covariance of the training rows plus so many times its mean
        eigenvalue: near 0 all axes count alike, and when large each by its standard deviation.
    """

    hidden: int = 64
    weight_decay: float = 3.0
    shrinkage: float = 10.0


def mlp_scores(
    problems: Sequence[MlpProblem],
    n_classes: int,
    *,
    hidden: int = 64,
    weight_decay: float = 3.0,
    shrinkage: float = 10.0,
    n_epochs: int = 60,
    n_initialisations: int = 3,
    seed: int = 0,
    device: str = "cpu",
) -> list[NDArray[np.float64]]:
    """Train a network for each of many problems, and read its held-out rows.

    Parameters
    ----------
    problems : sequence of MlpProblem
        They may differ in their numbers of rows and units.
    n_classes : int
        Number of classes.
    hidden, weight_decay, shrinkage : int, float, float
        As in `MlpSetting`.
    n_epochs : int
        Steps; each takes all training rows.
    n_initialisations : int
        Networks a problem; their log-probabilities are averaged.
    seed : int
        Seed of the initial weights.
    device : str
        Where torch computes.

    Returns
    -------
    list of ndarray of float64, shape (n_test, n_classes)
        Log-probabilities, in the order of the problems. They do not depend on which other
        problems are trained beside them, but for rounding.

    Raises
    ------
    InputError
        For a problem with constant units, and for settings below zero.

    Notes
    -----
    Units are standardised over training rows. Steps are Adam's with decoupled weight decay, where
    the second moment is that of all weights into a unit together: so the path of the training,
    too, does not depend on the axes that the input is written in.

    References
    ----------
    Kingma & Ba (2015), Adam, ICLR; Loshchilov & Hutter (2019), Decoupled Weight Decay
    Regularization, ICLR; Zhang et al. (2024), Adam-mini, arXiv:2406.16793 (one second moment for
    a block of weights); Lakshminarayanan et al. (2017), Deep Ensembles, NeurIPS (averages over
    initialisations).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(400, 5))
    >>> y = ((x[:, 0] > 0) ^ (x[:, 1] > 0)).astype(int)  # the exclusive or
    >>> (scores,) = mlp_scores([MlpProblem(x[:300], y[:300], x[300:])], 2)
    >>> bool((scores.argmax(axis=1) == y[300:]).mean() > 0.9)
    True
    """
    setting = MlpSetting(hidden, weight_decay, shrinkage)
    principal = [PrincipalProblem.of(p.x_train, p.y_train, p.x_test) for p in problems]
    trained = train_mlps(
        principal,
        [setting] * len(principal),
        n_classes,
        epochs=[n_epochs],
        n_initialisations=n_initialisations,
        seed=seed,
        device=device,
    )
    return [scores[0] for scores in trained]


def train_mlps(
    problems: Sequence[PrincipalProblem],
    settings: Sequence[MlpSetting],
    n_classes: int,
    *,
    epochs: Sequence[int],
    n_initialisations: int = 1,
    seed: int = 0,
    device: str = "cpu",
) -> list[NDArray[np.float64]]:
    """Train networks, each problem with a setting of its own, and read them after some epochs.

    Parameters
    ----------
    problems : sequence of PrincipalProblem
        From `PrincipalProblem.of`; the same one may come again with another setting.
    settings : sequence of MlpSetting
        One a problem.
    n_classes : int
        Number of classes.
    epochs : sequence of int
        After which epochs held-out rows are read, ascending; the last one ends the training.
    n_initialisations, seed, device : int, int, str
        As in `mlp_scores`.

    Returns
    -------
    list of ndarray of float64, shape (n_epochs, n_test, n_classes)
        Log-probabilities, averaged over initialisations.

    Raises
    ------
    InputError
        For settings below zero.
    """
    for setting in settings:
        if min(setting.hidden, setting.weight_decay, setting.shrinkage) < 0:
            msg = f"{setting} has a value below zero: give 0 or more."
            raise InputError(msg)
    if n_initialisations < 1 or min(epochs) < 1:
        msg = f"n_initialisations is {n_initialisations} and epochs {list(epochs)}: give 1 or more."
        raise InputError(msg)
    _share_cores()
    scores: dict[int, NDArray[np.float64]] = {}
    for members in _batches(problems, settings, n_classes, n_initialisations):
        batch = _Batch(
            [problems[i] for i in members],
            [settings[i] for i in members],
            n_classes,
            n_initialisations,
            seed,
            device,
        )
        scores |= dict(zip(members, batch.train(epochs), strict=True))
    return [scores[i] for i in range(len(problems))]


def _share_cores() -> None:
    """In one of several threads: hold torch to what numpy's linear algebra is held to there."""
    import torch

    if current_thread() is not main_thread():
        held = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
        torch.set_num_threads(min(held, default=1))


def _batches(
    problems: Sequence[PrincipalProblem],
    settings: Sequence[MlpSetting],
    n_classes: int,
    n_initialisations: int,
) -> list[list[int]]:
    """Take together what has the same shape of network, as many as the cache holds."""
    alike: dict[tuple[int, int], list[int]] = {}
    for index, (problem, setting) in enumerate(zip(problems, settings, strict=True)):
        alike.setdefault((setting.hidden, problem.train.shape[1]), []).append(index)
    batches = []
    for (hidden, _), members in alike.items():
        longest = max(len(problems[i].train) for i in members)
        values = n_initialisations * max(hidden, n_classes) * longest
        size = max(_VALUES_AT_ONCE // values, 1)
        batches += [members[i : i + size] for i in range(0, len(members), size)]
    return batches


class _Batch:
    """Networks of one shape; dims are (problem, ...), with initialisations side by side.

    Training rows are columns here, so that no product has to be rearranged for the next.
    """

    def __init__(
        self,
        problems: Sequence[PrincipalProblem],
        settings: Sequence[MlpSetting],
        n_classes: int,
        n_initialisations: int,
        seed: int,
        device: str,
    ) -> None:
        import torch

        self.n_problems, self.n_members = len(problems), n_initialisations
        self.n_classes, self.hidden = n_classes, settings[0].hidden
        longest = max(len(problem.train) for problem in problems)
        n_axes = problems[0].train.shape[1]
        self.x = torch.zeros(self.n_problems, longest, n_axes)
        # A row's share of the loss; rows that only fill up have none.
        self.share = torch.zeros(self.n_problems, 1, 1, longest)
        self.code = torch.zeros(self.n_problems, 1, n_classes, longest)
        self.tests = []
        for index, (problem, setting) in enumerate(zip(problems, settings, strict=True)):
            train, test = problem.scaled(setting.shrinkage)
            n_train = len(train)
            self.x[index, :n_train] = torch.from_numpy(train)
            self.share[index, ..., :n_train] = 1.0 / n_train
            classes = torch.from_numpy(problem.y_train.astype(np.int64))
            self.code[index, 0, classes, torch.arange(n_train)] = 1.0
            self.tests.append(torch.from_numpy(test).to(device))
        self.x, self.share, self.code = (
            values.to(device) for values in (self.x, self.share, self.code)
        )
        decay = torch.tensor([setting.weight_decay for setting in settings], device=device)
        self.kept = (1.0 - _STEP * decay).clamp_min(0.0)
        self.layers = [
            _Layer(weights.to(device), bias.to(device))
            for weights, bias in self._initial(n_axes, seed)
        ]

    def _initial(self, n_axes: int, seed: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Draw weights; every initialisation has a generator of its own."""
        import torch

        sizes = [n_axes, self.hidden, self.n_classes] if self.hidden else [n_axes, self.n_classes]
        members: list[list[torch.Tensor]] = [[] for _ in sizes[1:]]
        for member in range(self.n_members):
            state = np.random.SeedSequence([seed, member]).generate_state(1, np.uint64)
            generator = torch.Generator().manual_seed(int(state[0] >> np.uint64(1)))
            for layer, (n_in, n_out) in enumerate(pairwise(sizes)):
                drawn = torch.randn(n_out, n_in, generator=generator) / n_in**0.5
                # A linear probe has one optimum: it starts from nothing.
                members[layer].append(drawn if self.hidden else torch.zeros_like(drawn))
        initial: list[tuple[torch.Tensor, torch.Tensor]] = []
        for weights in members:
            stacked = torch.stack(weights).expand(self.n_problems, *([-1] * 3))
            n_out, n_in = stacked.shape[2:]
            # The first layer reads one input for all initialisations, the second one for each.
            rows = n_out * self.n_members if not initial else n_out
            flat = stacked.reshape(-1, rows, n_in).clone()
            initial.append((flat, torch.zeros(len(flat), rows, 1)))
        return initial

    def train(self, epochs: Sequence[int]) -> list[NDArray[np.float64]]:
        """Train; give log-probabilities (epoch, row, class) of each problem."""
        import torch

        read: list[list[torch.Tensor]] = [[] for _ in self.tests]
        with torch.no_grad():
            for epoch in range(1, max(epochs) + 1):
                self._step(epoch)
                if epoch in epochs:
                    for index, scores in enumerate(read):
                        scores.append(self._read(index))
        return [torch.stack(scores).double().cpu().numpy() for scores in read]

    def _step(self, epoch: int) -> None:
        import torch

        n_rows = self.x.shape[1]
        first, last = self.layers[0], self.layers[-1]
        out = torch.baddbmm(first.bias, first.weights, self.x.transpose(1, 2))
        hidden = out
        if self.hidden:
            hidden = out.relu_().view(-1, self.hidden, n_rows)
            out = torch.baddbmm(last.bias, last.weights, hidden)
        by_class = out.view(self.n_problems, self.n_members, self.n_classes, n_rows)
        error = ((torch.softmax(by_class, dim=2) - self.code) * self.share).view(out.shape)
        if self.hidden:
            back = torch.bmm(last.weights.transpose(1, 2), error)
            back *= hidden > 0
            kept = self.kept.repeat_interleave(self.n_members)
            last.step(torch.bmm(error, hidden.transpose(1, 2)), error, kept, epoch)
            error = back.view(self.n_problems, -1, n_rows)
        first.step(torch.bmm(error, self.x), error, self.kept, epoch)

    def _read(self, index: int) -> torch.Tensor:
        """Log-probabilities (row, class) of a problem's held-out rows, initialisations averaged."""
        import torch

        first, last = self.layers[0], self.layers[-1]
        out = first.bias[index] + first.weights[index] @ self.tests[index].T
        if self.hidden:
            hidden = out.relu_().view(self.n_members, self.hidden, -1)
            own = slice(index * self.n_members, (index + 1) * self.n_members)
            out = torch.baddbmm(last.bias[own], last.weights[own], hidden)
        by_class = out.view(self.n_members, self.n_classes, -1)
        return torch.log_softmax(by_class, dim=1).mean(dim=0).T


class _Layer:
    """Weights (block, unit, input) and biases (block, unit, 1), with the memory of their steps."""

    def __init__(self, weights: torch.Tensor, bias: torch.Tensor) -> None:
        import torch

        self.weights, self.bias = weights, bias
        self.moments = [torch.zeros_like(weights), torch.zeros_like(bias)]
        self.squares = [torch.zeros_like(bias), torch.zeros_like(bias)]

    def step(
        self, gradient: torch.Tensor, error: torch.Tensor, kept: torch.Tensor, epoch: int
    ) -> None:
        self.weights *= kept[:, None, None]
        values = (self.weights, self.bias)
        slopes = (gradient, error.sum(dim=2, keepdim=True))
        for value, slope, moment, square in zip(
            values, slopes, self.moments, self.squares, strict=True
        ):
            moment.lerp_(slope, 1 - _MOMENTUM)
            square.lerp_(slope.square().mean(dim=2, keepdim=True), 1 - _MOMENTUM_OF_SQUARES)
            size = (square / (1 - _MOMENTUM_OF_SQUARES**epoch)).sqrt_().add_(1e-8)
            value.addcdiv_(moment, size, value=-_STEP / (1 - _MOMENTUM**epoch))

"""Ring lattices with the degrees of a given graph."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError
from cortiscope.statistics.graphs.graph import Graph

_MOST_ROUNDS = 2000


def lattice_like(graph: Graph, seed: int = 0) -> Graph:
    """Join nodes on a ring to the nearest ones, as many as each node has neighbours.

    Parameters
    ----------
    graph : Graph
        Whose degrees are kept; its weights are not.
    seed : int
        Of the order of the nodes on the ring.

    Returns
    -------
    Graph
        Where all degrees are one even number, exactly the ring lattice of that degree.

    Raises
    ------
    InputError
        When no lattice was found, with degrees that few graphs have.

    Notes
    -----
    The reference for clustering that Telesford et al. take: edges as near to the diagonal as the
    degrees allow. They, and the Brain Connectivity Toolbox (Sporns & Zwi 2004), approach it by
    switching pairs of edges whenever that brings them nearer. Here the pairs of nodes whose
    distance on the ring is smallest for their degrees (twice the distance, less both degrees) are
    joined first, while both lack neighbours; the few nodes that still lack some take in edges from
    nearby, as a switch does. Clustering is that of the toolbox after a hundred switches an
    edge, in seconds for millions of edges.

    References
    ----------
    Telesford, Joyce, Hayasaka, Burdette & Laurienti (2011), The ubiquity of small-world networks.
    Brain Connectivity 1, 367-375.
    Sporns & Zwi (2004), The small world of the cerebral cortex. Neuroinformatics 2, 145-162.

    Examples
    --------
    >>> two_triangles = Graph(6, np.array([0, 0, 1, 3, 3, 4]), np.array([1, 2, 2, 4, 5, 5]))
    >>> from cortiscope.statistics.graphs.paths import path_length
    >>> path_length(lattice_like(two_triangles)).mean  # a ring of six
    1.8
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(graph.n_nodes)
    edges, lacking = _join_nearest(graph.degrees[order])
    edges = _complete(edges, lacking, rng)
    n = graph.n_nodes
    return Graph.from_pairs(n, order[edges // n], order[edges % n])


def _join_nearest(
    degrees: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Join nodes of a ring, the nearest for their degrees first, and count what each still lacks.

    Scores are gone through in stretches, which widen as fewer nodes lack neighbours.
    """
    n = len(degrees)
    lacking = degrees.copy()
    edges = [np.empty(0, dtype=np.int64)]
    low, high, width = -2 * n, -int(degrees.mean()) if n else 0, 4
    while low < n and np.count_nonzero(lacking) > 1:
        one, other = _pairs_scoring(degrees, lacking > 0, low, high)
        for start in range(0, len(one), max(n, 1)):
            some = slice(start, start + max(n, 1))
            kept = _take_in_order(one[some], other[some], lacking)
            edges.append(_edge(one[some][kept], other[some][kept], n))
        low, high, width = high, high + width, 2 * width
    return np.sort(np.concatenate(edges)), lacking


def _pairs_scoring(
    degrees: NDArray[np.int64], is_open: NDArray[np.bool_], low: int, high: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of open nodes in the order of their score, those above ``low`` and up to ``high``.

    The score is twice the distance on the ring, less both degrees: if nodes were joined up to
    one score, each would have the neighbours that it should, on average over the ring's order.
    """
    n = len(degrees)
    nodes = np.flatnonzero(is_open)
    nearest = max(1, (low + 2 * int(degrees[nodes].min())) // 2)
    farthest = min(n // 2, (high + 2 * int(degrees[nodes].max())) // 2)
    ones, others, scores = [nodes[:0]], [nodes[:0]], [nodes[:0]]
    for distance in range(nearest, farthest + 1):
        one = nodes[nodes < distance] if 2 * distance == n else nodes
        other = (one + distance) % n
        score = 2 * distance - degrees[one] - degrees[other]
        kept = (score > low) & (score <= high) & is_open[other]
        ones.append(one[kept])
        others.append(other[kept])
        scores.append(score[kept])
    order = np.argsort(np.concatenate(scores), kind="stable")
    return np.concatenate(ones)[order], np.concatenate(others)[order]


def _take_in_order(
    one: NDArray[np.int64], other: NDArray[np.int64], lacking: NDArray[np.int64]
) -> NDArray[np.intp]:
    """Take each pair, one after another, whose nodes both still lack a neighbour.

    All at once: a pair is taken when its nodes lack enough for it and for all pairs before it;
    what that leaves open is looked at again. ``lacking`` is brought up to date.
    """
    taken = [np.empty(0, dtype=np.intp)]
    left = np.arange(len(one))
    while True:
        left = left[(lacking[one[left]] > 0) & (lacking[other[left]] > 0)]
        if not len(left):
            return np.sort(np.concatenate(taken))
        ends = np.stack([one[left], other[left]], axis=1).ravel()
        order = np.argsort(ends, kind="stable")
        starts = np.flatnonzero(np.diff(ends[order], prepend=-1))
        n_before = np.empty(len(ends), dtype=np.int64)
        n_before[order] = np.arange(len(ends)) - np.repeat(
            starts, np.diff(starts, append=len(ends))
        )
        sure = (n_before < lacking[ends]).reshape(-1, 2).all(axis=1)
        taken.append(left[sure])
        lacking -= np.bincount(ends.reshape(-1, 2)[sure].ravel(), minlength=len(lacking))
        left = left[~sure]


def _complete(
    edges: NDArray[np.int64], lacking: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Give nodes the neighbours that they lack.

    They are paired, u with v. Where the two cannot be joined, they take in an edge x - y from near
    u, which becomes u - x and v - y; or u - x alone, and v is paired with y.
    """
    n = len(lacking)
    ends = rng.permutation(np.repeat(np.arange(n), lacking))
    u, v = ends[::2], ends[1::2]
    for number in range(_MOST_ROUNDS):
        if not len(u):
            return edges
        joined = (u != v) & ~_among(_edge(u, v, n), edges) & _first(_edge(u, v, n))
        if joined.any():
            edges = np.sort(np.concatenate([edges, _edge(u, v, n)[joined]]))
            u, v = u[~joined], v[~joined]
            continue
        x, y = _edges_nearby(edges, u, n, number, rng)
        near, far = _edge(u, x, n), _edge(v, y, n)
        far_is_new = (v != y) & ~_among(far, edges)
        # Half a step is a way out where whole ones are few.
        may_halve = rng.random(len(u)) < number / 100
        taken = (u != x) & (x != y) & ~_among(near, edges) & (far_is_new | may_halve)
        taken &= _first(np.where(taken, _edge(x, y, n), -1 - np.arange(len(u))))
        wanted = np.concatenate([np.where(taken, near, -1), np.where(taken & far_is_new, far, -1)])
        once = _first(wanted).reshape(2, -1)
        taken &= once[0] & (once[1] | ~far_is_new)
        whole, half = taken & far_is_new, taken & ~far_is_new
        kept = edges[~_among(edges, np.sort(_edge(x, y, n)[taken]))]
        edges = np.sort(np.concatenate([kept, near[taken], far[whole]]))
        u, v = (
            np.concatenate([u[~taken], v[half]]),
            np.concatenate([v[~taken], y[half]]),
        )
        swapped = rng.random(len(u)) < 0.5
        u, v = np.where(swapped, v, u), np.where(swapped, u, v)
    raise InputError(
        f"no ring lattice was found with this graph's degrees: {2 * len(u)} ends of edges are "
        "left over. Few graphs have these degrees; leave the lattice out."
    )


def _edges_nearby(
    edges: NDArray[np.int64],
    nodes: NDArray[np.int64],
    n_nodes: int,
    number: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw for each node an edge just out of its reach, farther away in later rounds.

    Where the place that was drawn has no edge, both of its ends are the node's own number.
    """
    one, other = edges // n_nodes, edges % n_nodes
    ends = np.concatenate([one * n_nodes + other, other * n_nodes + one])
    ends.sort()
    starts = np.searchsorted(ends, np.arange(n_nodes + 1) * n_nodes)
    degrees = np.diff(starts)
    reach = degrees[nodes] / 2 + 1
    reach = reach * (1 + rng.exponential(0.2, len(nodes)) * (1 + number / 5))
    side = rng.choice([-1, 1], len(nodes))
    x = (nodes + np.rint(side * reach).astype(np.int64)) % n_nodes
    edge = starts[x] + (rng.random(len(nodes)) * degrees[x]).astype(np.int64)
    found = degrees[x] > 0
    y = ends[np.where(found, edge, 0)] % n_nodes if len(ends) else x
    return x, np.where(found, y, x)


def _edge(one: NDArray[np.int64], other: NDArray[np.int64], n_nodes: int) -> NDArray[np.int64]:
    """One number for an edge: its smaller node times the number of nodes, plus the larger one."""
    return np.minimum(one, other) * n_nodes + np.maximum(one, other)


def _among(values: NDArray[np.int64], ascending: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether values are among others, which are in order."""
    if not len(ascending):
        return np.zeros(len(values), dtype=np.bool_)
    place = np.searchsorted(ascending, values)
    return np.asarray(ascending[np.minimum(place, len(ascending) - 1)] == values)


def _first(values: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether no equal value comes before."""
    first = np.zeros(len(values), dtype=np.bool_)
    first[np.unique(values, return_index=True)[1]] = True
    return first

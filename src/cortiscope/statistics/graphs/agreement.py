"""How well partitions of the same nodes agree, beyond what their modules' sizes make them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cortiscope.statistics.graphs.partitions import check_partition

# Probabilities beyond so many standard deviations (and so many nodes) add less than rounding does.
_N_DEVIATIONS = 10
_N_NODES_MORE = 20
_MOST_VALUES = 2_000_000


def adjusted_mutual_information(partitions: NDArray[np.integer]) -> NDArray[np.float64]:
    """Compute the adjusted mutual information of all pairs of partitions.

    Parameters
    ----------
    partitions : ndarray of int, shape (n_partitions, n_nodes)
        The module of every node.

    Returns
    -------
    ndarray of float64, shape (n_partitions, n_partitions)
        1 for equal partitions, 0 on average for unrelated ones. Normalised by the mean of the two
        entropies, as scikit-learn's ``adjusted_mutual_info_score`` is; all pairs at once.

    References
    ----------
    Vinh, Epps & Bailey (2010), Information theoretic measures for clusterings comparison.
    Journal of Machine Learning Research 11, 2837-2854.

    Examples
    --------
    >>> partitions = np.array([[0, 0, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 2, 2]])
    >>> adjusted_mutual_information(partitions).round(3)
    array([[1.   , 1.   , 0.299],
           [1.   , 1.   , 0.299],
           [0.299, 0.299, 1.   ]])
    """
    n_nodes = partitions.shape[1]
    modules = [check_partition(n_nodes, partition) for partition in partitions]
    sizes = [np.bincount(module) for module in modules]
    shares = [size / n_nodes for size in sizes]
    entropy = np.array([-(share @ np.log(share)) for share in shares])
    information = _mutual_information(modules, sizes, n_nodes)
    expected = _expected_information(sizes, n_nodes)
    mean_entropy = (entropy[:, None] + entropy) / 2
    above, possible = information - expected, mean_entropy - expected
    tiny = np.finfo(np.float64).eps * max(1.0, np.log(n_nodes))
    # Where sizes leave nothing to agree on: all nodes in one module, or each in its own.
    agreement = np.where(possible > tiny * 100, above / np.where(possible > 0, possible, 1.0), 0.0)
    same = np.abs(information - mean_entropy) <= tiny * 100
    return np.where(same, 1.0, agreement)


def mean_agreement(partitions: NDArray[np.integer]) -> float:
    """Mean adjusted mutual information over all pairs of different partitions.

    Parameters
    ----------
    partitions : ndarray of int, shape (n_partitions, n_nodes)
        The module of every node.

    Returns
    -------
    float
        NaN for a single partition.

    Examples
    --------
    >>> mean_agreement(np.array([[0, 0, 1, 1], [1, 1, 0, 0]]))
    1.0
    """
    pairs = np.triu_indices(len(partitions), 1)
    if not len(pairs[0]):
        return float("nan")
    return float(adjusted_mutual_information(partitions)[pairs].mean())


def _mutual_information(
    modules: list[NDArray[np.intp]], sizes: list[NDArray[np.intp]], n_nodes: int
) -> NDArray[np.float64]:
    """Mutual information of all pairs, from one product of all memberships."""
    from scipy.sparse import csr_array

    n_partitions = len(modules)
    first = np.concatenate([[0], np.cumsum([len(size) for size in sizes])])
    columns = (np.stack(modules, axis=1) + first[:-1]).ravel()
    rows = np.arange(0, len(columns) + 1, n_partitions)
    members = csr_array((np.ones(len(columns)), columns, rows), shape=(n_nodes, first[-1]))
    counts = (members.T @ members).tocoo()
    all_sizes = np.concatenate(sizes)
    one, other = counts.coords
    terms = counts.data / n_nodes
    terms *= np.log(counts.data * (n_nodes / (all_sizes[one] * all_sizes[other])))
    of_module = np.repeat(np.arange(n_partitions), [len(size) for size in sizes])
    pair = of_module[one] * n_partitions + of_module[other]
    information = np.bincount(pair, terms, n_partitions**2)
    return np.asarray(information.reshape(n_partitions, n_partitions), dtype=np.float64)


def _expected_information(sizes: list[NDArray[np.intp]], n_nodes: int) -> NDArray[np.float64]:
    """Average the mutual information of all pairs over permutations of the nodes."""
    distinct = np.unique(np.concatenate(sizes))
    how_many = np.stack(
        [np.bincount(np.searchsorted(distinct, size), minlength=len(distinct)) for size in sizes]
    ).astype(np.float64)
    terms = np.zeros((len(distinct), len(distinct)))
    one, other = np.triu_indices(len(distinct))
    values = _expected_terms(distinct[one], distinct[other], n_nodes)
    terms[one, other] = values
    terms[other, one] = values
    return how_many @ terms @ how_many.T


def _expected_terms(
    one: NDArray[np.intp], other: NDArray[np.intp], n_nodes: int
) -> NDArray[np.float64]:
    """Average the term of two modules of these sizes, whose overlap is hypergeometric."""
    from scipy.special import gammaln

    log_factorial = gammaln(np.arange(n_nodes + 1) + 1.0)
    mean = one * (other / n_nodes)
    deviation = np.sqrt(mean * (1 - one / n_nodes) * (n_nodes - other) / max(1, n_nodes - 1))
    reach = _N_DEVIATIONS * deviation + _N_NODES_MORE
    low = np.maximum.reduce([np.floor(mean - reach).astype(np.intp), one + other - n_nodes])
    low = np.maximum(low, 1)
    high = np.minimum.reduce([np.ceil(mean + reach).astype(np.intp), one, other])
    lengths = np.maximum(high - low + 1, 0)
    constant = (
        log_factorial[one]
        + log_factorial[other]
        + log_factorial[n_nodes - one]
        + log_factorial[n_nodes - other]
        - log_factorial[n_nodes]
    )
    values = np.zeros(len(one))
    ends = np.cumsum(lengths)
    start = 0
    while start < len(one):
        done = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + _MOST_VALUES)))
        some = slice(start, stop)
        pair = np.repeat(np.arange(stop - start), lengths[some])
        offset = np.arange(len(pair)) - np.repeat(ends[some] - lengths[some] - done, lengths[some])
        a, b, overlap = one[some][pair], other[some][pair], low[some][pair] + offset
        log_probability = constant[some][pair] - (
            log_factorial[overlap]
            + log_factorial[a - overlap]
            + log_factorial[b - overlap]
            + log_factorial[n_nodes - a - b + overlap]
        )
        term = overlap / n_nodes * (np.log(overlap * n_nodes / (a * b)))
        values[some] = np.bincount(pair, term * np.exp(log_probability), stop - start)
        start = stop
    return values

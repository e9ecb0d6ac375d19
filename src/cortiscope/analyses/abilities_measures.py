"""Harm to two abilities: what is lost of the log-odds of right answers, group by group."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses.causal import label_of_stimuli
from cortiscope.errors import InputError
from cortiscope.stimulation import Response

_LOG_ODDS = "own_answers_log_odds"


def log_odds_by_word(
    response: Response, target: str, groups: str
) -> tuple[NDArray[np.float64], NDArray[np.intp], tuple[str, ...]]:
    """Average the log-odds of right answers over the stimuli of each group.

    Parameters
    ----------
    response : Response
        With the readout `OwnAnswers` of a right and a wrong answer.
    target, groups : str
        Labels of abilities and groups.

    Returns
    -------
    log_odds : ndarray of float64, shape (n_conditions, n_words)
        In nats. In pairs of which each one's answer is the other's wrong one, it does not count
        how likely an answer is whatever is asked.
    ability : ndarray of int, shape (n_words,)
        The ability of each group.
    abilities : tuple of str
        Their names, sorted.

    Raises
    ------
    InputError
        When it was not read, is not finite, or the labels are missing.
    """
    if _LOG_ODDS not in response.data:
        msg = f"the response has no {_LOG_ODDS}: stimulate with what abilities_experiment plans."
        raise InputError(msg)
    values = response.data[_LOG_ODDS].transpose("condition", "stimulus").values.astype(float)
    if not np.isfinite(values).all():
        msg = f"{_LOG_ODDS} is not finite everywhere: load the subject in float32."
        raise InputError(msg)
    of_stimulus, words = (label_of_stimuli(response, name) for name in (target, groups))
    names, word = np.unique(words, return_inverse=True)
    abilities, label = np.unique(of_stimulus, return_inverse=True)
    if len(abilities) != 2:
        msg = f"the response has {len(abilities)} values of {target}, and two are needed."
        raise InputError(msg)
    counts = np.zeros((len(names), len(words)))
    counts[word, np.arange(len(words))] = 1.0
    counts /= counts.sum(axis=1, keepdims=True)
    ability = np.zeros(len(names), dtype=np.intp)
    ability[word] = label
    return values @ counts.T, ability, tuple(map(str, abilities))


def harm_by_word(
    response: Response, target: str, groups: str
) -> tuple[NDArray[np.float64], NDArray[np.intp], tuple[str, ...]]:
    """Give what each condition takes from the log-odds of each group, (n_conditions, n_words).

    The first condition is the clean one. Groups' abilities and the names of these come with it.
    """
    log_odds, ability, names = log_odds_by_word(response, target, groups)
    return log_odds[:1] - log_odds, ability, names


def by_ability(
    values: NDArray[np.float64], ability: NDArray[np.intp], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Average values of groups over the groups of each ability.

    Parameters
    ----------
    values : ndarray of float64, shape (n_conditions, n_words)
        What is averaged.
    ability : ndarray of int, shape (n_words,)
        0 or 1.
    weights : ndarray of float64, shape (n_weightings, n_words)
        How often each group counts.

    Returns
    -------
    ndarray of float64, shape (n_conditions, 2, n_weightings)

    Examples
    --------
    >>> by_ability(np.array([[1.0, 2.0, 3.0]]), np.array([0, 0, 1]), np.ones((1, 3))).tolist()
    [[[1.5], [3.0]]]
    """
    own = [ability == at for at in range(2)]
    means = [values[:, at] @ weights[:, at].T / weights[:, at].sum(axis=1) for at in own]
    return np.stack(means, axis=1)


def selectivity(harm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Say how much more each part harms the first ability, in standard deviations over parts.

    Parameters
    ----------
    harm : ndarray of float64, shape (n_parts, 2, ...)
        To each ability. What one ability has to lose, or how sharp its answers are, is not what
        the other has: each is divided by its own standard deviation.

    Returns
    -------
    ndarray of float64, shape (n_parts, ...)

    Examples
    --------
    >>> selectivity(np.array([[1.0, 0.0], [0.0, 20.0], [0.0, 0.0]])).round(2).tolist()
    [2.12, -2.12, 0.0]
    """
    spread = harm.std(axis=0, keepdims=True)
    scaled = harm / np.where(spread > 0, spread, 1.0)
    return np.asarray(scaled[:, 0] - scaled[:, 1])


def dissociation(harm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give how much more each ability is harmed by its own sites than by the other's: the less.

    Parameters
    ----------
    harm : ndarray of float64, shape (2, 2, ...)
        By whose sites are lesioned, and by ability.

    Returns
    -------
    ndarray of float64, shape (...)

    Examples
    --------
    >>> float(dissociation(np.array([[3.0, 0.5], [1.0, 2.0]])))
    1.5
    """
    return np.asarray(np.minimum(harm[0, 0] - harm[1, 0], harm[1, 1] - harm[0, 1]))

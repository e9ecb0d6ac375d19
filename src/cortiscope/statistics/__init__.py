"""Folds, permutations, intervals and corrections: exact, and grouped by word."""

from cortiscope.statistics.folds import Folds
from cortiscope.statistics.intervals import bootstrap_words, percentile_interval
from cortiscope.statistics.jackknife import jackknife_draws, jackknife_words
from cortiscope.statistics.parallel import map_in_threads
from cortiscope.statistics.permutation import Null, permute_within_folds
from cortiscope.statistics.proportions import binomial_interval
from cortiscope.statistics.reading import LayerReader, Reading
from cortiscope.statistics.ridge import FoldOperator, fold_operators
from cortiscope.statistics.scores import (
    accuracy_of_words,
    auc_of_words,
    auc_pairs,
    balanced_accuracy,
)

__all__ = [
    "FoldOperator",
    "Folds",
    "LayerReader",
    "Null",
    "Reading",
    "accuracy_of_words",
    "auc_of_words",
    "auc_pairs",
    "balanced_accuracy",
    "binomial_interval",
    "bootstrap_words",
    "fold_operators",
    "jackknife_draws",
    "jackknife_words",
    "map_in_threads",
    "percentile_interval",
    "permute_within_folds",
]

"""Folds, permutations, intervals and corrections: exact, and grouped by word."""

from cortiscope.statistics.folds import Folds
from cortiscope.statistics.intervals import bootstrap_words
from cortiscope.statistics.parallel import map_in_threads
from cortiscope.statistics.permutation import Null, permute_within_folds
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
    "Null",
    "accuracy_of_words",
    "auc_of_words",
    "auc_pairs",
    "balanced_accuracy",
    "bootstrap_words",
    "fold_operators",
    "map_in_threads",
    "permute_within_folds",
]

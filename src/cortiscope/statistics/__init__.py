"""Folds, permutations, intervals and corrections: exact, and grouped by word."""

from cortiscope.statistics.clusters import Clusters, largest_clusters
from cortiscope.statistics.context_correlations import (
    are_of_words,
    context_similarity,
    permuted_contexts,
)
from cortiscope.statistics.contrast import ContrastWords, HeldOut, Welch, standardised, welch
from cortiscope.statistics.control_task import ControlTask, control_task
from cortiscope.statistics.correlations import (
    correlation_draws,
    pearson_correlations,
    permute_few,
    smallest_detectable_correlation,
)
from cortiscope.statistics.dimensionality import covariance_participation, pca_dimensions, two_nn
from cortiscope.statistics.directions import ridge_directions
from cortiscope.statistics.dissimilarity import (
    correlation_distances,
    crossnobis_distances,
    euclidean_distances,
    noise_kernel,
)
from cortiscope.statistics.erasure import (
    FoldSpace,
    LinearEraser,
    fold_spaces,
    leace_eraser,
    mean_difference_eraser,
)
from cortiscope.statistics.folds import Folds
from cortiscope.statistics.intervals import bootstrap_words, percentile_interval
from cortiscope.statistics.jackknife import jackknife_draws, jackknife_words
from cortiscope.statistics.layout import RotatedUnits, linear_share, unit_layout, z_scored
from cortiscope.statistics.logistic import LogisticReader, logistic_scores
from cortiscope.statistics.matched_units import any_units, matched_units, size_bins
from cortiscope.statistics.mlp import MlpProblem, MlpSetting, mlp_scores
from cortiscope.statistics.moran import (
    expected_morans_i,
    line_neighbours,
    morans_i,
    nearest_neighbours,
    smoothed,
)
from cortiscope.statistics.nullspace import (
    NullspaceProjection,
    nullspace_ranks,
    nullspace_scores,
)
from cortiscope.statistics.paired_auc import PairedAuc
from cortiscope.statistics.parallel import map_in_threads
from cortiscope.statistics.permutation import Null, permute_within_folds
from cortiscope.statistics.probe_spread import probe_spread
from cortiscope.statistics.proportions import binomial_interval
from cortiscope.statistics.rdm_comparison import (
    RankCorrelations,
    RankedRdms,
    n_conditions_of,
    noise_ceiling,
    pairs_among,
    permuted_rank_correlations,
    rank_correlations,
    subset_rank_correlations,
)
from cortiscope.statistics.reading import LayerReader, Reading
from cortiscope.statistics.ridge import FoldOperator, fold_operators
from cortiscope.statistics.scores import (
    accuracy_of_words,
    auc_of_words,
    auc_pairs,
    balanced_accuracy,
    confusion_matrix,
)
from cortiscope.statistics.selectivity import (
    Replication,
    compare_halves,
    d_prime,
    d_prime_of_members,
    half_d_prime,
    hypergeometric_overlap,
    replicate,
    spearman_brown,
)
from cortiscope.statistics.similarity import (
    biased_structure,
    cosine_matrix,
    debiased_structure,
    gram_matrix,
    linear_cka,
    neighbour_structure,
)
from cortiscope.statistics.split_halves import overlap_of_n90, split_half_overlap
from cortiscope.statistics.spread import (
    DirectionSpread,
    direction_spread,
    unbiased_powers,
    units_holding,
)
from cortiscope.statistics.structures import (
    Structure,
    permute_items,
    permuted_similarities,
    similarities,
    structures_of,
    subset_similarities,
)
from cortiscope.statistics.topography import (
    fall_with_distance,
    length_of_decay,
    near_similarity,
    pair_distances,
    shuffled_around_plane,
    similarity_curve,
    tuning_similarity,
    unit_pairs,
)
from cortiscope.statistics.transfer import TransferReader
from cortiscope.statistics.tuning import NestedFolds
from cortiscope.statistics.unit_rotations import UnitRotations, random_frame
from cortiscope.statistics.word_pairs import aucs_of_words
from cortiscope.statistics.word_sums import SplitHalves, WordSums
from cortiscope.statistics.words import means_of, without_means

__all__ = [
    "Clusters",
    "ContrastWords",
    "ControlTask",
    "DirectionSpread",
    "FoldOperator",
    "FoldSpace",
    "Folds",
    "HeldOut",
    "LayerReader",
    "LinearEraser",
    "LogisticReader",
    "MlpProblem",
    "MlpSetting",
    "NestedFolds",
    "Null",
    "NullspaceProjection",
    "PairedAuc",
    "RankCorrelations",
    "RankedRdms",
    "Reading",
    "Replication",
    "RotatedUnits",
    "SplitHalves",
    "Structure",
    "TransferReader",
    "UnitRotations",
    "Welch",
    "WordSums",
    "accuracy_of_words",
    "any_units",
    "are_of_words",
    "auc_of_words",
    "auc_pairs",
    "aucs_of_words",
    "balanced_accuracy",
    "biased_structure",
    "binomial_interval",
    "bootstrap_words",
    "compare_halves",
    "confusion_matrix",
    "context_similarity",
    "control_task",
    "correlation_distances",
    "correlation_draws",
    "cosine_matrix",
    "covariance_participation",
    "crossnobis_distances",
    "d_prime",
    "d_prime_of_members",
    "debiased_structure",
    "direction_spread",
    "euclidean_distances",
    "expected_morans_i",
    "fall_with_distance",
    "fold_operators",
    "fold_spaces",
    "gram_matrix",
    "half_d_prime",
    "hypergeometric_overlap",
    "jackknife_draws",
    "jackknife_words",
    "largest_clusters",
    "leace_eraser",
    "length_of_decay",
    "line_neighbours",
    "linear_cka",
    "linear_share",
    "logistic_scores",
    "map_in_threads",
    "matched_units",
    "mean_difference_eraser",
    "means_of",
    "mlp_scores",
    "morans_i",
    "n_conditions_of",
    "near_similarity",
    "nearest_neighbours",
    "neighbour_structure",
    "noise_ceiling",
    "noise_kernel",
    "nullspace_ranks",
    "nullspace_scores",
    "overlap_of_n90",
    "pair_distances",
    "pairs_among",
    "pca_dimensions",
    "pearson_correlations",
    "percentile_interval",
    "permute_few",
    "permute_items",
    "permute_within_folds",
    "permuted_contexts",
    "permuted_rank_correlations",
    "permuted_similarities",
    "probe_spread",
    "random_frame",
    "rank_correlations",
    "replicate",
    "ridge_directions",
    "shuffled_around_plane",
    "similarities",
    "similarity_curve",
    "size_bins",
    "smallest_detectable_correlation",
    "smoothed",
    "spearman_brown",
    "split_half_overlap",
    "standardised",
    "structures_of",
    "subset_rank_correlations",
    "subset_similarities",
    "tuning_similarity",
    "two_nn",
    "unbiased_powers",
    "unit_layout",
    "unit_pairs",
    "units_holding",
    "welch",
    "without_means",
    "z_scored",
]

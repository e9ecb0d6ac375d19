"""Graphs of units: built from correlations, measured, and compared with random ones."""

from cortiscope.statistics.graphs.agreement import adjusted_mutual_information, mean_agreement
from cortiscope.statistics.graphs.clustering import clustering, transitivity
from cortiscope.statistics.graphs.communities import (
    RESOLUTIONS,
    BestPartition,
    Communities,
    best_partition,
    communities,
    resolution_sweep,
)
from cortiscope.statistics.graphs.consensus import consensus_partition
from cortiscope.statistics.graphs.correlation import correlation_graph, correlation_graphs
from cortiscope.statistics.graphs.cost import GraphCost, correlation_graph_cost
from cortiscope.statistics.graphs.graph import Graph
from cortiscope.statistics.graphs.lattice import lattice_like
from cortiscope.statistics.graphs.many_graphs import best_partitions
from cortiscope.statistics.graphs.modularity import modularity, modularity_signed
from cortiscope.statistics.graphs.participation import (
    ROLES,
    Hubs,
    hubs,
    participation,
    within_module_z,
)
from cortiscope.statistics.graphs.paths import PathLength, path_length
from cortiscope.statistics.graphs.rewiring import rewired, rewirings
from cortiscope.statistics.graphs.rich_club import RichClub, normalised_rich_club, rich_club
from cortiscope.statistics.graphs.signed import best_partition_signed
from cortiscope.statistics.graphs.small_world import SmallWorld, small_world

__all__ = [
    "RESOLUTIONS",
    "ROLES",
    "BestPartition",
    "Communities",
    "Graph",
    "GraphCost",
    "Hubs",
    "PathLength",
    "RichClub",
    "SmallWorld",
    "adjusted_mutual_information",
    "best_partition",
    "best_partition_signed",
    "best_partitions",
    "clustering",
    "communities",
    "consensus_partition",
    "correlation_graph",
    "correlation_graph_cost",
    "correlation_graphs",
    "hubs",
    "lattice_like",
    "mean_agreement",
    "modularity",
    "modularity_signed",
    "normalised_rich_club",
    "participation",
    "path_length",
    "resolution_sweep",
    "rewired",
    "rewirings",
    "rich_club",
    "small_world",
    "transitivity",
    "within_module_z",
]

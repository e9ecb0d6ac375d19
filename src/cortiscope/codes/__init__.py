"""What is read out of recordings and lives on without them: dissimilarities and directions."""

from cortiscope.codes.direction import Direction
from cortiscope.codes.rdm import MEASURES, RDM

__all__ = ["MEASURES", "RDM", "Direction"]

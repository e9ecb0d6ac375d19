"""What is read out of recordings and lives on without them: representational dissimilarities."""

from cortiscope.codes.rdm import MEASURES, RDM

__all__ = ["MEASURES", "RDM"]

"""Who lies in the scanner: loading, anatomy by family, its proof, untrained twins, specimens."""

from cortiscope.subjects.anatomy import SITES, Anatomy
from cortiscope.subjects.families import Family
from cortiscope.subjects.proof import Proof
from cortiscope.subjects.subject import Subject
from cortiscope.subjects.tokens import Tokens

__all__ = ["SITES", "Anatomy", "Family", "Proof", "Subject", "Tokens"]

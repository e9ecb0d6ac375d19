"""What one analysis found in several subjects, in order: what a trend is read from."""

from __future__ import annotations

from dataclasses import dataclass

from cortiscope.analyses.result import Result
from cortiscope.errors import InputError
from cortiscope.ledger import fingerprint

FEWEST_SUBJECTS = 3
"""A trend over fewer subjects cannot be told from chance."""


@dataclass(frozen=True, eq=False)
class ResultSeries:
    """Results of several subjects, in the order in which the subjects are named.

    Attributes
    ----------
    results : tuple of Result
        Of one analysis with one set of parameters, one for each subject.
    against : tuple of Result
        Of the analysis that these are held against, of the same subjects; empty where it is the
        order of the subjects.

    Raises
    ------
    InputError
        For results of several analyses, or of other subjects than they are held against.
    """

    results: tuple[Result, ...]
    against: tuple[Result, ...] = ()

    def __post_init__(self) -> None:
        """Check that the results belong together."""
        for results in (self.results, self.against):
            analyses = sorted({result.analysis for result in results})
            if len(analyses) > 1:
                raise InputError(
                    f"a series has results of {' and '.join(analyses)}: give those of one analysis."
                )
        others = [result.subject for result in self.against]
        if self.against and others != list(self.subjects):
            raise InputError(
                f"a series of {', '.join(self.subjects)} is held against results of "
                f"{', '.join(others)}: give those of the same subjects, in the same order."
            )

    @property
    def subjects(self) -> tuple[str, ...]:
        """Names of the subjects."""
        return tuple(result.subject for result in self.results)

    @property
    def name(self) -> str:
        """The subjects, as one text."""
        *others, last = self.subjects
        return f"{', '.join(others)} and {last}" if others else last

    @property
    def fingerprint(self) -> str:
        """Hash of the ids of the results, which name all work that is in them."""
        return fingerprint(
            [[result.id for result in each] for each in (self.results, self.against)]
        )

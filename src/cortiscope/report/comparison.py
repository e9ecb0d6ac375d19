"""Decodings put beside each other: of a subject, of its twins, and at the embedding."""

from __future__ import annotations

from dataclasses import dataclass

from cortiscope.analyses import Result
from cortiscope.report.contents import Contents, Examined, Scanned

EMBEDDING = "resid_pre"


@dataclass(frozen=True, eq=False)
class Comparison:
    """One decoding of a subject beside that of its twins.

    Attributes
    ----------
    examined : Examined
        Who.
    step : str
        Which step of the protocol.
    """

    examined: Examined
    step: str

    @property
    def name(self) -> str:
        """The subject's name."""
        return self.examined.subject.name

    @property
    def result(self) -> Result:
        """The subject's decoding."""
        return self.examined.subject.results[self.step]

    @property
    def site(self) -> str:
        """Which site was decoded."""
        return str(self.result.parameters["site"])

    @property
    def embedding(self) -> Result | None:
        """The subject's decoding at the embedding, where there is one."""
        return self._at_embedding(self.examined.subject)

    @property
    def twin_embeddings(self) -> tuple[Result | None, ...]:
        """The twins' decodings at the embedding."""
        return tuple(self._at_embedding(twin) for twin in self.examined.twins)

    @property
    def twins(self) -> tuple[Result, ...]:
        """The twins' decodings."""
        return tuple(twin.results[self.step] for twin in self.examined.twins)

    @property
    def twin_labels(self) -> tuple[str, ...]:
        """What the twins are called beside their subject."""
        return self.examined.twin_labels

    def _at_embedding(self, scanned: Scanned) -> Result | None:
        if self.site == EMBEDDING:
            return None
        return next(filter(_is_embedding, scanned.results.values()), None)


def comparisons(contents: Contents) -> tuple[Comparison, ...]:
    """Take every subject at every site that was decoded for its own sake.

    Parameters
    ----------
    contents : Contents
        What the run holds.

    Returns
    -------
    tuple of Comparison
        Empty where nothing was decoded.
    """
    return tuple(
        Comparison(examined, step)
        for examined in contents.examined
        for step in _steps_of_interest(examined.subject)
    )


def is_tested_decoding(result: Result) -> bool:
    """Whether it is a decoding with p-values; one without is shown as any other measurement."""
    return result.analysis == "decode" and "accuracy" in result.p_values


def decoded(scanned: Scanned) -> dict[str, Result]:
    """Give the decodings of a subject or a twin by step."""
    return {step: r for step, r in scanned.results.items() if is_tested_decoding(r)}


def _steps_of_interest(subject: Scanned) -> list[str]:
    """Leave out the embedding, which stands beside every other site as a point of its own."""
    decodings = decoded(subject)
    others = [step for step, result in decodings.items() if not _is_embedding(result)]
    return others or list(decodings)


def _is_embedding(result: Result) -> bool:
    if not is_tested_decoding(result) or result.parameters["site"] != EMBEDDING:
        return False
    layers: list[int] = result.estimates["layer"].values.tolist()
    return layers == [0]

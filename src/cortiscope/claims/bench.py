"""The bench: what a control may use to challenge a claim about one subject."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cortiscope.analyses import Instrument, Readable, Result
from cortiscope.claims.claim import Claim
from cortiscope.claims.effect import Effect
from cortiscope.scanning import Recording

RunAgain = Callable[[Instrument, tuple[Readable, ...], Mapping[str, Any]], Result]


def _run(
    instrument: Instrument, recordings: tuple[Readable, ...], parameters: Mapping[str, Any]
) -> Result:
    return instrument.run(*recordings, **parameters)


@dataclass(frozen=True, eq=False)
class Bench:
    """One claim, one subject, and the means to look again.

    Attributes
    ----------
    claim : Claim
        What is challenged.
    instrument : Instrument
        What measured it.
    parameters : mapping
        With which parameters.
    recordings : tuple of Recording or RDM
        The subject's, or those of two subjects that are compared. Where a response is read, the
        clean recording that its experiment was planned on.
    result : Result
        What was measured.
    twins : tuple of Result
        The same of its untrained twins.
    alpha : float
        Level of the study.
    run : callable
        Runs the instrument, or finds what it gave before. Where a response is read, it plans the
        experiment on the recording that it is given, and stimulates the subject with it.
    """

    claim: Claim
    instrument: Instrument
    parameters: Mapping[str, Any]
    recordings: tuple[Readable, ...]
    result: Result
    twins: tuple[Result, ...] = ()
    alpha: float = 0.05
    run: RunAgain = _run

    @property
    def recording(self) -> Recording:
        """The recording, or the first of two."""
        first = self.recordings[0]
        assert isinstance(first, Recording)
        return first

    @property
    def site(self) -> str:
        """The site that is read."""
        return str(self.parameters.get("site", "resid_post"))

    @property
    def sites(self) -> tuple[str, ...]:
        """The site that is read of each recording: the second's may be another."""
        other = self.parameters.get("other_site")
        return (self.site, str(other or self.site))[: len(self.recordings)]

    @property
    def target(self) -> str | None:
        """The label that holds the categories; None where there are none."""
        target = self.parameters.get("target", "category")
        return None if target is None else str(target)

    @property
    def groups(self) -> str:
        """The label that holds the words."""
        return str(self.parameters.get("groups", "word"))

    @property
    def seed(self) -> int:
        """The seed of the study."""
        return int(self.parameters.get("seed", 0))

    @property
    def effect(self) -> Effect:
        """The claim's statistic, as measured."""
        return self.effect_in(self.result)

    def effect_in(self, result: Result) -> Effect:
        """Read the claim's statistic in another result of the same instrument."""
        return Effect.of(result, self.claim.variable, self.claim.where)

    def again(
        self, change: Callable[[Recording, str], Recording] | None = None, **changed: Any
    ) -> Result:
        """Measure again, on recordings that were changed or with changed parameters.

        An experiment is done again with no more than the claim's variable needs, except where the
        claim is about one place of it.

        Parameters
        ----------
        change : callable, optional
            Takes a recording and the site that is read of it, gives the one that takes its place.
        **changed
            Parameters of the instrument that take other values.

        Returns
        -------
        Result
            From `run`.
        """
        recordings = tuple(
            change(source, site) if change and isinstance(source, Recording) else source
            for source, site in zip(self.recordings, self.sites, strict=True)
        )
        variable = self.claim.variable
        spared = self.instrument.only(variable)
        if not self.claim.where:
            spared |= self.instrument.lightened(variable, self.parameters)
        return self.run(self.instrument, recordings, {**self.parameters, **spared, **changed})

"""What an anatomy showed about itself: the record of `cortiscope.subjects.proving`."""

from __future__ import annotations

import dataclasses
import math
from typing import Any


@dataclasses.dataclass(frozen=True)
class Check:
    """One equation that was tried on all layers.

    Parameters
    ----------
    equation : str
        What was compared, in words.
    error : float
        Largest absolute difference over layers, tokens and units, as a share of the site's RMS in
        that layer; differences of one rounding of the values themselves do not count. Infinite
        for different shapes, and not a number where a value is not finite.
    layer : int or None
        Where the error is largest.
    """

    equation: str
    error: float
    layer: int | None = None


@dataclasses.dataclass(frozen=True)
class SiteProof:
    """What was found about one site.

    Parameters
    ----------
    site : str
        One of `SITES`.
    where : str
        The module and its end.
    checks : tuple of Check
        The equations that were tried.
    reason : str or None
        Why the site is refused; None when it is proved.
    """

    site: str
    where: str
    checks: tuple[Check, ...]
    reason: str | None

    @property
    def proved(self) -> bool:
        """Whether the site may be recorded."""
        return self.reason is None

    @property
    def error(self) -> float | None:
        """The largest error of its equations; None when none could be tried."""
        return max((check.error for check in self.checks), default=None)


@dataclasses.dataclass(frozen=True)
class Proof:
    """What an anatomy showed about itself on one loaded model.

    Parameters
    ----------
    subject : str
        The subject's name.
    family, kind : str
        The entry, and how its blocks change the stream.
    dtype : str
        The model's dtype, which sets the tolerance.
    tolerance : float
        Largest error allowed, as a share of a site's RMS.
    n_texts, n_tokens : int
        What was shown; tokens without padding.
    sites : tuple of SiteProof
        In the order of `SITES`.
    """

    subject: str
    family: str
    kind: str
    dtype: str
    tolerance: float
    n_texts: int
    n_tokens: int
    sites: tuple[SiteProof, ...]

    @property
    def proved(self) -> tuple[str, ...]:
        """The sites that may be recorded."""
        return tuple(site.site for site in self.sites if site.proved)

    @property
    def refused(self) -> dict[str, str]:
        """The sites that may not, with the reason."""
        return {site.site: site.reason for site in self.sites if site.reason is not None}

    def rows(self) -> list[dict[str, Any]]:
        """List the sites as the rows of a table.

        Returns
        -------
        list of dict
            With ``site``, ``where``, ``verdict``, ``error``, ``tolerance`` and ``checked``, which
            says what was compared, or why the site is refused.
        """
        return [
            {
                "site": site.site,
                "where": site.where,
                "verdict": "proved" if site.proved else "refused",
                "error": site.error,
                "tolerance": self.tolerance,
                "checked": site.reason or "; ".join(check.equation for check in site.checks),
            }
            for site in self.sites
        ]

    def to_frame(self) -> Any:
        """Give the rows as a pandas.DataFrame, indexed by site."""
        import pandas as pd

        return pd.DataFrame(self.rows()).set_index("site")

    def table(self) -> Any:
        """Give the rows as a rich.table.Table, as ``cortiscope check`` prints them."""
        from rich.table import Table

        table = Table(
            title=f"{self.subject}: {self.family}, blocks {self.kind}, {self.dtype}",
            caption=f"shown {self.n_texts} texts, {self.n_tokens} tokens; "
            f"errors as a share of the site's RMS, at most {self.tolerance:g}",
        )
        for name in ("site", "where", "verdict", "error", "checked"):
            table.add_column(name)
        for row in self.rows():
            error = "" if row["error"] is None else f"{row['error']:.1e}"
            style = "green" if row["verdict"] == "proved" else "red"
            verdict = f"[{style}]{row['verdict']}[/]"
            table.add_row(row["site"], row["where"], verdict, error, row["checked"])
        return table

    def to_dict(self) -> dict[str, Any]:
        """Give everything as JSON-able values, for the subject's record."""
        return {
            **dataclasses.asdict(self),
            "sites": [
                {
                    **dataclasses.asdict(site),
                    "proved": site.proved,
                    "checks": [
                        {
                            **dataclasses.asdict(check),
                            "error": check.error if math.isfinite(check.error) else None,
                        }
                        for check in site.checks
                    ],
                }
                for site in self.sites
            ],
        }

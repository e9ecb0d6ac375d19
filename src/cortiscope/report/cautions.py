"""What a reader should know before reading on: the warnings on top of a report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from cortiscope.analyses import Result
from cortiscope.report.comparison import comparisons
from cortiscope.report.contents import Contents, Scanned
from cortiscope.report.decoding import decodable_twins
from cortiscope.report.measurements import measuring_steps
from cortiscope.report.numbers import Number, count, counted, equals, listed
from cortiscope.report.readings import ALPHA
from cortiscope.report.stimuli_tables import FEATURES, mismatch_numbers

_HALF = ("float16", "bfloat16")


@dataclass(frozen=True)
class Caution:
    """One thing to know.

    Attributes
    ----------
    title : str
        A few words.
    text : Markup or str
        A sentence or two.
    is_warning : bool
        True where it may change what the numbers mean, False where it only says their scope.
    """

    title: str
    text: Markup | str
    is_warning: bool = True


def cautions(contents: Contents) -> list[Caution]:
    """Collect the warnings, the gravest first.

    Parameters
    ----------
    contents : Contents
        What the run holds.

    Returns
    -------
    list of Caution
        Never empty: what the gate was asked is said always.
    """
    return [
        *_code(contents),
        *_protocol(contents),
        *_subjects(contents),
        *_permutations(contents),
        *_stimuli(contents),
        *_special_tokens(contents),
        *_precision(contents),
        *_versions(contents),
        *_twins(contents),
        *_scope(contents),
    ]


def _code(contents: Contents) -> Iterator[Caution]:
    if any(entry.code_version.get("dirty") for entry in contents.entries):
        yield Caution(
            "Uncommitted code",
            "Cortiscope's source had changes that were not committed when this was made: "
            "the commit alone does not give the code back.",
        )
    sources = {entry.code_version.get("source") for entry in contents.entries}
    if len(sources) > 1:
        yield Caution(
            "Several versions of the code",
            f"The artifacts of this run were made by {len(sources)} different states of "
            "Cortiscope's source; each line of the ledger says which.",
        )


def _subjects(contents: Contents) -> Iterator[Caution]:
    for examined in contents.examined:
        subject = examined.subject
        for warning in subject.record["warnings"]:
            yield Caution(subject.name, warning)
        known = _refused(subject)
        for twin in examined.twins:
            for site, reason in _refused(twin).items():
                if site not in known:  # what holds of the subject is not said again of its twins
                    yield Caution(twin.name, f"The site {site} is refused because {reason}.")


def _refused(scanned: Scanned) -> dict[str, str]:
    sites = scanned.record["proof"]["sites"]
    return {site["site"]: site["reason"] for site in sites if site["reason"] is not None}


def _permutations(contents: Contents) -> Iterator[Caution]:
    tested = {
        step: result
        for examined in contents.examined
        for step, result in examined.subject.results.items()
        if "n_permutations" in result.n and len(result.p_values)
    }
    few = {
        step: str(result.n["n_permutations"])
        for step, result in tested.items()
        if _least_p_value(result) >= ALPHA
    }
    if few:
        where = "this run" if few.keys() == tested.keys() else listed([*few])
        yield Caution(
            "Too few permutations",
            f"{listed([*dict.fromkeys(few.values())])} permutations cannot give a p-value below "
            f"{ALPHA:g}: nothing in {where} could have been significant.",
        )


def _least_p_value(result: Result) -> float:
    """Give 1/m of all m permutations, the identity among them, and 1/(m + 1) of random ones."""
    n_random = 0 if result.null.attrs.get("exhaustive") else 1
    return 1 / (result.n["n_permutations"] + n_random)


def _stimuli(contents: Contents) -> Iterator[Caution]:
    for feature, (eta, expected, p) in mismatch_numbers(contents).items():
        if p.value < ALPHA:
            yield Caution(
                f"Categories differ in {FEATURES.get(feature, feature)}",
                _mismatch(eta, expected, p),
            )


def _mismatch(eta: Number, expected: Number, p: Number) -> Markup:
    return Markup(
        "Category explains {} of its variance over words, where {} is expected of categories drawn "
        "at random ({}): what is found of the category may in part be due to it."
    ).format(eta, expected, equals(p))


def _special_tokens(contents: Contents) -> Iterator[Caution]:
    for examined in contents.examined:
        if not examined.subject.record["special_tokens"]["adds_bos"]:
            yield Caution(
                "No BOS",
                f"Texts are shown to {examined.subject.name} without a beginning-of-sequence "
                "token, because its tokenizer adds none.",
                is_warning=False,
            )


def _precision(contents: Contents) -> Iterator[Caution]:
    if contents.recorded["dtype"] in _HALF:
        yield Caution(
            "Half precision on disk",
            f"Activations were stored as {contents.recorded['dtype']}, which keeps about three "
            "decimal digits.",
        )
    for examined in contents.examined:
        dtype = examined.subject.record["dtype"]
        if dtype in _HALF:
            yield Caution(
                "Half precision in the model",
                f"{examined.subject.name} ran in {dtype}; its activations carry that rounding.",
                is_warning=False,
            )


def _versions(contents: Contents) -> Iterator[Caution]:
    seen: dict[str, set[str]] = {}
    for scanned in contents.everyone:
        for package, version in scanned.record["versions"].items():
            seen.setdefault(package, set()).add(version)
    differing = sorted(package for package, versions in seen.items() if len(versions) > 1)
    if differing:
        yield Caution(
            "Several versions of packages",
            f"The subjects were scanned with different versions of {listed(differing)}.",
        )


def _twins(contents: Contents) -> Iterator[Caution]:
    without = [e.subject.name for e in contents.examined if not e.twins]
    if without:
        yield Caution(
            "No untrained twin",
            f"{listed(without)}: without one, nothing says what training adds.",
        )
    if decodable := decodable_twins(contents):
        yield Caution("Decodable without training", decodable)
    few = [len(e.twins) for e in contents.examined if 0 < len(e.twins) < 5]
    if few:
        yield Caution(
            "Few twins",
            f"{counted(min(few), 'untrained twin')} a subject: how much random weights vary is "
            "not known from so few.",
            is_warning=False,
        )


def _protocol(contents: Contents) -> Iterator[Caution]:
    frozen = contents.frozen
    if contents.verdicts and not frozen.is_before_scan:
        yield Caution(
            "Claims were not frozen first",
            "The ledger holds a recording from before the protocol: the claims may have been made "
            "with the data in sight.",
        )
    if frozen.n_claims and contents.verdicts is None:
        yield Caution(
            "Claims were not judged",
            f"The protocol makes {counted(frozen.n_claims, 'claim')}, and the run ended before "
            "they were judged: the same command again goes on.",
        )
    if contents.exploratory:
        yield Caution(
            "Exploratory results",
            f"{counted(len(contents.exploratory), 'result')} of this run "
            f"{'was' if len(contents.exploratory) == 1 else 'were'} computed outside the protocol; "
            "a section of their own holds them.",
        )


def _scope(contents: Contents) -> Iterator[Caution]:
    n_analyses = len(comparisons(contents)) + sum(
        len(step.examined) for step in measuring_steps(contents)
    )
    corrected = (
        f" P-values are corrected within each of the {count(n_analyses)} analyses at most, not "
        "over them."
        if n_analyses > 1
        else ""
    )
    if contents.verdicts:
        yield Caution(
            "Beside the claims",
            "Only what was claimed went through the gate. All that follows the evidence on the "
            f"claims describes measurements.{corrected}",
            is_warning=False,
        )
    else:
        yield Caution(
            "Exploratory",
            f"This report states measurements. No claim has passed a gate of controls.{corrected}",
            is_warning=False,
        )

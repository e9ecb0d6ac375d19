"""The gate: claims of a study are tested, corrected together, challenged, and filed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scipy.stats import false_discovery_control

from cortiscope.claims.bench import Bench
from cortiscope.claims.brain import brain_properties
from cortiscope.claims.calibration import Calibration
from cortiscope.claims.claim import Claim, Correction
from cortiscope.claims.controls import OF_EFFECTS, known_controls
from cortiscope.claims.effect import Effect
from cortiscope.claims.evidence import Evidence
from cortiscope.claims.verdict import Outcome, Verdict
from cortiscope.errors import InputError

ALL = "all"

# What a claim about all subjects comes to, when they differ: the first of these that occurs.
_GRAVITY: tuple[Outcome, ...] = ("invalid", "not supported", "inconclusive", "supported")

# The instrument's calibration is asked by the gate itself: it can make a claim invalid.
CALIBRATION = "calibration"


@dataclass(frozen=True, eq=False)
class Case:
    """One test of a study: a claim and whom it speaks of.

    Attributes
    ----------
    subject : str
        A subject's name, or ``all``.
    benches : dict of str to Bench
        By subject, the means to challenge the claim: one, or one of each for ``all``.
    calibrations : dict of str to Calibration
        Of the instrument at each subject's size, when the claim asks for it.
    """

    subject: str
    benches: Mapping[str, Bench]
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)

    @property
    def p_values(self) -> dict[str, float]:
        """P-value of each subject's test."""
        return {name: bench.effect.p_value(bench.claim) for name, bench in self.benches.items()}

    @property
    def p_value(self) -> float:
        """P-value of the test: of ``all``, the largest, since each must hold."""
        return max(self.p_values.values())


def judge(
    cases: Sequence[Case], *, alpha: float = 0.05, correction: Correction = "bh"
) -> list[Verdict]:
    """Test all claims of a study, correct them together, and challenge those that hold.

    Parameters
    ----------
    cases : sequence of Case
        Every claim with every subject that it speaks of.
    alpha : float
        Level of the study.
    correction : {"bh", "by"}
        Benjamini-Hochberg, or Benjamini-Yekutieli, which holds under any dependence.

    Returns
    -------
    list of Verdict
        One a case, in order.

    References
    ----------
    Benjamini & Hochberg (1995), JRSS B 57, 289-300; Benjamini & Yekutieli (2001), Annals of
    Statistics 29, 1165-1188; scipy's ``false_discovery_control``.
    """
    if not cases:
        return []
    tested = [case.p_value for case in cases]

    def corrected(place: int, p_value: float) -> float:
        # Of ``all`` each subject is judged as if it alone were that test: where one falls, the
        # others are still said to hold.
        p_values = [*tested[:place], p_value, *tested[place + 1 :]]
        return float(false_discovery_control(p_values, method=correction)[place])

    return [
        _judge_case(case, {name: corrected(place, p) for name, p in case.p_values.items()}, alpha)
        for place, case in enumerate(cases)
    ]


def check_controls(claims: Sequence[Claim]) -> None:
    """Refuse what is unknown, or cannot challenge a claim, before anything is scanned.

    Parameters
    ----------
    claims : sequence of Claim
        The claims of a study.

    Raises
    ------
    InputError
        Naming the claim and the control, or the property of brains.
    """
    known = [*known_controls(), CALIBRATION]
    for claim in claims:
        if claim.brain is not None and claim.brain not in brain_properties():
            msg = (
                f"claim {claim.name!r} names an unknown property of brains {claim.brain!r}: choose "
                f"among {', '.join(brain_properties())}."
            )
            raise InputError(msg)
        for control in claim.controls:
            if control not in known:
                msg = (
                    f"claim {claim.name!r} asks for an unknown control {control!r}: choose among "
                    f"{', '.join(sorted(known))}."
                )
                raise InputError(msg)
            if claim.is_absence and control in OF_EFFECTS:
                msg = (
                    f"claim {claim.name!r} says that there is no effect, which the control "
                    f"{control!r} cannot challenge: take it out, or waive it with the reason."
                )
                raise InputError(msg)


def _judge_case(case: Case, corrected: Mapping[str, float], alpha: float) -> Verdict:
    verdicts = [
        _judge_one(subject, bench, case.calibrations.get(subject), corrected[subject], alpha)
        for subject, bench in case.benches.items()
    ]
    if len(verdicts) == 1 and case.subject != ALL:
        return verdicts[0]
    # Of those that are as grave the one speaks whose p-value is that of the test.
    deciding = min(verdicts, key=lambda verdict: (_GRAVITY.index(verdict.outcome), -verdict.p))
    n_held = sum(verdict.outcome == "supported" for verdict in verdicts)
    return dataclasses.replace(
        deciding,
        subject=ALL,
        p=case.p_value,
        corrected_p=max(corrected.values()),
        sentence=f"It held in {n_held} of {len(verdicts)} subjects; {deciding.subject}: "
        + deciding.sentence,
    )


def _judge_one(
    subject: str,
    bench: Bench,
    calibration: Calibration | None,
    corrected: float,
    alpha: float,
) -> Verdict:
    claim, effect = bench.claim, bench.effect
    evidence: tuple[Evidence, ...] = ()
    outcome: Outcome
    if calibration is not None and not calibration.is_valid:
        outcome, by = "invalid", CALIBRATION
        sentence = f"The instrument cannot be trusted here: {calibration.statement}."
    elif corrected <= alpha and effect.reaches(claim):
        evidence = _challenge(bench)
        outcome, by, sentence = _after_controls(effect, corrected, evidence)
    elif effect.excludes(claim):
        outcome, by = "not supported", "test"
        sentence = f"The interval {effect} excludes the claim ({_said(bench)})."
    else:
        outcome, by = "inconclusive", "test"
        sentence = f"The data neither bear out nor exclude the claim ({_said(bench)}): {effect}"
        sentence += f", corrected p = {corrected:.4f}"
        if calibration is not None and not calibration.has_power:
            by = "power"
            sentence += f"; the instrument could hardly have seen it: {calibration.statement}"
        sentence += "."
    return Verdict(
        claim=claim,
        subject=subject,
        outcome=outcome,
        decided_by=by,
        sentence=sentence,
        effect=effect,
        p=effect.p_value(claim),
        corrected_p=corrected,
        evidence=evidence,
        calibration=calibration,
    )


def _challenge(bench: Bench) -> tuple[Evidence, ...]:
    controls = known_controls()
    return tuple(controls[name](bench) for name in bench.claim.controls if name != CALIBRATION)


def _after_controls(
    effect: Effect, corrected: float, evidence: Sequence[Evidence]
) -> tuple[Outcome, str, str]:
    for found in evidence:
        if found.survived is None:
            name = found.control
            why = found.statement.removesuffix(".")
            return "invalid", name, f"A control that must run, {_spoken(name)}, {why}."
    fallen = [found for found in evidence if not found.survived]
    if fallen:
        names = " and ".join(_spoken(found.control) for found in fallen)
        return (
            "not supported",
            fallen[0].control,
            f"The effect is there ({effect}) but falls to the control {names}: "
            f"{fallen[0].statement}.",
        )
    controls = "its control" if len(evidence) == 1 else f"{len(evidence)} controls"
    survived = f" and survives {controls}" if evidence else ""
    return (
        "supported",
        "test",
        f"{effect}, corrected p = {corrected:.4f}: it is of the claimed size{survived}.",
    )


def _said(bench: Bench) -> str:
    claim = bench.claim
    low, high = claim.bounds
    said = {
        "greater": f"greater than {low:g}",
        "less": f"less than {high:g}",
        "at_most": f"at most {high:g}",
        "equivalent": f"between {low:g} and {high:g}",
    }
    return f"{claim.statistic} is {said[claim.kind]}"


def _spoken(control: str) -> str:
    return control.replace("_", " ")

"""Methods text for a paper, written from the parameters, with numbered references."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from cortiscope.claims import CALIBRATION
from cortiscope.report.comparison import EMBEDDING
from cortiscope.report.contents import Contents, Examined
from cortiscope.report.decoding import decoding_methods
from cortiscope.report.measurements import citation, measuring_methods, measuring_steps
from cortiscope.report.numbers import count, counted, listed, small, spaced
from cortiscope.report.sentences import SITES
from cortiscope.scanning.sites import parse_site

_REFERENCES = {
    "probes": "Alain, G., & Bengio, Y. (2016). Understanding intermediate layers using linear "
    "classifier probes. arXiv:1610.01644.",
    "things": "Hebart, M. N., Dickter, A. H., Kidder, A., Kwok, W. Y., Corriveau, A., Van "
    "Wicklin, C., & Baker, C. I. (2019). THINGS: A database of 1,854 object concepts and more "
    "than 26,000 naturalistic object images. PLoS ONE, 14(10), e0223792.",
    "transformers": "Wolf, T., et al. (2020). Transformers: State-of-the-art natural language "
    "processing. Proceedings of EMNLP 2020: System Demonstrations, 38–45.",
    "torch": "Paszke, A., et al. (2019). PyTorch: An imperative style, high-performance deep "
    "learning library. Advances in Neural Information Processing Systems, 32.",
    "zarr": "Zarr developers. Zarr-Python [computer software]; Zarr core specification, version 3.",
    "xarray": "Hoyer, S., & Hamman, J. (2017). xarray: N-D labeled arrays and datasets in Python. "
    "Journal of Open Research Software, 5(1), 10.",
    "ridge": "Hastie, T., Tibshirani, R., & Friedman, J. (2009). The Elements of Statistical "
    "Learning (2nd ed.), sections 3.4.1, 4.2 and 18.3.5. Springer.",
    "accuracy": "Brodersen, K. H., Ong, C. S., Stephan, K. E., & Buhmann, J. M. (2010). The "
    "balanced accuracy and its posterior distribution. Proceedings of the 20th International "
    "Conference on Pattern Recognition, 3121–3124.",
    "auc": "Hanley, J. A., & McNeil, B. J. (1982). The meaning and use of the area under a "
    "receiver operating characteristic (ROC) curve. Radiology, 143(1), 29–36.",
    "p": "Phipson, B., & Smyth, G. K. (2010). Permutation P-values should never be zero: "
    "Calculating exact P-values when permutations are randomly drawn. Statistical Applications "
    "in Genetics and Molecular Biology, 9(1), 39.",
    "maximum": "Nichols, T. E., & Holmes, A. P. (2002). Nonparametric permutation tests for "
    "functional neuroimaging: A primer with examples. Human Brain Mapping, 15(1), 1–25.",
    "bootstrap": "Efron, B., & Tibshirani, R. J. (1993). An Introduction to the Bootstrap. "
    "Chapman & Hall.",
    "bh": "Benjamini, Y., & Hochberg, Y. (1995). Controlling the false discovery rate: A practical "
    "and powerful approach to multiple testing. Journal of the Royal Statistical Society: Series "
    "B, 57(1), 289–300.",
    "by": "Benjamini, Y., & Yekutieli, D. (2001). The control of the false discovery rate in "
    "multiple testing under dependency. Annals of Statistics, 29(4), 1165–1188.",
    "absence": "Schuirmann, D. J. (1987). A comparison of the two one-sided tests procedure and "
    "the power approach for assessing the equivalence of average bioavailability. Journal of "
    "Pharmacokinetics and Biopharmaceutics, 15(6), 657–680.",
    "multiverse": "Simonsohn, U., Simmons, J. P., & Nelson, L. D. (2020). Specification curve "
    "analysis. Nature Human Behaviour, 4(11), 1208–1214.",
    "numpy": "Harris, C. R., et al. (2020). Array programming with NumPy. Nature, 585, 357–362.",
    "scipy": "Virtanen, P., et al. (2020). SciPy 1.0: Fundamental algorithms for scientific "
    "computing in Python. Nature Methods, 17, 261–272.",
}

_POSITIONS = {
    "target_last": "at the last token of the target",
    "target_mean": "as the mean over the tokens of the target",
    "last": "at the last token of the text",
    "mean": "as the mean over the tokens of the text",
    "every": "at every token of the text",
}

_CITATION = re.compile(r"\[@([\w, -]+)\]")


@dataclass(frozen=True)
class MethodsText:
    """Text for a paper.

    Attributes
    ----------
    paragraphs : tuple of str
        Plain text with numbers in brackets.
    references : tuple of str
        In the order in which they are cited, from 1.
    """

    paragraphs: tuple[str, ...]
    references: tuple[str, ...]


def methods(contents: Contents) -> MethodsText:
    """Write what was done.

    Parameters
    ----------
    contents : Contents
        What the run holds.

    Returns
    -------
    MethodsText
        Only what this run did, with only the references that it needs.
    """
    paragraphs = (
        f"{_stimuli(contents)} {_subjects(contents)}",
        _recording(contents),
        decoding_methods(contents),
        measuring_methods(contents),
        _gate(contents),
        _software(contents),
    )
    instruments = [step.instrument for step in measuring_steps(contents)]
    definitions = {citation(instrument): instrument.reference for instrument in instruments}
    return _numbered(
        tuple(paragraph for paragraph in paragraphs if paragraph), _REFERENCES | definitions
    )


def _numbered(paragraphs: tuple[str, ...], references: Mapping[str, str]) -> MethodsText:
    cited: list[str] = []

    def cite(match: re.Match[str]) -> str:
        keys = [key.strip() for key in match[1].split(",")]
        cited.extend(key for key in keys if key not in cited)
        return f"[{', '.join(str(cited.index(key) + 1) for key in keys)}]"

    written = tuple(_CITATION.sub(cite, paragraph) for paragraph in paragraphs)
    return MethodsText(written, tuple(references[key] for key in cited))


def _stimuli(contents: Contents) -> str:
    stimuli = contents.stimuli
    frames = (
        f", each in {counted(stimuli.table['frame'].nunique(), 'sentence frame')}"
        if "frame" in stimuli.labels
        else ""
    )
    source = " [@things]" if stimuli.name == "concepts" else ""
    target, groups = contents.target, contents.groups
    labelled = (
        f": {counted(stimuli.table[groups].nunique(), groups)} of "
        f"{counted(stimuli.table[target].nunique(), 'category', 'categories')}"
        if {target, groups} <= set(stimuli.labels)
        else ""
    )
    return (
        f"Stimuli were {counted(len(stimuli), 'text')} of the set “{stimuli.name}”{source}"
        f"{labelled}{frames}."
    )


def _subjects(contents: Contents) -> str:
    models = [examined for examined in contents.examined if not examined.subject.is_phantom]
    phantoms = [examined for examined in contents.examined if examined.subject.is_phantom]
    return " ".join(filter(None, [_models(models), _phantoms(phantoms)]))


def _phantoms(phantoms: Sequence[Examined]) -> str:
    if not phantoms:
        return ""
    names = listed([examined.subject.name for examined in phantoms])
    twins = " Their twins have the same background, with nothing planted in it."
    return (
        "In a subject's place stood recordings that were made, with noise of realistic covariance "
        f"and a known effect planted in it or none: {names}."
        + (twins if any(examined.twins for examined in phantoms) else "")
    )


def _models(models: Sequence[Examined]) -> str:
    if not models:
        return ""
    told = listed([_subject(examined) for examined in models])
    n_twins = {len(examined.twins) for examined in models}
    if n_twins == {0}:
        return f"They were shown to {told}."
    twins = counted(max(n_twins), "untrained twin")
    of_whom = "it" if len(models) == 1 else "each subject"
    return (
        f"They were shown to {told}, and, as a control, to {twins} of {of_whom}, of the same "
        "configuration and with the same tokenizer, whose weights were drawn by the family's own "
        "initialiser."
    )


def _subject(examined: Examined) -> str:
    record = examined.subject.record
    source = record["source"] or {}
    revision = f", revision {source['revision']}" if source.get("revision") else ""
    return (
        f"{record['name']} ({record['family']}, {counted(record['n_layers'], 'layer')}, "
        f"{count(record['n_units'])} units, {count(record['n_parameters'])} parameters{revision}; "
        f"{record['dtype']}, {record['attention']} attention, {_tokens(record['special_tokens'])})"
    )


def _tokens(policy: dict[str, list[str]]) -> str:
    around = [
        f"{' '.join(policy[where])} {where}" for where in ("before", "after") if policy[where]
    ]
    return f"with {listed(around)} each text" if around else "without special tokens"


def _recording(contents: Contents) -> str:
    recorded = contents.recorded
    models = [scanned for scanned in contents.everyone if not scanned.is_phantom]
    if not models:
        return ""
    sites = listed([f"the {_site(site)} ({site})" for site in recorded["sites"]])
    proofs = [scanned.record["proof"] for scanned in models]
    errors = [
        check["error"]
        for proof in proofs
        for site in proof["sites"]
        if site["reason"] is None
        for check in site["checks"]
        if check["error"] is not None
    ]
    largest = small(max(errors, default=0.0))
    where = _POSITIONS[recorded["position"]]
    return (
        f"Activations of {sites} were recorded with forward hooks {where}, "
        f"in batches of {recorded['batch_size']}, and stored as {recorded['dtype']} in Zarr "
        "[@zarr]. Layers count from 0. Before recording, each site was proved on the model as "
        f"loaded, against the model's own output and residual sums (largest error beyond "
        f"rounding: {largest} of the RMS of a site)."
    )


def _site(request: str) -> str:
    name, layers = parse_site(request)
    return "embedding" if (name, layers) == (EMBEDDING, (0,)) else SITES[name]


def _gate(contents: Contents) -> str:
    verdicts, frozen = contents.verdicts, contents.frozen
    if not verdicts:
        return ""
    claims = {verdict.claim.model_dump_json(): verdict.claim for verdict in verdicts}.values()
    controls = dict.fromkeys(name for claim in claims for name in claim.controls)
    calibrations = [v.calibration for v in verdicts if v.calibration is not None]
    when = " before the first recording" if frozen.is_before_scan else ""
    together = "bh" if frozen.values.get("correction", "bh") == "bh" else "by"
    told = [f"{counted(len(claims), 'claim')} {_was(claims)} frozen with the protocol{when}."]
    presence = [verdict for verdict in verdicts if not verdict.claim.is_absence]
    if presence:
        against = dict.fromkeys(map(contents.tested_against, presence))
        told.append(f"Claims of presence were tested against {listed(list(against))}.")
    if any(claim.is_absence for claim in claims):
        told.append(
            "Claims of absence were tested by two one-sided tests on resamples of words [@absence]."
        )
    if len(verdicts) > 1:
        told.append(
            f"The p-values of all {len(verdicts)} tests were corrected together "
            f"({frozen.correction} [@{together}]), at α = {frozen.alpha:g}."
        )
    if challenges := [spaced(name) for name in controls if name != CALIBRATION]:
        cited = " [@multiverse]" if "multiverse" in controls else ""
        told.append(
            "A claim that its test bore out had to survive the controls that it names: "
            f"{listed(challenges)}{cited}."
        )
    if calibrations:
        n = calibrations[0].n_phantoms
        told.append(
            f"The instrument was calibrated at this study's size, on {count(n)} phantoms "
            f"with an effect of the claimed size and {count(n)} without."
        )
    return " ".join(told)


def _was(items: Collection[object]) -> str:
    return "was" if len(items) == 1 else "were"


def _software(contents: Contents) -> str:
    versions = contents.examined[0].subject.record["versions"]
    code = contents.entries[-1].code_version
    commit = f" (commit {code['commit'][:12]})" if code.get("commit") else ""
    return (
        f"Computed with Cortiscope {code['version']}{commit}, Python {versions['python']}, "
        f"PyTorch {versions['torch']} [@torch], Transformers {versions['transformers']} "
        f"[@transformers], NumPy {versions['numpy']} [@numpy], SciPy {versions['scipy']} [@scipy], "
        f"xarray {versions['xarray']} [@xarray] and Zarr {versions['zarr']} [@zarr]."
    )

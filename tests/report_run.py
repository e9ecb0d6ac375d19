"""Run directories made without a model: planted and pure-noise recordings, decoded for real."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cortiscope.analyses import INSTRUMENTS, Result, decode
from cortiscope.claims import Bench, Calibration, Case, Claim, judge
from cortiscope.ledger import Run, fingerprint, package_versions, write_atomically
from cortiscope.scanning import Recording
from cortiscope.stimuli import StimulusSet
from cortiscope.studies import Protocol

FRAMES = {"card": "The word on the card was {word}.", "book": "Please write down {word}."}


def words_of(categories: list[str], n_words: int = 10) -> StimulusSet:
    """Invented words, all of six letters, so that no category differs from another."""
    letters = np.array(list("bcdfghjklmnpqrstvwxz"))
    rng = np.random.default_rng(0)
    drawn: list[str] = []
    while len(drawn) < n_words * len(categories):
        word = "".join(rng.choice(letters, 6))
        if word not in drawn:
            drawn.append(word)
    return StimulusSet.from_words(
        {c: drawn[i * n_words : (i + 1) * n_words] for i, c in enumerate(categories)},
        FRAMES,
        name="invented",
    )


def activations(stimuli: StimulusSet, n_layers: int, effect: float, seed: int) -> np.ndarray:
    """Noise (stimulus, layer, unit); a category's direction grows with depth by `effect`."""
    rng = np.random.default_rng(seed)
    table = stimuli.table
    categories = table["category"].astype("category").cat.codes.to_numpy()
    words = table["word"].astype("category").cat.codes.to_numpy()
    directions = rng.normal(size=(categories.max() + 1, 1, 24)) / 2
    depth = np.linspace(0.2, 1.0, n_layers)[None, :, None]
    of_word = rng.normal(size=(words.max() + 1, n_layers, 24))
    noise = 0.5 * rng.normal(size=(len(table), n_layers, 24))
    return of_word[words] + noise + effect * depth * directions[categories]


def record_of(name: str, n_layers: int, **changes: Any) -> dict[str, Any]:
    """A subject's record as `Subject.record` writes it."""
    twin = "--twin-" in name
    sites = [
        {
            "site": site,
            "where": "blocks.input",
            "checks": [{"equation": "stream out = stream in", "error": 1.2e-7, "layer": 1}],
            "reason": None,
            "proved": True,
        }
        for site in ("resid_pre", "resid_post", "attn_out")
    ]
    digest = fingerprint(name)
    return {
        "name": name,
        "fingerprint": digest,
        "source": None if twin else {"kind": "specimen", "name": name, "revision": None},
        "weights": {"initialised from": digest, "seed": int(name[-1])}
        if twin
        else {"model.safetensors": digest},
        "config": digest,
        "tokenizer": digest,
        "dtype": "float32",
        "attention": "sdpa",
        "special_tokens": {
            "before": ["<s>"],
            "after": [],
            "bos_token": "<s>",
            "adds_bos": True,
            "pad_id": 0,
            "pad_source": "pad_token",
            "chat_template": False,
        },
        "device": "cpu",
        "family": "qwen2",
        "n_layers": n_layers,
        "n_units": 24,
        "n_parameters": 2_345_678,
        "proof": {
            "subject": name,
            "family": "qwen2",
            "kind": "additive",
            "dtype": "float32",
            "tolerance": 1e-5,
            "n_texts": 2,
            "n_tokens": 19,
            "sites": sites,
        },
        "warnings": [],
        "versions": package_versions(),
        **changes,
    }


def begin(path: Path, stimuli: StimulusSet, protocol: Protocol | None = None) -> Run:
    """A run with its protocol, or one as it was before there were claims, and its stimuli."""
    run = Run(path)
    if protocol is not None:
        protocol.freeze(run)
    else:
        write_atomically(run.path / "protocol.toml", 'study = "decoding"\n')
        run.record("protocol", "protocol.toml")
    stimuli.save(run.path / "stimuli.parquet")
    run.record("stimuli", "stimuli.parquet", parameters={"name": stimuli.name})
    return run


STEPS = {"embedding": "resid_pre", "decode": "resid_post"}


@dataclass(frozen=True, eq=False)
class Kept:
    """Who lies in a run, and what both steps found."""

    recording: Recording
    entry_id: str
    results: Mapping[str, Result]


def keep(run: Run, record: dict[str, Any], recording: Recording, **settings: Any) -> Kept:
    """Put a subject's record, its recording and the results of both sites into a run."""
    path = run.path / "subjects" / f"{recording.name}.json"
    write_atomically(path, json.dumps(record))
    subject = run.record("subject", path, parameters={"name": record["name"]})
    store = run.recordings / f"{recording.name}.zarr"
    if not store.exists():
        recording.save(store)
    entry = run.record(
        "recording",
        store,
        inputs=(subject.id,),
        parameters={
            "sites": ["resid_pre[0]", "resid_post"],
            "position": "target_last",
            "batch_size": 32,
            "dtype": settings.pop("store_dtype", "float32"),
        },
        content=recording.fingerprint,
    )
    results = {step: decode(recording, site=site, **settings) for step, site in STEPS.items()}
    for result in results.values():
        keep_result(run, result, entry.id)
    return Kept(recording, entry.id, results)


def keep_result(run: Run, result: Result, recording_id: str, kind: str = "result") -> Result:
    """Put a result into a run."""
    run.record(
        kind,
        result.save(run.results),
        inputs=(recording_id,),
        parameters=result.parameters,
        artifact_id=result.id,
    )
    return result


def calibrated(
    strength: float | None = 1.0, power: float = 0.97, rate: float = 0.04
) -> Calibration:
    """A calibration as it might come out."""
    return Calibration(
        strength=strength,
        power=power,
        power_low=power - 0.125,
        power_high=power + 0.015,
        false_positive_rate=rate,
        false_positive_low=rate - 0.035,
        false_positive_high=rate + 0.0625,
        alpha=0.05,
        n_phantoms=100,
        curve=((0.0, 0.33, rate),)
        if strength is None
        else ((0.0, 0.33, rate), (0.5, 0.45, 0.4), (1.0, 0.6, power), (1.5, 0.8, 1.0)),
    )


def judge_claims(
    run: Run,
    protocol: Protocol,
    lying: Mapping[str, Sequence[Kept]],
    calibrations: Mapping[str, Calibration],
) -> None:
    """Judge the claims of a protocol with the real gate and controls, and file the verdicts."""
    cases = []
    for claim in protocol.claims:
        for name, (subject, *twins) in lying.items():
            if claim.subjects not in ("each", name):
                continue
            bench = Bench(
                claim,
                INSTRUMENTS["decode"],
                subject.results[claim.step].parameters,
                (subject.recording,),
                subject.results[claim.step],
                tuple(twin.results[claim.step] for twin in twins),
                run=lambda instrument, recordings, parameters, of=subject: keep_result(
                    run, instrument.run(*recordings, **parameters), of.entry_id, "control"
                ),
            )
            known = {name: calibrations[claim.name]} if claim.name in calibrations else {}
            cases.append(Case(name, {name: bench}, known))
    filed = [verdict.to_dict() for verdict in judge(cases)]
    path = write_atomically(run.path / "verdicts.json", json.dumps(filed))
    run.record("verdicts", path)


def make_run(
    path: Path,
    *,
    effects: dict[str, float] | None = None,
    n_twins: int = 1,
    categories: list[str] | None = None,
    n_layers: int = 4,
    stimuli: StimulusSet | None = None,
    settings: dict[str, Any] | None = None,
    claims: Sequence[Claim] | None = None,
    calibrations: Mapping[str, Calibration] | None = None,
    **changes: Any,
) -> Run:
    """Make a run of subjects with planted effects, each with untrained twins of pure noise.

    Without `claims` it is a run as it was before there were any.
    """
    stimuli = stimuli or words_of(categories or ["animal", "body_part", "tool"])
    settings = {"n_permutations": 99, "n_bootstrap": 200, **(settings or {})}
    effects = effects or {"specimen:planted": 3.0}
    protocol = None
    if claims is not None:
        steps = {
            name: {"analysis": "decode", "site": site, **settings} for name, site in STEPS.items()
        }
        protocol = Protocol(
            study="decoding", subjects=tuple(effects), n_twins=n_twins, steps=steps, claims=claims
        )
    run = begin(path, stimuli, protocol)
    lying: dict[str, list[Kept]] = {}
    for number, (name, effect) in enumerate(effects.items()):
        sizes = {name: effect} | {f"{name}--twin-{twin}": 0.0 for twin in range(n_twins)}
        for seed, (who, size) in enumerate(sizes.items(), start=100 * number):
            x = activations(stimuli, n_layers, size, seed)
            recording = Recording.from_arrays(
                {"resid_pre": x[:, :1] / 2, "resid_post": x},
                stimuli=stimuli,
                name=re.sub("[:/]", "-", who),
            )
            kept = keep(run, record_of(who, n_layers, **changes), recording, **settings)
            lying.setdefault(name, []).append(kept)
    if protocol is not None:
        judge_claims(run, protocol, lying, calibrations or {})
    return run

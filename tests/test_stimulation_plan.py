"""What a plan foretells is what a sweep takes; a killed sweep goes on; changed code begins anew."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

from cortiscope import Subject
from cortiscope.errors import InputError
from cortiscope.stimulation import (
    Condition,
    Inject,
    Response,
    Where,
    plan_sweep,
    stimulate,
)
from cortiscope.stimulation import sweep as sweeps
from cortiscope.stimulation.readouts import Continuation, Perplexity
from families import FAMILIES, make_model, tokenizer
from stimulation import STIMULI, Everything, direction

CONDITIONS = [Condition("clean")] + [
    Condition(f"{layer} {seed}", Inject(direction(32, seed), 1.0, Where(layers=layer)))
    for layer in range(3)
    for seed in range(30)
]


@pytest.mark.parametrize(("name", "fast"), [("llama", True), ("llama", False), ("bert", True)])
def test_passes_tokens_and_bytes_are_those_of_the_sweep(
    name: str, fast: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = FAMILIES[name]()
    asked: dict[str, Any] = {
        "conditions": CONDITIONS,
        "readouts": [Everything(subject), Perplexity(["A dog saw an axe."])],
        "batch_size": 3,
        "fast": fast,
    }
    if name == "bert":  # its tokenizer here has no mask
        asked["readouts"] = asked["readouts"][:1]
    planned = plan_sweep(subject, STIMULI, **asked, out=tmp_path / "a")
    assert list(tmp_path.iterdir()) == []
    shapes: list[int] = []
    forward = Subject.forward

    def noted(self: Subject, batch: Any, **options: Any) -> Any:
        shapes.append(batch["input_ids"].numel())
        return forward(self, batch, **options)

    monkeypatch.setattr(Subject, "forward", noted)
    module = sys.modules["cortiscope.stimulation.stimulate"]  # the function has its name
    monkeypatch.setattr(module, "check_itself", _checked(fast, name))
    response = stimulate(subject, STIMULI, **asked)
    assert (planned.n_passes, planned.n_tokens) == (len(shapes), sum(shapes))
    assert planned.n_conditions == len(response.conditions)
    assert planned.n_texts == len(STIMULI) + (name == "llama")
    read = sum(values.nbytes for values in response.data.data_vars.values())
    assert planned.n_bytes == pytest.approx(read, rel=0.1)
    assert planned.seconds > 0
    assert "91" in repr(planned)
    assert ("full pass" in repr(planned)) is not fast


def _checked(fast: bool, name: str) -> Any:
    """Leave the self-check out, whose passes are not of the sweep."""
    from cortiscope.stimulation.self_check import SelfCheck

    return lambda *_args, **_options: SelfCheck(fast, cut=fast and name == "llama")


def test_a_slower_subject_is_planned_to_take_longer() -> None:
    subject = Subject.from_model(make_model("llama"), tokenizer(), name="slow")
    readouts = [Everything(subject)]
    quick = plan_sweep(subject, STIMULI, CONDITIONS, readouts)
    subject.anatomy.body.register_forward_pre_hook(lambda *_: time.sleep(0.2))
    slow = plan_sweep(subject, STIMULI, CONDITIONS, readouts)
    assert slow.seconds > quick.seconds + 0.5 * 0.2 * slow.n_passes


def test_new_tokens_are_counted() -> None:
    subject = FAMILIES["llama"]()
    some = CONDITIONS[::15]
    few, many = (plan_sweep(subject, STIMULI, some, [Continuation(n_tokens=n)]) for n in (1, 4))
    assert many.n_passes - few.n_passes == 3 * len(some)


_SWEEP = """
    import sys, time
    from test_stimulation_plan import CONDITIONS
    from cortiscope.stimulation import Inject, stimulate, sweep as sweeps
    from families import FAMILIES
    from stimulation import STIMULI, Everything

    sweeps._CHUNK = 8
    subject = FAMILIES["llama"]()
    readout = Everything(subject)
    if sys.argv[2] == "slow":
        subject.anatomy.body.register_forward_pre_hook(lambda *_: time.sleep(0.1))
    stimulate(subject, STIMULI, CONDITIONS, [readout], batch_size=3, out=sys.argv[1])
    print(readout.n_reads)
"""


def test_a_sweep_that_was_killed_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "a"
    command = [sys.executable, "-c", textwrap.dedent(_SWEEP), str(out)]
    here = Path(__file__).parent
    with subprocess.Popen([*command, "slow"], cwd=here) as killed:
        for _ in range(1200):
            if len(list(out.glob("parts/*.npz"))) > 3:
                break
            time.sleep(0.05)
        killed.send_signal(signal.SIGKILL)
    with pytest.raises(InputError, match="no whole response"):
        Response.open(out)
    n_done = len(list(out.glob("parts/*.npz")))
    finished = subprocess.run(
        [*command, "fast"], cwd=here, check=True, capture_output=True, text=True
    )
    n_all = len(CONDITIONS) * 3  # batches
    assert n_done > 0
    assert n_all - 8 * n_done <= int(finished.stdout) < n_all
    readout = Everything(FAMILIES["llama"]())
    whole = stimulate(FAMILIES["llama"](), STIMULI, CONDITIONS, [readout], batch_size=3)
    found = Response.open(out)
    xr.testing.assert_allclose(found.data, whole.data, atol=2e-5)
    assert found.conditions == whole.conditions


def test_changed_code_does_not_go_on_with_a_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = FAMILIES["llama"]()
    stopped = Everything(subject)
    stopped.fail_after = 40
    with pytest.raises(KeyboardInterrupt):
        stimulate(subject, STIMULI, CONDITIONS, [stopped], out=tmp_path / "a")
    monkeypatch.setattr(sweeps, "code_fingerprint", lambda: "changed")
    with pytest.raises(InputError, match="with other code"):
        stimulate(subject, STIMULI, CONDITIONS, [Everything(subject)], out=tmp_path / "a")

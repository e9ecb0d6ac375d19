"""How long `lesion` takes on the specimen: one layer, mean lesions, 100 draws.

Run with ``python -m benchmarks.lesion``. About 400 sentences of held-out words, as many questions
as there are words, and neutral text are shown under every condition.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch

from cortiscope.analyses.lesion import lesion
from cortiscope.analyses.lesion_experiment import lesion_experiment
from cortiscope.scanning import scan
from cortiscope.stimulation import stimulate
from cortiscope.stimuli import StimulusSet
from cortiscope.subjects import Subject


def main() -> None:
    """Measure each step and print its seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subject", default="specimen:qwen2")
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    subject, stimuli = Subject.load(options.subject), StimulusSet.load("concepts")
    with tempfile.TemporaryDirectory() as folder:
        recording = scan(subject, stimuli, ["resid_post"], out=Path(folder) / "clean.zarr")
        began = [(time.perf_counter(), time.process_time())]
        plan = lesion_experiment(recording, stimuli, n_draws=options.draws)
        began.append((time.perf_counter(), time.process_time()))
        response = stimulate(subject, plan.stimuli, plan.conditions, plan.readouts)
        began.append((time.perf_counter(), time.process_time()))
        result = lesion(response, n_draws=options.draws)
        began.append((time.perf_counter(), time.process_time()))
    print(f"{len(plan.conditions)} conditions, {len(plan.stimuli)} sentences")
    for name, first, last in zip(("plan", "stimulate", "analyse"), began, began[1:], strict=False):
        seconds, of_processor = (after - before for before, after in zip(first, last, strict=True))
        print(f"{name:10} {seconds:6.1f} s ({of_processor:.1f} s of the processor)")
    print(result.estimates.attrs["answer"])


if __name__ == "__main__":
    main()

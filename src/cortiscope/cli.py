"""The front door: a few lines a command, no logic."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cortiscope._version import __version__
from cortiscope.errors import CortiscopeError

app = typer.Typer(
    help="An fMRI scanner for language models.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
specimen_app = typer.Typer(help="The small trained models that ship.", no_args_is_help=True)
app.add_typer(specimen_app, name="specimen")

_out = Console()
_err = Console(stderr=True)


class Position(StrEnum):
    """Which token of a stimulus is read."""

    TARGET_LAST = "target_last"
    TARGET_MEAN = "target_mean"
    LAST = "last"
    MEAN = "mean"
    EVERY = "every"


class StoreDtype(StrEnum):
    """How activations are stored."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"


class Attention(StrEnum):
    """The attention kernel."""

    SDPA = "sdpa"
    EAGER = "eager"


SubjectArgument = Annotated[
    str,
    typer.Argument(
        help="specimen:NAME, a local folder, or a model id on the hub", metavar="SUBJECT"
    ),
]
OutOption = Annotated[
    Path | None, typer.Option(help="Folder of the run; by default one under runs/")
]
SitesOption = Annotated[
    list[str] | None,
    typer.Option(help="What is recorded; repeat it. NAME, or NAME[0,4] for single layers"),
]
PositionOption = Annotated[Position | None, typer.Option(help="Which token is read")]
BatchOption = Annotated[int | None, typer.Option(min=1, help="Stimuli in a forward pass")]
StoreDtypeOption = Annotated[StoreDtype | None, typer.Option(help="How activations are stored")]
RevisionOption = Annotated[str | None, typer.Option(help="Branch, tag or commit on the hub")]
ModelDtypeOption = Annotated[
    str | None,
    typer.Option(help="Dtype of the weights, such as bfloat16; by default what suits the device"),
]
DeviceOption = Annotated[
    str | None, typer.Option(help="cuda, mps or cpu; by default what is there")
]
DeviceMapOption = Annotated[
    str | None, typer.Option(help='"auto" spreads a model over several devices')
]
AttentionOption = Annotated[Attention | None, typer.Option(help="The attention kernel")]
RunArgument = Annotated[Path, typer.Argument(help="The folder of a run", metavar="RUN")]

_ADDRESS = "ID:variable[layer=3,category=animal], an id, or a path in the run"
_SITES = ["resid_pre[0]", "resid_post"]


def _protocol(
    study: Annotated[
        str, typer.Argument(help="A shipped study (see `cortiscope studies`), or a TOML file")
    ] = "decoding",
    subject: Annotated[
        list[str] | None,
        typer.Option(help="specimen:NAME, a local folder, or a model id; repeat it for several"),
    ] = None,
    stimuli: Annotated[
        str | None, typer.Option(help="A shipped set (see `cortiscope stimuli`), or a table")
    ] = None,
    twins: Annotated[int | None, typer.Option(min=0, help="Untrained twins a subject")] = None,
    permutations: Annotated[
        int | None, typer.Option(min=1, help="Permutations of the words, and resamples")
    ] = None,
    phantoms: Annotated[
        int | None, typer.Option(min=1, help="Phantoms of each sort in a calibration")
    ] = None,
    site: SitesOption = None,
    position: PositionOption = None,
    batch_size: BatchOption = None,
    store_dtype: StoreDtypeOption = None,
    revision: RevisionOption = None,
    model_dtype: ModelDtypeOption = None,
    attention: AttentionOption = None,
) -> Any:
    """Load a protocol, with what the options change in it."""
    from cortiscope.studies import Protocol

    changes: dict[str, Any] = {
        "subjects": subject,
        "stimuli": stimuli,
        "n_twins": twins,
        "n_phantoms": phantoms,
        "sites": site,
        "position": position,
        "batch_size": batch_size,
        "store_dtype": store_dtype,
        "revision": revision,
        "model_dtype": model_dtype,
        "attention": attention,
    }
    changes |= _draws(study, permutations)
    return Protocol.load(study, **{key: v for key, v in changes.items() if v is not None})


def _draws(study: str, permutations: int | None) -> dict[str, Any]:
    """Set all draws that the steps and claims of a study make."""
    from cortiscope.studies import Protocol
    from cortiscope.studies.protocol import DRAWS_OF_UNITS, DRAWS_OF_WORDS

    if permutations is None:
        return {}
    draws = dict.fromkeys((*DRAWS_OF_WORDS, *DRAWS_OF_UNITS), permutations)
    steps = {
        name: step.instrument.accepted(draws) for name, step in Protocol.load(study).steps.items()
    }
    return {
        "steps": steps,
        "claim_permutations": permutations,
        "claim_rotations": permutations,
    }


def _takes_protocol(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command, whose first parameter is a protocol, the options that make one."""
    options = inspect.signature(_protocol, eval_str=True).parameters
    own = dict(list(inspect.signature(command, eval_str=True).parameters.items())[1:])

    @functools.wraps(command)
    def with_options(**given: Any) -> None:
        protocol = _protocol(**{name: given.pop(name) for name in options})
        command(protocol, **given)

    parameters = [*options.values(), *own.values()]
    with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {
        parameter.name: parameter.annotation for parameter in parameters
    }
    return with_options


@app.command()
@_takes_protocol
def run(
    protocol: Any,
    out: OutOption = None,
    device: DeviceOption = None,
    device_map: DeviceMapOption = None,
) -> None:
    """Run a study: scan, analyse, judge every claim, and write the report.

    Without arguments: is the category of unseen words decodable in the embedded specimen? Options
    change what the protocol says. The same command again goes on where an interrupted one stopped.
    Exit code 1 when a verdict is invalid.
    """
    _run(protocol, out, device=device, device_map=device_map)


def _run(protocol: Any, out: Path | None, **where: str | None) -> None:
    from cortiscope.report import write_report
    from cortiscope.report.terminal import summary_table, verdict_table
    from cortiscope.studies import read_verdicts, run_study, write_crate

    done = run_study(protocol, out, say=_say, **where)
    report = write_report(done)
    write_crate(done)
    _out.print(summary_table(done))
    _out.print(verdict_table(done))
    _print(f"report: {report}")
    if any(verdict["outcome"] == "invalid" for verdict in read_verdicts(done)):
        raise typer.Exit(1)


@app.command()
def compare(
    subjects: Annotated[
        list[str],
        typer.Argument(
            help="Folders of runs (RUN#NAME for one subject), or saved RDMs (CSV, .mat, .h5)",
            metavar="RUN...",
        ),
    ],
    study: Annotated[
        str, typer.Option(help="Which study compares them: a shipped one, or a TOML file")
    ] = "similarity",
    twins: Annotated[
        int | None, typer.Option(min=0, help="Untrained twins beside; all that every run has")
    ] = None,
    permutations: Annotated[
        int | None, typer.Option(min=1, help="Permutations of the words, and resamples")
    ] = None,
    out: OutOption = None,
) -> None:
    """Compare the subjects of several runs, two at a time, layer by layer.

    Their recordings are taken, nothing is scanned. A saved RDM (a brain's, a person's) can stand
    in for a model.
    """
    from cortiscope.studies import comparing_protocol

    protocol = comparing_protocol(subjects, study, n_twins=twins, **_draws(study, permutations))
    _run(protocol, out)


@app.command()
@_takes_protocol
def plan(
    protocol: Any,
    out: OutOption = None,
    device: DeviceOption = None,
    device_map: DeviceMapOption = None,
) -> None:
    """Say what a study would take, and what it could see: passes, time, memory, disk, power.

    A few batches are timed and the claims' instruments are tried on phantoms; nothing is recorded.
    """
    from cortiscope.studies import plan_study

    _print(repr(plan_study(protocol, out, device=device, device_map=device_map, say=_say)))


def _print(text: str) -> None:
    # Addresses hold brackets, which rich would take for markup; paths must not be broken.
    _out.print(text, highlight=False, markup=False, soft_wrap=True)


def _say(line: str) -> None:
    _err.print(line, style="dim", highlight=False, soft_wrap=True)


@app.command()
def scan(
    subject: SubjectArgument,
    stimuli: Annotated[str, typer.Argument(help="A shipped set, or a table of your own")],
    out: Annotated[Path, typer.Option(help="Folder of the recording, such as mine.zarr")],
    site: SitesOption = None,
    position: PositionOption = Position.TARGET_LAST,
    batch_size: BatchOption = 32,
    store_dtype: StoreDtypeOption = StoreDtype.FLOAT32,
    revision: RevisionOption = None,
    model_dtype: ModelDtypeOption = None,
    attention: AttentionOption = None,
    device: DeviceOption = None,
    device_map: DeviceMapOption = None,
) -> None:
    """Record activations, and nothing else."""
    from cortiscope import StimulusSet
    from cortiscope import scan as scan_subject

    recording = scan_subject(
        _load(subject, revision, model_dtype, attention, device, device_map),
        StimulusSet.load(stimuli),
        sites=site or _SITES,
        position=position or Position.TARGET_LAST,
        batch_size=batch_size or 32,
        dtype=store_dtype or StoreDtype.FLOAT32,
        out=out,
    )
    _print(repr(recording))


@app.command()
def check(
    subject: SubjectArgument,
    revision: RevisionOption = None,
    model_dtype: ModelDtypeOption = None,
    attention: AttentionOption = None,
    device: DeviceOption = None,
    device_map: DeviceMapOption = None,
) -> None:
    """Print the proof of a subject's anatomy, site by site."""
    loaded = _load(subject, revision, model_dtype, attention, device, device_map)
    _print(repr(loaded))
    _out.print(loaded.proof.table())


@app.command()
def stimuli(
    name: Annotated[
        str | None, typer.Argument(help="A set, or a table of your own, to describe")
    ] = None,
    tokenizer: Annotated[
        str | None, typer.Option(help="A subject whose tokenizer counts the targets' tokens")
    ] = None,
) -> None:
    """List the sets that ship, or describe one: counts, and how categories differ in surface."""
    from cortiscope.stimuli import StimulusSet, catalog

    if name is None:
        table = Table("name", "stimuli", "licence", "what")
        for shipped in catalog().values():
            table.add_row(
                shipped.name, f"{shipped.n_stimuli:,}", shipped.licence, shipped.description
            )
        _out.print(table)
        return
    chosen = StimulusSet.load(name)
    with_tokens = None if tokenizer is None else _load(tokenizer).tokenizer
    _print(repr(chosen))
    _print(repr(chosen.describe(with_tokens)))


@app.command()
def steer(
    subject: SubjectArgument,
    prompts: Annotated[
        list[str], typer.Argument(help="What the model goes on from", metavar="PROMPT...")
    ],
    concept: Annotated[
        str | None, typer.Option(help="A category of the stimuli, such as animal")
    ] = None,
    dose: Annotated[
        float,
        typer.Option(help="1 moves as far as the concept's mean lies from the others'; -1 away"),
    ] = 1.0,
    layer: Annotated[
        int | None, typer.Option(help="After which layer; the middle one when left out")
    ] = None,
    stimuli: Annotated[
        str, typer.Option(help="Whose categories are the concepts: a shipped set, or a table")
    ] = "concepts",
    direction: Annotated[
        Path | None, typer.Option(help="A direction that was saved, in place of a concept")
    ] = None,
    save: Annotated[
        Path | None, typer.Option(help="Where the direction goes, as .safetensors")
    ] = None,
    gguf: Annotated[
        Path | None, typer.Option(help="The same as a control vector that llama.cpp reads")
    ] = None,
    tokens: Annotated[int, typer.Option(min=1, help="Tokens that it goes on for")] = 20,
    temperature: Annotated[
        float, typer.Option(min=0, help="0 takes the likeliest token each time")
    ] = 0.0,
    top_p: Annotated[
        float, typer.Option(help="Draw among the likeliest tokens of so much probability")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of the draws")] = 0,
    device: DeviceOption = None,
) -> None:
    """Let a model go on from a prompt, clean and with a concept added to its stream."""
    from cortiscope.codes import Direction, export_gguf
    from cortiscope.errors import InputError
    from cortiscope.stimuli import StimulusSet
    from cortiscope.studies import concept_directions
    from cortiscope.studies import steer as steer_subject

    loaded = _load(subject, device=device)
    if direction is not None:
        chosen = Direction.open(direction)
    else:
        known = concept_directions(loaded, StimulusSet.load(stimuli), layer=layer)
        if concept not in known:
            said = "no concept was named" if concept is None else f"there is no concept {concept!r}"
            msg = f"{said}: give --concept one of {', '.join(known)}."
            raise InputError(msg)
        chosen = known[concept]
    table = Table("prompt", "clean", f"{chosen.name}, dose {dose:g}, layer {chosen.layer}")
    for steered in steer_subject(
        loaded,
        chosen,
        prompts,
        dose=dose,
        n_tokens=tokens,
        temperature=temperature,
        top_p=top_p,
        seed=seed,
    ):
        table.add_row(*map(_escaped, (steered.prompt, steered.clean, steered.steered)))
    _out.print(table)
    if save is not None:
        _print(f"saved: {chosen.save(save)}")
    if gguf is not None:
        family = loaded.model.config.model_type
        _print(f"saved: {export_gguf(chosen, gguf, model_hint=family, dose=dose)}")


@app.command()
def subjects() -> None:
    """List the specimens that ship and the families that can be scanned."""
    from cortiscope.report.terminal import subjects_tables

    for table in subjects_tables():
        _out.print(table)


@app.command()
def analyses(
    name: Annotated[
        str | None, typer.Argument(help="One of them, with the definition that it follows.")
    ] = None,
) -> None:
    """List the instruments."""
    from cortiscope.analyses import INSTRUMENTS

    table = Table("name", "reads", "what", *([] if name is None else ["reference"]))
    for each in _instruments(name, INSTRUMENTS):
        row = [each.name, " and ".join(each.reads), each.summary]
        table.add_row(*row, *([] if name is None else [each.reference]))
    _out.print(table)


@app.command()
def studies() -> None:
    """List the studies that ship."""
    from cortiscope.studies import Protocol, shipped_protocols

    table = Table("name", "claims", "what")
    for name in shipped_protocols():
        protocol = Protocol.load(name)
        table.add_row(name, str(len(protocol.claims)), protocol.summary)
    _out.print(table)


@app.command()
def calibrate(
    analysis: Annotated[
        str | None, typer.Argument(help="One instrument; all when left out", metavar="ANALYSIS")
    ] = None,
    units: Annotated[int, typer.Option(min=4, help="Units of the phantoms")] = 160,
    words: Annotated[int, typer.Option(min=5, help="Words a category")] = 40,
    categories: Annotated[int, typer.Option(min=2, help="Categories")] = 10,
    frames: Annotated[int, typer.Option(min=1, help="Frames a word")] = 3,
    phantoms: Annotated[
        int | None,
        typer.Option(min=1, help="Phantoms of each sort; 50, of models 5, when left out"),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder where the Results are saved")] = None,
) -> None:
    """Try instruments on phantoms: what they must detect, and where they must stay silent.

    Exit code 1 when one of them does not.
    """
    from cortiscope.analyses import INSTRUMENTS
    from cortiscope.claims import check_on_phantoms, failures
    from cortiscope.phantoms import PhantomDesign
    from cortiscope.report.terminal import calibration_table

    design = PhantomDesign.balanced(categories, words, frames, units)
    wrong: list[str] = []
    for instrument in _instruments(analysis, INSTRUMENTS):
        if not instrument.detects + instrument.silent_on:
            _print(f"{instrument.name} names no phantom that it could be tried on.")
            continue
        n_phantoms = phantoms or (50 if instrument.experiment is None else 5)
        result = check_on_phantoms(instrument, design, n_phantoms=n_phantoms)
        _out.print(calibration_table(result))
        wrong += [f"{instrument.name}, {sentence}" for sentence in failures(result)]
        if out is not None:
            _print(f"saved: {result.save(out)}")
    for sentence in wrong:
        _print(sentence)
    if wrong:
        raise typer.Exit(1)


@app.command()
def audit(run: RunArgument) -> None:
    """Check every file, ledger line and number in the report; exit code 1 if any differs."""
    from cortiscope.ledger import Run
    from cortiscope.report.contents import Contents
    from cortiscope.report.html import page
    from cortiscope.studies import audit as audit_run

    opened = Run.open(run)
    findings = list(audit_run(opened, page=lambda held: page(Contents.read(held))))
    for finding in findings:
        _print(f"{finding.path} {finding.problem}")
    if findings:
        raise typer.Exit(1)
    _print(f"{len(opened.entries())} artifacts are as they were recorded.")


@app.command()
def trace(
    run: RunArgument,
    address: Annotated[str, typer.Argument(help=_ADDRESS, metavar="ADDRESS")],
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON")] = False,
) -> None:
    """Print what a number comes from: stimuli, weights, packages, code, parameters."""
    import json

    from cortiscope.ledger import Run
    from cortiscope.studies import trace as trace_address

    chain = trace_address(Run.open(run), address)
    _print(json.dumps(chain.to_dict(), indent=1) if as_json else repr(chain))


@app.command()
def reproduce(
    run: RunArgument,
    address: Annotated[str | None, typer.Argument(help=_ADDRESS, metavar="ADDRESS")] = None,
) -> None:
    """Compute results again from the recordings and compare; exit code 1 if any differs."""
    from cortiscope.ledger import Run
    from cortiscope.studies import reproduce as reproduce_run

    compared = reproduce_run(Run.open(run), address)
    for one in compared:
        _print(str(one))
    if any(one.outcome == "differs" for one in compared):
        raise typer.Exit(1)


@app.command()
def report(run: RunArgument) -> None:
    """Write the report of a run again."""
    from cortiscope.ledger import Run
    from cortiscope.report import write_report
    from cortiscope.studies import write_crate

    opened = Run.open(run)
    _print(f"report: {write_report(opened)}")
    write_crate(opened)


@app.command()
def view(run: RunArgument) -> None:
    """Open the report of a run in the browser."""
    from cortiscope.errors import InputError
    from cortiscope.ledger import Run

    path = Run.open(run).report.resolve()
    if not path.exists():
        msg = f"{run} has no report yet: finish the run, or write it with `cortiscope report`."
        raise InputError(msg)
    typer.launch(path.as_uri())
    _print(str(path))


@specimen_app.command("train")
def specimen_train(
    texts: Annotated[list[Path], typer.Argument(help="Text files, .txt or .txt.gz", exists=True)],
    out: Annotated[Path, typer.Option(help="Folder of the model")],
    seed: Annotated[int, typer.Option(help="Seed of everything random")] = 0,
    tokens: Annotated[int, typer.Option(min=1, help="Training tokens")] = 15_000_000,
    family: Annotated[str, typer.Option(help="Architecture")] = "qwen2",
) -> None:
    """Train a specimen from scratch; the same command goes on where it was interrupted."""
    from cortiscope.subjects.training import train_specimen

    folder = train_specimen(texts, out, seed=seed, n_tokens=tokens, family=family)
    _print(f"specimen: {folder}")


def _instruments(name: str | None, known: Any) -> list[Any]:
    from cortiscope.errors import InputError

    if name is not None and name not in known:
        msg = f"there is no analysis {name!r}: choose among {', '.join(known)}."
        raise InputError(msg)
    return [known[name]] if name else list(known.values())


def _version(asked: bool) -> None:
    if asked:
        _print(f"cortiscope {__version__}")
        raise typer.Exit


@app.callback()
def _front(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version")
    ] = False,
) -> None:
    pass


def _load(
    subject: str,
    revision: str | None = None,
    model_dtype: str | None = None,
    attention: Attention | None = None,
    device: str | None = None,
    device_map: str | None = None,
) -> Any:
    from cortiscope import Subject

    return Subject.load(
        subject,
        revision=revision,
        dtype=model_dtype,
        attention=attention.value if attention else None,
        device=device,
        device_map=device_map,
    )


def main() -> None:
    """Run the command line; errors become one sentence and an exit code."""
    try:
        app()
    except CortiscopeError as error:
        _fail(str(error), error.exit_code, error)
    except KeyboardInterrupt as error:
        _fail("interrupted: the same command continues where it stopped.", 130, error)
    except MemoryError as error:
        _fail("out of memory: lower --batch-size or scan fewer sites.", 3, error)
    except OSError as error:
        _fail(f"{error.strerror or error}: {error.filename or 'the disk'}.", 3, error)


def _fail(sentence: str, code: int, error: BaseException) -> None:
    if os.environ.get("CORTISCOPE_DEBUG"):
        raise error
    _err.print(f"[bold red]error:[/] {_escaped(sentence)}", soft_wrap=True, highlight=False)
    sys.exit(code)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)

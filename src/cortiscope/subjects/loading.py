"""From a name to a model and its tokenizer, or to one sentence that says what to do."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from cortiscope.errors import InputError, MachineError
from cortiscope.subjects import hub
from cortiscope.subjects.families import ENTRY_POINT_GROUP, Family, family_of, registered
from cortiscope.subjects.sources import Source, check_weight_files, find
from cortiscope.subjects.tokens import check_tokenizer

DTYPES: Mapping[str, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float64": torch.float64,
}
ATTENTIONS = ("sdpa", "eager")
_CONSTANTS = r"(masked_bias|inv_freq)$"
_VOCABULARIES = ("tokenizer.json", "*vocab*", "*.model", "*.tiktoken")


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A model, its tokenizer, and where both came from."""

    model: Any
    tokenizer: Any
    source: Source


def load(
    spec: str,
    *,
    revision: str | None,
    dtype: str | torch.dtype | None,
    device: str | torch.device | None,
    device_map: str | Mapping[str, Any] | None,
    attention: str | None,
    trust_remote_code: bool,
    allow_pickle: bool,
) -> Loaded:
    """Load a model with its tokenizer; see `cortiscope.subjects.Subject.load`."""
    if attention is not None and attention not in ATTENTIONS:
        raise InputError(
            f"There is no attention kernel {attention!r} here; choose {' or '.join(ATTENTIONS)}."
        )
    if device is not None and device_map is not None:
        raise InputError("device and device_map exclude each other; give only one of them.")
    target = choose_device(device)
    source = find(spec, revision, trust_remote_code=trust_remote_code)
    config = read_config(source, trust_remote_code)
    family = family_of(config, source.name)
    with _quiet():
        tokenizer = read_tokenizer(source, trust_remote_code)
    hub.fetch_weights(source, allow_pickle=allow_pickle)
    check_weight_files(source, allow_pickle=allow_pickle)
    with _quiet():
        model = _read_model(
            source,
            config,
            family,
            dtype=choose_dtype(dtype, target),
            device_map=device_map,
            attention=attention,
            trust_remote_code=trust_remote_code,
            allow_pickle=allow_pickle,
        )
    if device_map is None:
        model = _to_device(model, target, source.name)
    return Loaded(model, tokenizer, source)


def choose_device(device: str | torch.device | None) -> torch.device:
    """Take the device that is asked for, or the fastest kind that is there."""
    if device is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise InputError(
            f"There is no device {device!r}; give cpu, cuda, cuda:1 or mps, or leave it out."
        ) from error
    there = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if (chosen.index or 0) >= there.get(chosen.type, 1):
        raise InputError(
            f"This machine has no device {device}; leave it out to take what is there."
        )
    return chosen


def choose_dtype(dtype: str | torch.dtype | None, device: torch.device) -> str | torch.dtype:
    """Take the dtype that is asked for: by default the checkpoint's, and float32 on a CPU."""
    if dtype is None:
        return torch.float32 if device.type == "cpu" else "auto"
    if isinstance(dtype, torch.dtype) or dtype == "auto":
        return dtype
    if dtype not in DTYPES:
        raise InputError(f"There is no dtype {dtype!r} here; choose auto, {', '.join(DTYPES)}.")
    return DTYPES[dtype]


def read_config(source: Source, trust_remote_code: bool) -> Any:
    """Read a configuration, and refuse what no family covers before any weights are fetched."""
    from transformers import CONFIG_MAPPING, AutoConfig

    path = source.folder / "config.json"
    if not path.exists():
        raise InputError(
            f"{source.name} has no config.json; give the folder or repository of a model as "
            "save_pretrained writes it."
        )
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(
            f"The config.json of {source.name} is not JSON ({error}); fetch it again."
        ) from error
    model_type = raw.get("model_type")
    if model_type not in CONFIG_MAPPING and not (trust_remote_code and "auto_map" in raw):
        raise InputError(
            f"{source.name} is of the model type {model_type}, which this version of transformers "
            f"does not know (Cortiscope knows {', '.join(sorted(registered()))}); choose another "
            "model, or pass trust_remote_code=True if it brings code that you trust and a family "
            f"is registered for it through the entry-point group {ENTRY_POINT_GROUP}."
        )
    try:
        return AutoConfig.from_pretrained(source.folder, trust_remote_code=trust_remote_code)
    except Exception as error:  # whatever validation a configuration class does
        raise InputError(
            f"The config.json of {source.name} cannot be used ({_short(error)}); mend it or "
            "choose another checkpoint."
        ) from error


def read_tokenizer(source: Source, trust_remote_code: bool) -> Any:
    """Read a tokenizer, which must be a fast one."""
    from transformers import AutoTokenizer

    if not any(path for pattern in _VOCABULARIES for path in source.folder.glob(pattern)):
        raise InputError(
            f"{source.name} has no tokenizer; save one beside the model with "
            "tokenizer.save_pretrained."
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            source.folder, trust_remote_code=trust_remote_code
        )
    except Exception as error:  # transformers raises whatever its many loaders raise
        raise InputError(
            f"The tokenizer of {source.name} cannot be read ({_short(error)}); save one "
            "beside the model with tokenizer.save_pretrained."
        ) from error
    check_tokenizer(tokenizer, source.name)
    return tokenizer


def _read_model(
    source: Source,
    config: Any,
    family: Family,
    *,
    dtype: str | torch.dtype,
    device_map: str | Mapping[str, Any] | None,
    attention: str | None,
    trust_remote_code: bool,
    allow_pickle: bool,
) -> Any:
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

    auto = AutoModelForMaskedLM if family.head == "masked" else AutoModelForCausalLM
    try:
        model, info = auto.from_pretrained(
            source.folder,
            config=config,
            dtype=dtype,
            device_map=device_map,
            attn_implementation=attention,
            use_safetensors=None if allow_pickle else True,
            trust_remote_code=trust_remote_code,
            ignore_mismatched_sizes=True,  # to name them below, where they are refused
            output_loading_info=True,
        )
    except torch.OutOfMemoryError as error:
        raise _no_memory(source.name) from error
    except Exception as error:  # transformers raises OSError, ValueError, RuntimeError and others
        if attention is not None and "attention implementation" in str(error):
            raise InputError(
                f"{source.name} is a {family.name} model, which transformers does not run with "
                f"{attention} attention; leave the kernel out to take the one that it has."
            ) from error
        raise InputError(
            f"{source.name} cannot be loaded ({_short(error)}); look whether its files are whole "
            "and belong together."
        ) from error
    check_loading(info, family, source.name)
    return model


def check_loading(info: Mapping[str, Any], family: Family, name: str) -> None:
    """Raise `InputError` when weights were made up, or weights of the blocks were left out.

    Parameters
    ----------
    info : mapping
        What transformers tells with ``output_loading_info=True``.
    family : Family
        The model's entry.
    name : str
        The subject's name.
    """
    misshapen = sorted(key for key, *_ in info["mismatched_keys"])
    if misshapen:
        raise InputError(
            f"{name} has weights of another shape than its configuration asks for "
            f"({_some(misshapen)}); mend config.json or choose another checkpoint."
        )
    made_up = sorted(info["missing_keys"])
    if made_up:
        raise InputError(
            f"{name} lacks weights that its configuration asks for ({_some(made_up)}) and random "
            "ones would stand in for them; choose a complete checkpoint, with its head."
        )
    # A pooler or a second head that is left out changes nothing, nor does a constant that older
    # versions saved; a part of a block would.
    in_block = re.compile(rf"(^|\.){re.escape(family.blocks)}\.\d+\.(?!.*{_CONSTANTS})")
    left_out = sorted(key for key in info["unexpected_keys"] if in_block.search(key))
    if left_out:
        raise InputError(
            f"{name} has weights for which its configuration has no place ({_some(left_out)}); "
            "mend config.json or choose another checkpoint."
        )


def _to_device(model: Any, device: torch.device, name: str) -> Any:
    try:
        return model.to(device)
    except torch.OutOfMemoryError as error:
        raise _no_memory(name) from error


def _no_memory(name: str) -> MachineError:
    return MachineError(
        f"{name} does not fit into the device's memory; choose a smaller dtype, another device, or "
        'device_map="auto".'
    )


def initialise(model: Any, seed: int, *, dtype: torch.dtype, attention: str) -> Any:
    """Make a model of the same configuration with fresh weights by its own initialiser.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        Whose class, configuration and devices are taken.
    seed : int
        Gives the weights; torch's global random state is left as it was.
    dtype : torch.dtype
        In which the weights are drawn.
    attention : str
        The attention kernel.

    Returns
    -------
    transformers.PreTrainedModel
        On the same device or devices.
    """
    # Drawn on the CPU, whichever device they go to; only the CPU's random state is touched.
    with _quiet(), torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(seed)
        fresh = type(model)._from_config(
            copy.deepcopy(model.config), dtype=dtype, attn_implementation=attention
        )
    device_map = getattr(model, "hf_device_map", None)
    if device_map is not None and len(set(device_map.values())) > 1:
        from accelerate import dispatch_model

        # What was left on disk has no file for fresh weights; memory holds them instead.
        held = {name: "cpu" if device == "disk" else device for name, device in device_map.items()}
        return dispatch_model(fresh, device_map=held)
    return _to_device(fresh, model.get_input_embeddings().weight.device, "the twin")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from reporting what is told in a sentence, and from bars in a log file."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    if not sys.stderr.isatty():
        logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _short(error: BaseException, n_characters: int = 160) -> str:
    text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return text if len(text) <= n_characters else f"{text[:n_characters]}…"


def _some(keys: list[str], n_shown: int = 3) -> str:
    more = f" and {len(keys) - n_shown} more" if len(keys) > n_shown else ""
    return ", ".join(keys[:n_shown]) + more

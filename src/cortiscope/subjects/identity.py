"""What makes two subjects the same: hashes of weights, configuration and tokenizer."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import torch
from torch import nn

from cortiscope.ledger import fingerprint

# Where a configuration was read, what wrote it and how it runs: none of it is the model.
_INCIDENTAL = ("_name_or_path", "transformers_version", "dtype", "torch_dtype", "use_cache")


def hash_config(config: Any) -> str:
    """Hash a configuration without what does not change activations.

    Parameters
    ----------
    config : transformers.PreTrainedConfig
        The configuration.

    Returns
    -------
    str
        64 hexadecimal digits, the same wherever and in whichever dtype the model was loaded.
    """
    return fingerprint(_essential(json.loads(config.to_json_string(use_diff=False))))


def _essential(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _essential(item) for key, item in value.items() if key not in _INCIDENTAL}
    return value


def hash_tokenizer(tokenizer: Any) -> str:
    """Hash everything that decides how a fast tokenizer splits a text.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
        A fast tokenizer.

    Returns
    -------
    str
        64 hexadecimal digits; padding and truncation, which calls set, do not count.
    """
    parts = json.loads(tokenizer.backend_tokenizer.to_str())
    for setting in ("padding", "truncation"):
        parts.pop(setting, None)
    return fingerprint({"backend": parts, "special": tokenizer.special_tokens_map})


def hash_state(model: nn.Module) -> str:
    """Hash the weights of a model in memory.

    Parameters
    ----------
    model : nn.Module
        The model.

    Returns
    -------
    str
        64 hexadecimal digits over names, dtypes, shapes and bytes of its state.

    Examples
    --------
    >>> a, b = nn.Linear(2, 2), nn.Linear(2, 2)
    >>> hash_state(a) == hash_state(a), hash_state(a) == hash_state(b)
    (True, False)
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        tensor = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()

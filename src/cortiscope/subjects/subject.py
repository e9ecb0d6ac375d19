"""Who lies in the scanner: a model and its tokenizer behind one proved anatomy."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cortiscope.errors import InputError
from cortiscope.ledger import fingerprint, package_versions
from cortiscope.subjects import loading
from cortiscope.subjects.anatomy import Anatomy
from cortiscope.subjects.display import html_table
from cortiscope.subjects.families import family_of
from cortiscope.subjects.identity import hash_config, hash_state, hash_tokenizer
from cortiscope.subjects.proof import Proof
from cortiscope.subjects.proving import prove
from cortiscope.subjects.sources import Source
from cortiscope.subjects.tokens import (
    PaddingSide,
    SpecialTokens,
    Tokens,
    check_tokenizer,
    pad,
    positions,
    tokenize,
)

# Two texts of different length, so that the proof also sees padding.
_PROOF_TEXTS = ("The robin sat in the old tree and sang, then it flew away.", "One red apple.")


class Subject:
    """A language model that can be scanned.

    Made by `Subject.load` or `Subject.from_model`. Making one proves its anatomy, which takes two
    short forward passes; sites that cannot be proved are refused by name.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        With its head; put into evaluation mode.
    tokenizer : transformers.PreTrainedTokenizerBase
        A fast tokenizer.
    name : str
        What it is called in reports.
    source : Source or None
        Where its weights come from; None for a model made in memory.
    origin : mapping or None
        What a model made in memory was made from, where that says more than its weights.

    Attributes
    ----------
    anatomy : Anatomy
        Where its sites are.
    proof : Proof
        What the anatomy showed about itself.
    special_tokens : SpecialTokens
        Which special tokens texts get.

    Examples
    --------
    >>> from tokenizers import Tokenizer, models, pre_tokenizers
    >>> from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
    >>> words = Tokenizer(models.WordLevel({"?": 0, "a": 1, "robin": 2}, unk_token="?"))
    >>> words.pre_tokenizer = pre_tokenizers.Whitespace()
    >>> tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="?")
    >>> config = LlamaConfig(vocab_size=3, hidden_size=8, intermediate_size=16,
    ...     num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1)
    >>> subject = Subject.from_model(LlamaForCausalLM(config), tokenizer, name="tiny")
    >>> subject.anatomy.shape("head_out")
    (('head', 2), ('head_unit', 4))
    >>> batch = subject.collate(subject.tokenize(["a robin", "robin"]))
    >>> subject.forward(batch, logits=True).shape
    torch.Size([2, 2, 3])
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        name: str,
        *,
        source: Source | None = None,
        origin: Mapping[str, Any] | None = None,
    ) -> None:
        check_tokenizer(tokenizer, name)
        self.name = name
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.special_tokens = SpecialTokens.of(tokenizer, self.n_vocabulary)
        self._source = source
        self._origin = origin
        family = family_of(model.config, name)
        self.anatomy = Anatomy(model, family)
        self.proof = self._prove()
        self.anatomy = Anatomy(model, family, self.proof.refused)

    @classmethod
    def load(
        cls,
        spec: str | Path,
        *,
        revision: str | None = None,
        dtype: str | torch.dtype | None = None,
        device: str | torch.device | None = None,
        device_map: str | Mapping[str, Any] | None = None,
        attention: str | None = None,
        trust_remote_code: bool = False,
        allow_pickle: bool = False,
    ) -> Subject:
        """Load a model with its tokenizer, and prove its anatomy.

        Parameters
        ----------
        spec : str or Path
            ``specimen:NAME``, a local directory, or the id of a repository on the hub.
        revision : str or None
            Branch, tag or commit of a repository on the hub; its main branch by default.
        dtype : str, torch.dtype or None
            Such as "bfloat16", or "auto" for the checkpoint's own, which is the default on an
            accelerator; float32 is the default on a CPU.
        device : str, torch.device or None
            By default CUDA, else MPS, else CPU, whichever is there first.
        device_map : str, mapping or None
            Passed to transformers to spread a model over several devices; excludes `device`.
        attention : {"sdpa", "eager"} or None
            The attention kernel; by default SDPA, and eager in families that need it.
        trust_remote_code : bool
            Run Python code that comes with the checkpoint.
        allow_pickle : bool
            Load weights that are not safetensors.

        Returns
        -------
        Subject
            Ready to be scanned.

        Raises
        ------
        InputError
            When it cannot be found, read, or proved; the message says what to do.
        """
        loaded = loading.load(
            str(spec),
            revision=revision,
            dtype=dtype,
            device=device,
            device_map=device_map,
            attention=attention,
            trust_remote_code=trust_remote_code,
            allow_pickle=allow_pickle,
        )
        return cls(loaded.model, loaded.tokenizer, loaded.source.name, source=loaded.source)

    @classmethod
    def from_model(cls, model: Any, tokenizer: Any, name: str = "model") -> Subject:
        """Take a transformers model that is already there, and prove its anatomy.

        Parameters
        ----------
        model : transformers.PreTrainedModel
            With its head. It is put into evaluation mode.
        tokenizer : transformers.PreTrainedTokenizerBase
            A fast tokenizer.
        name : str
            What it is called in reports.

        Returns
        -------
        Subject
            Ready to be scanned.
        """
        return cls(model, tokenizer, name)

    def twin(self, seed: int) -> Subject:
        """Make the untrained twin: the same architecture with fresh initial weights.

        Parameters
        ----------
        seed : int
            Gives the weights; torch's own random state is left as it was.

        Returns
        -------
        Subject
            With the same configuration, tokenizer, dtype, device and attention kernel, whose
            weights come from the family's own initialiser, named ``NAME--twin-SEED``.
        """
        model = loading.initialise(self.model, seed, dtype=self.dtype, attention=self.attention)
        return type(self)(
            model,
            self.tokenizer,
            f"{self.name}--twin-{seed}",
            origin={"initialised from": hash_config(self.model.config), "seed": seed},
        )

    @property
    def slug(self) -> str:
        """The name as it may stand in a file name."""
        return re.sub(r"[^A-Za-z0-9._-]+", "-", self.name).strip("-.") or "subject"

    @property
    def device(self) -> torch.device:
        """Where inputs go: the device of the embedding."""
        embedding = self.model.get_input_embeddings()
        if embedding.weight.is_meta:  # offloaded, and fetched for each pass
            return torch.device(embedding._hf_hook.execution_device)
        return torch.device(embedding.weight.device)

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the weights, and of what is read at the sites."""
        dtype: torch.dtype = self.model.dtype
        return dtype

    @property
    def attention(self) -> str:
        """The attention kernel, such as "sdpa"."""
        return str(self.model.config.get_text_config()._attn_implementation)

    @property
    def n_context(self) -> int | None:
        """Tokens that a text may have, special ones included; None where nothing limits them."""
        n_positions = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        return None if n_positions is None else int(n_positions) - self._first_position

    @property
    def n_vocabulary(self) -> int:
        """Ids that the embedding has a row for."""
        return int(self.model.get_input_embeddings().weight.shape[0])

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        """Turn texts into tokens, with the special tokens that the tokenizer adds by default.

        Parameters
        ----------
        texts : sequence of str
            What is shown.

        Returns
        -------
        list of Tokens
            One a text, without padding.

        Raises
        ------
        InputError
            When a text has no tokens, or more than the model takes.
        """
        tokens = tokenize(self.tokenizer, texts, self.name)
        n_context, n_vocabulary = self.n_context, self.n_vocabulary
        for text, row in zip(texts, tokens, strict=True):
            if n_context is not None and len(row) > n_context:
                raise InputError(
                    f"The text {text[:40]!r}… has {len(row):,} tokens and {self.name} takes at "
                    f"most {n_context:,}; shorten it."
                )
            if max(row.ids) >= n_vocabulary:
                raise InputError(
                    f"The tokenizer of {self.name} gives the id {max(row.ids)} for {text[:40]!r} "
                    f"and the model has {n_vocabulary:,} ids; give the model its own tokenizer."
                )
        return tokens

    def collate(
        self,
        tokens: Sequence[Tokens],
        *,
        length: int | None = None,
        padding_side: PaddingSide = "right",
    ) -> dict[str, Tensor]:
        """Lay texts into one batch whose result does not depend on where the padding is.

        Parameters
        ----------
        tokens : sequence of Tokens
            From `tokenize`.
        length : int or None
            Columns of the batch; by default those of the longest text.
        padding_side : {"right", "left"}
            Where the padding goes.

        Returns
        -------
        dict of str to Tensor
            ``input_ids``, ``attention_mask`` and, where the model takes them, ``position_ids``
            counted from each text's first token; int64 (batch, token) on the subject's device.
        """
        ids, mask = pad(
            tokens, self.special_tokens.pad_id, length=length, padding_side=padding_side
        )
        batch = {"input_ids": ids, "attention_mask": mask}
        if self._takes_positions:
            batch["position_ids"] = positions(mask, self._first_position)
        return {name: tensor.to(self.device) for name, tensor in batch.items()}

    @torch.no_grad()
    def forward(self, batch: Mapping[str, Tensor], *, logits: bool = False) -> Tensor:
        """Run the model on a batch.

        Parameters
        ----------
        batch : mapping of str to Tensor
            From `collate`.
        logits : bool
            Run the unembedding too; without it only the language model's body runs.

        Returns
        -------
        Tensor
            The logits (batch, token, vocabulary), or the body's last hidden state, after the final
            norm, (batch, token, unit).
        """
        if logits:
            output: Tensor = self.model(**batch, use_cache=False).logits
            return output
        state: Tensor = self.anatomy.body(**batch, use_cache=False)[0]
        return state

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hash of what its activations depend on: weights, configuration, tokenizer, dtype, kernel.

        Weights are hashed on first use, which takes a while for a large model; nobody may change
        them in place after that.
        """
        return fingerprint({name: self._identity[name] for name in sorted(self._identity)})

    @functools.cached_property
    def _identity(self) -> dict[str, Any]:
        if self._source is not None:
            weights: Any = self._source.hash_weights()
        else:
            weights = dict(self._origin or {}) or {"state": hash_state(self.model)}
        return {
            "weights": weights,
            "config": hash_config(self.model.config),
            "tokenizer": hash_tokenizer(self.tokenizer),
            "dtype": str(self.dtype).removeprefix("torch."),
            "attention": self.attention,
            "special_tokens": self.special_tokens.to_dict(),
        }

    def record(self) -> dict[str, Any]:
        """Say who this is, as the run directory keeps it.

        Returns
        -------
        dict
            JSON-able: name, source and revision, hashes of weights, configuration and tokenizer,
            dtype, attention kernel, policy on special tokens, the anatomy's proof, versions.
        """
        return {
            "name": self.name,
            "fingerprint": self.fingerprint,
            "source": None if self._source is None else self._source.to_dict(),
            **self._identity,
            "device": str(self.device),
            "family": self.anatomy.family.name,
            "n_layers": self.anatomy.n_layers,
            "n_units": self.anatomy.n_units,
            "n_parameters": self.n_parameters,
            "proof": self.proof.to_dict(),
            "warnings": list(self.warnings),
            "versions": package_versions(),
        }

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of its results should know, a sentence each; often nothing."""
        found = [
            f"The site {site} of {self.name} is refused because {reason}."
            for site, reason in self.anatomy.refused.items()
        ]
        if self.anatomy.family.bos and not self.special_tokens.before:
            found.append(
                f"The tokenizer of {self.name} puts no special token in front of a text, although "
                f"models of the family {self.anatomy.family.name} are trained with one: look "
                "whether its model card does."
            )
        return tuple(found)

    @property
    def n_parameters(self) -> int:
        """How many numbers were trained, tied ones counted once."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    @functools.cached_property
    def _takes_positions(self) -> bool:
        return "position_ids" in inspect.signature(self.anatomy.body.forward).parameters

    @functools.cached_property
    def _first_position(self) -> int:
        offset = self.anatomy.family.position_offset
        if offset is None:
            return 0
        return int(getattr(self.model.config.get_text_config(), offset)) + 1

    def _prove(self) -> Proof:
        batch = self.collate(self.tokenize(_PROOF_TEXTS))
        return prove(
            self.anatomy,
            self.name,
            batch,
            run_body=lambda: self.forward(batch),
            run_model=lambda: self.forward(batch, logits=True),
            dtype=self.dtype,
        )

    def _facts(self) -> dict[str, str]:
        anatomy = self.anatomy
        policy = self.special_tokens
        refused = [f"{site} ({reason})" for site, reason in anatomy.refused.items()]
        return {
            "family": f"{anatomy.family.name}, blocks {anatomy.block_kind}",
            "size": f"{self.n_parameters:,} parameters, {anatomy.n_layers} layers, "
            f"{anatomy.n_units:,} units, {anatomy.n_heads} heads",
            "runs in": f"{str(self.dtype).removeprefix('torch.')} on {self.device}, "
            f"{self.attention} attention",
            "texts get": " ".join([*policy.before, "…", *policy.after]),
            "proved": ", ".join(anatomy.sites),
            **({"refused": "; ".join(refused)} if refused else {}),
        }

    def __repr__(self) -> str:
        """Say in a few lines who this is."""
        lines = [f"  {name:<10}{text}" for name, text in self._facts().items()]
        return "\n".join([f"Subject {self.name}", *lines])

    def _repr_html_(self) -> str:
        return html_table(f"Subject {self.name}", list(self._facts().items()))

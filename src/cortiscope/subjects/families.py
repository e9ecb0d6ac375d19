"""One declarative entry a family: where its blocks are, and what each block adds to the stream.

An entry holds module paths and nothing that computes. What follows from it is in
`cortiscope.subjects.anatomy` (finding the modules) and `cortiscope.subjects.proof` (proving on the
loaded model that the entry says the truth). Packages register more families through the
entry-point group ``cortiscope.families``: each entry point names a `Family` or a sequence of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from cortiscope.errors import InputError
from cortiscope.plugins import with_plugins

BlockKind = Literal[
    "additive",
    "additive after post-norms",
    "additive with declared terms",
    "not additive",
]
End = Literal["input", "output"]

ENTRY_POINT_GROUP = "cortiscope.families"


@dataclasses.dataclass(frozen=True)
class Place:
    """A tensor that a module takes or gives.

    Parameters
    ----------
    path : str
        The module, as a dotted path below the block; empty for the block itself.
    end : {"input", "output"}
        Which of its two ends.
    flat : bool
        True where the block hands the module all tokens of a batch in one axis, (batch * token,
        width), as OPT's feed-forward layers get them.
    """

    path: str
    end: End
    flat: bool = False


@dataclasses.dataclass(frozen=True)
class Sublayer:
    """Attention or MLP of a block, from the input of its last projection to the stream.

    Parameters
    ----------
    adds : Place
        Where one reads what is added to the stream: after any post-norm, before the addition.
    writes : tuple of str
        The modules, in order, that lead from the units (heads) to what is added: the output
        projection, then the post-norm where the family has one.
    norm : str or None
        The norm that follows the addition in a post-LN block, whose output is the new stream.
    """

    adds: Place
    writes: tuple[str, ...]
    norm: str | None = None


@dataclasses.dataclass(frozen=True)
class Variant:
    """What changes in an entry when the model's configuration has certain values."""

    when: Mapping[str, Any]
    changes: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Family:
    """How one family of models is laid out.

    Parameters
    ----------
    name : str
        What people call it.
    model_types : tuple of str
        The ``model_type`` of the configurations that it covers.
    kind : str
        How a block changes the stream: see `BlockKind`.
    body : str
        Path of the module that embeds and runs all blocks, without the unembedding.
    blocks : str
        Path of the list of blocks, from the body.
    attention, mlp : Sublayer
        The two halves of a block.
    between : Place or None
        Where the stream between the two halves is read; None where both read the same stream.
    terms : tuple of Place
        What a block adds besides; a term whose module a model does not have is not part of it.
    scale : str or None
        Attribute of the block by which the whole new stream is multiplied.
    tail : tuple of str
        The modules, in order and from the model's root, that lead from the last block's output to
        the model's own output; one that is None in a model is passed over.
    logit_cap : str or None
        Attribute of the text configuration that holds the soft cap of the output.
    head : {"causal", "masked"}
        Which task the model is loaded with.
    bos : bool
        Whether its models were trained with a special token in front of every text.
    position_offset : str or None
        Attribute of the configuration after which positions start, as RoBERTa's count from
        ``pad_token_id + 1``; None where they start from 0.
    variants : tuple of Variant
        Changes by configuration.
    """

    name: str
    model_types: tuple[str, ...]
    kind: BlockKind
    body: str
    blocks: str
    attention: Sublayer
    mlp: Sublayer
    between: Place | None
    tail: tuple[str, ...]
    terms: tuple[Place, ...] = ()
    scale: str | None = None
    logit_cap: str | None = None
    head: Literal["causal", "masked"] = "causal"
    bos: bool = False
    position_offset: str | None = None
    variants: tuple[Variant, ...] = ()

    def resolve(self, config: Any) -> Family:
        """Give the entry as it holds for one configuration.

        Parameters
        ----------
        config : transformers.PreTrainedConfig
            The configuration of the text model.

        Returns
        -------
        Family
            With the changes of every variant that applies, and no variants left.
        """
        family = dataclasses.replace(self, variants=())
        for variant in self.variants:
            if all(getattr(config, name, None) == value for name, value in variant.when.items()):
                family = dataclasses.replace(family, **variant.changes)
        return family


_LLAMA = Family(
    name="Llama",
    model_types=("llama",),
    kind="additive",
    body="model",
    blocks="layers",
    attention=Sublayer(Place("self_attn", "output"), ("self_attn.o_proj",)),
    mlp=Sublayer(Place("mlp", "output"), ("mlp.down_proj",)),
    between=Place("post_attention_layernorm", "input"),
    tail=("model.norm", "lm_head"),
    bos=True,
)

_GEMMA2 = Family(
    name="Gemma 2",
    model_types=("gemma2",),
    kind="additive after post-norms",
    body="model",
    blocks="layers",
    attention=Sublayer(
        Place("post_attention_layernorm", "output"),
        ("self_attn.o_proj", "post_attention_layernorm"),
    ),
    mlp=Sublayer(
        Place("post_feedforward_layernorm", "output"),
        ("mlp.down_proj", "post_feedforward_layernorm"),
    ),
    between=Place("pre_feedforward_layernorm", "input"),
    tail=("model.norm", "lm_head"),
    logit_cap="final_logit_softcapping",
    bos=True,
)

_GEMMA4 = dataclasses.replace(
    _GEMMA2,
    name="Gemma 4",
    model_types=("gemma4_text", "gemma4_unified_text"),
    kind="additive with declared terms",
    terms=(Place("post_per_layer_input_norm", "output"),),
    scale="layer_scalar",
)

# A multimodal wrapper holds the same text model one level further down.
_WRAPPED: dict[str, Any] = {
    "body": "model.language_model",
    "tail": ("model.language_model.norm", "lm_head"),
}

_OPT = Family(
    name="OPT",
    model_types=("opt",),
    kind="additive",
    body="model.decoder",
    blocks="layers",
    attention=Sublayer(Place("self_attn", "output"), ("self_attn.out_proj",)),
    mlp=Sublayer(Place("fc2", "output", flat=True), ("fc2",)),
    between=Place("final_layer_norm", "input", flat=True),
    tail=("model.decoder.final_layer_norm", "model.decoder.project_out", "lm_head"),
    bos=True,
    variants=(
        Variant(
            {"do_layer_norm_before": False},
            {
                "kind": "not additive",
                "attention": Sublayer(
                    Place("self_attn", "output"), ("self_attn.out_proj",), "self_attn_layer_norm"
                ),
                "mlp": Sublayer(Place("fc2", "output", flat=True), ("fc2",), "final_layer_norm"),
                "between": Place("fc1", "input", flat=True),
            },
        ),
    ),
)

_BERT = Family(
    name="BERT",
    model_types=("bert",),
    kind="not additive",
    body="bert",
    blocks="encoder.layer",
    attention=Sublayer(
        Place("attention.output.dense", "output"),
        ("attention.output.dense",),
        "attention.output.LayerNorm",
    ),
    mlp=Sublayer(Place("output.dense", "output"), ("output.dense",), "output.LayerNorm"),
    between=Place("intermediate", "input"),
    tail=("cls",),
    head="masked",
    bos=True,
)

BUILT_IN: tuple[Family, ...] = (
    Family(
        name="GPT-2",
        model_types=("gpt2",),
        kind="additive",
        body="transformer",
        blocks="h",
        attention=Sublayer(Place("attn", "output"), ("attn.c_proj",)),
        mlp=Sublayer(Place("mlp", "output"), ("mlp.c_proj",)),
        between=Place("ln_2", "input"),
        tail=("transformer.ln_f", "lm_head"),
    ),
    Family(
        name="GPT-NeoX",
        model_types=("gpt_neox",),
        kind="additive",
        body="gpt_neox",
        blocks="layers",
        attention=Sublayer(Place("attention", "output"), ("attention.dense",)),
        mlp=Sublayer(Place("mlp", "output"), ("mlp.dense_4h_to_h",)),
        between=None,
        tail=("gpt_neox.final_layer_norm", "lm_head"),
        variants=(
            Variant(
                {"use_parallel_residual": False},
                {"between": Place("post_attention_layernorm", "input")},
            ),
        ),
    ),
    _OPT,
    _LLAMA,
    dataclasses.replace(_LLAMA, name="Mistral", model_types=("mistral",)),
    dataclasses.replace(_LLAMA, name="Qwen2", model_types=("qwen2",), bos=False),
    dataclasses.replace(_LLAMA, name="Qwen3", model_types=("qwen3",), bos=False),
    dataclasses.replace(_LLAMA, name="Phi-3", model_types=("phi3",), bos=False),
    _GEMMA2,
    dataclasses.replace(_GEMMA2, name="Gemma 3", model_types=("gemma3_text",)),
    # The wrapper of Gemma 3 leaves out the soft cap that its text model applies.
    dataclasses.replace(
        _GEMMA2, name="Gemma 3", model_types=("gemma3",), logit_cap=None, **_WRAPPED
    ),
    _GEMMA4,
    dataclasses.replace(_GEMMA4, model_types=("gemma4", "gemma4_unified"), **_WRAPPED),
    dataclasses.replace(
        _GEMMA2,
        name="OLMo 2",
        model_types=("olmo2",),
        between=Place("mlp", "input"),
        logit_cap=None,
        bos=False,
    ),
    _BERT,
    dataclasses.replace(
        _BERT,
        name="RoBERTa",
        model_types=("roberta",),
        body="roberta",
        tail=("lm_head",),
        position_offset="pad_token_id",
    ),
)


@cache
def registered() -> Mapping[str, Family]:
    """List every family that is there, built in or registered by other packages.

    Returns
    -------
    Mapping of str to Family
        By ``model_type``.

    Raises
    ------
    InputError
        When an entry point does not give a `Family`, or names a model type that is taken.

    Examples
    --------
    >>> registered()["qwen2"].kind
    'additive'
    """
    return with_plugins(BUILT_IN, ENTRY_POINT_GROUP, Family, lambda family: family.model_types)


def family_of(config: Any, name: str) -> Family:
    """Find the entry of a model by its configuration.

    Parameters
    ----------
    config : transformers.PreTrainedConfig
        The model's configuration.
    name : str
        The subject's name, for the message.

    Returns
    -------
    Family
        Resolved for this configuration.

    Raises
    ------
    InputError
        For a mixture of experts, an encoder-decoder, and a family that is not known.
    """
    text = config.get_text_config()
    refuse_mixture_of_experts(text, name)
    families = registered()
    if config.model_type not in families:
        raise InputError(
            f"{name} is of the model type {config.model_type}, of which no family is known (known "
            f"are {', '.join(sorted(families))}); register a cortiscope.subjects.Family for it "
            f"through the entry-point group {ENTRY_POINT_GROUP}."
        )
    return families[config.model_type].resolve(text)


_EXPERT_COUNTS = (
    "num_local_experts",
    "num_experts",
    "n_routed_experts",
    "num_routed_experts",
    "moe_num_experts",
)


def refuse_mixture_of_experts(config: Any, name: str) -> None:
    """Raise `InputError` when a configuration has more than one expert a layer."""
    # Some configurations are dense, and say None or 1 where a mixture says how many.
    for attribute in _EXPERT_COUNTS:
        n_experts = getattr(config, attribute, None)
        if isinstance(n_experts, int) and n_experts > 1:
            raise InputError(
                f"{name} is a mixture of experts ({attribute}={n_experts}), in which a unit of "
                "the MLP is not the same unit for every token; choose a dense model."
            )

"""From a circuit to a model of a real family."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from cortiscope.phantoms.models.circuit import Block, Circuit
from cortiscope.phantoms.models.stream import Array


@dataclass(frozen=True)
class ModelFamily:
    """A family in which a circuit can be built.

    Parameters
    ----------
    name : str
        As its configuration calls it.
    gated : bool
        Whether an MLP multiplies activations by what else it reads.
    model : callable
        Takes a `Circuit` and what every configuration is told; gives a transformers model without
        its weights, and these by name.
    """

    name: str
    gated: bool
    model: Callable[[Circuit, Mapping[str, Any]], tuple[Any, dict[str, Array]]]

    def build(self, circuit: Circuit, *, bos_id: int, eos_id: int) -> Any:
        """Make a model.

        Parameters
        ----------
        circuit : Circuit
            Its weights.
        bos_id, eos_id : int
            Ids of special tokens.

        Returns
        -------
        transformers.PreTrainedModel
            In float32 on the CPU, in evaluation mode. Every parameter was set.
        """
        known = {
            "vocab_size": len(circuit.embedding),
            "bos_token_id": bos_id,
            "eos_token_id": eos_id,
            "tie_word_embeddings": False,
        }
        # What the initialiser draws is overwritten; torch's own random state is left as it was.
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            model, weights = self.model(circuit, known)
        model.load_state_dict(
            {name: torch.from_numpy(value.astype(np.float32)) for name, value in weights.items()}
        )
        return model.eval()


def _llama(circuit: Circuit, known: Mapping[str, Any]) -> tuple[Any, dict[str, Array]]:
    from transformers import LlamaConfig, LlamaForCausalLM

    n_units, first = circuit.embedding.shape[1], circuit.blocks[0]
    config = LlamaConfig(
        **known,
        hidden_size=n_units,
        intermediate_size=len(first.gate),
        num_hidden_layers=len(circuit.blocks),
        num_attention_heads=first.n_heads,
        num_key_value_heads=first.n_heads,
        max_position_embeddings=len(circuit.positions),
    )
    weights = {
        "model.embed_tokens.weight": circuit.embedding,
        "model.norm.weight": np.ones(n_units),
        "lm_head.weight": circuit.unembedding,
    }
    for layer, block in enumerate(circuit.blocks):
        prefix = f"model.layers.{layer}."
        weights |= {
            f"{prefix}input_layernorm.weight": np.ones(n_units),
            f"{prefix}self_attn.q_proj.weight": block.query,
            f"{prefix}self_attn.k_proj.weight": block.key,
            f"{prefix}self_attn.v_proj.weight": block.value,
            f"{prefix}self_attn.o_proj.weight": block.out,
            f"{prefix}post_attention_layernorm.weight": np.ones(n_units),
            f"{prefix}mlp.gate_proj.weight": block.gate,
            f"{prefix}mlp.up_proj.weight": block.up,
            f"{prefix}mlp.down_proj.weight": block.down,
        }
    return LlamaForCausalLM(config), weights


def _gpt2(circuit: Circuit, known: Mapping[str, Any]) -> tuple[Any, dict[str, Array]]:
    from transformers import GPT2Config, GPT2LMHeadModel

    n_units, first = circuit.embedding.shape[1], circuit.blocks[0]
    config = GPT2Config(
        **known,
        n_embd=n_units,
        n_inner=len(first.gate),
        n_layer=len(circuit.blocks),
        n_head=first.n_heads,
        n_positions=len(circuit.positions),
    )
    weights = {
        "transformer.wte.weight": circuit.embedding,
        "transformer.wpe.weight": circuit.positions,
        "lm_head.weight": circuit.unembedding,
        **_layer_norm("transformer.ln_f", n_units),
    }
    for layer, block in enumerate(circuit.blocks):
        prefix = f"transformer.h.{layer}."
        weights |= {
            **_layer_norm(f"{prefix}ln_1", n_units),
            **_conv(f"{prefix}attn.c_attn", np.concatenate([block.query, block.key, block.value])),
            **_conv(f"{prefix}attn.c_proj", block.out),
            **_layer_norm(f"{prefix}ln_2", n_units),
            **_mlp(f"{prefix}mlp", block),
        }
    return GPT2LMHeadModel(config), weights


def _mlp(path: str, block: Block) -> dict[str, Array]:
    return _conv(f"{path}.c_fc", block.gate) | _conv(f"{path}.c_proj", block.down)


def _conv(path: str, weight: Array) -> dict[str, Array]:
    """GPT-2 keeps its matrices (in, out)."""
    return {f"{path}.weight": weight.T, f"{path}.bias": np.zeros(len(weight))}


def _layer_norm(path: str, n_units: int) -> dict[str, Array]:
    return {f"{path}.weight": np.ones(n_units), f"{path}.bias": np.zeros(n_units)}


FAMILIES: dict[str, ModelFamily] = {
    family.name: family
    for family in (ModelFamily("llama", True, _llama), ModelFamily("gpt2", False, _gpt2))
}
"""The families, by name."""

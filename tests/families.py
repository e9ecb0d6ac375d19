"""Small random models of every family, made by transformers' own classes.

Weights are drawn larger than an initialiser would, and norms, biases, layer scales and soft caps
have values that matter, so that a wrong norm or a missing cap cannot pass unnoticed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers

from cortiscope.subjects import Subject

DATA = Path(__file__).parent / "data"
STORIES = DATA / "stories260k"

_COMMON: dict[str, Any] = {
    "vocab_size": 512,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 2,
}
_GATED: dict[str, Any] = {**_COMMON, "intermediate_size": 48, "num_key_value_heads": 2}
_GEMMA: dict[str, Any] = {
    **_GATED,
    "head_dim": 16,
    "query_pre_attn_scalar": 16,
    "sliding_window": 4,
    "final_logit_softcapping": 3.0,
}
_GEMMA4: dict[str, Any] = {
    **_GATED,
    "num_hidden_layers": 4,
    "head_dim": 8,
    "global_head_dim": 8,
    "sliding_window": 4,
    "final_logit_softcapping": 3.0,
    "layer_types": ["sliding_attention", "full_attention"] * 2,
}
_GEMMA4_SMALL: dict[str, Any] = {
    **_GEMMA4,
    "global_head_dim": 16,
    "num_kv_shared_layers": 2,
    "use_double_wide_mlp": True,
    "hidden_size_per_layer_input": 8,
    "vocab_size_per_layer_input": 512,
}
_ENCODER: dict[str, Any] = {**_COMMON, "intermediate_size": 48}
_VISION: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 8,
    "patch_size": 4,
}


def _gemma3() -> Any:
    return transformers.Gemma3Config(
        text_config=transformers.Gemma3TextConfig(**_GEMMA),
        vision_config=transformers.SiglipVisionConfig(**_VISION),
        mm_tokens_per_image=4,
        image_token_id=511,
        boi_token_index=510,
        eoi_token_index=509,
    )


def _gemma4() -> Any:
    return transformers.Gemma4Config(
        text_config=transformers.Gemma4TextConfig(**_GEMMA4_SMALL),
        vision_config=None,
        audio_config=None,
        image_token_id=511,
        video_token_id=510,
        audio_token_id=509,
    )


def _opt(**changes: Any) -> Any:
    return transformers.OPTConfig(
        **{**_COMMON, "ffn_dim": 48, "word_embed_proj_dim": 32, **changes}
    )


_MODELS: Mapping[str, tuple[str, Callable[[], Any]]] = {
    "gpt2": ("GPT2LMHeadModel", lambda: transformers.GPT2Config(**_COMMON)),
    "gpt_neox": (
        "GPTNeoXForCausalLM",
        lambda: transformers.GPTNeoXConfig(**_COMMON, intermediate_size=48),
    ),
    "gpt_neox_sequential": (
        "GPTNeoXForCausalLM",
        lambda: transformers.GPTNeoXConfig(
            **_COMMON, intermediate_size=48, use_parallel_residual=False
        ),
    ),
    "opt": ("OPTForCausalLM", _opt),
    "opt_post_norm": (
        "OPTForCausalLM",
        lambda: _opt(do_layer_norm_before=False, word_embed_proj_dim=16),
    ),
    "llama": ("LlamaForCausalLM", lambda: transformers.LlamaConfig(**_GATED)),
    "mistral": (
        "MistralForCausalLM",
        lambda: transformers.MistralConfig(**_GATED, sliding_window=4),
    ),
    "qwen2": ("Qwen2ForCausalLM", lambda: transformers.Qwen2Config(**_GATED)),
    "qwen3": ("Qwen3ForCausalLM", lambda: transformers.Qwen3Config(**_GATED, head_dim=16)),
    "phi3": ("Phi3ForCausalLM", lambda: transformers.Phi3Config(**_GATED)),
    "olmo2": ("Olmo2ForCausalLM", lambda: transformers.Olmo2Config(**_GATED)),
    "gemma2": (
        "Gemma2ForCausalLM",
        lambda: transformers.Gemma2Config(**_GEMMA, attn_logit_softcapping=2.0),
    ),
    "gemma3_text": ("Gemma3ForCausalLM", lambda: transformers.Gemma3TextConfig(**_GEMMA)),
    "gemma3": ("Gemma3ForConditionalGeneration", _gemma3),
    "gemma4_text": (
        "Gemma4ForCausalLM",
        lambda: transformers.Gemma4TextConfig(**_GEMMA4, hidden_size_per_layer_input=0),
    ),
    "gemma4": ("Gemma4ForConditionalGeneration", _gemma4),
    "gemma4_unified_text": (
        "Gemma4UnifiedForCausalLM",
        lambda: transformers.Gemma4UnifiedTextConfig(**_GEMMA4),
    ),
    "gemma4_unified": (
        "Gemma4UnifiedForConditionalGeneration",
        lambda: transformers.Gemma4UnifiedConfig(
            text_config=transformers.Gemma4UnifiedTextConfig(**{**_GEMMA4, "global_head_dim": 16}),
            vision_config=None,
            audio_config=None,
            image_token_id=511,
            video_token_id=510,
            audio_token_id=509,
        ),
    ),
    "bert": ("BertForMaskedLM", lambda: transformers.BertConfig(**_ENCODER)),
    "roberta": ("RobertaForMaskedLM", lambda: transformers.RobertaConfig(**_ENCODER)),
}


@functools.cache
def tokenizer() -> Any:
    """Read the tokenizer of stories260k: 512 ids, BOS in front of every text."""
    return transformers.AutoTokenizer.from_pretrained(STORIES)


def make_model(name: str, seed: int = 0) -> Any:
    """Make a fresh model of a family, which a test may change."""
    class_name, config = _MODELS[name]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = getattr(transformers, class_name)(config()).eval()
        with torch.no_grad():
            for tensor in model.parameters():
                if tensor.ndim == 1:
                    tensor.add_(0.3 * torch.randn_like(tensor))
                else:
                    tensor.normal_(std=tensor.shape[-1] ** -0.5)
            for key, buffer in model.named_buffers():
                if key.endswith("layer_scalar"):
                    buffer.uniform_(0.5, 1.5)
    return model


@functools.cache
def make_subject(name: str) -> Subject:
    """Make the subject of a family once; tests share it and change nothing of it."""
    return Subject.from_model(make_model(name), tokenizer(), name=name)


FAMILIES: dict[str, Callable[[], Subject]] = {
    name: functools.partial(make_subject, name) for name in _MODELS
}

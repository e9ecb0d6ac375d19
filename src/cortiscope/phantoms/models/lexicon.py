"""The words that a model phantom knows, and a tokenizer with a token for each."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError

if TYPE_CHECKING:
    from cortiscope.phantoms.design import PhantomDesign

UNKNOWN, BOS, EOS = "<unk>", "<s>", "</s>"

# Of prompts that end in a category's name; what else is not known is read as UNKNOWN.
_PROMPT_WORDS = ("a", "an", "are", "is", "it", "kind", "of", "sort", "the", "this", "type", ".")


@dataclass(frozen=True, eq=False)
class Lexicon:
    """The tokens of a model phantom.

    Letter case and the difference between ``_`` and a space are ignored, and a target or a
    category's name is one token however many words it has.

    Parameters
    ----------
    targets : tuple of str
        The words that have a category.
    category : ndarray of intp, shape (n_targets,)
        The category of each.
    categories : tuple of str
        Names of the categories, as the stimuli have them.
    others : tuple of str
        The other tokens of the texts.

    Examples
    --------
    >>> lexicon = Lexicon(("oak", "fir"), np.array([0, 0]), ("tree_kind",), ("the",))
    >>> lexicon.tokenizer()("The oak: a tree kind").tokens()
    ['<s>', 'the', 'oak', '<unk>', '<unk>', 'tree kind']
    """

    targets: tuple[str, ...]
    category: NDArray[np.intp]
    categories: tuple[str, ...]
    others: tuple[str, ...]

    @classmethod
    def of(cls, design: PhantomDesign) -> Lexicon:
        """Collect the words of stimuli.

        Parameters
        ----------
        design : PhantomDesign
            Its table may have texts with the target's span, which are read too.

        Returns
        -------
        Lexicon
            Targets are the words, and what the spans hold where that differs.

        Raises
        ------
        InputError
            When a target has two categories, or two categories one name, once letter case is
            ignored.
        """
        names = tuple(map(_canonical, design.categories))
        if len(set(names)) < len(names):
            raise InputError(
                "Two categories of the phantom's stimuli have the same name but for letter case "
                "and '_'; rename one."
            )
        texts: list[str] = []
        shown = list(design.words)
        index = list(design.category_of_word)
        if {"text", "target_start", "target_end"} <= set(design.table.columns):
            texts = design.table["text"].astype(str).tolist()
            spans = zip(design.table["target_start"], design.table["target_end"], strict=True)
            shown += [text[a:b] for text, (a, b) in zip(texts, spans, strict=True)]
            index += list(design.category)
        category_of: dict[str, int] = {}
        for target, category in zip(map(_canonical, shown), index, strict=True):
            if category_of.setdefault(target, int(category)) != category:
                raise InputError(
                    f"The target {target!r} of the phantom's stimuli is in two categories once "
                    "letter case is ignored; keep it in one."
                )
        special = {*category_of, *names}
        read = _tokens_of(texts, special)
        others = dict.fromkeys(token for token in [*read, *_PROMPT_WORDS] if token not in special)
        return cls(
            targets=tuple(category_of),
            category=np.array(list(category_of.values()), dtype=np.intp),
            categories=design.categories,
            others=tuple(others),
        )

    @cached_property
    def answers(self) -> tuple[str, ...]:
        """The token of each category's name."""
        return tuple(map(_canonical, self.categories))

    @cached_property
    def ids(self) -> dict[str, int]:
        """The id of every token."""
        ordered = [UNKNOWN, BOS, EOS, *self.others, *self.targets, *self.answers]
        return {token: i for i, token in enumerate(dict.fromkeys(ordered))}

    def tokenizer(self) -> Any:
        """Make a fast tokenizer, which starts every text with BOS."""
        from tokenizers import Tokenizer, models, processors
        from transformers import PreTrainedTokenizerFast

        words = Tokenizer(models.WordLevel(self.ids, unk_token=UNKNOWN))
        words.normalizer, words.pre_tokenizer = _splitting({*self.targets, *self.answers})
        words.post_processor = processors.TemplateProcessing(
            single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, self.ids[BOS])]
        )
        return PreTrainedTokenizerFast(
            tokenizer_object=words,
            bos_token=BOS,
            eos_token=EOS,
            unk_token=UNKNOWN,
            clean_up_tokenization_spaces=False,
        )


def _canonical(text: str) -> str:
    return text.lower().replace("_", " ")


def _tokens_of(texts: Iterable[str], whole: set[str]) -> list[str]:
    normalizer, pre_tokenizer = _splitting(whole)
    pieces = (pre_tokenizer.pre_tokenize_str(normalizer.normalize_str(text)) for text in texts)
    return [piece for text in pieces for piece, _ in text]


def _splitting(whole: set[str]) -> tuple[Any, Any]:
    """Give what splits texts into words, keeping some strings of several words whole."""
    from tokenizers import Regex, normalizers, pre_tokenizers

    several = sorted((text for text in whole if not text.isalnum()), key=lambda text: -len(text))
    pattern = "|".join([rf"(?<!\w){re.escape(text)}(?!\w)" for text in several])
    pattern = "|".join(filter(None, [pattern, r"\w+", r"[^\w\s]"]))
    normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Replace("_", " ")])
    return normalizer, pre_tokenizers.Split(Regex(pattern), behavior="removed", invert=True)

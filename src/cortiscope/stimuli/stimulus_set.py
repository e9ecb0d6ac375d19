"""The type that this room makes: a validated, immutable table of stimuli."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cortiscope.errors import InputError, MachineError
from cortiscope.ledger import fingerprint, write_atomically
from cortiscope.stimuli.crossing import crossed
from cortiscope.stimuli.description import Description, described
from cortiscope.stimuli.display import as_html, as_text
from cortiscope.stimuli.grouping import check_groups
from cortiscope.stimuli.readers import SUFFIXES, read_file
from cortiscope.stimuli.rows import Rows
from cortiscope.stimuli.shipped import catalog, read_shipped
from cortiscope.stimuli.validation import COLUMNS, clean_table

__all__ = ["StimulusSet", "catalog"]

_NAME, _FINGERPRINT = b"cortiscope.name", b"cortiscope.fingerprint"


class StimulusSet:
    """What is shown to a subject: sentences, the target in each, and labels.

    A set is made by `load`, `read`, `from_words` or `from_table`, which validate it, and does not
    change after that. Two sets are equal when their content is, whatever their names.

    Parameters
    ----------
    table : DataFrame
        A raw table; see `from_table`.
    name : str
        What the set is called in reports.
    rows : Rows, optional
        What its rows are called in messages.

    Examples
    --------
    >>> stimuli = StimulusSet.from_words(
    ...     {"animal": ["horse", "otter"], "tool": ["hammer", "saw"]},
    ...     {"card": "The word on the card was {word}.", "book": "Please write down {word}."},
    ...     name="two kinds",
    ... )
    >>> stimuli
    StimulusSet 'two kinds': 8 stimuli
      category  2: animal, tool
      word      4: horse, otter, hammer, saw
      frame     2: card, book
      first     The word on the card was [horse].
    >>> stimuli.table.loc[0, "stimulus_id"]
    'animal-horse-card'
    """

    def __init__(self, table: pd.DataFrame, name: str, rows: Rows | None = None) -> None:
        if not isinstance(name, str) or not name.strip():
            raise InputError(f"A set of stimuli is named {name!r}; give it a name in text.")
        if not isinstance(table, pd.DataFrame):
            raise InputError(
                f"The table of stimuli is a {type(table).__name__}, expected a pandas DataFrame; "
                "make one, or read a file with StimulusSet.read."
            )
        self._name = name
        self._table = clean_table(table, rows or Rows("the table"), name)

    @classmethod
    def load(cls, name_or_path: str | Path) -> Self:
        """Load a set that comes with the package by its name, or a file by its path.

        Parameters
        ----------
        name_or_path : str or Path
            A name in `catalog`, or a file as `read` takes it, or as `save` wrote it.

        Returns
        -------
        StimulusSet
            Validated.

        Raises
        ------
        InputError
            For a name that is neither, listing the names that there are.

        Examples
        --------
        >>> len(StimulusSet.load("concepts"))
        1200
        >>> StimulusSet.load("concept")
        Traceback (most recent call last):
        ...
        cortiscope.errors.InputError: There are no stimuli 'concept'; did you mean 'concepts'?
        Shipped are concepts, concepts-30, two_concepts, localizer, facts, reasoning, abilities; a
        file of your own ends in .tsv, .csv, .jsonl or .parquet.
        """
        shipped = catalog()
        name = str(name_or_path)
        if name in shipped:
            table, rows = read_shipped(name)
            return cls(table, name, rows)
        path = Path(name_or_path)
        if path.suffix or path.exists() or len(path.parts) > 1:
            return cls.open(path) if _saved_as(path) else cls.read(path)
        close = get_close_matches(name.lower(), shipped, n=1)
        hint = f"did you mean {close[0]!r}? Shipped are" if close else "shipped are"
        raise InputError(
            f"There are no stimuli {name!r}; {hint} {', '.join(shipped)}; a file of "
            f"your own ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}."
        )

    @classmethod
    def read(cls, path: str | Path, *, name: str | None = None) -> Self:
        """Read a table of stimuli from a TSV, CSV, JSONL or Parquet file.

        Parameters
        ----------
        path : str or Path
            UTF-8 text, or Parquet, with the columns that `from_table` takes.
        name : str, optional
            What the set is called; by default the file's name without its ending.

        Returns
        -------
        StimulusSet
            Validated.

        Raises
        ------
        InputError
            Naming file, line (row, in Parquet), column and what was expected.
        """
        path = Path(path)
        table, rows = read_file(path)
        return cls(table, path.stem if name is None else name, rows)

    @classmethod
    def from_table(cls, table: pd.DataFrame, *, name: str = "stimuli") -> Self:
        """Make a set from a table.

        Parameters
        ----------
        table : DataFrame
            One row a stimulus. Its columns:

            - ``text``: the stimulus, used as it stands, with its spaces. The only one that
              must be there.
            - ``stimulus_id``: unique; without it rows are numbered "NAME-0001" and on.
            - the target, in one of four ways: ``target_start`` and ``target_end``, in characters
              (Unicode code points) from 0, end exclusive; else ``target``, which must stand in
              ``text`` exactly once as a whole word, whatever its case; else ``word``, found in
              the same way; with none of these columns the target is the whole text. A word that
              stands there twice is refused, because which was meant cannot be guessed.
            - every other column is a label, such as ``category``, ``word`` and ``frame`` (always
              text). A further column of which every value is a number, or reads as one, holds
              numbers; any other holds text. Space around labels is taken off.
        name : str
            What the set is called in reports.

        Returns
        -------
        StimulusSet
            Validated.

        Raises
        ------
        InputError
            Naming row, column and what was expected.

        Examples
        --------
        >>> table = pd.DataFrame({"text": ["A cat slept.", "The saw broke."]})
        >>> stimuli = StimulusSet.from_table(table.assign(target=["cat", "saw"]), name="mine")
        >>> stimuli.table
          stimulus_id            text  target_start  target_end
        0   mine-0001    A cat slept.             2           5
        1   mine-0002  The saw broke.             4           7
        """
        return cls(table, name)

    @classmethod
    def from_words(
        cls,
        categories: Mapping[str, Sequence[str]],
        frames: Mapping[str, str],
        *,
        name: str = "words",
    ) -> Self:
        """Cross words with frames: every word in every sentence.

        Parameters
        ----------
        categories : mapping of str to sequence of str
            The words of each category; no word is in two.
        frames : mapping of str to str
            Sentences by name; ``{word}`` in each, once, is where the word goes. It is put there
            as it is written: no capital at the start, no "an" before a vowel.
        name : str
            What the set is called in reports.

        Returns
        -------
        StimulusSet
            Labels category, word and frame; ids such as "animal-horse-card".

        Raises
        ------
        InputError
            For a frame without exactly one slot, a word in two categories, nothing to cross.

        Examples
        --------
        >>> stimuli = StimulusSet.from_words({"animal": ["cat"]}, {"card": "It is a {word}."})
        >>> stimuli.table.loc[0, "text"]
        'It is a cat.'
        """
        return cls(crossed(categories, frames), name)

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a set that `save` wrote, and check that it is what was saved.

        Parameters
        ----------
        path : str or Path
            The Parquet file.

        Returns
        -------
        StimulusSet
            With the name and the fingerprint that it had.

        Raises
        ------
        InputError
            For a file that `save` did not write; `read` takes any table.
        MachineError
            For a content that is not what was saved.
        """
        path = Path(path)
        table, rows = read_file(path)
        if (saved := _saved_as(path)) is None:
            raise InputError(f"{path} was not saved by StimulusSet.save; use StimulusSet.read.")
        name, digest = saved
        stimuli = cls(table, name, rows)
        if stimuli.fingerprint != digest:
            raise MachineError(
                f"{path} is damaged: its stimuli are not those that were saved; make it again."
            )
        return stimuli

    def save(self, path: str | Path) -> Path:
        """Write the set to a Parquet file, whole or not at all.

        Parameters
        ----------
        path : str or Path
            Ends in .parquet.

        Returns
        -------
        Path
            The file that was written.

        Raises
        ------
        InputError
            For another ending.
        """
        path = Path(path)
        if path.suffix.lower() != ".parquet":
            raise InputError(f"A set of stimuli is saved as .parquet, not as {path.name!r}.")
        table = pa.Table.from_pandas(self._table, preserve_index=False).replace_schema_metadata(
            {_NAME: self._name.encode("utf-8"), _FINGERPRINT: self.fingerprint.encode("ascii")}
        )
        buffer = io.BytesIO()
        pq.write_table(table, buffer)
        return write_atomically(path, buffer.getvalue())

    @property
    def name(self) -> str:
        """What the set is called in reports."""
        return self._name

    @property
    def table(self) -> pd.DataFrame:
        """A copy of the table: stimulus_id, text, target_start, target_end, then the labels."""
        return self._table.copy()

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the label columns."""
        return tuple(str(column) for column in self._table.columns if column not in COLUMNS)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the content: ids, texts, spans and labels in their order, not name or format."""
        return fingerprint({str(name): self._table[name].tolist() for name in self._table.columns})

    def __len__(self) -> int:
        """Count the stimuli."""
        return len(self._table)

    def __eq__(self, other: object) -> bool:
        """Tell whether two sets have the same content."""
        if not isinstance(other, StimulusSet):
            return NotImplemented
        return self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        """Hash by content, as equality is."""
        return hash(self.fingerprint)

    def select(self, stimulus_ids: Sequence[str]) -> Self:
        """Take some of the stimuli, in the order in which they are named.

        Parameters
        ----------
        stimulus_ids : sequence of str
            Ids of this set, each once.

        Returns
        -------
        StimulusSet
            Of the same name.

        Raises
        ------
        InputError
            For an id that is not there or is named twice, and for none at all.

        Examples
        --------
        >>> stimuli = StimulusSet.from_words({"animal": ["cat", "dog"]}, {"card": "A {word}."})
        >>> stimuli.select(["animal-dog-card"]).table["text"].tolist()
        ['A dog.']
        """
        wanted = [stimulus_ids] if isinstance(stimulus_ids, str) else list(stimulus_ids)
        if not wanted:
            raise InputError(f"No stimuli of {self._name!r} are selected; name at least one id.")
        place = {identifier: row for row, identifier in enumerate(self._table["stimulus_id"])}
        unknown = [identifier for identifier in wanted if identifier not in place]
        if unknown:
            close = get_close_matches(str(unknown[0]), place, n=1)
            hint = f"did you mean {close[0]!r}?" if close else "its ids are in .table."
            raise InputError(f"{self._name!r} has no stimulus {unknown[0]!r}; {hint}")
        return type(self)(
            self._table.iloc[[place[identifier] for identifier in wanted]],
            self._name,
            Rows("the selection"),
        )

    def describe(self, tokenizer: Any | None = None) -> Description:
        """Describe the categories' surface, and how far they differ there.

        Parameters
        ----------
        tokenizer : transformers.PreTrainedTokenizerFast, optional
            Counts the target's tokens where it stands in its text.

        Returns
        -------
        Description
            Counts, word length, frequency and tokens by category; the mismatch between categories
            of each as eta squared with the p-value of a one-way analysis of variance over words.

        Examples
        --------
        >>> int(StimulusSet.load("concepts").describe().to_frame()["n_words"].sum())
        400
        """
        return described(self._table, self._name, tokenizer)

    def check_groups(
        self, target: str = "category", groups: str = "word", n_folds: int = 5
    ) -> None:
        """Check that the set can be split into folds that keep groups whole.

        Parameters
        ----------
        target : str
            The label that is to be decoded.
        groups : str
            The label whose stimuli stay together.
        n_folds : int
            How many folds.

        Raises
        ------
        InputError
            For a label that is not there, fewer than two categories, a category with fewer groups
            than folds, and a group that spans two categories.
        """
        check_groups(self._table, self._name, self.labels, target, groups, n_folds)

    def __repr__(self) -> str:
        """Show counts, the labels' values and the first stimulus."""
        return as_text(self._table, self._name, self.labels)

    def _repr_html_(self) -> str:
        return as_html(self._table, self._name, self.labels, self.fingerprint)


def _saved_as(path: Path) -> tuple[str, str] | None:
    """Name and fingerprint of a set that was saved; None for any other file."""
    if path.suffix.lower() != ".parquet" or not path.is_file():
        return None
    try:
        metadata = pq.read_schema(path).metadata
    except (OSError, ValueError):  # damaged, which reading its table will say
        return None
    if not metadata or _FINGERPRINT not in metadata:
        return None
    return metadata[_NAME].decode("utf-8"), metadata[_FINGERPRINT].decode("ascii")

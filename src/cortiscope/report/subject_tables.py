"""Who was scanned: facts of each subject, and the table of its anatomy's proof."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from cortiscope.ledger import Address, fingerprint
from cortiscope.report.contents import Examined, Scanned
from cortiscope.report.numbers import NOTHING, count, counted, number, shortened, small
from cortiscope.report.table import Cell, Table


def facts(examined: Examined) -> list[tuple[str, Cell]]:
    """List what there is to know of a subject, and of its twins.

    Parameters
    ----------
    examined : Examined
        A subject with its twins.

    Returns
    -------
    list of (str, Cell)
        Names and values, in the order of reading.
    """
    subject = examined.subject
    record = subject.record
    sizes: list[tuple[str, Cell]] = [
        (title, number(record[key], count, Address(subject.id, key)))
        for title, key in (
            ("layers", "n_layers"),
            ("units", "n_units"),
            ("parameters", "n_parameters"),
        )
        if key in record
    ]
    twins: list[tuple[str, Cell]] = [
        (f"twin, seed {_seed(twin)}", _hash(twin.record["fingerprint"])) for twin in examined.twins
    ]
    if subject.is_phantom:
        planted = [f"{name} {value}" for name, value in record["weights"].items()]
        return [
            ("made from", ", ".join(planted)),
            *(size for size in sizes if size[0] != "parameters"),
            ("fingerprint", _hash(record["fingerprint"])),
            *twins,
        ]
    return [
        ("model type", Markup("{}, blocks {}").format(record["family"], record["proof"]["kind"])),
        *sizes,
        ("arithmetic", f"{record['dtype']}, {record['attention']} attention, {record['device']}"),
        ("texts get", special_tokens(record["special_tokens"])),
        ("source", _source(record["source"])),
        ("weights", _weights(record["weights"])),
        ("configuration", _hash(record["config"])),
        ("tokenizer", _hash(record["tokenizer"])),
        ("fingerprint", _hash(record["fingerprint"])),
        *twins,
    ]


def special_tokens(policy: Mapping[str, Any]) -> Markup:
    """Say which tokens stand around a text."""
    if not policy["before"] and not policy["after"]:
        return Markup("no special tokens; no chat template")

    def codes(tokens: list[str]) -> Markup:
        return Markup(" ").join(Markup("<code>{}</code>").format(token) for token in tokens)

    around = Markup("{} … {}").format(codes(policy["before"]), codes(policy["after"]))
    return around + ("" if policy["chat_template"] else " (no chat template)")


def proof_table(scanned: Scanned) -> Table:
    """Lay out what the anatomy showed about each site."""
    proof = scanned.record["proof"]
    rows = []
    for site in proof["sites"]:
        errors = [check["error"] for check in site["checks"] if check["error"] is not None]
        address = Address(scanned.id, "error", (("site", site["site"]),))
        error: Cell = number(max(errors), small, address) if errors else NOTHING
        said = site["reason"] or "; ".join(check["equation"] for check in site["checks"])
        verdict = "proved" if site["reason"] is None else "refused"
        rows.append(
            (
                Markup("<code>{}</code>").format(site["site"]),
                Markup('<span class="{}">{}</span>').format(verdict, verdict),
                error,
                said,
            )
        )
    shown = f"{counted(proof['n_texts'], 'text')}, {counted(proof['n_tokens'], 'token')}"
    return Table(
        caption=Markup(
            "Proof of the anatomy of {}, on {}: largest error as a share of the site’s RMS, where "
            "{:g} is allowed. Subject <code>{}</code>."
        ).format(scanned.name, shown, proof["tolerance"], scanned.id),
        columns=("site", "verdict", "error", "what was compared, or why it is refused"),
        align="llrl",
        rows=tuple(rows),
    )


def _hash(digest: str) -> Markup:
    return Markup('<code title="sha256 {}">{}</code>').format(digest, shortened(digest))


def _source(source: Mapping[str, Any] | None) -> Cell:
    if source is None:
        return "made in memory"
    told = f"{source['kind']}, {source['name']}"
    if source["revision"] is None:
        return told
    return Markup("{}, revision <code>{}</code>").format(told, source["revision"])


def _weights(weights: Mapping[str, Any]) -> Cell:
    if len(weights) == 1:
        ((name, digest),) = weights.items()
        return Markup("{} {}").format(name, _hash(str(digest)))
    return Markup("{}, together {}").format(
        counted(len(weights), "file"), _hash(fingerprint(dict(weights)))
    )


def _seed(twin: Scanned) -> str:
    return str(twin.record["weights"].get("seed", NOTHING))

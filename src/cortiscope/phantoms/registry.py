"""The list of phantoms, built in and registered by other packages."""

from __future__ import annotations

import sys

from cortiscope.ledger import source_fingerprint
from cortiscope.phantoms.categories import (
    plant_direction,
    plant_overshadowed,
    plant_patch,
    plant_subspace,
    plant_units,
    plant_xor,
)
from cortiscope.phantoms.confounds import plant_surface, plant_training_words
from cortiscope.phantoms.geometry import (
    plant_modules,
    plant_no_modules,
    plant_nothing,
    plant_power_law,
    plant_regrouping,
    plant_shared_geometry,
)
from cortiscope.phantoms.phantom import Phantom
from cortiscope.phantoms.sheet import plant_sheet
from cortiscope.plugins import with_plugins

ENTRY_POINT_GROUP = "cortiscope.phantoms"

_BUILT_IN = (
    Phantom(
        "noise",
        "nothing: words, frames and noise with the covariance of a language model",
        "nothing",
        plant_nothing,
    ),
    Phantom(
        "direction",
        "each category as one direction",
        "d' of a category's words against the others, along its direction",
        plant_direction,
    ),
    Phantom(
        "selective_units",
        "each category in a few units of its own",
        "d' of each of its units",
        plant_units,
    ),
    Phantom(
        "patch",
        "each category in a few neighbouring units",
        "d' of each of its units",
        plant_patch,
    ),
    Phantom(
        "sheet",
        "units on a sheet, where neighbours vary together and each category has a patch",
        "words' patterns have the background's standard deviation in each unit, and so much the "
        "patch rises at its centre",
        plant_sheet,
    ),
    Phantom(
        "subspace",
        "each category in several orthogonal directions, a part of its words in each",
        "d' of a part's words against other categories, along its direction",
        plant_subspace,
    ),
    Phantom(
        "xor",
        "the category in two codes together, and in neither alone",
        "d' of each value of a code, along its direction",
        plant_xor,
    ),
    Phantom(
        "overshadowed",
        "some categories faintly, in words that vary along what tells the others apart",
        "ten times the background's standard deviation along each direction",
        plant_overshadowed,
    ),
    Phantom(
        "surface",
        "length and letters of words, in which categories differ",
        "one standard deviation of a feature moves words by one of the background",
        plant_surface,
    ),
    Phantom(
        "training_words",
        "which word it is, so that a word seen in training is known for ever",
        "the code of words has ten times the background's standard deviation in every unit",
        plant_training_words,
    ),
    Phantom(
        "modular",
        "modules of units that vary together",
        "a module's signal has the background's standard deviation in each of its units",
        plant_modules,
    ),
    Phantom(
        "regrouping",
        "modules of units that vary together, others in each category",
        "as in modular",
        plant_regrouping,
    ),
    Phantom(
        "not_modular",
        "the signals of modules, each spread over all units",
        "as in modular: the eigenvalues are the same",
        plant_no_modules,
    ),
    Phantom(
        "shared_geometry",
        "where words lie, the same in phantoms of every seed",
        "as much variance over words as the background has in all units within a frame",
        plant_shared_geometry,
    ),
    Phantom(
        "power_law",
        "a rotated Gaussian with a power-law spectrum: geometry without units",
        "the whole recording; at lower strengths a mixture with the background",
        plant_power_law,
    ),
)


def registered() -> dict[str, Phantom]:
    """List every phantom that is there, by name.

    Packages register more through the entry-point group ``cortiscope.phantoms``: each entry point
    names a `Phantom` or a sequence of them.

    Returns
    -------
    dict of str to Phantom
        Built in ones first.

    Raises
    ------
    InputError
        When an entry point cannot be loaded, does not give a `Phantom`, or takes a name again.
    """
    return with_plugins(_BUILT_IN, ENTRY_POINT_GROUP, Phantom, lambda phantom: [phantom.name])


PHANTOMS: dict[str, Phantom] = registered()


def phantoms_source() -> str:
    """Fingerprint of the code that makes phantoms, which calibrations depend on.

    Examples
    --------
    >>> len(phantoms_source())
    64
    """
    room = __name__.rpartition(".")[0]
    return source_fingerprint(*sorted(name for name in sys.modules if name.startswith(f"{room}.")))

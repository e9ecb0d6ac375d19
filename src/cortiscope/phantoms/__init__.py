"""Recordings whose truth is known: one planted effect each, on a background that all share."""

from cortiscope.phantoms.background import Background
from cortiscope.phantoms.design import PhantomDesign
from cortiscope.phantoms.phantom import Effect, Phantom
from cortiscope.phantoms.registry import PHANTOMS, phantoms_source
from cortiscope.phantoms.scene import Scene
from cortiscope.phantoms.spec import parse_phantom

__all__ = [
    "PHANTOMS",
    "Background",
    "Effect",
    "Phantom",
    "PhantomDesign",
    "Scene",
    "parse_phantom",
    "phantoms_source",
]

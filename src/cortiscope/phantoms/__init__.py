"""Recordings and models whose truth is known: one planted effect, on a background all share."""

from cortiscope.phantoms.background import Background
from cortiscope.phantoms.design import PhantomDesign
from cortiscope.phantoms.models import MODEL_PHANTOMS, ModelPhantom, model_phantom
from cortiscope.phantoms.phantom import Effect, Phantom
from cortiscope.phantoms.registry import PHANTOMS, phantoms_source
from cortiscope.phantoms.scene import Scene
from cortiscope.phantoms.spec import parse_phantom

__all__ = [
    "MODEL_PHANTOMS",
    "PHANTOMS",
    "Background",
    "Effect",
    "ModelPhantom",
    "Phantom",
    "PhantomDesign",
    "Scene",
    "model_phantom",
    "parse_phantom",
    "phantoms_source",
]

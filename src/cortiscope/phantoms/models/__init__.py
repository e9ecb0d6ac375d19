"""Models whose causes are known: tiny Llamas and GPT-2s whose weights were set, not trained."""

from cortiscope.phantoms.models.model_phantom import ModelPhantom
from cortiscope.phantoms.models.registry import MODEL_PHANTOMS, model_phantom

__all__ = ["MODEL_PHANTOMS", "ModelPhantom", "model_phantom"]

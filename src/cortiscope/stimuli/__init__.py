"""What is shown: tables of words in sentences, with labels and groups."""

from cortiscope.stimuli.stimulus_set import StimulusSet, catalog

__all__ = ["StimulusSet", "catalog"]

"""Cortiscope: an fMRI scanner for language models.

Show a model stimuli, record its activations, analyse them with exact statistics, and report
every number with the file that it came from.

>>> import cortiscope as cs
>>> stimuli = cs.StimulusSet.load("concepts")
>>> len(stimuli)
1200
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

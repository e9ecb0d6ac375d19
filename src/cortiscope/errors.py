"""What goes wrong, and whose turn it is to mend it.

Every error that Cortiscope raises on purpose is one of the two below, and its text is one
sentence that names the thing, says what was expected and how to mend it. The command line
turns the class into an exit code and prints the sentence without a traceback.
"""

from __future__ import annotations


class CortiscopeError(Exception):
    """Base of every error that Cortiscope raises on purpose."""

    exit_code = 3


class InputError(CortiscopeError):
    """What the user gave cannot be used: a file, a name, a parameter (exit code 2)."""

    exit_code = 2


class MachineError(CortiscopeError):
    """The machine failed: no memory, no disk, a store that is damaged (exit code 3)."""

    exit_code = 3

"""A result's id contains the code behind it, found by following imports."""

import sys

import pytest

from cortiscope.analyses import INSTRUMENTS
from cortiscope.analyses.source import modules_behind, source_of


def loaded_by(function):
    """Name the modules that a function's own module holds objects of."""
    held = vars(sys.modules[function.__module__]).values()
    return {getattr(each, "__module__", None) for each in held}


@pytest.mark.parametrize("instrument", INSTRUMENTS.values(), ids=list(INSTRUMENTS))
def test_every_function_that_an_instrument_calls_is_behind_it(instrument):
    behind = modules_behind(instrument.run.__module__)
    called = {
        module
        for module in loaded_by(instrument.run)
        if module and module.startswith("cortiscope.statistics")
    }
    assert called <= behind


def test_what_is_called_by_what_is_called_is_behind_it_too():
    behind = modules_behind("cortiscope.analyses.unit_lesion")
    assert "cortiscope.statistics.graphs.leiden" in behind  # modules, by way of the connectome
    assert not any("figures" in module or "studies" in module for module in behind)


def test_a_change_far_behind_changes_the_source(tmp_path, monkeypatch):
    package = tmp_path / "far_behind"
    package.mkdir()
    (package / "__init__.py").write_text("from far_behind.helper import helped\n")
    (package / "helper.py").write_text("def helped():\n    return 1\n")
    (package / "instrument.py").write_text("from far_behind import helped\n")
    monkeypatch.syspath_prepend(tmp_path)
    __import__("far_behind.instrument")
    assert modules_behind("far_behind.instrument") == {
        "far_behind.instrument",
        "far_behind.helper",
    }
    before = source_of("far_behind.instrument")
    (package / "helper.py").write_text("def helped():\n    return 2\n")
    source_of.cache_clear()
    assert source_of("far_behind.instrument") != before

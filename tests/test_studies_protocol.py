"""Protocols: short with defaults, exact about what is wrong, frozen once begun."""

import pytest

from cortiscope.errors import InputError
from cortiscope.ledger import Run
from cortiscope.studies import Protocol, shipped_protocols

SHORT = """
study = "mine"
subjects = ["specimen:qwen2"]

[steps.decode]
analysis = "decode"

[[claims]]
name = "decodable"
statistic = "decode:peak_accuracy"
kind = "greater"
size = 0.2
controls = ["twins", "calibration"]
"""


@pytest.fixture
def write(tmp_path):
    def _write(text):
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return path

    return _write


@pytest.mark.parametrize("name", shipped_protocols())
def test_what_ships_is_valid_and_attainable(name):
    Protocol.load(name).check()


def test_defaults_make_it_short(write):
    protocol = Protocol.load(write(SHORT))
    assert protocol.stimuli == "concepts"
    assert protocol.steps["decode"].parameters["n_permutations"] == 1000
    protocol.check()


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('kind = "greater"', 'kind = "bigger"', 11, ["claims[0].kind", "greater"]),
        ("size = 0.2", "", 8, ["claims[0]", "takes size"]),
        ("size = 0.2", "size = 0.2\nlow = 0.1", 8, ["takes size, and nothing else"]),
        ('study = "mine"', 'study = "mine"\nstudys = 1', 3, ["studys"]),
        ('analysis = "decode"', 'analysis = "encode"', 5, ["no analysis 'encode'", "decode"]),
        (
            'analysis = "decode"',
            'analysis = "decode"\nn_perms = 3',
            5,
            ["no parameter 'n_perms'", "n_permutations"],
        ),
        ('"decode:peak', '"embed:peak', None, ["step 'embed'", "decode"]),
        ('"decode:peak_accuracy"', '"peak_accuracy"', 10, ["claims[0].statistic"]),
        ('["specimen:qwen2"]', "[]", 3, ["subjects"]),
        ('study = "mine"', 'study = "mine"\nn_twins = 0', None, ["control twins", "n_twins is 0"]),
        ('study = "mine"', "study = mine", None, ["not valid TOML", "line 2"]),
    ],
)
def test_an_error_names_the_key_and_the_line(write, old, new, line, words):
    path = write(SHORT.replace(old, new, 1))
    with pytest.raises(InputError) as raised:
        Protocol.load(path)
    message = str(raised.value)
    assert message.startswith(str(path))
    if line is not None:
        assert f"line {line}:" in message
    for word in words:
        assert word in message
    assert "\n" not in message


def test_unknown_controls_and_unattainable_claims_are_refused_before_scanning(write):
    unknown = Protocol.load(write(SHORT.replace('"twins"', '"triplets"')))
    with pytest.raises(InputError, match="unknown control 'triplets'"):
        unknown.check()
    few = Protocol.load(
        write(SHORT.replace('study = "mine"', 'study = "mine"\nclaim_permutations = 15'))
    )
    with pytest.raises(InputError, match=r"at least 19 draws .* have 15"):
        few.check()


def test_a_claim_of_absence_cannot_be_challenged_by_a_control_of_effects(write):
    absence = SHORT.replace('kind = "greater"\nsize = 0.2', 'kind = "at_most"\nbound = 0.2')
    with pytest.raises(InputError, match="no effect, which the control 'twins' cannot challenge"):
        Protocol.load(write(absence)).check()
    Protocol.load(write(absence.replace('"twins", ', ""))).check()


def test_unknown_studies_are_named():
    with pytest.raises(InputError, match=r"no study 'nothing': name one of .*decoding"):
        Protocol.load("nothing")
    with pytest.raises(InputError, match="cannot be read"):
        Protocol.load("nothing.toml")


def test_a_run_keeps_its_protocol(write, tmp_path):
    run = Run(tmp_path / "run")
    protocol = Protocol.load(write(SHORT))
    protocol.freeze(run)
    assert Protocol.read(run) == protocol
    protocol.freeze(run)
    changed = Protocol.load(write(SHORT.replace("size = 0.2", "size = 0.3")))
    with pytest.raises(InputError, match=r"differs in claims\[0\].size"):
        changed.freeze(run)


def test_changes_take_the_place_of_single_keys(write):
    path = write(SHORT)
    changed = Protocol.load(path, n_twins=2, steps={"decode": {"n_permutations": 50}})
    assert changed.n_twins == 2
    assert changed.steps["decode"].given == {"n_permutations": 50}
    assert changed.fingerprint != Protocol.load(path).fingerprint

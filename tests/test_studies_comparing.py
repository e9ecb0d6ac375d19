"""Studies that compare: subjects of earlier runs, phantoms and saved RDMs, two at a time."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import rsatoolbox
import xarray as xr
from typer.testing import CliRunner

import report_run
from cortiscope.analyses import INSTRUMENTS
from cortiscope.cli import app
from cortiscope.codes import RDM
from cortiscope.errors import InputError
from cortiscope.ledger import Run, visible_files
from cortiscope.phantoms import PHANTOMS, PhantomDesign
from cortiscope.report import write_report
from cortiscope.report.contents import Contents
from cortiscope.report.html import page
from cortiscope.report.measurements import measurements
from cortiscope.scanning import Recording
from cortiscope.scanning.store import Store
from cortiscope.stimuli import StimulusSet
from cortiscope.studies import (
    Protocol,
    audit,
    comparing_protocol,
    plan_study,
    read_verdicts,
    reproduce,
    run_study,
    trace,
)
from cortiscope.studies.archived_subject import ArchivedSubject
from cortiscope.studies.keeping import Keeper
from cortiscope.studies.lookup import Lookup
from cortiscope.studies.shown import numbers_in

DESIGN = PhantomDesign.balanced(n_categories=2, n_words=20, n_frames=2, n_units=20)
ONE = "phantom:shared_geometry(strength=3, seed=1, n_units=20)"
OTHER = "phantom:shared_geometry(strength=3, seed=2, n_units=24, n_layers=2)"
NOISE = "phantom:noise(seed=3, n_units=16)"
NAMES = (
    "phantom:shared_geometry(seed=1, strength=3)",
    "phantom:shared_geometry(seed=2, strength=3)",
)
FEW = {"n_permutations": 39, "n_jackknife": 39}
STEPS = {"cka": {"analysis": "cka", **FEW}, "rsa": {"analysis": "rsa", **FEW}}
FEW_OF_DECODE = {"n_permutations": 19, "n_bootstrap": 19}
CLAIM = {"name": "alike", "statistic": "cka:mean_best_match", "kind": "greater", "size": 0.3}
STUDY = """
study = "alike"
subjects = ["specimen:qwen2"]
n_twins = 1
n_phantoms = 5
phantom_permutations = 19
claim_permutations = 99

[steps.cka]
analysis = "cka"
n_permutations = 39
n_jackknife = 39

[steps.rsa]
analysis = "rsa"
n_permutations = 39
n_jackknife = 39

[[claims]]
name = "alike"
statistic = "cka:mean_best_match"
kind = "greater"
size = 0.3
controls = ["twins", "permuted_words", "half_replication", "outlier_units", "multiverse",
            "calibration"]
"""


def recorded_alone(folder, spec, table, n_twins):
    """A run of a phantom, of which nothing was measured."""
    folder.mkdir(parents=True)
    table.to_csv(folder / "words.tsv", sep="\t", index=False)
    protocol = Protocol(
        study="alone",
        subjects=(spec,),
        stimuli=str(folder / "words.tsv"),
        sites=("resid_post",),
        n_twins=n_twins,
    )
    return run_study(protocol, folder / "run")


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    """Two runs to compare, and a study that does."""
    folder = tmp_path_factory.mktemp("comparing")
    (folder / "alike.toml").write_text(STUDY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        recorded_alone(folder / "one", ONE, DESIGN.table, 2)
        recorded_alone(folder / "other", OTHER, DESIGN.table, 1)
        yield folder


@pytest.fixture(scope="module")
def runs(there):
    return str(there / "one" / "run"), str(there / "other" / "run")


@pytest.fixture(scope="module")
def compared(there, runs):
    """What ``cortiscope compare RUN_A RUN_B`` leaves."""
    arguments = ["compare", *runs, "--study", str(there / "alike.toml"), "--out"]
    done = CliRunner().invoke(app, [*arguments, str(there / "compared")])
    assert done.exit_code == 0, done.output
    assert "supported" in done.output
    return Run.open(there / "compared")


def of_kind(run, *kinds):
    return [entry for entry in run.entries() if entry.kind in kinds]


def assert_sound(run):
    """Audit, trace and reproduction find everything as it is."""
    assert list(audit(run, page=lambda held: page(Contents.read(held)))) == []
    again = reproduce(run)
    assert [c.entry for c in again] == of_kind(run, "result", "control", "verdicts")
    assert {c.outcome for c in again} <= {"identical"}, list(map(str, again))
    for entry in of_kind(run, "result", "control"):
        assert "stimuli.parquet" in repr(trace(run, entry.id))


def protocol(subjects, steps=STEPS, claims=(), **changes):
    return Protocol(
        **{
            "study": "pairs",
            "subjects": tuple(map(str, subjects)),
            "sites": ("resid_post",),
            "n_twins": 1,
            "steps": steps,
            "claims": claims,
            "claim_permutations": 199,
            **changes,
        }
    )


def claimed(**changes):
    return CLAIM | {"controls": ["twins"]} | changes


# ---- runs


def test_recordings_are_taken_byte_for_byte_and_verify(compared, runs):
    taken = {path.name: path for path in compared.recordings.iterdir()}
    assert len(taken) == 4
    for run in runs:
        for source in sorted((Path(run) / "recordings").iterdir()):
            if source.name not in taken:  # a twin more than the other run has
                assert source.name.endswith("twin-1.zarr")
                continue
            copy = taken.pop(source.name)
            files = [path.relative_to(source) for path in visible_files(source)]
            assert files == [path.relative_to(copy) for path in visible_files(copy)]
            for file in files:
                assert (copy / file).read_bytes() == (source / file).read_bytes()
                assert (copy / file).samefile(source / file)
            assert list(Store.open(copy).verify()) == []
            assert Recording.open(copy).fingerprint == Recording.open(source).fingerprint
    assert not taken


def test_where_the_disk_cannot_link_they_are_copied(runs, tmp_path, monkeypatch):
    def refused(*_):
        raise OSError

    monkeypatch.setattr("cortiscope.studies.archived_subject.os.link", refused)
    subject = ArchivedSubject.parse(runs[0])
    stimuli = StimulusSet.open(Path(runs[0]) / "stimuli.parquet")
    taken = subject.recording(stimuli, tmp_path / "taken.zarr")
    source = Path(runs[0]) / "recordings" / f"{subject.slug}.zarr"
    assert taken.fingerprint == Recording.open(source).fingerprint
    for file in visible_files(source):
        copy = tmp_path / "taken.zarr" / file.relative_to(source)
        assert copy.read_bytes() == file.read_bytes()
        assert not copy.samefile(file)


def test_results_are_those_of_the_instrument_called_directly(compared, runs):
    stored = {}
    for entry in of_kind(compared, "result"):
        result = Lookup(compared).result(entry)
        stored[result.analysis, result.subject] = result
    subjects = [ArchivedSubject.parse(run) for run in runs]
    for lying in (subjects, [subject.twin(0) for subject in subjects]):
        recordings = [
            Recording.open(Path(subject.run) / "recordings" / f"{subject.slug}.zarr")
            for subject in lying
        ]
        for analysis in ("cka", "rsa"):
            direct = INSTRUMENTS[analysis].run(*recordings, **FEW)
            kept = stored.pop((analysis, direct.subject))
            for kind in ("estimates", "intervals", "p_values", "null", "resamples"):
                xr.testing.assert_identical(getattr(kept, kind), getattr(direct, kind))
    assert not stored


def test_the_claim_is_judged_with_twins_beside_twins(compared):
    (verdict,) = read_verdicts(compared)
    assert verdict["subject"] == " and ".join(NAMES)
    assert verdict["outcome"] == "supported", verdict["sentence"]
    assert [found["survived"] for found in verdict["evidence"]] == [True] * 5
    twins = next(found for found in verdict["evidence"] if found["control"] == "twins")
    assert len(twins["numbers"]["values"]) == 1
    lookup = Lookup(compared)
    (address,) = twins["numbers"]["addresses"]
    entry, value = lookup.find(address)
    assert lookup.result(entry).subject.count("--twin-0") == 2
    assert value == twins["numbers"]["values"][0]
    assert verdict["calibration"]["n_phantoms"] == 5


def test_audit_trace_and_reproduction_of_a_comparison(compared):
    assert_sound(compared)
    (verdict,) = read_verdicts(compared)
    chain = repr(trace(compared, verdict["address"]))
    for name in NAMES:
        assert name in chain


def test_the_page_shows_every_two_subjects_and_the_twins(compared):
    contents = Contents.read(compared)
    lookup = Lookup(compared)
    for step, measured in measurements(contents):
        (of_pair,) = measured
        result = contents.pairs[0].subject.results[step.name]
        headline = float(result.estimates[step.instrument.headline])
        (first, second) = step.between.rows
        assert [row[0] for row in step.between.rows] == list(NAMES)
        assert (first[1], second[2]) == ("–", "–")
        for cell in (first[2], second[1]):
            value, low, high = numbers_in(str(cell))
            assert float(value.value) == headline
            for shown in (value, low, high):
                assert lookup.number(shown.parsed_address) == float(shown.value)
        twins = {row[0]: row[1:] for row in of_pair.twins.rows}
        of_twins = contents.pairs[0].twins[0].results[step.name]
        assert set(twins) == {
            name.replace("_", " ")
            for name, values in of_twins.estimates.data_vars.items()
            if not values.dims
        }
        shown = twins[step.instrument.headline.replace("_", " ")][0]
        assert shown.value == float(of_twins.estimates[step.instrument.headline])
        assert shown.address.artifact == of_twins.id
    html = compared.report.read_text()
    assert "of every two subjects" in html
    assert "single numbers of the untrained twins" in html


def test_as_many_twins_as_every_run_has(runs):
    assert comparing_protocol(runs).n_twins == 1
    assert comparing_protocol([f"{runs[0]}#{NAMES[0]}", f"{runs[1]}#{NAMES[1]}"]).subjects == (
        f"{runs[0]}#{NAMES[0]}",
        f"{runs[1]}#{NAMES[1]}",
    )


def test_a_killed_comparison_goes_on_where_it_stopped(there, runs, compared, tmp_path, monkeypatch):
    asked = comparing_protocol(runs, str(there / "alike.toml"))
    done, whole = [], Keeper.result

    def killed(self, *arguments):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(whole(self, *arguments))
        return done[-1]

    monkeypatch.setattr(Keeper, "result", killed)
    with pytest.raises(KeyboardInterrupt):
        run_study(asked, tmp_path / "run")
    monkeypatch.undo()
    recording = next((tmp_path / "run" / "recordings").iterdir())
    recording.rename(recording.with_name(f".{recording.name}.unfinished"))
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "run" / "results").glob("*.json")}
    assert len(before) == 3
    monkeypatch.setenv("XDG_CACHE_HOME", str(there / "cache"))
    run = run_study(asked, tmp_path / "run")
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert read_verdicts(run) == read_verdicts(compared)
    assert list(audit(run)) == []
    assert not list(run.path.rglob(".*"))


def test_runs_of_some_of_the_same_stimuli_are_aligned(runs, tmp_path):
    words = list(DESIGN.words)[::2] + list(DESIGN.words)[-5:]
    table = DESIGN.table[DESIGN.table["word"].isin(words)].sample(frac=1, random_state=0)
    fewer = recorded_alone(tmp_path / "fewer", OTHER, table, 1)
    run = run_study(
        comparing_protocol([runs[0], str(fewer.path)], steps=STEPS, claims=()), tmp_path / "run"
    )
    for entry in of_kind(run, "result"):
        assert Lookup(run).result(entry).n["n_words"] == table["word"].nunique() < 40
    write_report(run)
    assert_sound(run)


def test_a_run_without_its_name_can_be_spoken_of(runs, tmp_path):
    steps = {"dimension": {"analysis": "dimensionality", "n_jackknife": 19}}
    own = {**CLAIM, "statistic": "dimension:mean_participation_ratio", "subjects": runs[0]}
    run = run_study(
        protocol(
            runs,
            steps,
            [own | {"controls": []}],
            stimuli=str(Path(runs[0]) / "stimuli.parquet"),
        ),
        tmp_path / "run",
    )
    assert [verdict["subject"] for verdict in read_verdicts(run)] == [NAMES[0]]
    assert {c.outcome for c in reproduce(run)} == {"identical"}


def test_runs_of_models_and_names_with_and(tmp_path):
    """The names of files are not those of subjects, and neither tells where a pair is parted."""
    names = ("specimen:cats and dogs", "other/model and more")
    recorded = report_run.make_run(
        tmp_path / "models", effects=dict.fromkeys(names, 2.0), n_layers=2, settings=FEW_OF_DECODE
    )
    assert comparing_protocol([str(recorded.path)]).subjects == tuple(
        f"{recorded.path}#{name}" for name in names
    )
    stimuli = str(recorded.path / "stimuli.parquet")
    steps = {
        "cka": STEPS["cka"],
        "first": {**STEPS["cka"], "site": "resid_pre", "other_site": "resid_post"},
    }
    run = run_study(
        protocol([f"{recorded.path}#{name}" for name in names], steps, stimuli=stimuli),
        tmp_path / "run",
    )
    write_report(run)
    assert list(audit(run)) == []
    for step, _ in measurements(Contents.read(run)):
        assert [row[0] for row in step.between.rows] == list(names)
        assert numbers_in(str(step.between.rows[0][2]))
    at_input = Contents.read(run).pairs[0].subject.results["first"]
    assert dict(at_input.estimates["cka"].sizes) == {"layer": 1, "other_layer": 2}


# ---- phantoms, three at a time


@pytest.fixture(scope="module")
def three(there):
    claims = [claimed(), claimed(name="all alike", subjects="all")]
    asked = protocol(
        [ONE, OTHER, NOISE],
        {"cka": STEPS["cka"]},
        claims,
        stimuli=str(Path(there / "one" / "run" / "stimuli.parquet")),
    )
    run = run_study(asked, there / "three")
    write_report(run)
    return run


def test_every_two_subjects_are_judged_and_only_what_is_planted_is_found(three):
    *each, of_all = read_verdicts(three)
    outcomes = {verdict["subject"]: verdict["outcome"] for verdict in each}
    noise = "phantom:noise(seed=3, strength=1.0)"
    assert list(outcomes) == [
        f"{NAMES[0]} and {NAMES[1]}",
        f"{NAMES[0]} and {noise}",
        f"{NAMES[1]} and {noise}",
    ]
    first, *others = outcomes.values()
    assert first == "supported"
    assert "supported" not in others
    assert of_all["subject"] == "all"
    assert of_all["outcome"] != "supported"
    # Its p-value is that of the pair which shows least: by that, none may hold.
    assert of_all["sentence"].startswith("It held in 1 of 3 subjects; ")
    assert of_all["p"] == max(verdict["p"] for verdict in each)


def test_the_page_of_three_has_every_pair_twice_and_none_with_itself(three):
    ((step, measured),) = measurements(Contents.read(three))
    assert len(measured) == 3
    rows = [row[1:] for row in step.between.rows]
    assert len(rows) == 3
    for i, row in enumerate(rows):
        for j, cell in enumerate(row):
            assert (cell == "–") == (i == j)
            assert str(cell) == str(rows[j][i])
    assert_sound(three)


def test_tests_are_counted_by_pairs():
    def n_tests(whom, **of):
        of_pairs = protocol(whom, claims=[claimed(**of)])
        return of_pairs.n_tests(of_pairs.claims[0])

    assert [n_tests([ONE, OTHER, NOISE][:n]) for n in (1, 2, 3)] == [0, 1, 3]
    assert [n_tests([ONE, OTHER, NOISE][:n], subjects="all") for n in (1, 2, 3)] == [0, 1, 1]
    with pytest.raises(InputError, match=r"3 tests .* at least 59 draws .* have 58"):
        protocol([ONE, OTHER, NOISE], claims=[claimed()], claim_permutations=58).check()
    protocol([ONE, OTHER, NOISE], claims=[claimed()], claim_permutations=59).check()
    with pytest.raises(ValueError, match=r"compares two: say each \(pair\) or all"):
        protocol([ONE, OTHER], claims=[claimed(subjects=ONE)])


def test_a_claim_of_pairs_waits_for_a_second_subject(runs, tmp_path):
    said = []
    asked = protocol(
        [runs[0]],
        {"decode": {"analysis": "decode", "auc": False, **FEW_OF_DECODE}, **STEPS},
        [claimed()],
        stimuli=str(Path(runs[0]) / "stimuli.parquet"),
        claim_permutations=1,
    )
    run = run_study(asked, tmp_path / "run", say=said.append)
    assert "not judged: alike: it compares subjects, and there are too few" in said
    assert read_verdicts(run) == []
    write_report(run)
    assert list(audit(run)) == []
    assert Contents.read(run).pairs == ()


def test_power_is_planned_for_pairs(runs, there, tmp_path):
    brain = random_rdm(tmp_path / "brain.csv")
    claims = [
        claimed(controls=["calibration"]),
        claimed(name="as a brain", statistic="rsa:mean_best_match", controls=["calibration"]),
    ]
    asked = protocol(
        [*runs, brain],
        {name: {**step, "target": "category"} for name, step in STEPS.items()},
        claims,
        stimuli=str(Path(runs[0]) / "stimuli.parquet"),
        n_phantoms=1,
        phantom_permutations=9,
    )
    sizes = []

    def sized(protocol, claim, stimuli, n_units):
        sizes.append((claim.name, tuple(n_units)))
        return

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cortiscope.studies.planning.calibration_of", sized)
        planned = plan_study(asked, tmp_path / "run")
    assert list(planned.power) == [
        ("alike", f"{NAMES[0]} and {NAMES[1]}"),
        ("as a brain", f"{NAMES[0]} and {NAMES[1]}"),
        ("as a brain", f"{NAMES[0]} and brain"),
        ("as a brain", f"{NAMES[1]} and brain"),
    ]
    of_brain = [("as a brain", units) for units in ((20, 24), (20, 20), (24, 24))]
    assert sizes == [("alike", (20, 24)), *of_brain]
    assert not (tmp_path / "run").exists()


# ---- saved RDMs


def random_rdm(path, seed=0):
    features = np.random.default_rng(seed).normal(size=(DESIGN.n_words, 6))
    return RDM.from_features("x", list(DESIGN.words), features).save(path)


@pytest.fixture(scope="module")
def with_rdms(there, runs):
    """A model beside a brain that is like it, and beside two more of one file."""
    places = PHANTOMS["shared_geometry"].truth(DESIGN, seed=1)["place"].values
    names = [word.upper() for word in DESIGN.words]
    RDM.from_features("x", names, places, "euclidean").save(there / "like it.csv")
    others = np.random.default_rng(1).random((2, 40 * 39 // 2))
    rsatoolbox.rdm.RDMs(
        others,
        pattern_descriptors={"conds": names},
        rdm_descriptors={"subject": ["BE", "KO"]},
    ).save(str(there / "brains.h5"))
    said = []
    asked = protocol(
        [there / "like it.csv", runs[0], f"{there / 'brains.h5'}#KO"],
        {name: {**step, "frames": "frame"} for name, step in STEPS.items()},
        [
            claimed(
                name="as it",
                statistic="rsa:mean_best_match",
                controls=["twins", "half_replication"],
            ),
            claimed(),
        ],
        stimuli=str(Path(runs[0]) / "stimuli.parquet"),
    )
    run = run_study(asked, there / "with rdms", say=said.append)
    write_report(run)
    return run, said


def test_an_rdm_lies_beside_the_model_and_its_twins_where_it_can_be_read(with_rdms):
    run, said = with_rdms
    found = [Lookup(run).result(entry) for entry in of_kind(run, "result")]
    model = ArchivedSubject.parse(str(run.path.parent / "one" / "run"))
    assert sorted((result.analysis, result.subject) for result in found) == sorted(
        ("rsa", f"{lying.slug} and {rdm}")
        for lying in (model, model.twin(0))
        for rdm in ("like-it", "KO")
    )
    assert any(line.startswith("not judged: alike: ") and "cka" in line for line in said)
    outcomes = {verdict["subject"]: verdict["outcome"] for verdict in read_verdicts(run)}
    assert outcomes[f"{NAMES[0]} and like-it"] == "supported"
    assert outcomes[f"{NAMES[0]} and KO"] != "supported"
    assert [entry.path for entry in of_kind(run, "rdm")] == ["rdms/like-it.csv", "rdms/KO.csv"]


def test_a_run_with_rdms_is_sound_without_their_files(with_rdms, there):
    run, _ = with_rdms
    (there / "like it.csv").rename(there / "away.csv")
    try:
        assert_sound(run)
    finally:
        (there / "away.csv").rename(there / "like it.csv")
    ((step, measured),) = measurements(Contents.read(run))
    assert [row[0] for row in step.between.rows] == [NAMES[0], "like-it", "KO"]
    assert [one.twins is not None for one in measured] == [True, True]
    assert step.between.rows[1][3] == "–"  # an RDM is not compared with an RDM


def test_another_rdm_of_the_same_name_is_refused(with_rdms, there, tmp_path):
    run, _ = with_rdms
    other = tmp_path / "like it.csv"
    random_rdm(other)
    with pytest.raises(InputError, match="another RDM called like-it: rename the file"):
        Keeper(run).rdm(str(other))


# ---- what goes wrong


def test_none_is_kept_in_a_protocol(runs, tmp_path):
    asked = protocol(
        runs,
        {"cka": {**STEPS["cka"], "target": None}, "same": {**STEPS["cka"], "target": ""}},
        [claimed(controls=["half_replication"])],
        stimuli=str(Path(runs[0]) / "stimuli.parquet"),
    )
    run = run_study(asked, tmp_path / "run")
    assert Protocol.read(run) == asked
    assert [step.parameters["target"] for step in Protocol.read(run).steps.values()] == [None] * 2
    (verdict,) = read_verdicts(run)
    assert verdict["outcome"] == "supported", verdict["sentence"]
    write_report(run)
    assert_sound(run)


@pytest.mark.parametrize(
    ("subjects", "sentence"),
    [
        (["ONE"], "a comparison needs two subjects, one of them of a run: name more runs."),
        (["ONE#nobody", "OTHER"], "holds no subject 'nobody': write"),
        (["ONE", "nowhere"], "nowhere is neither the folder of a run nor a file of RDMs"),
        (["ONE", "FOLDER"], "is neither the folder of a run nor a file of RDMs"),
        (["ONE", "nothing.csv"], "nothing.csv is neither"),
        (["RDM", "RDM2"], "needs two subjects, one of them of a run"),
        (["ONE", "ONE"], "a subject is named twice"),
        ([], "needs two subjects"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(there, runs, tmp_path, subjects, sentence):
    random_rdm(tmp_path / "brain.csv")
    random_rdm(tmp_path / "person.csv", seed=1)
    known = {
        "ONE": runs[0],
        "OTHER": runs[1],
        "ONE#nobody": f"{runs[0]}#nobody",
        "FOLDER": str(there),
        "RDM": str(tmp_path / "brain.csv"),
        "RDM2": str(tmp_path / "person.csv"),
    }
    with pytest.raises(InputError) as caught:
        comparing_protocol([known.get(subject, subject) for subject in subjects])
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def refused(asked, out):
    with pytest.raises(InputError) as caught:
        run_study(asked, out)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_a_run_cannot_give_is_one_sentence(runs, tmp_path):
    def asked(subjects=runs, **changes):
        changes = {"steps": STEPS, "claims": (), **changes}
        return comparing_protocol([str(subject) for subject in subjects], **changes)

    many = refused(asked(n_twins=2), tmp_path / "twins")
    assert f"{runs[1]} holds 1 twins of {NAMES[1]}: ask for no more (--twins)" in many
    shutil.copytree(runs[1], tmp_path / "copy")
    same = refused(asked([runs[1], tmp_path / "copy"]), tmp_path / "same")
    assert f"two subjects are called {NAMES[1]}" in same
    others = PhantomDesign.balanced(n_categories=2, n_words=21, n_frames=2, n_units=20).table
    others = others.assign(stimulus_id=[f"other {i}" for i in range(len(others))])
    strange = recorded_alone(tmp_path / "strange", OTHER, others, 1)
    unshared = refused(asked([runs[0], strange.path]), tmp_path / "unshared")
    assert "shares no stimulus with" in unshared
    steps = {"cka": {**STEPS["cka"], "site": "attn_out"}}
    unread = refused(asked(steps=steps), tmp_path / "unread")
    assert "step cka reads attn_out, which is not recorded of" in unread
    assert not (tmp_path / "unread").exists()
    steps = {"cka": {**STEPS["cka"], "other_site": "attn_out"}}
    unread = refused(asked(steps=steps), tmp_path / "unread")
    assert f"attn_out, which is not recorded of {NAMES[1]}" in unread
    unnamed = refused(protocol([str(tmp_path / "strange" / "run#nobody")]), tmp_path / "unnamed")
    assert "holds no subject 'nobody'" in unnamed


def test_rdms_that_cannot_be_told_apart_are_refused(runs, tmp_path):
    first = random_rdm(tmp_path / "brain.csv")
    (tmp_path / "copies").mkdir()
    same_name = shutil.copy(first, tmp_path / "copies" / "brain.csv")
    same = shutil.copy(first, tmp_path / "person.csv")
    stimuli = str(Path(runs[0]) / "stimuli.parquet")

    def message(*rdms):
        return refused(protocol([runs[0], *rdms], stimuli=stimuli), tmp_path / rdms[-1].stem)

    assert "two subjects are called brain: rename the file" in message(first, Path(same_name))
    assert "the RDMs brain and person hold the same" in message(first, Path(same))
    alone = refused(protocol([first, same], stimuli=stimuli), tmp_path / "alone")
    assert alone == "the study has RDMs alone: name a model that they are compared with."
    assert not (tmp_path / "alone").exists()


def test_a_run_whose_recording_is_missing_is_named(runs, tmp_path):
    shutil.copytree(runs[1], tmp_path / "half")
    ledger = tmp_path / "half" / "ledger.jsonl"
    lines = ledger.read_text().splitlines(keepends=True)
    ledger.write_text("".join(line for line in lines if json.loads(line)["kind"] != "recording"))
    with pytest.raises(InputError, match=r"holds no recording of .*: run its study to the end"):
        run_study(comparing_protocol([runs[0], str(tmp_path / "half")]), tmp_path / "run")

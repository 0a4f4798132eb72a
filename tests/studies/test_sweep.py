"""Sweeps with a trainer that writes what a run writes, at once; tests/commands/test_sweep.py has real ones."""

import json
from pathlib import Path

import pandas as pd
import pytest

from reid_tf.config import load_config, save_config
from reid_tf.errors import InputError
from reid_tf.files import write_json
from reid_tf.studies import sweep
from reid_tf.studies.sweep import plan_sweep, run_name, run_sweep
from reid_tf.studies.sweep_file import Repetitions, ReportedCurves, load_sweep
from reid_tf.training.run_directory import RunDirectory

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
RATE = "augment.random_erasing.probability"


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def plan(cache):
    """A function of values of the erasing rate that returns the runs over them."""
    small = [f"dataset.root={cache}", "dataset.identities=6", "dataset.images_per_identity=4"]

    def make(*values, more=(), **options):
        load = lambda overrides: load_config(CONFIGS / "multitask_synthetic.yaml", [*small, *more, *overrides])  # noqa: E731
        return plan_sweep({RATE: values}, load, **options)

    return make


@pytest.fixture
def trained(monkeypatch):
    """The (rate, resumed) of every training; `trained.fate[rate]` may be a sentence to fail with, or an exception."""

    class Trained(list):
        """With what becomes of a rate's training."""

    seen = Trained()
    seen.fate = {}

    def train(config, folder, resume):
        rate = config.augment[-1]["probability"]
        seen.append((rate, resume))
        run = RunDirectory(folder, resume)
        run.make()
        save_config(config, run.path / "config.yaml")
        fate = seen.fate.get(rate, "")
        if fate:
            write_json(run.state, {})
            if isinstance(fate, str):
                return fate
            raise fate
        write_json(run.path / "metrics.json", {"rank1": rate, "mAP": rate / 2, "valid_queries": 7, "references": {}})
        write_json(run.path / "manifest.json", {"seconds": 12.3})
        run.finish()
        return ""

    monkeypatch.setattr(sweep, "train_in_own_process", train)
    return seen


def test_repetitions_are_runs_of_their_own_and_one_row_of_the_table(plan, trained, tmp_path):
    runs = plan(0.0, 0.5, repeat=Repetitions("seed", (3, 4)))
    assert [run.name for run in runs] == [f"{RATE}={rate},seed={seed}" for rate in (0.0, 0.5) for seed in (3, 4)]
    assert [run.config.seed for run in runs] == [3, 4, 3, 4]
    assert [run.values for run in runs] == [{RATE: 0.0}, {RATE: 0.0}, {RATE: 0.5}, {RATE: 0.5}]
    trained.fate = {0.5: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        run_sweep(runs, tmp_path)
    table = pd.read_csv(tmp_path / "sweep.csv")
    assert table["state"].tolist() == ["finished", "not run yet"]
    trained.fate = {}
    run_sweep(runs, tmp_path)
    assert trained == [(0.0, False), (0.0, False), (0.5, False), (0.5, True), (0.5, False)]
    table = pd.read_csv(tmp_path / "sweep.csv")
    assert table["rank1"].tolist() == [0.0, 0.5]
    assert table["rank1_spread"].tolist() == [0.0, 0.0]
    assert table["runs"].tolist() == [2, 2]
    assert pd.read_csv(tmp_path / "runs.csv")["seed"].tolist() == [3, 4, 3, 4]
    more = plan(0.0, 0.5, repeat=Repetitions("seed", (3, 4, 5)))
    run_sweep(more, tmp_path)
    assert len(trained) == 7
    assert pd.read_csv(tmp_path / "sweep.csv")["finished_runs"].tolist() == [3, 3]


def test_repetitions_alone_and_with_reported_curves(cache):
    load = lambda overrides: load_config(CONFIGS / "multitask_synthetic.yaml", overrides)  # noqa: E731
    runs = plan_sweep({}, load, repeat=Repetitions("seed", (1, 2)))
    assert [(run.name, run.values, run.repetition) for run in runs] == [
        ("seed=1", {}, {"seed": 1}),
        ("seed=2", {}, {"seed": 2}),
    ]
    curves = ReportedCurves("the paper", {"rank1": (90.0, 80.0)})
    runs = plan_sweep({RATE: (0.0, 1.0)}, load, curves, Repetitions("seed", (1, 2)))
    assert [run.reported["rank1"] for run in runs] == [0.9, 0.9, 0.8, 0.8]


@pytest.mark.parametrize(
    ("repeat", "message"),
    [
        (Repetitions("seed", (1,)), r"at least two values of an option.* Received: seed=\[1\]"),
        (Repetitions("seed", (1, 1)), "Two runs of a sweep must differ. Received: .*'seed': 1.* and .*'seed': 1"),
        (Repetitions(RATE, (0.1, 0.2)), "either varied or repeated, not both. Received: 'augment.random_erasing.prob"),
        (Repetitions("seeds", (1, 2)), "'seeds'. Did you mean 'seed'"),
        (Repetitions("dataset.split", (0, 1)), "'split'"),
    ],
)
def test_wrong_repetitions_are_said_before_anything_runs(plan, trained, repeat, message):
    with pytest.raises(InputError, match=message):
        plan(0.0, 0.5, repeat=repeat)
    assert not trained


def test_a_split_that_cuhk03_does_not_have_is_said_before_the_data_are_looked_for(trained):
    found = load_sweep(CONFIGS / "sweeps" / "joint_loss_cuhk03_splits.yaml")
    assert found.repeat == Repetitions("dataset.split", tuple(range(20)))
    load = lambda more: load_config(found.config, [*found.set, *more])  # noqa: E731
    assert [run.config.dataset["split"] for run in plan_sweep(found.vary, load, repeat=found.repeat)] == [*range(20)]
    with pytest.raises(InputError, match=r"'split' of .* should be 0, 1, .* or 19. Received: 20\."):
        plan_sweep({}, load, repeat=Repetitions("dataset.split", (0, 20)))


def test_an_interrupted_sweep_goes_on_and_repeats_nothing(plan, trained, tmp_path):
    runs = plan(0.0, 0.3, 1.0)
    trained.fate = {0.3: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        run_sweep(runs, tmp_path)
    assert pd.read_csv(tmp_path / "sweep.csv")["state"].tolist() == ["finished", "not run yet", "not run yet"]
    assert "1 of 3 runs finished." in (tmp_path / "sweep.md").read_text()
    assert (tmp_path / "sweep.png").exists()

    trained.fate = {}
    rows = run_sweep(runs, tmp_path)
    assert trained == [(0.0, False), (0.3, False), (0.3, True), (1.0, False)]
    assert [row.state for row in rows] == ["finished"] * 3
    table = pd.read_csv(tmp_path / "sweep.csv")
    for number, run in enumerate(runs):
        figures = json.loads((tmp_path / run.name / "metrics.json").read_text())
        assert {key: table[key][number] for key in ("rank1", "mAP", "valid_queries")} == {
            key: figures[key] for key in ("rank1", "mAP", "valid_queries")
        }
    assert table["seconds"].tolist() == [12.3] * 3
    assert "references" not in table

    assert run_sweep(runs, tmp_path) == rows
    assert len(trained) == 4


def test_a_run_that_fails_keeps_no_other_from_running(plan, trained, tmp_path):
    trained.fate = {0.0: "The loss became nan."}
    failed, finished = run_sweep(plan(0.0, 0.5), tmp_path)
    assert (failed.error, failed.figures) == ("The loss became nan.", {})
    assert finished.figures["rank1"] == 0.5
    assert "probability=0.0` failed: The loss became nan." in (tmp_path / "sweep.md").read_text()


def test_a_run_of_another_configuration_is_in_the_way(plan, trained, tmp_path):
    trained.fate = {0.5: "stopped"}
    run_sweep(plan(0.0, 0.5), tmp_path)
    for values in ((0.0, 0.2), (0.5, 0.2)):  # a finished run and an interrupted one
        with pytest.raises(InputError, match=r"probability=0.[05].* holds a run .* epochs=\d+; .* Received: epochs=3"):
            run_sweep(plan(*values, more=["epochs=3"]), tmp_path)
    assert len(trained) == 2


def test_data_that_are_missing_are_said_once(plan, trained, tmp_path):
    runs = plan(0.0, 0.5, more=["dataset={name: market1501, root: nowhere}"])
    with pytest.raises(InputError, match="nowhere"):
        run_sweep(runs, tmp_path / "out")
    assert not trained
    assert not (tmp_path / "out").exists()


def test_every_configuration_is_checked_first(plan, trained):
    with pytest.raises(InputError, match="'probability'.*'often'"):
        plan(0.0, "often")
    with pytest.raises(InputError, match=r"must differ. Received: \{.*: 0\} and \{.*: 0.0\}"):
        plan(0, 0.0)
    with pytest.raises(InputError, match="at least one value. Received: .*probability"):
        plan()


def test_values_reach_the_configuration_as_they_are(cache):
    load = lambda overrides: load_config(CONFIGS / "multitask_synthetic.yaml", overrides)  # noqa: E731
    vary = {"image_size": ([64, 32], [128, 64]), "initial_weights": ("yes", None), "optimizer.learning_rate": (1e-5,)}
    configs = [run.config for run in plan_sweep(vary, load)]
    assert [(config.image_size, config.initial_weights) for config in configs] == [
        ((64, 32), "yes"), ((64, 32), None), ((128, 64), "yes"), ((128, 64), None)
    ]  # fmt: skip
    assert configs[0].optimizer["learning_rate"] == 1e-5


def test_names_are_readable_and_differ():
    assert run_name({RATE: 0.3}) == f"{RATE}=0.3"
    assert run_name({"backbone.name": "resnet50", "epochs": 3}) == "backbone.name=resnet50,epochs=3"
    values = [0.3, "0.3", True, "true", None, "null", "a/b", "a b", "A", "a", "é", "../x", [1, 2], "1,b=2", "x" * 300]
    names = [run_name({"a": value}) for value in values]
    assert len({name.lower() for name in names}) == len(values)
    for name in names:
        assert name == Path(name).name
        assert name.isascii()
        assert len(name) < 200


def test_reported_shares_stand_with_their_values(plan):
    runs = plan(0.4, 0.5, reported=ReportedCurves("the paper", {"rank1": (90.47, 90.02)}))
    assert [run.reported for run in runs] == [{"rank1": 0.9047}, {"rank1": 0.9002}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("vari: {epochs: [1]}", "Unknown key of a sweep: 'vari'. Did you mean 'vary'"),
        ("vary: {}", r"at least one value. Received: vary=\{\}"),
        ("vary: {epochs: []}", "at least one value. Received: .*epochs"),
        ("vary: {epochs: 3}", "'epochs'.* Received: 3"),
        ("vary: {seed: [1]}\nrepeat: {key: seed, values: [1, 2]}", "either varied or repeated, not both"),
        ("repeat: {key: seed, value: [1, 2]}", "key of a sweep's 'repeat': 'value'. Did you mean 'values'"),
        ("repeat: {key: seed, values: 3}", "'values'.* Received: 3"),
        ("repeat: [1]", "A sweep's 'repeat' must be a mapping of keys to values"),
        ("set: 3", "'set'.* Received: 3"),
        ("reported: {percent: {}}", "'reported' lacks the key 'source'"),
        ("reported: {source: a, percents: {}}", "'percents'. Did you mean 'percent'"),
        ("reported: {source: a, percent: {rank2: [1, 2]}}", "Unknown reported metric: 'rank2'. Did you mean 'rank"),
        ("reported: {source: a, percent: {mAP: [50]}}", "'mAP' needs .* each of the 2 values of 'seed'. Received: 1"),
        ("reported: {source: a, percent: {mAP: [0.5, 0.6]}}", r"must be percentages, .* Received: \[0.5, 0.6\]"),
        ("reported: {source: a, percent: {mAP: [50, 101]}}", r"must be percentages, .* Received: \[50.0, 101.0\]"),
        (
            "vary: {seed: [1, 2], epochs: [1]}\nreported: {source: a, percent: {mAP: [50, 60]}}",
            "values of one option. Received: seed, epochs",
        ),
        ("- 1", "A sweep must be a mapping of keys to values. Received: .*a list"),
        ("a: [1", r"sweep\.yaml' is not a YAML file"),
    ],
)
def test_what_is_wrong_in_a_sweep_file_is_one_sentence(tmp_path, change, message):
    lines = {"config": "config: a.yaml", "vary": "vary: {seed: [1, 2]}"}
    kept = [] if change.startswith("-") else [line for key, line in lines.items() if f"{key}:" not in change]
    (tmp_path / "sweep.yaml").write_text("\n".join([*kept, change]))
    with pytest.raises(InputError, match=message):
        load_sweep(tmp_path / "sweep.yaml")


def test_no_sweep_file(tmp_path):
    with pytest.raises(InputError, match=r"no sweep file .*none\.yaml"):
        load_sweep(tmp_path / "none.yaml")


@pytest.mark.parametrize("path", sorted((CONFIGS / "sweeps").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_sweep_file_is_valid_and_has_its_header(path):
    found = load_sweep(path)
    load = lambda more: load_config(found.config, [*found.set, *more])  # noqa: E731
    runs = plan_sweep(found.vary, load, found.reported, found.repeat)
    assert len({run.name for run in runs}) == len(runs) > 1
    header = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert any(line.startswith("# Reported by the paper:") for line in header)
    assert any(line.startswith("# Measured:") for line in header)
    assert any(line.startswith(f"# Run: python tools/sweep.py --sweep configs/sweeps/{path.name}") for line in header)

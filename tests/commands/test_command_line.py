"""What all commands do alike: look at their outputs first, and end in a sentence when they are stopped."""

import os
import shlex
import signal
import subprocess
import sys
import time

import pytest

from reid_tf.training import callbacks
from tests.commands.test_train import overrides

SLEEP = """
import sys, time
from reid_tf.commands import command_line
from reid_tf.files import folder_written_beside, written_beside
sys.argv[0] = "reid-tf prepare"
def main():
    with folder_written_beside(sys.argv[1]) as beside, written_beside(beside / "a") as file:
        file.write_text("half")
        print("began", flush=True)
        time.sleep(60)
command_line.run(main)
"""

WRITING = {  # the arguments that each command needs before it would look at anything that exists
    "attributes": [["--run", "none", "--images", "none"], ["--out", "--junk-scores", "--ranked"]],
    "compare": [["none", "--dataset", "synthetic"], ["--out"]],
    "convert_weights": [["--backbone", "resnet50", "--weights", "none"], ["--out", "--report"]],
    "embed": [["--run", "none", "--images", "none"], ["--out"]],
    "evaluate": [["--run", "none"], ["--out"]],
    "export": [["--run", "none", "--format", "litert"], ["--out"]],
    "landmarks": [["--detector", "movenet", "--images", "none"], ["--out", "--preview"]],
    "prepare": [["--dataset", "market1501", "--data", "none"], ["--out"]],
    "preview": [["--what", "samples", "--dataset", "market1501", "--data", "none"], ["--out"]],
    "search": [["--run", "none", "--gallery", "none", "--query", "none"], ["--out", "--picture"]],
    "sweep": [["--model", "multitask", "--vary", "epochs=[1,2]", "--set", "dataset.name=market1501"], ["--out"]],
    "train": [["--model", "multitask", "--dataset", "market1501", "--data", "none"], ["--out"]],
    "tune": [["--config", "loss_weights_synthetic", "--trials", "1"], ["--out"]],
}  # fmt: skip
CASES = [(command, flag) for command, (_, flags) in WRITING.items() for flag in flags]


@pytest.mark.parametrize(("command", "flag"), CASES)
def test_an_output_that_cannot_be_written_is_the_first_thing_said(run, tmp_path, monkeypatch, command, flag):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    arguments, flags = WRITING[command]
    others = [word for other in flags if other != flag for word in (other, f"{other.strip('-')}.png")]
    for wrong, sentence in (
        ("", "needs a name"),
        ("file/a.png", "file' above it is a file"),
        (f"{300 * 'a'}.png", "cannot be written"),
    ):
        result = run(command, *arguments, *others, flag, wrong)
        assert (result.returncode, result.stdout) == (2, ""), result.stderr
        assert sentence in result.stderr
        assert result.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.slow
def test_a_stopped_command_leaves_one_sentence_and_nothing_else(tmp_path, number, code):
    process = subprocess.Popen(
        [sys.executable, "-c", SLEEP, tmp_path / "out"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "began\n"
    process.send_signal(number)
    _, error = process.communicate(timeout=30)
    assert (process.returncode, error) == (code, "stopped: nothing half-written is left.\n")
    assert not list(tmp_path.iterdir())


def test_who_ignores_ctrl_c_is_left_alone(tmp_path):
    ignoring = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n{SLEEP}"
    process = subprocess.Popen(
        [sys.executable, "-c", ignoring, tmp_path / "out"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "began\n"
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    process.terminate()
    assert process.communicate(timeout=30)[1].startswith("stopped")
    assert process.returncode == 143


@pytest.mark.parametrize("epoch", [0, 1])
@pytest.mark.slow
def test_a_stopped_training_says_how_it_goes_on(run, tmp_path, monkeypatch, epoch):
    class Stop(callbacks.StopAtNaN):
        def on_epoch_begin(self, number, logs=None):
            if number == epoch:
                os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REID_TF_CACHE", str(tmp_path / "cache"))
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    settings = overrides(tmp_path / "cache")
    with monkeypatch.context() as patched:
        patched.setattr(callbacks, "StopAtNaN", Stop)
        result = run("train", "--model", "multitask", *settings, "epochs=2")
    assert result.returncode == 143
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    sentence = result.stderr.splitlines()[-1]
    if not epoch:
        assert sentence == "stopped: there was no checkpoint yet; the same command begins again."
        return
    assert sentence.startswith("stopped: go on with: python ")
    words = shlex.split(sentence)
    assert words[-3:] == ["--out", "runs/multitask_synthetic", "--resume"]
    result = run("train", *words[words.index("--model") :])
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "runs" / "multitask_synthetic" / "metrics.json").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("search", "--run", "r", "--gallery", "g", "--query", "q", "--out", "o", "--k", "-1"),
            "--k: it must be at least",
        ),
        (("export", "--run", "r", "--format", "onnx", "--max-images", "0"), "--max-images: it must be at least 1"),
        (("export", "--run", "r", "--format", "onnx", "--max-points-lost", "nan"), "it must be finite. Received: nan"),
        (("export", "--run", "r", "--format", "onnx", "--max-difference", "-1"), "it must be at least 0. Received: -1"),
        (("calibrate", "--run", "r", "--false-accept-rate", "nan"), "between 0 and 1, both excluded. Received: nan"),
        (("preview", "--what", "samples", "--out", "o", "--seed", "-1"), "--seed: it must be at least 0. Received: -1"),
        (
            ("tune", "--config", "c", "--out", "o", "--trials", "many"),
            "--trials: it must be a number. Received: 'many'",
        ),
        (("train", "--model", "multitask", "--set", "schedule.warmup_epochs=1000"), "warmup_epochs' must be at most"),
        (("train", "--model", "multitask", "--set", "seed=-1"), "it must be between 0 and 4294967295. Received: -1"),
        (("train", "--model", "multitask", "--set", "seed=4294967296"), "must be between 0 and 4294967295"),
        (
            ("train", "--model", "multitask", "--set", "load_size=[0,0]"),
            "'load_size'][0] is wrong: it must be at least 1",
        ),
        (("train", "--model", "multitask", "--set", "optimizer.learning_rate=.inf"), "should be a finite number"),
        (
            ("train", "--model", "multitask", "--set", "evaluation.ranked_lists=-1"),
            "it must be at least 1. Received: -1",
        ),
        (("train", "--model", "multitask", "--set", "model.name=[1]"), "name of the model must be text. Received: [1]"),
        (("train", "--model", "multitask", "--set", "loss_weights.identity_a=.nan"), "should be a finite number"),
        (("train", "--model", "multitask", "--set", "stages=[{name: a, share: .nan}]"), "should be a finite number"),
    ],
)
def test_senseless_numbers_are_a_sentence(run, words, sentence):
    result = run(*words)
    assert result.returncode == 2
    assert sentence in result.stderr

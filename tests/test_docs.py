"""What README and docs/ tell a reader to type: the commands, their options, the configurations and the names exist."""

import argparse
import ast
import functools
import importlib
import re
import shlex
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import reid_tf
from reid_tf import registry
from reid_tf.commands import command_line
from reid_tf.commands.main import commands
from reid_tf.config import load_config
from reid_tf.registry import DATASETS
from tests.datasets.made_datasets import MARKET_NAMES, encoded_image
from tests.models.made_models import small_backbone

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXT = {page.relative_to(ROOT).as_posix(): page.read_text() for page in PAGES}


def blocks(page, language):
    """The code blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT[page], re.MULTILINE | re.DOTALL)


def command_lines():
    """Every command of the package that a page shows, in a block or within a sentence, with its page."""
    for page, text in TEXT.items():
        code = [line for block in blocks(page, "bash") for line in block.splitlines()]
        code += re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
        for line in code:
            for part in line.split("&&"):
                match = re.match(r"\s*(?:python tools/(\w+)\.py|reid-tf ([a-z-]+)) (.*\S)", part)
                if match:
                    yield page, (match[1] or match[2]).replace("_", "-"), match[3].replace(" ...", "")
                elif re.match(r"--(config|model) ", part) and "..." not in part:
                    yield page, "train", part


COMMAND_LINES = sorted(set(command_lines()))


class ParsedError(Exception):
    """Ends a command when its arguments are read."""


@pytest.fixture
def parsed(monkeypatch):
    """A function that gives what a command makes of its arguments, and stops there."""

    def stop_after(method):
        @functools.wraps(method)
        def stopping(self, *arguments, **options):
            raise ParsedError(method(self, *arguments, **options))

        return stopping

    for name in ("parse_args", "parse_intermixed_args"):
        monkeypatch.setattr(argparse.ArgumentParser, name, stop_after(getattr(argparse.ArgumentParser, name)))

    def parse(command, words):
        monkeypatch.setattr("sys.argv", [f"reid-tf {command}", *words])
        with pytest.raises(ParsedError) as end:
            importlib.import_module(f"reid_tf.commands.{commands()[command].stem}").main()
        return end.value.args[0]

    return parse


@pytest.mark.parametrize(("page", "command", "words"), COMMAND_LINES, ids=[" ".join(row[1:]) for row in COMMAND_LINES])
def test_a_command_of_a_page_is_understood(parsed, page, command, words):
    if words in ("", "..."):
        return
    given = vars(parsed(command, shlex.split(words, comments=True)))
    for option, folder in (("config", "tuning" if command == "tune" else ""), ("sweep", "sweeps")):
        if given.get(option) and not re.search("CONFIG|NAME|PATH", given[option]):  # a reader's own
            command_line.find_config(given[option], folder)
    overrides = [*given.get("set", []), *given.get("overrides", [])]
    if overrides:
        name = given.get("config") or f"{given['model'] or 'triplet'}_synthetic"  # a run's own may be any
        load_config(command_line.find_config(name), overrides)


def test_the_experiments_that_pages_name_exist():
    names = {path.stem for path in command_line.config_files()}
    endings = "|".join(sorted({name.rsplit("_", 1)[1] for name in names}))
    named = {name for text in TEXT.values() for name in re.findall(rf"`((?:[a-z0-9]+_)+(?:{endings}))`", text)}
    assert len(named & names) > 20
    assert named <= names | set(DATASETS.names())


def test_pages_show_commands():
    pages = {page for page, _, _ in COMMAND_LINES}
    assert {"README.md", "docs/data.md", "docs/serving.md", "docs/figures.md"} <= pages
    assert len(COMMAND_LINES) > 40
    shown = {command for _, command, _ in COMMAND_LINES}
    assert shown >= {"train", "evaluate", "embed", "search", "check", "prepare", "calibrate", "export", "tune", "sweep"}


@pytest.mark.parametrize("page", [page for page in TEXT if blocks(page, "python")])
def test_names_of_the_package_in_a_page_exist(page):
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and re.fullmatch(r"reid_tf(\.\w+)+", ast.unparse(node)):
                functools.reduce(getattr, ast.unparse(node).split(".")[1:], reid_tf)
            if isinstance(node, ast.ImportFrom) and node.module.startswith("reid_tf"):
                assert all(hasattr(importlib.import_module(node.module), alias.name) for alias in node.names)


@pytest.mark.slow
def test_the_program_of_the_readme_runs(tmp_path, monkeypatch):
    """With a smaller network than ConvNeXt, whose weights would be downloaded."""
    monkeypatch.chdir(tmp_path)
    people = [f"{identity:04d}_c{camera}s1_000451_03.jpg" for identity in range(2, 18) for camera in (1, 2)]
    for folder in ("bounding_box_train", "query", "bounding_box_test"):
        (tmp_path / "DATA" / "Market-1501" / folder).mkdir(parents=True)
        for seed, name in enumerate(people if folder == "bounding_box_train" else MARKET_NAMES[folder]):
            (tmp_path / "DATA" / "Market-1501" / folder / name).write_bytes(encoded_image(seed))
    for seed, name in enumerate(("a.jpg", "b.jpg")):
        (tmp_path / name).write_bytes(encoded_image(seed))
    asked = []

    def small(*, input_shape, include_top):
        asked.append((input_shape, include_top))
        return small_backbone()

    monkeypatch.setattr(keras.applications, "ConvNeXtTiny", small)
    names = {}
    exec(blocks("README.md", "python")[0], names)
    assert asked == [((256, 128, 3), False)]
    assert int(names["model"].optimizer.iterations) >= 20
    assert names["vectors"].shape == (2, names["encoder"].dim)
    assert names["vectors"].dtype == np.float32


def test_the_programs_of_the_python_page_run(monkeypatch):
    monkeypatch.setattr(keras.applications, "ConvNeXtTiny", lambda **options: small_backbone())
    images = np.zeros((20, 16, 8, 3), np.float32)
    names = {"reid_tf": reid_tf, "keras": keras, "tf": tf, "images": images, "labels": np.arange(20) % 10}
    for block in blocks("docs/python.md", "python"):
        exec(block, names)
    assert names["system"].model.output_names == ["embedding", "identity"]


REGISTRIES = [value for value in vars(registry).values() if isinstance(value, registry.Registry)]


@pytest.mark.parametrize("components", REGISTRIES, ids=lambda components: components.kind)
def test_the_reference_has_every_component(components):
    shown = set(re.findall(r"^::: (\S+)$", "\n".join(TEXT.values()), re.MULTILINE))
    places = {f"{function.__module__}.{function.__qualname__}" for function in map(components.get, components.names())}
    assert {place for place in places if place.startswith("reid_tf.")} <= shown  # those of other tests have no page

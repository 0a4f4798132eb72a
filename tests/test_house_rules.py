"""What a machine can check of the way the package is written, from the syntax trees alone."""

import ast
import inspect
import re
from pathlib import Path

import pytest

from reid_tf.commands.main import commands

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "reid_tf"
FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text()) for path in FILES}

# A room may import the rooms before it and those that stand outside the order.
ORDER = [
    "datasets",
    "pose",
    "pipeline",
    "backbones",
    "losses",
    "metrics",
    "models",
    "retrieval",
    "encoder",
    "report",
    "calibration",
    "training",
    "studies",
    "serving",
    "gallery",
    "footage",
    "commands",
]
OUTSIDE = {
    "arrays",
    "checksums",
    "config",
    "config_file",
    "errors",
    "files",
    "imagenet",
    "keras_file",
    "keras_names",
    "layers",
    "on_demand",
    "options",
    "progress",
    "quiet",
    "registry",
    "schema",
    "tensorflow_operations",
    "versions",
}
MAY_IMPORT_TENSORFLOW = (
    "arrays.py",
    "commands/benchmarks/",
    "datasets/doctor/images.py",
    "datasets/readers/encoded.py",
    "encoder/runtimes/gradients.py",
    "encoder/runtimes/operations.py",
    "encoder/runtimes/saved_model.py",
    "footage/detectors.py",
    "pipeline/",
    "serving/",
    "tensorflow_operations.py",
    "training/batches.py",
    "training/experiment.py",
    "training/fitting.py",
    "training/strategy.py",
    "training/workers.py",
)
# What these rooms may not import, wherever they stand in the order.
APART = {
    "retrieval": {"keras", "tensorflow"},
    "layers": {"tensorflow"},
    "serving": {"reid_tf.training", "reid_tf.studies"},
}


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(tree: ast.Module) -> list[str]:
    """Dotted names of everything that a file imports, at its top or inside a function."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def public(tree: ast.Module):
    """Public functions, classes and methods with their owner."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node, None
            if isinstance(node, ast.ClassDef):
                for method in node.body:
                    if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                        yield method, node


def documented_arguments(docstring: str) -> list[str] | None:
    """The names under `Args:`, or None where there is no such section."""
    match = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n)+)", inspect.cleandoc(docstring) + "\n", re.MULTILINE)
    if match is None:
        return None
    return [entry.lstrip("*") for entry in re.findall(r"^ {4}(\*{0,2}\w+):", match.group(1), re.MULTILINE)]


def parameters(node: ast.FunctionDef) -> list[str]:
    arguments = node.args
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    names += [a.arg for a in (arguments.vararg, arguments.kwarg) if a]
    return [n for n in names if n not in ("self", "cls")]


def constructor(node: ast.ClassDef) -> list[str] | None:
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            return parameters(statement)
    if any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
        return [s.target.id for s in node.body if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)]
    return None


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_room_imports_only_earlier_rooms(path):
    here = room(path)
    if here not in ORDER:
        return
    allowed = set(ORDER[: ORDER.index(here) + 1]) | OUTSIDE
    rooms = {
        parts[1]
        for parts in (module.split(".") for module in imported(TREES[path]))
        if parts[0] == "reid_tf" and len(parts) > 1
    }
    # The configuration is read by the loop over all rooms, never by the rooms themselves.
    allowed -= set() if here in ("training", "studies", "serving", "commands") else {"config", "config_file"}
    assert rooms <= allowed, f"{name(path)} imports {sorted(rooms - allowed)}"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_tensorflow_stays_where_files_are_read_and_devices_chosen(path):
    modules = {module.split(".")[0] for module in imported(TREES[path])}
    if not name(path).startswith(MAY_IMPORT_TENSORFLOW):
        assert not modules & {"tensorflow", "tensorflow_datasets"}


@pytest.mark.parametrize("path", [path for path in FILES if room(path) in APART], ids=name)
def test_rooms_that_stay_apart(path):
    for module in imported(TREES[path]):
        assert not any(f"{module}.".startswith(f"{other}.") for other in APART[room(path)]), module


@pytest.mark.parametrize("path", FILES, ids=name)
def test_the_library_neither_prints_nor_asserts_nor_swallows(path):
    for node in ast.walk(TREES[path]):
        where = f"{name(path)}:{getattr(node, 'lineno', 0)}"
        assert not isinstance(node, ast.Assert), where
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print" or room(path) == "commands", where
        if isinstance(node, ast.ImportFrom):
            assert all(alias.name != "*" for alias in node.names), where
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else ""
            turned_into_another = isinstance(
                node.body[-1], ast.Raise
            )  # what a user's own module raises can be anything
            assert caught not in ("", "Exception", "BaseException") or turned_into_another, where
            assert not (len(node.body) == 1 and isinstance(node.body[0], ast.Pass)), where


@pytest.mark.parametrize("path", FILES, ids=name)
def test_every_raise_shows_its_value(path):
    for node in ast.walk(TREES[path]):
        if not isinstance(node, ast.Raise) or not isinstance(node.exc, ast.Call) or not node.exc.args:
            continue
        message = node.exc.args[0]
        literal = isinstance(message, ast.Constant) or (
            isinstance(message, ast.JoinedStr) and not any(isinstance(v, ast.FormattedValue) for v in message.values)
        )
        assert not literal, f"{name(path)}:{node.lineno} raises a fixed text"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_public_docstrings_name_every_argument(path):
    for node, owner in public(TREES[path]):
        where = f"{name(path)}:{node.lineno} {node.name}"
        docstring = ast.get_docstring(node)
        inherited = owner is not None and any("register_keras" in ast.unparse(d) for d in owner.decorator_list)
        inherited |= owner is not None and bool(owner.bases)
        assert docstring or inherited, f"{where} has no docstring"
        if not docstring:
            continue
        found = documented_arguments(docstring)
        expected = constructor(node) if isinstance(node, ast.ClassDef) else parameters(node)
        if found is not None and expected is not None:
            assert found == expected, where


@pytest.mark.parametrize(
    "folder", ["datasets", "pose", "pipeline/augment", "pipeline/samplers", "backbones", "losses", "models", "training"]
)
def test_an_init_enters_each_registered_file(folder):
    registered = {
        path.stem
        for path in (PACKAGE / folder).glob("*.py")
        if re.search(r"^@[A-Z_]+\.register\(", path.read_text(), re.MULTILINE)
    }
    package = "reid_tf." + folder.replace("/", ".")
    entered = {
        module.removeprefix(f"{package}.").split(".")[0] for module in imported(TREES[PACKAGE / folder / "__init__.py"])
    }
    assert registered <= entered


COMMANDS = sorted(commands().values())


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.stem)
def test_a_command_shows_an_example_and_has_a_launcher(path):
    assert f"reid-tf {path.stem.replace('_', '-')}" in path.read_text()
    assert f'launch.command("{path.stem}")' in (ROOT / "tools" / path.name).read_text()


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.stem)
def test_what_a_command_writes_is_checked_before_its_work(path):
    """Words such as "write" or "draw" in the help of an argument that is not declared as an output."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".add_argument"):
            text = ast.unparse(node)
            assert "'--out'" not in text, text
            assert not re.search(r"help=f?.(also |the \w+ to )?(write|draw)", text), text


def test_a_launcher_launches_a_command():
    launchers = {path.stem for path in (ROOT / "tools").glob("*.py")} - {"launch"}
    assert launchers == {path.stem for path in COMMANDS}


# Tests of something that several files do together; every other one is named after the file that it tests.
ACROSS = {
    "gallery/test_kills.py",
    "gallery/test_server.py",
    "backbones/test_branch.py",
    "backbones/test_contract.py",
    "backbones/test_published_sizes.py",
    "backbones/weights/test_torch_parity.py",
    "commands/test_dataset_tools.py",
    "commands/test_pose_tools.py",
    "commands/test_single_shot_tools.py",
    "datasets/test_town_centre_training.py",
    "losses/test_metric_losses.py",
    "losses/test_triplet_published.py",
    "models/test_systems.py",
    "pipeline/test_parts_follow_pixels.py",
    "pipeline/test_samplers.py",
    "serving/test_serving_files.py",
    "serving/test_without_tensorflow.py",
    "training/test_replicas.py",
    "training/test_sources.py",
    "training/test_stages.py",
}


def test_tests_mirror_the_package():
    tests = {path.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("*/test_*.py")}
    alone = {test for test in tests if not (PACKAGE / test.parent / test.name.removeprefix("test_")).exists()}
    assert {test.as_posix() for test in alone} == ACROSS

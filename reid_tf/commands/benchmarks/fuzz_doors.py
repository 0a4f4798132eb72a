"""The doors that spoilt images, configurations and tables go through, and what a door must not make of them."""

import copy
import dataclasses
import json
import random
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from reid_tf.commands import command_line
from reid_tf.commands.benchmarks.fuzz_mutations import misconfigured, rearranged, respelt, spoilt, spoilt_image
from reid_tf.commands.benchmarks.kills import RECIPE
from reid_tf.config import ExperimentConfig, check_new_run, load_config, parse_config
from reid_tf.datasets.attributes.annotation_csv import read_annotations, write_annotations
from reid_tf.datasets.attributes.files import read_market_attributes
from reid_tf.datasets.landmarks import write_landmarks
from reid_tf.datasets.load import load_dataset
from reid_tf.datasets.readers.box import read_boxes
from reid_tf.datasets.readers.image_file import FORMATS
from reid_tf.datasets.record import ReIDDataset, fits_64_bits
from reid_tf.encoder.description import Description, read_manifest
from reid_tf.encoder.exported import Export
from reid_tf.errors import InputError
from reid_tf.pose.coco_json import read_coco
from reid_tf.pose.openpose_json import read_openpose
from reid_tf.retrieval.calibration import Calibration
from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.fingerprint import Fingerprint
from reid_tf.retrieval.metrics import evaluate
from reid_tf.retrieval.ranked_file import read_ranked_lists, write_ranked_lists
from reid_tf.schema import read_json
from reid_tf.studies.plan import plan_search
from reid_tf.studies.ranges import load_tuning
from reid_tf.studies.sweep import plan_sweep
from reid_tf.studies.sweep_file import load_sweep

NO_SENTENCE, TRACEBACK, HANG, NONSENSE = FAULTS = ("no sentence", "traceback", "hang", "accepted nonsense")
ANSWERED, ONE_DECODER = "answered", "by one decoder"
PEOPLE: dict[str, Any] = {"name": "synthetic", "identities": 12, "images_per_identity": 4, "image_size": [64, 32]}


class FaultError(Exception):
    """What no door may do.

    Args:
        kind: str. One of `FAULTS`.
        what: str. What happened.
    """

    def __init__(self, kind: str, what: str) -> None:
        super().__init__(f"{kind}: {what}")
        self.kind = kind


class Images:
    """Files of drawn people in every format, and arrays of their pixels, for two decoders and an encoder.

    Args:
        folder: Path. Where cases are written.
    """

    cases = 10_000

    def __init__(self, folder: Path) -> None:
        from reid_tf.datasets.readers import pixels
        from reid_tf.pipeline import decode
        from reid_tf.training.experiment import build_experiment

        self.path, self.decoders = folder / "image", {"TensorFlow": decode, "OpenCV": pixels}
        self.encoder = build_experiment(parse_config(small(RECIPE, folder))).encoder()
        self.pictures = [pixels.read_image(record.path) for record in people(folder).train[:4]]
        ends = [suffixes[0] for suffixes in FORMATS.values()]
        self.files = [cv2.imencode(end, picture)[1].tobytes() for picture in self.pictures for end in ends]

    def put(self, chance: random.Random) -> str:
        """Decodes a case with both decoders, and embeds it as a file, as bytes and as pixels."""
        if chance.random() < 0.05:
            check_sound(self.encoder([rearranged(chance.choice(self.pictures), chance)]))
            return ANSWERED
        encoded = spoilt_image(chance.choice(self.files), chance)
        self.path.write_bytes(encoded)
        images, refusals = {}, {}
        for name, decoder in self.decoders.items():
            try:
                images[name] = decoder.read_image(str(self.path))
            except InputError as error:
                check_sentence(error)
                refusals[name] = error
        vectors = self.encoder([self.path, self.path], on_error="nan")
        if np.isfinite(vectors).any() != ("TensorFlow" in images):
            raise FaultError(NONSENSE, f"the encoder and the decoders, {[*images]}, differ in what they accept")
        if np.isfinite(self.encoder([encoded], on_error="nan")).any():
            raise FaultError(NONSENSE, "bytes are taken for pixels")
        if len(images) == 2:
            image, other = images.values()
            if not np.array_equal(image, other) or not np.array_equal(self.encoder([other, other]), vectors):
                raise FaultError(NONSENSE, f"two decoders give other pixels, of shapes {image.shape} and {other.shape}")
        elif not images:
            raise refusals["TensorFlow"]
        return ANSWERED if len(images) == 2 else ONE_DECODER


class Configurations:
    """Configurations of small networks: what is accepted must build and give a sound batch.

    Args:
        folder: Path. Where cases are written, and the working directory.
    """

    cases = 500

    def __init__(self, folder: Path) -> None:
        from reid_tf.training import experiment

        self.path, self.experiment = folder / "case.yaml", experiment
        ours = [path for path in command_line.config_files() if path.stem.endswith("_synthetic")]
        self.trees = [small(tree, folder) for tree in (RECIPE, *(load_config(path).to_dict() for path in ours))]
        people(folder)

    def put(self, chance: random.Random) -> str:
        """Reads a case, builds all that it names and makes its first batches."""
        import keras

        tree = copy.deepcopy(chance.choice(self.trees))
        self.path.write_text(misconfigured(tree, chance))
        key = f"{chance.choice([*tree])}{chance.choice(('', '.name', '.0', '.x.y'))}"
        config = load_config(self.path, [f"{key}={respelt('1', chance)}"] if chance.random() < 0.1 else [])
        check_new_run(config)
        try:
            experiment = self.experiment.build_experiment(config)
            for stage in experiment.in_stages():
                check_sound(list(stage.batches().take(1).as_numpy_iterator()))
            check_sound(float(experiment.compile().optimizer.learning_rate))
        finally:
            keras.backend.clear_session()
        return ANSWERED


class Tables:
    """What people list, annotate, measure and keep: CSV, JSON, YAML and text files, NumPy archives, MATLAB files.

    Args:
        folder: Path. Where cases are written.
    """

    cases = 500

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "tables"
        self.folder.mkdir()
        self.doors = write_tables(self.folder, people(folder))
        self.contents = {name: (self.folder / name).read_bytes() for name in self.doors}

    def put(self, chance: random.Random) -> str:
        """Reads a case, and checks the numbers in what is made of it."""
        name = chance.choice([*self.doors])
        path, content = self.folder / name, self.contents[name]
        if path.suffix == ".npz" and chance.random() < 0.7:
            with np.load(path) as archive:
                arrays = dict(archive)
            changed = chance.choice([*arrays])
            np.savez(path, **{**arrays, changed: rearranged(arrays[changed], chance)})
        elif path.suffix in (".npz", ".mat") or chance.random() < 0.2:
            path.write_bytes(spoilt(content, chance))
        else:
            path.write_text(respelt(content.decode(), chance))
        try:
            check_sound(self.doors[name](path))
        finally:
            path.write_bytes(content)
        return ANSWERED


KINDS: dict[str, Any] = {"images": Images, "configurations": Configurations, "tables": Tables}


def check_sentence(error: InputError) -> None:
    """Raises a `FaultError` unless the message is one line that ends as a sentence does."""
    if "\n" in str(error) or not str(error).endswith("."):
        raise FaultError(NO_SENTENCE, repr(str(error)))


def check_sound(value: Any) -> None:
    """Raises a `FaultError` where a number, at any depth, is not finite or is a whole one of more than 64 bits."""
    if dataclasses.is_dataclass(value):
        value = vars(value)
    if isinstance(value, Mapping | list | tuple):
        for part in (*value.keys(), *value.values()) if isinstance(value, Mapping) else value:
            check_sound(part)
    elif isinstance(value, float) or getattr(value, "dtype", np.dtype(object)).kind in "fc":
        if not np.isfinite(value).all():
            raise FaultError(NONSENSE, "a number is not finite")
    elif isinstance(value, int) and not fits_64_bits(value):
        raise FaultError(NONSENSE, f"{value} has more than 64 bits")


def people(folder: Path) -> ReIDDataset:
    """Returns the drawn people, who are drawn into a folder once."""
    return load_dataset(**{**PEOPLE, "root": str(folder / "cache")})


def small(tree: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Returns a configuration on the drawn people, with a tiny backbone and batch where the model allows it."""
    changed = {"dataset": {**PEOPLE, "root": str(folder / "cache")}, "image_size": [64, 48], "cache": "none"}
    if tree["backbone"]["name"] == "tiny":
        changed["backbone"] = {"name": "tiny", "width": 4}
    sizes = {"batch_size": 4, "identities_per_batch": 2, "images_per_identity": 2}
    batches = {**tree["batches"], **{key: size for key, size in sizes.items() if key in tree["batches"]}}
    return json.loads(json.dumps({**tree, **changed, "batches": batches}))


def write_tables(folder: Path, dataset: ReIDDataset) -> dict[str, Callable[[Path], Any]]:
    """Writes a file of each sort.

    Args:
        folder: Path. An empty one.
        dataset: `ReIDDataset`. Whom the files are about.

    Returns:
        dict from the file's name to a function of its path, which reads it.
    """
    records, root = dataset.train[:8], Path(str(dataset.root))
    paths = [record.path for record in records]
    splits = ("train", "query", "gallery", "gallery")
    rows = [f"{r.path},{r.identity},{r.camera},{splits[n % 4]},hat_{n % 2}" for n, r in enumerate(records)]
    (folder / "records.csv").write_text("\n".join(["path,identity,camera,split,attribute_hat", *rows]))
    people = {str(record.identity): record.attributes for record in records if record.attributes}
    write_annotations(folder / "annotations.csv", people)
    lists = dict.fromkeys(paths[:3], paths)
    write_ranked_lists(folder / "ranked.txt", lists)
    write_ranked_lists(folder / "ranked.jsonl", lists)
    chance, fingerprint = np.random.default_rng(0), Fingerprint("0123", (64, 32), False, False, 4)
    identities, cameras = (np.array([getattr(r, field) for r in records]) for field in ("identity", "camera"))
    vectors = Embeddings(chance.normal(size=(len(records), 4)), identities, cameras, tuple(paths), fingerprint)
    vectors.save(folder / "vectors.npz")
    write_landmarks(folder / "landmarks.npz", {r.path: r.landmarks for r in records if r.landmarks is not None})
    shutil.copy(root / "market_attribute.mat", folder)
    (folder / "boxes.top").write_text("\n".join(f"{n % 3},{n},1,1,2,2,9,9,1,1,20,{n + 40}" for n in range(6)))
    keypoints = chance.uniform(0, 30, (4, 17, 3))
    keypoints[..., 2] = 2
    annotations = [
        {"id": n, "image_id": n, "bbox": [1, 1, 30, 60], "keypoints": points.ravel().tolist()}
        for n, points in enumerate(keypoints)
    ]
    images = [{"id": n, "file_name": Path(path).name, "width": 32, "height": 64} for n, path in enumerate(paths[:4])]
    encoder = Description({"image": "image"}, (64, 32), "cosine", False, 4, None, False, fingerprint)
    described = dataclasses.asdict(encoder)
    calibration = Calibration("cosine", 0.3, 0.01, 9.5, 2.5, {"pairs": 10}, fingerprint).to_dict()
    checksums = {"encoder.tflite": {"bytes": 1, "sha256": "0" * 64}}
    for name, content in {
        "coco.json": {"images": images, "annotations": annotations},
        "0_keypoints.json": {"people": [{"pose_keypoints_2d": [0.5] * 54}]},
        "manifest.json": {"encoder": described, "configuration": {"imports": []}, "data_hash": "0", "seconds": 1.5},
        "export.json": {"format": "litert", "encoder": described, "calibration": None, "checksums": checksums},
        "calibration.json": calibration,
    }.items():
        (folder / name).write_text(json.dumps(content))
    for name, origin in (("sweep", "sweeps/random_erasing"), ("tuning", "tuning/loss_weights")):
        text = (command_line.CONFIGS / f"{origin}_synthetic.yaml").read_text()
        (folder / f"{name}.yaml").write_text(text.replace("../", f"{command_line.CONFIGS}/"))

    def judged(path: Path) -> Any:
        vectors = Embeddings.load(path)
        return vectors, evaluate(vectors, vectors)

    def swept(path: Path) -> Any:
        sweep = load_sweep(path)
        load = partial(_load, sweep.config, sweep.set)
        return plan_sweep(sweep.vary, load, sweep.reported, sweep.repeat)

    def searched(path: Path) -> Any:
        tuning = load_tuning(path)
        return plan_search(tuning.ranges, partial(_load, tuning.config, tuning.set))

    return {
        "records.csv": lambda path: load_dataset("csv_table", str(path)),
        "annotations.csv": read_annotations,
        "ranked.txt": read_ranked_lists,
        "ranked.jsonl": read_ranked_lists,
        "vectors.npz": judged,
        "landmarks.npz": lambda path: load_dataset("csv_table", str(folder / "records.csv"), landmarks=str(path)),
        "market_attribute.mat": read_market_attributes,
        "boxes.top": read_boxes,
        "coco.json": lambda path: read_coco(path, paths),
        "0_keypoints.json": lambda path: read_openpose(path, paths),
        "manifest.json": lambda path: read_manifest(path.parent),
        "export.json": lambda path: read_json(path, Export),
        "calibration.json": Calibration.load,
        "sweep.yaml": swept,
        "tuning.yaml": searched,
    }


def _load(path: str, first: Sequence[str], then: Sequence[str]) -> ExperimentConfig:
    return load_config(path, [*first, *then])

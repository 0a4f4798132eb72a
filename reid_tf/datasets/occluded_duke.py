"""Occluded-Duke: images of DukeMTMC-reID sorted anew, so that every query shows a person who is partly hidden."""

from reid_tf.datasets.dukemtmc_reid import EXAMPLE, NAME
from reid_tf.datasets.landmarks import add_landmarks
from reid_tf.datasets.readers.folders import SPLIT_FOLDERS, existing_root, find_root, read_splits
from reid_tf.datasets.record import ReIDDataset
from reid_tf.registry import DATASETS


@DATASETS.register("occluded_duke")
def occluded_duke(root: str | None, *, landmarks: str | None = None) -> ReIDDataset:
    """Reads Occluded-Duke from its own folders and names, which are DukeMTMC-reID's.

    The authors withdrew DukeMTMC in 2019, because the persons had not agreed to be
    recorded for research; no link is given here. The loader serves those who repeat
    published experiments with a copy that they may use.

    Args:
        root: str, or None. The folder with `bounding_box_train/`, `query/` and
            `bounding_box_test/`, or the one that holds it as `Occluded_Duke/`.
        landmarks: str, or None. The landmark file; None takes `landmarks.npz` in the
            root, if it is there.

    Returns:
        `ReIDDataset`: 15,618 train, 2,210 query and 17,661 gallery images when the copy
        is whole.

    Raises:
        InputError: a folder or file is missing or is not what its name says.

    References:
        Miao et al., Pose-Guided Feature Alignment for Occluded Person
        Re-Identification, ICCV 2019.
    """
    folder = find_root(
        existing_root(root, "occluded_duke"),
        "occluded_duke",
        SPLIT_FOLDERS.values(),
        inside=("Occluded_Duke",),
        hint=" (the authors of DukeMTMC withdrew that data set; there is no link to it)",
    )
    return add_landmarks(ReIDDataset("occluded_duke", *read_splits(folder, NAME, EXAMPLE)), folder, landmarks)

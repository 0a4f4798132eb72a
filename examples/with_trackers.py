"""Three trackers with reid_tf's vectors: deep-sort-realtime, Norfair, and Roboflow's trackers on supervision.

    python examples/with_trackers.py --run runs/multitask_synthetic

The detections are those of the drawn street, without their tracks. Each tracker runs with
the vectors and without them; IDF1 is TrackEval's, the mean over the street's cameras.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import supervision
from deep_sort_realtime.deepsort_tracker import DeepSort
from norfair import Detection, Tracker
from trackers import ByteTrackTracker
from trackeval.metrics import Identity

import reid_tf
from reid_tf.datasets.readers.box import Boxes, read_detections
from reid_tf.datasets.readers.video import read_frames
from reid_tf.footage.camera import CameraFootage, read_cameras
from reid_tf.footage.street import draw_street

FAR = 0.2  # a cosine distance beyond which two vectors are of two people

Track = tuple[int, np.ndarray]  # its number, and left, top, right, bottom
Frames = list[tuple[np.ndarray, np.ndarray]]  # boxes [N, 4] and vectors [N, dim] of each frame


def with_deep_sort(frames: Frames, rate: float) -> list[list[Track]]:
    """deep-sort-realtime takes boxes as left, top, width, height, and vectors as `embeds`."""
    tracker = DeepSort(embedder=None, max_cosine_distance=FAR, max_age=round(3 * rate), n_init=2)
    found = []
    for boxes, vectors in frames:
        raw = [([left, top, right - left, bottom - top], 1.0, 0) for left, top, right, bottom in boxes.tolist()]
        tracks = tracker.update_tracks(raw, embeds=list(vectors))
        seen = [track for track in tracks if track.is_confirmed() and track.time_since_update == 0]
        found.append([(int(track.track_id), np.array(track.to_ltrb(orig=True))) for track in seen])
    return found


def with_norfair(frames: Frames, rate: float) -> list[list[Track]]:
    """Norfair takes two corners and `embedding`; a function of ours says when somebody comes back."""

    def apart(new: object, old: object) -> float:
        one, other = (thing.last_detection.embedding for thing in (new, old))  # type: ignore[attr-defined]
        return float(1 - one @ other)

    tracker = Tracker(
        "iou",
        distance_threshold=0.7,
        initialization_delay=1,
        hit_counter_max=round(rate),
        reid_distance_function=apart,
        reid_distance_threshold=FAR,
        reid_hit_counter_max=round(3 * rate),
    )
    found = []
    for boxes, vectors in frames:
        pairs = zip(boxes, vectors, strict=True)
        detections = [Detection(points=box.reshape(2, 2), embedding=vector) for box, vector in pairs]
        tracks = tracker.update(detections=detections)
        seen = [track for track in tracks if track.last_detection in detections]
        found.append([(track.id, track.last_detection.points.ravel()) for track in seen])
    return found


def with_supervision(frames: Frames, rate: float) -> list[list[Track]]:
    """Roboflow's ByteTrack takes no vectors: they ride along in `data`, and broken tracks are joined afterwards."""
    tracker = ByteTrackTracker(frame_rate=rate, lost_track_buffer=round(rate), minimum_consecutive_frames=1)
    found: list[list[Track]] = []
    of_track: dict[int, list[tuple[int, np.ndarray]]] = {}
    for number, (boxes, vectors) in enumerate(frames):
        detections = supervision.Detections(boxes, confidence=np.ones(len(boxes)), data={"vector": vectors})
        tracked = tracker.update(detections)
        rows = [row for row, track in enumerate(tracked.tracker_id) if track is not None and track >= 0]
        found.append([(int(tracked.tracker_id[row]), tracked.xyxy[row]) for row in rows])
        for row in rows:
            of_track.setdefault(int(tracked.tracker_id[row]), []).append((number, tracked.data["vector"][row]))
    joined = joined_tracks(of_track, rate)
    return [[(joined[track], box) for track, box in frame] for frame in found]


def joined_tracks(of_track: dict[int, list[tuple[int, np.ndarray]]], rate: float) -> dict[int, int]:
    """Joins the tracks of one camera that show one person, as `reid-tf footage` joins those of several."""
    from reid_tf.footage.people import Tracklets, descriptor, find_people

    tracks = sorted(of_track)
    seen = [of_track[track] for track in tracks]
    vectors = [descriptor(np.stack([vector for _, vector in some]), np.ones(len(some))) for some in seen]
    times = np.array([[some[0][0], some[-1][0]] for some in seen]) / rate
    names, counts = np.array(tracks).astype(str), np.array([len(some) for some in seen])
    tracklets = Tracklets(np.stack(vectors), np.full(len(tracks), "camera"), names, *times.T, counts)
    return dict(zip(tracks, find_people(tracklets, FAR).tolist(), strict=True))


TRACKERS: dict[str, Callable[[Frames, float], list[list[Track]]]] = {
    "deep-sort-realtime": with_deep_sort,
    "norfair": with_norfair,
    "supervision + trackers": with_supervision,
}


def seen_by(encoder: reid_tf.Encoder, footage: CameraFootage, frames: int) -> Frames:
    """Embeds the boxes of every frame, without their tracks."""
    detections, found = read_detections(footage.boxes), []
    for number, frame in enumerate(read_frames(footage.video, range(frames))):
        boxes = detections.edges[detections.frames == number]
        vectors, good, _ = encoder.embed_boxes(frame, boxes, colour="bgr")
        vectors = vectors[good] / np.linalg.norm(vectors[good], axis=1, keepdims=True)
        found.append((boxes[good], vectors))
    return found


def without_vectors(frames: Frames) -> Frames:
    """Takes from the vectors all that tells people apart: they are random, as if all people were strangers."""
    generator = np.random.default_rng(0)
    strangers = []
    for boxes, vectors in frames:
        random = generator.standard_normal(vectors.shape)
        strangers.append((boxes, random / np.maximum(np.linalg.norm(random, axis=1, keepdims=True), 1e-9)))
    return strangers


def idf1(tracks: list[list[Track]], truth: Boxes) -> float:
    """IDF1 by TrackEval."""
    from reid_tf.footage.judge import overlaps

    ids = {track: number for number, track in enumerate(sorted({track for frame in tracks for track, _ in frame}))}
    people = {person: number for number, person in enumerate(sorted(set(truth.tracks.tolist())))}
    data: dict = {"gt_ids": [], "tracker_ids": [], "similarity_scores": []}
    for number, frame in enumerate(tracks):
        there = truth.frames == number
        boxes = np.array([box for _, box in frame], float).reshape(-1, 4)
        data["gt_ids"].append(np.array([people[person] for person in truth.tracks[there].tolist()], int))
        data["tracker_ids"].append(np.array([ids[track] for track, _ in frame], int))
        data["similarity_scores"].append(overlaps(truth.edges[there], boxes))
    data |= {"num_gt_ids": len(people), "num_tracker_ids": len(ids), "num_gt_dets": len(truth.tracks)}
    data["num_tracker_dets"] = sum(map(len, tracks))
    return float(Identity({"PRINT_CONFIG": False}).eval_sequence(data)["IDF1"])


def main() -> None:
    """Draws the street, runs the trackers and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="a run directory")
    encoder = reid_tf.load_encoder(parser.parse_args().run)
    with tempfile.TemporaryDirectory() as folder:
        cameras = read_cameras(draw_street(Path(folder) / "street"))
        truths = [read_detections(Path(folder) / "street" / "truth" / f"{one.camera}.txt") for one in cameras]
        seen = [seen_by(encoder, one, 300) for one in cameras]
    print("| tracker | IDF1 without vectors | IDF1 with them |\n| --- | --- | --- |")
    for name, track in TRACKERS.items():
        scores = [
            np.mean(
                [idf1(track(given, one.rate), truth) for given, one, truth in zip(frames, cameras, truths, strict=True)]
            )
            for frames in (list(map(without_vectors, seen)), seen)
        ]
        print(f"| {name} | {100 * scores[0]:.1f} | {100 * scores[1]:.1f} |", flush=True)


if __name__ == "__main__":
    main()

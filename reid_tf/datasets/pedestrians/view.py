"""One person as one camera sees them: where the joints fall on the canvas, and which side of the cloth shows."""

import dataclasses

import numpy as np

from reid_tf.datasets.pedestrians.fabric import COLUMNS
from reid_tf.datasets.pedestrians.look import Body

SEEN = 32  # columns of a texture after it is bent around the body
_ACROSS = (np.arange(SEEN) + 0.5) / SEEN * 2 - 1
_BEND = np.arcsin(_ACROSS)


@dataclasses.dataclass(frozen=True)
class View:
    """A posed body on the canvas.

    Args:
        body: `Body`.
        joints: float32 [18, 2]. x, y in pixels of the canvas.
        near: float32 [18]. Nearness to the camera, in body heights.
        yaw: float, radians. As in `skeleton.project`.
        scale: float. Pixels per body height.
        light: float, radians. From which side the light comes, 0 = from the camera.
    """

    body: Body
    joints: np.ndarray
    near: np.ndarray
    yaw: float
    scale: float
    light: float

    @property
    def front(self) -> float:
        """1 when the person faces the camera, -1 when the back shows."""
        return float(np.cos(self.yaw))

    @property
    def right(self) -> float:
        """1 when the person walks to the right of the screen, -1 to the left."""
        return float(np.sin(self.yaw))

    def half_width(self, breadth: float, depth: float) -> float:
        """Returns half the width on screen, in pixels, of an ellipse of these half axes, in body heights."""
        return float(np.hypot(breadth * self.front, depth * self.right)) * self.scale

    def seen(self, texture: np.ndarray) -> np.ndarray:
        """Bends an unrolled texture around the body, as seen from here, and shades it.

        Args:
            texture: uint8 [rows, COLUMNS, 3]. As `fabric.weave` makes it.

        Returns:
            uint8 [rows, SEEN, 3].
        """
        columns = np.floor((_BEND - self.yaw) / (2 * np.pi) * COLUMNS).astype(int) % COLUMNS
        shading = 0.5 + 0.56 * np.cos(_BEND * 0.9 - self.light)
        lit = texture[:, columns] * shading.astype(np.float32)[None, :, None]
        return np.minimum(lit, 255).astype(np.uint8)

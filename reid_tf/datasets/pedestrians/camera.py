"""What a camera does to colours and sharpness, the same to all its pictures up to a little unrest."""

import dataclasses

import cv2
import numpy as np

from reid_tf.datasets.pedestrians.scene import draw_backdrop

# How much cameras differ: standard deviations of the logarithm of a colour channel's gain, of the exposure and of the
# tone curve's exponent.
CAST, EXPOSURE, TONE = 0.045, 0.06, 0.06
SATURATION = (0.8, 1.05)
DAPPLE = 0.12
UNREST = 0.6  # how much the pictures of one camera differ, compared with that


@dataclasses.dataclass(frozen=True)
class Camera:
    """A camera at its place.

    Args:
        backdrop: uint8 [h, w, 3]. As `scene.draw_backdrop` makes it.
        mixing: float [3, 3]. Colour cast and saturation: what the sensor makes of
            linear red, green and blue.
        gamma: float. Exponent of the tone curve; above 1 darkens.
        light: float, radians. From which side the light comes.
        blur: float. Standard deviation of the unsharpness, in shares of the image
            height.
        sharpness: float. The share of the image's size at which the sensor resolves it.
        noise: float. Standard deviation, 0..255.
        quality: int. Of the JPEG file, 1..100.
    """

    backdrop: np.ndarray
    mixing: np.ndarray
    gamma: float
    light: float
    blur: float
    sharpness: float
    noise: float
    quality: int


def draw_camera(rng: np.random.Generator) -> Camera:
    """Draws a camera."""
    gains = np.exp(rng.normal(0.0, CAST, 3))
    gains *= np.exp(rng.normal(0.0, EXPOSURE)) / gains.mean()
    saturation = rng.uniform(*SATURATION)
    grey = np.full((3, 3), 1.0 / 3.0)
    return Camera(
        backdrop=draw_backdrop(rng),
        mixing=np.diag(gains) @ (saturation * np.eye(3) + (1 - saturation) * grey),
        gamma=float(np.exp(rng.normal(0.0, TONE))),
        light=rng.uniform(-0.9, 0.9),
        blur=rng.uniform(0.0, 0.007),
        sharpness=rng.uniform(0.6, 1.0),
        noise=rng.uniform(1.0, 6.0),
        quality=int(rng.integers(55, 93)),
    )


def expose(camera: Camera, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Takes the picture: colours, tone, sharpness and noise.

    Args:
        camera: `Camera`.
        pixels: uint8 [H, W, 3], RGB. The scene as painted.
        rng: random generator, for what differs from picture to picture.

    Returns:
        uint8 [H, W, 3].
    """
    height, width = pixels.shape[:2]
    unrest = np.exp(rng.normal(0.0, UNREST * CAST, 3)) * np.exp(rng.normal(0.0, UNREST * EXPOSURE))
    pixels = cv2.transform(pixels, camera.mixing * unrest[:, None])
    curve = 255.0 * (np.arange(256) / 255.0) ** (camera.gamma * np.exp(rng.normal(0.0, UNREST * TONE)))
    pixels = cv2.LUT(pixels, np.rint(curve).astype(np.uint8))
    # Shadows and folds: light that changes slowly over the picture.
    dapple = np.exp(DAPPLE * rng.standard_normal((8, 4))).astype(np.float32)
    dapple = cv2.resize(dapple, (width, height), interpolation=cv2.INTER_CUBIC)
    pixels = cv2.multiply(pixels, cv2.merge([dapple] * 3), dtype=cv2.CV_8U)
    share = camera.sharpness * rng.uniform(0.85, 1.0)
    if share < 0.95:
        small = max(4, round(width * share)), max(8, round(height * share))
        pixels = cv2.resize(cv2.resize(pixels, small, interpolation=cv2.INTER_AREA), (width, height))
    sigma = camera.blur * height
    if sigma > 0.3:
        pixels = cv2.GaussianBlur(pixels, (0, 0), sigma)
    noise = rng.standard_normal((height, width, 3), dtype=np.float32)
    return cv2.add(pixels, noise * np.float32(camera.noise), dtype=cv2.CV_8U)


def encode(camera: Camera, pixels: np.ndarray) -> bytes:
    """Returns RGB pixels as the JPEG file that the camera would write."""
    _, encoded = cv2.imencode(
        ".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, camera.quality]
    )
    return encoded.tobytes()

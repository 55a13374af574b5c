"""Images within the page."""

import base64

import numpy as np


def data_uri(image: np.ndarray) -> str:
    """Returns an image as a PNG within a `data:` address.

    Args:
      image: uint8 `(height, width, 3)`.
    """
    import tensorflow as tf  # not for a component's definition

    return "data:image/png;base64," + base64.b64encode(tf.io.encode_png(image).numpy()).decode()

"""Depthwise convolution whose gradients are fast on processors."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="reid_tf")
class DepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """Keras' depthwise convolution; in training on TensorFlow without a GPU, with gradients of another form.

    The numbers are the same. Its arguments are those of
    `keras.layers.DepthwiseConv2D`.
    """

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Convolves each channel by itself.

        Args:
            inputs: float [batch, height, width, channels].
            training: bool or None. Whether gradients are going to be wanted.

        Returns:
            float [batch, h, w, channels * depth_multiplier].
        """
        if not (training and self._has_faster_gradients(inputs)):
            return super().call(inputs)
        from reid_tf.tensorflow_operations import depthwise_convolution

        kernel = ops.convert_to_tensor(self.kernel, self.compute_dtype)
        outputs = depthwise_convolution(inputs, kernel, self.strides[0], self.padding.upper())
        if self.use_bias:
            outputs = outputs + ops.convert_to_tensor(self.bias, self.compute_dtype)
        return self.activation(outputs)

    def _has_faster_gradients(self, inputs: Any) -> bool:
        if keras.backend.backend() != "tensorflow":
            return False
        from reid_tf.tensorflow_operations import has_gpu

        return (
            self.data_format == "channels_last"
            and self.dilation_rate == (1, 1)
            and self.strides[0] == self.strides[1]
            and None not in inputs.shape[1:]
            and not has_gpu()
        )

"""The names that the configuration in a `.keras` file may hold: all others are refused.

No layer here takes a function, code or a path, and the operations take numbers and tensors alone.
"""

from collections.abc import Mapping, Set
from types import MappingProxyType
from typing import NamedTuple

Classes = Mapping[str, Set[str]]


class Place(NamedTuple):
    """What may stand at one place of a configuration.

    Attributes:
      classes: names of classes by the module that they are serialized with.
      functions: names of functions by module.
      words: the strings, for Keras looks them up; None where a string is only a string.
    """

    classes: Classes = MappingProxyType({})
    functions: Classes = MappingProxyType({})
    words: Set[str] | None = None


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LAYERS = _names("""
    Activation ActivityRegularization Add AdditiveAttention AlphaDropout Attention AugMix
    AutoContrast Average AveragePooling1D AveragePooling2D AveragePooling3D BatchNormalization
    Bidirectional CenterCrop Concatenate Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D
    Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D Cropping1D Cropping2D Cropping3D Dense
    DepthwiseConv1D DepthwiseConv2D Dot Dropout ELU EinsumDense Embedding Equalization Flatten
    GRU GRUCell GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D
    GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D
    GroupNormalization GroupQueryAttention Identity InputLayer LSTM LSTMCell LayerNormalization
    LeakyReLU Masking MaxPooling1D MaxPooling2D MaxPooling3D Maximum Minimum MultiHeadAttention
    Multiply Normalization PReLU Permute RMSNormalization RNN RandomBrightness
    RandomColorDegeneration RandomColorJitter RandomContrast RandomCrop RandomElasticTransform
    RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHue RandomInvert
    RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness
    RandomShear RandomTranslation RandomZoom ReLU RepeatVector Rescaling Reshape Resizing
    SeparableConv1D SeparableConv2D SimpleRNN SimpleRNNCell Softmax Solarization
    SpatialDropout1D SpatialDropout2D SpatialDropout3D SpectralNormalization StackedRNNCells
    Subtract TimeDistributed UnitNormalization UpSampling1D UpSampling2D UpSampling3D
    ZeroPadding1D ZeroPadding2D ZeroPadding3D
""")
_OF_NUMPY = _names("""
    Abs Absolute Add Amax Amin Argmax Argmin Average BroadcastTo Ceil Clip Concatenate Cos Cosh
    Divide DivideNoNan Dot Einsum Equal Exp ExpandDims Expm1 Flip Floor FloorDivide GetItem
    Greater GreaterEqual Less LessEqual Log Log10 Log1p Log2 LogicalAnd LogicalNot LogicalOr
    Matmul Max Maximum Mean Min Minimum Mod Moveaxis Multiply Negative NotEqual OnesLike Pad
    Power Prod Ravel Reciprocal Repeat Reshape Roll Rot90 Round Sign Sin Sinh Split Sqrt Square
    Squeeze Stack Std Subtract Sum Swapaxes Take Tan Tanh Tensordot Tile Transpose TrueDivide
    Var Where ZerosLike
""")
_OF_NN = _names("""
    AveragePool Celu Elu Gelu Glu HardShrink HardSigmoid HardSilu HardTanh LayerNorm LeakyRelu
    LogSigmoid LogSoftmax MaxPool Moments Normalize OneHot RMSNorm Relu Relu6 Selu Sigmoid Silu
    SoftShrink Softmax Softplus Softsign SparsePlus SparseSigmoid Sparsemax Squareplus
    TanhShrink Threshold
""")
_GRAPH: Classes = {
    "keras": {"Sequential"},
    "keras.src.models.functional": {"Functional"},
    "keras.src.applications.convnext": {"LayerScale"},
    "keras.src.applications.inception_resnet_v2": {"CustomScaleLayer"},
    "keras.layers": _LAYERS,
    "keras.src.ops.core": {"Cast", "StopGradient"},
    "keras.src.ops.math": {"Erf", "Logsumexp", "Rsqrt"},
    "keras.src.ops.nn": _OF_NN,
    "keras.src.ops.numpy": _OF_NUMPY,
}
_ACTIVATIONS = _names("""
    celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh
    leaky_relu linear log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink
    softmax softplus softsign sparse_plus sparse_sigmoid sparsemax squareplus swish tanh
    tanh_shrink threshold
""")
_INITIALIZERS = _names("""
    Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity LecunNormal LecunUniform
    Ones Orthogonal RandomNormal RandomUniform TruncatedNormal VarianceScaling Zeros
""")
_INITIALIZERS_IN_WORDS = _names("""
    constant glorot_normal glorot_uniform he_normal he_uniform identity lecun_normal
    lecun_uniform normal one ones orthogonal random_normal random_uniform truncated_normal
    uniform variance_scaling zero zeros
""")
_REGULARIZERS = _names("L1 L1L2 L2 OrthogonalRegularizer")
_CONSTRAINTS = _names("MaxNorm MinMaxNorm NonNeg UnitNorm")

_DTYPES = _names("""
    bfloat16 bool float16 float32 float64 int16 int32 int64 int8 uint16 uint32 uint64 uint8
""")

VALUE = Place()
GRAPH = Place(_GRAPH)
ACTIVATION = Place(
    {"keras.layers": _names("ELU LeakyReLU PReLU ReLU Softmax")},
    {"builtins": _ACTIVATIONS, "keras.activations": _ACTIVATIONS},
    _ACTIVATIONS,
)
INITIALIZER = Place(
    {"keras.initializers": _INITIALIZERS}, {}, _INITIALIZERS | _INITIALIZERS_IN_WORDS
)
REGULARIZER = Place(
    {"keras.regularizers": _REGULARIZERS},
    {},
    _REGULARIZERS | _names("l1 l1_l2 l2 orthogonal_regularizer"),
)
CONSTRAINT = Place(
    {"keras.constraints": _CONSTRAINTS},
    {},
    _CONSTRAINTS | _names("max_norm min_max_norm non_neg unit_norm"),
)
POLICY = Place({"keras": {"DTypePolicy"}}, {}, _DTYPES | _names("mixed_bfloat16 mixed_float16"))

# By the last word of an option's name: `recurrent_activation`, `gamma_initializer`.
PLACES = {
    "activation": ACTIVATION,
    "backward_layer": GRAPH,
    "cell": GRAPH,
    "cells": GRAPH,
    "constraint": CONSTRAINT,
    "dtype": POLICY,
    "initializer": INITIALIZER,
    "layer": GRAPH,
    "layers": GRAPH,
    "regularizer": REGULARIZER,
}

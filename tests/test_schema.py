"""What is known of the data survives JSON."""

import json

import pytest
import torch

from vaekit.schema import ArraySchema, ColumnStats

SCHEMAS = [
    ArraySchema((5,), "float64"),
    ArraySchema((28, 28), "uint8"),
    ArraySchema((3, 8, 8), "uint8", "numpy"),
    ArraySchema((4,), "int64", "sparse"),
    ArraySchema((2,), "float64", "pandas", ("a", "ü"), ("Float64", "Int8")),
    ArraySchema((1,), "float32", "polars", ("a",), ("Float32",)),
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_json_and_back(schema):
    assert ArraySchema.from_json(json.loads(json.dumps(schema.to_json()))) == schema


@pytest.mark.parametrize(
    ("shape", "size", "image"),
    [
        ((5,), 5, False),
        ((28, 28), 784, True),
        ((1, 8, 8), 64, True),
        ((3, 8, 8), 192, True),
        ((4, 8, 8), 256, True),
        ((2, 8, 8), 128, False),
        ((3, 8, 8, 8), 1536, False),
    ],
)
def test_size_and_images(shape, size, image):
    schema = ArraySchema(shape, "uint8")
    assert (schema.size, schema.is_image) == (size, image)


def test_placeholder_columns_lie_between_0_and_1():
    stats = ColumnStats.placeholder((2, 3))
    assert stats.shape == (2, 3) and stats.mean.dtype == torch.float64
    assert bool((stats.low == 0).all()) and bool((stats.high == 1).all()) and bool((stats.std == 1).all())

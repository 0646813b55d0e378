"""The images with known factors: each level is what it says, and no two images are alike."""

import numpy as np
import pytest

from vaekit.data import factor_images, load_dataset
from vaekit.errors import OptionError

MADE = factor_images()
PLACE = {name: column for column, name in enumerate(MADE.names)}


def image(**levels):
    """The one image with these levels, all others 0."""
    wanted = [levels.get(name, 0) for name in MADE.names]
    (found,) = np.flatnonzero((MADE.factors == wanted).all(1))
    return MADE.images[found]


def centre(pixels):
    """(row, column) of the centre of mass."""
    return np.array([(np.arange(32) * pixels.sum(axis)).sum() / pixels.sum() for axis in (1, 0)])


def test_every_combination_once_and_no_two_images_alike():
    assert MADE.images.shape == (6144, 32, 32) and MADE.images.dtype == np.uint8
    assert np.array_equal(np.unique(MADE.factors, axis=0), MADE.factors) and len(MADE.factors) == 3 * 4 * 8 * 8 * 8
    assert MADE.factors.max(0).tolist() == [2, 3, 7, 7, 7] and MADE.factors.min() == 0
    assert len(np.unique(MADE.images.reshape(6144, -1), axis=0)) == 6144
    assert np.unique(MADE.images).tolist() == [0, 1]


def test_positions_move_the_shape_and_nothing_else():
    grey = factor_images(binary=False).images.reshape(3, 4, 8, 8, 8, 32, 32)
    steps = np.diff([centre(image(x=level)) for level in range(8)], axis=0)
    assert abs(steps[:, 0]).max() < 0.3 and steps[:, 1].min() > 1.2  # to the right
    steps = np.diff([centre(image(y=level)) for level in range(8)], axis=0)
    assert abs(steps[:, 1]).max() < 0.3 and steps[:, 0].min() > 1.2  # downwards
    np.testing.assert_array_equal(grey.sum((-1, -2)).std((3, 4)) < 8, True)  # of thousands: each pixel is rounded


def test_areas_follow_the_shape_and_its_scale():
    grey = factor_images(binary=False).images.reshape(3, 4, -1, 32, 32).sum((-1, -2)).mean(-1) / 255
    radii = 32 * np.linspace(0.14, 0.26, 4)
    np.testing.assert_allclose(grey[0], (2 * 0.7 * radii) ** 2, rtol=0.01)
    np.testing.assert_allclose(grey[1], np.pi * 0.95 * 0.55 * radii**2, rtol=0.01)
    assert (np.diff(grey, axis=1) > 0).all()


def test_rotations_turn_against_the_clock():
    """The long axis of the ellipse, by second moments, in steps of a quarter turn over eight."""
    found = []
    for level in range(8):
        pixels = image(shape=1, scale=3, rotation=level, x=4, y=4)
        rows, columns = np.nonzero(pixels)
        right, up = columns - columns.mean(), rows.mean() - rows
        found.append(0.5 * np.arctan2(2 * (right * up).mean(), (right**2 - up**2).mean()))
    np.testing.assert_allclose(found, np.pi / 16 * np.arange(8), atol=0.06)


def test_hearts_point_down():
    rows = image(shape=2, scale=3, x=4, y=4).sum(1)
    filled = rows[rows > 0]
    assert filled[-1] <= 3 < filled[2] and filled.argmax() < len(filled) / 2


def test_grey_levels_are_shares_of_the_pixel():
    grey = factor_images(16, shapes=["square"], scales=1, rotations=1, positions=1, binary=False)
    assert set(np.unique(grey.images)) <= {round(255 * points / 16) for points in range(17)}
    assert np.array_equal(
        grey.images >= 127.5, factor_images(16, shapes=["square"], scales=1, rotations=1, positions=1).images
    )


def test_they_are_a_data_set_by_name():
    data = load_dataset("shapes")
    assert np.array_equal(data.X, MADE.images) and np.array_equal(data.y, MADE.factors[:, 0])
    assert data.label_names == ("square", "ellipse", "heart")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 16, "positions": 20}, "size=16 has no room for 20 positions that are a pixel apart."),
        ({"shapes": ["squre"]}, "shapes='squre' is not one of 'square', 'ellipse', 'heart' (did you mean 'square'?)."),
        (
            {"shapes": [], "scales": 0},
            "scales=0 must be a whole number of at least 1. shapes must name at least one shape.",
        ),
    ],
)
def test_what_cannot_be_drawn(arguments, message):
    with pytest.raises(OptionError) as caught:
        factor_images(**arguments)
    assert str(caught.value) == message

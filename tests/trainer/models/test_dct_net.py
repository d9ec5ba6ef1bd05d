"""The DCT-domain net: shapes for every geometry, and a stem that starts with the same features in every cell."""

from typing import Any

import pytest
import torch
from torch.nn import functional

from trainer.diff_jpeg import Planes, coefficients
from trainer.errors import RecipeError
from trainer.models import BodyKind, DctNet, DctNetConfig
from trainer.recipes import recipe
from trainer.recipes.recipe import Net
from trainer.training.fitting import parameter_count

INVERTED = BodyKind.INVERTED


def _net(**config: Any) -> DctNet:
    torch.manual_seed(0)
    return DctNet(DctNetConfig(**{"classes": 7, "widths": (8, 12), **config}), torch.full((3, 64), 0.02))


@pytest.mark.parametrize(
    ("size", "config"),
    [
        ((32, 32), {}),
        ((64, 64), {"widths": (8, 12, 16)}),
        ((64, 32), {"blocks": 2}),
        ((32, 32), {"expansion": 4, "widths": (4, 8, 8)}),
        ((64, 64), {"expansion": 1}),
        ((64, 96), {"expansion": 1, "widths": (8, 8, 12), "blocks": 2, "kind": INVERTED}),
    ],
)
def test_logits_for_every_geometry(size: tuple[int, ...], config: dict[str, Any]) -> None:
    height, width = size
    planes = Planes(torch.randn(3, 64, height // 8, width // 8), torch.randn(3, 128, height // 16, width // 16))
    assert _net(**config)(planes).shape == (3, 7)


@pytest.mark.parametrize("expansion", [1, 2, 4])
def test_the_stem_starts_as_the_same_feature_of_pixels_in_every_cell(expansion: int) -> None:
    net = _net(expansion=expansion)
    cell = 8 // expansion
    picture = torch.randint(0, 256, (1, 32, 32, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    patch = picture[:, :cell, :cell].clone()
    left = 8 + cell * (expansion - 1)  # another cell of another block
    picture[:, 16 : 16 + cell, left : left + cell] = patch
    planes = coefficients(picture)
    cells = functional.pixel_shuffle(net.luma_stem(planes.y * 0.02), expansion)
    there = (16 // cell, left // cell)
    assert torch.allclose(cells[0, :, 0, 0], cells[0, :, *there], atol=1e-3)
    assert not torch.allclose(cells[0, :, 0, 0], cells[0, :, 1, 0], atol=1e-1)


@pytest.mark.parametrize("config", [{}, {"blocks": 2, "kind": INVERTED}], ids=["residual", "inverted"])
def test_gradients_reach_every_parameter(config: dict[str, Any]) -> None:
    net = _net(**config)
    planes = Planes(torch.randn(8, 64, 4, 4), torch.randn(8, 128, 2, 2))
    torch.autograd.backward(functional.cross_entropy(net(planes), torch.arange(8) % 7))
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in net.parameters())


@pytest.mark.parametrize(
    ("name", "side", "classes", "parameters"),
    [
        ("cifar100-improved", 32, 100, 827_620),
        ("tiny-imagenet-improved", 64, 200, 1_483_080),
        ("imagenet-improved", 224, 1000, 3_024_232),
    ],
)
def test_the_serving_nets_of_the_recipes_have_the_sizes_that_the_docs_state(
    name: str, side: int, classes: int, parameters: int
) -> None:
    asked = recipe.load(name).net
    assert isinstance(asked, Net)
    config = DctNetConfig(classes, tuple(asked.widths), asked.blocks, asked.expansion, asked.kind)
    assert config.pooled_cells(side, side) in {(2, 2), (7, 7)}
    assert parameter_count(DctNet(config, torch.ones(3, 64))) == parameters


def test_the_head_of_small_frames_tells_quarters_apart_and_that_of_large_ones_does_not() -> None:
    corners = torch.zeros(2, 64, 4, 4)
    corners[0, :, :2, :2] = corners[1, :, 2:, 2:] = torch.randn(64, 1, 1)
    for kind, tells_apart in ((BodyKind.RESIDUAL, True), (INVERTED, False)):
        net = _net(widths=(8,), expansion=1, blocks=1, kind=kind).eval()
        blind = [] if kind is BodyKind.RESIDUAL else list(net.body)[-2:]  # nothing that sees an edge
        net.body = torch.nn.Sequential(*blind)
        one, other = net(Planes(corners, torch.zeros(2, 128, 2, 2)))
        assert torch.allclose(one, other, atol=1e-5) is not tells_apart


@pytest.mark.parametrize(
    ("size", "config", "multiple"),
    [
        ((32, 40), {}, 16),
        ((8, 8), {"expansion": 4, "widths": (8,)}, 16),
        ((32, 32), {"widths": (8, 8, 8, 8)}, 64),
        ((224, 240), {"expansion": 1, "widths": (8, 8, 8), "kind": INVERTED}, 32),
    ],
)
def test_frames_that_do_not_suit_the_stages_are_refused_with_what_would(
    size: tuple[int, ...], config: dict[str, Any], multiple: int
) -> None:
    with pytest.raises(RecipeError, match=f"multiples of {multiple} pixels"):
        _net(**config).config.pooled_cells(*size)


def test_the_parameters_have_the_names_that_trained_weights_carry() -> None:
    names = {name.split(".")[0] for name in _net().state_dict()}
    assert names == {"coefficient_scale", "luma_stem", "chroma_stem", "merge", "body", "head"}
    assert {"merge.0.weight", "body.1.shortcut.1.running_var", "body.0.second.0.weight"} < set(_net().state_dict())

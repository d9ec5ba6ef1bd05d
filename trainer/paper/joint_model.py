"""The paper's figures 1 and 2 as one module: colour, DCT, quantisation, dequantisation, classifier."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from shared.jpeg import TableSet
from trainer.data import Dataset
from trainer.diff_jpeg import Planes, ReciprocalKernels, TrainableColour, coefficients
from trainer.diff_jpeg.colour import to_ycbcr
from trainer.models.deconvolution_rfa import DeconvolutionRfa, DeconvolutionRfaConfig
from trainer.models.wide_resnet import WideResNet, WideResNetConfig
from trainer.recipes.goals import PenalisedGoal, StandardGoal
from trainer.recipes.paper import WideResNetSection
from trainer.recipes.recipe import PaperRecipe

NORMALISING_PICTURES = 4_096


class JointModel(nn.Module):
    """From RGB pictures to logits, through real-valued tables.

    Args:
        colour: trained along; None for JFIF's fixed one.
        classifier: maps dequantised `Planes` to logits (n, classes).
    """

    def __init__(self, kernels: ReciprocalKernels, colour: TrainableColour | None, classifier: nn.Module) -> None:
        super().__init__()
        self.kernels = kernels
        self.colour = colour
        self.classifier = classifier

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits (n, classes) of uint8 or float (n, h, w, 3), RGB."""
        logits: Tensor = self.classifier(self.dequantised(pixels))
        return logits

    def dequantised(self, pixels: Tensor) -> Planes:
        """Quantised and dequantised coefficients of pictures, as the classifier sees them."""
        planes: Planes = self.kernels(self.coefficients(pixels))
        return planes

    def coefficients(self, pixels: Tensor) -> Planes:
        """Unquantised coefficients of pictures under the model's own colour transform."""
        colour: Callable[[Tensor], Tensor] = to_ycbcr if self.colour is None else self.colour
        return coefficients(pixels, colour)


def new_model(recipe: PaperRecipe, dataset: Dataset, goal: StandardGoal | PenalisedGoal) -> JointModel:
    """An untrained model; the same for the same recipe seed."""
    torch.manual_seed(recipe.seed)
    colour = TrainableColour() if recipe.jpeg.trains_colour else None
    model = JointModel(_first_kernels(recipe, goal), colour, _classifier(recipe, dataset))
    if isinstance(model.classifier, WideResNet):
        pictures = torch.from_numpy(dataset.train.head(NORMALISING_PICTURES).pixels)
        model.classifier.normalise_by(model.coefficients(pictures))
    return model


def _first_kernels(recipe: PaperRecipe, goal: StandardGoal | PenalisedGoal) -> ReciprocalKernels:
    quality = goal.quality if isinstance(goal, StandardGoal) else recipe.jpeg.first_quality
    return ReciprocalKernels.ones() if quality is None else ReciprocalKernels.of(TableSet.standard(quality).quant)


def _classifier(recipe: PaperRecipe, dataset: Dataset) -> nn.Module:
    net, classes = recipe.net, len(dataset.classes)
    if isinstance(net, WideResNetSection):
        return WideResNet(WideResNetConfig(classes, net.depth, net.width, net.dropout))
    return DeconvolutionRfa(DeconvolutionRfaConfig(classes, net.width))

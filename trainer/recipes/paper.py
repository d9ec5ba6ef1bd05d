"""Sections of a recipe with `method = "paper"`; each key with the paper's value as the default where there is one."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from trainer.section import Count, Rate, Section

Quality = Annotated[float, Field(ge=1, le=100)]
Weight = Annotated[float, Field(gt=0, le=1e6)]
Rounds = list[Annotated[int, Field(ge=1)]]
Scales = list[Annotated[float, Field(gt=0, le=1)]]
Batch = Annotated[int, Field(ge=2, le=65_536)]


class WideResNetSection(Section):
    """A wide residual net; its keys are those of `trainer.models.wide_resnet.WideResNetConfig`."""

    kind: Literal["wide-resnet"]
    depth: Annotated[int, Field(ge=10, le=100, multiple_of=2)] = 28
    width: Annotated[int, Field(ge=1, le=32)] = 10
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @model_validator(mode="after")
    def _has_whole_blocks(self) -> Self:
        if self.depth % 6 != 4:
            raise ValueError(f"net.depth = {self.depth} must be 6 * blocks + 4: 10, 16, 22, 28, 34, 40 ...")
        return self


class DeconvolutionRfaSection(Section):
    """A ResNet-50 on coefficients; `width` is that of `trainer.models.deconvolution_rfa.DeconvolutionRfaConfig`."""

    kind: Literal["deconvolution-rfa"]
    width: Annotated[int, Field(ge=2, le=256)] = 64


class Jpeg(Section):
    """The JPEG layers.

    Args:
        trains_colour: JCC-color: the colour transform is learned as well.
        first_quality: start the kernels from standard tables of this quality; without it every q is 1.
        huffman_pictures: at most so many training pictures, drawn at random, say which Huffman codes are best.
    """

    trains_colour: bool = False
    first_quality: Quality | None = None
    huffman_pictures: Count = 50_000


class HingeL1(Section):
    """lambda * sum of max(q^2 - c, 0) + lambda1 * |q|.

    Args:
        weight: lambda; `--lambda` overrides it.
        l1_weight: lambda1.
        c: without it 0.01 / lambda, the paper's rule.
    """

    kind: Literal["hinge-l1"]
    weight: Weight
    l1_weight: Annotated[float, Field(ge=0, le=1e6)] = 1.0
    c: Annotated[float, Field(ge=0, le=1e9)] | None = None


class L2(Section):
    """lambda * sum of q^2.

    Args:
        weight: lambda; `--lambda` overrides it.
    """

    kind: Literal["l2"]
    weight: Weight


class _Schedule(Section):
    """Learning rates, and the rounds from which on they are scaled; each scale is of the first rate, not of the last.

    Args:
        batch: pictures a step.
        classifier_rate, kernel_rate, colour_rate: of the classifier, the kernels q, and the colour transform.
        checkpoint_steps: also keep a checkpoint every so many steps inside an epoch; 0: only after epochs.
    """

    batch: Batch
    classifier_rate: Rate
    kernel_rate: Rate
    colour_rate: Rate
    scaled_from: Rounds
    scales: Scales
    checkpoint_steps: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _has_a_scale_for_each_round(self) -> Self:
        if len(self.scaled_from) != len(self.scales) or sorted(set(self.scaled_from)) != self.scaled_from:
            raise ValueError("schedule.scaled_from must rise, and schedule.scales have one number for each of its")
        return self

    def scale(self, done: int) -> float:
        """The factor on all rates once so many rounds (alternations or epochs) are done."""
        passed = [scale for start, scale in zip(self.scaled_from, self.scales, strict=True) if done >= start]
        return passed[-1] if passed else 1.0


class Alternating(_Schedule):
    """Classifier and JPEG layers in turn, each with Adam, the other one frozen (CIFAR-100 and Tiny ImageNet)."""

    kind: Literal["alternating"]
    batch: Batch = 100
    alternations: Annotated[int, Field(ge=1, le=10_000)] = 150
    classifier_epochs: Annotated[int, Field(ge=1)] = 2
    compression_epochs: Annotated[int, Field(ge=1)] = 1
    classifier_rate: Rate = 0.05
    kernel_rate: Rate = 0.05
    colour_rate: Rate = 0.05
    scaled_from: Rounds = Field([50, 100])
    scales: Scales = Field([0.1, 0.01])

    @property
    def epochs_in_all(self) -> int:
        """Epochs of a run with learned tables."""
        return self.alternations * (self.classifier_epochs + self.compression_epochs)


class EndToEnd(_Schedule):
    """Everything in every step, Adam for all but the kernels, which follow their gradient itself (ImageNet)."""

    kind: Literal["end-to-end"]
    batch: Batch = 32
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 90
    classifier_rate: Rate = 1e-3
    kernel_rate: Rate = 1e-8
    colour_rate: Rate = 1e-3
    scaled_from: Rounds = Field([30, 60, 80])
    scales: Scales = Field([0.1, 0.01, 0.001])

    @property
    def epochs_in_all(self) -> int:
        """Epochs of a run with learned tables."""
        return self.epochs


class Sweep(Section):
    """The points of the paper's curves: what `sweep` runs.

    Args:
        weights: lambdas, one run with learned kernels each.
        qualities: IJG qualities of the JPEG baseline, one run with frozen standard tables each.
    """

    weights: Annotated[list[Weight], Field(min_length=1)]
    qualities: Annotated[list[Quality], Field(min_length=1)]


PaperNet = Annotated[WideResNetSection | DeconvolutionRfaSection, Field(discriminator="kind")]
Penalty = Annotated[HingeL1 | L2, Field(discriminator="kind")]
Schedule = Annotated[Alternating | EndToEnd, Field(discriminator="kind")]

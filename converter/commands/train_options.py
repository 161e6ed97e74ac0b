"""The options of `whosthere-converter train`."""

from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import click

from converter.commands import options
from converter.input_spec import PIXELS
from converter.training.losses import LOSSES, TEACHER
from converter.training.schedules import SCHEDULES
from converter.training.strategies import STRATEGIES
from edge.bare_address import ExistingPath
from edge.terminal import NumberRange

FINE_TUNING_RATE, RATE = 1e-4, 1e-3
F = TypeVar("F", bound=Callable[..., Any])

NETWORK = (
    click.option(
        "--network",
        metavar="NAME|FILE.py",
        help="Start with this architecture, untrained: cnn, mobilefacenet, facenet, any application of Keras, such as "
        "MobileNetV3Small, or your own Python file with a function build(size, channels, dimensions) that returns a "
        "Keras model.  [default: cnn]",
    ),
    click.option(
        "--from",
        "begun",
        type=ExistingPath(),
        metavar="MODEL",
        help="Start with this trained .keras or .h5 model instead, and fine-tune it.",
    ),
    options.cut("With --from: cut MODEL after this layer, whose output becomes the embedding."),
    click.option(
        "--card",
        "known",
        type=options.CARD,
        metavar="CARD",
        help="With --from: a card that describes MODEL's input, by its path or, if it is bundled, by its name.",
    ),
    click.option(
        "--range",
        "pixels",
        type=click.Choice(list(PIXELS)),
        help="The range to which the pixels are scaled; with --from, to which MODEL's training scaled them.  [default "
        "for a new network: -1..1; per-picture for facenet; 0..255 for those of Keras that scale pixels on their own]",
    ),
    options.no_align,
    click.option(
        "--size",
        type=click.IntRange(32, 600),
        help="The side of the square crops of a new network, in pixels.  [default: 112; 160 for facenet]",
    ),
    click.option("--grey", is_flag=True, help="Train on grey crops."),
    click.option(
        "--dimensions",
        type=click.IntRange(2, 2048),
        help="How many numbers an embedding of a new network has.  [default: 128; 512 for facenet; the teacher's]",
    ),
)
LOSS = (
    click.option(
        "--objective",
        type=click.Choice([*LOSSES, TEACHER]),
        help="What the embedder learns. triplet: photos of one person are nearer to each other than to others; "
        "siamese, contrastive: whether two photos show one person; classes, arcface, cosface: who is in a photo, the "
        "last two with a margin to everybody else; teacher: the vectors of --teacher, without labels.  "
        "[default: triplet, or teacher with --teacher]",
    ),
    click.option(
        "--margin",
        type=NumberRange(0, 4),
        help="The margin of triplet (squared distance), contrastive (distance), arcface (angle in radians) or cosface "
        "(cosine).  [default: 0.2, 1, 0.3 and 0.2]",
    ),
    click.option(
        "--scale",
        type=NumberRange(1, 256),
        help="The factor on cosines before the softmax of classes, arcface and cosface.  [default: 16, 32 and 32]",
    ),
    click.option(
        "--sub-centres",
        type=click.IntRange(1, 16),
        default=1,
        show_default=True,
        help="How many centres each person has with classes, arcface and cosface. Three let photos with a wrong label "
        "gather at a centre of their own.",
    ),
    click.option(
        "--mining",
        type=click.Choice(["batch", "all"]),
        default="batch",
        show_default=True,
        help="Where hard negatives come from, with triplet, siamese and contrastive: from each batch, or from the "
        "whole training set, which is embedded before each epoch.",
    ),
    click.option(
        "--teacher",
        metavar="MODEL",
        help="Learn from this network: a bundled embedder, a card (.yaml), or a .keras, .h5, .tflite or .onnx file.",
    ),
    click.option(
        "--teacher-range",
        "teacher_pixels",
        type=click.Choice(list(PIXELS)),
        help="The range to which the teacher's training scaled the pixels, if no card says so.",
    ),
    click.option(
        "--teacher-channels",
        type=click.Choice(["rgb", "bgr", "grey"]),
        help="The order of the colours in the teacher's input, if no card says so.  [default: rgb, or grey]",
    ),
    click.option(
        "--unlabelled",
        type=options.PEOPLE,
        help="With --teacher: more photos to learn from, of whomever, in a folder. Those of --images judge.",
    ),
)
COURSE = (
    click.option(
        "--epochs",
        type=click.IntRange(1, 100_000),
        default=30,
        show_default=True,
        help="How many epochs to train in all, those of earlier runs included.",
    ),
    click.option(
        "--patience",
        type=click.IntRange(1, 100_000),
        help="Stop early when this many epochs bring no larger area under the ROC curve.  [default: never]",
    ),
    click.option(
        "--batch",
        type=click.IntRange(4, 4096),
        default=64,
        show_default=True,
        help="How many photos, or pairs with `siamese` and `contrastive`, one step uses, on all devices together.",
    ),
    click.option(
        "--learning-rate",
        type=NumberRange(0, 1, min_open=True),
        help=f"The learning rate to start with.  [default: {RATE:g}, or {FINE_TUNING_RATE:g} with --from]",
    ),
    click.option(
        "--schedule",
        type=click.Choice(SCHEDULES),
        default=SCHEDULES[0],
        show_default=True,
        help="How the learning rate falls. plateau: it is halved when four epochs bring no larger area; cosine: along "
        "a cosine to 0; steps: to a tenth after a half and after three quarters of --epochs; constant: not at all.",
    ),
    click.option(
        "--warm-up",
        type=click.IntRange(0, 100_000),
        default=0,
        show_default=True,
        help="During how many epochs the learning rate rises to its full value first.",
    ),
    click.option(
        "--last-layers",
        type=click.IntRange(1, 100_000),
        help="Train only this many layers, the last ones; the others stay as they are.",
    ),
    click.option(
        "--validation",
        type=NumberRange(0, 0.8, min_open=True),
        default=0.1,
        show_default=True,
        help="The share of people who are kept out of training and choose the best epoch and the learning rate.",
    ),
    click.option(
        "--test",
        type=NumberRange(0, 0.8),
        default=0.1,
        show_default=True,
        help="The share of people who are kept out of everything; they judge the best embedder when training ends.",
    ),
    click.option(
        "--augment/--no-augment",
        default=True,
        help="Vary the photos while training: mirrored, moved, in other light, blurred.",
    ),
    click.option(
        "--preview", is_flag=True, help="Write DIR/preview.png, photos and their variations, and train nothing."
    ),
    click.option("--seed", type=options.SEED, default=0, show_default=True, help="The seed of everything random."),
    click.option("--restart", is_flag=True, help="Start over: delete what DIR holds of an earlier training."),
)
MACHINE = (
    click.option(
        "--mixed-precision",
        is_flag=True,
        help="Compute in float16, with weights in float32: faster and smaller on recent GPUs, slower on CPUs. For new "
        "networks. The embedder is written as one that `convert` makes float32.",
    ),
    click.option(
        "--strategy",
        type=click.Choice(STRATEGIES),
        default=STRATEGIES[0],
        show_default=True,
        help="Where to compute. single: on one device; mirrored: on all GPUs of this machine; multiworker: on several "
        "machines, on each of which the same command runs with its place in the environment variable TF_CONFIG.",
    ),
    click.option(
        "--tensorboard",
        is_flag=True,
        help="Write the results of each epoch to DIR/tensorboard for TensorBoard as well.",
    ),
)
IMAGES = (
    options.images,
    click.option(
        "-o",
        "--output",
        required=True,
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        help="The folder to write to; it is created if necessary.",
    ),
)


def everything(command: F) -> F:
    """Give a command all of them."""
    chosen = (*IMAGES, *NETWORK, *LOSS, *COURSE, *MACHINE)
    return reduce(lambda decorated, option: option(decorated), reversed(chosen), command)

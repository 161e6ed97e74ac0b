"""The command line `whosthere-converter`."""

from edge import quiet_start  # isort: split

import click

from converter.exits import CleanCommand, fail
from edge.errors import WhosthereError
from edge.terminal import LazyGroup

COMMANDS = {
    "example-data": "Write photos of four people and a clip, to try the other commands on.",
    "import": "Rebuild a packaged network as a Keras model, checked against the original.",
    "collect": "Collect photos of a person from a camera or a video: good ones that differ.",
    "train": "Train an embedder on photos of people: a new network, or one to fine-tune.",
    "convert": "Convert a network (Keras, TFLite, ONNX, PyTorch) to variants from fp32 to int8, with cards.",
    "enroll": "Build a gallery from a folder of photos per person.",
    "sign": "Sign a gallery with an OpenSSH key, or encrypt it to a box's key.",
    "push": "Push a gallery to boxes over SSH, all at the same time.",
    "forget": "Remove a person from a gallery and every box, and search the boxes for traces.",
    "export": "Write everything held about a person to a ZIP file.",
    "pull": "Fetch the gallery that a box uses, people enrolled there included.",
    "merge": "Merge a box's gallery into yours, and show conflicts.",
    "profile": "Compare size and speed of models, on this machine or on a box over SSH.",
    "evaluate": "Measure verification or identification: accuracy, TAR at FAR, faces missed.",
    "evaluate-packs": "Measure verification on published packs: LFW, CFP-FP, AgeDB-30, CALFW, CPLFW.",
    "evaluate-templates": "Measure verification of several pictures against several, as IJB-B and IJB-C do.",
    "score": "Compare the labels of `whosthere identify` with the truth, person by person.",
    "classifiers": "Compare nearest template, mean template, k-NN and SVM on your photos.",
    "calibrate": "Measure the false-match rate of each similarity, and write it to the card.",
    "compare-embedders": "Measure whether one network's templates suit the faces of another.",
    "strangers": "Measure how well strangers who come again are told apart.",
    "households": "Measure how many strangers a false-alarm target lets through in random households.",
    "play-visits": "Play scripted visits through the box's own loop, and count right and wrong names.",
    "play-film": "Play a recording with a known truth through the box's own loop, and count right and wrong names.",
    "report": "Write one HTML page about several models, with curves and the worst pairs.",
    "evaluate-detection": "Measure recall and precision of a detector by the size of the face.",
    "evaluate-liveness": "Measure how many prints and screens are noticed, and how many living people refused.",
    "degrade": "Measure what blur, small size and darkness cost, which the quality limits rest on.",
}

EXIT_CODES = """\b
Exit codes:
  0  fine
  1  failed: data is missing, or in the wrong format
  2  wrong usage
  3  config
  4  model or gallery
  130  interrupted
"""


class ConverterGroup(CleanCommand, LazyGroup):
    """The commands of a desktop."""

    package = "converter.commands"
    summaries = COMMANDS

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            missing = (error.name or str(error)).partition(".")[0]
            if missing in {"edge", "converter"}:
                raise
            install = (
                "install the extra `converter`: pip install 'whosthere[converter]' (in a checkout: '.[converter]')"
            )
            fail(ctx, WhosthereError(f"needs {missing}, which is not installed; {install}"))


@click.group(cls=ConverterGroup, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """The desktop's side of whosthere: build galleries and push them; train, convert and measure networks.

    Faces are found, aligned and embedded by the same code as on a box.
    """


quiet_start.over()

if __name__ == "__main__":
    main()

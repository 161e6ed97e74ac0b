"""The command line `whosthere-converter`."""

import click

from converter.exits import CleanCommand, fail
from edge.errors import WhosthereError
from edge.terminal import LazyGroup

COMMANDS = {
    "import": "Rebuild a packaged network as a trained Keras model, proven against the original.",
    "train": "Photos of people into an embedder: a new network, or one that is fine-tuned.",
    "convert": "A trained network into its variants (fp32, fp16, dynamic, int8, int8-full, int16x8), with a card each.",
    "enroll": "A folder of photos a person becomes a gallery, with a table and a picture of what went in.",
    "sign": "Sign a gallery with an OpenSSH key; encrypt it to a box's key.",
    "push": "Put a gallery in force on boxes, over SSH, all at once, with a table of what became of it.",
    "forget": "Take somebody out of a gallery and off every box, and search the boxes for traces.",
    "export": "Everything held about somebody, as a ZIP file.",
    "pull": "Fetch the gallery that a box has in force, people enrolled there included.",
    "merge": "Bring a box's gallery home: what either side added, with conflicts shown.",
    "profile": "Size, work, delegate nodes and milliseconds of models side by side, here or on a box over SSH.",
    "evaluate": "How well two pictures are told to be of one person or of two: accuracy, TAR at FAR, faces missed.",
    "calibrate": "Measure similarity -> false-match rate from all pairs of different people, and write it to the card.",
    "households": "What a false-alarm target comes to: strangers called by a name, in many households drawn at random.",
    "report": "All of that about some models on one page, with curves and the pairs that were judged worst.",
    "evaluate-detection": "Recall and precision of a detector by the size of the face.",
    "degrade": "How blur, small size and darkness of a picture cost recognition: what the quality limits rest on.",
}

EXIT_CODES = """\b
Exit codes:
  0  fine
  1  failed: data missing or of the wrong form
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
    """What a desktop does for whosthere: measure, calibrate and prepare the networks that the box runs.

    Everything goes through the box's own detection, alignment and embedding.
    """


if __name__ == "__main__":
    main()

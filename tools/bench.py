"""`whosthere bench`, with other face detectors beside ours.

    python -m tools.bench [SOURCE] [--frames N] [--json]

takes the options of `whosthere bench`. A detector that is not installed is reported with what installs it.
"""

import sys

from edge.__main__ import main
from tools.bench_peers import all_peers

if __name__ == "__main__":
    main(["bench", *sys.argv[1:]], obj=all_peers())

"""`whosthere` with a button on gpiozero's own stand-in for pins: pressed when the file named first appears."""

import importlib
import sys
import threading
import time
from pathlib import Path

import gpiozero

from edge.__main__ import main

PIN = 17


def press_when_asked(asked: Path) -> None:
    pin = gpiozero.Device.pin_factory.pin(PIN)
    while not asked.exists():
        time.sleep(0.02)
    pin.drive_low()
    # Longer than a contact bounces.
    time.sleep(0.2)
    pin.drive_high()


if __name__ == "__main__":
    gpiozero.Device.pin_factory = importlib.import_module("gpiozero.pins.mock").MockFactory()
    threading.Thread(target=press_when_asked, args=(Path(sys.argv.pop(1)),), daemon=True).start()
    main()

"""Picture of the top of a report, for the README: `python docs/screenshot.py [REPORT [PICTURE]]`.

Needs Chromium and Pillow; the report of the last run of the pipeline and docs/report.png unless others are named.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

WIDTH, HEIGHT = 1080, 1860
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")


def main(report: str = "metrics/diagnose/report.html", picture: str = "docs/report.png") -> None:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit(f"error: none of {', '.join(BROWSERS)} is installed; install one and run this again")
    if not Path(report).is_file():
        sys.exit(f"error: {report} does not exist; run `dvc repro`")
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        size = (f"--window-size={WIDTH},{HEIGHT}", "--hide-scrollbars", f"--screenshot={shot}")
        page = Path(report).resolve().as_uri()
        subprocess.run([browser, *FLAGS, *size, f"--user-data-dir={folder}/profile", page], check=True)
        # A page of flat colours: a palette of 256 halves the file and shows no difference.
        Image.open(shot).convert("RGB").quantize(256).save(picture, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The two rendered reports of docs/ and their pictures: `dvc repro && whyrank demo && python docs/reports.py`.

Needs Chromium and Pillow. The pages are those that the runs wrote, byte for byte.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

# By name: the page of a run, and the height of its picture, whose fold ends below the fix plan.
REPORTS = {
    "healthy": (Path("metrics/diagnose/report.html"), 1000),
    "failing": (Path("logs/demo/fine-tuning/report.html"), 1400),
}
FOLDER, WIDTH = Path("docs/reports"), 1080
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")


def main() -> None:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit(f"error: none of {', '.join(BROWSERS)} is installed; install one and run this again")
    for page, _ in REPORTS.values():
        if not page.is_file():
            sys.exit(f"error: {page} does not exist; run `dvc repro` and `whyrank demo`")
    FOLDER.mkdir(exist_ok=True)
    for name, (page, height) in REPORTS.items():
        shutil.copyfile(page, FOLDER / f"{name}.html")
        picture(browser, page, height, FOLDER / f"{name}.png")


def picture(browser: str, page: Path, height: int, target: Path) -> None:
    """Its top, as a browser of this width shows it."""
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        size = (f"--window-size={WIDTH},{height}", "--hide-scrollbars", f"--screenshot={shot}")
        profile = f"--user-data-dir={folder}/profile"
        subprocess.run([browser, *FLAGS, *size, profile, page.resolve().as_uri()], check=True)
        # A page of flat colours: a palette of 256 halves the file and shows no difference.
        Image.open(shot).convert("RGB").quantize(256).save(target, optimize=True)


if __name__ == "__main__":
    main()

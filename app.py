"""Serve the bundled corpus: ``python app.py``, the same as ``followup serve``."""

from assistant.cli import main

if __name__ == "__main__":
    main(["serve"])

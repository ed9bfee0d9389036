"""RapidOCR as a peer, with packages of its own: reads PNG files, prints their lines as JSON.

VENV/bin/python benchmarks/pictures/rapidocr_app.py FILE... > lines.json
"""

from __future__ import annotations

import json
import sys

from rapidocr_onnxruntime import RapidOCR


def main() -> None:
    """Read all files as RapidOCR does, then with one line a batch; for each a list of text, score and corners."""
    engine, ways = RapidOCR(), []
    for lines_a_batch in (engine.text_rec.rec_batch_num, 1):
        engine.text_rec.rec_batch_num = lines_a_batch
        pages = [engine(file)[0] or [] for file in sys.argv[1:]]
        ways.append(
            [[{"text": text, "score": float(score), "box": box} for box, text, score in page] for page in pages]
        )
    print(json.dumps(ways))


if __name__ == "__main__":
    main()

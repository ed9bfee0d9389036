"""FastAPI as a peer, as most people would build it: `python -m benchmarks.service_parts.http_app PORT`."""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.service_parts.served_model import ServedModel

app = FastAPI()
_model = ServedModel()


class Question(BaseModel):
    """The body of a request."""

    text: str


@app.post("/infer")
def infer(question: Question) -> dict[str, object]:
    """Answer one text; says how long the model took, too."""
    return _model.answer([question.text])[0]


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)

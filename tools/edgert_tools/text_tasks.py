"""The tasks of text models on the workstation: which checkpoints are for them, and what is exported and answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from edge_runtime.bundle.manifest import TaskSpec
from edge_runtime.bundle.text_specs import PairSpec, WindowSpec
from edge_runtime.errors import UnsupportedModel

TextTaskName = Literal["embed", "classify", "token-classify", "question-answer", "rerank", "zero-shot"]
TEXT_TASKS: tuple[TextTaskName, ...] = get_args(TextTaskName)
ASKED: tuple[TextTaskName, ...] = ("token-classify", "question-answer", "rerank", "zero-shot")  # by `models/reading.py`

_MOST_STRIDE = 128  # tokens; transformers' default for questions
_ENTAILS, _CONTRADICTS = "entail", "contra"
_RELEVANT = ("relevant", "positive", "yes", "true", "entailment", "duplicate", "similar", "1", "label_1")


@dataclass(frozen=True)
class TextTask:
    """How a checkpoint becomes a graph for a task.

    `export` is optimum's name for it, `loader` transformers' class, `head` how the architecture's name ends that has
    the weights for it (empty: any), `outputs` the dimensions of each output that is kept.
    """

    export: str
    loader: str
    head: str
    outputs: tuple[int, ...]


_SEQUENCE = TextTask("text-classification", "AutoModelForSequenceClassification", "ForSequenceClassification", (2,))
FACTS: dict[TextTaskName, TextTask] = {
    "embed": TextTask("feature-extraction", "AutoModel", "", (3,)),
    "classify": _SEQUENCE,
    "token-classify": TextTask(
        "token-classification", "AutoModelForTokenClassification", "ForTokenClassification", (3,)
    ),
    "question-answer": TextTask("question-answering", "AutoModelForQuestionAnswering", "ForQuestionAnswering", (2, 2)),
    "rerank": _SEQUENCE,
    "zero-shot": _SEQUENCE,
}


def task_of(architectures: Sequence[str], labels: Sequence[str]) -> TextTaskName:
    """The task that a checkpoint was most likely trained for; `embed` if its architecture names no head we know.

    Args:
        architectures: of `config.json`.
        labels: names in the order of the logits.
    """
    tasks: tuple[TextTaskName, ...] = ("token-classify", "question-answer")
    for name in tasks:
        if any(one.endswith(FACTS[name].head) for one in architectures):
            return name
    if not any(one.endswith(_SEQUENCE.head) for one in architectures):
        return "embed"
    if len(labels) == 1:
        return "rerank"
    return "zero-shot" if any(label.lower().startswith(_ENTAILS) for label in labels) else "classify"


def check_head(task: TextTaskName, architectures: Sequence[str]) -> None:
    """Refuse a task whose weights the checkpoint does not have. UnsupportedModel: which head is missing."""
    head = FACTS[task].head
    if head and not any(one.endswith(head) for one in architectures):
        named = ", ".join(architectures) or "no architecture"
        raise UnsupportedModel(
            f"config.json names {named}, which has no head for {task} (...{head}): use another --task"
        )


def windows_for(task: TextTaskName, max_tokens: int) -> WindowSpec:
    """Windows that overlap as transformers has it for questions, and by half of that for labels of single tokens."""
    return WindowSpec(stride=min(max_tokens // (2 if task == "question-answer" else 4), _MOST_STRIDE))


def relevance_logits(labels: Sequence[str]) -> PairSpec:
    """Which logit of a reranker is the score.

    The only one; of two the one whose label says so, else the last. UnsupportedModel: there are more than two.
    """
    if len(labels) == 1:
        return PairSpec(0, None)
    if len(labels) != 2:
        raise UnsupportedModel(
            f"the head has {len(labels)} labels ({', '.join(labels)[:80]}), a reranker one or two: use --task classify"
        )
    said = [number for number, label in enumerate(labels) if label.lower() in _RELEVANT]
    positive = said[0] if len(said) == 1 else 1
    return PairSpec(positive, 1 - positive)


def entailment_logits(labels: Sequence[str]) -> PairSpec:
    """Which logits of a model of natural language inference entail and contradict.

    Raises:
        UnsupportedModel: no label says that it is entailment; or there are several others and none is contradiction.
    """
    lower = [label.lower() for label in labels]
    entails = next((number for number, label in enumerate(lower) if label.startswith(_ENTAILS)), None)
    if entails is None:
        raise UnsupportedModel(
            f"id2label has {', '.join(labels)[:120]}: zero-shot needs a model of natural language inference, "
            "with a label that begins with 'entail'"
        )
    others = [number for number in range(len(labels)) if number != entails]
    against = [number for number in others if lower[number].startswith(_CONTRADICTS)] or others
    if len(against) != 1:
        raise UnsupportedModel(f"id2label has {', '.join(labels)[:120]}: which of them is contradiction is not said")
    return PairSpec(entails, against[0])


def spec_of(task: TextTaskName, labels: Sequence[str], max_tokens: int) -> TaskSpec:
    """The manifest's task for one of `ASKED`. UnsupportedModel: its labels cannot be right."""
    if task == "token-classify":
        return TaskSpec(task, tuple(labels), windows=windows_for(task, max_tokens))
    if task == "question-answer":
        return TaskSpec(task, windows=windows_for(task, max_tokens))
    pairs = relevance_logits(labels) if task == "rerank" else entailment_logits(labels)
    return TaskSpec(task, pairs=pairs)

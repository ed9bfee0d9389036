"""The conversion of a text model that is asked questions; what differs from one that gives a row of values a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from edge_runtime.bundle.golden import write_questions
from edge_runtime.bundle.manifest import TaskSpec
from edge_runtime.errors import UsageError
from edge_runtime.model import Model, PlainAsked, open_model
from edge_runtime.tokenizer import open_tokenizer
from edgert_tools.asked.quality import Answered, answers_of, compare_answers
from edgert_tools.asked.questions import load_questions
from edgert_tools.asked.taught import head_labels, taught_of
from edgert_tools.asked.tuning import tuned
from edgert_tools.checkpoint import asked_spec
from edgert_tools.conversion import FLOAT, Conversion
from edgert_tools.evaluate import Quality
from edgert_tools.existing.examples import golden_question
from edgert_tools.pack import GOLDEN
from edgert_tools.progress import Say
from edgert_tools.quantization.held_back import split_rows
from edgert_tools.texts import Texts
from edgert_tools.timing import Speed, compare_runs

_SAMPLE = 12  # questions that are timed, from short to long


class AskedConversion(Conversion):
    """A conversion whose model gets questions instead of texts."""

    original_answers: Answered

    def _texts(self, note: Say) -> Texts:
        questions = load_questions(self.recipe, self.data, note)
        self.questions = questions
        note(f"{len(questions.asked)} {questions.description}")
        dropped = questions.lessons.dropped
        if dropped:
            note("left out for too few templates: " + ", ".join(f"{name} ({n})" for name, n in dropped))
        texts = Texts(questions.texts, None, questions.description, dropped=dropped)
        _, self.calibration = split_rows(texts, self.recipe, self.data is not None)
        return texts

    def _check_labels(self) -> None:
        """Refuse entities that the model will not have, before anything takes long."""
        if self.recipe.task != "token-classify":
            return
        known = set(self.questions.lessons.labels) or {
            label.partition("-")[2] or label for label in asked_spec(self.checkpoint, self.recipe.task, 1).labels
        }
        named = {mark[2] for one in self.questions.asked for mark in one.right or ()}
        unknown = sorted(named - known)
        if unknown:
            raise UsageError(f"label {unknown[0]!r} of the data is not one of the model's: {', '.join(sorted(known))}")

    def _change_checkpoint(self) -> None:
        """Train the recipe's head and layers, if there are any to train."""
        tune = self.recipe.tune
        if tune is None:
            return
        with self.steps.step(f"train a head for {self.recipe.task} and the last layers") as note:
            lessons, limit = self.questions.lessons, self.recipe.max_tokens
            taught = taught_of(lessons, open_tokenizer(self.tokenizer), limit)
            labels = head_labels(self.recipe.task, lessons)
            self.checkpoint = tuned(
                self.checkpoint, taught, self.recipe.task, labels, tune, self.folder("trained"), note
            )

    def _plain_task(self) -> TaskSpec:
        return asked_spec(self.checkpoint, self.recipe.task, self.recipe.max_tokens)

    def _answer_original(self) -> None:
        asked, task = self.questions.asked, self.recipe.task
        self.original_answers = answers_of(open_model(self.work / FLOAT), task, asked, FLOAT)

    def judge(self, scheme: str, folder: Path) -> Quality:
        asked, task = self.questions.asked, self.recipe.task
        return compare_answers(task, asked, self.original_answers, answers_of(open_model(folder), task, asked, scheme))

    def stopwatch(self, original: Path, folders: Mapping[str, Path], texts: Sequence[str]) -> Mapping[str, Speed]:
        """One thread, by turns, a question at a time."""
        ordered = sorted(self.questions.asked, key=lambda one: one.characters)
        sample = [ordered[index * len(ordered) // _SAMPLE] for index in range(_SAMPLE)]
        runs = {name: _asker(open_model(folder, threads=1)) for name, folder in folders.items()}
        return compare_runs(_asker(open_model(original, threads=1)), runs, [one.cut for one in sample], threads=1)

    def _peak(self, folder: Path) -> int | None:
        return None

    def _write_golden(self, bundle: Path) -> None:
        """Questions that float and int8 answer alike: the surest, so a board whose sums differ a little agrees, too."""
        model = open_model(bundle)
        task, asked = self.recipe.task, self.questions.asked
        said, before = answers_of(model, task, asked, "golden questions"), self.original_answers.marks
        whole = [
            (one, ours == theirs)
            for one, ours, theirs, cut in zip(asked, said.marks, before, said.cut, strict=True)
            if not cut
        ]
        alike = [one for one, same in whole if same] or [one for one, _ in whole]
        ordered = sorted(alike, key=lambda one: one.characters)
        most = self.recipe.golden_rows
        chosen = [ordered[index * len(ordered) // most] for index in range(most)] if len(ordered) > most else ordered
        write_questions(
            bundle / GOLDEN, [golden_question(one.words, model.answer([one.words]).answers[0]) for one in chosen]
        )


def _asker(model: Model) -> Callable[[PlainAsked], object]:
    return lambda asked: model.answer([asked])

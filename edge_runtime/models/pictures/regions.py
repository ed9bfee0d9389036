"""Connected regions of a black and white map, and the smallest rectangle around each, in any direction."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]  # (points, 2), x and y
Ints = npt.NDArray[np.int64]


def outlines(mask: Mask, most: int) -> list[Points]:
    """For each region (pixels that touch, at corners too) the ends of its rows, from the top of the map to its bottom.

    The rows' ends are all that its convex hull needs. Of more than `most` regions the first are given.
    """
    rows, starts, ends = _runs(mask)
    if not rows.size:
        return []
    labels = _joined(len(rows), *_touching(rows, starts, ends, mask.shape[1]))
    order = np.argsort(labels, kind="stable")
    borders = np.flatnonzero(np.diff(labels[order])) + 1
    regions = np.split(order, borders)[:most]
    ends = ends - 1  # the last pixel, not the one after it
    return [
        np.concatenate([np.stack([starts[own], rows[own]], 1), np.stack([ends[own], rows[own]], 1)]).astype(np.float64)
        for own in regions
    ]


def _runs(mask: Mask) -> tuple[Ints, Ints, Ints]:
    """Row, first column and column after the last of each run of pixels, row by row."""
    edges = np.diff(np.pad(mask.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    rows, starts = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]
    return rows, starts, ends


def _touching(rows: Ints, starts: Ints, ends: Ints, width: int) -> tuple[Ints, Ints]:
    """Pairs of runs in neighbouring rows that touch: which, and which of the row below."""
    stride = width + 2
    # As runs are in order, those of the row below that touch one are a stretch: from the first that ends late enough
    # to the last that begins early enough.
    first = np.searchsorted(rows * stride + ends, (rows + 1) * stride + starts, side="left")
    last = np.searchsorted(rows * stride + starts, (rows + 1) * stride + ends, side="right")
    counts = np.maximum(last - first, 0)
    above = np.repeat(np.arange(len(rows)), counts)
    offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return above, np.repeat(first, counts) + offsets


def _joined(count: int, above: Ints, below: Ints) -> Ints:
    """A label for each run, the same for all that hang together: the smallest number of a run among them."""
    labels = np.arange(count)
    while True:
        low = np.minimum(labels[above], labels[below])
        smaller = labels.copy()
        np.minimum.at(smaller, labels[above], low)
        np.minimum.at(smaller, labels[below], low)
        while not np.array_equal(smaller, smaller[smaller]):  # follow the way to the smallest
            smaller = smaller[smaller]
        if np.array_equal(smaller, labels):
            return labels
        labels = smaller


def hull(points: Points) -> Points:
    """The convex hull of points, anticlockwise; Andrew's monotone chain (Andrew 1979)."""
    ordered = np.unique(points, axis=0)
    if len(ordered) < 3:
        return ordered
    lower, upper = _chain(ordered.tolist()), _chain(ordered[::-1].tolist())
    return np.array(lower[:-1] + upper[:-1])


def _chain(points: list[list[float]]) -> list[list[float]]:
    chain: list[list[float]] = []
    for x, y in points:
        while len(chain) > 1:
            (ax, ay), (bx, by) = chain[-2], chain[-1]
            if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                break
            chain.pop()
        chain.append([x, y])
    return chain


def smallest_rectangle(points: Points) -> Points:
    """The four corners, in turn, of the rectangle of least area around the points; it may have no width.

    One of its sides lies on a side of the convex hull (Freeman and Shapira 1975): all are tried.
    """
    corners = hull(points)
    sides = np.roll(corners, -1, axis=0) - corners
    lengths = np.hypot(sides[:, 0], sides[:, 1])
    sides = sides[lengths > 0] / lengths[lengths > 0, None]
    if not len(sides):
        return np.repeat(corners[:1], 4, axis=0)
    along = corners @ sides.T  # (corners, directions)
    across = corners @ np.stack([-sides[:, 1], sides[:, 0]])
    low, high = np.stack([along.min(0), across.min(0)]), np.stack([along.max(0), across.max(0)])
    best = int(np.argmin(np.prod(high - low, axis=0)))
    (u, v), (u_low, v_low), (u_high, v_high) = sides[best], low[:, best], high[:, best]
    turned = np.array([[u_low, v_low], [u_high, v_low], [u_high, v_high], [u_low, v_high]])
    found: Points = turned @ np.array([[u, v], [-v, u]])
    return found


def in_order(corners: Points) -> Points:
    """Corners as top left, top right, bottom right, bottom left; of a line that is less than upright."""
    by_x = corners[np.argsort(corners[:, 0], kind="stable")]
    left, right = by_x[:2], by_x[2:]
    top_left, bottom_left = left[np.argsort(left[:, 1], kind="stable")]
    top_right, bottom_right = right[np.argsort(right[:, 1], kind="stable")]
    return np.array([top_left, top_right, bottom_right, bottom_left])

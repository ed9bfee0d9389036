"""A plan as text for a terminal and as JSON for machines."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from edgert_tools.planning.boards import Board
from edgert_tools.planning.instructions import SHORT_TOKENS, Estimate
from edgert_tools.planning.memory import Memory
from edgert_tools.planning.model import Model
from edgert_tools.planning.plan import BoardPlan, Plan
from edgert_tools.planning.sizes import Size
from edgert_tools.planning.verdict import Fit

SCHEMA = "edgert.plan/1"
_BAR = 20  # characters
_OPERATORS = 8  # shown
_LABEL = 12


def in_words(plan: Plan) -> str:
    """The plan as lines: the model, its sums, a table of boards or of schemes, and the answer."""
    one = plan.boards[0] if len(plan.boards) == 1 else None
    lines = [
        *_model_lines(plan),
        *_labelled("size", [_size_line(size) for size in plan.sizes]),
        *_labelled("memory", _memory_lines(plan.boards[0].verdict.schemes)),
        "",
        *(_board_table(plan.model, plan.boards) if one is None else _scheme_table(plan.model, one)),
        "",
        *_answer(plan),
    ]
    return "\n".join(line.rstrip() for line in lines)


def boards_in_words(known: Sequence[Board]) -> str:
    """All profiles, a line each, with how much memory is left."""
    rows = [("board", "what", "cores", "int8 kernels", "page", "memory MB", "left for edgert")]
    rows += [
        (
            board.name,
            board.title,
            board.cores,
            board.core_class,
            f"{board.page_bytes // 1024} KiB",
            ", ".join(map(str, board.memory_mb)),
            board.left_sum,
        )
        for board in known
    ]
    return "\n".join([*_columns(rows), "", "NAME-4g is the same board with 4 GB: what is left is of the first size."])


def boards_as_plain(known: Sequence[Board]) -> list[dict[str, Any]]:
    """All profiles as JSON data."""
    return [{**dataclasses.asdict(board), "left_mb": round(board.left_mb, 1)} for board in known]


def as_plain(plan: Plan) -> dict[str, Any]:
    """The plan as JSON data: every sum with its parts."""
    model = plan.model
    facts = {
        field.name: getattr(model, field.name)
        for field in dataclasses.fields(Model)
        if field.name not in ("weights", "tokenizer", "dimensions")
    }
    return {
        "schema": SCHEMA,
        "possible": not plan.reasons,
        "reasons": list(plan.reasons),
        "model": {
            **facts,
            "parameters": model.parameters,
            "tokenizer": dataclasses.asdict(model.tokenizer),
            "dimensions": dataclasses.asdict(model.dimensions),
        },
        "licence": dataclasses.asdict(plan.licence),
        "sizes": [_plain_size(size) for size in plan.sizes],
        "boards": [_plain_board(board) for board in plan.boards],
    }


def _model_lines(plan: Plan) -> list[str]:
    model = plan.model
    stored = f"{model.parameters / 1e6:,.1f} million, {model.stored_bytes / 1e6:,.1f} MB as stored"
    return [
        f"{model.source}: {model.architecture}, {model.task}",
        *_labelled("from", [f"{model.origin}{' at ' + model.revision[:12] if model.revision else ''}"]),
        *_labelled("parameters", [stored]),
        *_labelled("tokenizer", [_tokenizer_words(model)]),
        *_labelled("licence", [f"{plan.licence.license}: {plan.licence.answer}; {plan.licence.reason}"]),
        *_labelled("operators", [_operators(model)] if model.operators else []),
        *_labelled("note", model.notes),
    ]


def _tokenizer_words(model: Model) -> str:
    facts = model.tokenizer
    if facts.refused:
        return f"refused: {facts.refused}"
    if facts.made:
        return f"{facts.family}, made of {facts.made} by a conversion: not checked yet"
    return f"{facts.family}" if facts.family else "none here"


def _operators(model: Model) -> str:
    names = [f"{count} {name}" for name, count in list(model.operators.items())[:_OPERATORS]]
    more = len(model.operators) - len(names)
    return f"opset {model.opset}: {', '.join(names)}{f' and {more} kinds more' if more > 0 else ''}"


def _size_line(size: Size) -> str:
    parts = []
    for part in size.parts:
        scales = f" + scales {part.scale_bytes / 1e6:.2f}" if part.scale_bytes > 5000 else ""
        parts.append(f"{part.what} {part.values / 1e6:.2f} M x {part.bits} bit{scales}")
    return f"{size.scheme:<11} {size.size_bytes / 1e6:9,.1f} MB = {' + '.join(parts)}"


def _memory_lines(fits: Iterable[Fit]) -> list[str]:
    return [f"{fit.scheme:<11} {fit.memory.sum_mb:9,.0f} MB = {_memory_sum(fit.memory)}" for fit in fits]


def _memory_sum(memory: Memory) -> str:
    parts = {
        "process": memory.process_mb,
        "tokenizer": memory.tokenizer_mb,
        "weights": memory.weights_mb,
        f"activations of {memory.max_tokens} tokens": memory.activations_mb,
        "keys and values": memory.cache_mb,
    }
    return " + ".join(f"{name} {value:,.0f}" for name, value in parts.items() if value)


def _request_words(model: Model) -> tuple[str, str]:
    if model.writes:
        return "a token", "the last one"
    if not model.max_tokens:
        return "a request", "the longest"
    return f"{SHORT_TOKENS} tokens", f"{model.max_tokens} tokens"


def _board_table(model: Model, plans: Sequence[BoardPlan]) -> list[str]:
    rows: list[tuple[str, ...]] = [
        ("board", "scheme", "needs", "left MB", "", *_request_words(model), "against float", "")
    ]
    for plan in plans:
        verdict, best = plan.verdict, plan.verdict.best
        rows.append((verdict.board.name, best.scheme, *_fit_cells(best), "fits" if verdict.fits else "DOES NOT FIT"))
    return [*_columns(rows), _basis(plans)]


def _scheme_table(model: Model, plan: BoardPlan) -> list[str]:
    board = plan.verdict.board
    rows: list[tuple[str, ...]] = [("scheme", "needs", "left MB", "", *_request_words(model), "against float", "")]
    for fit in plan.verdict.schemes:
        rows.append((fit.scheme, *_fit_cells(fit), _fit_words(fit, plan.verdict.best)))
    kind = f"int8 kernels: {board.core_class}, {board.page_bytes >> 10} KiB pages"
    return [
        f"{board.name}: {board.title}, {board.cores}, {kind}",
        f"left for edgert: {board.left_sum}",
        "",
        *_columns(rows),
        _basis([plan]),
    ]


def _fit_cells(fit: Fit) -> tuple[str, ...]:
    ratio = "" if fit.float_ratio is None else f"{fit.float_ratio:.2f}x"
    return (
        f"{fit.memory.sum_mb:,.0f} MB",
        f"{fit.left_mb:,.0f}",
        bar(fit.memory.sum_mb, fit.left_mb),
        _millions(fit.short),
        _millions(fit.longest),
        ratio,
    )


def _fit_words(fit: Fit, best: Fit) -> str:
    words = ["fits" if fit.fits else "does not fit"]
    if fit.slow:
        words.append("slower than float here")
    if not fit.made:
        words.append("for comparison")
    choice = "  <- take this" if fit.short else "  <- takes the least"
    return ", ".join(words) + (choice if fit is best and fit.fits else "")


def bar(need_mb: float, left_mb: float) -> str:
    """How much of what is left a model takes: `[####....]`; more than all of it ends in `>`."""
    if need_mb > left_mb:
        return "[" + "#" * _BAR + ">"
    filled = max(1, round(_BAR * need_mb / left_mb))
    return "[" + "#" * filled + "." * (_BAR - filled) + "]"


def _millions(estimate: Estimate | None) -> str:
    return "not known" if estimate is None else f"{estimate.millions:,.0f} M"


def _basis(plans: Sequence[BoardPlan]) -> str:
    found = {fit.short.basis for plan in plans for fit in plan.verdict.schemes if fit.short is not None}
    if not found:
        return "instructions: not known, nothing comparable was counted"
    return f"instructions a request, estimated, not time: {'; '.join(sorted(found))}"


def _answer(plan: Plan) -> list[str]:
    if plan.reasons:
        lines = ["no:", *(f"  - {reason}" for reason in plan.reasons)]
    else:
        fitting = [board.verdict.board.name for board in plan.boards if board.verdict.fits]
        lines = [f"yes: it can be converted, and fits on {', '.join(fitting)}", *_second_choices(plan)]
    for board in plan.boards:
        if board.alternatives:
            lines.append(f"nearest for {board.verdict.board.name}:")
            lines += [f"  - {line}" for line in board.alternatives]
    return lines


def _second_choices(plan: Plan) -> list[str]:
    """A header does not tell how accurate int8 is: what holds if the best scheme misses its budget."""
    lines = []
    for board in plan.boards:
        best = board.verdict.best
        others = [fit for fit in board.verdict.schemes if fit.made and fit is not best and (not fit.fits or fit.slow)]
        lines += [f"  {board.verdict.board.name}: {fit.scheme} {_fit_words(fit, best)}" for fit in others]
    if not lines:
        return []
    return ["accuracy is only known after a conversion; if the scheme above misses its budget, then", *lines]


def _labelled(label: str, lines: Sequence[str]) -> list[str]:
    return [f"  {label if number == 0 else '':<{_LABEL}} {line}" for number, line in enumerate(lines)]


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[number]) for row in rows) for number in range(len(rows[0]))]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return ["  " + line.rstrip() for line in padded]


def _plain_size(size: Size) -> dict[str, Any]:
    parts = [{**dataclasses.asdict(part), "size_bytes": part.size_bytes} for part in size.parts]
    return {"scheme": size.scheme, "size_bytes": size.size_bytes, "parts": parts}


def _plain_board(plan: BoardPlan) -> dict[str, Any]:
    verdict = plan.verdict
    return {
        "board": verdict.board.name,
        "fits": verdict.fits,
        "scheme": verdict.best.scheme,
        "memory_mb": verdict.board.memory_mb[0],
        "left_mb": round(verdict.board.left_mb, 1),
        "schemes": [_plain_fit(fit) for fit in verdict.schemes],
        "alternatives": list(plan.alternatives),
    }


def _plain_fit(fit: Fit) -> dict[str, Any]:
    memory = {name: round(value, 1) for name, value in dataclasses.asdict(fit.memory).items()}
    return {
        "scheme": fit.scheme,
        "size_bytes": fit.size_bytes,
        "fits": fit.fits,
        "made": fit.made,
        "slower_than_float": fit.slow,
        "memory": {**memory, "sum_mb": round(fit.memory.sum_mb, 1)},
        "instructions": {
            name: None if found is None else {**dataclasses.asdict(found), "millions": round(found.millions, 2)}
            for name, found in (("short", fit.short), ("longest", fit.longest))
        },
    }

"""What was found on an emulated board, and what it says of a form of a model. Pure data, nothing runs."""

from __future__ import annotations

from dataclasses import dataclass

LEAST_COSINE = 0.99  # to this machine's outputs; dynamic int8 of one graph was seen to differ by 0.004 between machines


@dataclass(frozen=True)
class OnBoard:
    """One form of a model on one emulated board.

    Args:
        board: its name.
        instructions: that it executes for one run of the graph on `tokens` tokens, one thread.
        float_instructions: the same of the fused float graph.
        tokens: of the text; 0 where there is none.
        cosine: the least of its outputs and this machine's, over a few texts; `exact`: all bits were equal.
        emulator: what played the board.
    """

    board: str
    instructions: int
    float_instructions: int
    tokens: int
    cosine: float
    exact: bool
    emulator: str

    @property
    def ratio(self) -> float:
        """Instructions in times float's; below 1 is fewer."""
        return self.instructions / self.float_instructions

    @property
    def basis(self) -> str:
        """What the numbers are, for whoever reads them alone."""
        return f"emulated, {self.emulator}; instructions, not time"

    @property
    def misses(self) -> tuple[str, ...]:
        """Why this form is not for this board; nothing: it may be."""
        found = []
        if self.instructions > self.float_instructions:
            found.append(f"{times(self.ratio)} float's instructions on {self.board}")
        if not self.cosine >= LEAST_COSINE:
            found.append(f"cosine {self.cosine:.4f} to this machine's answers on {self.board}, at least {LEAST_COSINE}")
        return tuple(found)


def times(ratio: float) -> str:
    """As 0.42x, 4.1x; never a 1.00x that is above 1."""
    if ratio >= 2:
        return f"{ratio:.1f}x"
    return f"{ratio:.4f}x" if f"{ratio:.2f}" == "1.00" and ratio != 1 else f"{ratio:.2f}x"


def millions(instructions: int) -> str:
    """As 25.1 M, for tables."""
    return f"{instructions / 1e6:.1f} M"

"""A store's state for people, in MCUboot's words: slot 0 runs, slot 1 is what else there is."""

from __future__ import annotations

from collections.abc import Iterator

from edge_runtime.bundle.store.state import Installed, Slots, State


def describe(state: State) -> str:
    """What `edgert status --store` prints."""
    if not state.models:
        return "the store is empty"
    return "\n".join(line for name, slots in sorted(state.models.items()) for line in _model(name, slots))


def _model(name: str, slots: Slots) -> Iterator[str]:
    yield f"{name}  (counter {slots.floor} and higher)"
    yield f"  slot 0  active    {_bundle(slots.active)}"
    if slots.trial is not None:
        begun = f"begun {slots.begun} times, {slots.tries} left" if slots.begun else "not begun yet"
        yield f"  slot 1  trial     {_bundle(slots.trial)}  pending, {begun}"
    if slots.waiting is not None:
        yield f"  slot 1  waiting   {_bundle(slots.waiting)}"
    if slots.previous is not None:
        yield f"  slot 1  previous  {_bundle(slots.previous)}"
    if slots.refused is not None:
        yield f"  refused           {_bundle(slots.refused.bundle)}  {slots.refused.reason}"


def _bundle(bundle: Installed | None) -> str:
    return f"{bundle.version}  counter {bundle.counter}  {bundle.digest[:12]}" if bundle else "none"

"""Encoders and sequence to sequence by optimum-onnx: with the packages of `locks/optimum.txt`, there or here."""

from __future__ import annotations

from collections.abc import Callable

Say = Callable[[str], None]


def export(
    say: Say, *, checkpoint: str, out: str, task: str, loader: str = "", unneeded: str = "", separate: bool = False
) -> dict[str, object]:
    """Export in float32 on the CPU, running no code of the checkpoint.

    Args:
        checkpoint: folder; whatever lies in it may be read, so that it holds no pickles is the caller's care.
        out: folder to make.
        task: in optimum's words.
        loader: transformers' class for the task, to find weights that are not there; empty: they are not looked for.
        unneeded: such weights with this in their name do no harm.
        separate: leave the parts of a model of several as they are; else they may become one graph with an `If`.

    Raises:
        ValueError: weights are not there.
    """
    from optimum.exporters.onnx import main_export

    del say
    missing = missing_weights(checkpoint, loader, unneeded) if loader else ""
    if missing:
        raise ValueError(missing)
    main_export(
        checkpoint,
        output=out,
        task=task,
        library_name="transformers",
        device="cpu",
        trust_remote_code=False,
        do_validation=False,  # what is checked instead is the board's own answers
        no_post_process=separate,
    )
    return {}


def missing_weights(checkpoint: str, loader: str, unneeded: str) -> str:
    """What transformers would fill at random with no more than a warning, in words; "" if nothing."""
    import transformers

    _, loading = getattr(transformers, loader).from_pretrained(
        checkpoint, output_loading_info=True, trust_remote_code=False
    )
    missing = sorted(name for name in loading["missing_keys"] if not unneeded or unneeded not in name)
    if not missing:
        return ""
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return f"the weights lack {missing[0]}{more}, which config.json asks for"

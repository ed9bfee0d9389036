"""A manifest as text for people."""

from __future__ import annotations

from collections.abc import Mapping

from edge_runtime.bundle.digest import content_digest
from edge_runtime.bundle.manifest import Manifest


def describe(manifest: Manifest) -> str:
    """What `edgert inspect` prints: who, what, from where, how good, which files."""
    task, model, source = manifest.task, manifest.model, manifest.source
    inputs = ", ".join(
        f"{tensor.name} {tensor.dtype}" for tensor in model.inputs if not _is_past(manifest, tensor.name)
    )
    facts = {
        "task": task.name + (f", {len(task.labels)} labels" if task.labels else ""),
        "model": f"{model.file}, {model.scheme}, engine {model.engine}, inputs {inputs}",
        **{f"{', '.join(one.targets)}": f"{one.model.file}, {one.model.scheme}" for one in manifest.variants},
        "batches": "same answer alone or together" if model.batch_invariant else "one text a run",
        "limits": f"{manifest.limits.max_tokens} tokens a text, {manifest.limits.max_texts} texts a request",
        "tokenizer": f"{manifest.tokenizer.family}, {manifest.tokenizer.file}" if manifest.tokenizer else "none",
        **_generation(manifest),
        "source": f"{source.model}, by {source.origin}, revision {source.revision}",
        "weights": f"sha256 {source.sha256}",
        "licence": source.license,
        "targets": ", ".join(manifest.targets),
        "counter": str(manifest.counter),
        "digest": content_digest(manifest),
    }
    lines = [f"{manifest.name} {manifest.version}  ({manifest.size_bytes / 1e6:.1f} MB)", ""]
    lines += [f"  {name:10} {value}" for name, value in facts.items()]
    if task.labels:
        lines += ["", "labels", *_wrapped(task.labels)]
    lines += ["", "measured", *_table(manifest.measured)]
    lines += ["", "files"]
    lines += [f"  {file.path:24} {file.role:10} {file.size:>12,}  {file.sha256[:16]}" for file in manifest.files]
    lines += ["", "made with", *_table(manifest.lock)]
    return "\n".join(lines) + "\n"


def _generation(manifest: Manifest) -> dict[str, str]:
    """What a person wants to know of a model that writes."""
    spec = manifest.task.generate
    if spec is None:
        return {}
    cache, context = spec.cache, manifest.limits.max_tokens
    return {
        "writes": f"ends at {', '.join(map(str, spec.end))}; "
        + (f"chat template {spec.chat.template}" if spec.chat is not None else "no chat template: it continues texts"),
        "cache": f"{cache.layers} layers, {cache.heads} heads of {cache.width}, {cache.dtype}: "
        f"{cache.bytes_per_token / 1e3:.1f} kB a token, {cache.bytes_per_token * context / 1e6:.0f} MB for {context} "
        f"(the model was made for {spec.positions})",
    }


def _is_past(manifest: Manifest, name: str) -> bool:
    spec = manifest.task.generate
    return spec is not None and name in spec.cache.names(spec.cache.past)


def _table(values: Mapping[str, object], indent: int = 2) -> list[str]:
    lines = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            lines += [" " * indent + name, *_table(value, indent + 2)]
        else:
            shown = f"{value:.6g}" if isinstance(value, float) else str(value)
            lines.append(f"{'':{indent}}{name:{max(1, 26 - indent)}} {shown}")
    return lines


def _wrapped(words: tuple[str, ...], width: int = 96) -> list[str]:
    lines, line = [], " "
    for word in words:
        if len(line) + len(word) + 1 > width:
            lines.append(line)
            line = " "
        line += " " + word
    return [*lines, line]

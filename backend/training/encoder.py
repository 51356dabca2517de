"""The base model a version starts from: the hub's, a folder's, or the embedded one."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import transformers
from huggingface_hub import constants, file_download, snapshot_download
from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
from transformers import AutoConfig, AutoModelForTokenClassification, AutoTokenizer, PreTrainedModel
from transformers import PreTrainedTokenizerFast

from backend.errors import BaseModelUnavailable
from backend.inference.tagger import MAX_LENGTH
from backend.training import embedded
from converters.bio import tag_set

T = TypeVar("T")

EMBEDDED = "embedded"

STALL_SECONDS = 45.0
"""A hub that has not sent a byte of the model for this long is given up."""

_REMEDY = "set BASELINE_MODEL_NAME to a local folder with a model, or to `embedded`"

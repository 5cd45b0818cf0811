"""Data sets of the Hugging Face hub, or from its cache if the hub cannot be reached."""

from __future__ import annotations

import http.client
import os
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learnorder.data.folders import check_readable, local_folder
from learnorder.errors import DataError, one_line

if TYPE_CHECKING:
    import datasets

_ANSWER_SECONDS = 3.0
"""Timeout of the hub; without a network, its client would retry for 25 seconds."""
_SWITCHES = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")
_PATTERN = ("::", "$", ":", "*", "?", "[", "\n")
"""Special characters of the client in paths of local folders."""


def open_hub(place: str) -> datasets.DatasetDict:
    """Open a data set of the hub, or a local folder with the same layout.

    Args:
        place: NAME or NAME:CONFIG.

    Raises:
        DataError: The data set does not exist, or is not in the cache and the hub cannot be
            reached.
    """
    from datasets.exceptions import DatasetsError

    name, _, configuration = place.partition(":")
    if (folder := local_folder(f"hub:{place}")) is not None:
        check_readable("hub", place, folder, _PATTERN)
        name, why = str(folder), ""
    else:
        why = _why_offline()
    try:
        with _offline(bool(why)):
            return load_dataset(name, configuration or None)
    except (OSError, ValueError, RuntimeError, DatasetsError) as error:
        if (cached := _cache_of(error)) is not None:
            cache, variable, reason = cached
            raise DataError(
                f"hub:{place} could not be opened: copies are kept in {cache}, which cannot be "
                f"used ({reason}). Set the environment variable {variable} to a folder that can "
                "be written, or use a local copy in Parquet with parquet:DIR."
            ) from error
        if why:
            raise DataError(
                f"hub:{place} could not be opened: {why}, and there is no copy in the cache. Use a "
                "local copy in Parquet with parquet:DIR, or connect to the network."
            ) from error
        raise DataError(
            f"hub:{place} could not be opened: {_words_of(error)}. Check the name (owner/name, or "
            "a local folder) and the connection, or use a local copy in Parquet with parquet:DIR."
        ) from error


def _cache_of(error: Exception) -> tuple[Path, str, str] | None:
    """Return the cache in which a file could not be opened or made; None for other errors.

    Returns:
        The cache, the variable of the environment that says where it is, and the reason.
    """
    for each in (error, error.__cause__):
        if isinstance(each, OSError) and isinstance(each.filename, str):
            at = Path(each.filename)
            for name, cache in _caches().items():
                if at.is_relative_to(cache) or cache.is_relative_to(at):
                    return cache, name if name in os.environ else "HF_HOME", str(each.strerror)
    return None


def _caches() -> dict[str, Path]:
    """Return the folders in which the library keeps copies, by variable of the environment."""
    from datasets import config
    from huggingface_hub.constants import HF_HUB_CACHE

    return {
        "HF_DATASETS_CACHE": Path(config.HF_DATASETS_CACHE),
        "HF_DATASETS_DOWNLOADED_DATASETS_PATH": Path(config.DOWNLOADED_DATASETS_PATH),
        "HF_HUB_CACHE": Path(HF_HUB_CACHE),
    }


def hub_folders(place: str) -> list[Path]:
    """Return the folders that may contain a data set's images: a local folder, and the caches."""
    local = local_folder(f"hub:{place}")
    return [*([] if local is None else [local]), *_caches().values()]


def _words_of(error: Exception) -> str:
    """Return the library's error message, or that of its cause, as one line."""
    from datasets.exceptions import DatasetGenerationError

    cause = error.__cause__ if isinstance(error, DatasetGenerationError) else None
    return one_line(cause or error).rstrip(".")


def load_dataset(*args: Any, **kwargs: Any) -> datasets.DatasetDict:
    """Return the splits of a data set, as ``datasets.load_dataset`` does."""
    import datasets

    datasets.disable_progress_bars()
    loaded = datasets.load_dataset(*args, **kwargs)
    assert isinstance(loaded, datasets.DatasetDict)
    return loaded


def _why_offline() -> str:
    """Return why the hub is not used, in words; empty if it is."""
    from datasets import config

    switched = [n for n in _SWITCHES if os.environ.get(n, "").upper() in ("1", "ON", "YES", "TRUE")]
    if switched or config.HF_HUB_OFFLINE:
        return f"{(*switched, _SWITCHES[0])[0]} is set"
    if not answers(config.HF_ENDPOINT):
        return f"{config.HF_ENDPOINT} cannot be reached"
    return ""


@contextmanager
def _offline(offline: bool) -> Iterator[None]:
    """If ``offline``, restrict the client to its cache within a ``with`` block."""
    from datasets import config

    before = config.HF_HUB_OFFLINE
    config.HF_HUB_OFFLINE = before or offline
    try:
        yield
    finally:
        config.HF_HUB_OFFLINE = before


def answers(address: str) -> bool:
    """Whether a server sends any response within a few seconds."""
    responses = list[bool]()
    thread = threading.Thread(target=lambda: responses.append(_responds(address)), daemon=True)
    thread.start()  # a thread, because name resolution has no timeout
    thread.join(_ANSWER_SECONDS)
    return bool(responses and responses[0])


def _responds(address: str) -> bool:
    try:
        request = urllib.request.Request(address, method="HEAD")
        urllib.request.urlopen(request, timeout=_ANSWER_SECONDS).close()
    except urllib.error.HTTPError as error:
        error.close()
    except urllib.error.URLError as error:  # certificates are checked by the client
        return isinstance(error.reason, ssl.SSLError)
    except (OSError, ValueError, http.client.HTTPException):
        return False
    return True

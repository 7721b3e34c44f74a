"""Files of this package that Python keeps compiled, as it keeps modules: to parse them takes longer than many a question does."""

from __future__ import annotations

import contextlib
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class _Loader(SourceFileLoader):
    """Finds the compiled form in `__pycache__` and makes it anew when the file has changed; where it cannot be kept, each time."""

    def __init__(self, path: Path, parse: Callable[[str], Any]) -> None:
        super().__init__(path.stem, str(path))
        self.parser = _state_of(parse)
        self._parse = parse

    def source_to_code(  # type: ignore[override]
        self, data: bytes, path: str, *, _optimize: int = -1
    ) -> CodeType:
        text = f"parser = {self.parser!r}\ncontent = {self._parse(data.decode())!r}"
        return compile(text, path, "exec", dont_inherit=True, optimize=_optimize)


def content_of(path: Path, parse: Callable[[str], Any]) -> Any:  # noqa: ANN401 - whatever `parse` gives
    """What `parse` gives for the text of a file of this package, beside which no module may have its name.

    Args:
        path: The file.
        parse: Makes numbers, text, lists, tuples and dictionaries of its text, by nothing but the text and the module that it is from.

    Raises:
        OSError: There is no such file.
        What `parse` raises.
    """
    loader = _Loader(path, parse)
    module = _load(loader)
    if module is None:
        from importlib.util import cache_from_source

        with contextlib.suppress(OSError):
            Path(cache_from_source(loader.path)).unlink()
            module = _load(loader)
    return parse(path.read_text(encoding="utf-8")) if module is None else module.content


def _load(loader: _Loader) -> ModuleType | None:
    """The file as a module; None where what is kept was made by another parser."""
    module = ModuleType(loader.name)
    loader.exec_module(module)
    return module if getattr(module, "parser", None) == loader.parser else None


def _state_of(parse: Callable[[str], Any]) -> tuple[str, int, int]:
    """What is another when the module that a parser is from has changed."""
    file = getattr(sys.modules.get(parse.__module__), "__file__", None)
    try:
        status = Path(file or "").stat()
    except OSError:  # packed with others, or part of Python
        return parse.__qualname__, 0, 0
    return parse.__qualname__, status.st_mtime_ns, status.st_size

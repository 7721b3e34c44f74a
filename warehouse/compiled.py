"""Files of this package that Python keeps compiled, as it keeps modules: to parse them takes longer than many a question does."""

from __future__ import annotations

from importlib.machinery import SourceFileLoader
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class _Loader(SourceFileLoader):
    """Finds the compiled form in `__pycache__` and makes it anew when the file has changed; where it cannot be kept, each time."""

    def __init__(self, path: Path, parse: Callable[[str], Any]) -> None:
        super().__init__(path.stem, str(path))
        self._parse = parse

    def source_to_code(  # type: ignore[override]
        self, data: bytes, path: str, *, _optimize: int = -1
    ) -> CodeType:
        return compile(f"content = {self._parse(data.decode())!r}", path, "exec", dont_inherit=True, optimize=_optimize)


def content_of(path: Path, parse: Callable[[str], Any]) -> Any:  # noqa: ANN401 - whatever `parse` gives
    """What `parse` gives for the text of a file of this package, beside which no module may have its name.

    Args:
        path: The file.
        parse: Makes numbers, text, lists and dictionaries of its text, by the text alone; when it changes, so must the file.

    Raises:
        OSError: There is no such file.
        What `parse` raises.
    """
    module = ModuleType(path.stem)
    _Loader(path, parse).exec_module(module)
    return module.content

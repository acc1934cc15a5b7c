"""A hook of mkdocs: links that lead out of ``docs/`` lead to the repository on the site."""

import re
from pathlib import Path
from typing import Any

_LINK = re.compile(r"(?<=\]\()(\.\./[^)\s#]*|[^)\s#:]*)(#[^)\s]*)?(?=\))")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_kwargs: Any) -> str:
    """`markdown` with such links made absolute; raises nothing: a link to nothing is left for mkdocs to refuse."""
    docs = Path(config.docs_dir)
    folder = (docs / page.file.src_uri).parent

    def replace(match: re.Match[str]) -> str:
        target = (folder / match[1]).resolve()
        leads_out = not target.is_relative_to(docs) or target.suffix == ".json" or target.is_dir()
        if not match[1] or not target.exists() or not leads_out:
            return match[0]
        kind = "tree" if target.is_dir() else "blob"
        return f"{config.repo_url.rstrip('/')}/{kind}/main/{target.relative_to(docs.parent)}{match[2] or ''}"

    return _LINK.sub(replace, markdown)

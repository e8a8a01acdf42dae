"""Links of a page to files that are not on the site, such as ../conf/sweep, lead to the repository."""

import os
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
REPOSITORY = "https://github.com/musicrec/musicrec/blob/main"


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Replace the targets that exist in the repository and not on the site."""

    def replaced(link: re.Match) -> str:
        path = os.path.normpath(os.path.join(os.path.dirname(page.file.src_uri), link[2]))
        outside = files.get_file_from_path(path) is None and (ROOT / path).exists()
        return f"{link[1]}{REPOSITORY}/{path}{link[3]}" if outside else link[0]

    return re.sub(r"(\]\()([^)\s#:]+)((?:#[^)]*)?\))", replaced, markdown)

"""Links between the documents of the repository lead to a file and, where they name one, to a heading."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def headings(document: Path) -> set[str]:
    """The anchors that GitHub makes of the headings."""
    found = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", document.read_text(), flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


def test_links_lead_to_a_file_and_a_heading():
    folders = (ROOT, ROOT / "docs", ROOT / "benchmarks", *sorted((ROOT / "experiments").iterdir()))
    documents = [document for folder in folders for document in folder.glob("*.md")]
    assert len(documents) > 15
    for document in documents:
        for target in re.findall(r"\]\(([^)]+)", document.read_text()):
            if target.startswith("https://"):
                continue
            path, _, heading = target.partition("#")
            linked = (document.parent / path).resolve() if path else document
            assert linked.exists(), f"{document}: {target} does not exist"
            assert not heading or heading in headings(linked), f"{document}: {target} names no heading"

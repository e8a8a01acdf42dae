"""The model card: README.md of an export."""

import json

from musicrec import heads as heads_package
from musicrec.heads import Head


def model_card(config: dict, metrics: dict[str, dict[str, float | None]], *, has_onnx: bool = False) -> str:
    """Write the text of the model card.

    Args:
        config: The content of the export's `config.json`. Its key `card`, if there is one, holds a title, an
            introduction, and what was measured elsewhere (publish.py).
        metrics: Values by split and name; None for a value that could not be measured.
        has_onnx: Whether the export has a `model.onnx`.

    Returns:
        Markdown.
    """
    data, network, card = config["data"], config["network"], config.get("card")
    lines = [
        f"# {card['title'] if card else network['class']}",
        "",
        card["about"] if card else "A music model exported by musicrec.",
        "",
        f"- **Network**: {network['class']} {json.dumps(network['settings'])}",
        f"- **Predicts**: {'; '.join(_head_line(head) for head in heads_of(config))}",
        f"- **Input**: {_input(config)}",
        *(f"- **{key.replace('_', ' ').capitalize()}**: {_plain(value)}" for key, value in data.items()),
        f"- **Calibration**: {_calibration_line(config)}",
        f"- **Licence**: {config['licence']}",
        f"- **Made**: {_origin(config)}",
        "",
    ]
    for section in card["measured"] if card else ():
        lines += [f"## {section['title']}", "", section["text"], ""]
        lines += [_row(section["columns"]), "|---" * len(section["columns"]) + "|", *map(_row, section["rows"]), ""]
    if metrics:
        lines += ["## As the training measured it", ""] if card else []
        names = sorted({name for values in metrics.values() for name in values})
        lines += ["| metric | " + " | ".join(metrics) + " |", "|---" * (len(metrics) + 1) + "|"]
        for name in names:
            cells = [metrics[split].get(name) for split in metrics]
            lines.append(f"| {name} | " + " | ".join("–" if c is None else f"{c:.3f}" for c in cells) + " |")
        lines.append("")
    lines += ["Load it with `musicrec.load(folder)`; the files hold weights and JSON, no code.", ""]
    if has_onnx:
        lines += [
            "`model.onnx` is the same model with its front end, for other programs: it takes `waveform` (batch, "
            "samples) and returns `embedding` and the probabilities of each head. Its metadata names the classes.",
            "",
        ]
    return "\n".join(lines)


def _input(config: dict) -> str:
    """Return what the model takes."""
    if config["network"]["settings"].get("encoder", {}) is None:  # of a probe that has none
        return "embeddings that are computed elsewhere, no audio"
    return f"mono audio at {config['frontend']['sample_rate']} Hz"


def _row(cells: list) -> str:
    """Return a row of a table, with numbers as they are."""
    return "| " + " | ".join("–" if cell is None else str(cell) for cell in cells) + " |"


def _origin(config: dict) -> str:
    """Return when and by what the export was made; a published one has no date and no commit."""
    made = f"musicrec {config['musicrec_version']}"
    if config["created"] is None:
        return made
    return f"{config['created']}, {made}, git commit {config['git_commit'] or 'unknown'}"


def heads_of(config: dict) -> list[Head]:
    """Build the heads that the `config.json` of an export describes."""
    return [heads_package.from_dict(head) for head in config["heads"]]


def _head_line(head: Head) -> str:
    shown = ", ".join(head.classes[:8]) + (f", … ({len(head.classes)} classes)" if len(head.classes) > 8 else "")
    return f"{head.name} ({shown})"


def _calibration_line(config: dict) -> str:
    """Describe the calibration: temperatures, and the split they were fitted on."""
    if not config["calibration"]:
        return "none; a probability is the mean over the chunks of a track"
    temperatures = ", ".join(f"{head.name} {head.temperature:.2f}" for head in heads_of(config))
    return f"temperatures {temperatures}, and thresholds for tags, fitted on split {config['calibration']['split']}"


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)

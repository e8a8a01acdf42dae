"""Evaluate an export or a checkpoint on the splits of a dataset. `python evaluate.py --help` shows how."""

import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from musicrec import sweeps
from musicrec.cli import TARGETS, program
from musicrec.errors import ConfigError
from musicrec.evaluation.files import write_report
from musicrec.evaluation.plots import plot_all
from musicrec.evaluation.report import print_per_class, print_scores, score_heads
from musicrec.export import package_version, read_model
from musicrec.module import MusicModule


@hydra.main(config_path="conf", config_name="evaluate", execution_whitelist=TARGETS)
@program
def main(cfg: DictConfig) -> None:
    if OmegaConf.is_missing(cfg, "export"):
        raise ConfigError("nothing to evaluate; give export=PATH, an export folder or a checkpoint that train.py wrote")
    if not cfg.splits:
        raise ConfigError("splits is empty; name some, as in splits=[test]")
    model = read_model(cfg.export)
    data = instantiate(cfg.data, heads=model.heads, frontend=model.frontend, chunk_samples=model.network.chunk_samples)
    module = MusicModule(model.network, model.heads)
    trainer = instantiate(cfg.trainer, enable_progress_bar=sys.stdout.isatty())
    trainer.test(module, data, verbose=False)

    run = Path(HydraConfig.get().runtime.output_dir)
    dataset = data.manifest_path.resolve().parent.name
    scores = score_heads(module.predictions, model.heads)
    pictures = plot_all(run, scores, module.predictions, dataset=dataset) if cfg.plots else []
    write_report(
        run,
        scores,
        module.predictions,
        track_ids={split: data.tracks(split)["track_id"].to_list() for split in module.predictions},
        about={
            "export": str(cfg.export),
            "network": type(model.network).__name__,
            "dataset": dataset,
            "manifest": data.manifest_path.name,
            "manifest_hash": data.manifest_hash,
            "musicrec_version": package_version(),
        },
    )

    for score in scores:
        if score.labelled:
            print_per_class(score)
    print_scores(scores, title=f"{cfg.export} on {dataset}")
    print(f"report: {run} (metrics.json, metrics.csv, per_class_*.csv, predictions.csv, {len(pictures)} pictures)")


if __name__ == "__main__":
    sweeps.register()
    main()

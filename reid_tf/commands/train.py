"""Train a re-identification system, evaluate it, and write a run directory.

With --model alone, the built-in synthetic pedestrians are drawn and a narrow version is
trained on them in minutes.
"""

import datetime
from pathlib import Path

from reid_tf.commands import command_line


def main() -> None:
    """Parses the command line and trains."""
    parser = command_line.parser(__doc__, "reid-tf train --model multitask --set epochs=2 --out runs/short")
    command_line.add_experiment_arguments(parser)
    command_line.add_dataset_arguments(parser, default=None)
    command_line.add_output(
        parser,
        "--out",
        folder=True,
        metavar="DIR",
        help="the run directory (default: runs/CONFIG; runs/CONFIG-TIME where that is taken)",
    )
    parser.add_argument("--resume", action="store_true", help="go on with the interrupted run of that --out")
    arguments = command_line.parse_with_overrides(parser)
    config, name = command_line.experiment(arguments)
    if arguments.resume and not arguments.out:
        parser.error("--resume needs --out, the directory of the interrupted run")
    out = arguments.out or free_folder(Path("runs") / name)

    from reid_tf.studies.runs import is_interrupted
    from reid_tf.training.train import train

    def how() -> str:
        if is_interrupted(Path(out)):
            return f"go on with: {command_line.this_command('--out', str(out), '--resume')}"
        return "there was no checkpoint yet; the same command begins again."

    with command_line.going_on(how):
        result = train(config, out, arguments.resume)
    for table in result.tables:
        print(f"\n{table}")
    print()
    print(f"pictures: {result.run_directory / 'report'}")
    for name in ("encoder", "model"):
        if (result.run_directory / f"{name}.keras").exists():
            print(f"{name + ':':9} {result.run_directory / name}.keras")


def free_folder(wanted: Path) -> Path:
    """The folder itself, or, where a run has that name or was interrupted under it, one with the time at the end."""
    if not any(path.exists() for path in (wanted, wanted.with_name(f"{wanted.name}.unfinished"))):
        return wanted
    return wanted.with_name(f"{wanted.name}-{datetime.datetime.now():%Y%m%d-%H%M%S}")

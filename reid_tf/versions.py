"""Which software made a result: versions of packages, and the commit of the code."""

import importlib.metadata
import platform
import subprocess
from pathlib import Path

PACKAGES = ("reid_tf", "tensorflow", "keras", "numpy", "opencv-python", "omegaconf", "pydantic")


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that shape a result."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed as a package"
    return found


def git_commit() -> str | None:
    """Returns the commit of the checkout that the package lies in, with "+" at its end when files differ; else None."""
    folder = Path(__file__).parent
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "status", "--porcelain"], cwd=folder, capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):  # no git, or no checkout: the manifest then says null
        return None
    return commit + ("+" if changed else "")

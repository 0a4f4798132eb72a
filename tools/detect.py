"""Launches `reid_tf/commands/detect.py` from a checkout."""

import launch

if __name__ == "__main__":  # processes that a command starts import this file too
    launch.command("detect")

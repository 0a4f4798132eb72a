"""What `benchmark` measures, one subcommand per file."""

"""What people wear and carry: schemas, the label files that name it, and how outputs are coded."""

"""An encoder that is used: from a run or an export, images to vectors."""

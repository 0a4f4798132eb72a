"""What an encoder's pixels go through: a file per kind of model, whose library is loaded with the first such model."""

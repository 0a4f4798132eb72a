"""The formats that an encoder is exported to."""

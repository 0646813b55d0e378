"""The command: `vaekit VERB ...`."""

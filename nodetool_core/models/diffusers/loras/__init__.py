"""LoRAs and their relatives: which layers a file changes, how, and where they are in a pipeline."""

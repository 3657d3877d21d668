"""The node reference: pages written from what node classes declare, and nothing else."""

"""NodeTool's workflows, beyond what has the same form here."""

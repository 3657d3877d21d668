"""InvokeAI's workflows."""

"""Model weights: find them, fetch them, load them once, keep them while they are needed."""

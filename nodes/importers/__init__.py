"""Importers of workflow files of other tools. There are no nodes in here."""

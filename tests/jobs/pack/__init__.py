"""A pack of nodes for the tests of jobs; other processes find it by an entry point."""

from nodetool_core.packs import Pack

pack = Pack("tests.jobs.pack")

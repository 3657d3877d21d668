"""From a reference to files on this machine."""

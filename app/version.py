"""The version of the code, as it goes into every pedigree."""

from importlib.metadata import version

VERSION = version("posetween")

#: The migration that this code needs; a later one does no harm, since steps keep what the code before them reads.
SCHEMA = "0019"

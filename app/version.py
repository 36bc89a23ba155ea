"""The version of the code, as it goes into every pedigree."""

from importlib.metadata import version

VERSION = version("posetween")

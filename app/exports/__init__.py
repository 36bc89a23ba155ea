"""Exports: the poses of a project as files."""

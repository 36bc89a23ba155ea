"""Deleting videos, projects and labs: hidden at once, restored until a day, then erased."""

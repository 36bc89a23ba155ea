"""Uploads that can be resumed: tus 1.0, whose finished uploads become videos."""

"""Readings taken beside the work."""

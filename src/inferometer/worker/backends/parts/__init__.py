"""Pieces that backends share or are made of."""

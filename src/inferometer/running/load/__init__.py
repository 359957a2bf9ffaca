"""Rows under load: LoadGen's scenarios after the rounds, and the search for the rate that keeps a promise."""

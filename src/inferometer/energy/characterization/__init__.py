"""How a meter behaves, found out with a load that is switched."""

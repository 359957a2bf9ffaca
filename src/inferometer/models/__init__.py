"""Sources of models and images, and the artifact each framework needs, converted once and checked at once."""

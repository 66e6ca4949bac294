"""The world: physics, rasteriser, random episodes, reference controllers, and (in `env`) the Gymnasium environment."""

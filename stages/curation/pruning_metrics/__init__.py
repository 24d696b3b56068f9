"""How hard an example is (images and prototypes)."""

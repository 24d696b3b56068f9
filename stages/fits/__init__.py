"""What the stage fit does for one question: which laws are candidates, how they are chosen and checked."""

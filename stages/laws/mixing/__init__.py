"""From runs on many mixtures to the best one: laws that compete, their mean, and the search over the simplex."""

"""What every form of the site is made of."""

"""The pages: each view has one door and calls one action."""

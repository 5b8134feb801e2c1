"""A small site made of django-appointment, as its own documentation sets one up.

It runs under `.venv-bench` and knows nothing of Duet.
"""

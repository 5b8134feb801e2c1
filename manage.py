#!/usr/bin/env python
"""Duet's command line."""

import sys

from config.launch import main

if __name__ == "__main__":
    main(sys.argv)

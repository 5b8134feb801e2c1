"""What the pages' forms take, and the sentences with which they refuse."""

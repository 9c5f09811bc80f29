"""Letters, words, numbers and sentences: one normaliser for the index, the questions, the verifier and the eval set."""

"""The commands of `softmax-trick`, one file each."""

"""The contract of Chorus, a folder for each version of it."""

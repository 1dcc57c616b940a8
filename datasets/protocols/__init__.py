"""Protocol files, and the code that draws, reads and verifies the splits they define."""

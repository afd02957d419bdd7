"""Words of the tables that code also uses. (No pandera: any module may import them.)"""

# The rank of the classes themselves, in the table of names.
SPECIES = "species"
# Answers to "is this name trusted?".
YES, NO = "yes", "no"
# Number of the most probable species in the table of names.
TOP = 5
# The column for the part of the data set with the same picture, and the part trained on.
ALREADY_IN, TRAINED_ON = "already_in", "train"
# The column for the checksum of a photograph's file.
SHA256 = "sha256"
# The columns for an animal's box, in the table of names.
FRAME, BOX, BOX_CONFIDENCE, NOTE = BOX_COLUMNS = ("frame", "box", "box_confidence", "note")
# The columns for the time and place of a photograph; the last one is for their errors.
CAPTURE_PROBLEM = "capture_problem"
CAPTURE_COLUMNS = (
    *("timestamp", "night", "deployment", "latitude", "longitude"),
    CAPTURE_PROBLEM,
)

"""Words of the tables that code uses, too. (No pandera: any module may import them.)"""

# The rank of the classes themselves, in the table of names.
SPECIES = "species"
# Whether a name is trusted.
YES, NO = "yes", "no"
# How many of the most probable species the table of names has.
TOP = 5
# The column of the part of the data set that has the same picture, and the part it was trained on.
ALREADY_IN, TRAINED_ON = "already_in", "train"
# The column of the checksum of a photograph's file.
SHA256 = "sha256"
# The columns of an animal's box, in the table of names.
FRAME, BOX, BOX_CONFIDENCE, NOTE = BOX_COLUMNS = ("frame", "box", "box_confidence", "note")
# The columns of when and where a photograph was taken; the last one says what is wrong with them.
CAPTURE_PROBLEM = "capture_problem"
CAPTURE_COLUMNS = (
    *("timestamp", "night", "deployment", "latitude", "longitude"),
    CAPTURE_PROBLEM,
)

"""Words and signs of scientific names that are neither genus nor epithet."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


HYBRID = "\N{MULTIPLICATION SIGN}"
# What says how sure a name is, as it is written here.
QUALIFIERS = {"cf": "cf.", "conf": "cf.", "aff": "aff.", "nr": "nr.", "near": "nr."}
# A species without an epithet.
UNNAMED = {"sp": "sp.", "spp": "sp.", "spec": "sp.", "species": "sp."}
# A group of species that cannot be told apart, as it is written here.
AGGREGATE = "agg."
AGGREGATES = _words("agg aggr complex group")
# Marks of ranks below the species, without a dot and the prefix "notho".
RANKS_BELOW = _words(
    "subsp ssp subspec subspecies var variety varietas subvar f fa fo fm form forma subf subforma "
    "ab aberr aberration morph morpha mut race proles natio convar agamosp agamovar lusus monstr "
    "pv pathovar \N{GREEK SMALL LETTER ALPHA} \N{GREEK SMALL LETTER BETA} "
    "\N{GREEK SMALL LETTER GAMMA}"
)
RANKS_WITHIN_GENUS = _words("subg subgen subgenus sect section subsect ser")
# Words that begin the name of an author. Before a capital letter, those of the first set are never
# epithets; the others are right after a genus, unless another one follows.
NEVER_EPITHETS = _words("de der d la le von vom v zur zum al el ten ter af av")
PARTICLES = NEVER_EPITHETS | _words(
    "da das del dela della den des di do dos du lo van vander vd zu y e"
)
# Words after a name that are no epithets.
REMARKS = _words(
    "anon apud auct auctorum auctt biovar cv emend fide hort ht ined ms nec nom nomen non nov pro "
    "sec sensu serotype serovar sic sl ss strain"
)
BETWEEN_AUTHORS = _words("and et ex in of str the")
_NUMBER_WORDS = (
    "bi tri quadri quinque sex septem octo novem decem undecim duodecim tredecim quatuordecim "
    "quindecim sedecim septendecim octodecim novemdecim viginti"
)
# What a number in an epithet stands for (ICZN article 32.5.2.6).
NUMBERS = {str(number): word for number, word in enumerate(_NUMBER_WORDS.split(), start=2)} | {
    "22": "vigintiduo",
    "24": "vigintiquatuor",
}
